//! A paragraph for each check that has no page yet.

use crate::finding::Code;

/// What a check is about.
pub(super) fn of(code: Code) -> &'static str {
    let found = MEANINGS.iter().find(|(c, _)| *c == code.0);
    // A test holds that every code is here.
    found.map_or("", |(_, text)| text)
}

const MEANINGS: &[(u16, &str)] = &[
    (
        201,
        "At its worst a value arrives later than its `fresh` allows. The path is shown hop by hop with what each adds, and the cheapest change of a mode that would keep the bound.",
    ),
    (
        202,
        "A field is promised fresh in a system that no path from its owner reaches. Add the flow, or narrow `fresh` with `in`.",
    ),
    (
        203,
        "A field of class consent, or a scenario whose delay breaks a rule, travels on a schedule alone. Until the next run people are treated against what they said. Use `realtime`, or `realtime with reconcile`.",
    ),
    (
        204,
        "Late arrival loses leads, says the scenario, and yet it starts more than 15 minutes apart.",
    ),
    (
        205,
        "A delay harms nobody, says the scenario, and yet it runs in real time, which costs a call for each change. A schedule sends the same in batches; the message says what that saves.",
    ),
    (
        206,
        "A scheduled hop is fed by another scheduled hop and neither waits for the other, so their delays add up. Order them with `after`, or carry the field straight from its owner.",
    ),
    (
        207,
        "A system receives a field once, with an event, and nothing keeps the copy in step with the owner afterwards.",
    ),
    (
        208,
        "Real-time changes come from a system whose events can be lost for good, and no scheduled flow carries the same fields to catch what was missed. Add `with reconcile`.",
    ),
    (
        301,
        "The calls of a day are more than the share of the vendor's quota that the policy may use. Each scenario's part is shown.",
    ),
    (
        302,
        "At peak, real-time calls come faster than a short-term limit of the system allows.",
    ),
    (
        303,
        "A run takes longer than its window, or than the time until its next start.",
    ),
    (
        304,
        "Scheduled runs of one priority overlap on a system and need more together than its limit leaves them. Move one, or order them with `after`.",
    ),
    (305, "A batch is larger than the system takes in one call."),
    (
        306,
        "After an hour's outage of a system the real-time changes that waited would take more than four hours to go out.",
    ),
    (
        307,
        "The mode never fires: a date that no year has, or starts that all fall outside the window.",
    ),
    (
        308,
        "In the coming year a change of the clocks skips or repeats this start in the policy's time zone. Syncline runs it once either way; choose another time where that matters.",
    ),
    (
        309,
        "A limit in the policy is wider than the vendor's own. A policy can only tighten limits.",
    ),
    (
        310,
        "A system has a budget and is used by a scenario for which nothing says how much it moves, so its calls are missing from the sum. Write `volume`.",
    ),
    (
        404,
        "A text may be longer than the place it is written to; it would be cut.",
    ),
    (
        407,
        "An optional field flows into a place that has to be filled.",
    ),
    (
        408,
        "A source shows changes with a delay and the cursor looks back less far: late changes would be missed. Add `overlap` to the cursor.",
    ),
    (
        502,
        "A destination cannot write by key in one call. Each write takes two, and an answer that is lost can leave a record twice.",
    ),
    (
        601,
        "A field of a class, or something made from it, flows into a system that is not cleared for that class. The path is shown.",
    ),
    (
        602,
        "A scheduled flow takes people's records to a system that sends mail without asking the field that says whether they agreed.",
    ),
    (
        603,
        "Delay breaks a rule or loses leads here, and nobody hears of changes that could not be delivered: the policy names no `alert`.",
    ),
    (
        701,
        "A test sets or expects what cannot be: a field that is not mapped there, a value of the wrong type, a record named in the wrong form.",
    ),
    (802, "A system, entity, field or map that no scenario uses."),
    (
        803,
        "A name is not written in small letters with underscores, as names of policies are.",
    ),
    (
        804,
        "An item has no doc comment to say what it is for. Reported only where it is asked for.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::pages;
    use crate::finding::CODES;

    #[test]
    fn a_check_has_a_page_or_a_paragraph() {
        for code in CODES.iter().map(|c| c.code) {
            let paragraph = MEANINGS.iter().any(|(c, _)| *c == code.0);
            assert!(paragraph || pages::source(code).is_some(), "{code}");
        }
        let whole = |text: &str| text.len() > 40 && text.ends_with('.');
        assert!(MEANINGS.iter().all(|(_, text)| whole(text)));
    }
}
