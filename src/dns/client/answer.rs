//! What one reply says, read as glibc reads it (`nss_dns`): in the order of the records, each alias in the answer section
//! naming the owner of the records that follow it, whoever owns the alias itself.

use std::net::IpAddr;

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{DNSClass, Name, RData, RecordType},
};

use crate::dns::lookup::LookupFailure;

/// A reply that settles the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) found: Found,
    /// The name asked for, as the reply spells it.
    pub(super) asked: Vec<u8>,
    /// The targets of the aliases, in their order. The last one owns what was found.
    pub(super) chain: Vec<Vec<u8>>,
    /// Seconds for which the reply holds; 0 where it does not say.
    pub(super) ttl: u32,
}

impl Reply {
    /// The owner of what was found.
    pub(super) fn canonical(&self) -> &[u8] {
        self.chain.last().unwrap_or(&self.asked)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// In the reply's order; never empty.
    Addresses(Vec<IpAddr>),
    /// Of an address.
    Host(Vec<u8>),
    /// Records, but none of the type.
    OnlyOthers,
    NoData,
    NoName,
}

/// More records than this are not worth remembering, and a server may send thousands.
const MOST_CACHED: usize = 256;

/// Reads the reply to a question for `record_type`. Replies that are no answer, such as SERVFAIL, are the caller's.
pub(super) fn read(message: &Message, record_type: RecordType) -> Result<Reply, LookupFailure> {
    let [question] = message.queries.as_slice() else {
        return ask_libc("a reply that does not repeat the question");
    };
    let asked = host_name(question.name())?;
    let nothing = |found, asked| Reply {
        found,
        asked,
        chain: Vec::new(),
        ttl: negative_ttl(message),
    };
    match message.metadata.response_code {
        ResponseCode::NXDomain => return Ok(nothing(Found::NoName, asked)),
        ResponseCode::NoError => {}
        _ => return ask_libc("a reply with an unusual code"),
    }
    if message.answers.is_empty() {
        return Ok(nothing(Found::NoData, asked));
    }
    let mut owner = question.name();
    let mut chain = Vec::new();
    let mut addresses = Vec::new();
    let mut ttl = u32::MAX;
    for record in &message.answers {
        if record.dns_class != DNSClass::IN {
            return ask_libc("a record of another class");
        }
        let kind = record.record_type();
        if kind == RecordType::CNAME || kind == record_type {
            ttl = ttl.min(record.ttl);
        }
        match &record.data {
            RData::CNAME(target) => {
                chain.push(host_name(target)?);
                owner = target;
            }
            RData::Update0(_) => return ask_libc("a record without data"),
            _ if kind != record_type || record.name != *owner => {}
            RData::A(address) => addresses.push(IpAddr::V4(address.0)),
            RData::AAAA(address) => addresses.push(IpAddr::V6(address.0)),
            // The first one is the name; others do not count.
            RData::PTR(target) => {
                return Ok(Reply {
                    found: Found::Host(host_name(target)?),
                    asked,
                    chain,
                    ttl: sane(ttl),
                });
            }
            _ => return ask_libc("a record of another form"),
        }
    }
    if addresses.is_empty() {
        return Ok(Reply {
            found: Found::OnlyOthers,
            asked,
            chain,
            ttl: 0,
        });
    }
    let many = message.answers.len() > MOST_CACHED;
    Ok(Reply {
        found: Found::Addresses(addresses),
        asked,
        chain,
        ttl: if many { 0 } else { sane(ttl) },
    })
}

/// RFC 2308, section 5: none without a SOA record.
fn negative_ttl(message: &Message) -> u32 {
    let soa = message
        .authorities
        .iter()
        .find_map(|record| match &record.data {
            RData::SOA(soa) => Some(sane(record.ttl).min(sane(soa.minimum))),
            _ => None,
        });
    soa.unwrap_or(0)
}

/// RFC 2181, section 8: a time with its highest bit set counts as 0. No record is believed for more than a day.
fn sane(ttl: u32) -> u32 {
    const DAY: u32 = 24 * 60 * 60;
    if ttl > i32::MAX as u32 {
        0
    } else {
        ttl.min(DAY)
    }
}

/// The text of a name, if it is that of a host.
fn host_name(name: &Name) -> Result<Vec<u8>, LookupFailure> {
    let mut text = Vec::with_capacity(name.len());
    for label in name.iter() {
        if !text.is_empty() {
            text.push(b'.');
        }
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if label.is_empty() || !label.iter().all(plain) {
            return ask_libc("a name that no host can have");
        }
        text.extend_from_slice(label);
    }
    if text.is_empty() || text[0] == b'-' {
        return ask_libc("a name that no host can have");
    }
    Ok(text)
}

fn ask_libc<T>(why: &'static str) -> Result<T, LookupFailure> {
    Err(LookupFailure::AskLibc(why))
}
