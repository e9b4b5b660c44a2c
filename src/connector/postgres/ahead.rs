//! Reading one page ahead of the run that asks for pages.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use super::read::Reading;
use crate::connector::codec::Binding;
use crate::connector::failure::retry;
use crate::engine::ports::{Failure, MapIx, Page, ReadRequest};

/// How long a page waits to be asked for. A read keeps the server from clearing up what others
/// have deleted meanwhile: one that a window or a person holds begins anew where it was.
const WAITS: Duration = Duration::from_secs(600);

/// A read whose next page is fetched while the last one is looked at, by a thread of its own. The
/// thread ends with the read, and where nobody wants its pages any more.
pub(super) struct Ahead {
    system: String,
    map: MapIx,
    since: Option<String>,
    /// What the last page said to go on with.
    next: Option<String>,
    pages: Receiver<Result<Page, Failure>>,
}

impl Ahead {
    /// Has the pages of a read fetched, one ahead.
    pub(super) fn of(
        reading: Reading,
        binding: Arc<Binding>,
        request: ReadRequest,
    ) -> Result<Ahead, Failure> {
        let system = reading.system().to_owned();
        let (map, since) = (request.map, request.since.clone());
        // A page is handed over when it is asked for.
        let (hand, pages) = bounded(0);
        let fetch = move || {
            let mut first = true;
            let failed = reading.pages(&binding, &request, |page| {
                first = false;
                hand.send_timeout(Ok(page), WAITS).is_ok()
            });
            if let Err((failure, gone)) = failed {
                // Between pages much time may have passed: whoever asks then connects anew.
                if first || !gone {
                    let _ = hand.send_timeout(Err(failure), WAITS);
                }
            }
        };
        let thread = thread::Builder::new().name(format!("read {system}"));
        thread.spawn(fetch).map_err(|e| no_thread(&system, e))?;
        Ok(Ahead {
            system,
            map,
            since,
            next: None,
            pages,
        })
    }

    /// Whether it is the one that a request goes on with.
    pub(super) fn serves(&self, request: &ReadRequest) -> bool {
        self.map == request.map && self.since == request.since && self.next == request.page
    }

    /// Whether there are further pages.
    pub(super) fn goes_on(&self) -> bool {
        self.next.is_some()
    }

    /// The first page.
    pub(super) fn first(&mut self) -> Result<Page, Failure> {
        let page = self.page();
        page.unwrap_or_else(|| Err(no_thread(&self.system, "the reading ended early")))
    }

    /// The next page; none: its connection is gone.
    pub(super) fn page(&mut self) -> Option<Result<Page, Failure>> {
        let page = self.pages.recv().ok()?;
        self.next = page.as_ref().ok().and_then(|page| page.next.clone());
        Some(page)
    }
}

fn no_thread(system: &str, why: impl fmt::Display) -> Failure {
    retry(
        format!("`{system}` cannot be read now: {why}"),
        "the machine may be short of threads or memory; it is tried again by itself",
    )
}
