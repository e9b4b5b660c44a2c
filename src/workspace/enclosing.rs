//! The policy that a file without a `policy` item is a part of.

use std::path::Path;

use super::chain::UNREADABLE;
use super::paths::relative;
use crate::syntax::load::{FileReader, Loaded, ROOT_FILE, Root, load};
use crate::syntax::tree::ItemKind;

/// Whether any of the files may hold a `policy` item: a broken one counts, and so may anything in
/// a file that could not be read.
pub fn declares_policy(loaded: &Loaded) -> bool {
    if loaded.findings.iter().any(|f| f.code == UNREADABLE) {
        return true;
    }
    let mut items = loaded.files.iter().flat_map(|f| &f.items);
    items.any(|item| match &item.kind {
        ItemKind::Policy(_) => true,
        ItemKind::Error { keyword, .. } => {
            keyword.is_some_and(|k| loaded.sources.slice(k) == "policy")
        }
        _ => false,
    })
}

/// The nearest `policy.sync` above a file that reaches it through `use`, with the name by which
/// that policy knows the file. `file` is absolute and without links; nothing above the repository
/// is looked at.
pub fn enclosing(file: &Path, files: &dyn FileReader, current: &Path) -> Option<(Loaded, String)> {
    let here = files
        .canonical(current)
        .unwrap_or_else(|_| current.to_owned());
    for directory in file.ancestors().skip(1) {
        let root = directory.join(ROOT_FILE);
        let shown = relative(&here, &root);
        if root != file
            && files.exists(&root)
            && let Ok(loaded) = load(Root::Path(&shown), files, current)
            && let Some(shown) = name_of(&loaded, file)
        {
            return Some((loaded, shown));
        }
        if files.exists(&directory.join(".git")) {
            return None;
        }
    }
    None
}

/// The name by which a policy knows a file.
fn name_of(loaded: &Loaded, file: &Path) -> Option<String> {
    let mut sources = loaded.places.iter().zip(loaded.sources.iter());
    sources
        .find(|(place, _)| *place == file)
        .map(|(_, (_, source))| source.path.clone())
}
