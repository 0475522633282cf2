//! The checks of the fuzz targets on inputs that proptest makes, which shrinks one that fails to a small one.

use arbitrary::Unstructured;
use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
};
use rustpython_reactor_fuzz::{
    control_message::{self, Given},
    socket_address,
};

/// Enough to meet each branch many times; a second or two.
const CASES: u32 = 5_000;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        // The report of a failure has the input; a file beside the sources would not be committed.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// An item as someone may have put it into a control buffer: its header's length need not be the data's, and there may be any
/// padding.
fn laid_out() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        4 => Just(None),
        2 => (0_usize..80).prop_map(Some),
        1 => (0_usize..40).prop_map(|below| Some(usize::MAX - below)),
        1 => any::<usize>().prop_map(Some),
    ];
    let rights = prop_oneof![
        Just((libc::SOL_SOCKET, libc::SCM_RIGHTS)),
        any::<(i32, i32)>()
    ];
    (length, rights, vec(any::<u8>(), 0..40), 0_usize..9).prop_map(
        |(length, (level, kind), data, padding)| {
            let length = length.unwrap_or(size_of::<libc::cmsghdr>() + data.len());
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(level.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(&data);
            let padding = match padding {
                0 => bytes.len().next_multiple_of(size_of::<usize>()) - bytes.len(),
                other => other - 1,
            };
            bytes.resize(bytes.len() + padding, 0);
            bytes
        },
    )
}

fn given() -> impl Strategy<Value = Given> {
    (any::<i32>(), any::<i32>(), vec(any::<u8>(), 0..60)).prop_map(|(level, kind, data)| Given {
        level,
        kind,
        data,
    })
}

/// An address of a family that there is, of about the length that it has.
fn address() -> impl Strategy<Value = Vec<u8>> {
    let family = prop_oneof![
        Just(libc::AF_UNIX),
        Just(libc::AF_INET),
        Just(libc::AF_INET6),
        Just(libc::AF_NETLINK),
        Just(libc::AF_PACKET),
        Just(libc::AF_CAN),
        Just(libc::AF_TIPC),
        Just(libc::AF_BLUETOOTH),
        Just(libc::AF_ALG),
        Just(libc::AF_VSOCK),
        0..50,
    ];
    (family, vec(prop_oneof![Just(0), any::<u8>()], 0..130)).prop_map(|(family, rest)| {
        let mut bytes = (family as libc::sa_family_t).to_ne_bytes().to_vec();
        bytes.extend(rest);
        bytes
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn control_messages_of_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        control_message::parse(&bytes);
    }

    #[test]
    fn control_messages_of_any_items(items in vec(laid_out(), 0..6), cut in 0_usize..12) {
        let mut bytes = items.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        control_message::parse(&bytes);
    }

    #[test]
    fn control_messages_to_send(items in vec(given(), 0..7), cut in any::<u16>()) {
        control_message::build(&items, usize::from(cut));
    }

    #[test]
    fn socket_addresses_of_any_bytes(bytes in vec(any::<u8>(), 0..200), protocol in any::<u8>()) {
        socket_address::parse(&bytes, protocol);
    }

    #[test]
    fn socket_addresses_of_known_families(bytes in address(), protocol in any::<u8>()) {
        socket_address::parse(&bytes, protocol);
    }

    #[test]
    fn socket_addresses_to_use(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(given) = Unstructured::new(&bytes).arbitrary() {
            socket_address::build(&given);
        }
    }
}
