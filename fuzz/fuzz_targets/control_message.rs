#![no_main]

use rustpython_reactor_fuzz::control_message;

libfuzzer_sys::fuzz_target!(|input: &[u8]| control_message::check(input));
