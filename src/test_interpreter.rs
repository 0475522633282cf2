//! The interpreter that the unit tests enter.

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_vm::{Settings, VirtualMachine};

/// Runs `test` in an interpreter of its own with the standard library.
///
/// It leaves the process's signals alone. Its start would ignore each of them for a moment, `SIGCHLD` too, and a child that ends just
/// then is reaped by the kernel: other tests wait for children of theirs meanwhile.
pub(crate) fn with_vm(test: impl FnOnce(&VirtualMachine)) {
    let mut settings = Settings::default();
    settings.install_signal_handlers = false;
    InterpreterBuilder::new()
        .settings(settings)
        .init_stdlib()
        .build()
        .enter(test);
}
