//! All fields: who owns them, whose word counts, how old they get where.

use maud::{Markup, html};

use super::bits::{age_bar, counted, prose, sort_key};
use super::{Content, Section};
use crate::checks::figures;
use crate::overview::{FieldKind, FieldRow, PlaceAge};
use crate::render::graph::{of_bound, plain};

pub(super) fn section(content: Content) -> Option<Section> {
    let overview = content.overview;
    if overview.fields.is_empty() {
        return None;
    }
    let with_ages = content.figures.is_some();
    let body = html! {
        @if overview.fields_left() > 0 {
            p class="left" {
                "The page lists " (counted(overview.fields.len(), "field", "fields"))
                ", those with a bound or a class first; "
                (figures::count(overview.fields_left() as f64))
                " more are in " code { "syncline estimate --format csv" } "."
            }
        }
        div class="find" data-for="field-table" hidden {
            label for="find" { "Find" }
            input id="find" type="search" autocomplete="off" spellcheck="false"
                placeholder="name, owner, rule, class, system, late …" aria-describedby="found";
            kbd title="Press / to search" { "/" }
            output id="found" for="find" {}
        }
        table id="field-table" class="fields" data-sortable {
            caption class="unseen" { "Fields" }
            thead {
                tr {
                    th scope="col" { "Field" }
                    th scope="col" { "Owner" }
                    th scope="col" { "Accepts" }
                    th scope="col" { "Rule" }
                    th scope="col" { "Class" }
                    @if with_ages {
                        th scope="col" data-by="number" { "Worst age, of its bound" }
                    }
                }
            }
            tbody {
                @for field in &overview.fields { (row(field, with_ages)) }
            }
        }
        p class="none" hidden { "No field has all of these words." }
    };
    Some(Section {
        id: "fields",
        title: "Fields",
        count: Some(figures::count(overview.field_count as f64)),
        body,
    })
}

fn row(field: &FieldRow, with_ages: bool) -> Markup {
    let (entity, name) = field.path.split_once('.').unwrap_or(("", &field.path));
    // Fields with a bound sort by how near they come to it, the others after them by their age.
    let key = field.share().map(|share| share + 1e9);
    let key = sort_key(key.or(field.worst().map(|w| w.min(9e8))));
    html! {
        tr {
            th scope="row" {
                span class="entity" { (entity) "." } (name)
                " " span class="type" { (plain(&field.ty)) }
                @if let Some(doc) = &field.doc { span class="doc" { (prose(doc)) } }
            }
            @match &field.kind {
                FieldKind::Key => td { span class="quiet" { "key" } },
                FieldKind::Derived(by) => td {
                    span class="quiet" { "derived " } code { bdi { (plain(by)) } }
                },
                FieldKind::Data => td { (field.owner.as_deref().unwrap_or("?")) },
            }
            td { (field.accepts.join(", ")) }
            td { @if let Some(rule) = &field.rule { (rule) } }
            td { (field.classes.join(", ")) }
            @if with_ages {
                td data-v=(key) {
                    @if !field.places.is_empty() {
                        ul class="places" { @for place in &field.places { (place_of(place)) } }
                    } @else if field.kind != FieldKind::Key {
                        span class="quiet" { "goes nowhere" }
                    }
                }
            }
        }
    }
}

fn place_of(place: &PlaceAge) -> Markup {
    let late = place.age.is_late();
    html! {
        li class=[late.then_some("bad")] {
            b { (place.system) }
            span class="track" { (age_bar(place.age)) }
            span { (of_bound(place.age)) @if late { ": late" } }
        }
    }
}
