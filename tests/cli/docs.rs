//! Published pages and schemas are what the program says. `UPDATE_DOCS=1` writes them anew.

#[path = "../support/docs.rs"]
mod published;

use published::in_step;

#[test]
fn the_schema_of_a_check_is_published() {
    let schema = syncline::render::json::check_schema();
    in_step("check.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_schema_of_the_suppressions_is_published() {
    let schema = syncline::render::suppressions::schema();
    in_step("suppressions.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_schema_of_a_plan_is_published() {
    let schema = syncline::plan::schema();
    in_step("plan.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_reference_of_the_command_line_is_published() {
    in_step("reference/cli.md", &syncline::cli::reference());
}

#[test]
fn the_schema_of_a_catalog_entry_is_published() {
    let schema = serde_json::to_value(syncline::catalog::schema()).unwrap();
    in_step("catalog.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_schemas_of_explanations_are_published() {
    let schema = syncline::estimate::scenario::schema();
    in_step("explain_scenario.schema.json", &format!("{schema:#}\n"));
    let schema = syncline::estimate::field::schema();
    in_step("explain_field.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_schema_of_an_estimate_is_published() {
    let schema = syncline::estimate::schema();
    in_step("estimate.schema.json", &format!("{schema:#}\n"));
}
