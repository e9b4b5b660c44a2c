//! A paragraph for each check.

use crate::finding::Code;

/// What a check is about.
pub(super) fn of(code: Code) -> &'static str {
    let found = MEANINGS.iter().find(|(c, _)| *c == code.0);
    // A test holds that every code is here.
    found.map_or("", |(_, text)| text)
}

const MEANINGS: &[(u16, &str)] = &[
    (
        1,
        "The text is not written as the language asks. The marker stands under the first word that does not fit, and the message names what may stand there. Clauses and items around the broken one are still read, so their own faults show in the same run.",
    ),
    (
        2,
        "One name is declared twice where it may stand once: two items of a kind, two fields of an entity, a clause repeated in its block. The first in reading order counts; keep one and rename or remove the other.",
    ),
    (
        3,
        "A name stands for nothing: no system, entity, field, scenario, connector, tier, class, check or time zone is called that. Where a known name is close it is suggested; else declare what is missing.",
    ),
    (
        4,
        "A file of the policy could not be read: it is missing, not UTF-8, larger than 64 MiB, or lies outside the repository. Names that it may declare are not reported as unknown meanwhile.",
    ),
    (
        5,
        "Files reach each other through `use` in a circle, so there is no order in which to read them. Move what both need to a third file.",
    ),
    (
        6,
        "A clause that its item cannot do without is missing, such as the `connector` of a system or the `key` of an entity.",
    ),
    (
        7,
        "A value can be read but cannot be meant: a percentage over 100, a day that no month has, a window of no length, a batch of none. The message says which values are possible.",
    ),
    (
        8,
        "A policy has one `policy` item over all its files, which names it and sets its time zone and currency. There is none here, or there are several.",
    ),
    (
        101,
        "A scenario carries a field for which no system is the system of record. Without an owner nobody can say which of two values is right. Write `owner` on the field or on its entity.",
    ),
    (
        102,
        "Two places give one field different owners. Both are shown; one of them has to go.",
    ),
    (
        103,
        "A scenario writes a field into the system that owns it, from a system whose values nobody agreed to accept: the owner's value would be overwritten. Turn the flow round, or list the source in the field's `accepts`.",
    ),
    (
        104,
        "A scenario takes a field from a system that neither owns it, nor is accepted, nor receives it from one that is. What it passes on would be nobody's value.",
    ),
    (
        105,
        "Several systems may set a field, their values meet in one system, and nothing says which wins. Write a `resolve` rule.",
    ),
    (
        106,
        "The flows of a field lead round in a circle and nothing settles what happens when two systems change it: each change could chase the other. Write a `resolve` rule or cut one of the flows.",
    ),
    (
        107,
        "A change reaches one system by two separate paths of the same class, so each is written twice, at twice the calls. Drop one of the two.",
    ),
    (
        108,
        "The rule that picks a value compares change times, but a system that may set the field does not say when its records changed. Name that column with `changed_at` in its map.",
    ),
    (
        109,
        "The rule cannot work on values of the field's type: `any_true` and `all_true` need a bool, `max` and `min` something with an order, `union` a set.",
    ),
    (
        110,
        "A system is accepted as a source of a field, but no scenario ever takes the field from there. Remove it from `accepts`, or add the flow that was meant.",
    ),
    (
        111,
        "Derived fields are computed from one another in a circle, so none of them has a value to begin with.",
    ),
    (
        112,
        "A derived field is computed wherever it is sent. It can have no owner, no accepted source and no rule of its own, and no scenario may carry it as data from a system that does not hold what it is computed from.",
    ),
    (
        113,
        "Scenarios wait for one another through `after` in a circle, so none would ever start.",
    ),
    (
        114,
        "A clean-up would change fields in a system that does not own them; the owner's values would come back with the next sync. Clean where the fields are owned.",
    ),
    (
        115,
        "A value that goes round the systems comes back changed, because the maps' `values`, `read` and `write` do not undo each other or a text is cut on the way. The systems would rewrite each other without end. The message shows a value that drifts.",
    ),
    (
        116,
        "A rule by change time stands over a source that tells time too coarsely for how often records change: ties are likely, and a tie is settled by the owner and not by who was last.",
    ),
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
        401,
        "A scenario carries a field that a system on its way does not map, or a pair of entity and system has no map at all.",
    ),
    (
        402,
        "A map leaves out a part of the entity's key, so the system's records cannot be told apart.",
    ),
    (
        403,
        "The `values` of an enum leave a value out, name one that it lacks, or write two values alike where they are read back.",
    ),
    (
        404,
        "A text may be longer than the place it is written to; it would be cut.",
    ),
    (
        405,
        "An expression cannot be read, names a field that is not there, or gives a type that its place does not take. The marker stands at the fault inside the backticks.",
    ),
    (
        406,
        "A scenario reads what changed from a system whose map names no `cursor` column, so a read cannot tell what is new. Name one, or write `scan full`.",
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
        501,
        "A scenario wants each change at once from a system that tells of no changes. A short schedule such as `every 5m` comes nearest.",
    ),
    (
        502,
        "A destination cannot write by key in one call. Each write takes two, and an answer that is lost can leave a record twice.",
    ),
    (
        503,
        "A flow leads into a system that can only be read, or is read from one that can only be written.",
    ),
    (
        504,
        "A secret stands in the policy itself. Read it from the environment with `env(\"NAME\")`.",
    ),
    (
        505,
        "The connector has no such option, needs one that is missing, or takes it in another form.",
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
    (
        801,
        "An `allow` accepts a finding that is not there, or its last day has passed. Remove it, or give it a later date.",
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
    use crate::finding::CODES;

    #[test]
    fn every_check_is_explained() {
        let codes: Vec<u16> = CODES.iter().map(|c| c.code.0).collect();
        let explained: Vec<u16> = MEANINGS.iter().map(|(c, _)| *c).collect();
        assert_eq!(explained, codes);
        assert!(
            MEANINGS
                .iter()
                .all(|(_, text)| text.len() > 40 && text.ends_with('.'))
        );
    }
}
