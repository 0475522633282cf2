//! The stock `_ssl`: the TLS state machine, as the objects that Python sees.

use std::sync::OnceLock;

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyBaseException, PyBaseExceptionRef, PyModule, PyTypeRef},
    function::{FuncArgs, PyMethodDef},
    types::PyTypeFlags,
};

use super::transport;

/// What we need of it. Its classes are the process's, so one set does for all interpreters.
#[derive(Debug)]
pub(super) struct Stock {
    /// `_SSLContext`'s: makes the state machine of a connection over two `MemoryBIO`s.
    pub(super) wrap_bio: PyObjectRef,
    pub(super) do_handshake: PyObjectRef,
    pub(super) read: PyObjectRef,
    pub(super) write: PyObjectRef,
    pub(super) shutdown: PyObjectRef,
    pub(super) pending: PyObjectRef,
    pub(super) memory_bio: PyObjectRef,
    /// `MemoryBIO`'s.
    pub(super) read_bio: PyObjectRef,
    pub(super) write_eof: PyObjectRef,
    /// See [`transport::new_wire`].
    wire: PyObjectRef,
    /// A `MemoryBIO` that reads the records in another.
    pub(super) record_bio: PyObjectRef,
    error: PyTypeRef,
    want_read: PyTypeRef,
    want_write: PyTypeRef,
    eof: PyTypeRef,
}

static STOCK: OnceLock<Stock> = OnceLock::new();

/// Takes it from the stock module, once that has been executed.
pub(super) fn find(vm: &VirtualMachine, module: &Py<PyModule>) -> PyResult<()> {
    if STOCK.get().is_some() {
        return Ok(());
    }
    let attribute = |name: &'static str| module.get_attr(name, vm);
    let class = |name| attribute(name)?.try_into_value::<PyTypeRef>(vm);
    let context = attribute("_SSLContext")?;
    let machine = attribute("_SSLSocket")?;
    let memory = attribute("MemoryBIO")?;
    let record_bio = subclass(vm, "_RecordBIO", &memory, &["_records"])?;
    add_methods(vm, &record_bio, super::record_bio::METHOD_DEFS)?;
    let socket_bio = subclass(vm, "_SocketBIO", &memory, &["read", "write"])?;
    let stock = Stock {
        wrap_bio: context.get_attr("_wrap_bio", vm)?,
        do_handshake: machine.get_attr("do_handshake", vm)?,
        read: machine.get_attr("read", vm)?,
        write: machine.get_attr("write", vm)?,
        shutdown: machine.get_attr("shutdown", vm)?,
        pending: machine.get_attr("pending", vm)?,
        read_bio: memory.get_attr("read", vm)?,
        write_eof: memory.get_attr("write_eof", vm)?,
        wire: transport::new_wire(&socket_bio, vm)?,
        record_bio,
        memory_bio: memory,
        error: class("SSLError")?,
        want_read: class("SSLWantReadError")?,
        want_write: class("SSLWantWriteError")?,
        eof: class("SSLEOFError")?,
    };
    // Another interpreter may have been quicker.
    let _ = STOCK.set(stock);
    Ok(())
}

pub(super) fn get(vm: &VirtualMachine) -> PyResult<&'static Stock> {
    let missing = || vm.new_system_error("the module '_ssl' is not initialised");
    STOCK.get().ok_or_else(missing)
}

/// One of its exceptions.
pub(super) fn exception(
    vm: &VirtualMachine,
    make: impl FnOnce(&Stock) -> PyBaseExceptionRef,
) -> PyBaseExceptionRef {
    get(vm).map_or_else(|missing| missing, make)
}

/// A Python class, as the statement `class` makes it, with these `__slots__`.
pub(super) fn subclass(
    vm: &VirtualMachine,
    name: &str,
    base: &PyObject,
    slots: &[&str],
) -> PyResult {
    let namespace = vm.ctx.new_dict();
    let slots = slots.iter().map(|slot| vm.ctx.new_str(*slot).into());
    let slots = vm.ctx.new_tuple(slots.collect());
    namespace.set_item("__slots__", slots.into(), vm)?;
    namespace.set_item("__module__", vm.ctx.new_str("_ssl").into(), vm)?;
    let bases = vm.ctx.new_tuple(vec![base.to_owned()]);
    let arguments = (vm.ctx.new_str(name), bases, namespace);
    vm.ctx.types.type_type.as_object().call(arguments, vm)
}

/// Gives a class that was made by [`subclass`] its methods, and closes it, as native classes are.
pub(super) fn add_methods(
    vm: &VirtualMachine,
    class: &PyObject,
    methods: &'static [PyMethodDef],
) -> PyResult<()> {
    let class = class.to_owned().try_into_value::<PyTypeRef>(vm)?;
    // Lives as long as the process, as the methods do.
    let owner = PyRef::leak(class.clone());
    for method in methods {
        let descriptor = method.to_method(owner, &vm.ctx).into_ref(&vm.ctx);
        class.as_object().set_attr(method.name, descriptor, vm)?;
    }
    class.slots.flags.insert(PyTypeFlags::IMMUTABLETYPE);
    Ok(())
}

/// What a state machine is told when it is made, beside its context and transport.
#[derive(FromArgs)]
pub(super) struct Names {
    #[pyarg(any)]
    server_side: PyObjectRef,
    #[pyarg(any, default)]
    server_hostname: Option<PyObjectRef>,
    #[pyarg(named, default)]
    owner: Option<PyObjectRef>,
    #[pyarg(named, default)]
    session: Option<PyObjectRef>,
}

/// What the state machine says to one step.
pub(super) enum Said {
    Done(PyObjectRef),
    /// It has taken all records that it was given.
    WantsRead,
    WantsWrite,
}

impl Stock {
    /// A state machine whose connection has a step begun whenever it is called.
    pub(super) fn new_wired_machine(
        &self,
        context: &PyObject,
        names: Names,
        vm: &VirtualMachine,
    ) -> PyResult {
        let bios = [self.wire.clone(), self.wire.clone()];
        self.new_machine(context, bios, names, vm)
    }

    /// A state machine over the BIOs that it reads and writes.
    pub(super) fn new_machine(
        &self,
        context: &PyObject,
        bios: [PyObjectRef; 2],
        names: Names,
        vm: &VirtualMachine,
    ) -> PyResult {
        let [incoming, outgoing] = bios;
        let hostname = names.server_hostname.unwrap_or_else(|| vm.ctx.none());
        let context = context.to_owned();
        let arguments = vec![context, incoming, outgoing, names.server_side, hostname];
        let mut arguments = FuncArgs::from(arguments);
        for (name, value) in [("owner", names.owner), ("session", names.session)] {
            if let Some(value) = value.filter(|value| !vm.is_none(value)) {
                arguments.kwargs.insert(name.to_owned().into(), value);
            }
        }
        self.wrap_bio.call(arguments, vm)
    }

    /// Runs one of its methods.
    pub(super) fn step(
        &self,
        method: &PyObject,
        arguments: Vec<PyObjectRef>,
        vm: &VirtualMachine,
    ) -> PyResult<Said> {
        match method.call(arguments, vm) {
            Ok(value) => Ok(Said::Done(value)),
            Err(error) if is(&error, &self.want_read) => Ok(Said::WantsRead),
            Err(error) if is(&error, &self.want_write) => Ok(Said::WantsWrite),
            Err(error) => Err(error),
        }
    }

    pub(super) fn new_want_read(&self, vm: &VirtualMachine) -> PyBaseExceptionRef {
        new_error(
            vm,
            &self.want_read,
            2,
            "The operation did not complete (read)",
        )
    }

    pub(super) fn new_want_write(&self, vm: &VirtualMachine) -> PyBaseExceptionRef {
        new_error(
            vm,
            &self.want_write,
            3,
            "The operation did not complete (write)",
        )
    }

    /// Whether it is an `SSLError`.
    pub(super) fn is_error(&self, error: &Py<PyBaseException>) -> bool {
        error.fast_isinstance(&self.error)
    }

    pub(super) fn is_eof(&self, error: &Py<PyBaseException>) -> bool {
        is(error, &self.eof)
    }

    pub(super) fn new_eof(&self, vm: &VirtualMachine) -> PyBaseExceptionRef {
        new_error(vm, &self.eof, 8, "EOF occurred in violation of protocol")
    }

    /// An error of the protocol, as OpenSSL names it.
    pub(super) fn new_protocol_error(
        &self,
        vm: &VirtualMachine,
        reason: &str,
        text: &str,
    ) -> PyBaseExceptionRef {
        let error = new_error(vm, &self.error, 1, &format!("[SSL: {reason}] {text}"));
        for (name, value) in [("library", "SSL"), ("reason", reason)] {
            // Without them it is an error all the same.
            let _ = error.as_object().set_attr(name, vm.ctx.new_str(value), vm);
        }
        error
    }

    pub(super) fn new_error(&self, vm: &VirtualMachine, text: &str) -> PyBaseExceptionRef {
        new_error(vm, &self.error, 0, text)
    }
}

fn is(error: &Py<PyBaseException>, class: &PyTypeRef) -> bool {
    error.class().is(class)
}

fn new_error(
    vm: &VirtualMachine,
    class: &PyTypeRef,
    number: i32,
    text: &str,
) -> PyBaseExceptionRef {
    let args = vec![vm.ctx.new_int(number).into(), vm.ctx.new_str(text).into()];
    match vm.invoke_exception(class, args) {
        Ok(error) | Err(error) => error,
    }
}
