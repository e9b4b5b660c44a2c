//! Published pages and schemas are what the program says. `UPDATE_DOCS=1` writes them anew.

use std::path::Path;

fn in_step(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/{name} is behind; run the tests with UPDATE_DOCS=1"
    );
}

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
