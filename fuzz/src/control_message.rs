//! Checks of `rustpython_reactor::control_message`: control buffers as a kernel, or anybody, may fill them in.

use std::{mem, ptr};

use arbitrary::{Arbitrary, Unstructured};
use rustpython_reactor::control_message::{
    ControlBuffer, Item, Items, cmsg_len, cmsg_space, descriptors,
};

/// An item to send.
#[derive(Arbitrary, Clone, Debug)]
pub struct Given {
    pub level: i32,
    pub kind: i32,
    pub data: Vec<u8>,
}

/// All checks on one input, taken once as received bytes and once as the description of items to send.
pub fn check(input: &[u8]) {
    parse(input);
    let mut source = Unstructured::new(input);
    if let (Ok(given), Ok(cut)) = (source.arbitrary::<Vec<Given>>(), source.arbitrary::<u16>()) {
        build(&given, usize::from(cut));
    }
}

/// Items of arbitrary bytes are where the lengths in the bytes put them, cut to the bytes that there are; sent again, they are
/// the same items.
pub fn parse(control: &[u8]) {
    let mut walk = Items::new(control);
    let mut items = Vec::new();
    let mut start = Some(0_usize);
    for item in walk.by_ref() {
        let begin = start.expect("an item behind one that is cut");
        let end = begin + header();
        let length = control[begin..].first_chunk().expect("room for a header");
        let length = usize::from_ne_bytes(*length);
        let claimed = length
            .checked_sub(header())
            .expect("the length of a header");
        assert_eq!(item.data.len(), claimed.min(control.len() - end));
        // An empty slice may be anywhere.
        let place = control[end..][..item.data.len()].as_ptr();
        assert!(item.data.is_empty() || item.data.as_ptr() == place);
        start = length
            .checked_next_multiple_of(size_of::<usize>())
            .and_then(|length| begin.checked_add(length));
        items.push(item);
    }
    assert_eq!(walk.next(), None, "the walk goes on after its end");
    let numbers = items.iter().map(|item| item.data.len() / 4).sum();
    assert!(descriptors(control).count() <= numbers);

    let buffer = ControlBuffer::from_items(&items).expect("no more than was received");
    let built = buffer.received(buffer.len());
    let mut again = Items::new(built);
    assert_eq!(again.by_ref().collect::<Vec<_>>(), items);
    assert!(!again.is_malformed());
    assert!(descriptors(built).eq(descriptors(control)));
}

/// What is built has the length and the layout that the C macros give it, and is read back; a part of it, cut anywhere, is
/// read as the whole items in front of the cut and a part of the next.
pub fn build(given: &[Given], cut: usize) {
    let items: Vec<Item<'_>> = given
        .iter()
        .map(|given| Item {
            level: given.level,
            kind: given.kind,
            data: &given.data,
        })
        .collect();
    let mut buffer = ControlBuffer::from_items(&items).expect("items as small as the input");
    let space: usize = items
        .iter()
        .filter_map(|item| cmsg_space(item.data.len()))
        .sum();
    assert_eq!(buffer.len(), space);
    with_macros(&mut buffer, &items);

    let whole = buffer.received(buffer.len());
    assert_eq!(Items::new(whole).collect::<Vec<_>>(), items);

    let cut = cut % (whole.len() + 1);
    let mut walk = Items::new(&whole[..cut]);
    let found: Vec<Item<'_>> = walk.by_ref().collect();
    let mut room = cut;
    let mut expected = Vec::new();
    let mut is_cut = false;
    for item in items {
        let Some(for_data) = room.checked_sub(header()) else {
            break;
        };
        let kept = for_data.min(item.data.len());
        is_cut = kept < item.data.len();
        expected.push(Item {
            data: &item.data[..kept],
            ..item
        });
        room = room.saturating_sub(cmsg_space(item.data.len()).expect("a small item"));
    }
    assert_eq!(found, expected, "cut at {cut}");
    assert_eq!(walk.is_malformed(), is_cut, "cut at {cut}");
}

/// The `CMSG_*` macros find the items in the buffer.
fn with_macros(buffer: &mut ControlBuffer, items: &[Item<'_>]) {
    // SAFETY: all zeroes is a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = buffer.as_mut_ptr();
    message.msg_controllen = buffer.len();
    // SAFETY: control pointer and length are those of a live, aligned buffer of well-formed items.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    for item in items {
        assert!(!header.is_null(), "the macros miss an item");
        // SAFETY: the macros' own result, which points to a header within the buffer.
        let found = unsafe { ptr::read(header) };
        assert_eq!((found.cmsg_level, found.cmsg_type), (item.level, item.kind));
        assert_eq!(Some(found.cmsg_len as usize), cmsg_len(item.data.len()));
        // SAFETY: behind the header are as many bytes as it says, in the same buffer.
        let data = unsafe {
            std::slice::from_raw_parts(libc::CMSG_DATA(header).cast_const(), item.data.len())
        };
        assert_eq!(data, item.data);
        // SAFETY: as for the first header.
        header = unsafe { libc::CMSG_NXTHDR(&message, header) };
    }
    assert!(header.is_null(), "the macros find one more");
}

fn header() -> usize {
    mem::size_of::<libc::cmsghdr>()
}
