//! Names on an application's tokio runtime, and through its hickory resolver.

#![cfg(feature = "cli")]

use std::{
    ffi::CString,
    future,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::{
    ReactorSockets,
    dns::{
        BoxFuture, EaiError, Families, Hickory, Hints, HostAddresses, HostLookup, LookupFailure,
        Resolver, ResolverBuilder,
        hickory_resolver::{
            self,
            config::{ConnectionConfig, NameServerConfig, ResolverConfig},
            net::runtime::TokioRuntimeProvider,
            proto::{
                op::{Message, OpCode, ResponseCode},
                rr::{
                    Name, RData, Record, RecordType,
                    rdata::{A, AAAA, CNAME, PTR},
                },
            },
        },
    },
};
use rustpython_vm::{Settings, VirtualMachine};
use tokio::runtime::{Builder, Runtime};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// The process's signals are left alone: an interpreter's start would ignore each for a moment, `SIGCHLD` too, and a child of another
/// test that ends just then would be reaped by the kernel.
fn builder() -> InterpreterBuilder {
    let mut settings = Settings::default();
    settings.install_signal_handlers = false;
    InterpreterBuilder::new().settings(settings).init_stdlib()
}

fn run(vm: &VirtualMachine, source: &str) {
    let scope = vm.new_scope_with_builtins();
    if let Err(error) = vm.run_string(scope, source, "<runtimes>") {
        let mut text = String::new();
        vm.write_exception(&mut text, &error)
            .expect("an exception prints");
        panic!("{text}");
    }
}

/// Runs `source` in an interpreter of its own with `resolver`, on a thread of its own, that must end.
fn python(resolver: Resolver, source: &str) {
    python_while(resolver, source, || {});
}

fn python_while(resolver: Resolver, source: &str, meanwhile: impl FnOnce()) {
    let (done, ended) = mpsc::channel();
    let source = HEAD.to_owned() + source;
    let thread = thread::spawn(move || {
        let interpreter = builder().with_reactor_sockets_and(resolver).build();
        interpreter.enter(|vm| run(vm, &source));
        let _ = done.send(());
    });
    meanwhile();
    if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(LONG) {
        panic!("Python hangs");
    }
    thread.join().expect("Python ran");
}

const HEAD: &str = "
import asyncio, os, socket, threading
def code(call, *arguments):
    try:
        call(*arguments)
    except socket.gaierror as error:
        return error.args[0]
async def asked(host):
    return await asyncio.get_running_loop().getaddrinfo(host, 80, type=socket.SOCK_STREAM)
";

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Answers after a sleep on tokio's timers; `hour.test` takes an hour. Says which look-ups have begun.
struct Sleeper(mpsc::Sender<()>);

impl HostLookup for Sleeper {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        _families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>> {
        let wait = match host {
            "hour.test" => Duration::from_secs(3600),
            _ => Duration::from_millis(1),
        };
        // Here and not in the future: that, too, is within the runtime.
        let sleep = tokio::time::sleep(wait);
        Box::pin(async move {
            let mut begun = Some(self.0.clone());
            let mut sleep = std::pin::pin!(sleep);
            future::poll_fn(|context| {
                let step = sleep.as_mut().poll(context);
                if let Some(begun) = begun.take() {
                    let _ = begun.send(());
                }
                step
            })
            .await;
            Ok(HostAddresses {
                canonical: host.into(),
                aliases: vec![],
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
            })
        })
    }
}

fn sleeper(runtime: &Runtime) -> (Resolver, mpsc::Receiver<()>) {
    let (begin, begun) = mpsc::channel();
    let builder = Resolver::builder().runtime(runtime.handle().clone());
    let resolver = builder.expect("it is fit").own(Sleeper(begin)).build();
    (resolver, begun)
}

fn hints() -> Hints {
    Hints {
        socktype: libc::SOCK_STREAM,
        ..Hints::default()
    }
}

fn name(text: &str) -> Option<CString> {
    Some(CString::new(text).expect("no NUL"))
}

#[test]
fn the_types_go_between_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    fn sent<T: Send + std::fmt::Debug + 'static>() {}
    fn future<T: Send + 'static>(_: T) {}
    shared::<Resolver>();
    shared::<HostAddresses>();
    shared::<LookupFailure>();
    shared::<EaiError>();
    sent::<ResolverBuilder>();
    sent::<Hickory<TokioRuntimeProvider>>();
    let resolver = Resolver::without_names();
    future(async move { resolver.resolve(None, None, Hints::default(), None).await });
}

#[test]
fn unfit_runtimes_are_refused() {
    let kind = |builder: &mut Builder| {
        let runtime = builder.build().expect("a runtime");
        let builder = Resolver::builder().runtime(runtime.handle().clone());
        builder.expect_err("it is unfit").kind()
    };
    let invalid = ErrorKind::InvalidInput;
    assert_eq!(kind(Builder::new_current_thread().enable_all()), invalid);
    assert_eq!(kind(Builder::new_multi_thread().enable_time()), invalid);
    assert_eq!(kind(Builder::new_multi_thread().enable_io()), invalid);
}

#[test]
fn look_ups_use_the_applications_timers() {
    let runtime = runtime();
    let (resolver, _begun) = sleeper(&runtime);
    let interpreter = builder().with_reactor_sockets_and(resolver.clone()).build();
    let python = interpreter.enter(|vm| vm.new_thread());
    let task = runtime.spawn_blocking(move || {
        python.run(|vm| {
            let source = "
assert socket.gethostbyname('soon.test') == '127.0.0.1'
assert asyncio.run(asked('soon.test'))[0][4] == ('127.0.0.1', 80)
import reactor
with reactor.deadline(0.02):
    try:
        socket.gethostbyname('hour.test')
    except TimeoutError:
        pass
    else:
        raise AssertionError
";
            run(vm, &(HEAD.to_owned() + source));
        });
    });
    runtime.block_on(task).expect("Python ran");
    // And without Python, on the runtime's own workers.
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let resolver = resolver.clone();
            runtime.spawn(async move {
                resolver
                    .resolve(name("soon.test"), name("80"), hints(), None)
                    .await
            })
        })
        .collect();
    for task in tasks {
        let answer = runtime.block_on(task).expect("no panic").expect("a host");
        let expected = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
        assert_eq!(answer[0].address.as_socket(), Some(expected));
    }
}

#[test]
fn a_runtime_that_was_shut_down() {
    let runtime = runtime();
    let (resolver, _begun) = sleeper(&runtime);
    runtime.shutdown_background();
    python(
        resolver,
        "
assert code(socket.gethostbyname, 'soon.test') == socket.EAI_FAIL
assert code(asyncio.run, asked('soon.test')) == socket.EAI_FAIL
assert socket.gethostbyname('127.0.0.1') == '127.0.0.1'
",
    );
}

#[test]
fn a_runtime_that_is_shut_down_meanwhile() {
    for wait in [
        "code(socket.gethostbyname, 'hour.test')",
        "code(asyncio.run, asked('hour.test'))",
    ] {
        let runtime = runtime();
        let (resolver, begun) = sleeper(&runtime);
        let source = format!("assert {wait} == socket.EAI_FAIL");
        python_while(resolver, &source, || {
            begun.recv_timeout(LONG).expect("it has begun");
            runtime.shutdown_background();
        });
    }
}

/// A name server on loopback; its port.
fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((size, from)) = socket.recv_from(&mut buffer) {
            if let Some(reply) = answer(&buffer[..size]) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    port
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_vec(question).ok()?;
    let query = message.queries.first()?;
    let host = query.name().to_ascii().to_ascii_lowercase();
    let kind = query.query_type();
    let mut reply = Message::response(message.metadata.id, OpCode::Query);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    reply.queries.clone_from(&message.queries);
    let v4 = RData::A(A(Ipv4Addr::new(192, 0, 2, 1)));
    let v6 = RData::AAAA(AAAA(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
    let record = |data| Record::from_rdata(query.name().clone(), 60, data);
    match (host.as_str(), kind) {
        ("both.test.", RecordType::A) => reply.answers.push(record(v4)),
        ("both.test.", RecordType::AAAA) => reply.answers.push(record(v6)),
        ("alias.test.", RecordType::A) => {
            let real = Name::from_ascii("real.test.").ok()?;
            reply
                .answers
                .push(record(RData::CNAME(CNAME(real.clone()))));
            reply.answers.push(Record::from_rdata(real, 60, v4));
        }
        ("1.2.0.192.in-addr.arpa.", RecordType::PTR) => {
            let name = Name::from_ascii("ptr.test.").ok()?;
            reply.answers.push(record(RData::PTR(PTR(name))));
        }
        ("alias.test." | "nodata.test.", _) => {}
        ("servfail.test.", _) => reply.metadata.response_code = ResponseCode::ServFail,
        ("silent.test.", _) => return None,
        _ => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply.to_vec().ok()
}

fn hickory(runtime: &Runtime) -> Resolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = name_server();
    let server = NameServerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let builder =
        hickory_resolver::Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let resolver = builder.build().expect("a resolver");
    Resolver::own(Hickory::new(resolver, runtime.handle().clone()))
}

#[test]
fn a_hickory_resolver_is_a_source_of_names() {
    let runtime = runtime();
    python(
        hickory(&runtime),
        "
def hosts(found):
    return sorted(answer[4][0] for answer in found)
def check():
    assert hosts(socket.getaddrinfo('both.test', 80, type=socket.SOCK_STREAM)) == ['192.0.2.1', '2001:db8::1']
    assert hosts(socket.getaddrinfo('both.test', 80, socket.AF_INET6, socket.SOCK_STREAM)) == ['2001:db8::1']
    assert socket.gethostbyname('both.test') == '192.0.2.1'
    entry = socket.gethostbyname_ex('alias.test')
    assert entry == ('real.test', ['alias.test'], ['192.0.2.1']), entry
    assert socket.gethostbyaddr('192.0.2.1') == ('ptr.test', [], ['192.0.2.1'])
    assert socket.getnameinfo(('192.0.2.1', 80), 0)[0] == 'ptr.test'
    assert code(socket.gethostbyname, 'nosuch.test') == socket.EAI_NONAME
    assert code(socket.gethostbyname, 'nodata.test') == socket.EAI_NODATA
    assert code(socket.gethostbyname, 'servfail.test') == socket.EAI_AGAIN
failed = []
def caught():
    try:
        check()
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=caught) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
assert hosts(asyncio.run(asked('both.test'))) == ['192.0.2.1', '2001:db8::1']
assert code(asyncio.run, asked('nosuch.test')) == socket.EAI_NONAME
",
    );
}

#[test]
fn a_forked_child_has_no_hickory_and_does_not_hang() {
    let runtime = runtime();
    python(
        hickory(&runtime),
        "
assert socket.gethostbyname('both.test') == '192.0.2.1'
child = os.fork()
if child == 0:
    try:
        # Known to the cache even: locks of the parent's threads are not touched.
        again = code(socket.gethostbyname, 'both.test') == socket.EAI_AGAIN
        again = again and code(asyncio.run, asked('both.test')) == socket.EAI_AGAIN
        os._exit(0 if again else 1)
    finally:
        os._exit(2)
assert os.waitpid(child, 0)[1] == 0
assert socket.gethostbyname('both.test') == '192.0.2.1'
",
    );
}
