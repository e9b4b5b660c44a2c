//! Layers look down only: no module names a module of its own rank or a higher one, I/O stays in
//! the layers that may do it, and every module says what it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules by rank, as drawn in `docs/architecture.md`.
const RANKS: &[(&str, u8)] = &[
    ("failpoint", 0),
    ("terms", 0),
    ("text", 0),
    ("time", 0),
    ("value", 0),
    ("expr", 1),
    ("finding", 1),
    ("catalog", 2),
    ("syntax", 2),
    ("model", 3),
    ("graph", 4),
    ("arithmetic", 5),
    ("choice", 5),
    ("checks", 6),
    ("plan", 7),
    ("workspace", 7),
    ("engine", 8),
    ("estimate", 8),
    ("optimize", 8),
    ("diff", 9),
    ("connector", 9),
    ("overview", 9),
    ("store", 9),
    ("host", 10),
    ("render", 10),
    ("sim", 10),
    ("cli", 11),
];

/// Neighbours of one rank that may be named all the same, with the reason.
const ALLOWED: &[(&str, &str)] = &[
    // A value's dates and a schedule's words stand on the plain vocabulary beside them.
    ("time", "terms"),
    ("value", "terms"),
    ("value", "time"),
    // Which mode is best stands on the figures beside it.
    ("choice", "arithmetic"),
    // What a run came to is printed from the host's own account of it.
    ("render", "host"),
    // And what tests came to, from the account of the world they ran in.
    ("render", "sim"),
];

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Code without comments and doc comments, so that prose may name anything.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.find("//").map_or(line, |at| &line[..at]))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every `crate::module` and `crate::{module, …}` of a text.
fn named(code: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut part = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => {
                        out.push(std::mem::take(&mut part));
                        continue;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                part.push(c);
            }
            out.push(part);
        } else {
            out.push(rest.to_owned());
        }
    }
    out.iter()
        .map(|n| {
            let name = n.trim_start();
            let end = name
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(name.len());
            name[..end].to_owned()
        })
        .collect()
}

#[test]
fn lower_layers_never_name_higher_ones() {
    let ranks: BTreeMap<&str, u8> = RANKS.iter().copied().collect();
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for path in &files {
        let module = module_of(path);
        let Some(own) = ranks.get(&*module).copied() else {
            assert!(
                ["lib", "main"].contains(&&*module),
                "`{module}` has no rank: give it one here and in docs/architecture.md"
            );
            continue;
        };
        looked_at += 1;
        for name in named(&code(&std::fs::read_to_string(path).unwrap())) {
            let Some(rank) = ranks.get(&*name).copied() else {
                continue;
            };
            let same = name == module || ALLOWED.contains(&(&module, &name));
            if rank >= own && !same {
                wrong.push(format!(
                    "{}: `{module}` ({own}) names `{name}` ({rank})",
                    path.display()
                ));
            }
        }
    }
    assert!(looked_at > 50, "only {looked_at} files were looked at");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pure_layers_do_no_input_or_output() {
    let pure = [
        "terms",
        "text",
        "time",
        "value",
        "expr",
        "finding",
        "catalog",
        "model",
        "graph",
        "choice",
        "checks",
        "plan",
        "workspace",
        "engine",
        "estimate",
        "optimize",
        "diff",
        "overview",
        "render",
    ];
    let forbidden = [
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime::now",
        "Instant::now",
        "Utc::now",
        "println!",
        "eprintln!",
        "std::process",
    ];
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for path in files.iter().filter(|p| pure.contains(&&*module_of(p))) {
        let text = std::fs::read_to_string(path).unwrap();
        let is_test = path.to_str().unwrap().contains("test");
        let product = code(&text);
        let product = product.split("#[cfg(test)]").next().unwrap();
        for word in forbidden
            .iter()
            .filter(|w| !is_test && product.contains(**w))
        {
            wrong.push(format!("{}: `{word}`", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_and_the_picture_names_every_layer() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let silent: Vec<String> = files
        .iter()
        .filter(|p| !p.ends_with("tests.rs"))
        .filter(|p| !std::fs::read_to_string(p).unwrap().starts_with("//!"))
        .map(|p| p.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "no `//!` at the top of\n{}",
        silent.join("\n")
    );
    let picture = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for (module, rank) in RANKS {
        let row = picture
            .lines()
            .find(|l| l.starts_with(&format!("| `{module}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md does not draw `{module}`"));
        assert!(
            row.contains(&format!("| {rank} |")),
            "rank of `{module}` differs: {row}"
        );
    }
}
