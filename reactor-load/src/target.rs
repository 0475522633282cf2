//! What is loaded: an address, and whether that is allowed.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use hyper::Uri;

/// Where connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Inet(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What the command line names, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub place: Place,
    /// As a certificate or a `Host` header has it.
    pub host: String,
    /// Of a URL: its path and query.
    pub path: Option<String>,
    pub tls: bool,
}

impl Target {
    /// `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH`, `http://...` or `https://...`. Looks the host up.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err("unix: without a path".into());
            }
            return Ok(Self {
                place: Place::Unix(path.into()),
                host: "localhost".into(),
                path: None,
                tls: false,
            });
        }
        if text.contains("://") {
            return Self::from_url(text);
        }
        let (host, port) = split(text)?;
        Ok(Self {
            place: look_up(host, port)?,
            host: host.to_owned(),
            path: None,
            tls: false,
        })
    }

    fn from_url(text: &str) -> Result<Self, String> {
        let url: Uri = text.parse().map_err(|error| format!("{text}: {error}"))?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("{text}: neither http nor https")),
        };
        let host = url.host().ok_or_else(|| format!("{text}: no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self {
            place: look_up(host, port)?,
            host: host.to_owned(),
            path: url.path_and_query().map(ToString::to_string),
            tls,
        })
    }

    /// Whether it is this machine, as far as the address tells.
    pub fn is_local(&self) -> bool {
        match &self.place {
            Place::Inet(address) => match address.ip() {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => {
                    ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
                }
            },
            Place::Unix(_) => true,
        }
    }
}

fn split(text: &str) -> Result<(&str, u16), String> {
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| format!("{text}: no port (HOST:PORT, [IPV6]:PORT or unix:PATH)"))?;
    let port = port
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{text}: {port:?} is no port"))?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if bare.is_none() && host.contains(':') {
        return Err(format!(
            "{text}: an IPv6 address goes in brackets: [{host}]:{port}"
        ));
    }
    let host = bare.unwrap_or(host);
    if host.is_empty() {
        return Err(format!("{text}: no host"));
    }
    Ok((host, port))
}

/// The first address: a load that goes to several says little about any.
fn look_up(host: &str, port: u16) -> Result<Place, String> {
    let mut found = (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("{host}: {error}"))?;
    let address = found.next().ok_or_else(|| format!("{host}: no address"))?;
    Ok(Place::Inet(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> String {
        Target::parse(text).map_or_else(|error| error, |target| target.place.to_string())
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("unix:/run/x", "unix:/run/x"),
            ("http://127.0.0.1/a?b", "127.0.0.1:80"),
            ("https://[::1]/", "[::1]:443"),
            ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ] {
            assert_eq!(place(text), expected);
        }
        assert_eq!(
            Target::parse("http://127.0.0.1/a?b").map(|target| target.path),
            Ok(Some("/a?b".into()))
        );
    }

    #[test]
    fn what_is_no_address_is_named() {
        for text in [
            "",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "::1:80",
            ":80",
            "unix:",
            "ftp://127.0.0.1/",
            "http://",
            "no such host:80",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for (text, local) in [
            ("127.0.0.1:80", true),
            ("127.8.9.1:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("unix:x", true),
            ("192.0.2.1:80", false),
            ("[2001:db8::1]:80", false),
            ("0.0.0.0:80", false),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(target.is_local(), local, "{text}");
        }
    }
}
