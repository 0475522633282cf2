//! Answers of both sides in one form: text that shows every bit that is compared.

use std::{fmt::Write, net::IpAddr};

use rustpython_reactor::dns::{AddrInfo, EaiError, HostEntry, HostError, NameInfo};

/// Equal texts are equal answers.
pub type Outcome = String;

pub fn bytes(text: &[u8]) -> String {
    format!("\"{}\"", text.escape_ascii())
}

pub struct Entry<'a> {
    pub family: i32,
    pub socktype: i32,
    pub protocol: i32,
    pub canonical: Option<&'a [u8]>,
    /// The socket address as it lies in memory.
    pub address: &'a [u8],
}

pub fn entries<'a>(list: impl Iterator<Item = Entry<'a>>) -> Outcome {
    let mut text = String::from("ok");
    for entry in list {
        let _ = write!(
            text,
            " [{}/{}/{}",
            entry.family, entry.socktype, entry.protocol
        );
        if let Some(name) = entry.canonical {
            let _ = write!(text, " canon={}", bytes(name));
        }
        let _ = write!(text, " {}]", socket_address(entry.address));
    }
    text
}

/// Readable where the layout is known, and then the bytes that do not show in it.
fn socket_address(raw: &[u8]) -> String {
    let family = raw
        .get(..2)
        .map(|family| i32::from(u16::from_ne_bytes([family[0], family[1]])));
    let port = raw
        .get(2..4)
        .map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
    let word = |at: usize| {
        let word: Option<[u8; 4]> = raw.get(at..at + 4).and_then(|word| word.try_into().ok());
        u32::from_ne_bytes(word.unwrap_or_default())
    };
    match (family, raw.len()) {
        (Some(libc::AF_INET), 16) => {
            let address: [u8; 4] = raw[4..8].try_into().unwrap_or_default();
            let rest = if raw[8..] == [0; 8] {
                String::new()
            } else {
                format!(" zero={:?}", &raw[8..])
            };
            format!("{}:{port}{rest}", IpAddr::from(address))
        }
        (Some(libc::AF_INET6), 28) => {
            let address: [u8; 16] = raw[8..24].try_into().unwrap_or_default();
            format!(
                "{}:{port} flow={} scope={}",
                IpAddr::from(address),
                word(4),
                word(24)
            )
        }
        _ => format!("{raw:?}"),
    }
}

pub fn eai(code: i32, errno: Option<i32>) -> Outcome {
    match errno {
        Some(errno) => format!("EAI {code} errno {errno}"),
        None => format!("EAI {code}"),
    }
}

pub fn host_error(code: i32, errno: Option<i32>) -> Outcome {
    match errno {
        Some(errno) => format!("h_errno {code} errno {errno}"),
        None => format!("h_errno {code}"),
    }
}

pub fn names(host: &[u8], service: &[u8]) -> Outcome {
    format!("ok {} {}", bytes(host), bytes(service))
}

pub fn host(name: &[u8], aliases: &[Vec<u8>], family: i32, addresses: &[IpAddr]) -> Outcome {
    let aliases: Vec<_> = aliases.iter().map(|alias| bytes(alias)).collect();
    format!(
        "ok {} aliases {aliases:?} family {family} {addresses:?}",
        bytes(name)
    )
}

pub fn of_resolve(answer: Result<Vec<AddrInfo>, EaiError>) -> Outcome {
    match answer {
        Err(error) => eai(error.code, error.errno),
        Ok(list) => entries(list.iter().map(|entry| Entry {
            family: entry.family,
            socktype: entry.socktype,
            protocol: entry.protocol,
            canonical: entry.canonical_name.as_deref(),
            // SAFETY: a SockAddr holds `len` bytes of socket address, all of them written.
            address: unsafe {
                std::slice::from_raw_parts(
                    entry.address.as_ptr().cast(),
                    entry.address.len() as usize,
                )
            },
        })),
    }
}

pub fn of_names(answer: Result<NameInfo, EaiError>) -> Outcome {
    match answer {
        Err(error) => eai(error.code, error.errno),
        Ok(found) => names(&found.host, &found.service),
    }
}

pub fn of_host(answer: Result<HostEntry, HostError>) -> Outcome {
    match answer {
        Err(error) => host_error(error.code, error.errno),
        Ok(entry) => host(&entry.name, &entry.aliases, entry.family, &entry.addresses),
    }
}
