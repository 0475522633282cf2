#![no_main]

use rustpython_reactor_fuzz::socket_address;

libfuzzer_sys::fuzz_target!(|input: &[u8]| socket_address::check(input));
