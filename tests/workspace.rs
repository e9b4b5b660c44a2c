//! A policy that is edited: every answer after an edit is that of a first check.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/whole.rs"]
mod whole;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use memory::Memory;
use proptest::prelude::*;
use syncline::syntax::load::{FileReader, Root, load};
use syncline::workspace::{Checked, EditError, Overlay, Workspace, check, enclosing};
use whole::today;

const CURRENT: &str = "/w";

/// The pieces of one policy, a file each.
const FILES: [(&str, &str); 4] = [
    (
        "/w/policy.sync",
        "use \"systems.sync\"\nuse \"teams\"\n\npolicy shop { timezone \"UTC\" }\n",
    ),
    (
        "/w/systems.sync",
        "system crm { connector postgres  secret url = env(\"CRM\") }\n\
         system mailer { connector postgres  secret url = env(\"MAILER\") }\n",
    ),
    (
        "/w/teams/policy.sync",
        "use \"../maps.sync\"\n\
         entity contact {\n  key email\n  volume 1_000 records, 10/day changes\n  owner crm\n\
         \x20 field email: email\n  field name: text?\n}\n\
         scenario names {\n  sync contact(name) from crm to mailer\n  mode every 15m\n  stale reporting\n}\n",
    ),
    (
        "/w/maps.sync",
        "map contact in crm { same_names  cursor \"seq\" }\nmap contact in mailer { same_names }\n",
    ),
];

/// Files that another program writes too.
#[derive(Clone)]
struct Disk(Arc<RwLock<Memory>>);

impl Disk {
    fn new(files: &[(&str, &str)]) -> Self {
        Disk(Arc::new(RwLock::new(Memory::new(files))))
    }

    fn write(&self, path: &str, text: &str) {
        let mut files = self.0.write().unwrap();
        files.0.insert(path.into(), text.into());
    }
}

impl FileReader for Disk {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        self.0.read().unwrap().read(path, limit)
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.0.read().unwrap().is_dir(path)
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.read().unwrap().exists(path)
    }
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.read().unwrap().canonical(path)
    }
}

fn workspace() -> Workspace<Disk> {
    Workspace::new("policy.sync", CURRENT, Disk::new(&FILES))
}

/// What a first check of the same files says.
fn fresh(workspace: &Workspace<Disk>) -> Option<Checked> {
    let root = Root::Path(Path::new("policy.sync"));
    let loaded = load(root, workspace.files(), Path::new(CURRENT)).ok()?;
    Some(check(loaded, workspace.files(), today(), &[]))
}

/// Everything that an answer holds.
fn told(checked: &Checked) -> String {
    let texts: Vec<_> = checked.sources().iter().collect();
    let loaded = &checked.loaded;
    format!(
        "{texts:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
        loaded.files, loaded.imports, loaded.places, checked.findings
    )
}

fn assert_as_fresh(workspace: &mut Workspace<Disk>) {
    let fresh = fresh(workspace).map(|c| told(&c));
    let again = workspace.check(today()).ok().map(told);
    assert_eq!(again, fresh);
}

fn codes(workspace: &mut Workspace<Disk>) -> Vec<String> {
    let checked = workspace.check(today()).unwrap();
    let say = |f: &syncline::finding::Finding| {
        let file = &checked.sources().file(f.primary.unwrap().file).path;
        format!("{} {file}", f.code)
    };
    checked.findings.iter().map(say).collect()
}

#[test]
fn an_edit_is_seen_and_taken_back() {
    let mut workspace = workspace();
    assert_eq!(codes(&mut workspace), Vec::<String>::new());
    let path = Path::new("maps.sync");
    assert_eq!(
        workspace.apply_edit(path, 0..0, "x"),
        Err(EditError::NotOpen(path.into()))
    );
    workspace.set_text(path, FILES[3].1);
    let key = FILES[3].1.find("contact").unwrap();
    workspace.apply_edit(path, key..key + 7, "kontact").unwrap();
    assert!(codes(&mut workspace).contains(&"SL0003 maps.sync".to_owned()));
    assert_as_fresh(&mut workspace);
    workspace.close(path);
    assert_eq!(codes(&mut workspace), Vec::<String>::new());
}

#[test]
fn an_edit_that_does_not_fit_changes_nothing() {
    let mut workspace = workspace();
    let path = Path::new("/w/maps.sync");
    workspace.set_text(path, "// é\n");
    let outside = |range: std::ops::Range<usize>| Err(EditError::Outside(range));
    assert_eq!(workspace.apply_edit(path, 4..9, ""), outside(4..9));
    assert_eq!(workspace.apply_edit(path, 4..5, ""), outside(4..5));
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = 3..1;
    assert_eq!(
        workspace.apply_edit(path, backwards.clone(), ""),
        outside(backwards)
    );
    assert_eq!(workspace.text(path), Some("// é\n"));
}

#[test]
fn files_come_and_go_with_their_use() {
    let mut workspace = workspace();
    workspace.check(today()).unwrap();
    let root = Path::new("policy.sync");
    workspace.set_text(root, FILES[0].1);
    // Without the systems every other file has another number than before.
    workspace.apply_edit(root, 0..19, "").unwrap();
    assert!(
        codes(&mut workspace)
            .iter()
            .all(|c| c.starts_with("SL0003"))
    );
    assert_as_fresh(&mut workspace);
    workspace
        .apply_edit(root, 0..0, "use \"new/more.sync\"\nuse \"systems.sync\"\n")
        .unwrap();
    assert_eq!(codes(&mut workspace), ["SL0004 policy.sync"]);
    // A file that is nowhere but in the editor, in a directory that does not exist.
    workspace.set_text(Path::new("new/more.sync"), "// nothing yet\n");
    assert_eq!(codes(&mut workspace), Vec::<String>::new());
    assert_as_fresh(&mut workspace);
}

#[test]
fn a_policy_may_have_no_root_for_a_while() {
    let mut workspace = Workspace::new("policy.sync", CURRENT, Disk::new(&[]));
    assert!(workspace.check(today()).is_err() && workspace.checked().is_none());
    workspace.set_text(Path::new("policy.sync"), "policy p { }\n");
    assert_eq!(codes(&mut workspace), Vec::<String>::new());
    workspace.close(Path::new("policy.sync"));
    assert!(workspace.check(today()).is_err());
}

#[test]
fn a_part_knows_the_policy_that_uses_it() {
    let mut files = Overlay::new(Memory::new(&FILES));
    let found = |files: &Overlay<Memory>, path: &str| {
        let found = enclosing(Path::new(path), files, Path::new(CURRENT));
        found.map(|(loaded, name)| (loaded.places[0].clone(), name))
    };
    let root = PathBuf::from("/w/policy.sync");
    assert_eq!(
        found(&files, "/w/maps.sync"),
        Some((root.clone(), "maps.sync".into()))
    );
    assert_eq!(found(&files, "/w/other.sync"), None);
    files.set(Path::new("/w/maps.sync"), b"use \"other.sync\"\n".to_vec());
    files.set(Path::new("/w/other.sync"), Vec::new());
    assert_eq!(
        found(&files, "/w/other.sync"),
        Some((root, "other.sync".into()))
    );
}

#[test]
fn open_texts_lie_over_files_behind_links() {
    let mut files = Overlay::new(Memory::new(&[
        ("/w/a.sync", "->/v/a.sync"),
        ("/v/a.sync", "old"),
    ]));
    files.set(Path::new("/w/a.sync"), b"new".to_vec());
    assert_eq!(files.read(Path::new("/v/a.sync"), 9).unwrap(), b"new");
    assert_eq!(files.open_text(Path::new("/v/a.sync")), Some("new"));
    files.close(Path::new("/v/a.sync"));
    assert_eq!(files.read(Path::new("/w/a.sync"), 9).unwrap(), b"old");
}

#[test]
fn a_workspace_may_move_to_another_thread() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let mut workspace = send(workspace());
    workspace.check(today()).unwrap();
    send(workspace);
}

/// Something that an author, an editor or the disk does.
#[derive(Debug, Clone)]
enum Act {
    /// Types over a stretch of a file; shares of its length, in thousandths.
    Type(usize, u16, u16, String),
    /// Puts one of the files' own lines somewhere.
    Line(usize, u16, usize),
    Open(usize),
    Close(usize),
    /// Another program writes the file.
    Disk(usize, String),
    Check,
}

const PATHS: [&str; 6] = [
    "/w/policy.sync",
    "/w/systems.sync",
    "/w/teams/policy.sync",
    "/w/maps.sync",
    "/w/new.sync",
    "/w/teams/new.sync",
];

const PIECES: [&str; 16] = [
    "use \"new.sync\"\n",
    "use \"maps.sync\"\n",
    "use \"policy.sync\"\n",
    "use \"teams/new.sync\"\n",
    "system spare { connector csv  option path = \"x\" }\n",
    "policy other { }\n",
    "entity contact { key email  field email: email }\n",
    "extend entity contact { field city: text? }\n",
    "scenario back { sync contact(name) from mailer to crm }\n",
    "// é\n",
    "`",
    "\"",
    "}",
    "{",
    "crm",
    "",
];

fn act() -> impl Strategy<Value = Act> {
    let piece = || proptest::sample::select(&PIECES[..]).prop_map(str::to_owned);
    let file = 0..PATHS.len();
    prop_oneof![
        4 => (file.clone(), 0u16..1_000, 0u16..60, piece()).prop_map(|(f, a, n, t)| Act::Type(f, a, n, t)),
        4 => (file.clone(), 0u16..1_000, 0usize..40).prop_map(|(f, a, n)| Act::Line(f, a, n)),
        2 => file.clone().prop_map(Act::Open),
        1 => file.clone().prop_map(Act::Close),
        1 => (file, piece()).prop_map(|(f, t)| Act::Disk(f, t)),
        4 => Just(Act::Check),
    ]
}

fn on_disk(workspace: &Workspace<Disk>, path: &Path) -> String {
    let bytes = workspace.files().read(path, usize::MAX).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Types into a file, which is opened where it is not.
fn type_into(workspace: &mut Workspace<Disk>, file: usize, at: u16, len: u16, text: &str) {
    let path = Path::new(PATHS[file]);
    if workspace.text(path).is_none() {
        workspace.set_text(path, on_disk(workspace, path));
    }
    let old = workspace.text(path).unwrap();
    let share = |thousandths: u16| {
        let mut at = old.len() * usize::from(thousandths.min(1_000)) / 1_000;
        while !old.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let range = share(at)..share(at.saturating_add(len));
    workspace.apply_edit(path, range, text).unwrap();
}

fn apply(workspace: &mut Workspace<Disk>, act: &Act, disk: &Disk) {
    match act {
        Act::Type(file, at, len, text) => type_into(workspace, *file, *at, *len, text),
        Act::Line(file, at, n) => {
            let lines: Vec<&str> = FILES.iter().flat_map(|(_, t)| t.lines()).collect();
            let line = format!("\n{}\n", lines[n % lines.len()]);
            type_into(workspace, *file, *at, 0, &line);
        }
        Act::Open(file) => {
            let path = Path::new(PATHS[*file]);
            workspace.set_text(path, on_disk(workspace, path));
        }
        Act::Close(file) => workspace.close(Path::new(PATHS[*file])),
        Act::Disk(file, text) => {
            disk.write(PATHS[*file], text);
        }
        Act::Check => assert_as_fresh(workspace),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_edits_the_answer_is_that_of_a_first_check(acts in proptest::collection::vec(act(), 1..30)) {
        let disk = Disk::new(&FILES);
        let mut workspace = Workspace::new("policy.sync", CURRENT, disk.clone());
        for act in &acts {
            apply(&mut workspace, act, &disk);
        }
        assert_as_fresh(&mut workspace);
    }
}
