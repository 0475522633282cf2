//! The hosts file: what the C library's `files` source answers from it, for `getaddrinfo(3)` and `gethostbyname2(3)`.

mod table;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use super::{
    config::watch::{Contents, Watched},
    lookup::{Families, HostAddresses, HostNames, LookupFailure},
};
use crate::reactor::fork_mutex::ForkMutex;
use table::{Table, View};

const PATH: &str = "/etc/hosts";
/// A file beyond this is left to the C library, which keeps none in memory.
const LARGEST: u64 = 16 << 20;

struct Reading {
    table: Arc<Table>,
    watched: Watched,
}

static READING: ForkMutex<Option<Arc<Reading>>> = ForkMutex::new(None);

/// The addresses of a name that is not numeric. `multi`: of all lines that have it, not only the first one.
///
/// One family is what `gethostbyname2(3)` and `getaddrinfo(3)` for that family say: IPv4 includes `::1` as 127.0.0.1 and
/// mapped addresses, IPv6 includes mapped addresses. Both families are what `getaddrinfo(3)` says for `AF_UNSPEC`: each
/// line in the family it is written in, and no aliases. The canonical name is the first line's first, as written, and
/// may be empty.
///
/// [`LookupFailure::NotFound`] for a name without a line of these families.
pub(super) fn by_name(
    name: &[u8],
    families: Families,
    multi: bool,
) -> Result<HostAddresses, LookupFailure> {
    askable(name)?;
    addresses(&*table()?, name, families, multi)
}

/// The names of an address: those of the first line that has it. An IPv4 address is also looked for in the lines that
/// count as IPv4, see [`by_name`]; an IPv6 address only as it is. The canonical name is empty in a line without names.
pub(super) fn by_address(address: IpAddr) -> Result<HostNames, LookupFailure> {
    if address == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) {
        return Err(LookupFailure::AskLibc("the unspecified address"));
    }
    names(&*table()?, address)
}

fn addresses(
    table: &Table,
    name: &[u8],
    families: Families,
    multi: bool,
) -> Result<HostAddresses, LookupFailure> {
    let view = match families {
        Families::V4 => View::V4,
        Families::V6 => View::V6,
        Families::Both => View::Any,
    };
    let mut lines = table.with_name(name, view);
    let (address, canonical, aliases) = lines.next().ok_or(LookupFailure::NotFound)?;
    let one_family = families != Families::Both;
    let mut found = HostAddresses {
        canonical: canonical.to_vec(),
        aliases: Vec::new(),
        addresses: vec![address],
    };
    if one_family {
        found.aliases.extend(aliases.map(<[u8]>::to_vec));
    }
    if multi {
        for (address, first, aliases) in lines {
            found.addresses.push(address);
            if one_family {
                found.aliases.extend(aliases.map(<[u8]>::to_vec));
                if first != found.canonical {
                    found.aliases.push(first.to_vec());
                }
            }
        }
    }
    Ok(found)
}

fn names(table: &Table, address: IpAddr) -> Result<HostNames, LookupFailure> {
    let (canonical, aliases) = table.with_address(address).ok_or(LookupFailure::NotFound)?;
    Ok(HostNames {
        canonical: canonical.to_vec(),
        aliases: aliases.map(<[u8]>::to_vec).collect(),
    })
}

/// Names that the C library may not look for in the file, or may compare in ways of the locale.
fn askable(name: &[u8]) -> Result<(), LookupFailure> {
    if !name.is_ascii() || name.contains(&0) {
        return Err(LookupFailure::AskLibc("a host name that is not ASCII"));
    }
    let dotted = name
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if dotted || name.contains(&b':') {
        return Err(LookupFailure::AskLibc("a host name that looks numeric"));
    }
    // SAFETY: tolower(3) takes any unsigned char.
    if unsafe { libc::tolower(libc::c_int::from(b'I')) } != libc::c_int::from(b'i') {
        // Turkish ones.
        return Err(LookupFailure::AskLibc(
            "a locale with letter cases of its own",
        ));
    }
    Ok(())
}

/// The file as it is now.
fn table() -> Result<Arc<Table>, LookupFailure> {
    let known = READING.lock().clone();
    if let Some(known) = &known
        && known.watched.unchanged()
    {
        return Ok(Arc::clone(&known.table));
    }
    let (contents, watched) = Watched::read(PathBuf::from(PATH), LARGEST);
    let text = match contents {
        Contents::Text(text) => text,
        // The C library's source fails then, which is another thing than to know no host.
        Contents::Absent => return Err(LookupFailure::AskLibc("there is no hosts file to read")),
        Contents::Unusual(_) => return Err(LookupFailure::AskLibc("an unusual hosts file")),
    };
    let table = match known {
        Some(known) if known.table.file() == text => Arc::clone(&known.table),
        _ => Arc::new(Table::new(text)),
    };
    let reading = Arc::new(Reading {
        table: Arc::clone(&table),
        watched,
    });
    // Dropped after the lock.
    let replaced = READING.lock().replace(reading);
    drop(replaced);
    Ok(table)
}
