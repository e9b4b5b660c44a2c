//! Connections: where to, how they are secured, and the settings under which values are spelt.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres::Statement;
use postgres::config::{Host, SslMode};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::{Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::binary::Wire;
use super::client::Client;
use super::failure::{connection, no_runtime, silence, statement};
use super::stage::STAGE;
use crate::connector::failure::setup;
use crate::connector::tls;
use crate::engine::ports::Failure;
use crate::failpoint::hastened;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long sent bytes may stay unacknowledged before the peer counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Statements that are kept prepared; a policy has few shapes of writes.
const PREPARED_MAX: usize = 64;

/// One spelling of dates, numbers and bytes, whatever the server's own settings are; a row that
/// cannot be had because of somebody else's lock is tried again later. Statements are many and each
/// is short: compiling them (from version 11 on) takes longer than it saves.
pub(super) const SETTINGS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 1; SET bytea_output = 'hex'; \
    SET client_min_messages = 'error'; SET lock_timeout = '30s'; \
    SET standard_conforming_strings = on; SET idle_in_transaction_session_timeout = '10min'; \
    SELECT set_config('jit', 'off', false) FROM pg_catalog.pg_settings WHERE name = 'jit'";

/// Where a database is.
#[derive(Clone)]
pub(super) struct Address {
    system: String,
    pub(super) config: Config,
    /// Whether the connection may go without TLS: the host is this machine, or the author says so.
    pub(super) plain: bool,
    pub(super) patience: Patience,
}

/// How long a server may leave its caller without an answer. Its kernel acknowledges what is sent
/// to it whatever becomes of the server itself, so that only an answer shows that it is well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until a connection stands.
    pub dial: Duration,
    /// For one statement of a write: a batch into a slow table takes seconds, and waits for others'
    /// locks no longer than `lock_timeout`.
    pub statement: Duration,
    /// For the first and every next row of a read, and for a look at a feed: the server may have to
    /// sort all of a table, or to read much log, before it has something to say.
    pub long: Duration,
}

impl Patience {
    fn usual() -> Patience {
        Patience {
            dial: hastened(Duration::from_secs(30)),
            statement: hastened(Duration::from_secs(5 * 60)),
            long: hastened(Duration::from_secs(30 * 60)),
        }
    }
}

/// Never shows the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown())
    }
}

impl Address {
    /// Reads a connection URL, or `key=value` words as libpq takes them.
    pub(super) fn parse(system: String, url: &str) -> Result<Address, Failure> {
        let config = Config::from_str(url).map_err(|_| {
            setup(
                format!("the secret `url` of `{system}` is no PostgreSQL connection"),
                "write it as postgres://user:password@host:5432/database",
            )
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(setup(
                format!("the secret `url` of `{system}` names no host"),
                "write it as postgres://user:password@host:5432/database",
            ));
        }
        let here = config.get_hosts().iter().all(is_here)
            && config.get_hostaddrs().iter().all(|a| a.is_loopback());
        let plain = match config.get_ssl_mode() {
            SslMode::Disable => true,
            SslMode::Prefer => here,
            _ => false,
        };
        let mut config = config;
        config.application_name("syncline");
        config.tcp_user_timeout(SILENCE_MAX);
        config.keepalives_idle(SILENCE_MAX);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.ssl_mode(match plain {
            true => SslMode::Disable,
            false => SslMode::Require,
        });
        Ok(Address {
            system,
            config,
            plain,
            patience: Patience::usual(),
        })
    }

    /// The system's name.
    pub(super) fn system(&self) -> &str {
        &self.system
    }

    /// Host, port and database, without who or by what password.
    pub(super) fn shown(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => match self.config.get_hostaddrs().first() {
                Some(address) => address.to_string(),
                None => "localhost".to_owned(),
            },
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or(user);
        format!("{host}:{port}/{database}")
    }

    /// Dials.
    pub(super) fn connect(&self) -> Result<Session, Failure> {
        let mut client = Client::dial(self)?;
        let set = client.batch_execute(SETTINGS);
        set.map_err(|e| statement(self, "set up the connection to", &e))?;
        Ok(Session {
            address: self.clone(),
            client,
            prepared: Vec::new(),
            staged: Vec::new(),
            room: BytesMut::new(),
            filled: Vec::new(),
            mark: None,
            backend: None,
        })
    }

    /// How the connection is secured; none: it goes without TLS.
    pub(super) fn tls(&self) -> Result<Option<MakeRustlsConnect>, Failure> {
        if self.plain {
            return Ok(None);
        }
        let config = tls::config().map_err(|why| {
            setup(
                format!("`{}`: TLS cannot be set up: {why}", self.system),
                tls::REMEDY,
            )
        })?;
        Ok(Some(MakeRustlsConnect::new(config)))
    }

    /// What a connection waits with for its server.
    pub(super) fn runtime(&self) -> Result<Runtime, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| no_runtime(self, &e))
    }

    /// What comes of dialling, in time.
    pub(super) fn dialled<T>(
        &self,
        runtime: &Runtime,
        dialling: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let dialled = runtime.block_on(async { timeout(self.patience.dial, dialling).await });
        let dialled = dialled.map_err(|_| silence(self, "connect to"))?;
        dialled.map_err(|e| connection(self, &e))
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => tls::is_this_machine(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// An open connection with what was prepared on it.
pub(super) struct Session {
    pub(super) address: Address,
    pub(super) client: Client,
    prepared: Vec<(String, Statement)>,
    /// Temporary tables that exist on it, by the columns that they hold, with how values of these
    /// stand in a tuple.
    pub(super) staged: Vec<(String, Vec<Option<Wire>>)>,
    /// The statement that each transaction begins with, where its changes are told by the log: it
    /// says there who made them.
    pub(super) mark: Option<String>,
    /// Room for the records of a batch, kept from one to the next.
    pub(super) room: BytesMut,
    /// Tables written to, and whether each was empty then, can be filled by `COPY`, and took
    /// everything since as new.
    filled: Vec<(String, bool)>,
    /// Known of a connection that writes.
    pub(super) backend: Option<Backend>,
}

/// The server's process that serves a connection; its number alone may be another's later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    pid: i32,
    started: String,
}

/// How long the process of a lost connection may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

impl Session {
    /// Takes the place of a connection that was lost: nothing is written before its process has
    /// ended, else what it still holds of an older write could come after a newer one.
    pub(super) fn succeed(&mut self, lost: Option<&Backend>) -> Result<(), Failure> {
        let address = self.address.clone();
        let failed = |e| statement(&address, "set up the connection to", &e);
        let own = "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity \
             WHERE pid = pg_backend_pid()";
        let row = self.client.query_opt(own, &[]).map_err(failed)?;
        let own = row.map(|row| -> Result<Backend, postgres::Error> {
            let started: Option<String> = row.try_get(1)?;
            Ok(Backend {
                pid: row.try_get(0)?,
                started: started.unwrap_or_default(),
            })
        });
        self.backend = own.transpose().map_err(failed)?;
        let Some(lost) = lost else { return Ok(()) };
        let end = "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
             WHERE pid = $1 AND backend_start::text = $2";
        let until = Instant::now() + ENDS_WITHIN;
        loop {
            let there = self.client.query(end, &[&lost.pid, &lost.started]);
            if there.map_err(failed)?.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(silence(&address, "end the lost connection to"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether a table was empty before this connection wrote to it, as far as it knows, and can be
    /// filled by `COPY`.
    pub(super) fn fills(&mut self, table: &str) -> Result<bool, postgres::Error> {
        if let Some((_, fills)) = self.filled.iter().find(|(t, _)| t == table) {
            return Ok(*fills);
        }
        // Where rows are guarded one by one, the server lets nobody `COPY` into the table whom that
        // concerns, and shows it empty to who may see none of them.
        let guarded = "SELECT row_security_active($1::text)";
        let guarded: bool = self.client.query_one(guarded, &[&table])?.try_get(0)?;
        let sql = format!("SELECT FROM {table} LIMIT 1");
        let fills = !guarded && self.client.query_opt(&sql, &[])?.is_none();
        self.filled.push((table.to_owned(), fills));
        Ok(fills)
    }

    /// A table took a record for one that it has, or refused one.
    pub(super) fn not_empty(&mut self, table: &str) {
        let known = self.filled.iter_mut().find(|(t, _)| t == table);
        if let Some((_, fills)) = known {
            *fills = false;
        }
    }

    /// Whether it is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Forgets what was prepared: the parameters have the types that the columns had then.
    pub(super) fn unprepare(&mut self) {
        self.prepared.clear();
    }

    /// Drops the temporary tables, which are as their targets were then.
    pub(super) fn unstage(&mut self) -> Result<(), postgres::Error> {
        let made = (0..self.staged.len()).map(|number| format!("pg_temp.{STAGE}{number}"));
        let made: Vec<String> = made.collect();
        self.staged.clear();
        match made.is_empty() {
            true => Ok(()),
            false => {
                let drop = format!("DROP TABLE {}", made.join(", "));
                self.client.batch_execute(&drop)
            }
        }
    }

    /// A statement, prepared once.
    pub(super) fn prepare(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some((_, known)) = self.prepared.iter().find(|(text, _)| text == sql) {
            return Ok(known.clone());
        }
        let made = self.client.prepare(sql)?;
        if self.prepared.len() >= PREPARED_MAX {
            self.prepared.remove(0);
        }
        self.prepared.push((sql.to_owned(), made.clone()));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::FailureClass;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        let plain = |url: &str| Address::parse("pg".into(), url).expect(url).plain;
        assert!(plain("postgres://u:p@localhost/db"));
        assert!(plain("postgres://u:p@127.0.0.1:5433/db"));
        assert!(plain("host=/var/run/postgresql dbname=db"));
        assert!(!plain("postgres://u:p@db.example.com/db"));
        assert!(!plain("postgres://u:p@localhost/db?sslmode=require"));
        assert!(plain("postgres://u:p@db.example.com/db?sslmode=disable"));
    }

    #[test]
    fn no_password_is_ever_shown() {
        let address = Address::parse("pg".into(), "postgres://u:hunter2@h.example:5433/db");
        let address = address.expect("it is well formed");
        assert_eq!(format!("{address:?}"), "Address(h.example:5433/db)");
        for broken in ["postgres://u:hunter2@h:port/db", "user=hunter2 hunter2", ""] {
            let failure = Address::parse("pg".into(), broken).expect_err(broken);
            assert_eq!(failure.class, FailureClass::Setup);
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }
}
