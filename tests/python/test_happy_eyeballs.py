"""reactor.create_connection(): the first of a host's addresses to answer wins, under one time limit, and nothing leaks."""

import contextlib
import errno
import os
import resource
import signal
import socket
import threading
import time
import unittest
from _thread import allocate_lock
from unittest import mock

from support import DEADLINE, HOST, SocketTestCase, Worker, is_blocked, ours_only, run_python, wait_for

try:
    import reactor
except ImportError:
    # Another interpreter: every test here is skipped, or fails on purpose.
    reactor = None

# Seconds between two attempts that go on.
DELAY = 0.05


def open_sockets():
    """The sockets of this process, by what the kernel calls them."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            link = os.readlink(f"/proc/self/fd/{number}")
            if link.startswith("socket:"):
                found.append(link)
    return sorted(found)


def inet(address, family=socket.AF_INET):
    """As getaddrinfo() gives it."""
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address


@ours_only
class RaceTestCase(SocketTestCase):
    def found(self, *addresses):
        """Let every name have these addresses; tuples of five as they are."""
        answer = [address if len(address) == 5 else inet(address) for address in addresses]
        patch = mock.patch("socket.getaddrinfo", return_value=answer)
        self.asked = patch.start()
        self.addCleanup(patch.stop)

    def connect(self, **arguments):
        return reactor.create_connection(("name.invalid", 80), **{"attempt_delay": DELAY, **arguments})

    def refusing(self):
        """Where nobody listens; the port is taken."""
        sock = self.keep(socket.socket())
        sock.bind((HOST, 0))
        return sock.getsockname()

    def mute(self):
        """Where an attempt goes on for ever."""
        return self.full_listener().getsockname()

    def address(self):
        return self.listener().getsockname()

    @contextlib.contextmanager
    def no_leak(self):
        before = open_sockets()
        yield
        self.assertEqual(open_sockets(), before)


class Winners(RaceTestCase):
    def test_the_first(self):
        one, two = self.address(), self.address()
        self.found(one, two)
        with self.no_leak(), self.connect() as sock:
            self.assertEqual(sock.getpeername(), one)
            self.assertIs(type(sock), socket.socket)
            self.assertEqual((sock.family, sock.type, sock.proto), (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            self.assertIsNone(sock.gettimeout())
            self.assertTrue(os.get_blocking(sock.fileno()))
            self.assertFalse(sock.get_inheritable())
        self.asked.assert_called_once_with("name.invalid", 80, 0, socket.SOCK_STREAM)

    def test_it_talks(self):
        listener = self.listener()
        self.found(self.mute(), self.refusing(), listener.getsockname())
        with self.connect(timeout=DEADLINE) as client, listener.accept()[0] as server:
            client.sendall(b"there")
            self.assertEqual(server.recv(9), b"there")
            server.sendall(b"back")
            self.assertEqual(client.recv(9), b"back")

    def test_after_refusals_at_once(self):
        # The limit is over before the delay: the next attempt cannot have waited for it.
        address = self.address()
        self.found(self.refusing(), self.refusing(), address)
        with self.no_leak(), self.connect(timeout=1.9, attempt_delay=2) as sock:
            self.assertEqual(sock.getpeername(), address)

    def test_after_silence_with_the_delay(self):
        address = self.address()
        self.found(self.mute(), self.mute(), address)
        begin = time.monotonic()
        with self.no_leak(), self.connect(timeout=DEADLINE) as sock:
            self.assertGreaterEqual(time.monotonic(), begin + 2 * DELAY)
            self.assertEqual(sock.getpeername(), address)
            # The kernel must not think the attempt open still.
            with self.assertRaises(OSError) as caught:
                sock.connect(address)
            self.assertErrno(caught.exception, errno.EISCONN)

    def test_silence_then_a_refusal(self):
        address = self.address()
        self.found(self.mute(), self.refusing(), address)
        with self.no_leak(), self.connect(timeout=DEADLINE) as sock:
            self.assertEqual(sock.getpeername(), address)

    def test_an_attempt_that_began_earlier(self):
        late = self.listener(0)
        filler = self.keep(socket.socket())
        filler.connect(late.getsockname())
        self.found(late.getsockname(), self.mute())
        before = open_sockets()
        worker = Worker(self.connect, timeout=DEADLINE)
        wait_for(lambda: len(open_sockets()) == len(before) + 2, "both attempts go on")
        late.accept()[0].close()
        with worker.result() as sock:
            self.assertEqual(sock.getpeername(), late.getsockname())
            self.assertEqual(len(open_sockets()), len(before) + 1)

    def test_families_that_cannot_be(self):
        address = self.address()
        self.found((250, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 80)), address)
        with self.no_leak(), self.connect() as sock:
            self.assertEqual(sock.getpeername(), address)

    def test_both_families(self):
        try:
            v6 = self.keep(socket.create_server(("::1", 0), family=socket.AF_INET6))
        except OSError as why:
            self.skipTest(f"no IPv6 here: {why}")
        address, port = self.address(), v6.getsockname()[1]
        self.found(inet(("::1", port, 0, 0), socket.AF_INET6), address)
        with self.connect() as sock:
            self.assertEqual(sock.getpeername()[:2], ("::1", port))
        self.found(self.mute(), inet(("::1", port, 0, 0), socket.AF_INET6))
        with self.connect() as sock:
            self.assertEqual(sock.family, socket.AF_INET6)

    def test_a_real_name(self):
        listener = self.listener()
        with reactor.create_connection(("localhost", listener.getsockname()[1]), timeout=DEADLINE) as sock:
            self.assertEqual(sock.getpeername(), listener.getsockname())

    def test_many_at_once(self):
        listener = self.listener(backlog=64)
        self.found(self.mute(), self.refusing(), self.mute(), listener.getsockname())
        with self.no_leak():
            workers = [Worker(self.connect, timeout=DEADLINE) for _ in range(16)]
            for worker in workers:
                with worker.result() as sock:
                    self.assertEqual(sock.getpeername(), listener.getsockname())


class Arguments(RaceTestCase):
    def test_timeout(self):
        self.found(self.address())
        for timeout in None, 5, 2.5:
            with self.connect(timeout=timeout) as sock:
                self.assertEqual(sock.gettimeout(), timeout)
        self.addCleanup(socket.setdefaulttimeout, socket.getdefaulttimeout())
        socket.setdefaulttimeout(3.5)
        with self.connect() as sock:
            self.assertEqual(sock.gettimeout(), 3.5)
        with self.connect(timeout=socket._GLOBAL_DEFAULT_TIMEOUT) as sock:
            self.assertEqual(sock.gettimeout(), 3.5)
        with self.connect(timeout=None) as sock:
            self.assertIsNone(sock.gettimeout())

    def test_wrong_ones(self):
        self.found(self.address())
        with self.no_leak():
            for wrong in -1, float("nan"):
                with self.assertRaises(ValueError):
                    self.connect(timeout=wrong)
            with self.assertRaises(TypeError):
                self.connect(timeout="1")
            # As a socket's timeout.
            with self.assertRaises(OverflowError):
                self.connect(timeout=1e30)
            for wrong in 0, 0.009, 2.001, -1, float("inf"), float("nan"), None:
                with self.subTest(attempt_delay=wrong), self.assertRaises(ValueError):
                    self.connect(attempt_delay=wrong)
            with self.assertRaises(TypeError):
                self.connect(attempt_delay="1")
            with self.assertRaises(TypeError):
                self.connect(source_address=1)
            self.found(inet((1, 2, 3)))
            with self.assertRaises(TypeError):
                self.connect()
            with mock.patch("socket.getaddrinfo", return_value=[(1, 2)]), self.assertRaises(ValueError):
                self.connect()
        for fine in 0.01, 2:
            self.found(self.address())
            self.connect(attempt_delay=fine).close()

    def test_source_address(self):
        self.found(self.refusing(), self.address())
        with self.connect(source_address=("127.0.0.3", 0)) as sock:
            self.assertEqual(sock.getsockname()[0], "127.0.0.3")
        with self.no_leak(), self.assertRaises(OSError) as caught:
            self.connect(source_address=("192.0.2.1", 0))
        self.assertErrno(caught.exception, errno.EADDRNOTAVAIL)

    def test_a_class_that_goes_through_a_proxy(self):
        proxy = self.address()

        class Proxied(socket.socket):
            def connect(self, _address):
                super().connect(proxy)
        self.found(("192.0.2.1", 80))
        with mock.patch("socket.socket", Proxied), self.connect(timeout=DEADLINE) as sock:
            self.assertIs(type(sock), Proxied)
            self.assertEqual((sock.getpeername(), sock.gettimeout()), (proxy, DEADLINE))

    def test_a_class_derived(self):
        class Derived(socket.socket):
            pass
        self.found(self.address())
        with mock.patch("socket.socket", Derived), self.connect() as sock:
            self.assertIs(type(sock), Derived)


class Failures(RaceTestCase):
    def test_all_refuse(self):
        self.found(self.refusing(), self.refusing())
        with self.no_leak(), self.assertRaises(ConnectionRefusedError) as caught:
            self.connect()
        self.assertErrno(caught.exception, errno.ECONNREFUSED)

    def test_the_last_error_and_all_errors(self):
        self.found(self.refusing(), (250, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 80)))
        with self.no_leak():
            with self.assertRaises(OSError) as caught:
                self.connect()
            self.assertErrno(caught.exception, errno.EAFNOSUPPORT)
            with self.assertRaises(ExceptionGroup) as caught:
                self.connect(all_errors=True)
            numbers = [error.errno for error in caught.exception.exceptions]
            self.assertEqual(numbers, [errno.ECONNREFUSED, errno.EAFNOSUPPORT])

    def test_no_address(self):
        self.found()
        for all_errors in False, True:
            with self.assertRaisesRegex(OSError, "getaddrinfo returns an empty list"):
                self.connect(all_errors=all_errors)

    def test_no_such_name(self):
        with mock.patch("socket.getaddrinfo", side_effect=socket.gaierror(socket.EAI_NONAME, "no")):
            with self.assertRaises(socket.gaierror):
                self.connect(all_errors=True)

    @contextlib.contextmanager
    def descriptors_left(self, count):
        """None of the reactor's own can be given back either."""
        held = []
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, before[1]))
        try:
            with self.assertRaises(OSError) as caught:
                while True:
                    held.append(socket.socket())
            self.assertErrno(caught.exception, errno.EMFILE)
            for _ in range(count):
                held.pop().close()
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            for sock in held:
                sock.close()

    def test_no_descriptors(self):
        self.found(self.address(), self.address())
        with self.no_leak(), self.assertRaises(ExceptionGroup) as caught, self.descriptors_left(0):
            self.connect(all_errors=True)
        self.assertEqual([error.errno for error in caught.exception.exceptions], [errno.EMFILE] * 2)

    def test_one_descriptor(self):
        # The second attempt gets none, nor does the thread's driver: the first goes on.
        self.found(self.mute(), self.address())

        def call():
            with self.descriptors_left(1):
                self.connect(all_errors=True, timeout=0.3)
        with self.no_leak(), self.assertRaises(ExceptionGroup) as caught:
            Worker(call).result()
        emfile, timeout = caught.exception.exceptions
        self.assertErrno(emfile, errno.EMFILE)
        self.assertIsInstance(timeout, TimeoutError)

class Limits(RaceTestCase):
    def test_timeout(self):
        self.found(self.mute(), self.mute(), self.refusing(), self.mute())
        for timeout in 0, 0.001, DELAY, 0.08, 0.3:
            with self.no_leak():
                begin = time.monotonic()
                with self.assertRaises(TimeoutError) as caught:
                    self.connect(timeout=timeout)
                self.assertGreaterEqual(time.monotonic(), begin + timeout)
                self.assertEqual(caught.exception.args, ("timed out",))

    def test_timeout_with_all_errors(self):
        self.found(self.mute(), self.refusing(), self.mute())
        with self.no_leak(), self.assertRaises(ExceptionGroup) as caught:
            self.connect(timeout=0.3, all_errors=True)
        self.assertEqual([type(error) for error in caught.exception.exceptions], [ConnectionRefusedError, TimeoutError])

    def test_the_look_up_counts(self):
        left, _right = self.pair()

        def slow(*_):
            # As long as the limit lets it.
            left.recv(1)
        with mock.patch("socket.getaddrinfo", side_effect=slow):
            begin = time.monotonic()
            with self.assertRaises(TimeoutError):
                self.connect(timeout=0.2)
            self.assertGreaterEqual(time.monotonic(), begin + 0.2)

    def test_a_deadline(self):
        self.found(self.mute(), self.mute())
        for timeout in None, 600:
            with self.no_leak(), self.assertRaises(TimeoutError):
                with reactor.deadline(0.2) as running:
                    self.connect(timeout=timeout)
            self.assertTrue(running.expired)
        with reactor.deadline(600) as running, self.assertRaises(TimeoutError):
            self.connect(timeout=0.05)
        self.assertFalse(running.expired)
        self.found(self.address())
        with self.no_leak(), reactor.deadline(0), self.assertRaises(TimeoutError):
            self.connect()

    def test_no_deadline_is_left(self):
        self.found(self.address())
        with self.connect(timeout=5):
            with reactor.deadline(None) as running:
                self.assertIsNone(running.remaining())


class Interrupts(RaceTestCase):
    def at_signal(self, number):
        main = threading.get_native_id()
        before = len(open_sockets())

        def send():
            wait_for(lambda: len(open_sockets()) == before + 2 and is_blocked(main), "two attempts go on")
            os.kill(os.getpid(), number)
        return Worker(send)

    def test_ctrl_c(self):
        self.found(self.mute(), self.mute())
        for timeout in None, 600:
            with self.no_leak():
                sender = self.at_signal(signal.SIGINT)
                with self.assertRaises(KeyboardInterrupt):
                    self.connect(timeout=timeout)
                sender.result()

    def test_a_handler_that_returns(self):
        came = []
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, lambda *_: came.append(1)))
        self.found(self.mute(), self.mute())
        with self.no_leak():
            sender = self.at_signal(signal.SIGUSR1)
            begin = time.monotonic()
            with self.assertRaises(TimeoutError):
                self.connect(timeout=0.5)
            self.assertGreaterEqual(time.monotonic(), begin + 0.5)
            sender.result()
        self.assertEqual(came, [1])

    def test_many_signals_at_any_moment(self):
        # Whatever a KeyboardInterrupt comes into, there is no socket more than before once it is handled.
        self.found(self.mute(), self.refusing(), self.address())
        rounds = 60
        # A plain lock: it runs no Python code that the KeyboardInterrupt could come into.
        go = allocate_lock()
        go.acquire()

        def send():
            for number in range(rounds):
                go.acquire()
                time.sleep((DELAY + 0.01) * number / rounds)
                os.kill(os.getpid(), signal.SIGINT)
        sender = Worker(send)
        with self.no_leak():
            for number in range(rounds):
                try:
                    go.release()
                    # Whether it connects is for other tests; the signal must not come after this one.
                    with contextlib.suppress(OSError), self.connect():
                        pass
                    end = time.monotonic() + DEADLINE
                    while time.monotonic() < end:
                        time.sleep(0.001)
                    self.fail(f"no KeyboardInterrupt in round {number}")
                except KeyboardInterrupt:
                    pass
            sender.result()

    def test_audit_hooks(self):
        program = """
import socket, sys, test_happy_eyeballs
from unittest import mock
events, refuse = [], []
def hook(event, arguments):
    if event == "socket.connect":
        events.append(arguments)
        if len(events) in refuse:
            raise refuse_with("no")
sys.addaudithook(hook)
case = test_happy_eyeballs.Interrupts()
mute, refused, address = case.mute(), case.refusing(), case.address()
events.clear()
case.found(mute, refused, address)
with case.no_leak():
    with case.connect() as sock:
        pass
    assert [address for _, address in events] == [mute, refused, address], events
    assert [type(sock) for sock, _ in events] == [socket.socket] * 3
    # Kept here, and closed all the same.
    assert [sock._closed for sock, _ in events] == [True] * 3, events
    assert [sock.fileno() for sock, _ in events] == [-1] * 3, events
    events.clear()
    refuse, refuse_with = [2], RuntimeError
    try:
        case.connect()
    except RuntimeError:
        assert len(events) == 2
    else:
        raise AssertionError("the hook was not heard")
    events.clear()
    # An OSError is a failed attempt, as in socket.create_connection.
    refuse, refuse_with = [1], PermissionError
    case.connect().close()
    assert len(events) == 3
case.doCleanups()
print("done")
"""
        done = run_python("-W", "error", "-c", program)
        self.assertEqual((done.stdout.strip(), done.stderr), ("done", ""))


if __name__ == "__main__":
    unittest.main()
