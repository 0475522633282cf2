//! The integer, string and truth-value constants of `_socket`, as tables.
//!
//! The set is CPython 3.14's on Linux with glibc, built where all the headers that it looks for are installed. A value is
//! `libc`'s wherever `libc` has the name; else it is the number in the kernel header that the table names. Such
//! numbers are part of the kernel's stable interface.

use rustpython_vm::{Py, PyResult, VirtualMachine, builtins::PyModule};

/// Names and values of one subject.
type Table = &'static [(&'static str, i64)];

/// A [`Table`]: a bare name is `libc`'s constant of that name, `NAME = number` stands for itself.
macro_rules! table {
    [$($name:ident $(= $value:literal)?),* $(,)?] => {
        &[$((stringify!($name), table!(@value $name $($value)?))),*]
    };
    // The constants of `libc` differ in type and all fit: unsigned ones are 32 bits wide.
    (@value $name:ident) => { libc::$name as i64 };
    (@value $name:ident $value:literal) => { $value };
}

mod bluetooth;
mod can;
mod families;
mod inet;
mod options;

const TABLES: &[Table] = &[
    can::CAN,
    can::J1939,
    families::VSOCK,
    families::TIPC,
    families::ALG,
    families::NETLINK,
    families::PACKET,
    families::RDS,
    families::OTHERS,
    options::SOCKET_TYPES,
    options::SOCKET_OPTIONS,
    options::MESSAGES,
    options::TCP,
    options::UDP,
    inet::IP,
    inet::IPV6,
    inet::PROTOCOLS,
    inet::ADDRESSES,
    inet::RESOLVER,
    bluetooth::BLUETOOTH,
    bluetooth::HCI,
    bluetooth::L2CAP,
    bluetooth::OPTIONS,
];

/// Strings: two Bluetooth addresses with a meaning of their own, BlueZ's `bluetooth/bluetooth.h`.
const STRINGS: &[(&str, &str)] = &[
    ("BDADDR_ANY", "00:00:00:00:00:00"),
    ("BDADDR_LOCAL", "00:00:00:FF:FF:FF"),
];

const BOOLEANS: &[(&str, bool)] = &[("has_ipv6", true)];

/// Every integer constant with its name.
pub(crate) fn integers() -> impl Iterator<Item = (&'static str, i64)> {
    TABLES.iter().flat_map(|table| table.iter().copied())
}

/// Sets every constant as an attribute of `module`.
pub(crate) fn add_to(vm: &VirtualMachine, module: &Py<PyModule>) -> PyResult<()> {
    // Not as attributes: what is done to set one is more than half of the time that `import _socket` takes.
    let names = module.dict();
    let set = |name, value| names.set_item(vm.ctx.intern_str(name), value, vm);
    for (name, value) in integers() {
        set(name, vm.ctx.new_int(value).into())?;
    }
    for &(name, value) in STRINGS {
        set(name, vm.ctx.new_str(value).into())?;
    }
    for &(name, value) in BOOLEANS {
        set(name, vm.ctx.new_bool(value).into())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{BOOLEANS, STRINGS, integers};

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<&str> = integers().map(|(name, _)| name).collect();
        names.extend(STRINGS.iter().map(|&(name, _)| name));
        names.extend(BOOLEANS.iter().map(|&(name, _)| name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn values_keep_their_sign() {
        let values: HashMap<&str, i64> = integers().collect();
        for (name, value) in [
            ("INADDR_BROADCAST", 0xffff_ffff),
            ("VMADDR_CID_ANY", 0xffff_ffff),
            ("CAN_EFF_FLAG", 0x8000_0000),
            ("EAI_NONAME", -2),
            ("TIPC_WAIT_FOREVER", -1),
            ("AF_ROUTE", 16),
            ("BT_PHY_LE_CODED_RX", 0x4000),
        ] {
            assert_eq!(values.get(name), Some(&value), "{name}");
        }
    }
}
