//! gai.conf(5): the machine's own policy table.
//!
//! The file is read when a list is first sorted. Later only under its own line `reload yes`, and then when its time of
//! modification has changed: so does the C library (gai.conf(5), "reload"). A forked child reads it afresh, unlike the
//! child of a C program, which keeps what its parent had read; the two differ where the file changed meanwhile.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Read},
    net::{IpAddr, Ipv6Addr},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
};

use super::policy::{DEFAULT_LABEL, DEFAULT_PRECEDENCE, DEFAULT_SCOPE, Policy, Prefix};
use crate::{dns::numeric, reactor::fork_mutex::ForkMutex};

const PATH: &str = "/etc/gai.conf";

/// Larger than any that somebody wrote by hand; one beyond it is the C library's to read.
const MAX_LEN: u64 = 1 << 20;

static KEPT: Store = Store::new(None);

/// What one reading found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GaiConf {
    pub(super) policy: Policy,
    /// The last `reload` line; `None` without one.
    reload: Option<bool>,
    /// Why the C library has to be asked for the order: the file has something that is not known to mean the same.
    pub(super) unusual: Option<&'static str>,
}

pub(super) type Store = ForkMutex<Option<Kept>>;

#[derive(Clone)]
pub(super) struct Kept {
    conf: Arc<GaiConf>,
    reload: bool,
    /// Of the file that was last read, seconds and nanoseconds. Stays when the file is gone.
    modified: Option<(i64, i64)>,
}

/// What holds now.
pub(super) fn current() -> Arc<GaiConf> {
    at(&KEPT, Path::new(PATH))
}

pub(super) fn at(store: &Store, path: &Path) -> Arc<GaiConf> {
    let kept = store.lock().clone();
    if let Some(kept) = &kept
        && (!kept.reload || unchanged(kept, path))
    {
        return Arc::clone(&kept.conf);
    }
    let fresh = match read(path) {
        Ok((conf, modified)) => Kept {
            reload: conf
                .reload
                .unwrap_or_else(|| kept.as_ref().is_some_and(|kept| kept.reload)),
            conf: Arc::new(conf),
            modified: Some(modified),
        },
        Err(error) => {
            let absent = Kept {
                conf: Arc::default(),
                reload: kept.as_ref().is_some_and(|kept| kept.reload),
                modified: kept.and_then(|kept| kept.modified),
            };
            // A shortage of descriptors or memory says nothing about the next time.
            if !matches!(
                error.raw_os_error(),
                Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP)
            ) {
                return absent.conf;
            }
            absent
        }
    };
    let conf = Arc::clone(&fresh.conf);
    // Dropped after the lock is free again.
    let _old = store.lock().replace(fresh);
    conf
}

fn unchanged(kept: &Kept, path: &Path) -> bool {
    let now = std::fs::metadata(path).map(|data| (data.mtime(), data.mtime_nsec()));
    now.ok().is_some_and(|now| Some(now) == kept.modified)
}

fn read(path: &Path) -> io::Result<(GaiConf, (i64, i64))> {
    let file = File::open(path)?;
    let data = file.metadata()?;
    let modified = (data.mtime(), data.mtime_nsec());
    let mut text = Vec::new();
    // A file that cannot be read on ends there.
    let _ = file.take(MAX_LEN + 1).read_to_end(&mut text);
    let mut conf = parse(&text);
    if text.len() as u64 > MAX_LEN {
        conf.unusual = Some("gai.conf is very large");
    }
    Ok((conf, modified))
}

const NO_LENGTH: &str = "gai.conf has an address without a prefix length";

pub(super) fn parse(text: &[u8]) -> GaiConf {
    let (mut labels, mut precedences, mut scopes) = (Vec::new(), Vec::new(), Vec::new());
    let mut conf = GaiConf::default();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| matches!(byte, b'#' | 0)).next();
        let mut words = line
            .unwrap_or_default()
            .split(|byte| is_space(*byte))
            .filter(|word| !word.is_empty());
        let command = words.next().unwrap_or_default();
        // What is absent is empty, and an empty number is 0.
        let first = words.next().unwrap_or_default();
        let second = words.next().unwrap_or_default();
        let (table, line): (&mut Vec<Prefix>, _) = match command {
            b"label" => (&mut labels, prefix(first, second)),
            b"precedence" => (&mut precedences, prefix(first, second)),
            b"scopev4" => (&mut scopes, scope(first, second)),
            b"reload" => {
                conf.reload = Some(first == b"yes");
                continue;
            }
            _ => continue,
        };
        match line {
            Line::Valid(line) => table.push(line),
            Line::Invalid => {}
            Line::Undefined => conf.unusual = Some(NO_LENGTH),
        }
    }
    let policy = &mut conf.policy;
    replace(&mut policy.labels, labels, DEFAULT_LABEL);
    replace(&mut policy.precedences, precedences, DEFAULT_PRECEDENCE);
    replace(&mut policy.scopes, scopes, DEFAULT_SCOPE);
    conf
}

/// isspace(3) of the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// A table with any valid line replaces the default one, but for the line that covers every address. Of equally long
/// prefixes the first in the file comes first.
fn replace(table: &mut Vec<Prefix>, mut lines: Vec<Prefix>, last: Prefix) {
    if lines.is_empty() {
        return;
    }
    if !lines.iter().any(|line| line.bits == last.bits) {
        lines.push(last);
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.bits));
    *table = lines;
}

enum Line {
    Valid(Prefix),
    /// As if it were not there.
    Invalid,
    /// The C library looks at a pointer that it has not set.
    Undefined,
}

/// `label` and `precedence`.
fn prefix(first: &[u8], second: &[u8]) -> Line {
    let (address, length) = split(first);
    match address_of(libc::AF_INET6, address) {
        Some(IpAddr::V6(address)) => line(address, length, second, 0..=128, 0),
        _ => Line::Invalid,
    }
}

/// `scopev4`, whose prefixes are written as `::ffff:a.b.c.d/96` to `/128`, or as `a.b.c.d/0` to `/32`.
fn scope(first: &[u8], second: &[u8]) -> Line {
    let (address, length) = split(first);
    match address_of(libc::AF_INET6, address).or_else(|| address_of(libc::AF_INET, address)) {
        Some(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            line(v6, length, second, 96..=128, 0)
        }
        Some(IpAddr::V4(v4)) => line(v4.to_ipv6_mapped(), length, second, 0..=32, 96),
        _ => Line::Invalid,
    }
}

fn line(
    address: Ipv6Addr,
    length: Option<&[u8]>,
    value: &[u8],
    lengths: std::ops::RangeInclusive<u64>,
    offset: u32,
) -> Line {
    let Some(length) = length else {
        return Line::Undefined;
    };
    let length = unsigned(length).filter(|length| lengths.contains(length));
    let value = unsigned(value).filter(|value| *value <= i32::MAX as u64);
    match (length, value) {
        // Both are within their ranges, so nothing is cut off.
        (Some(length), Some(value)) => {
            Line::Valid(Prefix::new(address, length as u32 + offset, value as u32))
        }
        _ => Line::Invalid,
    }
}

fn split(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    match word.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&word[..slash], Some(&word[slash + 1..])),
        None => (word, None),
    }
}

fn address_of(family: i32, text: &[u8]) -> Option<IpAddr> {
    numeric::parse(family, &CString::new(text).ok()?).ok()?
}

/// strtoul(3) in base 10 of a whole word: nothing at all is 0, and a minus sign negates modulo 2^64.
fn unsigned(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return Some(0);
    }
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests;
