//! SL07: whether a policy's tests speak of what can exist.
