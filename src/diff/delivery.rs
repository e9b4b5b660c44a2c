//! How a scenario's work is done: what it reads, how its calls go out, what happens where they fail.

use super::kind::{Grade, Kind};
use super::list::List;
use super::scenarios::{Both, Clause, said};
use crate::plan::{Breaker, Retry};
use crate::terms::OrderBy;
use crate::time::Millis;

pub(super) fn compare(list: &mut List, s: &Both) {
    order(list, s);
    deletes(list, s);
    scan(list, s);
    priority(list, s);
    retry(list, s);
    breaker(list, s);
    batch(list, s);
}

fn order(list: &mut List, s: &Both) {
    let at: Clause = |s| s.order.as_ref().map(|o| o.clause);
    let words = || {
        (
            format!("order {}", by(s.old.order)),
            format!("order {}", by(s.new.order)),
        )
    };
    match (s.old.order, s.new.order) {
        (OrderBy::Key, OrderBy::None) => {
            let means = "an older write of a record may land after a newer one";
            said(
                list,
                s,
                (Kind::OrderLoosened, Grade::Breaking),
                words(),
                at,
                means,
            );
        }
        (OrderBy::None, OrderBy::Key) => {
            let means = "writes of one record keep their order";
            said(list, s, (Kind::OrderKept, Grade::Safe), words(), at, means);
        }
        _ => {}
    }
}

fn by(order: OrderBy) -> String {
    match order {
        OrderBy::Key => "by key".to_owned(),
        OrderBy::None => "none".to_owned(),
    }
}

fn deletes(list: &mut List, s: &Both) {
    let word = |on: bool| {
        if on {
            "deletes propagate"
        } else {
            "deletes ignore"
        }
        .to_owned()
    };
    let words = (word(s.old.propagate_deletes), word(s.new.propagate_deletes));
    let at: Clause = |s| s.deletes.as_ref().map(|d| d.clause);
    match (s.old.propagate_deletes, s.new.propagate_deletes) {
        (false, true) => {
            let means = "a record that is deleted at its source is deleted at every receiver";
            said(
                list,
                s,
                (Kind::DeletesPropagated, Grade::Breaking),
                words,
                at,
                means,
            );
        }
        (true, false) => {
            let means = "a record that is deleted at its source stays at its receivers";
            said(
                list,
                s,
                (Kind::DeletesIgnored, Grade::Risky),
                words,
                at,
                means,
            );
        }
        _ => {}
    }
}

fn scan(list: &mut List, s: &Both) {
    let word = |full: bool| if full { "scan full" } else { "scan changes" }.to_owned();
    let words = (word(s.old.scan_full), word(s.new.scan_full));
    let at: Clause = |s| s.scan_full.as_ref().map(|d| d.clause);
    match (s.old.scan_full, s.new.scan_full) {
        (true, false) => {
            let means = "what is gone at the source is no longer seen";
            said(list, s, (Kind::ScanReduced, Grade::Risky), words, at, means);
        }
        (false, true) => {
            let means = "each run reads everything";
            said(list, s, (Kind::ScanExtended, Grade::Safe), words, at, means);
        }
        _ => {}
    }
}

fn priority(list: &mut List, s: &Both) {
    let words = (
        format!("priority {}", s.old.priority),
        format!("priority {}", s.new.priority),
    );
    let at: Clause = |s| s.priority_clause;
    match s.old.priority.cmp(&s.new.priority) {
        // The list goes from first to last.
        std::cmp::Ordering::Less => {
            let means = "its calls go later where a system is short of quota";
            said(
                list,
                s,
                (Kind::PriorityLowered, Grade::Risky),
                words,
                at,
                means,
            );
        }
        std::cmp::Ordering::Greater => {
            let means = "its calls go earlier where a system is short of quota";
            said(
                list,
                s,
                (Kind::PriorityRaised, Grade::Safe),
                words,
                at,
                means,
            );
        }
        std::cmp::Ordering::Equal => {}
    }
}

fn retry(list: &mut List, s: &Both) {
    let (a, b) = (s.old.retry, s.new.retry);
    if a != b {
        let text = |r: Retry| {
            format!(
                "retry exponential from {} to {}, {} attempts",
                r.from, r.to, r.attempts
            )
        };
        let words = (text(a), text(b));
        let at: Clause = |s| s.retry.as_ref().map(|r| r.clause);
        let lasts = |r: Retry| Millis(endures(r));
        let means = format!(
            "a write is given up after {} at most, not {}",
            lasts(b),
            lasts(a)
        );
        match b.attempts < a.attempts || endures(b) < endures(a) {
            true => said(
                list,
                s,
                (Kind::RetryReduced, Grade::Risky),
                words,
                at,
                means,
            ),
            false => said(
                list,
                s,
                (Kind::RetryExtended, Grade::Safe),
                words,
                at,
                means,
            ),
        }
    }
}

fn breaker(list: &mut List, s: &Both) {
    let (a, b) = (s.old.breaker, s.new.breaker);
    if a != b {
        let text = |b: Breaker| format!("breaker {} failures, {} pause", b.failures, b.pause);
        let means = format!(
            "after {} failures in a row a system is left alone for {}",
            b.failures, b.pause
        );
        said(
            list,
            s,
            (Kind::BreakerChanged, Grade::Safe),
            (text(a), text(b)),
            |s| s.breaker.as_ref().map(|r| r.clause),
            means,
        );
    }
}

/// The longest that retries go on: the sum of all delays, in milliseconds.
fn endures(retry: Retry) -> u64 {
    let (mut delay, mut sum) = (retry.from.0, 0_u64);
    let waits = retry.attempts.saturating_sub(1);
    for n in 0..waits {
        if delay >= retry.to.0 {
            let rest = u64::from(waits - n).saturating_mul(retry.to.0);
            return sum.saturating_add(rest);
        }
        sum = sum.saturating_add(delay);
        delay = delay.saturating_mul(2).max(1);
    }
    sum
}

fn batch(list: &mut List, s: &Both) {
    if s.old.batch != s.new.batch {
        let text =
            |b: Option<u32>| b.map_or("the connector's batch".to_owned(), |b| format!("batch {b}"));
        let words = (text(s.old.batch), text(s.new.batch));
        let means = "a write call takes another number of records";
        said(
            list,
            s,
            (Kind::BatchChanged, Grade::Safe),
            words,
            |s| s.batch.as_ref().map(|v| v.clause),
            means,
        );
    }
}
