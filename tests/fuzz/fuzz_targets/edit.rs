//! After any edits the answer is that of a first check.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use syncline::workspace::Workspace;

#[path = "../../support/memory.rs"]
mod memory;
#[path = "../../support/whole.rs"]
mod whole;

fuzz_target!(|edits: Vec<(u16, u16, String)>| {
    let path = Path::new("/w/policy.sync");
    let (_, text) = whole::good().swap_remove(1);
    let mut workspace = Workspace::new("policy.sync", "/w", memory::Memory::default());
    workspace.set_text(path, text);
    for (at, length, new) in edits {
        let at = usize::from(at);
        // A range that does not fit changes nothing.
        let _ = workspace.apply_edit(path, at..at + usize::from(length), &new);
        let again = workspace.check(whole::today()).expect("a root").findings.clone();
        let text = workspace.text(path).expect("an open text");
        assert_eq!(again, whole::check_text(text).findings);
    }
});
