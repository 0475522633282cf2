//! `nsswitch.conf(5)`, as far as hosts and services go.

use super::{HostSource, HostSources, is_space, skip_space};

/// What the file says, or the C library's defaults where it is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NsSwitch {
    pub(super) hosts: HostSources,
    pub(super) services_are_local: bool,
}

/// The databases that the C library knows; it reads no lines of others.
const DATABASES: &[&[u8]] = &[
    b"aliases",
    b"ethers",
    b"group",
    b"group_compat",
    b"gshadow",
    b"hosts",
    b"initgroups",
    b"netgroup",
    b"networks",
    b"passwd",
    b"passwd_compat",
    b"protocols",
    b"publickey",
    b"rpc",
    b"services",
    b"shadow",
    b"shadow_compat",
];

/// A source with the text of its actions.
type Source<'a> = (&'a [u8], Option<&'a [u8]>);

pub(super) fn parse(text: &[u8]) -> NsSwitch {
    let mut hosts = HostSources::Plain(vec![HostSource::Files, HostSource::Dns]);
    // By default: the files.
    let mut services_are_local = true;
    for line in text.split(|&byte| byte == b'\n') {
        let end = line.iter().position(|&byte| byte == 0);
        let Some((database, rest)) = entry(&line[..end.unwrap_or(line.len())]) else {
            continue;
        };
        // One line that it cannot read, of any database, and the C library has no sources at all.
        let Some(sources) = sources(rest) else {
            return NsSwitch {
                hosts: HostSources::Unusual("a malformed line in nsswitch.conf".to_owned()),
                services_are_local: false,
            };
        };
        // The last line of a database counts.
        match database {
            b"hosts" => hosts = host_sources(&sources, rest),
            b"services" => {
                services_are_local = !sources.is_empty()
                    && sources
                        .iter()
                        .all(|(name, _)| [&b"files"[..], b"db"].contains(name));
            }
            _ => {}
        }
    }
    NsSwitch {
        hosts,
        services_are_local,
    }
}

/// The database of a line and what follows; `None` for lines that mean nothing.
fn entry(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = skip_space(line);
    // A blank does instead of the colon, and so does the end of the line (but not of the file, where the C library takes no
    // such line; an empty list is unusual either way).
    let end = line
        .iter()
        .position(|&byte| is_space(byte) || byte == b':')
        .unwrap_or(line.len());
    let (database, rest) = line.split_at(end);
    let start = rest
        .iter()
        .position(|&byte| !is_space(byte) && byte != b':')
        .unwrap_or(rest.len());
    DATABASES
        .contains(&database)
        .then_some((database, &rest[start..]))
}

/// `None`: malformed.
fn sources(mut text: &[u8]) -> Option<Vec<Source<'_>>> {
    let mut found = Vec::new();
    loop {
        text = skip_space(text);
        let end = text
            .iter()
            .position(|&byte| is_space(byte) || byte == b'[')
            .unwrap_or(text.len());
        if end == 0 {
            return Some(found);
        }
        let (name, rest) = text.split_at(end);
        text = skip_space(rest);
        let mut actions = None;
        if let [b'[', rest @ ..] = text {
            let end = rest.iter().position(|&byte| byte == b']')?;
            actions = Some(&rest[..end]);
            if !well_formed(&rest[..end]) {
                return None;
            }
            text = &rest[end + 1..];
        }
        found.push((name, actions));
    }
}

/// `( !? STATUS = ACTION )+`
fn well_formed(actions: &[u8]) -> bool {
    let is_one_of = |word: &[u8], words: &[&str]| {
        words
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    };
    fn word(text: &[u8]) -> (&[u8], &[u8]) {
        let end = text
            .iter()
            .position(|&byte| is_space(byte) || byte == b'=')
            .unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        (word, skip_space(rest))
    }
    let mut text = skip_space(actions);
    loop {
        let (status, rest) = word(text.strip_prefix(b"!").unwrap_or(text));
        let Some(rest) = rest.strip_prefix(b"=") else {
            return false;
        };
        let (action, rest) = word(skip_space(rest));
        if !is_one_of(status, &["success", "unavail", "notfound", "tryagain"])
            || !is_one_of(action, &["return", "continue", "merge"])
        {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
        text = rest;
    }
}

fn host_sources(sources: &[Source<'_>], line: &[u8]) -> HostSources {
    let plain: Option<Vec<HostSource>> = sources
        .iter()
        .map(|&source| match source {
            (b"files", None) => Some(HostSource::Files),
            (b"dns", None) => Some(HostSource::Dns),
            _ => None,
        })
        .collect();
    match plain.as_deref() {
        Some([_] | [HostSource::Files, HostSource::Dns] | [HostSource::Dns, HostSource::Files]) => {
            HostSources::Plain(plain.unwrap_or_default())
        }
        _ => HostSources::Unusual(format!(
            "hosts: {}",
            String::from_utf8_lossy(line).trim_ascii_end()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HostSource::{Dns, Files};

    fn hosts(text: &str) -> Option<Vec<HostSource>> {
        match parse(text.as_bytes()).hosts {
            HostSources::Plain(sources) => Some(sources),
            HostSources::Unusual(_) => None,
        }
    }

    #[test]
    fn plain_lists() {
        assert_eq!(hosts(""), Some(vec![Files, Dns]));
        assert_eq!(hosts("#hosts: dns\npasswd: files"), Some(vec![Files, Dns]));
        assert_eq!(hosts("hosts: files dns"), Some(vec![Files, Dns]));
        assert_eq!(hosts(" hosts\t:: dns\tfiles \r\n"), Some(vec![Dns, Files]));
        assert_eq!(hosts("hosts files"), Some(vec![Files]));
        assert_eq!(hosts("hosts: files\nhosts: dns\n"), Some(vec![Dns]));
        assert_eq!(hosts("HOSTS: dns"), Some(vec![Files, Dns]));
        let others = "passwd: files [SUCCESS=merge] systemd\nsudoers: [\n";
        assert_eq!(hosts(others), Some(vec![Files, Dns]));
    }

    #[test]
    fn anything_else_is_unusual() {
        for line in [
            "hosts:",
            "hosts",
            "hosts: files mdns4_minimal [NOTFOUND=return] dns",
            "hosts: files resolve [!UNAVAIL=return] dns",
            "hosts: files dns myhostname",
            "hosts: files files dns",
            "hosts: Files dns",
            "hosts: files dns # mdns",
            "hosts: files [NOTFOUND=continue] dns",
            "hosts: files[NOTFOUND=return]dns",
            "hosts: files dns\npasswd: files [nonsense]",
            "hosts: files dns\npasswd: files [SUCCESS=return",
            "hosts: files dns\npasswd: files []",
        ] {
            assert_eq!(hosts(line), None, "{line}");
        }
    }

    #[test]
    fn services() {
        let local = |text: &str| parse(text.as_bytes()).services_are_local;
        assert!(local("services: db files\n"));
        assert!(local("services: files [NOTFOUND=return]\n"));
        assert!(!local("services: files nis\n"));
        assert!(!local("services:\n"));
        assert!(!local("services: files\nservices: sss\n"));
        assert!(local(""));
    }
}
