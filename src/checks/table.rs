//! The table of checks.

use super::Context;
use super::connectors::*;
use super::freshness::*;
use super::mapping::*;
use super::ownership::*;
use super::policy_tests::*;
use super::protection::*;
use super::quota::*;
use super::tidiness::*;
use crate::finding::{Code, Finding};

/// A check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The code of its findings.
    pub code: Code,
    /// What finds them, in reading order where that costs nothing.
    pub run: fn(&Context) -> Vec<Finding>,
}

const fn row(code: u16, run: fn(&Context) -> Vec<Finding>) -> Check {
    Check {
        code: Code(code),
        run,
    }
}

/// Every check by code. SL0801 is no row: it is what [`super::run`] finds when it applies the
/// `allow`s to what these found.
pub const CHECKS: &[Check] = &[
    row(101, sl0101_no_owner::check),
    row(102, sl0102_two_owners::check),
    row(103, sl0103_write_to_owner::check),
    row(104, sl0104_unauthorised_source::check),
    row(105, sl0105_competing_writers::check),
    row(106, sl0106_sync_loop::check),
    row(107, sl0107_redundant_path::check),
    row(108, sl0108_no_change_time::check),
    row(109, sl0109_resolve_type::check),
    row(110, sl0110_accepts_unused::check),
    row(111, sl0111_derivation_circle::check),
    row(112, sl0112_derived_owned::check),
    row(113, sl0113_order_circle::check),
    row(114, sl0114_clean_not_owner::check),
    row(115, sl0115_unstable_round_trip::check),
    row(116, sl0116_coarse_change_time::check),
    row(201, sl0201_freshness_unattainable::check),
    row(202, sl0202_never_arrives::check),
    row(203, sl0203_consent_not_realtime::check),
    row(204, sl0204_urgent_on_schedule::check),
    row(205, sl0205_idle_realtime::check),
    row(206, sl0206_stale_relay::check),
    row(207, sl0207_stale_copy::check),
    row(208, sl0208_no_reconcile::check),
    row(301, sl0301_over_daily_quota::check),
    row(302, sl0302_over_burst_limit::check),
    row(303, sl0303_window_too_short::check),
    row(304, sl0304_overlapping_runs::check),
    row(305, sl0305_batch_too_large::check),
    row(306, sl0306_slow_recovery::check),
    row(307, sl0307_never_runs::check),
    row(308, sl0308_clock_change::check),
    row(309, sl0309_loosened_limit::check),
    row(310, sl0310_unknown_volume::check),
    row(401, sl0401_not_mapped::check),
    row(402, sl0402_key_not_mapped::check),
    row(403, sl0403_values_incomplete::check),
    row(404, sl0404_may_truncate::check),
    row(406, sl0406_no_cursor::check),
    row(407, sl0407_absent_into_required::check),
    row(408, sl0408_narrow_lookback::check),
    row(501, sl0501_no_events::check),
    row(502, sl0502_no_upsert::check),
    row(503, sl0503_cannot_write::check),
    row(504, sl0504_literal_secret::check),
    row(505, sl0505_bad_option::check),
    row(601, sl0601_not_cleared::check),
    row(602, sl0602_unfiltered_send::check),
    row(603, sl0603_no_dead_letter_watch::check),
    row(701, sl0701_bad_test::check),
    row(802, sl0802_unused_item::check),
    row(803, sl0803_naming::check),
    row(804, sl0804_no_doc::check),
];
