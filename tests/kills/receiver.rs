//! A receiver of webhooks that counts: what each message did, once for each id, as a receiver of
//! Standard Webhooks is to do it. Now and then it is out of order.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::messages::message;

/// A record that it never takes.
pub const REFUSED: &str = "refused@example.com";

/// What it has seen.
#[derive(Default)]
struct Seen {
    /// By message id, how often it came.
    ids: BTreeMap<String, u64>,
    /// By record: the names that took effect, in order.
    effects: BTreeMap<String, Vec<String>>,
    failed: u64,
    lost: u64,
}

/// The receiver; it serves as long as the test's process is there.
pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Receiver {
    pub fn start(seed: u64) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/t", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(seed);
            for stream in listener.incoming().flatten() {
                let (kept, random) = (Arc::clone(&kept), random.fork());
                std::thread::spawn(move || serve(stream, &kept, random));
            }
        });
        Receiver { url, seen }
    }

    /// The last name of each record.
    pub fn last(&self) -> BTreeMap<String, String> {
        let last = |(email, names): (String, Vec<String>)| Some((email, names.last()?.clone()));
        self.effects().into_iter().filter_map(last).collect()
    }

    /// The names of each record that took effect, in order.
    pub fn effects(&self) -> BTreeMap<String, Vec<String>> {
        self.seen.lock().unwrap().effects.clone()
    }

    /// What it counted, in words.
    pub fn told(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let effects: usize = seen.effects.values().map(Vec::len).sum();
        let repeats: u64 = seen.ids.values().map(|n| n - 1).sum();
        format!(
            "{effects} effects over HTTP, {repeats} repeats known by their id, {} replies lost \
             after the effect, {} answers 503",
            seen.lost, seen.failed
        )
    }
}

/// Takes messages of one connection until the sender goes away, also in the middle of one.
fn serve(stream: TcpStream, seen: &Mutex<Seen>, mut random: fastrand::Rng) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    while let Some((id, body)) = message(&mut reader) {
        let text = |f: &str| body["data"][f].as_str().unwrap_or_default().to_owned();
        let (email, name) = (text("email"), text("name"));
        let status = {
            let mut seen = seen.lock().unwrap();
            if email == REFUSED {
                "422 Unprocessable Content"
            } else if random.u8(0..12) == 0 {
                seen.failed += 1;
                "503 Service Unavailable"
            } else {
                let times = seen.ids.entry(id).or_default();
                *times += 1;
                if *times == 1 {
                    seen.effects.entry(email).or_default().push(name);
                }
                if random.u8(0..24) == 0 {
                    seen.lost += 1;
                    return;
                }
                "204 No Content"
            }
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
