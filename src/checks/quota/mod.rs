//! SL03: whether the calls fit the limits, and the runs their windows.
