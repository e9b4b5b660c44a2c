//! Which keywords begin which clauses, and the clauses that are blocks themselves.

use super::Reader;
use super::block::Clauses;
use super::build::{self, Part};
use super::grammar::Rule;
use super::report::Trouble;
use crate::syntax::scan::Token;
use crate::syntax::tree::*;

// The keywords of a kind of block and their rules, spelled once.
macro_rules! clauses {
    ($kind:ty, $block:literal, $alone:ident, $build:path, { $($word:literal => $rule:ident),* $(,)? }
     $($more:item)*) => {
        impl Clauses for $kind {
            const BLOCK: &'static str = $block;
            const WORDS: &'static [&'static str] = &[$($word),*];
            const ALONE: Rule = Rule::$alone;
            fn rule(word: &str) -> Option<Rule> {
                match word { $($word => Some(Rule::$rule),)* _ => None }
            }
            fn build(part: Part<'_>) -> Option<Self> {
                $build(part)
            }
            $($more)*
        }
    };
}

clauses!(PolicyClause, "a policy", policy_clause_alone, build::policy::clause, {
    "timezone" => policy_timezone, "currency" => policy_currency, "unsure" => policy_unsure,
    "upkeep" => policy_upkeep, "alert" => policy_alert, "allow" => allow,
});

clauses!(SystemClause, "a system", system_clause_alone, build::system::clause, {
    "connector" => system_connector, "tier" => system_tier, "seats" => system_seats,
    "budget" => system_budget, "limit" => system_limit, "price" => system_price,
    "failure" => system_failure, "latency" => system_latency, "option" => system_option,
    "secret" => system_secret, "cleared" => system_cleared, "allow" => allow,
});

clauses!(EntityClause, "an entity", entity_clause_alone, build::entity::clause, {
    "field" => entity_field, "key" => entity_key, "volume" => entity_volume, "owner" => owner,
    "accepts" => accepts, "resolve" => resolve, "fresh" => fresh, "class" => class,
    "allow" => allow,
}
fn read(reader: &mut Reader<'_>, word: Token, rule: Rule) -> (Clause<Self>, usize) {
    match rule {
        Rule::entity_field => field(reader, word),
        _ => reader.clause::<Self>(word, rule),
    }
});

clauses!(FieldClause, "a field", field_clause_alone, build::entity::field_clause, {
    "owner" => owner, "accepts" => accepts, "resolve" => resolve, "fresh" => fresh,
    "class" => class, "changes" => changes, "derived" => derived, "allow" => allow,
}
const OUTER: &'static [&'static str] = &["field", "key", "volume"];
);

clauses!(MapClause, "a map", map_clause_alone, build::map::clause, {
    "field" => map_field, "key" => map_key, "same_names" => map_same_names,
    "cursor" => map_cursor, "changed_at" => map_changed_at, "deleted" => map_deleted,
    "allow" => allow,
});

clauses!(ScenarioClause, "a scenario", scenario_clause_alone, build::scenario::clause, {
    "when" => scenario_when, "sync" => scenario_sync, "clean" => scenario_clean,
    "mode" => scenario_mode, "fresh" => scenario_fresh, "stale" => scenario_stale,
    "volume" => scenario_volume, "after" => scenario_after, "window" => scenario_window,
    "batch" => scenario_batch, "scan" => scenario_scan, "deletes" => scenario_deletes,
    "priority" => scenario_priority, "retry" => scenario_retry, "breaker" => scenario_breaker,
    "order" => scenario_order, "checkpoint" => scenario_checkpoint, "allow" => allow,
}
fn read(reader: &mut Reader<'_>, word: Token, rule: Rule) -> (Clause<Self>, usize) {
    match rule {
        Rule::scenario_checkpoint => checkpoint(reader, word),
        _ => reader.clause::<Self>(word, rule),
    }
});

clauses!(CheckpointClause, "a checkpoint", checkpoint_clause_alone,
    build::scenario::checkpoint_clause, {
    "dedupe" => checkpoint_dedupe, "require" => checkpoint_require, "guard" => checkpoint_guard,
    "abort" => checkpoint_abort, "allow" => allow,
}
const OUTER: &'static [&'static str] = &[
    "when", "sync", "clean", "mode", "fresh", "stale", "volume", "after", "window", "batch",
    "scan", "deletes", "priority", "retry", "breaker", "order", "checkpoint",
];
);

clauses!(TestClause, "a test", test_clause_alone, build::test::clause, {
    "given" => test_given, "at" => test_at, "expect" => test_expect, "start" => test_start,
    "allow" => allow,
});

/// Whether `word` begins an item or a clause of any block.
pub(in crate::syntax) fn is_keyword(word: &str) -> bool {
    crate::syntax::scan::ITEM_WORDS.contains(&word)
        || PolicyClause::rule(word).is_some()
        || SystemClause::rule(word).is_some()
        || EntityClause::rule(word).is_some()
        || FieldClause::rule(word).is_some()
        || MapClause::rule(word).is_some()
        || ScenarioClause::rule(word).is_some()
        || CheckpointClause::rule(word).is_some()
        || TestClause::rule(word).is_some()
}

/// `field NAME: TYPE …`: in one piece where it is sound, else head and clauses each for itself,
/// so that a broken clause does not hide the field.
fn field(reader: &mut Reader<'_>, word: Token) -> (Clause<EntityClause>, usize) {
    let doc = reader.scan.doc_before(word.start);
    let keyword = reader.scan.span(word.start, word.end);
    if let Ok((part, end)) = reader.pest(Rule::entity_field, word.start, reader.end)
        && reader.trailing::<FieldClause>(end).is_none()
        && reader
            .token(end)
            .is_none_or(|t| FieldClause::rule(reader.scan.str(t)).is_none())
    {
        let mut kind = build::entity::clause(part);
        if let Some(EntityClause::Field(field)) = &mut kind {
            field.doc = doc;
        }
        let span = reader.scan.span(word.start, end);
        return (
            Clause {
                span,
                keyword,
                kind,
            },
            end,
        );
    }
    let (mut field, mut at, mut last) = match field_head(reader, word) {
        Ok((field, end)) => (Some(field), end, end),
        Err((last, next)) => (None, next, last),
    };
    let mut clauses = Vec::new();
    while let Some(token) = reader.token(at) {
        let text = reader.scan.str(token);
        let (clause, next) = if let Some(rule) = FieldClause::rule(text) {
            reader.clause::<FieldClause>(token, rule)
        } else if text == "}" || token.line_first || EntityClause::rule(text).is_some() {
            break;
        } else {
            let trouble = reader
                .trouble_after::<FieldClause>(word, at, Rule::entity_clause_alone)
                .filter(|t| clauses.is_empty() && t.at > token.start)
                .unwrap_or_else(|| Trouble::unknown_clause::<FieldClause>(token));
            let from = trouble.at;
            reader.report(trouble);
            let (end, next) = reader.resume::<FieldClause>(from, token.end);
            (reader.broken_clause(token, end), next)
        };
        last = clause.span.end as usize;
        at = next.max(token.end);
        clauses.push(clause);
    }
    if let Some(field) = &mut field {
        field.doc = doc;
        field.clauses = clauses;
    }
    let clause = Clause {
        span: reader.scan.span(word.start, last.max(word.end)),
        keyword,
        kind: field.map(|f| EntityClause::Field(Box::new(f))),
    };
    (clause, at)
}

/// The head of a field and its end, or where its line was left: last token, next to read.
fn field_head(reader: &mut Reader<'_>, word: Token) -> Result<(FieldDecl, usize), (usize, usize)> {
    let trouble = match reader.pest(Rule::field_head, word.start, reader.end) {
        Ok((part, end)) => match build::entity::field_head(part) {
            Some(field) => return Ok((field, end)),
            None => Trouble::expected(end, Vec::new()),
        },
        Err(failure) => reader
            .cut_short::<FieldClause>(word, Rule::entity_clause_alone, failure.at)
            .unwrap_or_else(|| Trouble::expected(failure.at, failure.expected)),
    };
    let at = trouble.at;
    reader.report(trouble.within::<EntityClause>());
    Err(reader.resume::<FieldClause>(at, word.end))
}

/// `checkpoint { }`, whose clauses recover each for itself.
fn checkpoint(reader: &mut Reader<'_>, word: Token) -> (Clause<ScenarioClause>, usize) {
    match reader.pest(Rule::checkpoint_head, word.start, reader.end) {
        Ok((_, end)) => {
            let open = end.saturating_sub(1);
            let read = reader.block::<CheckpointClause>(open, end);
            let clause = Clause {
                span: reader.scan.span(word.start, read.end),
                keyword: reader.scan.span(word.start, word.end),
                kind: Some(ScenarioClause::Checkpoint(Checkpoint {
                    body: reader.scan.span(open, read.end),
                    clauses: read.clauses,
                })),
            };
            (clause, read.end)
        }
        Err(failure) => {
            let clause = reader.token(failure.at);
            if clause.is_none_or(|t| CheckpointClause::rule(reader.scan.str(t)).is_none()) {
                return reader.clause::<ScenarioClause>(word, Rule::checkpoint_head);
            }
            // Only the brace is missing: its clauses are read as if it stood there.
            let trouble = Trouble::expected(failure.at, failure.expected);
            reader.report(trouble.within::<ScenarioClause>());
            let read = reader.block::<CheckpointClause>(word.start, failure.at);
            (reader.broken_clause(word, read.end), read.end)
        }
    }
}

/// The kind of block that `word` is a clause of, where it is a clause of one kind only.
pub(super) fn block_of(word: &str) -> Option<&'static str> {
    let known = [
        (PolicyClause::WORDS, PolicyClause::BLOCK),
        (SystemClause::WORDS, SystemClause::BLOCK),
        (EntityClause::WORDS, EntityClause::BLOCK),
        (MapClause::WORDS, MapClause::BLOCK),
        (ScenarioClause::WORDS, ScenarioClause::BLOCK),
        (CheckpointClause::WORDS, CheckpointClause::BLOCK),
        (TestClause::WORDS, TestClause::BLOCK),
    ];
    let mut blocks = known.iter().filter(|(words, _)| words.contains(&word));
    match (blocks.next(), blocks.next()) {
        (Some((_, block)), None) => Some(block),
        _ => None,
    }
}
