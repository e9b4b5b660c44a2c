//! Any bytes at all go the whole way: read, resolved, checked, printed in every form, planned.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../support/memory.rs"]
mod memory;
#[path = "../../support/whole.rs"]
mod whole;

fuzz_target!(|bytes: &[u8]| {
    whole::go(bytes);
});
