//! Whether a value that a test writes fits its field.

use rust_decimal::prelude::ToPrimitive;

use super::super::{Context, words};
use crate::finding::Edit;
use crate::model::{Spanned, TestValue};
use crate::text::{Span, nearest};
use crate::value::{Type, Value};

/// A value that a field cannot have.
pub(super) struct Misfit {
    /// The value, or the member of a list, that does not fit.
    pub span: Span,
    /// Why, as the end of a sentence.
    pub why: String,
    /// What to write.
    pub help: String,
    /// The value as it was plainly meant.
    pub meant: Option<Edit>,
}

/// Why a value does not fit a type; `None`: it does, or it could not be read.
pub(super) fn misfit(ctx: &Context, ty: &Type, value: &Spanned<TestValue>) -> Option<Misfit> {
    let wrong = match (ty, &value.value) {
        (_, TestValue::Unknown | TestValue::Absent) => None,
        (Type::Set { of }, TestValue::List(members)) => {
            return members.iter().find_map(|m| misfit(ctx, of, m));
        }
        (Type::Json, TestValue::Name(_)) => Some("a bare name is no JSON".to_owned()),
        (Type::Json, _) => None,
        (Type::Bool, TestValue::Bool(_)) => None,
        (Type::Int { .. }, TestValue::Number(n)) => match n.is_integer().then(|| n.to_i64()) {
            Some(Some(whole)) => out_of_bounds(ty, Value::Int(whole)),
            Some(None) => Some("it is too large".to_owned()),
            None => Some("it is no whole number".to_owned()),
        },
        (Type::Decimal { .. }, TestValue::Number(n)) => out_of_bounds(ty, Value::Decimal(*n)),
        (Type::Text { .. } | Type::Email | Type::Phone | Type::Url, TestValue::Text(t)) => {
            out_of_bounds(ty, Value::Text((&**t).into()))
        }
        (Type::Date | Type::Datetime, TestValue::Text(t)) => {
            let read = !t.trim().is_empty() && ty.read_text(t).is_ok();
            (!read).then(|| format!("it is no {}", ty.describe()))
        }
        (Type::Enum { values }, TestValue::Name(t) | TestValue::Text(t)) => {
            let known = values.iter().any(|v| **v == **t);
            (!known).then(|| "the enum has no such value".to_owned())
        }
        _ => Some(format!("the field is {}", article(&ty.describe()))),
    };
    wrong.map(|why| Misfit {
        span: value.span,
        why,
        help: help(ty),
        meant: meant(ctx, ty, value),
    })
}

/// Why a value of the right kind is not of the type.
fn out_of_bounds(ty: &Type, value: Value) -> Option<String> {
    let length = match &value {
        Value::Text(text) => text.chars().count(),
        _ => 0,
    };
    if ty.check(value).is_ok() {
        return None;
    }
    Some(match ty {
        Type::Int {
            min: Some(a),
            max: Some(b),
        } => format!("it is outside {a} to {b}"),
        Type::Decimal { precision, scale } => format!(
            "it has more than {} digits before the point or {scale} after it",
            precision.saturating_sub(*scale)
        ),
        Type::Text { max: Some(max) } => {
            format!("it has {length} characters, and {max} is the most")
        }
        _ => format!("it is no {}", ty.describe()),
    })
}

fn article(name: &str) -> String {
    match name.starts_with(['a', 'e', 'i', 'o']) {
        true => format!("an `{name}`"),
        false => format!("a `{name}`"),
    }
}

/// What can be written for a type.
fn help(ty: &Type) -> String {
    match ty {
        Type::Bool => "write `true` or `false`".into(),
        Type::Int {
            min: Some(a),
            max: Some(b),
        } => format!("write a whole number from {a} to {b}"),
        Type::Int { .. } => "write a whole number".into(),
        Type::Decimal { precision, scale } => {
            format!("write a number of at most {precision} digits, {scale} of them after the point")
        }
        Type::Text { max: Some(max) } => {
            format!("write a text in quotes, of at most {max} characters")
        }
        Type::Text { max: None } | Type::Email | Type::Phone | Type::Url => {
            "write it in quotes".into()
        }
        Type::Date => "write a day in quotes, as in `\"2026-01-31\"`".into(),
        Type::Datetime => "write an instant in quotes, as in `\"2026-01-31T09:00:00Z\"`".into(),
        Type::Json => "write it in quotes, or as a number, a list, `true` or `false`".into(),
        Type::Enum { values } => format!("write {}", words::either(values)),
        Type::Set { of } => format!("write a list; for each member {}", help(of)),
    }
}

/// The value that was plainly meant: quotes too many or too few, one member without its brackets,
/// a slip in an enum's value.
fn meant(ctx: &Context, ty: &Type, value: &Spanned<TestValue>) -> Option<Edit> {
    let written = ctx.sources.slice(value.span);
    let text = match (ty, &value.value) {
        (Type::Set { of }, one) if fits(ctx, of, value.span, one) => format!("[{written}]"),
        (Type::Enum { values }, TestValue::Name(t) | TestValue::Text(t)) => {
            nearest(t, values.iter().map(String::as_str))?.to_owned()
        }
        (Type::Bool | Type::Int { .. } | Type::Decimal { .. }, TestValue::Text(t)) => {
            let read = ty.read_text(t).ok().filter(|v| !v.is_null())?;
            read.to_string()
        }
        (
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url,
            TestValue::Name(_) | TestValue::Number(_) | TestValue::Bool(_),
        ) => {
            let quoted = TestValue::Text(written.into());
            fits(ctx, ty, value.span, &quoted).then(|| format!("\"{written}\""))?
        }
        _ => return None,
    };
    Some(Edit {
        span: value.span,
        text,
    })
}

fn fits(ctx: &Context, ty: &Type, span: Span, value: &TestValue) -> bool {
    let value = Spanned {
        span,
        value: value.clone(),
    };
    misfit(ctx, ty, &value).is_none()
}
