use std::path::Path;
use syncline::syntax::load::{self, FileReader, Root};
struct Disk;
impl FileReader for Disk {
    fn read(&self, path: &Path, _: usize) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
    fn canonical(&self, path: &Path) -> std::io::Result<std::path::PathBuf> {
        path.canonicalize()
    }
}
#[test]
fn check() {
    for root in ["examples/b2b/policy.sync", "examples/b2b/live.sync"] {
        let loaded = load::load(
            Root::Path(Path::new(root)),
            &Disk,
            &std::env::current_dir().unwrap(),
        )
        .unwrap();
        let catalog = syncline::catalog::Catalog::builtin();
        let own = Default::default();
        let now = chrono::NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
        let input = syncline::model::Input {
            sources: &loaded.sources,
            files: &loaded.files,
            unread: false,
            catalog,
            own: &own,
            now,
        };
        let (policy, mut found) = syncline::model::lower(&input);
        found.extend(loaded.findings.clone());
        let graph = syncline::graph::Graph::build(&policy);
        let ctx = syncline::checks::Context::new(&loaded.sources, &policy, &graph, now);
        let all = syncline::checks::run(&ctx, found);
        println!("== {root}: {} findings", all.len());
        for f in &all {
            let file = loaded.sources.file(f.primary.unwrap().file);
            println!(
                "{:?} {:?} {}:{} {} help={:?}",
                f.severity,
                f.code,
                file.path,
                file.line_of(f.primary.unwrap().start),
                f.message,
                f.help
            );
        }
        let plan = syncline::plan::compile(&loaded.sources, &policy).unwrap();
        println!("{} scenarios, {}", plan.scenarios.len(), plan.digest);
    }
}
