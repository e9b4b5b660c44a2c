//! Any text has a layout; formatting it again changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline::syntax::print::format;

fuzz_target!(|text: &str| {
    let once = format(text).expect("a layout that proves itself");
    let twice = format(&once.text).expect("a layout of a layout");
    assert_eq!(once.sound, twice.sound);
    assert_eq!(once.text, twice.text);
});
