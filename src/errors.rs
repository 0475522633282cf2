//! Python exceptions from operating-system errors, with the `args` that CPython gives them.

use std::{ffi::CStr, io, ptr, sync::OnceLock};

use rustpython_vm::{
    Py, PyObjectRef, PyPayload, PyResult, VirtualMachine,
    builtins::{PyBaseExceptionRef, PyOSError, PyStrInterned, PyType},
    host_env::errno::strerror_string,
    types::Constructor,
};

/// `OSError(errno, strerror)`, as the subclass that PEP 3151 assigns to `errno`.
pub(crate) fn from_errno(vm: &VirtualMachine, errno: i32) -> PyBaseExceptionRef {
    made(vm, errno).unwrap_or_else(|error| error)
}

/// Makes the object by itself: not by calling the class, which takes three times as long, nor by the VM's own conversion from
/// `io::Error`, which leaves five `args`.
fn made(vm: &VirtualMachine, errno: i32) -> PyResult<PyBaseExceptionRef> {
    let class = class_of(vm, errno);
    let args = vec![vm.ctx.new_int(errno).into(), text_of(vm, errno)];
    let error = PyOSError::py_new(class, args.into(), vm)?;
    let error = error.into_ref_with_type_lazy_dict(vm, class.to_owned())?;
    Ok(error.upcast())
}

/// PEP 3151, "New exception classes".
fn class_of(vm: &VirtualMachine, errno: i32) -> &'static Py<PyType> {
    let classes = &vm.ctx.exceptions;
    match errno {
        libc::EAGAIN | libc::EALREADY | libc::EINPROGRESS => classes.blocking_io_error,
        libc::EPIPE | libc::ESHUTDOWN => classes.broken_pipe_error,
        libc::ECHILD => classes.child_process_error,
        libc::ECONNABORTED => classes.connection_aborted_error,
        libc::ECONNREFUSED => classes.connection_refused_error,
        libc::ECONNRESET => classes.connection_reset_error,
        libc::EEXIST => classes.file_exists_error,
        libc::ENOENT => classes.file_not_found_error,
        libc::EISDIR => classes.is_a_directory_error,
        libc::ENOTDIR => classes.not_a_directory_error,
        libc::EINTR => classes.interrupted_error,
        libc::EACCES | libc::EPERM => classes.permission_error,
        libc::ESRCH => classes.process_lookup_error,
        libc::ETIMEDOUT => classes.timeout_error,
        _ => classes.os_error,
    }
}

/// One more than the highest errno of Linux, asm-generic/errno.h.
const ERRNOS: usize = 134;

/// strerror(3), which costs as much as a system call: it looks for a translation.
fn text_of(vm: &VirtualMachine, errno: i32) -> PyObjectRef {
    static UNTRANSLATED: [OnceLock<&'static PyStrInterned>; ERRNOS] =
        [const { OnceLock::new() }; ERRNOS];

    let text = || strerror_string(errno).unwrap_or_else(|| format!("Unknown error {errno}"));
    let known = usize::try_from(errno)
        .ok()
        .and_then(|index| UNTRANSLATED.get(index));
    match known {
        Some(known) if !is_translated() => {
            let text: &'static PyStrInterned = known.get_or_init(|| vm.ctx.intern_str(text()));
            text.to_owned().into()
        }
        _ => vm.ctx.new_str(text()).into(),
    }
}

/// Whether `locale.setlocale` has chosen a language for messages.
fn is_translated() -> bool {
    // SAFETY: setlocale(3) with a null pointer only asks. The name that it returns, ended by a NUL, stays until somebody sets another
    // locale, which no thread may do while others use strerror(3) and the like.
    let name = unsafe {
        let name = libc::setlocale(libc::LC_MESSAGES, ptr::null());
        (!name.is_null()).then(|| CStr::from_ptr(name))
    };
    name != Some(c"C")
}

/// The exception of a failed system call; an error without an errno becomes a plain `OSError(text)`.
pub(crate) fn from_io(vm: &VirtualMachine, error: &io::Error) -> PyBaseExceptionRef {
    match error.raw_os_error() {
        Some(errno) => from_errno(vm, errno),
        None => vm.new_os_error(error.to_string()),
    }
}

/// `TimeoutError('timed out')`: what a socket call raises at its deadline, without an errno as on CPython.
pub(crate) fn timed_out(vm: &VirtualMachine) -> PyBaseExceptionRef {
    timed_out_saying(vm, "timed out")
}

/// `TimeoutError(text)`.
pub(crate) fn timed_out_saying(vm: &VirtualMachine, text: &'static str) -> PyBaseExceptionRef {
    let class = vm.ctx.exceptions.timeout_error.to_owned();
    vm.new_exception_msg(class, text.into())
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use rustpython_vm::AsObject;

    use super::from_errno;
    use crate::test_interpreter::with_vm;

    /// Those of the class called by a program, the text twice: made and remembered.
    #[test]
    fn every_errno_has_the_class_and_the_arguments_that_python_gives_it() {
        with_vm(|vm| {
            for errno in [-1, 0].into_iter().chain(1..200) {
                for _ in 0..2 {
                    let made = from_errno(vm, errno);
                    let text = rustpython_vm::host_env::errno::strerror_string(errno);
                    let args = vec![
                        vm.ctx.new_int(errno).into(),
                        vm.ctx.new_str(text.expect("a text")).into(),
                    ];
                    let called = vm
                        .invoke_exception(vm.ctx.exceptions.os_error, args)
                        .expect("an exception");
                    assert!(made.class().is(called.class()), "{errno}");
                    for name in [
                        "args",
                        "errno",
                        "strerror",
                        "filename",
                        "filename2",
                        "__dict__",
                    ] {
                        let of = |error: &rustpython_vm::PyObject| {
                            let value = error.get_attr(name, vm).expect("an attribute");
                            let shown = value.repr(vm).expect("a repr");
                            shown.to_string_lossy().into_owned()
                        };
                        assert_eq!(
                            of(made.as_object()),
                            of(called.as_object()),
                            "{errno} {name}"
                        );
                    }
                }
            }
        });
    }
}
