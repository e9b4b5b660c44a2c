//! Kills the real binary, at seeded random instants and at every named place, while webhooks come
//! in, a PostgreSQL database is followed, batches are read and written, and all of it goes out to
//! SQLite, PostgreSQL, a file and over HTTP; then asks what was lost and what came twice.
//!
//! A short campaign runs with the suite. A long one: `SYNCLINE_KILLS=500 SYNCLINE_HITS=8 cargo test
//! --test kills -- --nocapture`; `SYNCLINE_SEED` picks the instants, `SYNCLINE_FEED=replication`
//! how the database is followed, `SYNCLINE_ORDERS` the size of the batch, `SYNCLINE_LIVES` how
//! long a runner lives at the most, in milliseconds. `docs/reliability.md` has the figures.

#[path = "support/messages.rs"]
mod messages;
#[path = "kills/receiver.rs"]
mod receiver;
#[path = "kills/sender.rs"]
mod sender;
#[path = "support/postgres.rs"]
mod server;
#[path = "kills/town.rs"]
mod town;

use std::time::Duration;

use town::{Runner, Town, number};

/// How long a runner may take to come to a place: the first thing that it does may be to write a
/// large batch once more.
const PATIENCE: Duration = Duration::from_secs(180);

fn a_town(salt: u64) -> Town {
    let feed = std::env::var("SYNCLINE_FEED");
    let feed = feed.as_deref().unwrap_or("trigger");
    let orders = number("SYNCLINE_ORDERS", 2_000) as usize;
    Town::new(orders, feed, number("SYNCLINE_SEED", 1) + salt)
}

#[test]
fn nothing_acknowledged_is_lost_and_no_effect_comes_twice_whenever_it_is_killed() {
    let kills = number("SYNCLINE_KILLS", 12);
    let town = a_town(0);
    let mut random = fastrand::Rng::with_seed(town.seed);
    let mut during_a_run = 0;
    for _ in 0..kills {
        let runner = town.start(None).expect("it is not to die");
        let lives = Duration::from_millis(random.u64(0..number("SYNCLINE_LIVES", 900)));
        town.load(runner, |runner| {
            std::thread::sleep(lives);
            drop(runner);
        });
        during_a_run += u32::from(town.left_a_run());
    }
    let all = town.settle();
    let seed = town.seed;
    println!("seed {seed}: {kills} kills, {during_a_run} of them during a run; {all}");
}

#[cfg(all(unix, debug_assertions))]
mod named {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;
    use std::time::Instant;

    use syncline::failpoint::Point;

    use super::*;

    #[test]
    fn nothing_acknowledged_is_lost_and_no_effect_comes_twice_wherever_it_is_killed() {
        let town = a_town(1_000);
        let hits = number("SYNCLINE_HITS", 1);
        let mut kills = 0;
        for hit in 0..hits {
            for point in Point::ALL {
                // One place alone: `SYNCLINE_POINT=letter.buried`.
                if std::env::var("SYNCLINE_POINT").is_ok_and(|only| only != point.name()) {
                    continue;
                }
                // What only happens to a new store was tried with the first runner.
                if hit > 0 && matches!(point, Point::StoreMigrating) {
                    continue;
                }
                let once = matches!(
                    point,
                    Point::StoreSetUp
                        | Point::StoreMigrating
                        | Point::StoreMigrated
                        | Point::RunResuming
                        | Point::StopLeaving
                );
                // The first time, the second, the fifth, …
                let times = if once { 1 } else { hit * hit + 1 };
                if *point == Point::RunResuming {
                    dies(&town, Point::ChunkHandedOut, 1);
                    kills += 1;
                }
                dies(&town, *point, times);
                kills += 1;
                if hits > 1 {
                    println!("killed at {} for the {times}. time", point.name());
                }
            }
        }
        let all = town.settle();
        let places = Point::ALL.len();
        let seed = town.seed;
        println!("seed {seed}: {kills} kills at {places} named places; {all}");
    }

    /// Runs a runner until it dies at a place.
    fn dies(town: &Town, point: Point, times: u64) {
        let name = point.name();
        let runner = match town.start(Some((name, times))) {
            Ok(runner) => runner,
            Err(ended) => return assert_eq!(ended.signal(), Some(6), "{name}: {ended}"),
        };
        town.load(runner, |mut runner: Runner| {
            let since = Instant::now();
            if point == Point::StopLeaving {
                std::thread::sleep(Duration::from_millis(200));
                let pid = runner.child.id().to_string();
                assert!(Command::new("kill").arg(pid).status().unwrap().success());
            }
            let ended = loop {
                if let Some(ended) = runner.child.try_wait().unwrap() {
                    break ended;
                }
                assert!(
                    since.elapsed() < PATIENCE,
                    "the runner does not come to `{name}` {times} times"
                );
                std::thread::sleep(Duration::from_millis(5));
            };
            let said = runner.said.lock().unwrap();
            assert_eq!(ended.signal(), Some(6), "{name}: {ended}: {said:?}");
        });
    }
}
