//! AF_BLUETOOTH, whose protocols have forms of their own.
//!
//! L2CAP: `(device, psm[, cid[, address type]])`. RFCOMM: `(device, channel)`. HCI: `adapter`, or `(adapter[,
//! channel])`. SCO: `device`, which may be bytes. A device is a str such as `'01:23:45:67:89:AB'`.

use rustpython_vm::{
    PyObject, PyObjectRef, PyResult, VirtualMachine,
    builtins::{PyBytes, PyTuple},
};
use socket2::SockAddr;

use super::arguments::{self, unsigned_char, unsigned_short};
use crate::sockaddr::bluetooth::{
    BDADDR_BREDR, BTPROTO_HCI, BTPROTO_L2CAP, BTPROTO_RFCOMM, BTPROTO_SCO, DeviceAddress, Fields,
    HCI_CHANNEL_RAW, encode,
};

pub(super) fn parse(
    vm: &VirtualMachine,
    protocol: i32,
    address: &PyObject,
    caller: &str,
) -> PyResult<SockAddr> {
    let wrong_format = || vm.new_os_error(format!("{caller}(): wrong format"));
    // As in CPython, whatever is wrong with an element.
    let elements = address
        .downcast_ref::<PyTuple>()
        .map(|tuple| tuple.as_slice());
    let fields = match protocol {
        BTPROTO_L2CAP => {
            let (device, psm, cid, kind) = elements
                .and_then(|elements| l2cap(vm, elements))
                .ok_or_else(wrong_format)?;
            Fields::L2cap {
                device: device_address(vm, device)?,
                psm,
                cid,
                device_kind: kind,
            }
        }
        BTPROTO_RFCOMM => {
            let (device, channel) = elements
                .and_then(|elements| rfcomm(vm, elements))
                .ok_or_else(wrong_format)?;
            Fields::Rfcomm {
                device: device_address(vm, device)?,
                channel,
            }
        }
        BTPROTO_HCI => match address.try_index_opt(vm) {
            Some(adapter) => Fields::Hci {
                adapter: adapter?.as_u32_mask() as u16,
                channel: HCI_CHANNEL_RAW,
            },
            None => elements
                .and_then(|elements| hci(vm, elements))
                .ok_or_else(wrong_format)?,
        },
        BTPROTO_SCO => Fields::Sco {
            device: device_address(vm, sco(vm, address)?.ok_or_else(wrong_format)?)?,
        },
        _ => {
            return Err(vm.new_os_error(format!("{caller}(): unknown Bluetooth protocol")));
        }
    };
    Ok(encode(fields))
}

fn l2cap<'a>(vm: &VirtualMachine, elements: &'a [PyObjectRef]) -> Option<(&'a str, u16, u16, u8)> {
    let ([device, psm], rest) = elements.split_first_chunk()?;
    if rest.len() > 2 {
        return None;
    }
    let device = arguments::text(vm, device).ok()??;
    let psm = unsigned_short(vm, psm).ok()?;
    let cid = rest.first().map_or(Ok(0), |cid| unsigned_short(vm, cid));
    let cid = cid.ok()?;
    let kind = rest
        .get(1)
        .map_or(Ok(BDADDR_BREDR), |kind| unsigned_char(vm, kind));
    Some((device, psm, cid, kind.ok()?))
}

fn rfcomm<'a>(vm: &VirtualMachine, elements: &'a [PyObjectRef]) -> Option<(&'a str, u8)> {
    let [device, channel] = elements else {
        return None;
    };
    let device = arguments::text(vm, device).ok()??;
    Some((device, unsigned_char(vm, channel).ok()?))
}

fn hci(vm: &VirtualMachine, elements: &[PyObjectRef]) -> Option<Fields> {
    let (adapter, channel) = match elements {
        [adapter] => (adapter, None),
        [adapter, channel] => (adapter, Some(channel)),
        _ => return None,
    };
    let adapter = unsigned_short(vm, adapter).ok()?;
    let channel = channel.map_or(Ok(HCI_CHANNEL_RAW), |channel| unsigned_short(vm, channel));
    Some(Fields::Hci {
        adapter,
        channel: channel.ok()?,
    })
}

/// The text of a str or bytes; None of anything else.
fn sco<'a>(vm: &VirtualMachine, address: &'a PyObject) -> PyResult<Option<&'a str>> {
    let Some(bytes) = address.downcast_ref::<PyBytes>() else {
        return arguments::text(vm, address);
    };
    if bytes.as_bytes().contains(&0) {
        return Err(vm.new_value_error("embedded null byte"));
    }
    // What is not UTF-8 is no device either.
    Ok(Some(str::from_utf8(bytes.as_bytes()).unwrap_or_default()))
}

fn device_address(vm: &VirtualMachine, text: &str) -> PyResult<DeviceAddress> {
    text.parse()
        .map_err(|_| vm.new_os_error("bad bluetooth address".to_owned()))
}

pub(super) fn to_python(vm: &VirtualMachine, fields: Fields) -> PyObjectRef {
    match fields {
        // The form of classic Bluetooth is the shortest that says everything.
        Fields::L2cap {
            device,
            psm,
            cid,
            device_kind,
        } => {
            let device = device.to_string();
            if device_kind != BDADDR_BREDR {
                vm.new_tuple((device, psm, cid, device_kind)).into()
            } else if cid != 0 {
                vm.new_tuple((device, psm, cid)).into()
            } else {
                vm.new_tuple((device, psm)).into()
            }
        }
        Fields::Rfcomm { device, channel } => vm.new_tuple((device.to_string(), channel)).into(),
        Fields::Hci { adapter, channel } if channel == HCI_CHANNEL_RAW => {
            vm.ctx.new_int(adapter).into()
        }
        Fields::Hci { adapter, channel } => vm.new_tuple((adapter, channel)).into(),
        Fields::Sco { device } => vm.ctx.new_str(device.to_string()).into(),
    }
}
