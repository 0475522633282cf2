//! HTTP/1.1 requests, one after the other on each connection.

use std::{
    error::Error,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::{
    cli::{self, Method},
    pace::{Due, Pace},
    pattern::Pattern,
    record::{Failure, Kind, Pending},
    stream::{Connector, Stream},
    target::{Place, Target},
    workers::{Backoff, Worker},
};

/// Who asks, unless `--header` says otherwise.
const AGENT: &str = concat!("reactor-load/", env!("CARGO_PKG_VERSION"));

/// What all connections of an http load share.
pub struct Http {
    connector: Connector,
    request: Request<Full<Bytes>>,
    /// Of the request's body.
    size: u64,
    timeout: Duration,
    pace: Pace,
}

impl Http {
    /// # Errors
    ///
    /// What is wrong with the request, in words.
    pub fn new(http: &cli::Http, target: &Target, connector: Connector) -> Result<Self, String> {
        let load = &http.load;
        let size = match http.method {
            Method::Get => 0,
            Method::Post => load.size as usize,
        };
        let body = Pattern::new(size);
        let body = Bytes::copy_from_slice(body.at(0, 0, size));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = match http.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
        };
        *request.uri_mut() = uri(http, target)?;
        *request.headers_mut() = headers(&http.headers)?;
        let headers = request.headers_mut();
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(AGENT));
        if !headers.contains_key(HOST) {
            let host = host(target, load.tls);
            let host = HeaderValue::try_from(&host).map_err(|_| format!("{host}: no host"))?;
            headers.insert(HOST, host);
        }
        Ok(Self {
            connector,
            request,
            size: size as u64,
            timeout: load.timeout,
            pace: Pace::new(load.rate, load.connections),
        })
    }
}

/// Of `Name: value` each.
///
/// # Errors
///
/// Which one is no header, or not one to choose freely.
pub fn headers(texts: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for text in texts {
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| format!("--header {text:?}: no `Name: value`"))?;
        let name = HeaderName::try_from(name.trim_end())
            .map_err(|_| format!("--header {text:?}: {name:?} is no name of a header"))?;
        let value = HeaderValue::try_from(value.trim())
            .map_err(|_| format!("--header {text:?}: a value of visible characters only"))?;
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return Err(format!("--header {text:?}: the body decides that (--size)"));
        }
        headers.append(name, value);
    }
    Ok(headers)
}

/// Of the URL, or of `--path`.
fn uri(http: &cli::Http, target: &Target) -> Result<Uri, String> {
    let given = target.path.as_deref().filter(|path| *path != "/");
    let path = match given {
        Some(_) if http.path != "/" => {
            return Err("--path, and a URL with a path: one of them".into());
        }
        Some(path) => path,
        None => &http.path,
    };
    if !path.starts_with('/') {
        return Err(format!("--path {path:?}: has to begin with a slash"));
    }
    path.parse()
        .map_err(|error| format!("--path {path:?}: {error}"))
}

fn host(target: &Target, tls: bool) -> String {
    let Place::Inet(address) = &target.place else {
        return target.host.clone();
    };
    let host = if target.host.contains(':') {
        format!("[{}]", target.host)
    } else {
        target.host.clone()
    };
    match (target.tls || tls, address.port()) {
        (false, 80) | (true, 443) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

/// Connections, one after the other, until the run is over: a server may end each after its answer.
pub async fn connection(http: Arc<Http>, worker: Rc<Worker>, number: u32) {
    let mut backoff = Backoff::new();
    let mut due = http.pace.of(&worker, number);
    let mut begun = None;
    while begun.is_some() || !worker.is_over() {
        let opening = worker.begin_lasting(Kind::Connection);
        let opened = {
            let _turn = worker.turn_to_connect().await;
            http.connector.connect().await
        };
        let answered = match opened {
            Err(failure) => {
                opening.fail(&failure);
                0
            }
            Ok(stream) => {
                opening.complete(0, 0);
                let _open = worker.opened();
                talk(&http, &worker, stream, &mut due, &mut begun).await
            }
        };
        if answered > 0 {
            backoff.reset();
        } else if !backoff.pause(&worker).await {
            return;
        }
    }
}

/// Until the run is over, the server ends the connection, or the connection fails: how many answers came.
///
/// `begun` is a request that the connection before did not take.
async fn talk<'a>(
    http: &Http,
    worker: &'a Worker,
    stream: Stream,
    due: &mut Due,
    begun: &mut Option<Pending<'a>>,
) -> u64 {
    // Cannot fail: it sends nothing.
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else {
        return 0;
    };
    let mut connection = Driven(Some(Box::pin(connection)));
    let mut answered = 0;
    loop {
        if connection.until(sender.ready()).await.is_err() {
            return answered;
        }
        let operation = match begun.take() {
            Some(operation) => operation,
            None => tokio::select! {
                biased;
                () = connection.ended() => return answered,
                due = due.next() => match due {
                    Some(due) => worker.begin(Kind::Operation, due),
                    None => return answered,
                },
            },
        };
        let exchange = connection.until(exchange(&mut sender, http.request.clone()));
        match timeout(http.timeout, exchange).await {
            Ok(Ok((status, received))) => {
                answered += 1;
                if status.is_success() {
                    operation.complete(http.size, received);
                } else {
                    operation.fail(&Failure::Status(status.as_u16()));
                }
            }
            // Nothing of it was sent: the server had ended a connection that had served.
            Ok(Err(error)) if error.is_canceled() && answered > 0 => {
                *begun = Some(operation);
                return answered;
            }
            Ok(Err(error)) => {
                operation.fail(&failure(&error));
                return answered;
            }
            Err(_) => {
                operation.fail(&Failure::TimedOut);
                return answered;
            }
        }
    }
}

/// The status of the answer, and the length of its body.
async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, u64), hyper::Error> {
    let response = sender.send_request(request).await?;
    let status = response.status();
    let (mut body, mut received) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            received += data.len() as u64;
        }
    }
    Ok((status, received))
}

type Connection = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// A connection, which does something only while it is polled: here by the task that waits for it, as a task of its own would cost
/// two switches a request. `None` when it has ended.
struct Driven(Option<Pin<Box<Connection>>>);

impl Driven {
    async fn until<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            // A request goes to the connection.
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            if let Some(connection) = &mut self.0
                && connection.as_mut().poll(cx).is_ready()
            {
                self.0 = None;
            }
            // An answer comes from it.
            future.as_mut().poll(cx)
        })
        .await
    }

    async fn ended(&mut self) {
        if let Some(connection) = &mut self.0 {
            // Why is what the request fails with.
            let _ = connection.await;
        }
        self.0 = None;
    }
}

fn failure(error: &hyper::Error) -> Failure {
    if error.is_incomplete_message() || error.is_canceled() {
        return Failure::ClosedEarly;
    }
    let source = error.source();
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(source) => match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code).into(),
            None => io::Error::new(source.kind(), source.to_string()).into(),
        },
        None if error.is_parse() => Failure::Other(format!("not HTTP/1.1: {error}")),
        None => Failure::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpStream,
    };

    use super::*;
    use crate::{
        run::Finished,
        testing::{listen_only, load, reset, serve},
    };

    /// Reads requests without a body, and writes this answer to each, so often.
    async fn answered(answer: &'static str, often: usize, arguments: &str) -> Finished {
        let server = serve(move |stream| {
            let mut lines = BufReader::new(&stream).lines();
            for _ in 0..often {
                if !lines.by_ref().flatten().any(|line| line.is_empty()) {
                    return;
                }
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        let arguments = format!("http -c 2 {arguments}");
        load(&arguments, server, 150).await.expect("a run").0
    }

    #[tokio::test]
    async fn answers() {
        let kept = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        let finished = answered(kept, usize::MAX, "").await;
        let (operations, connections) = (finished.total.operations, finished.total.connections);
        assert!(
            operations.all_well() && operations.completed > 2,
            "{operations:?}"
        );
        assert_eq!(operations.bytes_received, 3 * operations.completed);
        assert_eq!(connections.started, 2);
    }

    #[tokio::test]
    async fn a_server_may_close_after_its_answer() {
        for answer in [
            "HTTP/1.0 200 OK\r\n\r\nabc",
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        ] {
            for pace in ["", "--rate 100"] {
                let finished = answered(answer, 1, pace).await;
                let (operations, connections) =
                    (finished.total.operations, finished.total.connections);
                // A connection may take a second: the kernel has just closed one from the same port.
                assert_eq!(operations.failures(), 0, "{operations:?}");
                assert!(operations.completed > 1, "{operations:?}");
                assert!(
                    connections.completed >= operations.completed,
                    "{connections:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn answers_that_are_none() {
        for (answer, often, reason) in [
            (
                "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
                9999,
                "status 404",
            ),
            (
                "HTTP/1.1 302 There\r\nContent-Length: 0\r\n\r\n",
                1,
                "status 302",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                1,
                "closed before the answer",
            ),
            ("HTTP/1.1 200 OK\r\nConte", 1, "closed before the answer"),
            ("", 1, "closed before the answer"),
            (
                "abc\r\n\r\n",
                1,
                "not HTTP/1.1: invalid HTTP version parsed",
            ),
        ] {
            let finished = answered(answer, often, "").await;
            let operations = finished.total.operations;
            assert_eq!(operations.completed, 0, "{answer}");
            assert!(
                operations
                    .failed
                    .get(reason)
                    .is_some_and(|count| *count > 1),
                "{answer}: {operations:?}"
            );
        }
    }

    #[tokio::test]
    async fn servers_that_say_nothing() {
        let stall: fn(&TcpStream) = |stream| listen_only(stream);
        for (behave, reason) in [
            (stall, "timed out"),
            (
                |stream| {
                    // Not before the request.
                    let _ = BufReader::new(stream).read_line(&mut String::new());
                    reset(stream);
                },
                "connection reset",
            ),
        ] {
            let server = serve(move |stream| behave(&stream));
            let arguments = "http -c 2 --timeout 100ms";
            let (finished, _) = load(arguments, server, 600).await.expect("a run");
            let operations = finished.total.operations;
            assert_eq!(operations.completed, 0);
            assert!(operations.failed[reason] > 0, "{operations:?}");
        }
    }

    #[test]
    fn headers_of_the_command_line() {
        let texts = ["A: b".to_owned(), "a:c: d ".into(), "Host: x".into()];
        let found = headers(&texts).expect("headers");
        let values: Vec<_> = found.get_all("a").iter().collect();
        assert_eq!(values, ["b", "c: d"]);
        for text in ["a", ": b", "a b: c", "a: b\r\nc: d", "Content-Length: 1"] {
            assert!(headers(&[text.to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts() {
        for (target, tls, expected) in [
            ("http://127.0.0.1/", false, "127.0.0.1"),
            ("http://127.0.0.1:443/", false, "127.0.0.1:443"),
            ("127.0.0.1:443", true, "127.0.0.1"),
            ("https://[::1]/", false, "[::1]"),
            ("[::1]:8000", false, "[::1]:8000"),
            ("unix:/x", false, "localhost"),
        ] {
            let target = Target::parse(target).expect(target);
            assert_eq!(host(&target, tls), expected);
        }
    }
}
