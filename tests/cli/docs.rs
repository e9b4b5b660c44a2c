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

#[test]
fn the_policies_of_the_language_page_hold() {
    let page = include_str!("../../docs/reference/language.md");
    assert_eq!(page.matches("```sync\n").count(), 1);
    let dir = crate::support::Dir::with(&[("language.md", page)]);
    let ran = dir.run(&["check", "language.md", "--deny", "warnings"]);
    assert_eq!(ran.status, 0, "{}", ran.stdout);
}

#[test]
fn the_language_page_names_every_rule_impact_and_priority() {
    use syncline::terms::{Impact, Priority, ResolveRule};
    let page = include_str!("../../docs/reference/language.md");
    let rules = ResolveRule::ALL.iter().map(|r| r.word());
    let impacts = Impact::ALL.iter().map(|i| i.word());
    let priorities = Priority::ALL.iter().map(|p| p.word());
    for word in rules.chain(impacts).chain(priorities) {
        assert!(page.contains(&format!("`{word}`")), "`{word}` is missing");
    }
}

#[test]
fn the_schemas_of_diff_are_published_and_its_table_is_the_codes() {
    let schema = syncline::diff::schema();
    in_step("diff.schema.json", &format!("{schema:#}\n"));
    let schema = syncline::diff::approvals_schema();
    in_step("approvals.schema.json", &format!("{schema:#}\n"));
    let page = std::fs::read_to_string(published::folder().join("diff.md")).unwrap();
    assert!(page.contains(syncline::diff::table().trim_end()));
}

#[test]
fn the_schema_of_an_optimization_is_published() {
    let schema = syncline::optimize::schema();
    in_step("optimize.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_schema_of_test_results_is_published() {
    let schema = syncline::render::trials::schema();
    in_step("test.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_picture_in_the_readme_is_the_programs_own() {
    let policy = format!("{}/examples/acme", env!("CARGO_MANIFEST_DIR"));
    let dir = crate::support::Dir::new();
    let ran = dir.run(&["graph", "--now", "2026-11-26", &policy]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    in_step("acme.svg", &ran.stdout);
}

#[test]
fn the_page_on_watching_a_runner_has_the_programs_own_table() {
    let page = std::fs::read_to_string(published::folder().join("monitoring.md")).unwrap();
    let mark = "<!-- metrics -->\n";
    let (head, rest) = page.split_once(mark).unwrap();
    let tail = rest.find("\nWorth an alarm").unwrap();
    let table = syncline::host::metrics::table();
    in_step(
        "monitoring.md",
        &format!("{head}{mark}\n{table}{}", &rest[tail..]),
    );
    for family in syncline::host::metrics::FAMILIES {
        assert!(family.name.starts_with("syncline_") && !family.help.is_empty());
        assert_eq!(
            family.name.ends_with("_total"),
            family.counts,
            "{}",
            family.name
        );
    }
}

/// A page each of whose `console` blocks is one command, with what it prints below it: told anew in
/// `dir`, and how many there are. Each ends with the status at its place in `statuses`, else 0.
fn retold(page: &str, dir: &crate::support::Dir, statuses: &[i32]) -> (String, usize) {
    const FENCE: &str = "```console\n$ syncline ";
    let mut parts = page.split(FENCE);
    let mut told = parts.next().unwrap().to_owned();
    let mut commands = 0;
    for part in parts {
        let (command, rest) = part.split_once('\n').unwrap();
        let (_, after) = rest.split_once("```").unwrap();
        let args: Vec<&str> = command.split_whitespace().collect();
        let ran = dir.run(&args);
        let status = statuses.get(commands).copied().unwrap_or(0);
        assert_eq!(
            ran.status, status,
            "{command}: {}{}",
            ran.stdout, ran.stderr
        );
        told += &format!("{FENCE}{command}\n{}```{after}", ran.stdout);
        commands += 1;
    }
    (told, commands)
}

/// The first policy of a page.
fn policy_of<'p>(page: &'p str, fence: &str) -> &'p str {
    let policy = page.split(fence).nth(1).unwrap();
    policy.split("```").next().unwrap()
}

#[test]
fn the_guide_to_modes_shows_what_its_commands_print() {
    let page = std::fs::read_to_string(published::folder().join("choosing-modes.md")).unwrap();
    let policy = policy_of(&page, "```sync\n");
    let dir = crate::support::Dir::with(&[("policy.sync", policy)]);
    let checked = dir.run(&["check", "--deny", "warnings"]);
    assert_eq!(checked.status, 0, "{}", checked.stdout);
    let (told, commands) = retold(&page, &dir, &[]);
    assert_eq!(commands, 5);
    in_step("choosing-modes.md", &told);
}

#[test]
fn the_guide_to_simulations_shows_what_its_commands_print() {
    let page = std::fs::read_to_string(published::folder().join("simulating.md")).unwrap();
    let policy = policy_of(&page, "```sync\n");
    let dir = crate::support::Dir::with(&[("policy.sync", policy)]);
    let checked = dir.run(&["check", "--deny", "warnings"]);
    assert_eq!(checked.status, 0, "{}", checked.stdout);
    let (told, commands) = retold(&page, &dir, &[]);
    assert_eq!(commands, 3);
    in_step("simulating.md", &told);
}

#[test]
fn the_schema_of_a_simulation_is_published() {
    let schema = syncline::render::simulation::schema();
    in_step("simulate.schema.json", &format!("{schema:#}\n"));
}

#[test]
fn the_guide_to_tests_shows_what_its_commands_print() {
    let page = std::fs::read_to_string(published::folder().join("testing.md")).unwrap();
    let policy = policy_of(&page, "```sync policy.sync\n");
    let last = policy.replace("resolve any_true", "resolve last_write_wins");
    let dir = crate::support::Dir::with(&[("policy.sync", policy), ("last.sync", &last)]);
    let checked = dir.run(&["check", "--deny", "warnings"]);
    assert_eq!(checked.status, 0, "{}", checked.stdout);
    let (told, commands) = retold(&page, &dir, &[0, 1, 0]);
    assert_eq!(commands, 3);
    in_step("testing.md", &told);
}
