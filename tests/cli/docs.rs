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
fn the_schema_of_an_estimate_is_published() {
    let schema = syncline::estimate::schema();
    in_step("estimate.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_picture_in_the_readme_is_the_programs_own() {
    let policy = format!("{}/examples/acme", env!("CARGO_MANIFEST_DIR"));
    let dir = crate::support::Dir::new();
    let ran = dir.run(&["graph", "--now", "2026-11-26", &policy]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    in_step("acme.svg", &ran.stdout);
}
