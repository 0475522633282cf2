//! What ties `_socket.socket` to the Python class `socket.socket` that derives from it: which class `accept` makes, and
//! which enumerations `family` and `type` are shown as.

use std::{
    ptr::fn_addr_eq,
    sync::{Arc, OnceLock, atomic::Ordering},
};

use rustpython_vm::{
    AsObject, Py, PyObjectRef, PyResult, VirtualMachine,
    builtins::{PyStrInterned, PyTuple, PyType, PyTypeRef},
    class::StaticType,
};

use super::PySocket;

/// The attribute of the Python class that holds its two enumerations and its own way to close.
///
/// The VM's table of names is asked but once, here and below: that takes longer than the look-up in a class.
fn face_name(vm: &VirtualMachine) -> &'static PyStrInterned {
    static NAME: OnceLock<&'static PyStrInterned> = OnceLock::new();
    NAME.get_or_init(|| vm.ctx.intern_str("_face"))
}

fn close_name(vm: &VirtualMachine) -> &'static PyStrInterned {
    static NAME: OnceLock<&'static PyStrInterned> = OnceLock::new();
    NAME.get_or_init(|| vm.ctx.intern_str("_real_close"))
}

/// What is where in it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Family,
    Type,
}

const CLOSE: usize = 2;

/// `_socket._register_face(class, AddressFamily, SocketKind, class._real_close)`.
pub(crate) fn register(
    class: &Py<PyType>,
    face: [PyObjectRef; CLOSE + 1],
    vm: &VirtualMachine,
) -> PyResult<()> {
    let face = vm.ctx.new_tuple(face.into());
    class.as_object().set_attr(face_name(vm), face, vm)
}

/// The class that derives from `_socket.socket` directly: connections are of it, also those that a subclass's
/// listener accepts, as `socket.socket.accept` has it.
pub(super) fn class_of(socket: &Py<PySocket>) -> PyTypeRef {
    let native = PySocket::static_type();
    let mro = socket.class().mro.read();
    let position = mro.iter().position(|class| class.is(native));
    position
        .and_then(|native| native.checked_sub(1))
        .and_then(|face| mro.get(face).cloned())
        .unwrap_or_else(|| native.to_owned())
}

/// Whether `_real_close` may be another than the Python class's: a subclass's, or the object's own.
pub(super) fn has_own_close(socket: &Py<PySocket>, vm: &VirtualMachine) -> bool {
    let class = socket.class();
    let face = class.get_attr(face_name(vm));
    let known = face
        .as_ref()
        .and_then(|face| face.downcast_ref::<PyTuple>()?.as_slice().get(CLOSE));
    let found = class.get_attr(close_name(vm));
    let is_known = matches!((&found, known), (Some(found), Some(known)) if found.is(known));
    !is_known || socket.as_object().dict().is_some()
}

/// Whether a call of the class makes a socket by native code alone.
pub(super) fn is_native_when_made(class: &Py<PyType>) -> bool {
    let native = PySocket::static_type();
    let (own, natives) = (&class.slots, &native.slots);
    let same_new = matches!((own.new.load(), natives.new.load()), (Some(own), Some(new)) if fn_addr_eq(own, new));
    let same_init = matches!((own.init.load(), natives.init.load()), (Some(own), Some(init)) if fn_addr_eq(own, init));
    class.fast_issubclass(native) && same_new && same_init
}

/// Whether the socket's class derives from the Python class.
pub(super) fn is_derived(socket: &Py<PySocket>, vm: &VirtualMachine) -> bool {
    socket.class().get_attr(face_name(vm)).is_some()
}

/// A socket's family and type as members of their enumerations, with the number that each stands for: it is another after a
/// second `__init__`.
#[derive(Debug, Default)]
pub(crate) struct Members {
    family: OnceLock<(i32, PyObjectRef)>,
    kind: OnceLock<(i32, PyObjectRef)>,
}

impl Members {
    fn get(&self, kind: Kind) -> &OnceLock<(i32, PyObjectRef)> {
        match kind {
            Kind::Family => &self.family,
            Kind::Type => &self.kind,
        }
    }
}

/// The family or type as a member of its enumeration; an integer where it has none.
pub(super) fn member(socket: &Py<PySocket>, kind: Kind, vm: &VirtualMachine) -> PyResult {
    let number = match kind {
        Kind::Family => &socket.family,
        Kind::Type => &socket.kind,
    };
    let number = number.load(Ordering::Relaxed);
    let known = socket.members.get().and_then(|it| it.get(kind).get());
    if let Some((known, member)) = known
        && *known == number
    {
        return Ok(member.clone());
    }
    let value: PyObjectRef = vm.ctx.new_int(number).into();
    let face = socket.as_object().get_attr(face_name(vm), vm)?;
    let enumeration = face
        .downcast_ref::<PyTuple>()
        .and_then(|face| face.as_slice().get(kind as usize).cloned());
    let member = match enumeration {
        Some(enumeration) => match enumeration.call((value.clone(),), vm) {
            Ok(member) => member,
            Err(error) if error.fast_isinstance(vm.ctx.exceptions.value_error) => value,
            Err(error) => return Err(error),
        },
        None => value,
    };
    if socket.number() >= 0 {
        let members = socket.members.get_or_init(Arc::default);
        let _ = members.get(kind).set((number, member.clone()));
    }
    Ok(member)
}

/// A connection has its listener's family and type.
pub(super) fn share_members(listener: &PySocket, connection: &PySocket) {
    if let Some(members) = listener.members.get() {
        let _ = connection.members.set(members.clone());
    }
}
