//! The name servers: hickory-server on loopback addresses, over UDP and TCP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_server::{
    net::{runtime::Time, xfer::Protocol},
    proto::{
        op::{Edns, Metadata, ResponseCode},
        rr::RecordType,
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server},
    zone_handler::{Catalog, MessageResponseBuilder},
};
use tokio::net::{TcpListener, UdpSocket};

use crate::{
    odd_names::{self, Reply},
    zone,
};

/// Answers from the zone.
const FIRST: &str = "127.0.0.1";
/// The same, with some names answered otherwise.
const SECOND: &str = "127.0.0.2";
/// Refuses every question.
const REFUSING: &str = "127.0.0.3";
/// Takes questions and never answers. Nothing at all listens on 127.0.0.9.
const SILENT: &str = "127.0.0.4";

/// The C library lists what comes first before what comes second where its rules for the order leave it open, so the
/// zone's answers keep an order. The odd names come in both.
const A_FIRST: Duration = Duration::from_millis(4);

struct Handler {
    catalog: Arc<Catalog>,
    number: u8,
}

impl Handler {
    /// `None`: the zone knows.
    fn odd(&self, request: &Request) -> Option<Option<Reply>> {
        let query = request.queries.queries().first()?;
        if self.number == 3 {
            return Some(Some(Reply {
                code: ResponseCode::Refused,
                ..Reply::default()
            }));
        }
        // As asked, in its case: an answer's owner has to be the name of the question.
        let name = query.original().name();
        let owner = name.to_string();
        let owner = owner.trim_end_matches('.');
        let lower = owner.to_ascii_lowercase();
        if query.query_type() == RecordType::PTR {
            let code = match lower.as_str() {
                "66.2.0.192.in-addr.arpa" => ResponseCode::ServFail,
                "67.2.0.192.in-addr.arpa" => ResponseCode::Refused,
                "68.2.0.192.in-addr.arpa" => ResponseCode::NotImp,
                _ => return None,
            };
            return Some(Some(Reply {
                code,
                ..Reply::default()
            }));
        }
        let labels = lower.strip_suffix(".odd.example")?;
        let first = labels.rsplit('.').next()?;
        Some(odd_names::reply(
            first,
            owner,
            query.query_type(),
            self.number,
        ))
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response: R,
    ) -> ResponseInfo {
        if crate::tracing() {
            for query in request.queries.queries() {
                let (number, protocol) = (self.number, request.protocol());
                eprintln!("    server {number} over {protocol}: {}", query.original());
            }
        }
        let reply = match self.odd(request) {
            None => {
                let queries = request.queries.queries();
                if queries
                    .iter()
                    .any(|query| query.query_type() == RecordType::AAAA)
                {
                    tokio::time::sleep(A_FIRST).await;
                }
                return self.catalog.handle_request::<R, T>(request, response).await;
            }
            Some(reply) => reply,
        };
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let info = |metadata: Metadata| {
            ResponseInfo::from(hickory_server::proto::op::Header {
                metadata,
                counts: Default::default(),
            })
        };
        let Some(reply) = reply else {
            return info(metadata);
        };
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        metadata.response_code = reply.code;
        metadata.authoritative = true;
        metadata.recursion_available = !reply.recursion_not_available;
        metadata.truncation = reply.truncated && request.protocol() == Protocol::Udp;
        let mut edns = Edns::new();
        let edns = request.edns.as_ref().map(|asked| {
            edns.set_max_payload(asked.max_payload().max(512));
            &edns
        });
        let message = MessageResponseBuilder::new(&request.queries, edns).build(
            metadata,
            &reply.answers,
            &reply.authorities,
            &[],
            &reply.additionals,
        );
        match response.send_response(message).await {
            Ok(sent) => sent,
            Err(_) => info(metadata),
        }
    }
}

/// Starts all servers; they run as long as what is returned and the runtime live.
pub async fn start(with_ipv6: bool) -> io::Result<(Vec<Server<impl RequestHandler>>, UdpSocket)> {
    let catalog = Arc::new(zone::catalog());
    let mut addresses = vec![(FIRST, 1), (SECOND, 2), (REFUSING, 3)];
    if with_ipv6 {
        addresses.push(("::1", 1));
    }
    let mut servers = Vec::new();
    for (address, number) in addresses {
        let address: IpAddr = address.parse().map_err(io::Error::other)?;
        let address = SocketAddr::new(address, 53);
        let mut server = Server::new(Handler {
            catalog: catalog.clone(),
            number,
        });
        server.register_socket(UdpSocket::bind(address).await?);
        server.register_listener(
            TcpListener::bind(address).await?,
            Duration::from_secs(30),
            64,
        );
        servers.push(server);
    }
    let silent = UdpSocket::bind((SILENT, 53)).await?;
    Ok((servers, silent))
}
