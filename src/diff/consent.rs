//! Consent that no longer moves in real time.

use std::collections::BTreeSet;

use super::flows::classes;
use super::kind::Kind;
use super::list::List;
use super::reach::Reach;
use super::types::{About, Where};
use crate::plan::Plan;

fn is_consent(plan: &Plan, entity: &str, field: &str) -> bool {
    classes(plan, entity, field).iter().any(|c| c == "consent")
}

/// Entity, field and receiver of all consent that moves in real time.
fn live(plan: &Plan) -> BTreeSet<(&str, &str, &str)> {
    let mut all = BTreeSet::new();
    for scenario in plan.scenarios.iter().filter(|s| s.mode.realtime) {
        for route in &scenario.routes {
            let fields = route.fields.iter();
            let consents = fields.filter(|f| is_consent(plan, &route.entity, f));
            all.extend(consents.map(|f| (&*route.entity, f.as_str(), &*route.to)));
        }
    }
    all
}

/// Consent that no longer moves in real time to a system which still gets it.
pub(super) fn compare(list: &mut List, reach: &Reach) {
    let (old, new) = (list.old, list.new);
    let any = |plan: &Plan| {
        let fields = plan.entities.iter().flat_map(|e| &e.fields);
        fields.flat_map(|f| &f.classes).any(|c| c == "consent")
    };
    if !any(&old.plan) {
        return;
    }
    let after = live(&new.plan);
    for (entity, field, to) in live(&old.plan).difference(&after) {
        // A field that is no longer of the class may still move in real time; its class is told of.
        if !reach.gets(true, entity, field, to) || !is_consent(&new.plan, entity, field) {
            continue;
        }
        let carrier = |plan: &Plan, live: bool| {
            let mut scenarios = plan.scenarios.iter().filter(|s| s.mode.realtime || !live);
            scenarios.find_map(|s| {
                let mut routes = s.routes.iter();
                let route = routes.find(|r| {
                    r.entity == *entity && r.to == *to && r.fields.iter().any(|f| f == field)
                })?;
                Some((s.name.clone(), s.mode.text.clone(), route.from.clone()))
            })
        };
        let (Some(was), Some(is)) = (carrier(&old.plan, true), carrier(&new.plan, false)) else {
            continue;
        };
        list.add(
            Kind::ConsentNotRealtime,
            format!("{entity}.{field} in {to}"),
        )
        .was(
            format!("mode {} by {}", was.1, was.0),
            old.flow(&was.0, entity, &was.2, to),
        )
        .is(
            format!("mode {} by {}", is.1, is.0),
            new.flow(&is.0, entity, &is.2, to),
        )
        .means(format!(
            "`{to}` acts on a consent that was taken back until the next run"
        ))
        .about(About::Field(
            (*entity).to_owned(),
            (*field).to_owned(),
            Where::At((*to).to_owned()),
        ));
    }
}
