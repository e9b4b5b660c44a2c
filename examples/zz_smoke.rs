use std::path::*;
use std::sync::Arc;
use syncline::*;
struct R;
impl syntax::load::FileReader for R {
    fn read(&self, p: &Path, _: usize) -> std::io::Result<Vec<u8>> {
        std::fs::read(p)
    }
    fn is_dir(&self, p: &Path) -> bool {
        p.is_dir()
    }
    fn exists(&self, p: &Path) -> bool {
        p.exists()
    }
    fn canonical(&self, p: &Path) -> std::io::Result<PathBuf> {
        p.canonicalize()
    }
}
struct O;
impl engine::runner::Observer for O {
    fn progress(&mut self, _: &engine::runner::Progress<'_>) {}
}
fn main() {
    let path = PathBuf::from(std::env::args().nth(1).unwrap());
    let cwd = std::env::current_dir().unwrap();
    let l = syntax::load::load(syntax::load::Root::Path(&path), &R, &cwd).unwrap();
    let today = chrono::Utc::now().date_naive();
    let input = model::Input {
        sources: &l.sources,
        files: &l.files,
        unread: false,
        catalog: catalog::Catalog::builtin(),
        own: &Default::default(),
        now: today,
    };
    let (p, mut f) = model::lower(&input);
    f.extend(l.findings.clone());
    let g = graph::Graph::build(&p);
    let c = checks::Context::new(&l.sources, &p, &g, today);
    let f = checks::run(&c, f);
    for x in &f {
        let s = x.primary.map(|s| {
            let q = l.sources.start(s);
            format!("{}:{}:{}", l.sources.file(s.file).path, q.line, q.column)
        });
        println!(
            "{} {:?} {:?} {} | {:?}",
            x.code, x.severity, s, x.message, x.help
        );
    }
    let plan = plan::compile(&l.sources, &p).unwrap();
    if std::env::args().nth(2).as_deref() == Some("plan") {
        print!("{}", plan::to_json(&plan));
        return;
    }
    let base = if path.is_dir() {
        path.clone()
    } else {
        path.parent().unwrap().to_owned()
    };
    let st = host::Settings {
        store: base.join("smoke.db"),
        base_dir: base,
        listen: None,
        until_idle: true,
        only: Default::default(),
        env: Arc::new(|n| std::env::var(n).ok()),
    };
    let t = std::time::Instant::now();
    match host::run(&plan, &st, &mut O, &mut |_, _| {}) {
        Ok(o) => {
            for (n, t) in &o.scenarios {
                println!("{n}: {:?} {:?} {:?}", t.counts, t.calls, t.notes);
                for w in &t.winners {
                    println!("   {w:?}");
                }
            }
            println!(
                "{:?}\n{:?} {:?} {}",
                o.ages.len(),
                o.waiting,
                o.troubles,
                o.kept_back
            );
            for d in o.dead_letters.iter().take(5) {
                println!("{d:?}")
            }
        }
        Err(e) => println!("ERR {e:?}"),
    }
    println!("{:?}", t.elapsed());
}
