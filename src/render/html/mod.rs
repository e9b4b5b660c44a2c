//! A policy as one page for people: no request leaves it, and it can be read without its script.
//!
//! A section is a file with a function that gives its body; [`sections`] lists them in the order
//! of the page, and the list of contents follows from it. A further one is a line there.

mod bits;
mod bounds;
mod calls;
mod chart;
mod fields;
mod findings;
mod flows;
mod glance;
mod scenarios;
mod simulated;

use base64::Engine;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use self::bits::prose;
use super::report::Report;
use crate::overview::{Figures, Overview};
use crate::sim::simulation::Simulated;

const STYLE: &str = include_str!("style.css");
const FLOW_STYLE: &str = include_str!("../graph/flow.css");
const SCRIPT: &str = include_str!("script.js");

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
struct Content<'a> {
    overview: &'a Overview,
    figures: Option<&'a Figures>,
    findings: &'a Report,
    simulated: Option<&'a Simulated>,
}

/// A section of the page.
struct Section {
    /// What addresses name it by.
    id: &'static str,
    /// Its heading.
    title: &'static str,
    /// What it comes to, for the list of contents.
    count: Option<String>,
    body: Markup,
}

/// The sections in their order. Where the policy has errors they come before everything else.
fn sections(content: Content) -> Vec<Section> {
    let mut sections = vec![
        glance::section(content),
        flows::section(content),
        bounds::section(content),
        fields::section(content),
        calls::section(content),
        scenarios::section(content),
        simulated::section(content),
    ];
    let at = match content.findings.summary().errors {
        0 => sections.len(),
        _ => 1,
    };
    sections.insert(at, Some(findings::section(content)));
    sections.into_iter().flatten().collect()
}

/// The page. The findings are those of the policy, in order; `simulated`: what a simulation of it
/// measured.
pub fn page(overview: &Overview, findings: &Report, simulated: Option<&Simulated>) -> String {
    let content = Content {
        overview,
        figures: overview.figures.as_ref(),
        findings,
        simulated,
    };
    let sections = sections(content);
    let name = match overview.policy.as_str() {
        "" => "A policy without a name",
        name => name,
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(concat!("syncline ", env!("CARGO_PKG_VERSION")));
                link rel="icon" href="data:,";
                title { (name) " · Syncline report" }
                style { (PreEscaped(STYLE)) (PreEscaped(FLOW_STYLE)) }
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                (head(overview, name, &sections))
                main id="main" tabindex="-1" {
                    @for section in &sections {
                        section id=(section.id) aria-labelledby=(format!("{}-title", section.id)) {
                            h2 id=(format!("{}-title", section.id)) { (section.title) }
                            (section.body)
                        }
                    }
                }
                footer {
                    p {
                        "Made by " code { "syncline report" } " from the policy and the connector \
                         catalog alone. Figures are estimates for a mean day and a month of 30 \
                         days; what is not known is shown as ? and never as 0."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut out = markup.into_string();
    out.push('\n');
    out
}

/// What the browser may load: nothing from anywhere; this very script and no other runs.
fn policy() -> String {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
         img-src data:; base-uri 'none'; form-action 'none'"
    )
}

fn head(overview: &Overview, name: &str, sections: &[Section]) -> Markup {
    html! {
        header {
            p class="kind" { "Sync policy" }
            h1 { (name) }
            @if let Some(doc) = &overview.doc {
                p class="lead" { (prose(doc)) }
            }
            dl class="facts" {
                div { dt { "For" } dd { time datetime=(overview.day) { (overview.day) } } }
                div { dt { "Time zone" } dd { (overview.zone) } }
                div {
                    dt { "Holds" }
                    dd {
                        (bits::counted(overview.systems, "system", "systems")) ", "
                        (bits::counted(overview.entities, "entity", "entities")) ", "
                        (bits::counted(overview.field_count, "field", "fields"))
                        @if let Some(figures) = &overview.figures {
                            ", "
                            (bits::counted(figures.scenarios.len(), "scenario", "scenarios"))
                        }
                    }
                }
                div {
                    dt { "Plan" }
                    dd {
                        @match &overview.digest {
                            Some(digest) => code class="digest" { (digest) },
                            None => "none: the policy has errors",
                        }
                    }
                }
            }
            nav aria-label="Contents" {
                ul {
                    @for section in sections {
                        li {
                            a href=(format!("#{}", section.id)) {
                                (section.title)
                                @if let Some(count) = &section.count {
                                    " " span class="count" { (count) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
