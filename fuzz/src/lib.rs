//! What must hold for the crate's byte codecs on any input, as functions that panic where it does not.
//!
//! One module a codec. Its checks serve a fuzz target in `fuzz_targets/` and the property tests in `tests/properties.rs`.

pub mod control_message;
