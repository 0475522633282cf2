//! The hosts file as an index: `hosts(5)`, in the C library's reading.

use std::{
    ffi::CString,
    hash::{DefaultHasher, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use crate::dns::{
    config::{is_space, skip_space},
    numeric,
};

/// A line with an address. It may be without names, and has then the empty one.
#[derive(Debug)]
struct Line {
    address: IpAddr,
    /// What follows the address, in [`Table::text`].
    names: Range<u32>,
}

/// Which lines count, and as what address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// All, as they are written.
    Any,
    /// IPv4, and of IPv6 the loopback address and mapped addresses, as IPv4.
    V4,
    /// IPv6.
    V6,
}

impl View {
    fn of(self, address: IpAddr) -> Option<IpAddr> {
        match (self, address) {
            (Self::Any, _) | (Self::V4, IpAddr::V4(_)) | (Self::V6, IpAddr::V6(_)) => Some(address),
            (Self::V4, IpAddr::V6(Ipv6Addr::LOCALHOST)) => Some(Ipv4Addr::LOCALHOST.into()),
            (Self::V4, IpAddr::V6(v6)) => v6.to_ipv4_mapped().map(IpAddr::from),
            (Self::V6, IpAddr::V4(_)) => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// The file, and after it the lines that the C library garbles.
    text: Vec<u8>,
    file_length: usize,
    lines: Vec<Line>,
    /// A hash of the name in lower case, and the line, in order.
    by_name: Vec<(u64, u32)>,
    /// The address (in its own family, and in IPv4 if it counts there too) and the line, in order.
    by_address: Vec<(IpAddr, u32)>,
}

impl Table {
    /// `text` is shorter than 4 GiB by far: positions in twice its length have to fit into 32 bits.
    pub(super) fn new(text: Vec<u8>) -> Self {
        let mut table = Self {
            file_length: text.len(),
            text,
            ..Self::default()
        };
        let mut start = 0;
        while start < table.file_length {
            let rest = &table.text[start..table.file_length];
            let end = rest.iter().position(|&byte| byte == b'\n');
            let end = end.map_or(table.file_length, |end| start + end + 1);
            table.add(start..end);
            start = end;
        }
        table.by_name.sort_unstable();
        table.by_name.dedup();
        table.by_address.sort_unstable();
        table
    }

    /// The file, as it was read.
    pub(super) fn file(&self) -> &[u8] {
        &self.text[..self.file_length]
    }

    /// Takes in a line, with its end.
    fn add(&mut self, line: Range<usize>) {
        let Some(line) = self.without_indent(line) else {
            return;
        };
        let ends = self.text[line.clone()]
            .iter()
            .position(|byte| b"#\n\0".contains(byte));
        let line = ends.map_or(line.clone(), |end| line.start..line.start + end);
        let text = &self.text[line.clone()];
        let end = text.iter().position(|&byte| is_space(byte));
        let (address, rest) = text.split_at(end.unwrap_or(text.len()));
        let Some(address) = parse(address) else {
            return;
        };
        let names = line.end - skip_space(rest).len()..line.end;
        let (Ok(at), Ok(start), Ok(end)) = (
            u32::try_from(self.lines.len()),
            u32::try_from(names.start),
            u32::try_from(names.end),
        ) else {
            return;
        };
        for name in split(&self.text[names]) {
            self.by_name.push((hash(name), at));
        }
        self.by_address.push((address, at));
        if let (IpAddr::V6(_), Some(v4)) = (address, View::V4.of(address)) {
            self.by_address.push((v4, at));
        }
        self.lines.push(Line {
            address,
            names: start..end,
        });
    }

    /// The line from its first word on; `None` if there is none.
    ///
    /// The C library moves an indented line to the front of its buffer without its end, so that as many of its last bytes
    /// as it was indented by follow once more. This only shows where no end of line stands before them.
    fn without_indent(&mut self, line: Range<usize>) -> Option<Range<usize>> {
        let text = &self.text[line.clone()];
        let nul = text.iter().position(|&byte| byte == 0);
        let length = nul.unwrap_or(text.len());
        let line = line.start..line.start + length;
        let text = &self.text[line.clone()];
        let indent = text.iter().position(|&byte| !is_space(byte))?;
        if indent == 0 || text.ends_with(b"\n") {
            return Some(line.start + indent..line.end);
        }
        let start = self.text.len();
        let tail = line.end - indent..line.end;
        self.text.extend_from_within(line.start + indent..line.end);
        self.text.extend_from_within(tail);
        Some(start..self.text.len())
    }

    fn names(&self, line: &Line) -> impl Iterator<Item = &[u8]> {
        split(&self.text[line.names.start as usize..line.names.end as usize])
    }

    /// The lines with this name in either case, in the file's order: the address, the name that comes first in the line,
    /// and the others.
    pub(super) fn with_name<'a>(
        &'a self,
        name: &'a [u8],
        view: View,
    ) -> impl Iterator<Item = (IpAddr, &'a [u8], impl Iterator<Item = &'a [u8]>)> {
        let hash = hash(name);
        let start = self.by_name.partition_point(|&(other, _)| other < hash);
        let found = self.by_name[start..]
            .iter()
            .take_while(move |&&(other, _)| other == hash);
        found.filter_map(move |&(_, line)| {
            let line = self.lines.get(line as usize)?;
            let address = view.of(line.address)?;
            if !self
                .names(line)
                .any(|other| other.eq_ignore_ascii_case(name))
            {
                return None;
            }
            let mut names = self.names(line);
            Some((address, names.next().unwrap_or_default(), names))
        })
    }

    /// The first line with this address: the name that comes first, and the others.
    pub(super) fn with_address(
        &self,
        address: IpAddr,
    ) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
        let at = self
            .by_address
            .partition_point(|&(other, _)| other < address);
        let &(_, line) = self
            .by_address
            .get(at)
            .filter(|(other, _)| *other == address)?;
        let mut names = self.names(self.lines.get(line as usize)?);
        Some((names.next().unwrap_or_default(), names))
    }
}

/// At least one: the first may be empty, the others are not.
fn split(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = names.split(|&byte| is_space(byte)).enumerate();
    words
        .filter(|(at, word)| *at == 0 || !word.is_empty())
        .map(|(_, word)| word)
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for byte in name {
        hasher.write_u8(byte.to_ascii_lowercase());
    }
    hasher.finish()
}

fn parse(address: &[u8]) -> Option<IpAddr> {
    // As long as the longest that there is (INET6_ADDRSTRLEN), so that nothing large is copied.
    if address.is_empty() || address.len() > 46 {
        return None;
    }
    let address = CString::new(address).ok()?;
    let parsed = |family| numeric::parse(family, &address).ok().flatten();
    parsed(libc::AF_INET).or_else(|| parsed(libc::AF_INET6))
}
