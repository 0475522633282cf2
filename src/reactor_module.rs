//! Floor 2: the Python module `_reactor`, which `pylib/reactor.py` shows as `reactor`: what the standard library has no name
//! for. A file for each subject, whose functions and classes go in the `with(...)` here.

mod connections;
mod deadlines;

pub(crate) use _reactor::module_def;

#[rustpython_vm::pymodule(name = "_reactor", with(connections::functions, deadlines::classes))]
pub(crate) mod _reactor {}
