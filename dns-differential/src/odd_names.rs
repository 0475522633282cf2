//! Names under `odd.example` that are answered as no zone would: refusals, silence, nonsense.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use hickory_server::proto::{
    op::ResponseCode,
    rr::{DNSClass, Record, RecordType},
};

use crate::zone::{record, record_for, soa};

/// Counts changes of the names whose answers change.
pub static EPOCH: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
pub struct Reply {
    pub code: ResponseCode,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
    pub additionals: Vec<Record>,
    /// The TC bit, over UDP.
    pub truncated: bool,
    pub recursion_not_available: bool,
    pub delay: Duration,
}

/// What is quick to answer, or refused at once.
pub const QUICK: &[&str] = &[
    "servfail",
    "refused",
    "notimp",
    "formerr",
    "yxdomain",
    "notauth",
    "truncated",
    "truncated-data",
    "cname-out",
    "cname-out-4",
    "loop",
    "self-loop",
    "servfail6",
    "servfail4",
    "refused6",
    "refused4",
    "nx4",
    "nx6",
    "nodata6-cname",
    "empty",
    "referral",
    "case",
    "garbage",
    "unrelated",
    "wrong-type",
    "doubles",
    "two-cnames",
    "backwards",
    "long-chain",
    "canon-differs",
    "cname6-only",
    "space-target",
    "control-target",
    "no-ra",
    "chaos",
    "multi",
    "data-nx",
    "nx-cname",
    "mapped",
    "long-target",
    "text-answer",
    "ttl0",
    "deep",
    "cname-servfail",
    "root-target",
];

/// What makes a client wait for its timeout.
pub const SILENT: &[&str] = &["silent", "silent6", "silent4"];

/// What the second server answers otherwise than the first.
pub const BY_SERVER: &[&str] = &[
    "which",
    "servfail-first",
    "refused-first",
    "nx-first",
    "notimp-first",
    "empty-first",
    "silent-first",
];

const NONE: Reply = Reply {
    code: ResponseCode::NoError,
    answers: Vec::new(),
    authorities: Vec::new(),
    additionals: Vec::new(),
    truncated: false,
    recursion_not_available: false,
    delay: Duration::ZERO,
};

fn code(code: ResponseCode) -> Reply {
    Reply { code, ..NONE }
}

fn answers(answers: Vec<Record>) -> Reply {
    Reply { answers, ..NONE }
}

fn negative(code: ResponseCode) -> Reply {
    Reply {
        code,
        authorities: vec![soa("example", 60)],
        ..NONE
    }
}

/// Whose answers show which of the two replies the C library got first.
const ORDER_MATTERS: &[&str] = &["canon-differs", "cname6-only", "mapped", "multi"];

/// Well above what a busy machine adds to a reply, well below every timeout.
const LATE: Duration = Duration::from_millis(60);

/// `None` for silence. `owner` is the name asked for, `server` counts from 1.
///
/// With `-late4` or `-late6` at the end of the label, the reply for that family comes after the other.
pub fn reply(label: &str, owner: &str, kind: RecordType, server: u8) -> Option<Reply> {
    let late4 = label.strip_suffix("-late4");
    let late6 = label.strip_suffix("-late6");
    let plain = late4.or(late6).unwrap_or(label);
    let late = match kind {
        RecordType::A => late4.is_some(),
        RecordType::AAAA => late6.is_some() || (late4.is_none() && ORDER_MATTERS.contains(&plain)),
        _ => false,
    };
    let mut reply = prompt_reply(plain, owner, kind, server)?;
    if late {
        reply.delay = LATE;
    }
    Some(reply)
}

fn prompt_reply(first_label: &str, owner: &str, kind: RecordType, server: u8) -> Option<Reply> {
    use ResponseCode::{FormErr, NXDomain, NotAuth, NotImp, Refused, ServFail, YXDomain};
    let v4 = kind == RecordType::A;
    if kind == RecordType::PTR {
        return Some(negative(NXDomain));
    }
    if !v4 && kind != RecordType::AAAA {
        return Some(negative(ResponseCode::NoError));
    }
    let address = |at: &str| match v4 {
        true => record(at, "A", "192.0.2.77"),
        false => record(at, "AAAA", "2001:db8::77"),
    };
    let good = || answers(vec![address(owner)]);
    let nodata = || negative(ResponseCode::NoError);
    let with_target = |target: &str| answers(vec![record(owner, "CNAME", target), address(target)]);
    let only_v4 = |other: Reply| if v4 { good() } else { other };
    let only_v6 = |other: Reply| if v4 { other } else { good() };
    let second = server > 1;
    Some(match first_label {
        "servfail" => code(ServFail),
        "refused" => code(Refused),
        "notimp" => code(NotImp),
        "formerr" => code(FormErr),
        "yxdomain" => code(YXDomain),
        "notauth" => code(NotAuth),
        "truncated" => Reply {
            truncated: true,
            ..good()
        },
        "truncated-data" => Reply {
            truncated: true,
            answers: vec![address(owner), address(owner)],
            ..NONE
        },
        "cname-out" => answers(vec![record(owner, "CNAME", "elsewhere.invalid")]),
        "cname-out-4" => match v4 {
            true => answers(vec![record(owner, "CNAME", "elsewhere.invalid")]),
            false => good(),
        },
        "loop" => answers(vec![
            record(owner, "CNAME", "loop2.odd.example"),
            record("loop2.odd.example", "CNAME", owner),
        ]),
        "self-loop" => answers(vec![record(owner, "CNAME", owner)]),
        "servfail6" => only_v4(code(ServFail)),
        "servfail4" => only_v6(code(ServFail)),
        "refused6" => only_v4(code(Refused)),
        "refused4" => only_v6(code(Refused)),
        "nx4" => only_v6(negative(NXDomain)),
        "nx6" => only_v4(negative(NXDomain)),
        "nodata6-cname" => match v4 {
            true => with_target("real.example"),
            false => Reply {
                answers: vec![record(owner, "CNAME", "real.example")],
                ..nodata()
            },
        },
        "empty" => NONE,
        "referral" => Reply {
            authorities: vec![record("odd.example", "NS", "ns.example")],
            additionals: vec![record("ns.example", "A", "192.0.2.1")],
            ..NONE
        },
        "case" => answers(vec![address(&owner.to_ascii_uppercase())]),
        "garbage" => Reply {
            authorities: vec![record("example", "NS", "ns.example")],
            additionals: vec![
                address(owner),
                record("ns.example", "A", "192.0.2.1"),
                record(owner, "TXT", "x"),
            ],
            ..good()
        },
        "unrelated" => answers(vec![address("another.example")]),
        "wrong-type" => answers(vec![
            record(owner, "A", "192.0.2.78"),
            record(owner, "AAAA", "2001:db8::78"),
        ]),
        "doubles" => answers(vec![
            address(owner),
            address(owner),
            address("other.example"),
            address(owner),
        ]),
        "two-cnames" => answers(vec![
            record(owner, "CNAME", "one.example"),
            record(owner, "CNAME", "other.example"),
            address("one.example"),
            address("other.example"),
        ]),
        "backwards" => answers(vec![
            address("real.example"),
            record(owner, "CNAME", "real.example"),
        ]),
        "long-chain" => {
            let mut list = Vec::new();
            let mut at = owner.to_string();
            for step in 0..20 {
                let next = format!("step{step}.odd.example");
                list.push(record(&at, "CNAME", &next));
                at = next;
            }
            list.push(address(&at));
            answers(list)
        }
        "canon-differs" => with_target(if v4 { "four.example" } else { "six.example" }),
        "cname6-only" => {
            if v4 {
                good()
            } else {
                with_target("six.example")
            }
        }
        "space-target" => with_target("not a host.example"),
        "control-target" => with_target("bell\u{7}.example"),
        "no-ra" => Reply {
            recursion_not_available: true,
            ..good()
        },
        "chaos" => {
            let mut odd = address(owner);
            odd.dns_class = DNSClass::CH;
            answers(vec![odd, address(owner)])
        }
        "multi" => match v4 {
            true => answers(vec![
                record(owner, "A", "198.51.100.22"),
                record(owner, "A", "192.0.2.21"),
            ]),
            false => answers(vec![
                record(owner, "AAAA", "2001:db8::21"),
                record(owner, "AAAA", "::ffff:192.0.2.26"),
                record(owner, "AAAA", "2001:db8:1::21"),
            ]),
        },
        "data-nx" => Reply {
            code: NXDomain,
            ..good()
        },
        "nx-cname" => Reply {
            answers: vec![record(owner, "CNAME", "gone.example")],
            ..negative(NXDomain)
        },
        "mapped" => match v4 {
            true => nodata(),
            false => answers(vec![
                record(owner, "AAAA", "::ffff:192.0.2.80"),
                record(owner, "AAAA", "::192.0.2.81"),
            ]),
        },
        "long-target" => {
            let label = "l".repeat(60);
            with_target(&format!("{label}.{label}.{label}.{label}.example"))
        }
        "text-answer" => answers(vec![record(owner, "TXT", "text")]),
        "ttl0" => answers(vec![record_for(
            owner,
            if v4 { "A" } else { "AAAA" },
            if v4 { "192.0.2.82" } else { "2001:db8::82" },
            0,
        )]),
        "deep" => with_target("www.example"),
        "cname-servfail" => Reply {
            code: ServFail,
            answers: vec![record(owner, "CNAME", "broken.example")],
            ..NONE
        },
        "root-target" => with_target(""),
        "which" => answers(vec![match v4 {
            true => record_for(owner, "A", &format!("192.0.2.{server}"), 0),
            false => record_for(owner, "AAAA", &format!("2001:db8::{server}"), 0),
        }]),
        "servfail-first" if !second => code(ServFail),
        "refused-first" if !second => code(Refused),
        "nx-first" if !second => negative(NXDomain),
        "notimp-first" if !second => code(NotImp),
        "empty-first" if !second => NONE,
        "silent-first" if !second => return None,
        "servfail-first" | "refused-first" | "nx-first" | "notimp-first" | "empty-first"
        | "silent-first" => good(),
        "silent" => return None,
        "silent4" if v4 => return None,
        "silent6" if !v4 => return None,
        "silent4" | "silent6" => good(),
        "epoch0" => changing(owner, v4, 0),
        "epoch1" => changing(owner, v4, 1),
        "born" if EPOCH.load(Ordering::SeqCst).is_multiple_of(2) => Reply {
            code: NXDomain,
            authorities: vec![soa("odd.example", 1)],
            ..NONE
        },
        "born" => changing(owner, v4, 1),
        _ => negative(NXDomain),
    })
}

fn changing(owner: &str, v4: bool, ttl: u32) -> Reply {
    let epoch = EPOCH.load(Ordering::SeqCst) % 100;
    answers(vec![match v4 {
        true => record_for(owner, "A", &format!("192.0.2.{}", 100 + epoch), ttl),
        false => record_for(owner, "AAAA", &format!("2001:db8::{}", 100 + epoch), ttl),
    }])
}
