//! Floor 2: TLS over these sockets. The stock `_ssl` (rustls) is the state machine; this module gives it a transport, and waits.
//!
//! The stock module waits on the VM's own class of sockets only, with `poll` a step and a timeout for each. Here it never touches
//! a socket: it reads from and writes to memory, and each call of Python is one call of the reactor, under one deadline.

mod connection;
mod plaintext;
mod records;
mod stock;
mod turn;

use std::sync::OnceLock;

use rustpython_vm::{
    AsObject, FromArgs, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine,
    builtins::{PyModule, PyModuleDef, PyModuleSlots, PyType, PyTypeRef},
    common::rc::PyRc,
    function::PyMethodDef,
    types::PyTypeFlags,
};

use self::connection::Connection;
use crate::socket_type::PySocket;

/// The stock module's definition, if some interpreter of this process has it.
static REPLACED: OnceLock<&'static PyModuleDef> = OnceLock::new();

/// Has the stock module, if there is one, executed with our additions.
///
/// # Panics
///
/// If it is not called by an initialisation hook: only those may change the VM's table of modules.
pub(crate) fn extend(vm: &mut VirtualMachine) {
    let state = PyRc::get_mut(&mut vm.state).expect("a hook has the VM's state to itself");
    let Some(known) = state.module_defs.get("_ssl").copied() else {
        return;
    };
    let stock = REPLACED.get_or_init(|| known);
    // Definitions live as long as the process. There is one more for each interpreter that is built.
    let extended = Box::leak(Box::new(PyModuleDef {
        name: stock.name,
        doc: stock.doc,
        methods: stock.methods,
        slots: PyModuleSlots {
            create: stock.slots.create,
            exec: Some(execute),
        },
    }));
    state.module_defs.insert(extended.name.as_str(), extended);
}

fn execute(vm: &VirtualMachine, module: &Py<PyModule>) -> PyResult<()> {
    let Some(stock) = REPLACED.get() else {
        return Ok(());
    };
    stock.exec_module(vm, module)?;
    stock::find(vm, module)?;
    connection::make_classes();
    extend_class(vm, module, "_SSLContext", context::METHOD_DEFS)?;
    extend_class(vm, module, "_SSLSocket", machine::METHOD_DEFS)
}

/// Puts a class with these methods above the stock one, which other interpreters of the process may use as it is.
fn extend_class(
    vm: &VirtualMachine,
    module: &Py<PyModule>,
    name: &'static str,
    methods: &'static [PyMethodDef],
) -> PyResult<()> {
    let stock = module.get_attr(name, vm)?.try_into_value::<PyTypeRef>(vm)?;
    let class = stock::subclass(vm, name, stock.clone().into())?;
    for method in methods {
        let descriptor = method.to_method(PyRef::leak(stock.clone()), &vm.ctx);
        class.set_attr(method.name, descriptor.into_ref(&vm.ctx), vm)?;
    }
    if let Some(class) = class.downcast_ref::<PyType>() {
        class.slots.flags.insert(PyTypeFlags::IMMUTABLETYPE);
    }
    module.set_attr(name, class, vm)
}

#[derive(FromArgs)]
struct WrapSocket {
    #[pyarg(any)]
    sock: PyObjectRef,
    #[pyarg(any)]
    server_side: PyObjectRef,
    #[pyarg(any, default)]
    server_hostname: Option<PyObjectRef>,
    #[pyarg(named, default)]
    owner: Option<PyObjectRef>,
    #[pyarg(named, default)]
    session: Option<PyObjectRef>,
}

#[rustpython_vm::pymodule(sub, name = "_ssl")]
mod context {
    use rustpython_vm::{PyObjectRef, PyRef, PyResult, VirtualMachine};

    use super::{Connection, WrapSocket};

    /// Make the TLS connection over a socket.
    #[pyfunction]
    fn _wrap_socket(
        context: PyObjectRef,
        arguments: WrapSocket,
        vm: &VirtualMachine,
    ) -> PyResult<PyRef<Connection>> {
        super::wrap_socket(context, arguments, vm)
    }
}

#[rustpython_vm::pymodule(sub, name = "_ssl")]
mod machine {
    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

    /// Write all of the data, as over a socket. (The stock method takes 4 KiB, and there are programs that do not look.)
    #[pyfunction]
    fn write(machine: PyObjectRef, data: PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        super::plaintext::Plaintext::new(data, vm)?.write_to(&machine, vm)
    }
}

fn wrap_socket(
    context: PyObjectRef,
    arguments: WrapSocket,
    vm: &VirtualMachine,
) -> PyResult<PyRef<Connection>> {
    if arguments.sock.downcast_ref::<PySocket>().is_none() {
        return Err(vm.new_type_error(format!(
            "_wrap_socket() argument 'sock' must be _socket.socket, not {}",
            arguments.sock.class().name()
        )));
    }
    let socket = arguments.sock.downgrade(None, vm)?;
    let named = [("owner", arguments.owner), ("session", arguments.session)];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !vm.is_none(value))?)));
    let machine = connection::Arguments {
        context,
        server_side: arguments.server_side,
        server_hostname: arguments.server_hostname,
        named: named.collect(),
    };
    Ok(Connection::new(socket, machine, vm)?.into_ref(&vm.ctx))
}
