//! What breaks, in the words of an author.

use super::figures;
use super::problem::Problem;
use super::reasons::{Overrun, late_hop, must_not_wait, overrun, seconds};
use super::truth::Fault;
use crate::arithmetic::{Arithmetic, Path};
use crate::graph::HopId;
use crate::model::{Scenario, ScenarioId, SystemId};
use crate::terms::Impact;
use crate::time::Millis;

impl Problem<'_> {
    /// What a fault is by these figures: "`contact.status` can be 8m old in `mailer`, older than its
    /// `fresh 5m`".
    pub fn describe(&self, fault: Fault, arithmetic: &Arithmetic) -> String {
        let name = |id: ScenarioId| &self.policy.scenario(id).name.text;
        let figures_of = |id: ScenarioId| arithmetic.scenario(id);
        match fault {
            Fault::Quota(system, _) => format!(
                "the policy needs {} of what it may use of `{}` a day",
                figures::share(self.overshoot(fault, arithmetic) + 1.0),
                self.system(system)
            ),
            Fault::Burst(system, at) => format!(
                "at the peak {} of the limit `{}` of `{}` is used",
                figures::share(self.overshoot(fault, arithmetic) + 1.0),
                self.limit(system, at),
                self.system(system)
            ),
            Fault::Hop(id) => {
                let late = figures_of(id).and_then(|f| late_hop(self.policy.scenario(id), f));
                late.map_or_else(String::new, |(to, worst, within)| {
                    format!(
                        "a change of `{}` can take {} to `{}`, longer than its `fresh {within}`",
                        name(id),
                        figures::duration(worst),
                        self.system(to)
                    )
                })
            }
            Fault::Run(id) => {
                let over = figures_of(id).and_then(|f| overrun(self.policy.scenario(id), f));
                self.run(name(id), over)
            }
            Fault::Urgent(id) => self.urgent(id, arithmetic),
            Fault::Endless(id) => format!(
                "a change of `{}` waits without end, since the limits leave it nothing",
                name(id)
            ),
            Fault::Field(at) => self.field(at, arithmetic),
        }
    }

    fn system(&self, id: SystemId) -> &str {
        &self.policy.system(id).name.text
    }

    fn limit(&self, system: SystemId, at: usize) -> &str {
        let facts = self.floor.facts(system);
        facts.and_then(|f| f.limits.get(at)).map_or("", |l| &l.name)
    }

    fn run(&self, name: &str, over: Option<Overrun>) -> String {
        let takes = |seconds: f64| match seconds.is_finite() {
            true => format!("takes {}", figures::duration(seconds)),
            false => "never ends".to_owned(),
        };
        match over {
            None | Some(Overrun::NeverStarts) => format!("`{name}` never starts"),
            Some(Overrun::Window(seconds, most)) => format!(
                "a run of `{name}` {}, but its window is open for {most}",
                takes(seconds)
            ),
            Some(Overrun::NextStart(seconds, most)) => format!(
                "a run of `{name}` {}, but its next start may come after {most}",
                takes(seconds)
            ),
        }
    }

    fn urgent(&self, id: ScenarioId, arithmetic: &Arithmetic) -> String {
        let scenario = self.policy.scenario(id);
        let ground = super::Ground {
            policy: self.policy,
            graph: self.graph,
            arithmetic,
        };
        let live = |s: &Scenario| {
            let figures = arithmetic.scenario(s.id);
            figures.is_some_and(|f| f.timing.is_realtime())
        };
        match must_not_wait(ground, scenario, &live) {
            Some((edge, field)) if scenario.impact() != Some(Impact::Compliance) => format!(
                "`{}` is of class consent and must reach `{}` in real time",
                self.policy.field_path(field),
                self.system(edge.to)
            ),
            _ => format!(
                "`{}` is `stale compliance` and must run in real time",
                scenario.name
            ),
        }
    }

    /// The oldest way of a bounded field.
    pub(super) fn oldest(&self, bound: usize, arithmetic: &Arithmetic) -> Option<Path> {
        let bound = self.bounds.get(bound)?;
        let age = |hop: HopId| arithmetic.age(hop);
        let place = (bound.field, bound.system);
        let paths = Arithmetic::paths_by(self.policy, self.graph, place, &age);
        paths
            .into_iter()
            .max_by(|a, b| seconds(a.worst).total_cmp(&seconds(b.worst)))
    }

    fn field(&self, at: usize, arithmetic: &Arithmetic) -> String {
        let worst = self
            .oldest(at, arithmetic)
            .map_or(0.0, |p| seconds(p.worst));
        self.bounds.get(at).map_or_else(String::new, |bound| {
            let old = match worst.is_finite() {
                true => format!("{} old", figures::duration(worst)),
                false => "of any age".to_owned(),
            };
            format!(
                "`{}` can be {old} in `{}`, older than its `fresh {}`",
                self.policy.field_path(bound.field),
                self.system(bound.system),
                Millis((bound.within * 1_000.0).round() as u64)
            )
        })
    }
}
