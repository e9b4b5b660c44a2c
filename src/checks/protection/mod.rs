//! SL06: who may see what, and who hears when something goes wrong.

pub(super) mod sl0601_not_cleared;
pub(super) mod sl0602_unfiltered_send;
pub(super) mod sl0603_no_dead_letter_watch;
