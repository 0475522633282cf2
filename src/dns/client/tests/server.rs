//! Name servers on loopback that answer as a test says.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Message, OpCode, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, SOA},
    },
};

/// What to do with a question. `None`: say nothing.
pub(super) type Script = dyn Fn(&Question) -> Option<Message> + Send + Sync;

pub(super) struct Question {
    pub(super) message: Message,
    pub(super) name: String,
    pub(super) record_type: RecordType,
    pub(super) tcp: bool,
}

impl Question {
    fn read(bytes: &[u8], tcp: bool) -> Self {
        let message = Message::from_vec(bytes).unwrap();
        let query: &Query = &message.queries[0];
        let name = query.name().to_ascii();
        Self {
            name: name.trim_end_matches('.').to_owned(),
            record_type: query.query_type(),
            tcp,
            message,
        }
    }

    pub(super) fn code(&self, code: ResponseCode) -> Option<Message> {
        let mut reply = Message::response(self.message.metadata.id, OpCode::Query);
        reply.metadata.response_code = code;
        reply.metadata.recursion_desired = true;
        reply.metadata.recursion_available = true;
        reply.queries.clone_from(&self.message.queries);
        Some(reply)
    }

    pub(super) fn no_name(&self) -> Option<Message> {
        self.code(ResponseCode::NXDomain)
    }

    pub(super) fn no_data(&self) -> Option<Message> {
        self.code(ResponseCode::NoError)
    }

    pub(super) fn records(&self, records: &[(&str, u32, RData)]) -> Option<Message> {
        let mut reply = self.no_data()?;
        for (owner, ttl, data) in records {
            let owner = Name::from_ascii(format!("{owner}.")).unwrap();
            reply
                .answers
                .push(Record::from_rdata(owner, *ttl, data.clone()));
        }
        Some(reply)
    }

    /// One address of each family: 192.0.2.`last` and 2001:db8::`last`.
    pub(super) fn address(&self, last: u8) -> Option<Message> {
        self.records(&[(
            &self.name,
            60,
            match self.record_type {
                RecordType::AAAA => v6(last),
                _ => v4(last),
            },
        )])
    }
}

pub(super) fn v4(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

pub(super) fn v6(last: u8) -> RData {
    RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()))
}

pub(super) fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(format!("{target}.")).unwrap()))
}

/// Gives a negative reply a time to live.
pub(super) fn with_soa(reply: Option<Message>, ttl: u32, minimum: u32) -> Option<Message> {
    let mut reply = reply?;
    let zone = Name::from_ascii("test.").unwrap();
    let soa = SOA::new(zone.clone(), zone.clone(), 1, 2, 3, 4, minimum);
    reply
        .authorities
        .push(Record::from_rdata(zone, ttl, RData::SOA(soa)));
    Some(reply)
}

/// Lives until the end of the test program.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType, bool)>>>,
}

impl Server {
    pub(super) fn start(
        script: impl Fn(&Question) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let note = {
            let asked = asked.clone();
            move |question: &Question| {
                let entry = (question.name.clone(), question.record_type, question.tcp);
                asked.lock().unwrap().push(entry);
            }
        };
        let (udp_script, udp_note) = (script.clone(), note.clone());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((len, from)) = udp.recv_from(&mut buffer) {
                let question = Question::read(&buffer[..len], false);
                udp_note(&question);
                if let Some(reply) = udp_script(&question) {
                    let _ = udp.send_to(&reply.to_vec().unwrap(), from);
                }
            }
        });
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let Ok(mut stream) = stream else { break };
                let mut len = [0; 2];
                while stream.read_exact(&mut len).is_ok() {
                    let mut bytes = vec![0; u16::from_be_bytes(len).into()];
                    stream.read_exact(&mut bytes).unwrap();
                    let question = Question::read(&bytes, true);
                    note(&question);
                    if let Some(reply) = script(&question) {
                        let bytes = reply.to_vec().unwrap();
                        let len = u16::try_from(bytes.len()).unwrap();
                        stream.write_all(&len.to_be_bytes()).unwrap();
                        stream.write_all(&bytes).unwrap();
                    }
                }
            }
        });
        Self { address, asked }
    }

    pub(super) fn asked(&self) -> Vec<(String, RecordType, bool)> {
        self.asked.lock().unwrap().clone()
    }

    /// The names asked for, in their order, families together.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.asked().into_iter().map(|(name, ..)| name).collect();
        names.dedup();
        names
    }

    /// How many UDP sockets of this machine are connected to the server.
    pub(super) fn clients(&self) -> usize {
        let port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/udp").unwrap();
        table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(2))
            .filter(|remote| remote.ends_with(&port))
            .count()
    }
}

/// Where nobody listens. Not a port that was just in use: a child that another test forks may still hold it.
pub(super) fn closed() -> SocketAddr {
    (Ipv4Addr::new(127, 77, 0, 1), 9).into()
}

#[track_caller]
pub(super) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
