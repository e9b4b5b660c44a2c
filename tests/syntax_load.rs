//! Policies of several files, over a file system in memory.

#[path = "support/memory.rs"]
mod memory;

use memory::Memory;
use std::path::Path;
use syncline::finding::Code;
use syncline::syntax::load::{LoadError, Loaded, Root, load, load_markdown};

fn loaded(files: &[(&str, &str)], root: &str) -> Loaded {
    load(
        Root::Path(Path::new(root)),
        &Memory::new(files),
        Path::new("/w"),
    )
    .unwrap()
}

/// Path, code, line:column, the text at the place, message.
fn said(loaded: &Loaded) -> Vec<String> {
    let say = |f: &syncline::finding::Finding| {
        let span = f.primary.unwrap();
        let at = loaded.sources.start(span);
        let path = &loaded.sources.file(span.file).path;
        let text = loaded.sources.slice(span);
        format!(
            "{path}:{}:{} {} [{text}] {}",
            at.line, at.column, f.code, f.message
        )
    };
    loaded.findings.iter().map(say).collect()
}

fn paths(loaded: &Loaded) -> Vec<&str> {
    loaded
        .sources
        .iter()
        .map(|(_, f)| f.path.as_str())
        .collect()
}

#[test]
fn files_come_depth_first_and_once() {
    let all = loaded(
        &[
            ("/w/.git/x", ""),
            (
                "/w/p/policy.sync",
                "use \"a.sync\"\nuse \"./b\"\nuse \"../c.sync\"\n",
            ),
            ("/w/p/a.sync", "use \"../c.sync\"\n"),
            ("/w/p/b/policy.sync", "use \"../a.sync\"\n"),
            ("/w/c.sync", "system crm { connector csv }\n"),
        ],
        "p",
    );
    assert_eq!(said(&all), Vec::<String>::new());
    assert_eq!(
        paths(&all),
        ["p/policy.sync", "p/a.sync", "c.sync", "p/b/policy.sync"]
    );
    assert_eq!(all.files.len(), 4);
    assert_eq!(all.files[2].items.len(), 1);
    assert_eq!(all.imports.len(), 5);
    assert_eq!(all.imports[0].1.0, 1);
}

#[test]
fn a_circle_is_shown_where_it_closes() {
    let all = loaded(
        &[
            ("/w/a.sync", "use \"b.sync\"\n"),
            ("/w/b.sync", "use \"c.sync\"\n"),
            ("/w/c.sync", "\nuse \"b.sync\"\n"),
        ],
        "./a.sync",
    );
    assert_eq!(
        said(&all),
        [
            "c.sync:2:5 SL0005 [\"b.sync\"] files use each other in a circle: `b.sync` → `c.sync` → \
          `b.sync`"
        ]
    );
    let label = all.findings[0].labels[0].span;
    assert_eq!(all.sources.file(label.file).path, "b.sync");
    assert_eq!(all.sources.slice(label), "\"c.sync\"");
    let own = loaded(&[("/w/a.sync", "use \"a.sync\"\n")], "a.sync");
    assert_eq!(own.findings[0].code, Code(5));
}

#[test]
fn nothing_outside_the_repository_is_read() {
    let all = loaded(
        &[
            (
                "/w/p/a.sync",
                "use \"../../etc/x.sync\"\nuse \"/etc/x.sync\"\nuse \"l.sync\"\nuse \"../o.sync\"\n",
            ),
            ("/w/p/l.sync", "->/etc/x.sync"),
            ("/w/o.sync", ""),
            ("/etc/x.sync", ""),
        ],
        "p/a.sync",
    );
    let expected = [
        "p/a.sync:1:5 SL0004 [\"../../etc/x.sync\"] `../../etc/x.sync` leaves the repository",
        "p/a.sync:2:5 SL0004 [\"/etc/x.sync\"] `/etc/x.sync` is no relative path",
        "p/a.sync:3:5 SL0004 [\"l.sync\"] `l.sync` leaves the repository",
        // Without `.git` the root file's own directory is the limit.
        "p/a.sync:4:5 SL0004 [\"../o.sync\"] `../o.sync` leaves the repository",
    ];
    assert_eq!(said(&all), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_said_once_and_hides_nothing() {
    let mut files = Memory::new(&[
        (
            "/w/a.sync",
            "use \"no\"\nuse \"d\"\nuse \"bad.sync\"\nuse \"wide.sync\"\nmode x\n",
        ),
        ("/w/no.sync", ""),
        ("/w/d/other.sync", ""),
    ]);
    files
        .0
        .insert("/w/bad.sync".into(), b"// ok\n\xe9".to_vec());
    files
        .0
        .insert("/w/wide.sync".into(), b"\xff\xfea\0".to_vec());
    let all = load(Root::Path(Path::new("a.sync")), &files, Path::new("/w")).unwrap();
    let expected = [
        "a.sync:1:5 SL0004 [\"no\"] there is no file `no`",
        "a.sync:2:5 SL0004 [\"d\"] the folder `d` holds no `policy.sync`",
        "a.sync:3:5 SL0004 [\"bad.sync\"] `bad.sync`: the file is not UTF-8 (first at byte 6, line 2); save it as UTF-8",
        "a.sync:4:5 SL0004 [\"wide.sync\"] `wide.sync`: the file is UTF-16; save it as UTF-8",
        "a.sync:5:1 SL0001 [mode] `mode` stands outside any block",
    ];
    assert_eq!(said(&all), expected);
    assert_eq!(
        all.findings[0].help.as_deref(),
        Some("write `use \"no.sync\"`")
    );
}

#[test]
fn roots_that_are_no_text() {
    let mut files = Memory::new(&[("/w/d/x", "")]);
    files.0.insert("/w/bad.sync".into(), vec![0xe9]);
    let at = |path: &str| load(Root::Path(Path::new(path)), &files, Path::new("/w"));
    let bad = at("bad.sync").unwrap();
    assert_eq!(
        said(&bad),
        [
            "bad.sync:1:1 SL0004 [] the file is not UTF-8 (first at byte 0, line 1); save it as UTF-8"
        ]
    );
    assert_eq!(bad.files.len(), 1);
    assert!(matches!(at("none"), Err(LoadError::Missing(_))));
    assert!(matches!(at("d"), Err(LoadError::NoPolicy(_))));
}

#[test]
fn standard_input_uses_files_beside_its_name() {
    let files = Memory::new(&[("/w/sub/a.sync", "system a { connector csv }")]);
    let all = load(
        Root::Text("sub/new.sync", b"use \"a.sync\"\n"),
        &files,
        Path::new("/w"),
    )
    .unwrap();
    assert_eq!(said(&all), Vec::<String>::new());
    assert_eq!(paths(&all), ["sub/new.sync", "sub/a.sync"]);
    let plain = load(Root::Text("-", b"policy p {}"), &files, Path::new("/w")).unwrap();
    assert_eq!(paths(&plain), ["-"]);
}

#[test]
fn markdown_blocks_keep_the_places_of_their_file() {
    let text = "# Title\n\n```sync\nsystem crm {\n  tir x\n}\n```\n\n```sync fragment\nuse \"nowhere\"\n```\n";
    let files = Memory::new(&[("/w/doc.md", text)]);
    let all = load_markdown(Root::Path(Path::new("doc.md")), &files, Path::new("/w")).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(
        said(&all[0]),
        ["doc.md:5:3 SL0001 [tir] `tir` is no clause of a system"]
    );
    assert_eq!((all[1].fragment, said(&all[1]).len()), (true, 0));
}
