//! From a checked policy to a plan. Items are put in the order of their names, so that neither
//! the order of items nor the split into files shows.

use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::types::{
    Breaker, Bulk, Capabilities, Checkpoint, Clean, Dedupe, Entity, EnvRef, Expression, Field,
    Freshness, Guard, Keep, Limit, Map, MapField, Mode, PLAN_VERSION, Plan, PolicyLine, Require,
    Retry, Route, Scenario, Setting, System, VendorLimit, Volume, When,
};
use crate::arithmetic::tier;
use crate::catalog;
use crate::model::{self, FieldId, ModeKind, Policy, SystemId};
use crate::terms::ModeClass;
use crate::text::{Sources, Span};
use crate::time::{Calendar, Date, Millis, mode_class};
use crate::value::Type;

/// Latency of a write where neither system nor catalog says: 2 s.
const LATENCY: Millis = Millis(2_000);
/// Calls at a time to a `webhook` system whose catalog entry does not say.
const WEBHOOK_AT_A_TIME: u32 = 64;
/// Share of calls that fail where the system does not say: 0.5 %.
const FAILURE: f64 = 0.005;

/// Compiles a policy that has no finding at error level. `None`: it has no `policy` item, which
/// the checks report.
pub fn compile(sources: &Sources, policy: &Policy) -> Option<Plan> {
    let name = policy.name.as_ref()?.text.to_string();
    let zone = policy.zone;
    let compiler = Compiler {
        sources,
        policy,
        calendar: Calendar::of_year(zone, class_year()),
    };
    let mut plan = Plan {
        syncline_plan: PLAN_VERSION,
        policy: name,
        digest: String::new(),
        timezone: policy.zone.name().to_owned(),
        alert: policy.alert.as_ref().map(|a| env_ref(&a.value)),
        systems: policy.systems.iter().map(|s| compiler.system(s)).collect(),
        entities: policy.entities.iter().map(|e| compiler.entity(e)).collect(),
        maps: policy.maps.iter().map(|m| compiler.map(m)).collect(),
        scenarios: policy
            .scenarios
            .iter()
            .map(|s| compiler.scenario(s))
            .collect(),
    };
    plan.systems.sort_by(|a, b| a.name.cmp(&b.name));
    plan.entities.sort_by(|a, b| a.name.cmp(&b.name));
    plan.maps
        .sort_by(|a, b| (&a.entity, &a.system).cmp(&(&b.entity, &b.system)));
    plan.scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    plan.digest = super::digest::digest(&plan);
    Some(plan)
}

/// The year over which a mode's class is told: fixed, since a plan is the same whenever it is made.
fn class_year() -> Date {
    Date::from_ymd_opt(2026, 1, 1).unwrap_or_default()
}

struct Compiler<'a> {
    sources: &'a Sources,
    policy: &'a Policy,
    calendar: Calendar,
}

/// `path` as seen from `folder`, both relative to one place: the plan must not show where it was
/// compiled from.
fn relative(folder: &Path, path: &Path) -> PathBuf {
    let shared = folder
        .components()
        .zip(path.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

fn env_ref(var: &model::EnvVar) -> EnvRef {
    EnvRef {
        env: var.var.text.to_string(),
        default: var.default.as_ref().map(|d| d.text.to_string()),
    }
}

/// Calls at a time that the runner makes. Of a webhook's receiver nothing is known, but receivers
/// answer side by side, and one call after the other would tie throughput to the way there and
/// back; the estimates stay with the cautious figure.
fn calls_at_a_time(system: &model::System, entry: &catalog::Entry) -> u32 {
    let tier = tier(system, entry);
    match entry.name.as_str() {
        "webhook" if entry.concurrency.is_none() => WEBHOOK_AT_A_TIME,
        _ => entry.calls_at_a_time(tier),
    }
}

/// What a vendor's limits come to for a system's tier and seats. Those on events concern no call
/// that the runner makes.
fn vendor_limits(system: &model::System, entry: &catalog::Entry) -> Vec<VendorLimit> {
    let seats = system.seats.as_ref().map_or(0, |s| s.value);
    let cost = |limit: &catalog::Limit, group| match (limit.counts(group), &limit.weights) {
        (false, _) => 0,
        (true, None) => 1,
        (true, Some(weights)) if group == catalog::Group::Read => weights.read.value,
        (true, Some(weights)) if group == catalog::Group::Bulk => {
            weights.bulk.as_ref().unwrap_or(&weights.write).value
        }
        (true, Some(weights)) => weights.write.value,
    };
    let takes_jobs = entry.batch.bulk.is_some();
    let limits = entry.limits(tier(system, entry)).map(|limit| VendorLimit {
        name: limit.name.clone(),
        calls: limit.allowed(seats),
        per: limit.per,
        fixed: limit.window == Some(catalog::Window::Fixed),
        read: cost(limit, catalog::Group::Read),
        write: cost(limit, catalog::Group::Write),
        bulk: match takes_jobs {
            true => cost(limit, catalog::Group::Bulk),
            false => 0,
        },
    });
    // One that grows by seats of which nobody says how many there are says nothing.
    limits
        .filter(|l| l.calls > 0 && l.read + l.write + l.bulk > 0)
        .collect()
}

impl Compiler<'_> {
    fn system_name(&self, id: SystemId) -> String {
        self.policy.system(id).name.text.to_string()
    }

    fn field_name(&self, id: FieldId) -> String {
        self.policy.field(id).name.text.to_string()
    }

    /// The text between the backticks.
    fn cel(&self, expr: &model::Expression) -> String {
        let text = self.sources.slice(expr.span);
        text.strip_prefix('`')
            .and_then(|t| t.strip_suffix('`'))
            .unwrap_or(text)
            .to_owned()
    }

    fn expression(&self, expr: &model::Expression) -> Expression {
        let mut reads: Vec<String> = expr
            .fields()
            .into_iter()
            .map(|f| self.field_name(f))
            .collect();
        reads.sort();
        Expression {
            cel: self.cel(expr),
            reads,
        }
    }

    fn line(&self, span: Span) -> PolicyLine {
        let file = self.sources.file(span.file);
        let root = self.sources.iter().next().map_or("", |(_, f)| &f.path);
        let folder = Path::new(root).parent().unwrap_or(Path::new(""));
        let path = relative(folder, Path::new(&file.path));
        PolicyLine {
            file: path.to_string_lossy().replace('\\', "/"),
            line: file.line_of(span.start),
        }
    }

    fn system(&self, s: &model::System) -> System {
        let entry = s.entry();
        let can = entry.map(|e| e.capabilities);
        let setting = |value: &model::SettingValue| match value {
            model::SettingValue::Text(t) => Setting::Value(Json::from(&**t)),
            model::SettingValue::Int(i) => Setting::Value(Json::from(*i)),
            model::SettingValue::Bool(b) => Setting::Value(Json::from(*b)),
            model::SettingValue::Duration(d) => Setting::Value(Json::from(d.0)),
            model::SettingValue::Env(e) => Setting::Env(env_ref(e)),
        };
        let mut options: IndexMap<String, Setting> = s
            .options
            .iter()
            .filter_map(|o| Some((o.name.text.to_string(), setting(o.value.as_ref()?))))
            .collect();
        options.sort_keys();
        let mut secrets: IndexMap<String, EnvRef> = s
            .secrets
            .iter()
            .filter_map(|o| match o.value.as_ref()? {
                model::SettingValue::Env(e) => Some((o.name.text.to_string(), env_ref(e))),
                _ => None,
            })
            .collect();
        secrets.sort_keys();
        let mut limits: Vec<Limit> = s
            .limits
            .iter()
            .map(|l| Limit {
                calls: l.value.count,
                per: l.value.per,
            })
            .collect();
        limits.sort_by_key(|l| (l.per, l.calls));
        System {
            name: s.name.text.to_string(),
            connector: s
                .connector
                .as_ref()
                .map_or(String::new(), |c| c.written.text.to_string()),
            tier: s.tier.as_ref().map(|t| t.value.to_string()),
            capabilities: Capabilities {
                read: can.is_some_and(|c| c.read),
                write: can.is_some_and(|c| c.write),
                upsert: can.is_some_and(|c| c.upsert),
                events: can.is_some_and(|c| c.events),
                deletes: can.is_some_and(|c| c.deletes),
            },
            options,
            secrets,
            limits,
            vendor_limits: entry.map_or_else(Vec::new, |e| vendor_limits(s, e)),
            concurrency: entry.map_or(1, |e| calls_at_a_time(s, e)),
            seats: s.seats.as_ref().map(|v| v.value),
            budget: s.budget.as_ref().map_or(1.0, |b| b.value.share()),
            failure: s.failure.as_ref().map_or(FAILURE, |f| f.value.share()),
            latency: match (&s.latency, entry) {
                (Some(own), _) => own.value,
                (None, Some(entry)) => entry.write_latency(),
                (None, None) => LATENCY,
            },
            write_batch: entry.and_then(|e| e.write_batch()),
            bulk: entry.and_then(|e| e.batch.bulk.as_ref()).map(|b| Bulk {
                from_records: b.from_records.value,
                records: b.records.value.max(1),
                fixed_calls: b.fixed_calls.value,
            }),
            read_page: entry.and_then(|e| e.read_page()),
            visibility_lag: entry.map_or(Millis(0), |e| e.read_lag()),
        }
    }

    fn entity(&self, e: &model::Entity) -> Entity {
        let mut fields: Vec<Field> = e.fields.iter().map(|f| self.field(f)).collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Entity {
            name: e.name.text.to_string(),
            keys: e.key_fields().map(|f| f.name.text.to_string()).collect(),
            fields,
            volume: e.volume.as_ref().map(|v| Volume {
                records: Some(v.value.records),
                changes_per_day: v.value.changes.per_day(),
                peak: v.value.peak.map(|p| p as f64),
            }),
        }
    }

    fn field(&self, f: &model::Field) -> Field {
        let mut accepts: Vec<String> = f
            .accepts
            .iter()
            .flat_map(|a| &a.value.systems)
            .map(|s| self.system_name(s.value))
            .collect();
        accepts.sort();
        let mut classes: Vec<String> = f.classes().iter().map(|c| c.text.to_string()).collect();
        classes.sort();
        Field {
            name: f.name.text.to_string(),
            ty: f.ty.clone().unwrap_or(Type::Json),
            optional: f.optional,
            owner: f.owner().map(|o| self.system_name(o)),
            accepts,
            resolve: f.resolve.as_ref().map(|r| r.value),
            fresh: self.freshness(f),
            classes,
            changes_per_day: f.changes.as_ref().map(|c| c.value.per_day()),
            derived: f.derived.as_ref().map(|d| self.expression(&d.expr)),
        }
    }

    /// A bound without `in` holds in every system that maps the field and that some flow reaches;
    /// systems that are only ever a source are left out, and so is the owner itself.
    fn freshness(&self, f: &model::Field) -> Vec<Freshness> {
        let Some(fresh) = &f.fresh else {
            return Vec::new();
        };
        let Some(within) = fresh.value.within else {
            return Vec::new();
        };
        let mut systems: Vec<String> = match &fresh.value.systems {
            Some(named) => named
                .iter()
                .filter_map(|s| s.id)
                .map(|s| self.system_name(s))
                .collect(),
            None => (0..self.policy.systems.len() as u32)
                .map(SystemId)
                .filter(|s| self.policy.maps_field(f.id, *s) && f.owner() != Some(*s))
                .filter(|s| {
                    let mut hops = self.policy.scenarios.iter().flat_map(|sc| &sc.hops);
                    hops.any(|h| h.to.value == *s && h.fields.contains(&f.id))
                })
                .map(|s| self.system_name(s))
                .collect(),
        };
        systems.sort();
        systems
            .into_iter()
            .map(|system| Freshness { system, within })
            .collect()
    }

    fn map(&self, m: &model::Map) -> Map {
        let entity = self.policy.entity(m.entity.value);
        let mut fields: Vec<MapField> = m
            .fields
            .iter()
            .filter_map(|f| {
                let field = entity.fields.get(f.field as usize)?;
                Some(MapField {
                    field: field.name.text.to_string(),
                    column: f.column.to_string(),
                    key: field.is_key,
                    values: f
                        .values()
                        .iter()
                        .flat_map(|v| &v.pairs)
                        .map(|(name, raw)| (name.text.to_string(), raw.text.to_string()))
                        .collect(),
                    read: f.read().map(|e| self.cel(e)),
                    write: f.write().map(|e| self.cel(e)),
                })
            })
            .collect();
        fields.iter_mut().for_each(|f| f.values.sort_keys());
        fields.sort_by(|a, b| a.field.cmp(&b.field));
        Map {
            entity: entity.name.text.to_string(),
            system: self.system_name(m.system.value),
            object: m.object.to_string(),
            fields,
            cursor: m.cursor.as_ref().map(|c| c.value.column.to_string()),
            overlap: m
                .cursor
                .as_ref()
                .and_then(|c| c.value.overlap.as_ref())
                .map(|o| o.value),
            changed_at: m.changed_at.as_ref().map(|c| c.value.to_string()),
            deleted: m.deleted.as_ref().map(|d| d.value.to_string()),
        }
    }

    fn scenario(&self, s: &model::Scenario) -> Scenario {
        let mut after: Vec<String> = s
            .after
            .iter()
            .filter_map(|a| a.id)
            .map(|id| self.policy.scenario(id).name.text.to_string())
            .collect();
        after.sort();
        let retry = s.retry();
        let breaker = s.breaker();
        let (mode, reason) = self.mode(s);
        Scenario {
            name: s.name.text.to_string(),
            title: s.title.as_ref().map(|t| t.text.to_string()),
            mode,
            reason,
            at: self.line(s.span),
            when: s.when.as_ref().and_then(|w| {
                Some(When {
                    system: self.system_name(w.system.id?),
                    event: w.event.text.to_string(),
                    filter: w.filter.as_ref().map(|f| self.cel(&f.expr)),
                })
            }),
            routes: self.routes(s),
            clean: s.clean.as_ref().and_then(|c| {
                Some(Clean {
                    entity: self.policy.entity(c.entity.id?).name.text.to_string(),
                    system: self.system_name(c.system.id?),
                })
            }),
            checkpoint: s.checkpoint.as_ref().map(|c| self.checkpoint(c)),
            after,
            window: s.window.as_ref().map(|w| w.value.clone()),
            batch: s
                .batch
                .as_ref()
                .map(|b| u32::try_from(b.value).unwrap_or(u32::MAX)),
            scan_full: s.scan_full.as_ref().is_some_and(|v| v.value),
            propagate_deletes: s.deletes.as_ref().is_some_and(|v| v.value),
            priority: s.priority,
            retry: Retry {
                from: retry.from,
                to: retry.to,
                attempts: u32::try_from(retry.attempts).unwrap_or(u32::MAX),
            },
            breaker: Breaker {
                failures: u32::try_from(breaker.failures).unwrap_or(u32::MAX),
                pause: breaker.pause,
            },
            order: s.order(),
            fresh: s.fresh.as_ref().map(|f| f.value),
            stale: s.impact(),
            volume: s.volume.as_ref().map(|v| Volume {
                records: None,
                changes_per_day: v.value.rate.per_day(),
                peak: v.value.peak.map(|p| p as f64),
            }),
        }
    }

    fn mode(&self, s: &model::Scenario) -> (Mode, String) {
        let fallback = model::AUTO_RUNS_AS;
        let (realtime, schedule) = match &s.mode.kind {
            ModeKind::Realtime => (true, None),
            ModeKind::Scheduled(schedule) => (false, Some(schedule.clone().unwrap_or(fallback))),
            ModeKind::Hybrid(schedule) => (true, Some(schedule.clone().unwrap_or(fallback))),
            ModeKind::Auto | ModeKind::Unknown => (false, Some(fallback)),
        };
        let class = match (realtime, &schedule) {
            (true, None) => ModeClass::Realtime,
            (true, Some(_)) => ModeClass::Hybrid,
            (false, Some(schedule)) => {
                let window = s.window.as_ref().map(|w| w.value.clone());
                mode_class(self.calendar.longest_gap(schedule, window.as_ref()))
            }
            (false, None) => ModeClass::Scheduled,
        };
        let text = match (realtime, &schedule) {
            (true, None) => "realtime".to_owned(),
            (true, Some(schedule)) => format!("realtime with reconcile {schedule}"),
            (false, Some(schedule)) => schedule.to_string(),
            (false, None) => String::new(),
        };
        let reason = match (&s.mode.chosen, s.mode.written, s.mode.span) {
            (Some(chosen), _, _) => format!("chosen for `auto`, {}", chosen.why),
            (_, true, _) => "written in the scenario".to_owned(),
            (_, false, Some(_)) => "the policy's `unsure` mode: the scenario names none".to_owned(),
            (_, false, None) => {
                "the language's default: neither the scenario nor `unsure` says".to_owned()
            }
        };
        (
            Mode {
                text,
                class,
                realtime,
                schedule,
            },
            reason,
        )
    }

    fn routes(&self, s: &model::Scenario) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for hop in &s.hops {
            let Some(sync) = s.syncs.get(hop.sync as usize) else {
                continue;
            };
            let mut fields: Vec<String> = hop.fields.iter().map(|f| self.field_name(*f)).collect();
            fields.sort();
            routes.push(Route {
                id: String::new(),
                entity: self.policy.entity(hop.entity).name.text.to_string(),
                from: self.system_name(hop.from.value),
                to: self.system_name(hop.to.value),
                fields,
                filter: sync.filter.as_ref().map(|f| self.expression(&f.expr)),
                passes: sync
                    .filter
                    .as_ref()
                    .and_then(|f| f.passes)
                    .map(|p| p.value.share()),
                at: self.line(sync.clause),
            });
        }
        routes.sort_by(|a, b| {
            let key = |r: &Route| {
                (
                    r.entity.clone(),
                    r.from.clone(),
                    r.to.clone(),
                    r.fields.clone(),
                )
            };
            key(a).cmp(&key(b)).then_with(|| {
                let cel = |r: &Route| r.filter.as_ref().map(|f| f.cel.clone());
                cel(a).cmp(&cel(b))
            })
        });
        for i in 0..routes.len() {
            let same = |r: &Route| {
                r.entity == routes[i].entity && r.from == routes[i].from && r.to == routes[i].to
            };
            let before = routes[..i].iter().filter(|r| same(r)).count();
            let r = &routes[i];
            let mut id = format!("{}/{}/{}>{}", s.name.text, r.entity, r.from, r.to);
            if before > 0 {
                id.push_str(&format!("#{}", before + 1));
            }
            routes[i].id = id;
        }
        routes
    }

    fn checkpoint(&self, c: &model::Checkpoint) -> Checkpoint {
        Checkpoint {
            dedupe: c.dedupe.as_ref().map(|d| Dedupe {
                by: d
                    .by
                    .iter()
                    .filter_map(|f| f.id)
                    .map(|f| self.field_name(f))
                    .collect(),
                keep: match d.keep.value {
                    model::Keep::Newest => Keep::Newest,
                    model::Keep::Oldest => Keep::Oldest,
                    model::Keep::Owner => Keep::Owner,
                },
            }),
            require: c
                .requires
                .iter()
                .map(|r| Require {
                    expression: self.expression(&r.expr),
                    abort: r.abort,
                })
                .collect(),
            guard: c
                .guards
                .iter()
                .filter_map(|g| {
                    let field = self.field_name(g.field.id?);
                    Some(Guard {
                        field,
                        over: g.over?.value.share(),
                    })
                })
                .collect(),
            abort_over: c.abort.as_ref().map(|a| a.value.share()),
        }
    }
}
