//! Events whose sender says who made the change, and of what.

use std::sync::Arc;

use syncline::engine::evaluate::{Absorbed, Report, absorb};
use syncline::engine::ports::{FieldIx, SystemIx};
use syncline::engine::program::Program;
use syncline::engine::register::{Gone, How, Known, Register};
use syncline::value::Value;

use crate::basics::policy;
use crate::fixtures;

const B: SystemIx = 1;
/// A time of the runner's clock, in microseconds.
const NOW: i64 = 1_767_571_200_000_000;
const SECOND: i64 = 1_000_000;

/// A field `f` of two origins and a field `g` of one, and a register.
struct Desk {
    program: Program,
    register: Register,
    f: FieldIx,
    g: FieldIx,
}

impl Desk {
    fn new() -> Desk {
        let fields = "field f: int? accepts b resolve max\n  field g: int? owner b";
        let flows = "scenario s { sync contact(f) between a, b mode realtime }\n\
                     scenario t { sync contact(g) from b to a mode realtime }";
        let (plan, found) = fixtures::planned(&policy(fields, flows));
        assert!(found.is_empty(), "{found:?}");
        let program = Program::new(plan).unwrap();
        let names = &program.entities[0].fields;
        let at = |name: &str| names.iter().position(|f| f.name == name).unwrap() as FieldIx;
        let (f, g) = (at("f"), at("g"));
        Desk {
            program,
            register: Register::default(),
            f,
            g,
        }
    }

    /// `b` is known to hold a value of `f`.
    fn holds(&mut self, value: i64, at: i64, how: How) {
        let value = Value::Int(value);
        let known = Known { value, at, how };
        self.register.view_mut(B).replace(self.f, known);
    }

    /// `b` tells of values; `own`: whether the runner's write made them.
    fn tells(
        &mut self,
        fields: &[(FieldIx, i64)],
        at: i64,
        own: bool,
        changed: Option<&[FieldIx]>,
    ) -> Absorbed {
        let mut fields: Vec<_> = fields.iter().map(|(f, v)| (*f, Value::Int(*v))).collect();
        fields.sort_by_key(|f| f.0);
        let report = Report {
            system: B,
            at,
            timed: true,
            id: &Arc::from("e"),
            fields: &fields,
            native_key: None,
            deleted: false,
            read: None,
            whole: changed.is_some(),
            own: Some(own),
            changed,
            handed: None,
        };
        absorb(&self.program.entities[0], &mut self.register, &report)
    }

    /// What `b` said itself of a field, with the time.
    fn said(&self, field: FieldIx) -> Option<(Value, i64)> {
        let origin = self.register.field(field)?.origin(B)?;
        Some((origin.latest.value.clone(), origin.latest.at))
    }

    fn known(&self, field: FieldIx) -> Option<&Value> {
        Some(&self.register.view(B)?.field(field)?.value)
    }
}

#[test]
fn an_echo_is_no_change_however_wrong_the_clock_and_whatever_was_written_since() {
    for behind in [-200 * SECOND, 0, 200 * SECOND] {
        let mut desk = Desk::new();
        desk.holds(5, NOW, How::Sent);
        desk.tells(&[(desk.f, 5)], NOW + behind, true, None);
        assert_eq!(desk.said(desk.f), None);
        desk.holds(6, NOW + SECOND, How::Sent);
        for _ in 0..3 {
            // The server may tell of one more than there were calls.
            desk.tells(&[(desk.f, 5)], NOW + behind, true, None);
        }
        assert_eq!(desk.said(desk.f), None);
        assert_eq!(desk.known(desk.f), Some(&Value::Int(6)));
    }
}

#[test]
fn what_somebody_else_set_counts_though_the_same_was_written() {
    let mut desk = Desk::new();
    desk.holds(5, NOW, How::Sent);
    let at = NOW - 200 * SECOND;
    desk.tells(&[(desk.f, 5)], at, false, None);
    assert_eq!(desk.said(desk.f), Some((Value::Int(5), at)));
}

#[test]
fn a_write_that_came_after_a_change_took_its_place() {
    let mut desk = Desk::new();
    desk.holds(5, NOW, How::Sent);
    let (change, write) = (NOW + SECOND, NOW + 2 * SECOND);
    desk.tells(&[(desk.f, 9)], change, false, None);
    assert_eq!(desk.said(desk.f), Some((Value::Int(9), change)));
    desk.holds(9, change, How::Reported);
    desk.tells(&[(desk.f, 5)], write, true, None);
    // Nobody knows what is there; the next comparison sends what should be.
    assert_eq!(desk.known(desk.f), None);
    assert_eq!(desk.said(desk.f), Some((Value::Int(9), change)));
}

#[test]
fn what_is_shown_beside_a_change_is_no_word_of_a_system_that_others_speak_beside() {
    let mut desk = Desk::new();
    desk.tells(&[(desk.f, 1)], NOW, false, None);
    let later = NOW + SECOND;
    desk.tells(&[(desk.f, 2), (desk.g, 3)], later, false, Some(&[desk.g]));
    assert_eq!(desk.said(desk.f), Some((Value::Int(1), NOW)));
    assert_eq!(desk.said(desk.g), Some((Value::Int(3), later)));
    // Where nothing was known of it, it is from an unknown time before.
    let mut desk = Desk::new();
    desk.tells(&[(desk.f, 2), (desk.g, 3)], later, false, Some(&[desk.g]));
    assert_eq!(desk.said(desk.f), Some((Value::Int(2), 0)));
    // A field that it alone speaks for is as it is shown.
    let mut desk = Desk::new();
    desk.tells(&[(desk.f, 2), (desk.g, 3)], later, false, Some(&[desk.f]));
    assert_eq!(desk.said(desk.g), Some((Value::Int(3), later)));
}

#[test]
fn the_runners_own_deletion_deletes_nothing() {
    let mut desk = Desk::new();
    desk.tells(&[(desk.f, 1)], NOW, false, None);
    let report = Report {
        system: B,
        at: NOW + SECOND,
        timed: true,
        id: &Arc::from("e2"),
        fields: &[],
        native_key: None,
        deleted: true,
        read: None,
        whole: false,
        own: Some(true),
        changed: None,
        handed: None,
    };
    let entity = &desk.program.entities[0];
    let absorbed = absorb(entity, &mut desk.register, &report);
    assert_eq!(absorbed, Absorbed::default());
    assert_eq!(desk.register.view(B).and_then(|v| v.gone), None::<Gone>);
}

#[test]
fn what_the_runner_wrote_twice_is_no_word_of_the_system() {
    let mut desk = Desk::new();
    desk.holds(5, NOW, How::Sent);
    let at = |seconds: i64| NOW + seconds * SECOND;
    desk.tells(&[(desk.f, 5)], at(1), true, None);
    desk.tells(&[(desk.f, 5)], at(3), true, None);
    // Between the two it was changed, which is told last.
    desk.tells(&[(desk.f, 2)], at(2), false, None);
    assert_eq!(desk.said(desk.f), Some((Value::Int(2), at(2))));
    assert_eq!(desk.known(desk.f), Some(&Value::Int(5)));
}
