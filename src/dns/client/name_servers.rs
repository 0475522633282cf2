//! The questions of one attempt at a name, put to the name servers in the order and at the times of glibc: each server of
//! resolv.conf in turn, `attempts` times over, and the next at once where one is not there or cannot answer.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use hickory_resolver::proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RecordType},
};

use super::{
    answer::{self, Reply},
    limit,
    transport::{self, Failure},
};
use crate::dns::{config::ResolvConf, lookup::LookupFailure, runtime::Runtime, timer::Timer};

/// What the servers said.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// For each question its reply. `None`: the server could not answer this one, and glibc does without it.
    Replies(Vec<Option<Arc<Reply>>>),
    /// No server settled anything, and this is the last code that one sent.
    Refused(ResponseCode),
    /// Silence.
    NoAnswer,
    /// Every server's port or host is closed.
    Unreachable,
    /// No descriptor or no memory to ask with: the errno.
    NoSocket(i32),
    AskLibc(&'static str),
}

/// How long, and how often, a question waits for a descriptor.
const PAUSE: Duration = Duration::from_millis(20);
const MOST_PAUSES: usize = 100;

/// What one server said to one question.
enum Said {
    Settled(Reply),
    /// SERVFAIL, NOTIMP, REFUSED, or an answer that says nothing and names no authority.
    Refused(ResponseCode),
    Silent,
}

/// What ends the try with one server before all its answers are in.
enum Early {
    NextServer,
    Truncated,
    NoSocket(i32),
    AskLibc(&'static str),
}

/// `runtime` is for TCP.
pub(super) async fn ask(
    resolv: &ResolvConf,
    name: Name,
    types: &[RecordType],
    runtime: &Runtime,
) -> Asked {
    if resolv.servers.is_empty() {
        return Asked::AskLibc("no name servers");
    }
    let queries: Vec<Query> = types
        .iter()
        .map(|record_type| Query::query(name.clone(), *record_type))
        .collect();
    let mut last_code = None;
    let mut anybody = false;
    for _ in 0..resolv.attempts {
        for (index, server) in resolv.servers.iter().enumerate() {
            let timeout = timeout(resolv, index);
            let room = limit::acquire(queries.len()).await;
            let mut said = ask_one(resolv, *server, &queries, timeout).await;
            // In a crowd: the others' descriptors come back as they end.
            let mut pauses = 0..MOST_PAUSES;
            while let (Err(Early::NoSocket(_)), Some(room), Some(_)) = (&said, &room, pauses.next())
                && room.has_others()
            {
                Timer::until(Instant::now() + PAUSE).await;
                said = ask_one(resolv, *server, &queries, timeout).await;
            }
            let said = match said {
                Ok(said) => said,
                Err(Early::NextServer) => continue,
                Err(Early::NoSocket(errno)) => return Asked::NoSocket(errno),
                Err(Early::AskLibc(why)) => return Asked::AskLibc(why),
                Err(Early::Truncated) => {
                    let asked = over_tcp(resolv, *server, queries, timeout);
                    return match runtime.run(asked).await {
                        Ok(asked) => asked,
                        Err(_) => Asked::AskLibc("no runtime for TCP"),
                    };
                }
            };
            anybody = true;
            let settled = said.iter().any(|said| matches!(said, Said::Settled(_)));
            let silent = said.iter().any(|said| matches!(said, Said::Silent));
            if settled && silent {
                // glibc asks again, one question after the other, in up to two more rounds.
                return Asked::AskLibc("a name server that answers one question of two");
            }
            if settled {
                let reply = |said| match said {
                    Said::Settled(reply) => Some(Arc::new(reply)),
                    Said::Refused(_) | Said::Silent => None,
                };
                return Asked::Replies(said.into_iter().map(reply).collect());
            }
            for said in said {
                match (said, last_code) {
                    (Said::Refused(code), None) => last_code = Some(code),
                    (Said::Refused(code), Some(before)) if code != before => {
                        // The failure depends on which came first, or on the servers' order.
                        return Asked::AskLibc("name servers that fail in different ways");
                    }
                    _ => {}
                }
            }
        }
    }
    match last_code {
        Some(code) => Asked::Refused(code),
        None if anybody => Asked::NoAnswer,
        None => Asked::Unreachable,
    }
}

/// How long the server at `index` has for each try.
fn timeout(resolv: &ResolvConf, index: usize) -> Duration {
    const LEAST: Duration = Duration::from_secs(1);
    let shift = u32::try_from(index).unwrap_or(u32::MAX).min(16);
    let longer = resolv.timeout.saturating_mul(1 << shift).as_secs();
    let servers = resolv.servers.len().max(1) as u64;
    let seconds = if index > 0 { longer / servers } else { longer };
    Duration::from_secs(seconds).max(LEAST)
}

async fn ask_one(
    resolv: &ResolvConf,
    server: SocketAddr,
    queries: &[Query],
    timeout: Duration,
) -> Result<Vec<Said>, Early> {
    // Together, as on glibc's one socket: whatever goes wrong with one of them ends the try for both.
    try_join_all(queries.iter().map(|query| async move {
        match transport::udp(server, query.clone(), resolv.edns0, timeout).await {
            Ok(response) if response.metadata.truncation => Err(Early::Truncated),
            Ok(response) => judge(&response, query.query_type()),
            Err(Failure::TimedOut) => Ok(Said::Silent),
            Err(Failure::Refused(code)) => Ok(Said::Refused(code)),
            Err(Failure::Unreachable) => Err(Early::NextServer),
            // The C library would get none either, and say so in less telling words.
            Err(Failure::NoSocket(Some(errno))) if is_shortage(errno) => {
                Err(Early::NoSocket(errno))
            }
            Err(Failure::NoSocket(_)) => Err(Early::AskLibc("no socket for a query")),
            Err(Failure::Undecodable) => Err(Early::AskLibc("an undecodable reply")),
        }
    }))
    .await
}

/// socket(2) and connect(2) have run out of something.
fn is_shortage(errno: i32) -> bool {
    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM].contains(&errno)
}

fn judge(response: &Message, record_type: RecordType) -> Result<Said, Early> {
    let code = response.metadata.response_code;
    match code {
        ResponseCode::ServFail | ResponseCode::NotImp | ResponseCode::Refused => {
            return Ok(Said::Refused(code));
        }
        // A lame server's: nothing, and nobody to ask instead.
        ResponseCode::NoError
            if response.answers.is_empty()
                && !response.metadata.authoritative
                && !response.metadata.recursion_available
                && response.additionals.is_empty()
                && response.edns.is_none() =>
        {
            return Err(Early::AskLibc("a lame name server"));
        }
        _ => {}
    }
    match answer::read(response, record_type) {
        Ok(reply) => Ok(Said::Settled(reply)),
        Err(LookupFailure::AskLibc(why)) => Err(Early::AskLibc(why)),
        Err(_) => Err(Early::AskLibc("an unusual reply")),
    }
}

/// glibc waits for TCP as long as the kernel does and goes on in ways of its own where it fails, so only success counts.
async fn over_tcp(
    resolv: &ResolvConf,
    server: SocketAddr,
    queries: Vec<Query>,
    timeout: Duration,
) -> Asked {
    let types: Vec<RecordType> = queries.iter().map(Query::query_type).collect();
    let Ok(responses) = transport::tcp(server, queries, resolv.edns0, timeout).await else {
        return Asked::AskLibc("a truncated reply and no TCP");
    };
    let mut replies = Vec::new();
    for (response, record_type) in responses.iter().zip(types) {
        match judge(response, record_type) {
            Ok(Said::Settled(reply)) if !response.metadata.truncation => {
                replies.push(Some(Arc::new(reply)))
            }
            _ => return Asked::AskLibc("an unusual reply over TCP"),
        }
    }
    Asked::Replies(replies)
}
