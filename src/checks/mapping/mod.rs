//! SL04: what a field is called where, and whether it gets there and back.

pub(super) mod round_trip;
pub(super) mod sl0401_not_mapped;
pub(super) mod sl0402_key_not_mapped;
pub(super) mod sl0403_values_incomplete;
pub(super) mod sl0404_may_truncate;
pub(super) mod sl0406_no_cursor;
pub(super) mod sl0407_absent_into_required;
pub(super) mod sl0408_narrow_lookback;
