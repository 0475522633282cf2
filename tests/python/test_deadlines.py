"""reactor.deadline(): every call that could wait ends by the nearest deadline of its thread, and nothing else is touched."""

import contextlib
import errno
import gc
import io
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

from support import DEADLINE, HERE, HOST, SocketTestCase, Worker, is_blocked, need_program, ours_only, run_python, wait_for

try:
    import reactor
except ImportError:
    # Another interpreter: every test here is skipped, or fails on purpose.
    reactor = None

# Seconds: of a deadline that passes in a test, and of one that must not.
SHORT, LONG = 0.1, 600.0

# Seconds by which a busy machine may delay one wake-up.
LATE = 5.0


def connect_to(host):
    with socket.socket() as sock:
        sock.connect((host, 80))


class DeadlineTestCase(SocketTestCase):
    @contextlib.contextmanager
    def ends_at(self, seconds=SHORT):
        """The block, under a deadline, raises TimeoutError; not before the deadline."""
        with self.assertRaises(TimeoutError) as caught:
            with reactor.deadline(seconds) as running:
                yield running
        now = time.monotonic()
        self.assertIs(type(caught.exception), TimeoutError)
        self.assertEqual(caught.exception.args, ("timed out",))
        self.assertIsNone(caught.exception.errno)
        self.assertGreaterEqual(now, running.expires_at, "early")
        self.assertLess(now, running.expires_at + LATE, "late")
        self.assertTrue(running.expired)

    def waits(self):
        """(name, socket, call) of everything that waits on a socket."""
        def reader():
            return self.tcp_pair()[0]
        for name, call in [
            ("recv", lambda sock: sock.recv(1)), ("recv_into", lambda sock: sock.recv_into(bytearray(1))),
            ("recvfrom", lambda sock: sock.recvfrom(1)), ("recvfrom_into", lambda sock: sock.recvfrom_into(bytearray(1))),
            ("recvmsg", lambda sock: sock.recvmsg(1)), ("recvmsg_into", lambda sock: sock.recvmsg_into([bytearray(1)])),
            ("MSG_WAITALL", lambda sock: sock.recv(9, socket.MSG_WAITALL)),
            ("makefile", lambda sock: sock.makefile("rb").readline()),
            ("unbuffered", lambda sock: sock.makefile("rb", buffering=0).read(1)),
        ]:
            sock = reader()
            yield name, sock, lambda call=call, sock=sock: call(sock)
        file = tempfile.TemporaryFile()
        self.addCleanup(file.close)
        file.write(bytes(1 << 20))
        file.flush()
        for name, call in [
            ("send", lambda sock: sock.send(bytes(65536))), ("sendall", lambda sock: sock.sendall(bytes(1 << 20))),
            ("sendmsg", lambda sock: sock.sendmsg([bytes(65536)])),
            ("sendfile", lambda sock: sock.sendfile(file)),
            ("sendfile of a stream", lambda sock: sock.sendfile(io.BytesIO(bytes(1 << 20)))),
            ("makefile, writing", lambda sock: sock.makefile("wb", buffering=0).write(bytes(65536))),
        ]:
            sock = self.pair()[0]
            self.fill(sock)
            yield name, sock, lambda call=call, sock=sock: call(sock)
        listener = self.listener()
        yield "accept", listener, listener.accept
        full = self.full_listener()
        address = full.getsockname()
        joining = self.keep(socket.socket())
        yield "connect", joining, lambda: joining.connect(address)
        # The kernel tells nobody of room in another datagram socket's queue, or in a Unix listener's.
        path = os.path.join(tempfile.mkdtemp(), "socket")
        receiver = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        receiver.bind(path)
        sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.sendto(b"x", path)
        sender.setblocking(True)
        yield "sendto a full Unix datagram queue", sender, lambda: sender.sendto(b"x", path)
        crowded = self.keep(socket.socket(socket.AF_UNIX))
        crowded.bind(path + "2")
        crowded.listen(0)
        first = self.keep(socket.socket(socket.AF_UNIX))
        first.connect(path + "2")
        second = self.keep(socket.socket(socket.AF_UNIX))
        yield "connect to a full Unix listener", second, lambda: second.connect(path + "2")


@ours_only
class Waits(DeadlineTestCase):
    def test_every_call(self):
        names = set()
        for name, _sock, call in self.waits():
            with self.subTest(name), self.ends_at():
                call()
            names.add(name)
        self.assertEqual(len(names), 19)

    def test_the_socket_timeout_is_nearer(self):
        sock, _peer = self.tcp_pair()
        sock.settimeout(0.05)
        with reactor.deadline(LONG) as running, self.assertRaises(TimeoutError):
            sock.recv(1)
        self.assertFalse(running.expired)

    def test_the_socket_timeout_is_farther(self):
        sock, _peer = self.tcp_pair()
        sock.settimeout(LONG)
        with self.ends_at():
            sock.recv(1)
        self.assertEqual(sock.gettimeout(), LONG)

    def test_a_timeout_set_during_the_wait(self):
        sock, _peer = self.tcp_pair()

        def call():
            with reactor.deadline(LONG) as running, self.assertRaises(TimeoutError):
                sock.recv(1)
            return running.expired
        worker = Worker(call).wait_blocked()
        sock.settimeout(0.05)
        self.assertFalse(worker.result(), "the nearer one is the socket's")

        def longer():
            with self.ends_at(0.5):
                sock.recv(1)
        sock.settimeout(0.4)
        worker = Worker(longer).wait_blocked()
        sock.settimeout(LONG)
        worker.result()

    def test_connect_ex(self):
        sock = self.keep(socket.socket())
        address = self.full_listener().getsockname()
        with reactor.deadline(SHORT) as running:
            self.assertEqual(sock.connect_ex(address), errno.EAGAIN)
            self.assertTrue(running.expired)

    def test_create_connection(self):
        address = self.full_listener().getsockname()
        with self.ends_at():
            socket.create_connection(address)
        with self.ends_at():
            socket.create_connection(address, timeout=LONG)

    def test_a_part_of_a_blocking_send_is_reported(self):
        sock, _peer = self.pair()
        with self.ends_at():
            sent = sock.send(bytes(1 << 24))
            self.assertTrue(0 < sent < 1 << 24, sent)
            sock.send(b"x")

    def test_a_part_of_a_received_whole_is_reported(self):
        sock, peer = self.tcp_pair()
        peer.sendall(b"abc")
        with self.ends_at():
            self.assertEqual(sock.recv(9, socket.MSG_WAITALL), b"abc")
            sock.recv(9, socket.MSG_WAITALL)

    def test_sendall_to_a_quick_reader(self):
        # It never has to wait for long, and yet has to end: with each part it asks for the deadline.
        sock, peer = self.tcp_pair()
        buffer = bytearray(1 << 20)

        def drain():
            with contextlib.suppress(OSError):
                while peer.recv_into(buffer):
                    pass
        reader = Worker(drain)
        with self.ends_at(0.05):
            while True:
                sock.sendall(bytes(1 << 26))
        sock.close()
        reader.finish()

    def test_data_in_time(self):
        sock, peer = self.tcp_pair()

        def call():
            with reactor.deadline(LONG):
                return sock.recv(1)
        worker = Worker(call).wait_blocked()
        peer.sendall(b"x")
        self.assertEqual(worker.result(), b"x")


@ours_only
class Expired(DeadlineTestCase):
    def test_fails_at_once(self):
        for name, _sock, call in self.waits():
            with self.subTest(name), self.ends_at(0):
                call()

    def test_fails_even_with_data(self):
        sock, peer = self.tcp_pair()
        peer.sendall(b"xy")
        with self.ends_at(0):
            sock.recv(1)
        self.assertEqual(sock.recv(2), b"xy", "nothing was taken")

    def test_a_loop_that_never_waits_ends(self):
        # Megabytes, read by the byte: they last for much longer than the deadline.
        sock, peer = self.tcp_pair()
        self.fill(peer)
        with self.ends_at():
            while True:
                sock.recv(1)
        self.assertEqual(len(sock.recv(1, socket.MSG_DONTWAIT)), 1, "it ended for want of data")

    def test_a_peer_that_drips_ends(self):
        sock, peer = self.tcp_pair()
        stop = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not stop.wait(0.0005):
                    peer.send(b"x")
        worker = Worker(drip)
        with self.ends_at():
            while True:
                sock.recv(1)
        stop.set()
        worker.finish()

    def test_what_cannot_wait_goes_on(self):
        sock, peer = self.tcp_pair()
        listener = self.keep(socket.socket())
        with reactor.deadline(0):
            listener.bind((HOST, 0))
            listener.listen()
            sock.settimeout(5)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            sock.getsockname(), sock.getpeername(), sock.fileno(), repr(sock)
            self.assertEqual(sock.recv(0), b"")
            self.assertEqual(socket.getaddrinfo(HOST, 80)[0][4], (HOST, 80))
            figures = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            self.assertEqual(socket.getnameinfo((HOST, 80), figures), (HOST, "80"))
            socket.getservbyname("http")
            sock.shutdown(socket.SHUT_WR)
            sock.close()
            for end in socket.socketpair():
                end.close()
        self.assertEqual(peer.recv(1), b"")

    def test_nonblocking_sockets_are_left_alone(self):
        sock, peer = self.tcp_pair()
        sock.setblocking(False)
        with reactor.deadline(0):
            with self.assertRaises(BlockingIOError):
                sock.recv(1)
            self.assertEqual(sock.send(b"x"), 1)
            sock.sendall(b"y")
        self.assertEqual(peer.recv(2, socket.MSG_WAITALL), b"xy")
        joining = self.keep(socket.socket())
        joining.setblocking(False)
        address = self.full_listener().getsockname()
        with reactor.deadline(0):
            self.assertEqual(joining.connect_ex(address), errno.EINPROGRESS)

    def test_calls_that_do_not_wait_are_left_alone(self):
        sock, peer = self.tcp_pair()
        with reactor.deadline(0):
            with self.assertRaises(BlockingIOError):
                sock.recv(1, socket.MSG_DONTWAIT)
        # Also what somebody made so behind the socket's back.
        os.set_blocking(sock.fileno(), False)
        with reactor.deadline(0):
            with self.assertRaises(BlockingIOError):
                sock.recv(1)
        # With a timeout the flag means nothing, as on CPython.
        sock.settimeout(LONG)
        with self.ends_at(0):
            sock.recv(1, socket.MSG_DONTWAIT)

    def test_made_nonblocking_during_the_wait(self):
        sock, _peer = self.tcp_pair()

        def call():
            with reactor.deadline(LONG):
                sock.recv(1)
        worker = Worker(call).wait_blocked()
        sock.setblocking(False)
        with self.assertRaises(BlockingIOError):
            worker.result()


@ours_only
class Names(DeadlineTestCase):
    LOOKUPS = [
        ("getaddrinfo", lambda: socket.getaddrinfo("name.invalid", 80)),
        ("gethostbyname", lambda: socket.gethostbyname("name.invalid")),
        ("gethostbyname_ex", lambda: socket.gethostbyname_ex("name.invalid")),
        ("gethostbyaddr", lambda: socket.gethostbyaddr("192.0.2.1")),
        ("getnameinfo", lambda: socket.getnameinfo(("192.0.2.1", 80), 0)),
        ("getfqdn", lambda: socket.getfqdn("name.invalid")),
        ("create_connection", lambda: socket.create_connection(("name.invalid", 80))),
        ("connect", lambda: connect_to("name.invalid")),
        ("reactor.create_connection", lambda: reactor.create_connection(("name.invalid", 80), timeout=LONG)),
    ]

    def test_an_expired_deadline(self):
        for name, call in self.LOOKUPS:
            with self.subTest(name), self.ends_at(0):
                call()

    def test_a_name_server_that_says_nothing(self):
        """In a mount namespace of its own, with a resolv.conf that names a mute server on loopback."""
        program = os.path.join(HERE, "programs", "mute_name_server.py")
        unshare = need_program("unshare")
        done = run_python("--map-root-user", "--mount", "--net", sys.executable, program, executable=unshare, timeout=DEADLINE * 2)
        if done.returncode == 77 or "unshare" in done.stderr:
            self.skipTest(f"no namespaces here: {done.stderr.strip()}")
        self.assertEqual((done.returncode, done.stdout.split()), (0, [name for name, _ in self.LOOKUPS]), done.stderr)


@ours_only
class Blocks(DeadlineTestCase):
    def test_arguments(self):
        for wrong in -1, -1e-12, float("nan"), -float("inf"), -(10 ** 400):
            with self.subTest(wrong), self.assertRaises(ValueError):
                reactor.deadline(wrong)
        for wrong in "1", b"1", [], 1j, object():
            with self.subTest(wrong), self.assertRaises(TypeError):
                reactor.deadline(wrong)
        with self.assertRaises(TypeError):
            reactor.deadline()
        for unlimited in None, float("inf"), 1e300, 10 ** 400, sys.maxsize:
            with self.subTest(unlimited), reactor.deadline(unlimited) as running:
                if unlimited != sys.maxsize:
                    self.assertEqual((running.remaining(), running.expires_at), (None, None))
                self.assertFalse(running.expired)
                sock, peer = self.tcp_pair()
                peer.sendall(b"x")
                self.assertEqual(sock.recv(1), b"x")
        for fine in 0, 0.0, -0.0, 1, True, 2.5, 1e9:
            with reactor.deadline(fine):
                pass
        self.assertEqual(repr(reactor.deadline(2.5)), "reactor.deadline(2.5)")
        with self.assertRaises(TypeError):
            reactor.Deadline()

    def test_what_is_bound(self):
        begin = time.monotonic()
        with reactor.deadline(LONG) as running:
            end = time.monotonic()
            self.assertTrue(begin + LONG - 0.001 <= running.expires_at <= end + LONG)
            self.assertTrue(0 < running.remaining() <= LONG)
            self.assertIs(running.expired, False)
        with reactor.deadline(0) as running:
            self.assertEqual(running.remaining(), 0.0)
            self.assertIs(running.expired, True)

    def test_nested(self):
        sock, _peer = self.tcp_pair()
        with self.ends_at():
            with reactor.deadline(LONG) as inner:
                self.assertLess(inner.remaining(), SHORT + 0.001)
                sock.recv(1)
        with reactor.deadline(LONG) as outer:
            with self.ends_at():
                sock.recv(1)
            self.assertFalse(outer.expired)
            with reactor.deadline(None) as unlimited:
                self.assertEqual(unlimited.expires_at, outer.expires_at)
            with self.ends_at():
                sock.recv(1)

    def test_used_again_and_inside_itself(self):
        sock, peer = self.tcp_pair()
        limit = reactor.deadline(SHORT)
        for _ in range(2):
            with self.assertRaises(TimeoutError), limit:
                sock.recv(1)
        with limit, limit:
            pass
        peer.sendall(b"x")
        self.assertEqual(sock.recv(1), b"x")
        workers = []
        for _ in range(4):
            def call():
                with limit:
                    sock.recv(1)
            workers.append(Worker(call))
        for worker in workers:
            with self.assertRaises(TimeoutError):
                worker.result()
        self.assertUnlimited()

    def assertUnlimited(self):
        with reactor.deadline(None) as running:
            self.assertIsNone(running.remaining(), "a deadline was left behind")

    def test_leaves_however_it_ends(self):
        with contextlib.suppress(ZeroDivisionError), reactor.deadline(SHORT):
            1 / 0
        with self.assertRaises(KeyError), reactor.deadline(0):
            {}["nothing"]
        self.assertUnlimited()

    def test_out_of_order(self):
        first, second = reactor.deadline(SHORT), reactor.deadline(LONG)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        sock, _peer = self.tcp_pair()
        sock.settimeout(SHORT * 3)
        begin = time.monotonic()
        with self.assertRaises(TimeoutError):
            sock.recv(1)
        self.assertGreaterEqual(time.monotonic(), begin + SHORT * 3, "the deadline was gone")
        second.__exit__(None, None, None)
        self.assertUnlimited()
        with self.assertRaises(RuntimeError):
            second.__exit__(None, None, None)

    def test_dropped_without_exit(self):
        reactor.deadline(0).__enter__()
        gc.collect()
        self.assertUnlimited()

    def test_a_generator(self):
        def values():
            with reactor.deadline(0):
                yield 1
        generator = values()
        next(generator)
        with reactor.deadline(LONG):
            generator.close()
        self.assertUnlimited()

    def test_other_threads(self):
        sock, peer = self.tcp_pair()
        with reactor.deadline(0):
            worker = Worker(sock.recv, 1).wait_blocked()
            peer.setblocking(False)
            peer.sendall(b"x")
            self.assertEqual(worker.result(), b"x")

            def leave(limit=reactor.deadline(LONG)):
                limit.__exit__(None, None, None)
            with self.assertRaises(RuntimeError):
                Worker(leave).result()

    def test_signal_handlers_run_under_it(self):
        sock, _peer = self.tcp_pair()
        left = []

        def handler(_number, _frame):
            with reactor.deadline(None) as running:
                left.append(running.remaining())
            with reactor.deadline(0.01), contextlib.suppress(TimeoutError):
                sock.recv(1)
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handler))
        main = threading.get_native_id()

        def send():
            wait_for(lambda: is_blocked(main), "the main thread sleeps in recv")
            os.kill(os.getpid(), signal.SIGUSR1)
        sender = Worker(send)
        with self.ends_at(1.0) as running:
            sock.recv(1)
        sender.result()
        self.assertEqual(len(left), 1)
        self.assertTrue(0 < left[0] <= 1.0, left)

    def test_ctrl_c(self):
        sock, _peer = self.tcp_pair()
        main = threading.get_native_id()

        def send():
            wait_for(lambda: is_blocked(main), "the main thread sleeps in recv")
            os.kill(os.getpid(), signal.SIGINT)
        sender = Worker(send)
        with self.assertRaises(KeyboardInterrupt):
            with reactor.deadline(LONG):
                sock.recv(1)
        sender.result()
        self.assertUnlimited()

    def test_fork(self):
        sock, _peer = self.tcp_pair()

        with reactor.deadline(0.3) as running:
            def child():
                with self.assertRaises(TimeoutError):
                    sock.recv(1)
                assert time.monotonic() >= running.expires_at
            pid = self.fork(child)
        self.assertUnlimited()
        self.assertEqual(self.wait_child(pid), 0)

    def test_asyncio_goes_on(self):
        import asyncio

        async def main():
            server = await asyncio.start_server(self.echo, HOST, 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"line\n")
            line = await reader.readline()
            writer.close()
            server.close()
            return line
        with reactor.deadline(0):
            self.assertEqual(asyncio.run(main()), b"line\n")

    @staticmethod
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()


@ours_only
class Documentation(unittest.TestCase):
    def test_the_examples_run(self):
        with open(os.path.join(HERE, "..", "..", "docs", "deadlines.md"), encoding="utf-8") as file:
            examples = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
        self.assertEqual(len(examples), 2)
        for example, expected in zip(examples, (r"connected, 0\.[45] seconds left\nover: timed out True\n", r"127\.0\.0\.1 5\.0\n")):
            done = run_python("-c", example)
            self.assertEqual(done.stderr, "")
            self.assertRegex(done.stdout, f"^{expected}$")


if __name__ == "__main__":
    unittest.main()
