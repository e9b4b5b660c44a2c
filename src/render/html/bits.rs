//! Small parts of the page that many sections use.

use maud::{Markup, html};

use crate::checks::figures;
use crate::overview::Age;
use crate::render::graph::plain;
use crate::terms::ModeClass;

/// Words of an author or a message: names in backticks as code, and no more direction than their
/// own.
pub(super) fn prose(text: &str) -> Markup {
    let text = plain(text);
    let parts: Vec<&str> = text.split('`').collect();
    // A last backtick without its partner is one of the words.
    let odd = parts.len().is_multiple_of(2);
    let last = parts.len() - 1;
    html! {
        bdi {
            @for (at, part) in parts.iter().enumerate() {
                @if at % 2 == 1 && !(odd && at == last) {
                    code { (part) }
                } @else {
                    @if at % 2 == 1 { "`" }
                    (part)
                }
            }
        }
    }
}

/// A number of things.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        n => format!("{} {many}", figures::count(n as f64)),
    }
}

/// A bar as long as a share, full at 1.
pub(super) fn bar(share: f64) -> Markup {
    let class = match share {
        s if s > 1.0 => "bar over",
        s if s > 0.8 => "bar near-full",
        _ => "bar",
    };
    let length = (share * 100.0).clamp(0.0, 100.0);
    html! { i class=(class) style=(format!("--p:{length:.1}%")) {} }
}

/// The bar of an age; nothing where nothing asks.
pub(super) fn age_bar(age: Age) -> Markup {
    let share = age.share().map(|share| match age.is_late() {
        true => share.max(1.01),
        false => share.min(1.0),
    });
    html! { @if let Some(share) = share { (bar(share)) } }
}

/// A value to sort by: seconds, calls or money; what is without end comes last.
pub(super) fn sort_key(value: Option<f64>) -> String {
    match value {
        Some(v) if v.is_finite() => {
            let text = format!("{v:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Some(_) => "1e99".to_owned(),
        None => String::new(),
    }
}

/// A mode's class as a mark with its word.
pub(super) fn class_mark(class: Option<ModeClass>) -> Markup {
    let name = crate::render::graph::class_name(class);
    html! {
        span class=(format!("mode {name}")) {
            (class.map_or("no mode", |c| c.word()))
        }
    }
}

/// A wide part that scrolls in a box of its own, also by keyboard.
pub(super) fn scroll(label: &str, inner: Markup) -> Markup {
    html! {
        div class="scroll" role="region" tabindex="0" aria-label=(label) { (inner) }
    }
}

/// The address of a scenario on the page.
pub(super) fn anchor(scenario: &str) -> String {
    format!("scenario-{scenario}")
}

/// A scenario's name that leads to where it is shown.
pub(super) fn link(scenario: &str, detailed: bool) -> Markup {
    html! {
        @if detailed {
            a href=(format!("#{}", anchor(scenario))) { (scenario) }
        } @else {
            (scenario)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_backticks_are_code_and_everything_is_escaped() {
        let shown = |text| prose(text).into_string();
        assert_eq!(
            shown("`a<b>` & \"c\""),
            "<bdi><code>a&lt;b&gt;</code> &amp; &quot;c&quot;</bdi>"
        );
        assert_eq!(shown("one ` alone"), "<bdi>one ` alone</bdi>");
        assert_eq!(shown("`a` and `b"), "<bdi><code>a</code> and `b</bdi>");
    }

    #[test]
    fn keys_sort_as_their_figures_do() {
        assert_eq!(sort_key(Some(1.5)), "1.5");
        assert_eq!(sort_key(Some(300.0)), "300");
        assert_eq!(sort_key(Some(f64::INFINITY)), "1e99");
        assert_eq!(sort_key(None), "");
    }
}
