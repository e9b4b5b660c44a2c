//! A connection for statements, each of whose answers is waited for within bounds: a server that
//! takes what it is sent and never answers would else hold its caller for ever.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    AsyncMessage, CopyInSink, Error, NoTls, Row, SimpleQueryMessage, Statement, ToStatement,
};

use super::connect::Address;
use crate::engine::ports::Failure;

/// What a connection has to tell next.
type Messages =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// An open connection.
pub(super) struct Client {
    client: tokio_postgres::Client,
    line: Line,
}

/// What carries statements there and answers back.
struct Line {
    /// None once it has ended or was given up.
    messages: Option<Messages>,
    /// Whether it was given up because nothing came.
    silent: bool,
    /// Whom notifications were meant for that nobody has asked about yet.
    heard: Vec<String>,
    patience: Duration,
    runtime: Runtime,
}

impl Line {
    /// Waits for what the server has to answer; where nothing comes for too long the connection is
    /// cut, so that whatever was under way on it ends there.
    fn wait<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.silent {
            return Err(Error::__private_api_timeout());
        }
        let mut answer = pin!(answer);
        let (messages, heard) = (&mut self.messages, &mut self.heard);
        let answered = poll_fn(|cx| {
            while let Some(next) = messages {
                match next(cx) {
                    Poll::Ready(Some(Ok(AsyncMessage::Notification(told)))) => {
                        heard.push(told.payload().to_owned());
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => {
                        *messages = None;
                        return Poll::Ready(Err(error));
                    }
                    Poll::Ready(None) => *messages = None,
                    Poll::Pending => break,
                }
            }
            answer.as_mut().poll(cx)
        });
        let bounded = async { timeout(self.patience, answered).await };
        match self.runtime.block_on(bounded) {
            Ok(answered) => answered,
            Err(_) => {
                (self.messages, self.silent) = (None, true);
                Err(Error::__private_api_timeout())
            }
        }
    }
}

impl Client {
    /// Dials.
    pub(super) fn dial(address: &Address) -> Result<Client, Failure> {
        let runtime = address.runtime()?;
        let tls = address.tls()?;
        let dialled = async {
            let (client, messages): (_, Messages) = match tls {
                None => {
                    let (client, mut line) = address.config.connect(NoTls).await?;
                    (client, Box::new(move |cx| line.poll_message(cx)))
                }
                Some(tls) => {
                    let (client, mut line) = address.config.connect(tls).await?;
                    (client, Box::new(move |cx| line.poll_message(cx)))
                }
            };
            Ok((client, messages))
        };
        let (client, messages) = address.dialled(&runtime, dialled)?;
        Ok(Client {
            client,
            line: Line {
                messages: Some(messages),
                silent: false,
                heard: Vec::new(),
                patience: address.patience.statement,
                runtime,
            },
        })
    }

    /// Waits so long for an answer from now on.
    pub(super) fn be_patient(&mut self, patience: Duration) {
        self.line.patience = patience;
    }

    /// Whether it is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        self.line.messages.is_none() || self.client.is_closed()
    }

    /// The notifications that came along with answers since they were last asked for.
    pub(super) fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.line.heard)
    }

    /// Has the server take a statement apart.
    pub(super) fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        self.line.wait(self.client.prepare(sql))
    }

    /// Carries out statements that give no rows.
    pub(super) fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        self.line.wait(self.client.batch_execute(sql))
    }

    /// Carries out statements; the first column of the last row that they give, as text.
    pub(super) fn told(&mut self, sql: &str) -> Result<Option<String>, Error> {
        let all = self.line.wait(self.client.simple_query(sql))?;
        let last = all.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let first = last.map(|row| row.try_get(0)).transpose()?;
        Ok(first.flatten().map(str::to_owned))
    }

    /// Carries out a statement; how many rows it concerned.
    pub(super) fn execute<S: ?Sized + ToStatement>(
        &mut self,
        sql: &S,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Error> {
        self.line.wait(self.client.execute(sql, params))
    }

    /// The rows of a statement.
    pub(super) fn query<S: ?Sized + ToStatement>(
        &mut self,
        sql: &S,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.line.wait(self.client.query(sql, params))
    }

    /// The one row of a statement.
    pub(super) fn query_one<S: ?Sized + ToStatement>(
        &mut self,
        sql: &S,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Error> {
        self.line.wait(self.client.query_one(sql, params))
    }

    /// The one row of a statement, where it has one.
    pub(super) fn query_opt<S: ?Sized + ToStatement>(
        &mut self,
        sql: &S,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        self.line.wait(self.client.query_opt(sql, params))
    }

    /// Carries out several statements, all or none.
    pub(super) fn transaction<T>(
        &mut self,
        all: impl FnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.batch_execute("BEGIN")?;
        let done = all(self);
        match done {
            Ok(done) => self.batch_execute("COMMIT").map(|()| done),
            Err(error) => {
                // The first error is the one to tell of.
                let _ = self.batch_execute("ROLLBACK");
                Err(error)
            }
        }
    }

    /// Begins a `COPY` into a table. Where the server refuses to, the connection is cut: it answers
    /// such a beginning twice, and what comes after would be taken for the answers of others.
    pub(super) fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_>, Error> {
        let prepared = self.prepare(sql)?;
        let begun = self.line.wait(self.client.copy_in(&prepared));
        let sink = begun.inspect_err(|_| self.line.messages = None)?;
        Ok(CopyIn {
            line: &mut self.line,
            sink: Box::pin(sink),
        })
    }
}

/// A `COPY` under way; one that is not finished is undone.
pub(super) struct CopyIn<'a> {
    line: &'a mut Line,
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl CopyIn<'_> {
    /// Sends what is next. What the server has against it is told at the end.
    pub(super) fn send(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.line.wait(self.sink.as_mut().send(chunk))
    }

    /// Ends it; how many rows were taken.
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.line.wait(self.sink.as_mut().finish())
    }
}
