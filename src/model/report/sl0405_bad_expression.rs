//! SL0405 bad-expression: CEL syntax, an unknown field, or a type that does not fit.

use crate::expr::{Fault, Instead, Kind};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::text::{Span, nearest};

const CODE: Code = Code(405);

/// What the expression itself gets wrong.
pub(in super::super) fn faulty(at: Span, fault: Fault) -> Finding {
    let mut finding = Finding::new(CODE, at, fault.message);
    finding.help = fault.help;
    match fault.instead {
        Some(Instead { text, plain }) => finding.fix(
            format!("write `{text}`"),
            match plain {
                true => Grade::Safe,
                false => Grade::Review,
            },
            vec![Edit { span: at, text }],
        ),
        None => finding,
    }
}

/// It reads a field that the entity lacks.
pub(in super::super) fn no_such_field<'a>(
    at: Span,
    entity: (&str, Span),
    field: &str,
    fields: impl IntoIterator<Item = (&'a str, Span)>,
) -> Finding {
    let fields: Vec<(&str, Span)> = fields.into_iter().collect();
    let message = format!("the entity `{}` has no field `{field}`", entity.0);
    let finding = Finding::new(CODE, at, message).mark("not known");
    match nearest(field, fields.iter().map(|f| f.0)) {
        Some(meant) => {
            let place = fields
                .iter()
                .find(|f| f.0 == meant)
                .map_or(entity.1, |f| f.1);
            finding
                .label(place, format!("`{meant}` is declared here"))
                .help(format!("write `{meant}`"))
                .fix(
                    format!("write `{meant}`"),
                    Grade::Safe,
                    vec![Edit {
                        span: at,
                        text: meant.to_owned(),
                    }],
                )
        }
        None => finding
            .label(entity.1, format!("`{}` is declared here", entity.0))
            .help(format!(
                "name a field of `{}`, or declare `{field}` there",
                entity.0
            )),
    }
}

/// What an expression has to give.
pub(in super::super) struct Misfit<'a> {
    /// What it is, `the condition`.
    pub(in super::super) what: &'a str,
    /// What it gives.
    pub(in super::super) gives: &'a Kind,
    /// What its place needs, with an article.
    pub(in super::super) wanted: String,
    /// The place that says so, where there is one.
    pub(in super::super) because: Option<Span>,
}

/// Its value does not fit its place.
pub(in super::super) fn does_not_fit(at: Span, misfit: Misfit<'_>) -> Finding {
    let Misfit {
        what,
        gives,
        wanted,
        because,
    } = misfit;
    let message = format!("{what} gives {}, not {wanted}", gives.describe());
    let wrapped = match gives {
        Kind::Int | Kind::Double | Kind::Bool if wanted.starts_with("a text") => Some("string"),
        Kind::Text if wanted.starts_with("an int") => Some("int"),
        _ => None,
    };
    let help = match (gives, &*wanted) {
        (Kind::Text, "a bool") => "compare it with something, as in `… == \"yes\"`",
        (Kind::Int | Kind::Double, "a bool") => "compare it with something, as in `… > 0`",
        (_, "a bool") => "ask something of it, as in `… != null`",
        (_, "a map") => "write a map, as in `{\"form\": \"demo\"}`",
        _ => match wrapped {
            Some("int") => "turn it into a number with `int(…)`",
            Some(_) => "turn it into a string with `string(…)`",
            None => "",
        },
    };
    let mut finding = Finding::new(CODE, at, message);
    if let Some(place) = because {
        finding = finding.label(place, format!("so it has to give {wanted}"));
    }
    if let Some(function) = wrapped {
        let insert = |place: u32, text: String| Edit {
            span: Span::point(at.file, place as usize),
            text,
        };
        let edits = vec![
            insert(at.start, format!("{function}(")),
            insert(at.end, ")".to_owned()),
        ];
        finding = finding.fix(format!("wrap it in `{function}(…)`"), Grade::Review, edits);
    }
    if help.is_empty() {
        finding
    } else {
        finding.help(help)
    }
}
