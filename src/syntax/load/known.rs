//! What an earlier load leaves for the next one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use super::Loaded;
use crate::finding::{Code, Finding};
use crate::syntax::tree;
use crate::text::{FileId, SourceFile};

/// The code of everything that the parser finds.
const SYNTAX: Code = Code(1);

/// What an earlier load knows of a file.
pub(super) struct Known {
    pub(super) id: FileId,
    pub(super) source: SourceFile,
    pub(super) range: Range<usize>,
    pub(super) tree: tree::File,
    /// What the parser found in it.
    pub(super) findings: Vec<Finding>,
}

impl Known {
    /// Every file of an earlier load, by its one path.
    pub(super) fn all(earlier: Loaded) -> BTreeMap<PathBuf, Known> {
        let mut findings: BTreeMap<FileId, Vec<Finding>> = BTreeMap::new();
        let parsed = earlier.findings.into_iter().filter(|f| f.code == SYNTAX);
        for finding in parsed {
            if let Some(place) = finding.primary {
                findings.entry(place.file).or_default().push(finding);
            }
        }
        let sources = earlier.sources.into_files().into_iter();
        let files = sources.zip(earlier.files).zip(earlier.ranges);
        earlier
            .places
            .into_iter()
            .zip(files)
            .map(|(place, ((source, tree), range))| {
                let known = Known {
                    id: tree.id,
                    findings: findings.remove(&tree.id).unwrap_or_default(),
                    source,
                    range,
                    tree,
                };
                (place, known)
            })
            .collect()
    }
}
