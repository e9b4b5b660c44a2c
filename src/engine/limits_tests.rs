//! Limits on their own: no window holds more than it may, and what is held knows until when.

use super::*;

fn limits(calls: u64, per: Millis, midnight: bool, used: &[Priority]) -> Limits {
    let used: BTreeSet<Priority> = used.iter().copied().collect();
    let caps = match per >= Millis::DAY {
        true => quota_caps(calls, 1.0, &used),
        false => burst_caps(calls, &used),
    };
    let gauge = Gauge {
        name: "limit".into(),
        per,
        midnight,
        costs: [1; 3],
        caps,
        spent: VecDeque::new(),
    };
    Limits {
        gauges: vec![gauge],
        room: [1; PRIORITIES],
        zone: Zone::parse("America/New_York").unwrap(),
    }
}

const ONE: (Kind, u64) = (Kind::Write, 1);

/// Calls as early as they may go, over so long, asked for at random moments.
fn calls(limits: &mut Limits, span: i64, seed: u64) -> Vec<i64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut now = Instant(1_700_000_000_000);
    let end = now.0 + span;
    let mut made = Vec::new();
    while now.0 < end {
        match limits.ask(now, ONE, Priority::Bulk, Claimed::default()) {
            Ok(()) => {
                limits.spend(now, ONE);
                made.push(now.0);
                if random.u8(0..4) == 0 {
                    now.0 += random.i64(0..(span / 2_000).max(1));
                }
            }
            Err(held) => {
                assert!(held.until > now, "what is held is held until later");
                // It is not held longer than it must be by more than a part of the window.
                now = held.until;
            }
        }
        if random.u8(0..20) == 0 {
            let text = limits.print();
            limits.gauges[0].spent.clear();
            limits.recall(&text);
        }
    }
    made
}

#[test]
fn no_window_that_reaches_back_ever_holds_more_than_it_may() {
    for (n, per, seed) in [
        (1, 1, 1),
        (5, 1_000, 2),
        (100, 10_000, 3),
        (37, 86_400_000, 4),
    ] {
        let mut limits = limits(n, Millis(per), false, &[]);
        let made = calls(&mut limits, per as i64 * 40, seed);
        for (i, first) in made.iter().enumerate() {
            let window = made[i..].iter().take_while(|t| *t - first < per as i64);
            assert!(window.count() as u64 <= n, "{n} in {per} ms");
        }
        // And it is used, where calls press.
        assert!(made.len() as u64 > n * 15, "{} calls", made.len());
    }
}

#[test]
fn a_day_that_is_counted_from_midnight_ends_at_midnight() {
    let mut limits = limits(10, Millis::DAY, true, &[]);
    let midnight = limits
        .zone
        .start_of(chrono::NaiveDate::from_ymd_opt(2026, 3, 9).unwrap());
    let evening = Instant(midnight.0 - 60_000);
    for _ in 0..10 {
        assert_eq!(
            limits.ask(evening, ONE, Priority::Bulk, Claimed::default()),
            Ok(())
        );
        limits.spend(evening, ONE);
    }
    let held = limits.ask(evening, ONE, Priority::Bulk, Claimed::default());
    assert_eq!(held.unwrap_err().until, midnight);
    assert_eq!(
        limits.ask(midnight, ONE, Priority::Bulk, Claimed::default()),
        Ok(())
    );
}

#[test]
fn a_quota_is_left_to_the_higher_priorities_that_use_the_system() {
    let all: BTreeSet<Priority> = Priority::ALL.iter().copied().collect();
    assert_eq!(quota_caps(1_000, 1.0, &all), [1_000, 950, 900, 850]);
    // Of a budget of 40 % consent may go beyond, up to what the vendor takes.
    assert_eq!(quota_caps(1_000, 0.4, &all), [1_000, 380, 360, 340]);
    let alone = BTreeSet::from([Priority::Bulk]);
    assert_eq!(
        quota_caps(1_000, 1.0, &alone)[Priority::Bulk as usize],
        1_000
    );
    // However small it is, each has something.
    for calls in 1..10 {
        assert!(
            quota_caps(calls, 1.0, &all)
                .iter()
                .all(|c| (1..=calls).contains(c))
        );
        assert!(
            burst_caps(calls, &all)
                .iter()
                .all(|c| (1..=calls).contains(c))
        );
    }
}

#[test]
fn what_a_higher_priority_waits_for_no_lower_one_takes() {
    let mut limits = limits(10, Millis(1_000), false, &[]);
    limits.gauges[0].costs = [1, 4, 4];
    let now = Instant(0);
    limits.spend(now, (Kind::Write, 2));
    let mut claimed = Claimed::default();
    let held = limits
        .ask(now, ONE, Priority::Consent, claimed)
        .unwrap_err();
    claimed.by(&held);
    let read = (Kind::Read, 1);
    assert!(limits.ask(now, read, Priority::Bulk, claimed).is_err());
    assert!(
        limits
            .ask(now, read, Priority::Bulk, Claimed::default())
            .is_ok()
    );
}
