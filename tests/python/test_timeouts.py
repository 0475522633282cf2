"""Timeouts: never early, one deadline a call, the exceptions and codes of CPython, and changes that reach a blocked call."""

import errno
import os
import socket
import threading
import time
import unittest

from support import DEADLINE, HOST, SocketTestCase, Worker, ours_only, wait_for

LENGTHS = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 3e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

# Seconds by which a busy machine may delay one wake-up.
LATE = 0.5


class NeverEarly(SocketTestCase):
    def check(self, set_up):
        self.assertEqual(len(LENGTHS), 19)
        for length in LENGTHS:
            sock, call = set_up()
            sock.settimeout(length)
            self.assertEqual(sock.gettimeout(), length)
            begin = time.monotonic_ns()
            with self.assertRaises(TimeoutError) as caught:
                call()
            took = time.monotonic_ns() - begin
            self.assertGreaterEqual(took, round(length * 1e9), f"a timeout of {length} s ended early")
            self.assertLess(took, (length + LATE) * 1e9, f"a timeout of {length} s ended late")
            self.assertIs(type(caught.exception), TimeoutError)
            self.assertEqual(caught.exception.args, ("timed out",))
            self.assertEqual(str(caught.exception), "timed out")
            self.assertIsNone(caught.exception.errno)

    def test_recv(self):
        for family in "tcp", "unix":
            sock, _peer = self.tcp_pair() if family == "tcp" else self.pair()
            self.check(lambda: (sock, lambda: sock.recv(10)))

    def test_recv_into(self):
        sock, _peer = self.tcp_pair()
        self.check(lambda: (sock, lambda: sock.recv_into(bytearray(10))))

    def test_recvfrom(self):
        sock = self.udp()
        self.check(lambda: (sock, lambda: sock.recvfrom(10)))

    def test_recvmsg(self):
        sock, _peer = self.pair(kind=socket.SOCK_DGRAM)
        self.check(lambda: (sock, lambda: sock.recvmsg(10, 10)))

    def test_accept(self):
        sock = self.listener()
        self.check(lambda: (sock, sock.accept))

    def test_connect(self):
        address = self.full_listener().getsockname()

        def set_up():
            sock = self.keep(socket.socket())
            return sock, lambda: sock.connect(address)
        self.check(set_up)

    def test_send(self):
        sock, _peer = self.pair()
        self.fill(sock)
        self.check(lambda: (sock, lambda: sock.send(bytes(65536))))

    def test_sendall(self):
        sock, _peer = self.tcp_pair()
        self.fill(sock)
        self.check(lambda: (sock, lambda: sock.sendall(bytes(1 << 24))))

    def test_sendto(self):
        sock, _peer = self.pair(kind=socket.SOCK_DGRAM)
        self.fill(sock)
        self.check(lambda: (sock, lambda: sock.sendmsg([bytes(60000)])))

    def test_lateness_of_the_best_of_twenty(self):
        # The best, since a single one depends on what else the machine does.
        sock, _peer = self.tcp_pair()
        for length in 0.001, 0.01:
            sock.settimeout(length)
            best = 1.0
            for _ in range(20):
                begin = time.monotonic()
                with self.assertRaises(TimeoutError):
                    sock.recv(1)
                best = min(best, time.monotonic() - begin - length)
            self.assertLess(best, 0.002, f"{length} s is always late by more than {best} s")

    def test_a_thread_of_its_own(self):
        sock, _peer = self.tcp_pair()
        sock.settimeout(0.05)

        def call():
            begin = time.monotonic()
            try:
                sock.recv(1)
            except TimeoutError:
                return time.monotonic() - begin
        workers = [Worker(call) for _ in range(16)]
        for worker in workers:
            self.assertGreaterEqual(worker.result(), 0.05)


class OneDeadline(SocketTestCase):
    def test_sendall_to_a_reader_that_drips(self):
        for make in self.tcp_pair, self.pair:
            sock, peer = make()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            stop = threading.Event()

            def drip():
                while not stop.wait(0.01) and peer.recv(8192):
                    pass
            reader = Worker(drip)
            sock.settimeout(0.4)
            begin = time.monotonic()
            with self.assertRaises(TimeoutError):
                sock.sendall(bytes(1 << 26))
            took = time.monotonic() - begin
            stop.set()
            sock.close()
            reader.finish()
            self.assertGreaterEqual(took, 0.4)
            self.assertLess(took, 0.4 + LATE, "the deadline began again with each part")

    def test_readiness_that_another_reader_takes(self):
        # Two readers, one datagram a time: the loser's wait goes on under its first deadline.
        sock = self.udp()
        sock.settimeout(0.4)
        sender = self.udp()

        def read():
            got, begin = 0, time.monotonic()
            try:
                while True:
                    begin = time.monotonic()
                    sock.recv(10)
                    got += 1
            except TimeoutError:
                return got, time.monotonic() - begin
        workers = [Worker(read).wait_blocked() for _ in range(2)]
        for _ in range(50):
            sender.sendto(b"x", sock.getsockname())
        total = 0
        for worker in workers:
            got, took = worker.result()
            total += got
            self.assertGreaterEqual(took, 0.4)
            self.assertLess(took, 0.4 + LATE)
        self.assertEqual(total, 50)

    def test_ready_data_comes_at_once(self):
        sock, peer = self.tcp_pair()
        peer.sendall(b"x")
        wait_for(lambda: sock.recv(1, socket.MSG_PEEK), "the byte arrives")
        sock.settimeout(1e-9)
        self.assertEqual(sock.recv(1), b"x")


class Codes(SocketTestCase):
    def test_connect_ex_at_the_deadline(self):
        sock = self.keep(socket.socket())
        sock.settimeout(0.05)
        self.assertEqual(sock.connect_ex(self.full_listener().getsockname()), errno.EAGAIN)

    def test_non_blocking_calls(self):
        sock, peer = self.tcp_pair()
        listener, datagram = self.listener(), self.udp()
        for each in sock, listener, datagram:
            each.setblocking(False)
        self.fill(sock)
        calls = [
            lambda: sock.recv(1), lambda: sock.recv_into(bytearray(1)), lambda: sock.recvmsg(1),
            lambda: sock.recvmsg_into([bytearray(1)]), lambda: sock.send(bytes(65536)), lambda: sock.sendall(bytes(65536)),
            lambda: sock.sendmsg([bytes(65536)]), listener.accept, lambda: datagram.recvfrom(1),
            lambda: datagram.recvfrom_into(bytearray(1)), lambda: sock.recv(1, socket.MSG_PEEK),
        ]
        for call in calls:
            with self.assertRaises(BlockingIOError) as caught:
                call()
            self.assertEqual(caught.exception.errno, errno.EAGAIN)
            self.assertEqual(caught.exception.args, (errno.EAGAIN, os.strerror(errno.EAGAIN)))

    def test_non_blocking_connect(self):
        address = self.full_listener().getsockname()
        sock = self.keep(socket.socket())
        sock.setblocking(False)
        with self.assertRaises(BlockingIOError) as caught:
            sock.connect(address)
        self.assertEqual(caught.exception.errno, errno.EINPROGRESS)
        self.assertEqual(sock.connect_ex(address), errno.EALREADY)
        other = self.keep(socket.socket())
        other.setblocking(False)
        self.assertEqual(other.connect_ex(address), errno.EINPROGRESS)

    def test_refused(self):
        with socket.create_server((HOST, 0)) as server:
            address = server.getsockname()
        for timeout in None, 5:
            first, second = self.keep(socket.socket()), self.keep(socket.socket())
            first.settimeout(timeout)
            second.settimeout(timeout)
            self.assertEqual(first.connect_ex(address), errno.ECONNREFUSED)
            with self.assertRaises(ConnectionRefusedError):
                second.connect(address)

    def test_connected_already(self):
        for timeout in None, 5, 0:
            sock, _peer = self.tcp_pair()
            sock.settimeout(timeout)
            self.assertEqual(sock.connect_ex(sock.getpeername()), errno.EISCONN)

    def test_unix_connect_with_a_timeout_to_a_full_backlog(self):
        # The kernel answers EAGAIN, not EINPROGRESS, and CPython does not wait for that one.
        listener = self.listener(0, socket.AF_UNIX)
        filler = self.keep(socket.socket(socket.AF_UNIX))
        filler.connect(listener.getsockname())
        for timeout in 0, 0.05:
            sock = self.keep(socket.socket(socket.AF_UNIX))
            sock.settimeout(timeout)
            self.assertEqual(sock.connect_ex(listener.getsockname()), errno.EAGAIN)
            with self.assertRaises(BlockingIOError):
                sock.connect(listener.getsockname())

    def test_unix_connect_without_a_timeout_waits_for_a_place(self):
        listener = self.listener(0, socket.AF_UNIX)
        filler = self.keep(socket.socket(socket.AF_UNIX))
        filler.connect(listener.getsockname())
        sock = self.keep(socket.socket(socket.AF_UNIX))
        worker = Worker(sock.connect, listener.getsockname()).wait_blocked()
        for _ in range(2):
            self.keep(listener.accept()[0])
        worker.result()
        self.assertEqual(sock.getpeername(), listener.getsockname())

    def test_getters(self):
        sock = self.keep(socket.socket())
        self.assertEqual((sock.gettimeout(), sock.timeout, sock.getblocking()), (None, None, True))
        for value, seconds in (1, 1.0), (2.5, 2.5), (0, 0.0), (-0.0, 0.0), (True, 1.0), (1e-9, 1e-9):
            sock.settimeout(value)
            self.assertEqual((sock.gettimeout(), sock.timeout, sock.getblocking()), (seconds, seconds, seconds != 0))
            self.assertIs(type(sock.gettimeout()), float)
        sock.setblocking(True)
        self.assertIsNone(sock.gettimeout())
        sock.setblocking(0)
        self.assertEqual(sock.gettimeout(), 0.0)

    def test_rounding_is_upward(self):
        # Less than a nanosecond is not nothing: the call waits, and does not become a non-blocking one.
        sock, _peer = self.tcp_pair()
        sock.settimeout(1e-12)
        with self.assertRaises(TimeoutError):
            sock.recv(1)

    def test_a_timeout_of_centuries(self):
        left, right = self.pair()
        for seconds in 2147484, 9223372036:
            left.settimeout(seconds)
            reader = Worker(left.recv, 10).wait_blocked()
            right.sendall(b"x")
            self.assertEqual(reader.result(), b"x")
        with self.assertRaises(OverflowError):
            left.settimeout(9223372037)
        self.assertEqual(left.gettimeout(), 9223372036)

    def test_default_timeout(self):
        self.addCleanup(socket.setdefaulttimeout, socket.getdefaulttimeout())
        socket.setdefaulttimeout(0.05)
        self.assertEqual(socket.getdefaulttimeout(), 0.05)
        listener = self.listener()
        self.assertEqual(listener.gettimeout(), 0.05)
        with self.assertRaises(TimeoutError):
            listener.accept()
        listener.settimeout(None)
        client = self.keep(socket.create_connection(listener.getsockname()))
        server = self.keep(listener.accept()[0])
        # accept() gives the default, not the listener's timeout.
        self.assertEqual((client.gettimeout(), server.gettimeout()), (0.05, 0.05))
        socket.setdefaulttimeout(None)
        self.assertIsNone(socket.getdefaulttimeout())

    def test_classes(self):
        self.assertIs(socket.timeout, TimeoutError)
        self.assertIs(socket.error, OSError)

    def test_socketio_after_a_timeout(self):
        sock, peer = self.tcp_pair()
        sock.settimeout(0.05)
        file = sock.makefile("rb", buffering=0)
        self.addCleanup(file.close)
        with self.assertRaises(TimeoutError):
            file.read(1)
        peer.sendall(b"late")
        with self.assertRaisesRegex(OSError, "cannot read from timed out object"):
            file.read(1)


@ours_only
class ChangeDuringAWait(SocketTestCase):
    def timed(self, call):
        def run():
            begin = time.monotonic()
            try:
                call()
            except OSError as error:
                return begin, time.monotonic(), error
        return Worker(run)

    def kinds(self):
        sock, _peer = self.tcp_pair()
        yield sock, lambda: sock.recv(1)
        listener = self.listener()
        yield listener, listener.accept
        datagram = self.udp()
        yield datagram, lambda: datagram.recvfrom(1)
        full, _peer = self.tcp_pair()
        yield full, lambda: full.sendall(bytes(1 << 24))
        joining = self.keep(socket.socket())
        address = self.full_listener().getsockname()
        yield joining, lambda: joining.connect(address)

    def check(self, first, second, expected):
        for sock, call in self.kinds():
            sock.settimeout(first)
            worker = self.timed(call).wait_blocked()
            changed = time.monotonic()
            sock.settimeout(second)
            begin, end, error = worker.result(20)
            self.assertIs(type(error), expected)
            # Whether the new length counts from the call's begin or from the change is not fixed here.
            self.assertGreaterEqual(end, begin + second, "early")
            self.assertLess(end, changed + second + LATE, "late")

    def test_shorter(self):
        self.check(600, 0.2, TimeoutError)

    def test_longer(self):
        # Long enough that the change comes before the first deadline also on a busy machine.
        self.check(1.0, 1.5, TimeoutError)

    def test_none_to_short(self):
        self.check(None, 0.2, TimeoutError)

    def test_short_to_none(self):
        sock, peer = self.tcp_pair()
        sock.settimeout(0.5)
        worker = Worker(sock.recv, 10).wait_blocked()
        sock.settimeout(None)
        worker.join(0.8)
        self.assertIsNone(worker.ended, f"the old deadline ended the call: {worker.error!r}")
        peer.sendall(b"x")
        self.assertEqual(worker.result(), b"x")

    def test_setblocking_false(self):
        for first in None, 600:
            for sock, call in self.kinds():
                sock.settimeout(first)
                worker = self.timed(call).wait_blocked()
                changed = time.monotonic()
                sock.setblocking(False)
                _begin, end, error = worker.result(20)
                self.assertIsInstance(error, BlockingIOError)
                self.assertLess(end, changed + LATE)

    def test_many_changes(self):
        sock, _peer = self.tcp_pair()
        sock.settimeout(600)
        workers = [self.timed(lambda: sock.recv(1)).wait_blocked() for _ in range(4)]
        for number in range(1000):
            sock.settimeout((None, 600, 300.5)[number % 3])
        changed = time.monotonic()
        sock.settimeout(0.1)
        for worker in workers:
            _begin, end, error = worker.result(20)
            self.assertIs(type(error), TimeoutError)
            self.assertLess(end, changed + 0.1 + LATE)


if __name__ == "__main__":
    unittest.main()
