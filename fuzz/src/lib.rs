//! What must hold for the crate's byte codecs on any input, as functions that panic where it does not.
//!
//! One module a codec. Its checks serve a fuzz target of the same name in `fuzz_targets/`, which has its seeds in `seeds/`, and
//! the property tests in `tests/properties.rs`.

pub mod control_message;
pub mod socket_address;
