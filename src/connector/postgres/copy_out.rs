//! A connection of which one `COPY` after the other is read, row by row.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::str;
use std::task::Poll;

use futures_util::TryStreamExt as _;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::{Client, Error, NoTls};

use super::connect::{Address, SETTINGS};
use super::failure::{garbled, silence, statement};
use crate::engine::ports::Failure;

/// A connection for reading. Rows are handed over from within one wait for them all: a wait of its
/// own for each, as a connection for statements has it, costs more than taking the row in.
pub(super) struct CopyOut {
    pub(super) address: Address,
    runtime: Runtime,
    client: Client,
}

impl CopyOut {
    /// Dials.
    pub fn connect(address: &Address) -> Result<CopyOut, Failure> {
        let runtime = address.runtime()?;
        let tls = address.tls()?;
        let dialled = async {
            // What ends a connection is told by what waits for an answer of it.
            match tls {
                None => {
                    let (client, connection) = address.config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    Ok(client)
                }
                Some(tls) => {
                    let (client, connection) = address.config.connect(tls).await?;
                    tokio::spawn(connection);
                    Ok(client)
                }
            }
        };
        let client = address.dialled(&runtime, dialled)?;
        let dialled = CopyOut {
            address: address.clone(),
            runtime,
            client,
        };
        dialled.run(SETTINGS)?;
        Ok(dialled)
    }

    /// Carries out statements that give no rows.
    pub fn run(&self, sql: &str) -> Result<(), Failure> {
        let done = self.client.batch_execute(sql);
        self.runtime.block_on(self.answered(done))
    }

    /// What the server answers, in time. Only what is not there yet costs a look at the clock: rows
    /// are many.
    async fn answered<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let mut answer = pin!(answer);
        let at_once = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await;
        let answered = match at_once {
            Poll::Ready(answered) => answered,
            Poll::Pending => match timeout(self.address.patience.long, answer).await {
                Ok(answered) => answered,
                Err(_) => return Err(silence(&self.address, "read from")),
            },
        };
        answered.map_err(|e| statement(&self.address, "read from", &e))
    }

    /// Whether it is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Hands over the rows of a `COPY`, each with its end, as long as they are wanted; says whether
    /// they still are.
    pub fn rows(&self, sql: &str, mut row: impl FnMut(&str) -> bool) -> Result<bool, Failure> {
        self.runtime.block_on(async {
            let parts = self.answered(self.client.copy_out(sql)).await?;
            let mut parts = pin!(parts);
            // A message holds one row, as far as servers are known; nothing promises that.
            let mut begun = Vec::new();
            while let Some(part) = self.answered(parts.try_next()).await? {
                let mut rest = &part[..];
                if !begun.is_empty() {
                    begun.extend_from_slice(rest);
                    rest = &begun;
                }
                let whole = rest
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .map_or(0, |at| at + 1);
                let (lines, next) = rest.split_at(whole);
                let lines = str::from_utf8(lines).map_err(|_| garbled(&self.address))?;
                if !lines.split_inclusive('\n').all(&mut row) {
                    return Ok(false);
                }
                begun = next.to_vec();
            }
            let last = str::from_utf8(&begun).map_err(|_| garbled(&self.address))?;
            Ok(last.is_empty() || row(last))
        })
    }
}
