//! Floor 2: TLS over these sockets. The stock `_ssl` (rustls) is the state machine; this module gives it a transport, and waits.
//!
//! The stock module waits on the VM's own class of sockets only, with `poll` a step and a timeout for each. Here it never touches
//! a socket: it reads from and writes to memory, and each call of Python is one call of the reactor, under one deadline.

mod connection;
mod plaintext;
mod records;
mod stock;
mod transport;
mod turn;

use std::sync::OnceLock;

use rustpython_vm::{
    Py, PyResult, VirtualMachine,
    builtins::{PyModule, PyModuleDef, PyModuleSlots},
    common::rc::PyRc,
};

use crate::socket_module;

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
    socket_module::stock::make_class(vm)?;
    stock.exec_module(vm, module)?;
    connection::make_classes();
    transport::make_classes();
    stock::find(vm, module)?;
    for (name, methods) in [
        ("_SSLContext", context::METHOD_DEFS),
        ("_SSLSocket", machine::METHOD_DEFS),
    ] {
        // Above the stock one, which other interpreters of the process may use as it is.
        let base = module.get_attr(name, vm)?;
        let class = stock::subclass(vm, name, &base, &[])?;
        stock::add_methods(vm, &class, methods)?;
        module.set_attr(name, class, vm)?;
    }
    Ok(())
}

#[rustpython_vm::pymodule(sub, name = "_ssl")]
mod context {
    use rustpython_vm::{AsObject, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine};

    use super::{
        connection::Connection,
        stock::{self, Names},
        transport,
    };
    use crate::socket_type::PySocket;

    /// Make the TLS connection over a socket.
    #[pyfunction]
    fn _wrap_socket(
        context: PyObjectRef,
        sock: PyObjectRef,
        names: Names,
        vm: &VirtualMachine,
    ) -> PyResult<PyRef<Connection>> {
        if sock.downcast_ref::<PySocket>().is_none() {
            return Err(vm.new_type_error(format!(
                "_wrap_socket() argument 'sock' must be _socket.socket, not {}",
                sock.class().name()
            )));
        }
        let sock = sock.downgrade(None, vm)?;
        Ok(Connection::new(context, sock, names, vm)?.into_ref(&vm.ctx))
    }

    /// Make a TLS connection over memory: what it reads, and what it writes.
    #[pyfunction]
    fn _wrap_bio(
        context: PyObjectRef,
        incoming: PyObjectRef,
        outgoing: PyObjectRef,
        names: Names,
        vm: &VirtualMachine,
    ) -> PyResult {
        let bios = [transport::one_by_one(incoming, vm)?, outgoing];
        stock::get(vm)?.new_machine(&context, bios, names, vm)
    }
}

#[rustpython_vm::pymodule(sub, name = "_ssl")]
mod machine {
    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

    use super::plaintext::Plaintext;

    /// Write all of the data, as over a socket. (The stock method takes 4 KiB, and there are programs that do not look.)
    #[pyfunction]
    fn write(machine: PyObjectRef, data: PyObjectRef, vm: &VirtualMachine) -> PyResult<usize> {
        Plaintext::new(data, vm)?.write_to(&machine, vm)
    }
}

#[rustpython_vm::pymodule(sub, name = "_ssl")]
mod record_bio {
    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine, builtins::PyBytesRef};

    use super::transport;

    /// Read up to size bytes of the next record.
    #[pyfunction]
    fn read(bio: PyObjectRef, size: usize, vm: &VirtualMachine) -> PyResult<PyBytesRef> {
        transport::read_record(&bio, size, vm)
    }
}
