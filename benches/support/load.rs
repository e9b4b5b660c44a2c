//! A load of signed webhooks over keep-alive connections, and what became of it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use syncline::connector::signature::sign;
use tokio::net::TcpStream;

/// The key that everything here is signed with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The path that events are sent to.
pub const PATH: &str = "/hooks/forms";

/// Requests as bytes, made before the clock starts.
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// The body of the n-th event: a record of its own for each, changed by each round.
pub fn body(round: usize, n: usize) -> String {
    format!(
        r#"{{"type":"submitted","data":{{"email":"p{n:08}@example.com","name":"Person Number {n}","city":"City {}","score":{},"at":"2026-01-01T00:00:0{}Z"}}}}"#,
        n % 97,
        n % 100 + round,
        round % 10
    )
}

/// Which event a body tells of.
pub fn number(body: &[u8]) -> Option<usize> {
    let at = body.windows(10).position(|w| w == b"\"email\":\"p")?;
    let digits = body.get(at + 10..at + 18)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Requests {
    /// Events from the n-th on, signed as of now; `round` keeps the ids of rounds apart.
    pub fn signed(round: usize, from: usize, count: usize) -> Requests {
        let at = chrono::Utc::now().timestamp();
        let mut requests = Requests {
            bytes: Vec::with_capacity(count * 512),
            ends: Vec::with_capacity(count),
        };
        for n in from..from + count {
            let body = body(round, n);
            let id = format!("msg_{round}_{n:08}");
            let signature = sign(SECRET, &id, at, body.as_bytes()).expect("a good key");
            let head = format!(
                "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\n\r\n",
                body.len()
            );
            requests.bytes.extend_from_slice(head.as_bytes());
            requests.bytes.extend_from_slice(body.as_bytes());
            requests.ends.push(requests.bytes.len());
        }
        requests
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, n: usize) -> &[u8] {
        let from = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.bytes[from..self.ends[n]]
    }
}

/// What came of a load.
pub struct Load {
    pub began: Instant,
    pub took: Duration,
    /// From sending to the answer, sorted.
    pub latencies: Vec<Duration>,
    /// When each request was sent.
    pub sent: Vec<Instant>,
    /// Requests that were not acknowledged.
    pub refused: usize,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }
}

/// The part of sorted durations below which a share lies, in milliseconds.
pub fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    let at = at.min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
}

/// Sends everything over so many connections, each waiting for its answer. `every`: not all at
/// once but one each so long.
pub fn send(
    address: SocketAddr,
    requests: Requests,
    connections: usize,
    every: Option<Duration>,
) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = tokio::task::LocalSet::new();
    let requests = Rc::new(requests);
    let next = Rc::new(Cell::new(0usize));
    local.block_on(&runtime, async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.expect("it listens");
            stream.set_nodelay(true).expect("a socket");
            streams.push(stream);
        }
        let began = Instant::now();
        let mut tasks = Vec::new();
        for stream in streams {
            let (requests, next) = (Rc::clone(&requests), Rc::clone(&next));
            tasks.push(tokio::task::spawn_local(async move {
                drive(&stream, &requests, &next, began, every).await
            }));
        }
        let mut latencies = Vec::with_capacity(requests.len());
        let mut sent = vec![began; requests.len()];
        let mut refused = 0;
        for task in tasks {
            for (n, at, latency, taken) in task.await.expect("no panic") {
                sent[n] = at;
                latencies.push(latency);
                refused += usize::from(!taken);
            }
        }
        let took = began.elapsed();
        latencies.sort();
        Load {
            began,
            took,
            latencies,
            sent,
            refused,
        }
    })
}

type Sent = (usize, Instant, Duration, bool);

async fn drive(
    stream: &TcpStream,
    requests: &Requests,
    next: &Cell<usize>,
    began: Instant,
    every: Option<Duration>,
) -> Vec<Sent> {
    let mut out = Vec::new();
    let mut buffer = vec![0u8; 4096];
    loop {
        let n = next.get();
        if n >= requests.len() {
            return out;
        }
        next.set(n + 1);
        let mut at = Instant::now();
        if let Some(every) = every {
            let due = began + every * n as u32;
            tokio::time::sleep_until(due.into()).await;
            at = Instant::now();
            // What could not be sent in time waited: that counts.
            if at.duration_since(due) > Duration::from_millis(5) {
                at = due;
            }
        }
        write_all(stream, requests.get(n)).await;
        let status = answer(stream, &mut buffer).await;
        out.push((n, at, at.elapsed(), (200..300).contains(&status)));
    }
}

/// Writes all of it.
pub async fn write_all(stream: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                stream.writable().await.expect("a socket");
            }
            Err(e) => panic!("the connection was lost: {e}"),
        }
    }
}

/// Reads one answer to its end; gives its status.
async fn answer(stream: &TcpStream, buffer: &mut [u8]) -> u16 {
    let mut filled = 0;
    loop {
        stream.readable().await.expect("a socket");
        match stream.try_read(&mut buffer[filled..]) {
            Ok(0) => panic!("the connection was closed"),
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(e) => panic!("the connection was lost: {e}"),
        }
        if let Some(end) = whole(&buffer[..filled]) {
            assert!(end == filled, "more than one answer");
            let status = buffer.get(9..12).and_then(|s| std::str::from_utf8(s).ok());
            return status.and_then(|s| s.parse().ok()).unwrap_or(0);
        }
    }
}

/// Where a message ends, once it is all there.
pub fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}
