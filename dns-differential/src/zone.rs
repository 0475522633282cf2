//! The well-behaved part of what the servers know: one zone at the root, so that every unknown name is NXDOMAIN.

use std::sync::Arc;

use hickory_server::{
    proto::rr::{
        LowerName, Name, RData, Record,
        rdata::{A, AAAA, CNAME, NS, PTR, SOA, TXT},
    },
    store::in_memory::InMemoryZoneHandler,
    zone_handler::{AxfrPolicy, Catalog, ZoneType},
};

const TTL: u32 = 3600;

/// Owner, type, data. An owner is taken apart at its dots only, so a label may hold any byte.
const RECORDS: &[(&str, &str, &str)] = &[
    ("www.example", "A", "192.0.2.10"),
    ("www.example", "AAAA", "2001:db8::10"),
    ("v4.example", "A", "192.0.2.4"),
    ("v6.example", "AAAA", "2001:db8::6"),
    ("two.example", "A", "203.0.113.9"),
    ("two.example", "A", "192.0.2.9"),
    ("two.example", "AAAA", "fd00:1::9"),
    ("two.example", "AAAA", "2001:db8:ffff::9"),
    ("multi.example", "A", "192.0.2.21"),
    ("multi.example", "A", "198.51.100.22"),
    ("multi.example", "A", "10.0.0.23"),
    ("multi.example", "A", "203.0.113.24"),
    ("multi.example", "A", "127.0.0.25"),
    ("multi.example", "A", "169.254.1.26"),
    ("multi.example", "A", "0.0.0.0"),
    ("multi.example", "AAAA", "2001:db8::21"),
    ("multi.example", "AAAA", "fd00::22"),
    ("multi.example", "AAAA", "fe80::23"),
    ("multi.example", "AAAA", "2002:c000:201::24"),
    ("multi.example", "AAAA", "2001:0:1::25"),
    ("multi.example", "AAAA", "::1"),
    ("multi.example", "AAAA", "fec0::27"),
    ("multi.example", "AAAA", "ff0e::28"),
    ("multi.example", "AAAA", "::"),
    ("near.example", "A", "198.51.100.200"),
    ("near.example", "A", "198.51.100.2"),
    ("near.example", "A", "198.51.101.2"),
    ("near.example", "AAAA", "2001:db8:1::2"),
    ("near.example", "AAAA", "2001:db8:1:8000::2"),
    ("near.example", "AAAA", "2001:db8:2::2"),
    ("chain.example", "CNAME", "Chain2.Example"),
    ("chain2.example", "CNAME", "chain3.example"),
    ("chain3.example", "CNAME", "WWW.example"),
    ("to-v4.example", "CNAME", "v4.example"),
    ("to-v6.example", "CNAME", "v6.example"),
    ("to-multi.example", "CNAME", "multi.example"),
    ("to-nothing.example", "CNAME", "nowhere.example"),
    ("to-text.example", "CNAME", "text.example"),
    ("to-label.example", "CNAME", "host-label"),
    ("text.example", "TXT", "no addresses here"),
    ("leaf.branch.example", "A", "192.0.2.30"),
    ("*.wild.example", "A", "192.0.2.31"),
    ("*.wild.example", "AAAA", "2001:db8::31"),
    ("_under.example", "A", "192.0.2.32"),
    ("under_score.example", "A", "192.0.2.33"),
    ("-lead.example", "A", "192.0.2.34"),
    ("trail-.example", "A", "192.0.2.35"),
    ("sp ace.example", "A", "192.0.2.36"),
    ("127.example", "A", "192.0.2.37"),
    (
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk.example",
        "A",
        "192.0.2.38",
    ),
    ("b\u{fc}cher.example", "A", "192.0.2.39"),
    ("xn--bcher-kva.example", "A", "192.0.2.40"),
    ("to-space.example", "CNAME", "sp ace.example"),
    ("to-lead.example", "CNAME", "-lead.example"),
    ("to-under.example", "CNAME", "_under.example"),
    ("to-utf8.example", "CNAME", "b\u{fc}cher.example"),
    // Search lists: the same names in several domains.
    ("host.corp.example", "A", "192.0.2.50"),
    ("host.corp.example", "AAAA", "2001:db8::50"),
    ("host.lab.example", "A", "192.0.2.51"),
    ("only4.corp.example", "A", "192.0.2.52"),
    ("only4.lab.example", "AAAA", "2001:db8::52"),
    (
        "blank.corp.example",
        "TXT",
        "NODATA here, addresses in the next domain",
    ),
    ("blank.lab.example", "A", "192.0.2.53"),
    ("alias.corp.example", "CNAME", "host.corp.example"),
    ("a.b.corp.example", "A", "192.0.2.54"),
    ("a.b", "A", "192.0.2.55"),
    ("a.b.c.corp.example", "A", "192.0.2.56"),
    ("a.b.c.d.lab.example", "A", "192.0.2.57"),
    ("www.example.corp.example", "A", "192.0.2.58"),
    ("127.1.corp.example", "A", "192.0.2.59"),
    ("host-label", "A", "192.0.2.60"),
    ("plain", "A", "192.0.2.61"),
    ("plain.corp.example", "A", "192.0.2.62"),
    ("both.test", "A", "192.0.2.63"),
    ("both.test", "AAAA", "2001:db8::63"),
    ("localhost", "A", "127.0.0.1"),
    ("localhost", "AAAA", "::1"),
    ("www.localhost", "A", "192.0.2.64"),
    ("printer.local", "A", "192.0.2.65"),
    // Reverse.
    ("10.2.0.192.in-addr.arpa", "PTR", "www.example"),
    ("11.2.0.192.in-addr.arpa", "PTR", "One.Example"),
    ("11.2.0.192.in-addr.arpa", "PTR", "two.example"),
    ("11.2.0.192.in-addr.arpa", "PTR", "three.corp.example"),
    (
        "12.2.0.192.in-addr.arpa",
        "CNAME",
        "12.0-15.2.0.192.in-addr.arpa",
    ),
    ("12.0-15.2.0.192.in-addr.arpa", "PTR", "delegated.example"),
    (
        "13.2.0.192.in-addr.arpa",
        "CNAME",
        "missing.0-15.2.0.192.in-addr.arpa",
    ),
    ("14.2.0.192.in-addr.arpa", "PTR", "sp ace.example"),
    ("15.2.0.192.in-addr.arpa", "PTR", "under_score.example"),
    ("16.2.0.192.in-addr.arpa", "PTR", "host.corp.example"),
    ("17.2.0.192.in-addr.arpa", "TXT", "no pointer"),
    ("18.2.0.192.in-addr.arpa", "PTR", "-lead.example"),
    ("19.2.0.192.in-addr.arpa", "PTR", "b\u{fc}cher.example"),
    ("20.2.0.192.in-addr.arpa", "PTR", "xn--bcher-kva.example"),
    ("21.2.0.192.in-addr.arpa", "PTR", "single"),
    ("22.2.0.192.in-addr.arpa", "PTR", ""),
    (
        "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "PTR",
        "www.example",
    ),
    (
        "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "PTR",
        "Six.example",
    ),
    (
        "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "PTR",
        "sixth.example",
    ),
];

/// A name that is taken apart at its dots, and nowhere else; "" is the root.
pub fn name(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty());
    Name::from_labels(labels.map(str::as_bytes)).expect("the zone's names are short enough")
}

pub fn record(owner: &str, kind: &str, data: &str) -> Record {
    record_for(owner, kind, data, TTL)
}

pub fn record_for(owner: &str, kind: &str, data: &str, ttl: u32) -> Record {
    let data = match kind {
        "A" => RData::A(A(data.parse().expect("an IPv4 address"))),
        "AAAA" => RData::AAAA(AAAA(data.parse().expect("an IPv6 address"))),
        "CNAME" => RData::CNAME(CNAME(name(data))),
        "PTR" => RData::PTR(PTR(name(data))),
        "NS" => RData::NS(NS(name(data))),
        "TXT" => RData::TXT(TXT::new(vec![data.to_string()])),
        _ => panic!("unknown type {kind}"),
    };
    Record::from_rdata(name(owner), ttl, data)
}

/// `minimum` is the time to live of negative answers, seconds.
pub fn soa(owner: &str, minimum: u32) -> Record {
    let data = SOA::new(
        name("ns.example"),
        name("root.example"),
        1,
        3600,
        600,
        86400,
        minimum,
    );
    Record::from_rdata(name(owner), minimum, RData::SOA(data))
}

pub fn catalog() -> Catalog {
    let mut zone: InMemoryZoneHandler =
        InMemoryZoneHandler::empty(Name::root(), ZoneType::Primary, AxfrPolicy::Deny);
    assert!(zone.upsert_mut(soa("", 60), 1), "the zone takes its SOA");
    for (owner, kind, data) in RECORDS {
        let added = zone.upsert_mut(record(owner, kind, data), 1);
        assert!(added, "the zone takes {owner} {kind} {data}");
    }
    for last in 0..200 {
        zone.upsert_mut(record("many.example", "A", &format!("198.18.7.{last}")), 1);
    }
    let mut catalog = Catalog::new();
    catalog.upsert(LowerName::from(Name::root()), vec![Arc::new(zone)]);
    catalog
}

/// The owners of addresses, for the queries.
pub fn hosts() -> Vec<&'static str> {
    let mut hosts: Vec<_> = RECORDS
        .iter()
        .map(|(owner, ..)| *owner)
        .filter(|owner| !owner.ends_with(".arpa"))
        .collect();
    hosts.push("many.example");
    hosts.dedup();
    hosts
}
