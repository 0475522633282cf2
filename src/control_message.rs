//! Ancillary data, cmsg(3) and RFC 3542 section 20: the control buffers of sendmsg(2) and recvmsg(2).
//!
//! Bytes only, no Python. A control buffer is a row of items; an item is a `struct cmsghdr`, its data, and padding up to
//! the alignment of a header. The `CMSG_*` macros trust the lengths in the buffer; what is here does not.
//!
//! Public for the fuzz targets (`fuzz/`) only: it is no part of the crate's interface.

use std::{mem::offset_of, os::fd::RawFd};

/// Bytes of an item before its data. The header's size is a multiple of its alignment, so nothing is between them.
const HEADER: usize = size_of::<libc::cmsghdr>();

/// What items begin at multiples of, `CMSG_ALIGN`.
const ALIGNMENT: usize = size_of::<usize>();

/// The largest length of a control buffer: a C `int`'s maximum, which is CPython's limit for any `socklen_t`.
pub const LENGTH_MAX: usize = i32::MAX as usize;

const _: () = assert!(HEADER.is_multiple_of(ALIGNMENT));
const _: () = assert!(align_of::<libc::cmsghdr>() <= align_of::<Word>());

/// `CMSG_LEN(data)`: the bytes of an item with that many bytes of data, without padding at its end. None above
/// [`LENGTH_MAX`].
pub fn cmsg_len(data: usize) -> Option<usize> {
    data.checked_add(HEADER).filter(|&len| len <= LENGTH_MAX)
}

/// `CMSG_SPACE(data)`: the bytes that an item with that many bytes of data takes up. None above [`LENGTH_MAX`].
pub fn cmsg_space(data: usize) -> Option<usize> {
    // CPython's limit, which takes the padding for full: of lengths that would just fit it refuses one.
    if data > LENGTH_MAX - HEADER - ALIGNMENT {
        return None;
    }
    cmsg_len(data)?.checked_next_multiple_of(ALIGNMENT)
}

/// Why a control buffer cannot be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BufferError {
    /// One item alone is longer than [`LENGTH_MAX`]; in Python OSError "ancillary data item too large".
    ItemTooLarge,
    /// All items together are; in Python OSError "too much ancillary data".
    TooMuch,
    /// There is no memory; in Python MemoryError.
    NoMemory,
}

/// An item of a control buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item<'a> {
    /// The protocol that the item belongs to, such as `SOL_SOCKET`.
    pub level: i32,
    /// What it is in that protocol, such as `SCM_RIGHTS`.
    pub kind: i32,
    pub data: &'a [u8],
}

/// The unit of a control buffer's memory, for its alignment.
type Word = u64;

/// A control buffer: zeroed or filled memory with the alignment of a header.
pub struct ControlBuffer {
    words: Vec<Word>,
    /// In bytes; at most what `words` holds.
    len: usize,
}

impl ControlBuffer {
    /// `len` zero bytes, for recvmsg(2).
    pub fn zeroed(len: usize) -> Result<Self, BufferError> {
        if len > LENGTH_MAX {
            return Err(BufferError::TooMuch);
        }
        let count = len.div_ceil(size_of::<Word>());
        let mut words = Vec::new();
        words
            .try_reserve_exact(count)
            .map_err(|_| BufferError::NoMemory)?;
        words.resize(count, 0);
        Ok(Self { words, len })
    }

    /// A buffer of these items in this order, for sendmsg(2).
    pub fn from_items(items: &[Item<'_>]) -> Result<Self, BufferError> {
        let mut len = 0_usize;
        for item in items {
            let space = cmsg_space(item.data.len()).ok_or(BufferError::ItemTooLarge)?;
            // Neither is above `LENGTH_MAX`, so the sum fits.
            len += space;
            if len > LENGTH_MAX {
                return Err(BufferError::TooMuch);
            }
        }
        let mut buffer = Self::zeroed(len)?;
        let mut rest = buffer.as_mut_bytes();
        for item in items {
            let cut = cmsg_space(item.data.len()).unwrap_or(0);
            let Some((place, behind)) = rest.split_at_mut_checked(cut) else {
                return Err(BufferError::TooMuch);
            };
            write(place, item);
            rest = behind;
        }
        Ok(buffer)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What goes into `msg_control`; null for an empty buffer, as the kernel expects it.
    pub fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        if self.is_empty() {
            std::ptr::null_mut()
        } else {
            self.words.as_mut_ptr().cast()
        }
    }

    /// The first `received` bytes, which is what recvmsg(2) left in `msg_controllen`; at most the whole buffer.
    pub fn received(&self, received: usize) -> &[u8] {
        // SAFETY: `words` holds at least `len` initialised bytes, and any alignment is enough for bytes.
        let bytes =
            unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), self.len) };
        bytes.get(..received).unwrap_or(bytes)
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        // SAFETY: as in `received`; the exclusive borrow of `self` covers the memory, and any bytes are valid words.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast::<u8>(), self.len) }
    }
}

/// Writes an item at the start of `place`, which has the item's space.
fn write(place: &mut [u8], item: &Item<'_>) {
    let len = HEADER + item.data.len();
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(target) = place.get_mut(at..at + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    };
    put(offset_of!(libc::cmsghdr, cmsg_len), &len.to_ne_bytes());
    put(
        offset_of!(libc::cmsghdr, cmsg_level),
        &item.level.to_ne_bytes(),
    );
    put(
        offset_of!(libc::cmsghdr, cmsg_type),
        &item.kind.to_ne_bytes(),
    );
    put(HEADER, item.data);
}

/// The items of a received control buffer.
///
/// The data of an item that claims more bytes than were received is cut to those. Such an item ends the walk, as does one
/// whose length does not even cover its header; [`Items::is_malformed`] then says so, for which CPython has the
/// RuntimeWarning "received malformed or improperly-truncated ancillary data". A buffer that the kernel truncated for
/// lack of room (`MSG_CTRUNC`) is well-formed: the kernel shortens the last item's length.
#[derive(Clone)]
pub struct Items<'a> {
    rest: &'a [u8],
    malformed: bool,
}

impl<'a> Items<'a> {
    /// `control` is what was received, [`ControlBuffer::received`].
    pub fn new(control: &'a [u8]) -> Self {
        Self {
            rest: control,
            malformed: false,
        }
    }

    /// Whether the walk has met an item with a wrong length. Meaningful once the walk is over.
    pub fn is_malformed(&self) -> bool {
        self.malformed
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let bytes = std::mem::take(&mut self.rest);
        let (header, body) = bytes.split_at_checked(HEADER)?;
        let len = usize::from_ne_bytes(field(header, offset_of!(libc::cmsghdr, cmsg_len))?);
        let level = field(header, offset_of!(libc::cmsghdr, cmsg_level))?;
        let kind = field(header, offset_of!(libc::cmsghdr, cmsg_type))?;
        let Some(data_len) = len.checked_sub(HEADER) else {
            self.malformed = true;
            return None;
        };
        let data = match body.get(..data_len) {
            Some(data) => {
                // The padding behind the last item may be missing.
                let next = len.checked_next_multiple_of(ALIGNMENT);
                self.rest = next.and_then(|next| bytes.get(next..)).unwrap_or_default();
                data
            }
            None => {
                self.malformed = true;
                body
            }
        };
        Some(Item {
            level: i32::from_ne_bytes(level),
            kind: i32::from_ne_bytes(kind),
            data,
        })
    }
}

/// A header's field of `N` bytes.
fn field<const N: usize>(header: &[u8], at: usize) -> Option<[u8; N]> {
    header.get(at..)?.first_chunk().copied()
}

/// The descriptors that the SCM_RIGHTS items of a received control buffer brought into this process, unix(7).
///
/// The kernel installs as many as it reports bytes for, so what is left of a cut descriptor's bytes is none.
pub fn descriptors(control: &[u8]) -> impl Iterator<Item = RawFd> + '_ {
    Items::new(control)
        .filter(|item| item.level == libc::SOL_SOCKET && item.kind == libc::SCM_RIGHTS)
        .flat_map(|item| {
            let (numbers, _) = item.data.as_chunks();
            numbers.iter().map(|number| RawFd::from_ne_bytes(*number))
        })
        .filter(|&fd| fd >= 0)
}

/// Closes the descriptors of a received control buffer which Python code will never see, since the call that received
/// them fails.
///
/// # Safety
///
/// `control` is as one recvmsg(2) filled it, and nobody else has taken any of its descriptors, or will.
pub unsafe fn close_descriptors(control: &[u8]) {
    for fd in descriptors(control) {
        // SAFETY: recvmsg(2) made this descriptor for us, and by this function's contract nobody else owns it.
        unsafe { libc::close(fd) };
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        mem,
        os::{fd::AsRawFd, unix::net::UnixStream},
    };

    use super::{
        ALIGNMENT, BufferError, ControlBuffer, HEADER, Item, Items, LENGTH_MAX, close_descriptors,
        cmsg_len, cmsg_space, descriptors,
    };

    /// Marsaglia's xorshift64: numbers without a pattern, the same ones at every run.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, limit: usize) -> usize {
            (self.next() % limit as u64) as usize
        }

        fn bytes(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.next() as u8).collect()
        }
    }

    #[test]
    fn lengths_are_those_of_the_macros() {
        for data in (0..100).chain([4096, 1 << 20]) {
            // SAFETY: the macros only calculate.
            let (len, space) = unsafe { (libc::CMSG_LEN(data), libc::CMSG_SPACE(data)) };
            assert_eq!(cmsg_len(data as usize), Some(len as usize));
            assert_eq!(cmsg_space(data as usize), Some(space as usize));
        }
    }

    /// The limits at which CPython's `CMSG_LEN` and `CMSG_SPACE` begin to raise OverflowError.
    #[test]
    fn lengths_have_the_limits_of_cpython() {
        assert_eq!(cmsg_len(2_147_483_631), Some(LENGTH_MAX));
        assert_eq!(cmsg_len(2_147_483_632), None);
        assert_eq!(cmsg_space(2_147_483_616), Some(2_147_483_632));
        assert_eq!(cmsg_space(2_147_483_623), Some(2_147_483_640));
        assert_eq!(cmsg_space(2_147_483_624), None);
        for data in [
            1 << 31,
            usize::MAX,
            usize::MAX - HEADER,
            usize::MAX - HEADER - ALIGNMENT + 1,
        ] {
            assert_eq!(cmsg_len(data), None);
            assert_eq!(cmsg_space(data), None);
        }
    }

    #[test]
    fn items_come_back() {
        let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
        for round in 0..500 {
            let data: Vec<Vec<u8>> = (0..round % 7)
                .map(|_| {
                    let len = numbers.below(70);
                    numbers.bytes(len)
                })
                .collect();
            let items: Vec<Item> = data
                .iter()
                .map(|data| Item {
                    level: numbers.next() as i32,
                    kind: numbers.next() as i32,
                    data,
                })
                .collect();
            let mut buffer = ControlBuffer::from_items(&items).expect("small items");
            let space: usize = data.iter().filter_map(|data| cmsg_space(data.len())).sum();
            assert_eq!(buffer.len(), space);
            assert_eq!(buffer.as_mut_ptr().is_null(), items.is_empty());
            assert_eq!(
                buffer.as_mut_ptr() as usize % mem::align_of::<libc::cmsghdr>(),
                0
            );
            let mut walk = Items::new(buffer.received(buffer.len()));
            assert_eq!(walk.by_ref().collect::<Vec<_>>(), items);
            assert!(!walk.is_malformed());
        }
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let item = Item {
            level: 1,
            kind: 2,
            data: b"abc",
        };
        let buffer = ControlBuffer::from_items(&[item]).expect("a small item");
        let mut expected = (HEADER + 3).to_ne_bytes().to_vec();
        expected.extend(1_i32.to_ne_bytes());
        expected.extend(2_i32.to_ne_bytes());
        expected.extend(b"abc\0\0\0\0\0");
        assert_eq!(buffer.received(usize::MAX), expected);
    }

    #[test]
    fn a_buffer_has_a_limit() {
        let data = vec![0; 1 << 20];
        let item = Item {
            level: 1,
            kind: 1,
            data: &data,
        };
        assert_eq!(
            ControlBuffer::from_items(&[item; 2048]).err(),
            Some(BufferError::TooMuch)
        );
        assert_eq!(
            ControlBuffer::zeroed(LENGTH_MAX + 1).err(),
            Some(BufferError::TooMuch)
        );
        assert_eq!(
            ControlBuffer::zeroed(usize::MAX).err(),
            Some(BufferError::TooMuch)
        );
    }

    /// Every cut of a well-formed buffer yields the whole items before the cut and at most one part of the next.
    #[test]
    fn a_cut_buffer_yields_what_it_has() {
        let items = [
            Item {
                level: 1,
                kind: 1,
                data: b"12345678",
            },
            Item {
                level: 2,
                kind: 2,
                data: b"abc",
            },
            Item {
                level: 3,
                kind: 3,
                data: b"",
            },
        ];
        let buffer = ControlBuffer::from_items(&items).expect("small items");
        for cut in 0..=buffer.len() {
            let mut walk = Items::new(buffer.received(cut));
            let found: Vec<Item> = walk.by_ref().collect();
            let mut start = 0;
            let mut expected = Vec::new();
            let mut malformed = false;
            for item in items {
                let Some(room) = cut.checked_sub(start + HEADER) else {
                    break;
                };
                let kept = room.min(item.data.len());
                malformed = kept < item.data.len();
                expected.push(Item {
                    data: &item.data[..kept],
                    ..item
                });
                start += cmsg_space(item.data.len()).expect("a small item");
            }
            assert_eq!(found, expected, "cut at {cut}");
            assert_eq!(walk.is_malformed(), malformed, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_below_the_header_ends_the_walk() {
        for len in 0..HEADER {
            let mut bytes = vec![0; 3 * HEADER];
            bytes[..8].copy_from_slice(&len.to_ne_bytes());
            let mut walk = Items::new(&bytes);
            assert_eq!(walk.next(), None);
            assert!(walk.is_malformed());
            assert_eq!(walk.next(), None);
        }
    }

    #[test]
    fn any_bytes_are_walked_within_bounds() {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for round in 0..100_000_usize {
            let size = numbers.below(120);
            let mut bytes = numbers.bytes(size);
            // Plausible lengths now and then, or no walk would ever get past its first item.
            for start in (0..size).step_by(ALIGNMENT) {
                let len = match round % 3 {
                    0 => continue,
                    1 => numbers.below(64),
                    _ => usize::MAX - numbers.below(40),
                };
                if let Some(place) = bytes[start..].first_chunk_mut() {
                    *place = len.to_ne_bytes();
                }
            }
            let mut walk = Items::new(&bytes);
            let mut total = 0;
            for item in walk.by_ref() {
                let range = bytes.as_ptr_range();
                let data = item.data.as_ptr_range();
                assert!(range.start <= data.start && data.end <= range.end);
                total += HEADER + item.data.len();
            }
            assert!(total <= size);
            assert_eq!(walk.next(), None);
            assert!(descriptors(&bytes).count() <= size / 4);
        }
    }

    /// Whether writing to `stream` finds no reader: the other end is closed everywhere.
    fn is_cut_off(mut stream: &UnixStream) -> bool {
        // Rust's runtime ignores SIGPIPE.
        stream.write(b"x").is_err()
    }

    #[test]
    fn received_descriptors_are_closed() {
        let (left, right) = UnixStream::pair().expect("a socket pair");
        let (probe, passed) = UnixStream::pair().expect("a socket pair");
        let number = passed.as_raw_fd().to_ne_bytes();
        let rights = Item {
            level: libc::SOL_SOCKET,
            kind: libc::SCM_RIGHTS,
            data: &number,
        };
        let mut control = ControlBuffer::from_items(&[rights]).expect("a small item");
        let mut byte = [0_u8; 1];
        let mut part = libc::iovec {
            iov_base: byte.as_mut_ptr().cast(),
            iov_len: 1,
        };
        // SAFETY: all zeros is a valid `msghdr`.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr();
        message.msg_controllen = control.len();
        // SAFETY: the message points to live memory of the lengths that it states.
        assert_eq!(unsafe { libc::sendmsg(left.as_raw_fd(), &message, 0) }, 1);
        drop(passed);

        let mut control = ControlBuffer::zeroed(cmsg_space(4).unwrap_or(0)).expect("memory");
        message.msg_control = control.as_mut_ptr();
        message.msg_controllen = control.len();
        // SAFETY: as above.
        let count =
            unsafe { libc::recvmsg(right.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
        assert_eq!(count, 1);
        let received = control.received(message.msg_controllen);
        assert_eq!(descriptors(received).count(), 1);
        assert!(!is_cut_off(&probe));
        // SAFETY: the kernel has just filled the buffer, and the descriptor is not used elsewhere.
        unsafe { close_descriptors(received) };
        assert!(is_cut_off(&probe));
    }
}
