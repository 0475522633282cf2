//! The policy table of RFC 6724 section 2.1, and scopes (section 3.1), with the C library's defaults.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Labels, precedences and scopes; what gai.conf(5) may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// The longest prefixes first, `::/0` last.
    pub(super) labels: Vec<Prefix>,
    /// As `labels`.
    pub(super) precedences: Vec<Prefix>,
    /// Of IPv4 addresses, as `::ffff:a.b.c.d`; as `labels`, and the last one is `::ffff:0:0/96`.
    pub(super) scopes: Vec<Prefix>,
}

/// A line of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) address: Ipv6Addr,
    /// At most 128.
    pub(super) bits: u32,
    pub(super) value: u32,
}

impl Prefix {
    pub(super) const fn new(address: Ipv6Addr, bits: u32, value: u32) -> Self {
        Self {
            address,
            bits,
            value,
        }
    }

    fn covers(&self, address: Ipv6Addr) -> bool {
        let differing = self.address.to_bits() ^ address.to_bits();
        differing.leading_zeros() >= self.bits
    }
}

const MAPPED: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
const SIX_TO_FOUR: Ipv6Addr = Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0);
const SITE_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0);
const UNIQUE_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0);
const TEREDO: Ipv6Addr = Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0);

/// The line that every table ends in, unless gai.conf has one for `::/0` itself.
pub(super) const DEFAULT_LABEL: Prefix = Prefix::new(Ipv6Addr::UNSPECIFIED, 0, 1);
pub(super) const DEFAULT_PRECEDENCE: Prefix = Prefix::new(Ipv6Addr::UNSPECIFIED, 0, 40);
pub(super) const DEFAULT_SCOPE: Prefix = Prefix::new(MAPPED, 96, GLOBAL);

const LINK: u32 = 2;
const SITE: u32 = 5;
const GLOBAL: u32 = 14;

impl Default for Policy {
    fn default() -> Self {
        let link_local = Ipv4Addr::new(169, 254, 0, 0).to_ipv6_mapped();
        let loopback = Ipv4Addr::new(127, 0, 0, 0).to_ipv6_mapped();
        Self {
            labels: vec![
                Prefix::new(Ipv6Addr::LOCALHOST, 128, 0),
                Prefix::new(Ipv6Addr::UNSPECIFIED, 96, 3),
                Prefix::new(MAPPED, 96, 4),
                Prefix::new(TEREDO, 32, 7),
                Prefix::new(SIX_TO_FOUR, 16, 2),
                Prefix::new(SITE_LOCAL, 10, 5),
                Prefix::new(UNIQUE_LOCAL, 7, 6),
                DEFAULT_LABEL,
            ],
            precedences: vec![
                Prefix::new(Ipv6Addr::LOCALHOST, 128, 50),
                Prefix::new(Ipv6Addr::UNSPECIFIED, 96, 20),
                Prefix::new(MAPPED, 96, 10),
                Prefix::new(SIX_TO_FOUR, 16, 30),
                DEFAULT_PRECEDENCE,
            ],
            scopes: vec![
                Prefix::new(link_local, 96 + 16, LINK),
                Prefix::new(loopback, 96 + 8, LINK),
                DEFAULT_SCOPE,
            ],
        }
    }
}

impl Policy {
    pub(super) fn label(&self, address: IpAddr) -> u32 {
        first_covering(&self.labels, address).unwrap_or(DEFAULT_LABEL.value)
    }

    pub(super) fn precedence(&self, address: IpAddr) -> u32 {
        first_covering(&self.precedences, address).unwrap_or(DEFAULT_PRECEDENCE.value)
    }

    /// `::ffff:a.b.c.d` is a global IPv6 address here, whatever the scope of `a.b.c.d`.
    pub(super) fn scope(&self, address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(_) => first_covering(&self.scopes, address).unwrap_or(GLOBAL),
            IpAddr::V6(v6) if v6.is_multicast() => u32::from(v6.octets()[1] & 0x0f),
            IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_loopback() => LINK,
            IpAddr::V6(v6) if Prefix::new(SITE_LOCAL, 10, SITE).covers(v6) => SITE,
            IpAddr::V6(_) => GLOBAL,
        }
    }
}

fn first_covering(table: &[Prefix], address: IpAddr) -> Option<u32> {
    let address = mapped(address);
    let line = table.iter().find(|line| line.covers(address));
    line.map(|line| line.value)
}

/// The address as IPv6.
pub(super) fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
