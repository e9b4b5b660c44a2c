//! What a program that acknowledges webhooks and passes them on loses when it is killed, and when
//! what it passes them on to is away for a while.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::load;
use super::sender::deliver;
use super::servers::{Program, Tracker};

/// Senders at a time.
const SENDERS: usize = 16;
/// How often each program is killed.
const KILLS: usize = 20;
/// Events while the receiver is away.
const AWAY: usize = 500;
/// How long the last event is waited for, once nothing is in its way.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a program that passes on to an address, with what an earlier one left.
pub type Start<'s> = &'s dyn Fn(&str) -> Program;

/// What became of the events of a trial.
pub struct Lost {
    pub acknowledged: usize,
    pub lost: usize,
    pub repeats: usize,
}

/// Sends events from the `first` on until it is over; gives those that were acknowledged.
fn feed(address: SocketAddr, next: &AtomicUsize, to: usize, over: &AtomicBool) -> Vec<usize> {
    let acknowledged = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= to {
                        return;
                    }
                    let id = format!("msg_{n:08}");
                    if deliver(&address.to_string(), &id, &load::body(0, n)) {
                        acknowledged.lock().expect("no panic").push(n);
                    }
                }
            });
        }
    });
    acknowledged.into_inner().expect("no panic")
}

/// Waits until all acknowledged events have arrived, or in vain; gives how many did not.
fn missing(tracker: &Tracker, acknowledged: &[usize]) -> usize {
    let until = Instant::now() + PATIENCE;
    loop {
        let times = tracker.times();
        let lost = acknowledged.iter().filter(|n| times[**n].is_none()).count();
        if lost == 0 || Instant::now() > until {
            return lost;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Kills a program again and again while it works.
pub fn killed(start: Start<'_>) -> Lost {
    const MOST: usize = 1_000_000;
    let tracker = Tracker::start();
    tracker.expect(MOST);
    let next = AtomicUsize::new(0);
    let mut random = fastrand::Rng::with_seed(1);
    let mut acknowledged = Vec::new();
    for _ in 0..KILLS {
        let program = start(&tracker.url());
        let over = AtomicBool::new(false);
        let lives = Duration::from_millis(random.u64(200..900));
        acknowledged.extend(std::thread::scope(|scope| {
            let (address, next, over) = (program.address, &next, &over);
            let fed = scope.spawn(move || feed(address, next, MOST, over));
            std::thread::sleep(lives);
            drop(program);
            over.store(true, Ordering::SeqCst);
            fed.join().expect("no panic")
        }));
    }
    let _last = start(&tracker.url());
    let lost = missing(&tracker, &acknowledged);
    Lost {
        acknowledged: acknowledged.len(),
        lost,
        repeats: tracker.count().1,
    }
}

/// Has a program work while its receiver is away, which then comes back.
pub fn away(start: Start<'_>) -> Lost {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let program = start(&format!("http://{address}/t"));
    let next = AtomicUsize::new(0);
    let acknowledged = feed(program.address, &next, AWAY, &AtomicBool::new(false));
    std::thread::sleep(Duration::from_secs(1));
    let tracker = Tracker::at(address);
    tracker.expect(AWAY);
    Lost {
        lost: missing(&tracker, &acknowledged),
        acknowledged: acknowledged.len(),
        repeats: tracker.count().1,
    }
}
