//! `resolv.conf(5)`.

use std::{
    ffi::CString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use super::{ResolvConf, is_space, skip_space};
use crate::dns::numeric;

const PORT: u16 = 53;
/// MAXNS of `resolv.h`, and the other limits there.
const MAX_SERVERS: usize = 3;
const MAX_NDOTS: u32 = 15;
const MAX_TIMEOUT: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;

/// What the environment adds.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// `LOCALDOMAIN`
    pub(super) local_domain: Option<Vec<u8>>,
    /// `RES_OPTIONS`
    pub(super) options: Option<Vec<u8>>,
    /// `gethostname(2)`
    pub(super) host_name: Vec<u8>,
}

pub(super) fn parse(text: &[u8], surroundings: &Surroundings) -> ResolvConf {
    let mut parser = Parser {
        found: ResolvConf {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            edns0: false,
            unusual: None,
        },
        search: None,
    };
    if let Some(domains) = &surroundings.local_domain {
        parser.search = Some(words(first_line(domains)));
    }
    let fixed_search = parser.search.is_some();
    for line in text.split(|&byte| byte == b'\n') {
        parser.line(until_nul(line), fixed_search);
    }
    parser.finish(surroundings)
}

struct Parser {
    found: ResolvConf,
    search: Option<Vec<Vec<u8>>>,
}

impl Parser {
    fn line(&mut self, line: &[u8], fixed_search: bool) {
        let blank = |byte: &u8| is_blank(*byte);
        let Some(end) = line.iter().position(blank) else {
            return;
        };
        let (keyword, rest) = line.split_at(end);
        let start = rest.iter().position(|&byte| !is_blank(byte));
        let rest = &rest[start.unwrap_or(rest.len())..];
        let first = rest.split(blank).next().unwrap_or_default();
        match keyword {
            b"domain" if !fixed_search && !rest.is_empty() => {
                self.search = Some(vec![first.to_vec()]);
            }
            b"search" if !fixed_search && !rest.is_empty() => self.search = Some(words(rest)),
            b"nameserver" => self.found.servers.extend(server(first)),
            b"sortlist" => self.unusual("sortlist"),
            b"options" => self.options(rest),
            _ => {}
        }
    }

    fn options(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            if is_blank(text[at]) {
                at += 1;
                continue;
            }
            self.option(&text[at..]);
            at += text[at..]
                .iter()
                .position(|&byte| is_blank(byte))
                .unwrap_or(text.len() - at);
        }
    }

    /// `text` begins with the option and goes on to the end of the line: a number may stand after a blank. Only the
    /// beginning of a word counts.
    fn option(&mut self, text: &[u8]) {
        if let Some(number) = text.strip_prefix(b"ndots:") {
            match whole(number) {
                Some(ndots) => self.found.ndots = ndots.min(MAX_NDOTS),
                None => self.unusual("ndots of an odd number"),
            }
        } else if let Some(number) = text.strip_prefix(b"timeout:") {
            match whole(number) {
                Some(timeout @ 1..) => {
                    self.found.timeout = Duration::from_secs(timeout.min(MAX_TIMEOUT).into());
                }
                _ => self.unusual("timeout of an odd number"),
            }
        } else if let Some(number) = text.strip_prefix(b"attempts:") {
            match whole(number) {
                Some(attempts @ 1..) => self.found.attempts = attempts.min(MAX_ATTEMPTS),
                _ => self.unusual("attempts of an odd number"),
            }
        } else if text.starts_with(b"edns0") {
            self.found.edns0 = true;
        } else {
            // `trust-ad` is not among them: it sets a bit in questions and keeps it in answers, and the addresses do not
            // depend on it. Neither are words that this version of the C library does not know.
            let unusual = [
                "rotate",
                "single-request-reopen",
                "single-request",
                "no_tld_query",
                "no-tld-query",
                "no-reload",
                "use-vc",
                "no-aaaa",
            ];
            let word = unusual
                .into_iter()
                .find(|word| text.starts_with(word.as_bytes()));
            if let Some(word) = word {
                self.unusual(word);
            }
        }
    }

    fn unusual(&mut self, what: &str) {
        match &mut self.found.unusual {
            Some(list) => {
                list.push_str(", ");
                list.push_str(what);
            }
            None => self.found.unusual = Some(what.to_owned()),
        }
    }

    fn finish(mut self, surroundings: &Surroundings) -> ResolvConf {
        self.found.servers.truncate(MAX_SERVERS);
        if self.found.servers.is_empty() {
            let this_machine = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
            self.found.servers.push(this_machine);
        }
        let search = self.search.take().unwrap_or_else(|| {
            let name = until_nul(&surroundings.host_name);
            let dot = name.iter().position(|&byte| byte == b'.');
            dot.map(|dot| name[dot + 1..].to_vec())
                .into_iter()
                .collect()
        });
        for domain in search {
            match spelled(&domain) {
                Some(domain) => self.found.search.push(domain),
                None => self.unusual("a search domain that is no domain name"),
            }
        }
        if let Some(options) = &surroundings.options {
            self.options(until_nul(options));
        }
        self.found
    }
}

/// A search domain as text. One leading dot is not part of it, and nothing at all means the root.
fn spelled(domain: &[u8]) -> Option<String> {
    let domain = domain.strip_prefix(b".").unwrap_or(domain);
    if domain.is_empty() {
        return Some(".".to_owned());
    }
    let bare = domain.strip_suffix(b".").unwrap_or(domain);
    let sound = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
    };
    if bare.len() > 253 || !bare.split(|&byte| byte == b'.').all(sound) {
        return None;
    }
    String::from_utf8(domain.to_vec()).ok()
}

fn server(text: &[u8]) -> Option<SocketAddr> {
    let whole = CString::new(text).ok()?;
    // The system's parser takes anything after white space; here the address is all there may be.
    if !text.iter().any(|&byte| is_space(byte))
        && let Some(address) = numeric::parse_loose_ipv4(&whole)
    {
        return Some(SocketAddr::from((address, PORT)));
    }
    let mut parts = text.splitn(2, |&byte| byte == b'%');
    let address = CString::new(parts.next()?).ok()?;
    let Ok(Some(IpAddr::V6(address))) = numeric::parse(libc::AF_INET6, &address) else {
        return None;
    };
    let scope = parts.next().map_or(0, |scope| scope_id(address, scope));
    Some(SocketAddrV6::new(address, PORT, 0, scope).into())
}

/// The number of a scope; 0 for what is none.
fn scope_id(address: Ipv6Addr, scope: &[u8]) -> u32 {
    let [first, second, ..] = address.octets();
    let link_local = first == 0xfe && second & 0xc0 == 0x80;
    // Of an interface, or of a link.
    let near_multicast = first == 0xff && [1, 2].contains(&(second & 0x0f));
    if (link_local || near_multicast)
        && let Ok(name) = CString::new(scope)
    {
        // SAFETY: `name` ends in NUL; if_nametoindex(3) does not keep it.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index != 0 {
            return index;
        }
    }
    if !scope.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let digits = str::from_utf8(scope).ok();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The number at the beginning, as `atoi(3)` reads it; `None` for one that is negative or large.
fn whole(text: &[u8]) -> Option<u32> {
    let text = skip_space(text);
    let digits = |text: &[u8]| {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0u64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add((digit - b'0').into())
        })
    };
    let number = match text {
        [b'-', rest @ ..] if digits(rest) != 0 => return None,
        [b'+', rest @ ..] => digits(rest),
        _ => digits(text),
    };
    i32::try_from(number).ok()?.try_into().ok()
}

fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let words = text.split(|&byte| is_blank(byte)).enumerate();
    // The first counts even if it is empty.
    words
        .filter(|(at, word)| *at == 0 || !word.is_empty())
        .map(|(_, word)| word.to_vec())
        .collect()
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == b'\n').next().unwrap_or_default()
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> ResolvConf {
        parse(text.as_bytes(), &Surroundings::default())
    }

    fn servers(text: &str) -> Vec<String> {
        let found = plain(text);
        found.servers.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn defaults() {
        let found = plain("");
        assert_eq!(servers(""), ["127.0.0.1:53"]);
        assert_eq!((found.ndots, found.attempts), (1, 2));
        assert_eq!(found.timeout, Duration::from_secs(5));
        assert!(found.search.is_empty() && !found.edns0);
        assert_eq!(found.unusual, None);
    }

    #[test]
    fn name_servers() {
        let text = "nameserver 10.0.0.1 # one\n;nameserver 10.0.0.9\n nameserver 10.0.0.8\n\
            nameserver\t127.1\nnameserver 1.2.3.4\r\nnameserver bad\nnameserver fe80::1%7\n\
            nameserver 10.0.0.4\n";
        assert_eq!(
            servers(text),
            ["10.0.0.1:53", "127.0.0.1:53", "[fe80::1%7]:53"]
        );
        assert_eq!(servers("nameserver fe80::1%nosuch"), ["[fe80::1]:53"]);
        assert_eq!(servers("nameserver fe80::1%lo"), ["[fe80::1%1]:53"]);
        assert_eq!(servers("nameserver ::1%3"), ["[::1%3]:53"]);
        assert_eq!(
            servers("nameservers 10.0.0.1\nnameserver:10.0.0.1"),
            ["127.0.0.1:53"]
        );
    }

    #[test]
    fn search_lists() {
        let search = |text: &str| plain(text).search;
        assert_eq!(
            search("search a.example  b\t.c .\n"),
            ["a.example", "b", "c", "."]
        );
        assert_eq!(search("search a\ndomain b c\n"), ["b"]);
        assert_eq!(search("domain b\nsearch a\nsearch \n"), ["a"]);
        assert_eq!(search("search 1 2 3 4 5 6 7 8").len(), 8);
        assert!(plain("search a..b").unusual.is_some());
        assert!(plain("search a\r\n").unusual.is_some());
        let with = |local: Option<&str>, host: &str| {
            let surroundings = Surroundings {
                local_domain: local.map(Into::into),
                host_name: host.into(),
                ..Surroundings::default()
            };
            parse(b"nameserver 10.0.0.1", &surroundings).search
        };
        assert_eq!(with(Some("x y\nz"), "h.example"), ["x", "y"]);
        assert_eq!(with(Some(""), "h.example"), ["."]);
        assert_eq!(with(None, "h.example.org"), ["example.org"]);
        assert!(with(None, "h").is_empty());
    }

    #[test]
    fn options() {
        let found = plain("options ndots:3 timeout:99\tattempts:99 edns0 trust-ad inet6 debug\n");
        assert_eq!((found.ndots, found.attempts), (3, 5));
        assert_eq!(found.timeout, Duration::from_secs(30));
        assert!(found.edns0);
        assert_eq!(found.unusual, None);
        assert_eq!(plain("options ndots: 4x").ndots, 4);
        assert_eq!(plain("options ndots:16").ndots, 15);
        for text in [
            "rotate",
            "single-requests",
            "use-vc",
            "no-aaaa",
            "ndots:-1",
            "attempts:0",
        ] {
            let found = plain(&format!("options {text}"));
            assert!(found.unusual.is_some(), "{text}");
        }
        assert!(plain("sortlist 10.0.0.0").unusual.is_some());
        let surroundings = Surroundings {
            options: Some(b"ndots:0 rotate".to_vec()),
            ..Surroundings::default()
        };
        let found = parse(b"options ndots:3", &surroundings);
        assert_eq!(found.ndots, 0);
        assert_eq!(found.unusual.as_deref(), Some("rotate"));
    }
}
