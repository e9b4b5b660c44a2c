//! SL02: whether each field gets where it must be in the time that it may take.

pub(super) mod sl0201_freshness_unattainable;
