"""Bad input raises the class of exception that CPython raises, with a message, and leaves the socket usable."""

import _socket
import errno
import os
import socket
import sys
import unittest

import bad_input_table
from support import DEADLINE, HOST, SocketTestCase, Worker, wait_for

# Calls on sockets that are not connected; all others get a connected one.
UNCONNECTED = ("bind", "connect", "connect_ex", "listen", "accept")


def rows(text):
    for line in text.strip().splitlines():
        call, _, expected = line.partition("  ->  ")
        names, _, number = expected.partition(" ")
        classes = tuple(getattr(socket, name.removeprefix("socket.")) if name.startswith("socket.") else eval(name)
                        for name in names.split("|"))
        yield call, classes, getattr(errno, number) if number else None


class Table(SocketTestCase):
    def setUp(self):
        with socket.create_server((HOST, 0)) as listener:
            refused = listener.getsockname()[1]
        pipe = os.pipe()
        self.addCleanup(os.close, pipe[0])
        self.addCleanup(os.close, pipe[1])
        self.addCleanup(socket.setdefaulttimeout, None)
        self.names = {**vars(socket), "pipe": pipe, "refused": refused, "sys": sys, "open": self.open}

    def open(self, *arguments):
        file = open(*arguments)
        self.addCleanup(file.close)
        return file

    def check(self, call, classes, number, run):
        with self.subTest(call):
            with self.assertRaises(classes) as caught:
                run()
            error = caught.exception
            self.assertTrue(str(error), f"{error!r} says nothing")
            self.assertNotIn("panicked", str(error))
            if number is not None:
                self.assertEqual(error.errno, number, repr(error))
                self.assertEqual(error.args[0], number)
                # create_server and the like extend the text.
                self.assertTrue(error.args[1].startswith(os.strerror(number)), repr(error))
            elif isinstance(error, OSError) and error.errno is None and type(error) is OSError:
                self.assertEqual(len(error.args), 1, repr(error))

    def methods(self, text, make, usable):
        for call, classes, number in rows(text):
            sock = make(call)
            sock.settimeout(0.05)

            def run():
                # Not eval: some rows assign.
                exec(f"sock.{call}", {**self.names, "sock": sock})
            self.check(call, classes, number, run)
            # Linux notes the shutdown of an unconnected UDP socket although it reports an error.
            if call != "shutdown(SHUT_RDWR)":
                with self.subTest(f"usable after {call}"):
                    usable(sock)
            self.drop(sock)

    def drop(self, sock):
        sock.close()
        peer = getattr(self, "peer", None)
        if peer is not None:
            peer.close()
            self.peer = None

    def test_tcp(self):
        def make(call):
            if call.partition("(")[0] in UNCONNECTED:
                self.peer = None
                return self.keep(socket.socket())
            sock, self.peer = self.tcp_pair()
            return sock

        def usable(sock):
            sock.settimeout(DEADLINE)
            if self.peer is None:
                with socket.create_server((HOST, 0)) as listener:
                    sock.connect(listener.getsockname())
                    self.peer = self.keep(listener.accept()[0])
            sock.sendall(b"there")
            self.peer.sendall(b"back")
            self.peer.settimeout(DEADLINE)
            self.assertEqual(self.peer.recv(100), b"there")
            self.assertEqual(sock.recv(100), b"back")
        self.methods(bad_input_table.TCP, make, usable)

    def test_udp(self):
        def usable(sock):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.bind((HOST, 0))
                peer.settimeout(DEADLINE)
                sock.settimeout(DEADLINE)
                sock.sendto(b"there", peer.getsockname())
                data, address = peer.recvfrom(100)
                self.assertEqual(data, b"there")
                peer.sendto(b"back", address)
                self.assertEqual(sock.recvfrom(100)[0], b"back")
        self.methods(bad_input_table.UDP, lambda _: self.keep(socket.socket(type=socket.SOCK_DGRAM)), usable)

    def test_unix(self):
        def usable(sock):
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("")
                listener.listen()
                sock.connect(listener.getsockname())
                with listener.accept()[0] as peer:
                    sock.sendall(b"there")
                    self.assertEqual(peer.recv(100), b"there")
        self.methods(bad_input_table.UNIX, lambda _: self.keep(socket.socket(socket.AF_UNIX)), usable)

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"no IPv6 on loopback: {error}")

        def usable(sock):
            sock.bind(("::1", 0))
            self.assertEqual(sock.getsockname()[0], "::1")
        self.methods(bad_input_table.IPV6, lambda _: self.keep(socket.socket(socket.AF_INET6)), usable)

    def test_module(self):
        for call, classes, number in rows(bad_input_table.MODULE):
            self.check(call, classes, number, lambda: eval(call, dict(self.names)))


class ClosedSocket(SocketTestCase):
    CALLS = (
        "accept()", "bind(('127.0.0.1', 0))", "connect(('127.0.0.1', 1))", "dup()", "getpeername()", "getsockname()",
        "getsockopt(1, 2)", "setsockopt(1, 2, 1)", "listen()", "recv(1)", "recv_into(bytearray(1))", "recvfrom(1)",
        "recvfrom_into(bytearray(1))", "recvmsg(1)", "recvmsg_into([bytearray(1)])", "send(b'x')", "sendall(b'x')",
        "sendto(b'x', ('127.0.0.1', 1))", "sendmsg([b'x'])", "shutdown(2)", "get_inheritable()", "set_inheritable(True)",
        "setblocking(True)", "setblocking(False)", "settimeout(5)", "settimeout(None)",
        # Asked for nothing at all, a closed socket is still an error.
        "send(b'')", "sendall(b'')",
    )

    def closed(self):
        sock = socket.socket()
        sock.close()
        return sock

    def test_every_method(self):
        for timeout in None, 0.1, 0:
            for call in self.CALLS:
                with self.subTest(call, timeout=timeout):
                    sock = socket.socket()
                    sock.settimeout(timeout)
                    sock.close()
                    if call == "sendall(b'')":
                        # CPython's sendall of nothing makes no call at all.
                        try:
                            sock.sendall(b"")
                        except OSError as error:
                            self.assertErrno(error, errno.EBADF)
                        continue
                    with self.assertRaises(OSError) as caught:
                        eval(f"sock.{call}")
                    self.assertErrno(caught.exception, errno.EBADF)
                    self.assertEqual(caught.exception.args, (errno.EBADF, os.strerror(errno.EBADF)))

    def test_connect_ex(self):
        self.assertEqual(self.closed().connect_ex((HOST, 1)), errno.EBADF)

    def test_what_still_answers(self):
        sock = self.closed()
        self.assertEqual(sock.fileno(), -1)
        self.assertEqual(sock.detach(), -1)
        self.assertIsNone(sock.close())
        self.assertIsNone(sock.gettimeout())
        self.assertTrue(sock.getblocking())
        self.assertEqual((sock.family, sock.type, sock.proto), (socket.AF_INET, socket.SOCK_STREAM, 0))
        self.assertIn("[closed]", repr(sock))

    def test_makefile_and_sendfile(self):
        # CPython's answer depends on who sees the missing descriptor first, the selector or the kernel.
        with self.assertRaises((OSError, ValueError)):
            with open(__file__, "rb") as file:
                self.closed().sendfile(file)

    def test_uninitialised(self):
        # A subclass that never calls __init__ has no descriptor; no method may crash.
        class Lazy(_socket.socket):
            def __init__(self):
                pass
        sock = Lazy()
        self.assertEqual(sock.fileno(), -1)
        for call in "recv(1)", "send(b'x')", "getsockname()", "_accept()", "shutdown(2)", "listen()":
            with self.subTest(call):
                with self.assertRaises((OSError, AttributeError)):
                    eval(f"sock.{call}")
        repr(sock)
        sock.close()


class LargeNumbers(SocketTestCase):
    def resident(self):
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_a_gigabyte_buffer_for_ten_bytes(self):
        sock, peer = self.tcp_pair()
        datagram, sender = self.udp(), self.udp()
        calls = {
            "recv": lambda: sock.recv(1 << 30),
            "recv with a flag": lambda: sock.recv(1 << 30, socket.MSG_DONTWAIT),
            "recvmsg": lambda: sock.recvmsg(1 << 30)[0],
            "recvfrom": lambda: datagram.recvfrom(1 << 30)[0],
        }
        for name, call in calls.items():
            for timeout in None, DEADLINE:
                with self.subTest(name, timeout=timeout):
                    sock.settimeout(timeout)
                    datagram.settimeout(timeout)
                    if name == "recvfrom":
                        sender.sendto(b"0123456789", datagram.getsockname())
                    else:
                        peer.sendall(b"0123456789")
                        wait_for(lambda: sock.recv(10, socket.MSG_PEEK) == b"0123456789", "ten bytes")
                    before = self.peak()
                    data = call()
                    grown = self.peak() - before
                    self.assertEqual(data, b"0123456789")
                    self.assertLess(sys.getsizeof(data), 200)
                    self.assertLess(grown, 64 << 20, "the buffer was touched")

    def peak(self):
        """Bytes that were resident at the most so far, since a touched buffer may be gone again by the time of looking."""
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return self.resident()

    def test_the_kept_bytes_are_no_larger_than_the_data(self):
        sock, peer = self.tcp_pair()
        before, kept = self.resident(), []
        for number in range(400):
            peer.sendall(b"x")
            kept.append(sock.recv(1 << 20))
        self.assertEqual(b"".join(kept), b"x" * 400)
        self.assertLess(self.resident() - before, 64 << 20, "each result keeps its whole buffer")

    def test_more_than_there_can_be(self):
        # No memory for such a buffer: an exception, not an abort.
        sock, peer = self.tcp_pair()
        peer.sendall(b"0123456789")
        sock.settimeout(DEADLINE)
        for call in (lambda: sock.recv(sys.maxsize), lambda: sock.recvfrom(sys.maxsize), lambda: sock.recvmsg(sys.maxsize),
                     lambda: sock.recvmsg(1 << 62)):
            try:
                data = call()
            except (MemoryError, OverflowError, ValueError, OSError):
                continue
            data = data[0] if isinstance(data, tuple) else data
            self.assertIn(data, (b"0123456789", b""))
            peer.sendall(b"0123456789")
        peer.sendall(b"0123456789")
        self.assertEqual(sock.recv(10), b"0123456789")

    def test_sending_while_the_buffer_changes(self):
        # An exported bytearray cannot be resized during the call, so the kernel never reads freed memory.
        sock, peer = self.tcp_pair()
        data = bytearray(1 << 24)
        worker = Worker(sock.sendall, data).wait_blocked()
        with self.assertRaises(BufferError):
            data.extend(b"x")
        got = 0
        while got < len(data):
            got += len(peer.recv(1 << 20))
        worker.result()
        data.extend(b"x")

    def test_receiving_into_a_locked_buffer(self):
        sock, peer = self.tcp_pair()
        for call in (lambda buffer: sock.recv_into(buffer), lambda buffer: sock.recvmsg_into([buffer])):
            buffer = bytearray(100)
            worker = Worker(call, buffer).wait_blocked()
            with self.assertRaises(BufferError):
                buffer.extend(b"x")
            peer.sendall(b"0123456789")
            worker.result()
            self.assertEqual(buffer[:10], b"0123456789")
            buffer.extend(b"x")

    def test_a_buffer_that_changes_its_mind(self):
        # An iterable whose items misbehave while they are collected.
        sock, peer = self.tcp_pair()

        def items():
            yield b"one"
            raise RuntimeError("from the iterable")
        for call in (lambda: sock.sendmsg(items()), lambda: sock.recvmsg_into(items())):
            with self.assertRaises((RuntimeError, TypeError)):
                call()

        class Index:
            def __index__(self):
                sock.close()
                return 10
        with self.assertRaises(OSError) as caught:
            sock.recv(Index())
        self.assertErrno(caught.exception, errno.EBADF)


if __name__ == "__main__":
    unittest.main()
