//! Chunks of a run: what is worked out, what is sent, and in which order.

use crate::basics::policy;
use crate::world::{Bench, text};

const HOURLY: &str = "scenario s { sync contact(name) from a to b mode hourly }";

#[test]
fn a_chunk_that_is_ready_goes_out_before_a_further_one_is_worked_out() {
    let fields = "field name: text? accepts c resolve last_write_wins";
    let mut bench = Bench::new(&policy(fields, HOURLY), 3).with_plan(|plan| {
        for system in &mut plan.systems {
            system.capabilities.events = false;
        }
        plan.systems[1].write_batch = Some(10_000);
    });
    for i in 0..32_000 {
        bench.seed("a", &format!("k{i:05}"), &[("name", text("x"))], -9_000);
    }
    bench.until_idle();
    assert_eq!(bench.writes("b"), 32_000);
    let at = |what: &str| bench.chunks.iter().position(|c| c == what);
    // Three are ahead at most: the answer to the first lets the second go, then the fourth begin.
    for chunk in 1..3 {
        let (sent, begun) = (format!("send {chunk}"), format!("begin {}", chunk + 2));
        assert!(at(&begun).is_some(), "{:?}", bench.chunks);
        assert!(at(&sent) < at(&begun), "{:?}", bench.chunks);
    }
}
