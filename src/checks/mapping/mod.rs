//! SL04: what a field is called where, and whether it gets there and back.

pub(super) mod round_trip;
pub(super) mod sl0401_not_mapped;
pub(super) mod sl0402_key_not_mapped;
pub(super) mod sl0403_values_incomplete;
pub(super) mod sl0406_no_cursor;
