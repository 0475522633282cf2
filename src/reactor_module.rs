//! Floor 2: the Python module `_reactor`, which `pylib/reactor.py` shows as `reactor`: what the standard library has no name
//! for. A file for each subject, whose functions and classes go in the `with(...)` here.

mod busy_poll;
mod connections;
mod deadlines;
mod lookup_queue;
mod names;

pub(crate) use _reactor::module_def;

#[rustpython_vm::pymodule(
    name = "_reactor",
    with(
        busy_poll::functions,
        deadlines::classes,
        connections::functions,
        lookup_queue::classes,
        names::functions
    )
)]
pub(crate) mod _reactor {}
