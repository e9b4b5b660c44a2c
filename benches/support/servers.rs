//! What the runner is measured beside: the same HTTP server doing less, and the receiver at the
//! other end.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::load::{PATH, number, whole, write_all};
use super::spent::spent;

/// Events in one flush, as the runner's own intake has it.
const GROUP: usize = 1_000;
/// Calls that a relay has under way at a time, as many as the runner has.
const AT_A_TIME: usize = 64;

/// What a server does with an event before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Answers,
    /// Appends it to a file and flushes, many events to a flush.
    Appends,
    /// That, and then forwards it with the client that most would take.
    Relays,
    /// The same with the client that the runner has.
    RelaysAlike,
}

impl Role {
    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Role::Answers => "answers",
            Role::Appends => "appends",
            Role::Relays => "relays",
            Role::RelaysAlike => "relays-alike",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Option<Role> {
        let all = [
            Role::Answers,
            Role::Appends,
            Role::Relays,
            Role::RelaysAlike,
        ];
        all.into_iter().find(|role| role.word() == word)
    }
}

/// A program under way; killed when dropped.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
}

impl Program {
    /// Starts a program that says on standard error where it listens, after `http://`.
    pub fn start(command: &mut Command) -> Program {
        use std::io::BufRead;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let errors = child.stderr.take().expect("a pipe");
        let mut lines = std::io::BufReader::new(errors).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens");
            let line = line.expect("a line");
            if let Some((_, address)) = line.split_once("http://") {
                break address.trim().parse().expect("an address");
            }
        };
        // What it says later must not fill the pipe.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if std::env::var_os("WEBHOOKS_LOUD").is_some() {
                    eprintln!("{line}");
                }
            }
        });
        Program { child, address }
    }

    /// A program that was started already.
    pub fn of(child: Child, address: SocketAddr) -> Program {
        Program { child, address }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that it took so far; Linux only, in steps of a hundredth of a second.
    pub fn cpu(&self) -> Duration {
        let [own, _] = spent(&self.id().to_string());
        own
    }

    /// Its memory now and at most, in MiB; Linux only.
    pub fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok());
            kib.unwrap_or(0) / 1024
        };
        (of("VmRSS"), of("VmHWM"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts this same program in a role; `log` is the file it appends to, `to` where it relays to.
pub fn start(role: Role, log: &Path, to: &str) -> Program {
    let me = std::env::current_exe().expect("a program");
    let mut command = Command::new(me);
    command.arg("serve").arg(role.word()).arg(log).arg(to);
    Program::start(&mut command)
}

type Appended = (Bytes, oneshot::Sender<()>);

#[derive(Clone)]
struct Shared {
    role: Role,
    writer: Sender<Appended>,
    client: Forwards,
    room: Arc<Semaphore>,
    to: Arc<str>,
}

#[derive(Clone)]
enum Forwards {
    Usual(reqwest::Client),
    Alike(Client<HttpConnector, Full<Bytes>>),
}

impl Forwards {
    fn of(role: Role) -> Forwards {
        if role == Role::RelaysAlike {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            let mut client = Client::builder(TokioExecutor::new());
            client.pool_timer(TokioTimer::new());
            return Forwards::Alike(client.build(connector));
        }
        let client = reqwest::Client::builder().no_proxy().build();
        Forwards::Usual(client.expect("a client"))
    }

    async fn post(&self, to: &str, body: Bytes) -> StatusCode {
        match self {
            Forwards::Usual(client) => {
                let sent = client.post(to).header(CONTENT_TYPE, "application/json");
                sent.body(body)
                    .send()
                    .await
                    .map(|answer| answer.status())
                    .ok()
            }
            Forwards::Alike(client) => {
                let sent = Request::post(to).header(CONTENT_TYPE, "application/json");
                let sent = client.request(sent.body(Full::new(body)).expect("a request"));
                sent.await.map(|answer| answer.status()).ok()
            }
        }
        .expect("the receiver is there")
    }
}

/// Serves in a role until the process is killed.
pub fn serve(role: Role, log: PathBuf, to: &str) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (writer, appended) = mpsc::channel();
    std::thread::spawn(move || append(log, &appended));
    let shared = Shared {
        role,
        writer,
        client: Forwards::of(role),
        room: Arc::new(Semaphore::new(AT_A_TIME)),
        to: to.into(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        eprintln!("listens on http://{}", listener.local_addr().expect("one"));
        let app = Router::new().route(PATH, post(receive)).with_state(shared);
        axum::serve(listener, app).await.expect("serves");
    });
}

async fn receive(State(shared): State<Shared>, body: Bytes) -> (StatusCode, &'static str) {
    if shared.role != Role::Answers {
        let (done, flushed) = oneshot::channel();
        shared
            .writer
            .send((body.clone(), done))
            .expect("the writer runs");
        flushed.await.expect("the writer runs");
    }
    if matches!(shared.role, Role::Relays | Role::RelaysAlike) {
        tokio::spawn(async move {
            let _one = shared.room.acquire().await.expect("never closed");
            assert!(shared.client.post(&shared.to, body).await.is_success());
        });
    }
    (StatusCode::ACCEPTED, "stored\n")
}

/// Appends what has gathered and flushes once.
fn append(log: PathBuf, appended: &Receiver<Appended>) {
    let mut file = File::create(log).expect("a file");
    let mut group = Vec::new();
    let mut bytes = Vec::new();
    while let Ok(first) = appended.recv() {
        group.push(first);
        while group.len() < GROUP
            && let Ok(next) = appended.try_recv()
        {
            group.push(next);
        }
        bytes.clear();
        for (body, _) in &group {
            bytes.extend_from_slice(body);
            bytes.push(b'\n');
        }
        file.write_all(&bytes).expect("room on the disk");
        file.sync_data().expect("a disk");
        for (_, done) in group.drain(..) {
            let _ = done.send(());
        }
    }
}

/// A receiver that notes when each event arrived.
pub struct Tracker {
    pub address: SocketAddr,
    arrived: Arc<Arrived>,
}

struct Arrived {
    times: Mutex<Vec<Option<Instant>>>,
    count: AtomicUsize,
    repeats: AtomicUsize,
}

impl Tracker {
    /// Starts on a thread of its own; it stays until the process ends.
    pub fn start() -> Tracker {
        Tracker::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same at an address.
    pub fn at(address: SocketAddr) -> Tracker {
        let arrived = Arc::new(Arrived {
            times: Mutex::new(Vec::new()),
            count: AtomicUsize::new(0),
            repeats: AtomicUsize::new(0),
        });
        let (tell, told) = mpsc::channel();
        let kept = Arc::clone(&arrived);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind(address).await.expect("a port");
                let _ = tell.send(listener.local_addr().expect("an address"));
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(take(stream, Arc::clone(&kept)));
                }
            });
        });
        Tracker {
            address: told.recv().expect("it listens"),
            arrived,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/t", self.address)
    }

    /// Forgets everything; so many events are going to come.
    pub fn expect(&self, count: usize) {
        *self.arrived.times.lock().expect("no panic") = vec![None; count];
        self.arrived.count.store(0, Ordering::SeqCst);
        self.arrived.repeats.store(0, Ordering::SeqCst);
    }

    /// How many different events have arrived, and how many repeats.
    pub fn count(&self) -> (usize, usize) {
        let of = |n: &AtomicUsize| n.load(Ordering::SeqCst);
        (of(&self.arrived.count), of(&self.arrived.repeats))
    }

    /// When each arrived.
    pub fn times(&self) -> Vec<Option<Instant>> {
        self.arrived.times.lock().expect("no panic").clone()
    }
}

async fn take(stream: TcpStream, arrived: Arc<Arrived>) {
    let mut buffer = vec![0u8; 16 * 1024];
    let mut filled = 0;
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut buffer[filled..]) {
            Ok(0) => return,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        while let Some(end) = whole(&buffer[..filled]) {
            note(&buffer[..end], &arrived);
            buffer.copy_within(end..filled, 0);
            filled -= end;
            write_all(
                &stream,
                b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
        }
    }
}

fn note(message: &[u8], arrived: &Arrived) {
    let Some(n) = number(message) else { return };
    let mut times = arrived.times.lock().expect("no panic");
    match times.get_mut(n) {
        Some(slot @ None) => {
            *slot = Some(Instant::now());
            arrived.count.fetch_add(1, Ordering::SeqCst);
        }
        _ => {
            arrived.repeats.fetch_add(1, Ordering::SeqCst);
        }
    }
}
