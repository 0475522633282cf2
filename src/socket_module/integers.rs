//! Integer arguments with the ranges of C types, and CPython's exceptions for what lies outside.

use num_traits::Signed;
use rustpython_vm::{
    Py, PyObject, PyObjectRef, PyResult, TryFromBorrowedObject, TryFromObject, VirtualMachine,
    builtins::{PyInt, PyIntRef},
};

/// A C `int` argument.
#[derive(Clone, Copy, Default)]
pub(crate) struct CInt(pub(crate) i32);

impl TryFromBorrowedObject<'_> for CInt {
    fn try_from_borrowed_object(vm: &VirtualMachine, object: &PyObject) -> PyResult<Self> {
        let wide = c_long(vm, object)?;
        match i32::try_from(wide) {
            Ok(value) => Ok(Self(value)),
            Err(_) if wide < 0 => Err(vm.new_overflow_error("signed integer is less than minimum")),
            Err(_) => Err(vm.new_overflow_error("signed integer is greater than maximum")),
        }
    }
}

/// A C `long`, with the range that CPython gives it on this platform.
pub(super) fn c_long(vm: &VirtualMachine, object: &PyObject) -> PyResult<i64> {
    with_index(vm, object, |int| i64::try_from(int.as_bigint()))?
        .map_err(|_| vm.new_overflow_error("Python int too large to convert to C long"))
}

/// A `Py_ssize_t` argument.
#[derive(Clone, Copy, Default)]
pub(crate) struct CSize(pub(crate) isize);

impl TryFromObject for CSize {
    fn try_from_object(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<Self> {
        with_index(vm, &object, |int| isize::try_from(int.as_bigint()))?
            .map(Self)
            .map_err(|_| vm.new_overflow_error("Python int too large to convert to C ssize_t"))
    }
}

/// An unsigned argument of 16 or 32 bits: ValueError below its range, OverflowError above.
pub(super) struct Unsigned<T>(pub(super) T);

macro_rules! unsigned {
    ($($kind:ty => $name:literal),*) => {$(
        impl TryFromObject for Unsigned<$kind> {
            fn try_from_object(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<Self> {
                let int = index(vm, &object)?;
                let int = int.as_bigint();
                match <$kind>::try_from(int) {
                    Ok(value) => Ok(Self(value)),
                    Err(_) if int.is_negative() => {
                        Err(vm.new_value_error("Cannot convert negative int"))
                    }
                    Err(_) => Err(vm.new_overflow_error(concat!("Python int too large for C ", $name))),
                }
            }
        }
    )*};
}

unsigned!(u16 => "uint16_t", u32 => "uint32_t");

/// An integer of which the low 32 bits count, whatever the others are.
pub(super) struct Masked(pub(super) u32);

impl TryFromObject for Masked {
    fn try_from_object(vm: &VirtualMachine, object: PyObjectRef) -> PyResult<Self> {
        Ok(Self(index(vm, &object)?.as_u32_mask()))
    }
}

/// Works on the integer that the object is or stands for. Most are one, and this way those are not counted as in use.
#[inline]
fn with_index<R>(
    vm: &VirtualMachine,
    object: &PyObject,
    f: impl FnOnce(&Py<PyInt>) -> R,
) -> PyResult<R> {
    if let Some(int) = object.downcast_ref_if_exact::<PyInt>(vm) {
        return Ok(f(int));
    }
    Ok(f(&*index(vm, object)?))
}

fn index(vm: &VirtualMachine, object: &PyObject) -> PyResult<PyIntRef> {
    object.try_index(vm)
}
