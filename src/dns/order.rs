//! The order of getaddrinfo's answers: RFC 6724 section 6, by the rules of glibc 2.36.
//!
//! Where those differ from the RFC: the policy table still treats site-local, unique local and Teredo addresses as
//! RFC 3484's heirs do, rule 9 counts for IPv4 only within the source's own subnet, and an interface that nothing is
//! known of counts as a tunnel. See gai.conf(5).
//!
//! The rules do not make an order in the mathematical sense: rule 9 compares only addresses of one family, so `a`
//! may come before `b`, `b` before `c` (rule 10, as they were) and `c` before `a`. What the C library answers then
//! depends on the very comparisons it makes, so the algorithm here is its merge sort, over all entries: an address
//! has one for each socket type, and sorting the addresses alone would give another result.

mod gai_conf;
mod policy;
mod source_address;

use std::{
    cell::OnceCell,
    cmp::Ordering,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use self::{
    gai_conf::GaiConf,
    policy::{Policy, mapped},
    source_address::{Prober, Source},
};
use super::{
    interfaces::{Interfaces, Links, LocalAddress},
    lookup::LookupFailure,
};

/// Sorts the answers of a look-up: all socket types of the first address, then those of the next and so on. The
/// canonical name is not moved; it belongs to whatever entry comes first afterwards.
///
/// `interfaces` are those that `AI_ADDRCONFIG` has looked at; without them they are read when a rule needs them.
/// Takes a few system calls for every address, none of which waits or sends anything.
///
/// # Errors
/// `AskLibc`, with the entries as they were, where gai.conf is not known to mean the same to the C library.
pub(super) fn sort<T>(
    entries: &mut Vec<T>,
    address: impl Fn(&T) -> SocketAddr,
    interfaces: Option<&Interfaces>,
) -> Result<(), LookupFailure> {
    let addresses: Vec<SocketAddr> = entries.iter().map(address).collect();
    if addresses.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(());
    }
    let conf = gai_conf::current();
    let order = order_of(&addresses, interfaces, &conf)?;
    let mut unsorted: Vec<Option<T>> = entries.drain(..).map(Some).collect();
    let sorted = order
        .into_iter()
        .filter_map(|at| unsorted.get_mut(at)?.take());
    entries.extend(sorted);
    Ok(())
}

/// Why the C library has to be asked for any order, if it has to: [`sort`]'s error, before a look-up is made.
pub(super) fn unusual() -> Option<&'static str> {
    gai_conf::current().unusual
}

/// The sorted entries' places before.
fn order_of(
    addresses: &[SocketAddr],
    interfaces: Option<&Interfaces>,
    conf: &GaiConf,
) -> Result<Vec<usize>, LookupFailure> {
    if let Some(reason) = conf.unusual {
        return Err(LookupFailure::AskLibc(reason));
    }
    let mut prober = Prober::default();
    let mut destinations: Vec<Destination> = Vec::new();
    let mut entries: Vec<Entry> = Vec::with_capacity(addresses.len());
    for (place, address) in addresses.iter().enumerate() {
        if place == 0 || addresses.get(place - 1) != Some(address) {
            let source = prober.source(*address);
            destinations.push(Destination::new(address.ip(), source, &conf.policy));
        }
        entries.push(Entry {
            place,
            destination: destinations.len() - 1,
        });
    }
    drop(prober);
    let rules = Rules {
        destinations,
        interfaces,
        read: OnceCell::new(),
        links: OnceCell::new(),
    };
    merge_sort(&mut entries, &mut Vec::new(), &|a, b| {
        rules.compare(a.destination, b.destination)
    });
    Ok(entries.into_iter().map(|entry| entry.place).collect())
}

#[derive(Clone, Copy)]
struct Entry {
    place: usize,
    destination: usize,
}

/// The C library's: halves of `n / 2` and the rest, and of equals the one that came first.
fn merge_sort<T: Copy>(
    items: &mut [T],
    merged: &mut Vec<T>,
    compare: &impl Fn(&T, &T) -> Ordering,
) {
    if items.len() < 2 {
        return;
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    merge_sort(left, merged, compare);
    merge_sort(right, merged, compare);
    merged.clear();
    let (mut left, mut right) = (&*left, &*right);
    while let ([a, rest_left @ ..], [b, rest_right @ ..]) = (left, right) {
        if compare(a, b) == Ordering::Greater {
            merged.push(*b);
            right = rest_right;
        } else {
            merged.push(*a);
            left = rest_left;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    items.copy_from_slice(merged);
}

/// A destination with what the rules ask of it.
struct Destination {
    address: IpAddr,
    scope: u32,
    precedence: u32,
    /// `None`: it cannot be reached.
    way: Option<Way>,
}

/// How a destination is reached.
struct Way {
    source: Source,
    same_scope: bool,
    same_label: bool,
    /// What is known of the source, once a rule has asked. `None` in it: nothing.
    local: OnceCell<Option<LocalAddress>>,
}

impl Destination {
    fn new(address: IpAddr, source: Option<Source>, policy: &Policy) -> Self {
        let scope = policy.scope(address);
        Self {
            address,
            scope,
            precedence: policy.precedence(address),
            way: source.map(|source| Way {
                source,
                same_scope: policy.scope(source.address) == scope,
                same_label: policy.label(source.address) == policy.label(address),
                local: OnceCell::new(),
            }),
        }
    }
}

struct Rules<'a> {
    destinations: Vec<Destination>,
    interfaces: Option<&'a Interfaces>,
    read: OnceCell<Interfaces>,
    links: OnceCell<Links>,
}

impl Rules<'_> {
    /// `Less`: `a` comes first. `Equal`: rule 10, they stay as they are.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let (Some(a), Some(b)) = (self.destinations.get(a), self.destinations.get(b)) else {
            return Ordering::Equal;
        };
        let ways = match (&a.way, &b.way) {
            // Rule 1: avoid unusable destinations.
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (Some(a), Some(b)) => Some((a, b)),
            (None, None) => None,
        };
        let by_way = |rule: &dyn Fn(&Way, &Way) -> Ordering| {
            ways.map_or(Ordering::Equal, |(a, b)| rule(a, b))
        };
        // Rule 2: prefer matching scope.
        by_way(&|a, b| b.same_scope.cmp(&a.same_scope))
            // Rules 3 and 4: avoid deprecated addresses, prefer home addresses.
            .then_with(|| by_way(&|a, b| self.deprecated(a).cmp(&self.deprecated(b))))
            .then_with(|| by_way(&|a, b| self.home(b).cmp(&self.home(a))))
            // Rule 5: prefer matching label.
            .then_with(|| by_way(&|a, b| b.same_label.cmp(&a.same_label)))
            // Rule 6: prefer higher precedence.
            .then_with(|| b.precedence.cmp(&a.precedence))
            // Rule 7: prefer native transport.
            .then_with(|| by_way(&|a, b| self.compare_transport(a, b)))
            // Rule 8: prefer smaller scope.
            .then_with(|| a.scope.cmp(&b.scope))
            // Rule 9: use the longest matching prefix.
            .then_with(|| {
                by_way(&|way_a, way_b| {
                    if a.address.is_ipv4() != b.address.is_ipv4() {
                        return Ordering::Equal;
                    }
                    let bits_a = self.common_prefix(a.address, way_a);
                    let bits_b = self.common_prefix(b.address, way_b);
                    bits_b.cmp(&bits_a)
                })
            })
    }

    fn interfaces(&self) -> &Interfaces {
        self.interfaces
            .unwrap_or_else(|| self.read.get_or_init(Interfaces::current))
    }

    fn local<'a>(&self, way: &'a Way) -> Option<&'a LocalAddress> {
        let found = way
            .local
            .get_or_init(|| self.interfaces().find(way.source.listed_as).copied());
        found.as_ref()
    }

    fn deprecated(&self, way: &Way) -> bool {
        self.local(way).is_some_and(|local| local.deprecated)
    }

    fn home(&self, way: &Way) -> bool {
        self.local(way).is_some_and(|local| local.home)
    }

    fn compare_transport(&self, a: &Way, b: &Way) -> Ordering {
        let index = |way| self.local(way).map(|local| local.index);
        let (a, b) = (index(a), index(b));
        // The same interface, or nothing known of both: no difference, and no need to ask.
        if a == b {
            return Ordering::Equal;
        }
        let links = self.links.get_or_init(Links::current);
        let native = |index: Option<u32>| index.is_some_and(|index| links.native(index));
        native(b).cmp(&native(a))
    }

    /// In bits. Outside of the source's own subnet IPv4 addresses have none.
    fn common_prefix(&self, destination: IpAddr, way: &Way) -> u32 {
        match (destination, way.source.address) {
            (IpAddr::V4(destination), IpAddr::V4(source)) => {
                let length = self.local(way).map_or(0, |local| local.prefix_length);
                common_prefix_v4(destination, source, length)
            }
            (destination, source) => {
                let differing = mapped(destination).to_bits() ^ mapped(source).to_bits();
                differing.leading_zeros()
            }
        }
    }
}

fn common_prefix_v4(destination: Ipv4Addr, source: Ipv4Addr, length: u8) -> u32 {
    // An unknown length, 0, shifts by 32 bits, which in C is undefined and on this machine's processors shifts by
    // none: then the subnet is the address itself.
    let mask = u32::MAX.wrapping_shl(32u32.wrapping_sub(length.into()));
    let differing = destination.to_bits() ^ source.to_bits();
    if differing & mask == 0 {
        differing.leading_zeros()
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
