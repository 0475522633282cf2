//! Applications with a resolver of their own: what Python sees of it, and that nothing goes past it.

#![cfg(feature = "cli")]

use std::{
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_reactor::{
    ReactorSockets,
    dns::{BoxFuture, Families, HostAddresses, HostLookup, HostNames, LookupFailure, Resolver},
};
use rustpython_vm::{Interpreter, Settings, VirtualMachine};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// The process's signals are left alone: an interpreter's start would ignore each for a moment, `SIGCHLD` too, and a child of another
/// test that ends just then would be reaped by the kernel.
fn builder() -> InterpreterBuilder {
    let mut settings = Settings::default();
    settings.install_signal_handlers = false;
    InterpreterBuilder::new().settings(settings).init_stdlib()
}

fn interpreter(resolver: Resolver) -> Interpreter {
    builder().with_reactor_sockets_and(resolver).build()
}

fn run(vm: &VirtualMachine, source: &str) {
    let scope = vm.new_scope_with_builtins();
    if let Err(error) = vm.run_string(scope, source, "<names>") {
        let mut text = String::new();
        vm.write_exception(&mut text, &error)
            .expect("an exception prints");
        panic!("{text}");
    }
}

/// Runs `source` in an interpreter of its own with `resolver`.
fn python(resolver: Resolver, source: &str) {
    interpreter(resolver).enter(|vm| run(vm, source));
}

#[derive(Default)]
struct Seen {
    hosts: Mutex<Vec<String>>,
    dropped: AtomicUsize,
}

impl Seen {
    fn hosts(&self) -> Vec<String> {
        self.hosts.lock().expect("nobody panics with it").clone()
    }

    /// Waits until so many look-ups that never end were dropped.
    fn wait_for_drops(&self, number: usize) {
        let end = Instant::now() + LONG;
        while self.dropped.load(Ordering::SeqCst) < number {
            assert!(Instant::now() < end, "a look-up was not dropped");
            thread::yield_now();
        }
    }
}

/// A few hosts; a look-up of `never.test` never ends.
#[derive(Clone, Default)]
struct Table(Arc<Seen>);

struct CountDrop(Arc<Seen>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl HostLookup for Table {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        _families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>> {
        self.0
            .hosts
            .lock()
            .expect("nobody panics with it")
            .push(host.to_owned());
        Box::pin(async move {
            // Both families, whatever is asked for: the crate takes what it wants.
            let addresses: Vec<IpAddr> = match host {
                "here.test" => vec![Ipv4Addr::LOCALHOST.into()],
                "both.test" => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
                "six.test" => vec![Ipv6Addr::LOCALHOST.into()],
                "xn--bcher-kva.test" => vec![Ipv4Addr::new(127, 0, 0, 7).into()],
                "empty.test" => vec![],
                "again.test" => return Err(LookupFailure::TryAgain),
                "fail.test" => return Err(LookupFailure::NoRecovery),
                "panic.test" => panic!("a look-up panics, which the test wants"),
                "never.test" => {
                    let _dropped = CountDrop(self.0.clone());
                    std::future::pending().await
                }
                _ => return Err(LookupFailure::NotFound),
            };
            Ok(HostAddresses {
                canonical: b"canonical.test".to_vec(),
                aliases: vec![host.into()],
                addresses,
            })
        })
    }

    fn names(&self, address: IpAddr) -> BoxFuture<'_, Result<HostNames, LookupFailure>> {
        Box::pin(async move {
            if address != Ipv4Addr::new(127, 0, 0, 7) {
                return Err(LookupFailure::NotFound);
            }
            Ok(HostNames {
                canonical: b"named.test".to_vec(),
                aliases: vec![b"alias.test".to_vec()],
            })
        })
    }
}

const RAISES: &str = "
import asyncio, os, reactor, socket, sys, threading
def raises(class_, args, call, *arguments):
    try:
        result = call(*arguments)
    except class_ as error:
        assert type(error) is class_, repr(error)
        assert args is None or error.args == args, (arguments, error.args)
    else:
        raise AssertionError((call, arguments, result))
NONAME = (socket.EAI_NONAME, 'Name or service not known')
NODATA = (socket.EAI_NODATA, 'No address associated with hostname')
AGAIN = (socket.EAI_AGAIN, 'Temporary failure in name resolution')
FAIL = (socket.EAI_FAIL, 'Non-recoverable failure in name resolution')
";

#[test]
fn python_sees_the_table() {
    let table = Table::default();
    python(
        Resolver::own(table.clone()),
        &(RAISES.to_owned()
            + "
STREAM = (socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', 80))
assert socket.getaddrinfo('here.test', 80, type=socket.SOCK_STREAM) == [STREAM]
assert socket.getaddrinfo('here.test', 'http', type=socket.SOCK_STREAM) == [STREAM]
assert socket.getaddrinfo(b'here.test', 80, type=socket.SOCK_STREAM) == [STREAM]
named = socket.getaddrinfo('here.test', 80, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
assert named == [STREAM[:3] + ('canonical.test',) + STREAM[4:]], named
mapped = socket.getaddrinfo('here.test', 80, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_V4MAPPED)
assert [answer[4][0] for answer in mapped] == ['::ffff:127.0.0.1'], mapped
both = {answer[4][0] for answer in socket.getaddrinfo('both.test', 80)}
assert both == {'::1', '127.0.0.1'}, both
assert socket.gethostbyname('both.test') == '127.0.0.1'
assert socket.gethostbyname('b\u{fc}cher.test') == '127.0.0.7'
assert socket.gethostbyname_ex('here.test') == ('canonical.test', ['here.test'], ['127.0.0.1'])
assert socket.gethostbyaddr('127.0.0.7') == ('named.test', ['alias.test'], ['127.0.0.7'])
assert socket.gethostbyaddr('b\u{fc}cher.test')[0] == 'named.test'
raises(socket.herror, (1, 'Unknown host'), socket.gethostbyaddr, '127.0.0.8')
assert socket.getnameinfo(('127.0.0.7', 80), 0) == ('named.test', 'http')
for flags in (socket.NI_NOFQDN, socket.NI_IDN, socket.NI_DGRAM):
    assert socket.getnameinfo(('127.0.0.7', 80), flags)[0] == 'named.test', flags
assert socket.getnameinfo(('127.0.0.8', 80), 0)[0] == '127.0.0.8'
assert socket.getnameinfo(('127.0.0.8', 80), socket.NI_NOFQDN)[0] == '127.0.0.8'
raises(socket.gaierror, NONAME, socket.getnameinfo, ('127.0.0.8', 80), socket.NI_NAMEREQD)
raises(socket.gaierror, (socket.EAI_BADFLAGS, 'Bad value for ai_flags'), socket.getnameinfo, ('127.0.0.7', 80), 1 << 20)
assert socket.getfqdn('127.0.0.7') == 'named.test'
assert socket.getfqdn('b\u{fc}cher.test') == 'named.test'

assert reactor.explain_resolve('here.test')[0] == 'own'
assert reactor.explain_resolve('127.1')[0] == 'numeric'

for call in (socket.gethostbyname, socket.gethostbyname_ex, socket.gethostbyaddr, lambda host: socket.getaddrinfo(host, 80)):
    raises(socket.gaierror, NONAME, call, 'nosuch.test')
    raises(socket.gaierror, AGAIN, call, 'again.test')
    raises(socket.gaierror, FAIL, call, 'fail.test')
    raises(socket.gaierror, FAIL, call, 'panic.test')
    raises(socket.gaierror, NODATA, call, 'empty.test')
raises(socket.gaierror, NODATA, socket.gethostbyname, 'six.test')
raises(socket.gaierror, NODATA, lambda: socket.getaddrinfo('here.test', 80, socket.AF_INET6))
raises(socket.gaierror, NONAME, lambda: socket.getaddrinfo('here.test', 80, flags=socket.AI_NUMERICHOST))
raises(socket.gaierror, NONAME, lambda: socket.getaddrinfo('b\u{fc}cher.test'.encode(), 80))

listener = socket.create_server(('here.test', 0))
port = listener.getsockname()[1]
socket.create_connection(('here.test', port)).close()
reactor.create_connection(('here.test', port)).close()
with socket.socket() as sock:
    sock.connect(('here.test', port))
with socket.socket() as sock:
    raises(socket.gaierror, NODATA, sock.connect, ('six.test', port))
    raises(socket.gaierror, NONAME, sock.connect_ex, ('nosuch.test', port))
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.bind(('here.test', 0))
    assert sock.sendto(b'x', ('here.test', sock.getsockname()[1])) == 1
    assert sock.sendmsg([b'y'], [], 0, ('here.test', sock.getsockname()[1])) == 1
    assert (sock.recv(9), sock.recv(9)) == (b'x', b'y')

async def main():
    loop = asyncio.get_running_loop()
    assert await loop.getaddrinfo('here.test', 80, type=socket.SOCK_STREAM) == [STREAM]
    for host, args in ('nosuch.test', NONAME), ('again.test', AGAIN), ('panic.test', FAIL):
        try:
            await loop.getaddrinfo(host, 80)
        except socket.gaierror as error:
            assert error.args == args, error
        else:
            raise AssertionError(host)
    reader, writer = await asyncio.open_connection('here.test', port)
    writer.close()
asyncio.run(main())
listener.close()
"),
    );
    let hosts = table.0.hosts();
    assert!(hosts.iter().all(|host| host.is_ascii()), "{hosts:?}");
    assert!(hosts.contains(&"xn--bcher-kva.test".to_owned()));
}

#[test]
fn a_wait_ends_and_its_look_up_is_dropped() {
    let table = Table::default();
    python(
        Resolver::own(table.clone()),
        &(RAISES.to_owned()
            + "
calls = [
    lambda: socket.getaddrinfo('never.test', 80),
    lambda: socket.gethostbyname('never.test'),
    lambda: socket.socket().connect(('never.test', 80)),
]
for call in calls:
    with reactor.deadline(0.02):
        raises(TimeoutError, None, call)

async def main():
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(0.02):
            await loop.getaddrinfo('never.test', 80)
    except TimeoutError:
        return
    raise AssertionError
asyncio.run(main())
"),
    );
    table.0.wait_for_drops(4);
}

/// In a process of its own: a signal is the process's.
#[test]
fn ctrl_c_ends_a_wait() {
    const INSIDE: &str = "EMBEDDED_NAMES_CTRL_C";
    if env::var_os(INSIDE).is_none() {
        let output = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "ctrl_c_ends_a_wait", "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let table = Table::default();
    python(
        Resolver::own(table.clone()),
        &(RAISES.to_owned()
            + "
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
raises(KeyboardInterrupt, (), socket.getaddrinfo, 'never.test', 80)
"),
    );
    table.0.wait_for_drops(1);
}

#[test]
fn without_names_nothing_gets_through() {
    python(
        Resolver::without_names(),
        &(RAISES.to_owned()
            + "
def check():
    odd = ['localhost', 'www.test', 'www.test.', 'odd name', 'b\u{fc}cher.test', b'localhost', bytearray(b'localhost'), socket.gethostname()]
    for host in odd:
        for call in (socket.gethostbyname, socket.gethostbyname_ex, socket.gethostbyaddr):
            raises(socket.gaierror, NONAME, call, host)
        raises(socket.gaierror, NONAME, socket.socket().connect, (host, 9))
    for flag in range(11):
        try:
            found = socket.getaddrinfo('localhost', 80, flags=1 << flag)
        except socket.gaierror as error:
            assert error.args[0] in (socket.EAI_NONAME, socket.EAI_BADFLAGS), (flag, error)
        else:
            raise AssertionError(found)
        # The machine has a name for this address.
        try:
            host = socket.getnameinfo(('127.0.0.1', 80), 1 << flag)[0]
        except socket.gaierror as error:
            assert error.args[0] in (socket.EAI_NONAME, socket.EAI_BADFLAGS), (flag, error)
        else:
            assert host == '127.0.0.1', (flag, host)
    raises(socket.herror, None, socket.gethostbyaddr, '127.0.0.1')
    raises(socket.herror, None, socket.gethostbyaddr, '::1')
    assert socket.getfqdn('localhost') == 'localhost'
    for host in '127.0.0.1', '127.1', '0x7f000001', '2130706433':
        assert socket.gethostbyname(host) == '127.0.0.1'
        assert socket.gethostbyname_ex(host) == (host, [], ['127.0.0.1'])
    assert socket.getaddrinfo('::1', 80)[0][4][0] == '::1'
    raises(socket.gaierror, NONAME, asyncio.run, lookup())
    assert reactor.explain_resolve('localhost')[0] == 'own'

async def lookup():
    return await asyncio.get_running_loop().getaddrinfo('localhost', 80)

def caught(result):
    try:
        check()
    except BaseException as error:
        result.append(error)

check()
errors = []
thread = threading.Thread(target=caught, args=(errors,))
thread.start(); thread.join()
assert not errors, errors
child = os.fork()
if child == 0:
    code = 1
    try:
        check()
        code = 0
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0

import importlib, _socket
importlib.reload(_socket)
raises(socket.gaierror, NONAME, _socket.getaddrinfo, 'localhost', 80)
for name in '_socket', 'socket', '_reactor', 'reactor':
    del sys.modules[name]
import _socket, socket, reactor
raises(_socket.gaierror, NONAME, _socket.getaddrinfo, 'localhost', 80)
check()
classes = [class_ for class_ in object.__subclasses__() if class_.__name__ == 'socket']
assert classes == [_socket.socket], classes
"),
    );
}

#[test]
fn a_sub_interpreter_has_no_other_resolver() {
    python(
        Resolver::without_names(),
        "
import _interpreters
sub = _interpreters.create()
failed = _interpreters.run_string(sub, '''
import _socket, reactor
assert reactor.explain_resolve(\"localhost\")[0] == \"own\", reactor.explain_resolve(\"localhost\")
try:
    found = _socket.getaddrinfo(\"localhost\", 80)
except _socket.gaierror:
    pass
else:
    raise AssertionError(found)
classes = [class_ for class_ in object.__subclasses__() if class_.__name__ == \"socket\"]
assert classes == [_socket.socket], classes
''')
assert failed is None, failed
_interpreters.destroy(sub)
",
    );
}

/// Knows one name, which says whose it is.
struct One {
    name: String,
    _held: mpsc::Sender<()>,
}

impl HostLookup for One {
    fn addresses<'a>(
        &'a self,
        host: &'a str,
        _families: Families,
    ) -> BoxFuture<'a, Result<HostAddresses, LookupFailure>> {
        Box::pin(async move {
            if host != self.name {
                return Err(LookupFailure::NotFound);
            }
            Ok(HostAddresses {
                canonical: host.into(),
                aliases: vec![],
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
            })
        })
    }
}

#[test]
fn interpreters_keep_their_resolvers_apart() {
    let one = |number: u32| {
        let (held, gone) = mpsc::channel();
        let lookup = One {
            name: format!("only{number}.test"),
            _held: held,
        };
        (interpreter(Resolver::own(lookup)), gone)
    };
    let check = |number: u32| {
        format!(
            "
import socket
for _ in range(200):
    assert socket.gethostbyname('only{number}.test') == '127.0.0.1'
    try:
        socket.gethostbyname('only{}.test')
    except socket.gaierror:
        pass
    else:
        raise AssertionError
",
            number ^ 1
        )
    };
    let pair = [one(0), one(1)];
    thread::scope(|scope| {
        for number in [0, 1, 0, 1] {
            let python = pair[number as usize].0.enter(|vm| vm.new_thread());
            let source = check(number);
            scope.spawn(move || python.run(|vm| run(vm, &source)));
        }
    });
    let [(first, gone), (second, _still)] = pair;
    drop(first);
    // The machine's resolver, at whatever address: no other test's names.
    for number in 2..5 {
        let plain = builder().with_reactor_sockets().build();
        plain.enter(|vm| {
            run(
                vm,
                "import reactor; path = reactor.explain_resolve('only0.test')[0]; assert path != 'own', path",
            );
        });
        drop(plain);
        let (next, _) = one(number);
        next.enter(|vm| run(vm, &check(number)));
    }
    second.enter(|vm| run(vm, &check(1)));
    assert_eq!(
        gone.recv_timeout(LONG),
        Err(mpsc::RecvTimeoutError::Disconnected),
        "the resolver of an interpreter that is gone is let go"
    );
}
