//! Which refusals of credentials there were, and which of them were told.
//!
//! A refusal is entered before it is told and stays until its system has answered again: what a
//! runner that was killed did not get told is told by the next one as the same event, and a runner
//! that starts where the credentials are still refused has nothing new to tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::cause::cause;
use crate::host::watch::Live;
use crate::time::Instant;

/// A system refused its credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    /// The system.
    pub system: String,
    /// Since when it was paused for that.
    pub since: Instant,
    /// The cause, without its words.
    pub error: String,
    /// Whether the receiver of alerts has taken it.
    pub told: bool,
    /// Whether the system has answered since.
    pub over: bool,
}

/// The pauses that this runner has seen, each entered or known to be the last one entered.
pub(super) type Seen = BTreeMap<String, Instant>;

/// Enters what is new, and drops what is told and over; says whether anything changed.
pub(super) fn renew(entered: &mut Vec<Refusal>, seen: &mut Seen, live: &Live) -> bool {
    let before = entered.clone();
    for (system, trouble) in &live.failing {
        let Some(since) = trouble.paused.filter(|_| trouble.auth) else {
            continue;
        };
        let same = match seen.insert(system.clone(), since) {
            Some(known) => known == since,
            // An earlier runner's, which goes on: here it has not answered in between.
            None => !live.answered.contains(system),
        };
        let mut open = entered
            .iter_mut()
            .filter(|r| r.system == *system && !r.over);
        if same && open.next().is_some() {
            continue;
        }
        open.for_each(|refusal| refusal.over = true);
        entered.push(Refusal {
            system: system.clone(),
            since,
            error: cause(&trouble.error).to_owned(),
            told: false,
            over: false,
        });
    }
    for refusal in entered.iter_mut() {
        let system = &refusal.system;
        refusal.over |= live.answered.contains(system) && !live.failing.contains_key(system);
    }
    entered.retain(|refusal| !(refusal.told && refusal.over));
    *entered != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::watch::Trouble;

    fn refused(since: i64, answered: bool) -> Live {
        let trouble = Trouble {
            error: "401\nada@x".into(),
            auth: true,
            paused: Some(Instant(since)),
        };
        Live {
            failing: BTreeMap::from([("crm".to_owned(), trouble)]),
            ..up(answered)
        }
    }

    fn up(answered: bool) -> Live {
        let crm = answered.then(|| "crm".to_owned());
        Live {
            answered: crm.into_iter().collect(),
            ..Live::default()
        }
    }

    fn shown(entered: &[Refusal]) -> Vec<(i64, bool)> {
        entered.iter().map(|r| (r.since.0, r.told)).collect()
    }

    #[test]
    fn a_refusal_is_one_event_until_its_system_has_answered() {
        let (mut entered, mut seen) = (Vec::new(), Seen::new());
        assert!(renew(&mut entered, &mut seen, &refused(5, false)));
        assert!(!renew(&mut entered, &mut seen, &refused(5, false)));
        assert_eq!(shown(&entered), [(5, false)]);
        assert_eq!(entered[0].error, "401");
        // The next runner is refused too, later: before and after it was told.
        assert!(!renew(&mut entered, &mut Seen::new(), &refused(8, false)));
        entered[0].told = true;
        let mut seen = Seen::new();
        assert!(!renew(&mut entered, &mut seen, &up(false)));
        assert!(!renew(&mut entered, &mut seen, &refused(9, false)));
        assert_eq!(shown(&entered), [(5, true)]);
        assert!(renew(&mut entered, &mut seen, &up(true)));
        assert_eq!(shown(&entered), []);
        assert!(renew(&mut entered, &mut seen, &refused(12, true)));
        assert_eq!(shown(&entered), [(12, false)]);
    }

    #[test]
    fn a_system_that_answers_between_two_looks_and_refuses_again_is_told_of_again() {
        let (mut entered, mut seen) = (Vec::new(), Seen::new());
        renew(&mut entered, &mut seen, &refused(5, false));
        renew(&mut entered, &mut seen, &refused(7, true));
        assert_eq!(shown(&entered), [(5, false), (7, false)]);
        // Of what was not told nothing is dropped because it is over.
        renew(&mut entered, &mut seen, &up(true));
        assert_eq!(shown(&entered), [(5, false), (7, false)]);
        // A new runner that has had an answer before it was refused.
        renew(&mut entered, &mut Seen::new(), &refused(9, true));
        assert_eq!(shown(&entered), [(5, false), (7, false), (9, false)]);
        // One that was over before it was told is not taken for the next.
        let (mut entered, mut seen) = (Vec::new(), Seen::new());
        renew(&mut entered, &mut seen, &refused(5, false));
        renew(&mut entered, &mut Seen::new(), &up(true));
        entered[0].told = true;
        renew(&mut entered, &mut Seen::new(), &refused(8, false));
        assert_eq!(shown(&entered), [(8, false)]);
    }
}
