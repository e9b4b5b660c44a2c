//! What is said about a place that cannot be read, in the language's own words.

use super::Reader;
use super::block::Clauses;
use super::clauses;
use super::grammar::{self, Expected, Rule};
use super::hint;
use crate::finding::{Code, Edit, Finding, Grade};
use crate::syntax::scan::{ITEM_WORDS, Kind, MAX_NESTING, Obstacle, Token};
use crate::text::nearest;

/// At most this many alternatives are named; more would be a list of the grammar.
const ALTERNATIVES: usize = 4;

/// Trouble at a place.
pub(super) struct Trouble {
    /// The first token that does not fit begins here (or at the next token).
    pub at: usize,
    what: What,
    /// The open block, with its article, and its keywords.
    block: Option<(&'static str, &'static [&'static str])>,
}

enum What {
    /// One of these had to come.
    Expected(Vec<Rule>),
    /// A whole clause went before; one of these could have gone on with it.
    After(Vec<Rule>),
    /// No clause begins so.
    UnknownClause,
    /// No item begins so.
    UnknownItem,
    /// A brace that closes nothing.
    StrayBrace,
    /// A clause in `extend entity` that declares no field.
    FieldWanted,
}

impl Trouble {
    pub fn expected(at: usize, rules: Vec<Rule>) -> Self {
        Trouble {
            at,
            what: What::Expected(rules),
            block: None,
        }
    }

    pub fn after(at: usize, rules: Vec<Rule>) -> Self {
        Trouble {
            at,
            what: What::After(rules),
            block: None,
        }
    }

    pub fn unknown_clause<C: Clauses>(token: Token) -> Self {
        Trouble {
            at: token.start,
            what: What::UnknownClause,
            block: Some((C::BLOCK, C::WORDS)),
        }
    }

    pub fn unknown_item(token: Token) -> Self {
        Trouble {
            at: token.start,
            what: What::UnknownItem,
            block: None,
        }
    }

    pub fn field_wanted(at: usize) -> Self {
        Trouble {
            at,
            what: What::FieldWanted,
            block: None,
        }
    }

    pub fn stray_brace(token: Token) -> Self {
        Trouble {
            at: token.start,
            what: What::StrayBrace,
            block: None,
        }
    }

    /// In a block of clauses `C`.
    pub fn within<C: Clauses>(mut self) -> Self {
        self.block = Some((C::BLOCK, C::WORDS));
        self
    }
}

impl Reader<'_> {
    /// Adds the one finding for a trouble.
    pub fn report(&mut self, trouble: Trouble) {
        if self.is_full() {
            return;
        }
        let Some(token) = self.scan.token(self.word_start(trouble.at)) else {
            self.at_end(trouble);
            return;
        };
        let finding = self
            .unreadable(token, &trouble)
            .unwrap_or_else(|| match &trouble.what {
                What::Expected(rules) => self.misfit(token, rules, &trouble, false),
                What::After(rules) => self.misfit(token, rules, &trouble, true),
                What::UnknownClause => self.unknown_clause(token, &trouble),
                What::UnknownItem => self.unknown_item(token),
                What::FieldWanted => self
                    .finding(
                        token,
                        format!("expected `field`, found `{}`", self.scan.str(token)),
                    )
                    .help("`extend entity` only adds fields; write this in the `entity` itself"),
                What::StrayBrace => self
                    .finding(token, "this `}` closes nothing")
                    .help("remove it, or look above for a block that is closed too early"),
            });
        self.findings.push(finding);
    }

    /// Whether there is no room for another finding, which is then only counted.
    fn is_full(&mut self) -> bool {
        let full = self.findings.len() >= self.room;
        self.dropped += usize::from(full);
        full
    }

    /// A block that nothing closes: found at `next`, or at the end of the file.
    pub fn unclosed(&mut self, open: usize, next: Option<Token>) {
        if self.passed_brace || self.is_full() {
            return;
        }
        let next = next.or_else(|| self.scan.token(self.end));
        let brace = self.scan.span(open, open + 1);
        let Some(next) = next else {
            self.findings.push(
                Finding::new(Code(1), brace, "this block is not closed")
                    .mark("opens here")
                    .help("write `}` after its last clause"),
            );
            return;
        };
        let place = self.scan.span(next.start, next.end);
        // A clause that broke off at the same token has been reported there.
        if self
            .findings
            .iter()
            .rev()
            .take(2)
            .any(|f| f.primary == Some(place))
        {
            return;
        }
        let word = self.scan.str(next);
        let finding = Finding::new(Code(1), place, format!("expected `}}` before `{word}`"))
            .label(brace, "the block that opens here is not closed")
            .help("write `}` after the last clause of the block");
        self.findings.push(finding);
    }

    /// Trouble at the end of the file. Inside a block, the block is not closed either, and that is
    /// said once.
    fn at_end(&mut self, trouble: Trouble) {
        if trouble.block.is_some() {
            return;
        }
        let text = self
            .scan
            .text
            .get(self.scan.start..self.end)
            .unwrap_or_default();
        let end = self.scan.start + text.trim_end().len();
        let expected = match &trouble.what {
            What::Expected(rules) | What::After(rules) => alternatives(rules),
            _ => Vec::new(),
        };
        let place = self.scan.span(end, end);
        let message = format!(
            "expected {}, found the end of the file",
            say(&expected, None)
        );
        self.findings.push(Finding::new(Code(1), place, message));
    }

    fn finding(&self, token: Token, message: impl Into<String>) -> Finding {
        Finding::new(Code(1), self.scan.span(token.start, token.end), message)
    }

    /// Walks back to the beginning of a word that was read in part: `na` of `naïve`.
    fn word_start(&self, at: usize) -> usize {
        let inside = |c: char| c == '_' || c.is_alphanumeric();
        let text = self.scan.text;
        let (Some(before), Some(after)) = (text.get(self.scan.start..at), text.get(at..)) else {
            return at;
        };
        if !after.starts_with(|c: char| inside(c) && !c.is_ascii()) {
            return at;
        }
        let tail = before.trim_end_matches(inside);
        self.scan.start + tail.len()
    }

    /// Tokens that can stand nowhere, whatever was expected.
    fn unreadable(&self, token: Token, trouble: &Trouble) -> Option<Finding> {
        let text = self.scan.str(token);
        match self.scan.stop_at(token.start).map(|stop| stop.why) {
            Some(Obstacle::Nesting) => {
                let message = format!("brackets nest deeper than {MAX_NESTING}");
                return Some(self.finding(token, message));
            }
            Some(Obstacle::Backtick) => return Some(self.unclosed_token(token, "expression", '`')),
            None => {}
        }
        if !token.closed {
            let (what, sign) = match token.kind {
                Kind::Expr => ("expression", '`'),
                _ => ("string", '"'),
            };
            return Some(self.unclosed_token(token, what, sign));
        }
        if token.kind == Kind::Str {
            return self.bad_escape(token, trouble);
        }
        if token.kind == Kind::Word && !text.is_ascii() {
            let odd = text.chars().find(|c| !c.is_ascii()).unwrap_or_default();
            let message = format!("`{}` is no name: it holds `{odd}`", short(text));
            let help = "names are made of the letters a to z, digits and `_`";
            return Some(self.finding(token, message).help(help));
        }
        hint::odd_sign(self.scan, token)
    }

    fn unclosed_token(&self, token: Token, what: &str, sign: char) -> Finding {
        let name = if sign == '`' {
            "a backtick".to_owned()
        } else {
            format!("`{sign}`")
        };
        self.finding(token, format!("this {what} is not closed"))
            .help(format!("close it with {name}"))
    }

    /// The first bad escape of a string where a string may stand.
    fn bad_escape(&self, token: Token, trouble: &Trouble) -> Option<Finding> {
        let (What::Expected(rules) | What::After(rules)) = &trouble.what else {
            return None;
        };
        let strings = [
            Rule::string,
            Rule::option_value,
            Rule::test_value,
            Rule::connector_name,
        ];
        if !rules.iter().any(|r| strings.contains(r)) {
            return None;
        }
        let text = self.scan.str(token);
        let (start, end) = hint::bad_escape(text)?;
        let place = self.scan.span(token.start + start, token.start + end);
        let message = format!(
            "`{}` is no escape",
            text.get(start..end).unwrap_or_default()
        );
        Some(Finding::new(Code(1), place, message).help(
            "a string knows `\\\"`, `\\\\`, `\\n`, `\\t` and `\\u{…}`; write `\\\\` for a backslash",
        ))
    }

    /// A token where something else had to come.
    fn misfit(&self, token: Token, rules: &[Rule], trouble: &Trouble, after: bool) -> Finding {
        let expected = alternatives(rules);
        let text = self.scan.str(token);
        let word = (token.kind == Kind::Word).then_some(text);
        let block = trouble.block.filter(|_| after);
        // One closed list and a word that is not on it: say what it is not.
        if let (Some(word), [Expected::Closed(what, words)]) = (word, expected.as_slice())
            && words.len() > ALTERNATIVES
            && !self.next_clause(token, trouble)
        {
            let noun = noun(what);
            let finding = self.finding(token, format!("`{}` is no {noun}", short(word)));
            return self.suggest(finding, token, words.iter().copied(), Some(words));
        }
        let finding = self.finding(
            token,
            format!(
                "expected {}, found `{}`",
                say(&expected, block.map(|_| "the next clause")),
                short(text)
            ),
        );
        if let Some(finding) = hint::trailing_comma(self.scan, token, &expected, &finding) {
            return finding;
        }
        if self.next_clause(token, trouble) {
            let finding = finding.mark("the clause before is not complete");
            // Which signs could go on there says nothing of what was left out.
            if expected.iter().any(|e| matches!(e, Expected::Sign(_))) {
                return finding;
            }
            let lacks = say(&expected, None);
            return finding.help(format!("finish the clause before: it lacks {lacks}"));
        }
        if let Some(finding) = hint::for_misfit(self.scan, token, &expected, &finding) {
            return finding;
        }
        let words = expected.iter().flat_map(Expected::words);
        let more = block.map(|(_, words)| words).unwrap_or_default();
        self.suggest(finding, token, words.chain(more.iter().copied()), None)
    }

    /// Whether `token` begins the next clause or item.
    fn next_clause(&self, token: Token, trouble: &Trouble) -> bool {
        let word = self.scan.str(token);
        let known = trouble
            .block
            .is_some_and(|(_, words)| words.contains(&word));
        token.line_first && (known || self.scan.item_start(token))
    }

    fn unknown_clause(&self, token: Token, trouble: &Trouble) -> Finding {
        let (block, words) = trouble.block.unwrap_or_default();
        let text = self.scan.str(token);
        if token.kind != Kind::Word {
            let message = format!("expected a clause of {block}, found `{}`", short(text));
            return self.finding(token, message);
        }
        let finding = self.finding(token, format!("`{}` is no clause of {block}", short(text)));
        match clauses::block_of(text) {
            Some(other) => finding.help(format!("`{text}` belongs into {other}")),
            None => self.suggest(finding, token, words.iter().copied(), Some(words)),
        }
    }

    fn unknown_item(&self, token: Token) -> Finding {
        let text = self.scan.str(token);
        if token.kind != Kind::Word {
            let message = format!(
                "expected an item such as `system` or `scenario`, found `{}`",
                short(text)
            );
            return self.finding(token, message);
        }
        if let Some(block) = clauses::block_of(text) {
            return self
                .finding(token, format!("`{text}` stands outside any block"))
                .help(format!(
                    "`{text}` belongs into {block}; is a block above closed too early?"
                ));
        }
        let finding = self.finding(token, format!("`{}` begins no item", short(text)));
        self.suggest(finding, token, ITEM_WORDS, Some(&ITEM_WORDS))
    }

    /// Adds the nearest word, with the fix that puts it in; else, where the list is given, names
    /// what it holds.
    fn suggest<'w>(
        &self,
        finding: Finding,
        token: Token,
        words: impl IntoIterator<Item = &'w str>,
        list: Option<&[&str]>,
    ) -> Finding {
        let words: Vec<&str> = words.into_iter().collect();
        let end = match token.kind {
            Kind::Word => hint::dashed_word(self.scan, token),
            _ => token.end,
        };
        let text = self.scan.text.get(token.start..end).unwrap_or_default();
        let near = (token.kind == Kind::Word)
            .then(|| nearest(text, words.iter().copied()).or_else(|| hint::meant(text, &words)))
            .flatten();
        match (near.filter(|n| *n != text), list) {
            (Some(near), _) => finding.help(format!("did you mean `{near}`?")).fix(
                format!("write `{near}`"),
                Grade::Safe,
                vec![Edit {
                    span: self.scan.span(token.start, end),
                    text: near.to_owned(),
                }],
            ),
            (None, Some(list)) => {
                let list: Vec<_> = list.iter().map(|w| format!("`{w}`")).collect();
                finding.help(format!("write one of {}", list.join(", ")))
            }
            (None, None) => finding,
        }
    }
}

/// What rules stand for, each once, in a steady order.
fn alternatives(rules: &[Rule]) -> Vec<Expected> {
    let mut all: Vec<Expected> = Vec::new();
    for rule in rules {
        if let Some(expected) = grammar::expected(*rule)
            && !all.contains(&expected)
        {
            all.push(expected);
        }
    }
    // Signs that go on with what stands there come first, then what is longer to say.
    all.sort_by_key(|e| !matches!(e, Expected::Sign(_)));
    all
}

/// "`,`, `in` or the next clause".
fn say(expected: &[Expected], last: Option<&str>) -> String {
    let mut all: Vec<String> = expected.iter().map(Expected::say).collect();
    all.extend(last.map(str::to_owned));
    if all.len() > ALTERNATIVES + 1 {
        all.retain(|s| !s.starts_with('`') || s.len() <= 3);
        all.truncate(ALTERNATIVES);
    }
    if all.is_empty() {
        return "something else".to_owned();
    }
    or_list(&all)
}

/// "a, b or c".
pub(super) fn or_list(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// "a day such as `mon`" → "day".
fn noun(what: &str) -> &str {
    let what = what.split(" such as ").next().unwrap_or(what);
    what.strip_prefix("a ")
        .or_else(|| what.strip_prefix("an "))
        .unwrap_or(what)
}

/// At most forty characters of what the author wrote, on one line.
pub(super) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > 40 {
        let head: String = line.chars().take(37).collect();
        return format!("{head}…");
    }
    line.to_owned()
}
