//! The Python module `_socket`.

mod conversions;
mod integers;
mod name_errors;
mod names;
mod system;

#[rustpython_vm::pymodule(
    name = "_socket",
    with(names::functions, conversions::functions, system::functions)
)]
pub(crate) mod _socket {}
