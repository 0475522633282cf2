"""The class `socket.socket`: attributes, arguments, ownership of descriptors."""

import _socket
import errno
import gc
import os
import pickle
import socket
import tempfile
import unittest
import weakref
from unittest import mock

from support import DEADLINE, HOST, SocketTestCase, Worker

METHODS = """_accept bind close connect connect_ex detach fileno getpeername getsockname getsockopt listen recv recv_into recvfrom
recvfrom_into recvmsg recvmsg_into send sendall sendto sendmsg setblocking settimeout gettimeout getblocking setsockopt
shutdown family type proto timeout""".split()


class Attributes(SocketTestCase):
    def test_all_there(self):
        for name in METHODS:
            self.assertTrue(hasattr(_socket.socket, name), name)
        self.assertIs(socket.SocketType, _socket.socket)
        self.assertTrue(issubclass(socket.socket, _socket.socket))
        self.assertEqual(_socket.socket.__module__, "_socket")

    def test_values(self):
        sock = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP))
        self.assertIs(sock.family, socket.AF_INET)
        self.assertIs(sock.type, socket.SOCK_DGRAM)
        self.assertEqual(sock.proto, socket.IPPROTO_UDP)
        self.assertIsNone(sock.timeout)
        self.assertIs(type(sock.family), socket.AddressFamily)
        self.assertIs(type(sock.type), socket.SocketKind)
        raw = _socket.socket()
        self.assertEqual((raw.family, raw.type, raw.proto), (socket.AF_INET, socket.SOCK_STREAM, 0))
        raw.close()

    def test_type_has_no_flags_in_it(self):
        for flags in socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC:
            sock = self.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM | flags))
            self.assertEqual(sock.type, socket.SOCK_STREAM)
            nonblocking = bool(flags & socket.SOCK_NONBLOCK)
            self.assertEqual(sock.gettimeout(), 0.0 if nonblocking else None)
            self.assertEqual(os.get_blocking(sock.fileno()), not nonblocking)

    def test_keywords(self):
        sock = self.keep(socket.socket(family=socket.AF_UNIX, type=socket.SOCK_DGRAM, proto=0, fileno=None))
        self.assertEqual((sock.family, sock.type), (socket.AF_UNIX, socket.SOCK_DGRAM))
        left, right = self.pair()
        right.sendall(b"0123456789")
        buffer = bytearray(10)
        self.assertEqual(left.recv_into(buffer=buffer, nbytes=2, flags=socket.MSG_PEEK), 2)
        self.assertEqual(left.recv_into(buffer, nbytes=3), 3)
        self.assertEqual(left.recvfrom_into(buffer=buffer, nbytes=2, flags=0)[0], 2)
        self.assertEqual(left.recv_into(buffer, flags=0), 5)
        # These take none, on CPython either.
        for call in (lambda: left.recv(bufsize=1), lambda: left.send(data=b""), lambda: left.bind(address=""),
                     lambda: left.settimeout(value=1), lambda: left.listen(backlog=1), lambda: left.shutdown(how=2)):
            with self.assertRaises(TypeError):
                call()

    def test_integers_in_other_dress(self):
        class Number:
            def __init__(self, value):
                self.value = value

            def __index__(self):
                return self.value
        left, right = self.pair()
        right.send(b"abc", Number(0))
        self.assertEqual(left.recv(Number(2)), b"ab")
        self.assertEqual(left.recv(True), b"c")
        left.settimeout(Number(2))
        self.assertEqual(left.gettimeout(), 2.0)
        listener = self.keep(socket.socket())
        listener.bind((HOST, Number(0)))
        listener.listen(Number(1))

    def test_repr(self):
        sock = socket.socket()
        self.assertEqual(repr(sock), f"<socket.socket fd={sock.fileno()}, family={int(socket.AF_INET)}, "
                                     f"type={int(socket.SOCK_STREAM)}, proto=0, laddr=('0.0.0.0', 0)>")
        sock.bind((HOST, 0))
        self.assertIn(f"laddr={sock.getsockname()!r}", repr(sock))
        self.assertNotIn("raddr", repr(sock))
        sock.close()
        self.assertIn("[closed]", repr(sock))
        client, server = self.tcp_pair()
        self.assertIn(f"raddr={server.getsockname()!r}", repr(client))
        raw = _socket.socket()
        self.assertEqual(repr(raw), f"<socket object, fd={raw.fileno()}, family=2, type=1, proto=0>")
        raw.close()
        self.assertEqual(repr(raw), "<socket object, fd=-1, family=2, type=1, proto=0>")

    def test_subclass(self):
        class Counting(socket.socket):
            closed_count = 0

            def __init__(self, *arguments, extra=None, **keywords):
                super().__init__(*arguments, **keywords)
                self.extra = extra

            def close(self):
                type(self).closed_count += 1
                super().close()
        sock = Counting(socket.AF_INET, socket.SOCK_STREAM, extra="kept")
        self.assertEqual(sock.extra, "kept")
        with sock:
            sock.bind((HOST, 0))
            sock.listen()
            client = self.keep(socket.create_connection(sock.getsockname()))
            accepted, _ = sock.accept()
            with accepted:
                self.assertIs(type(accepted), socket.socket)
            with sock.dup() as twin:
                self.assertIs(type(twin), Counting)
        self.assertEqual(Counting.closed_count, 2)
        client.close()

    def test_no_other_attributes(self):
        with self.assertRaises(AttributeError):
            self.keep(socket.socket()).unheard_of = 1

    def test_weak_references(self):
        sock = socket.socket()
        dead = []
        reference = weakref.ref(sock, dead.append)
        proxy = weakref.proxy(sock)
        self.assertEqual(proxy.fileno(), sock.fileno())
        sock.close()
        self.assertIs(reference(), sock)
        del sock
        gc.collect()
        self.assertIsNone(reference())
        self.assertEqual(dead, [reference])

    def test_not_copied(self):
        sock = self.keep(socket.socket())
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with self.assertRaises(TypeError):
                pickle.dumps(sock, protocol)
        import copy
        with self.assertRaises(TypeError):
            copy.copy(sock)

    def test_context_manager(self):
        with socket.socket() as sock:
            self.assertGreaterEqual(sock.fileno(), 0)
        self.assertEqual(sock.fileno(), -1)
        with self.assertRaises(ZeroDivisionError), socket.socket() as sock:
            1 / 0
        self.assertEqual(sock.fileno(), -1)

    def test_init_again(self):
        sock = _socket.socket()
        sock.__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.assertEqual((sock.family, sock.type), (socket.AF_UNIX, socket.SOCK_DGRAM))
        sock.close()


    def test_init_again_after_a_look(self):
        listener = self.keep(socket.create_server((HOST, 0)))
        self.assertIs(listener.family, socket.AF_INET)
        self.keep(socket.create_connection(listener.getsockname()))
        connection, _ = listener.accept()
        self.keep(connection)
        listener.__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.assertEqual([listener.family, listener.type], [socket.AF_UNIX, socket.SOCK_DGRAM])
        self.assertEqual([connection.family, connection.type], [socket.AF_INET, socket.SOCK_STREAM])
        self.assertIs(type(connection.type), socket.SocketKind)
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            listener.__init__(family)
            self.assertIs(listener.family, family)


class Descriptors(SocketTestCase):
    def test_adopt_with_detected_parameters(self):
        kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM),
                 (socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_SEQPACKET)]
        for family, kind in kinds:
            number = socket.socket(family, kind).detach()
            sock = self.keep(socket.socket(fileno=number))
            self.assertEqual((sock.family, sock.type, sock.fileno()), (family, kind, number))
            expected = {socket.SOCK_STREAM: 6, socket.SOCK_DGRAM: 17}[kind] if family == socket.AF_INET else 0
            self.assertEqual(sock.proto, expected)

    def test_adopt_with_given_parameters(self):
        number = socket.socket().detach()
        sock = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM, 5, number))
        self.assertEqual((sock.family, sock.type, sock.proto), (socket.AF_UNIX, socket.SOCK_DGRAM, 5))

    def test_adopt_a_non_blocking_one(self):
        first = socket.socket()
        first.setblocking(False)
        sock = self.keep(socket.socket(fileno=first.detach()))
        self.assertIsNone(sock.gettimeout())  # CPython does not look at the flag

    def test_adopting_closes_nothing_on_failure(self):
        reader, writer = os.pipe()
        with self.assertRaises(OSError):
            socket.socket(fileno=reader)
        os.fstat(reader)
        os.close(reader)
        os.close(writer)

    def test_detach(self):
        sock = socket.socket()
        number = sock.fileno()
        self.assertEqual(sock.detach(), number)
        self.assertEqual(sock.fileno(), -1)
        self.assertEqual(sock.detach(), -1)
        os.close(number)

    def test_dup_and_fromfd(self):
        left, right = self.pair()
        left.settimeout(5)
        twin = self.keep(left.dup())
        third = self.keep(socket.fromfd(left.fileno(), left.family, left.type))
        self.assertEqual(len({left.fileno(), twin.fileno(), third.fileno()}), 3)
        self.assertEqual(twin.gettimeout(), 5)
        left.close()
        for each in twin, third:
            each.settimeout(DEADLINE)
            right.sendall(b"x")
            self.assertEqual(each.recv(1), b"x")
        number = socket.dup(right.fileno())
        self.assertFalse(os.get_inheritable(number))
        socket.close(number)

    def test_closed_behind_its_back(self):
        sock = socket.socket()
        os.close(sock.fileno())
        with self.assertRaises(OSError) as caught:
            sock.close()
        self.assertErrno(caught.exception, errno.EBADF)
        sock.close()

    def test_socketpair(self):
        left, right = self.pair()
        self.assertEqual((left.family, left.type, left.proto), (socket.AF_UNIX, socket.SOCK_STREAM, 0))
        self.assertIs(type(left), socket.socket)
        left, right = self.pair(kind=socket.SOCK_SEQPACKET)
        left.send(b"one")
        left.send(b"two")
        self.assertEqual([right.recv(100), right.recv(100)], [b"one", b"two"])

    def test_socketpair_with_flags_in_the_type(self):
        for flags, timeout in ((0, None), (socket.SOCK_NONBLOCK, 0.0), (socket.SOCK_CLOEXEC, None)):
            for sock in map(self.keep, socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | flags)):
                self.assertIs(sock.type, socket.SOCK_DGRAM)
                self.assertEqual(sock.proto, 0)
                self.assertEqual(sock.gettimeout(), timeout)
                self.assertEqual(os.get_blocking(sock.fileno()), timeout is None)
                self.assertFalse(os.get_inheritable(sock.fileno()))
                self.assertIs(sock.getblocking(), timeout is None)

    def test_socketpair_of_what_stands_for_the_class(self):
        made = []

        class Own(socket.socket):
            def __init__(self, *args):
                made.append(args)
                super().__init__(*args)

        class Plain(socket.socket):
            pass

        def call(*args):
            made.append(args)
            return Plain(*args)

        for name, kind in ((Own, Own), (Plain, Plain), (call, Plain)):
            with self.subTest(name), mock.patch.object(socket, "socket", name):
                made.clear()
                left, right = map(self.keep, socket.socketpair())
                self.assertEqual([type(left), type(right)], [kind, kind])
                left.send(b"x")
                self.assertEqual(right.recv(1), b"x")
                if name is not Plain:
                    self.assertEqual(made, [(socket.AF_UNIX, socket.SOCK_STREAM, 0, sock.fileno()) for sock in (left, right)])

    def test_socketpair_with_an_init_of_the_programs(self):
        made = []
        init = socket.socket.__init__

        def own(self, *args, **kwargs):
            made.append(self)
            init(self, *args, **kwargs)

        with mock.patch.object(socket.socket, "__init__", own):
            pair = [self.keep(sock) for sock in socket.socketpair()]
        self.assertEqual(made, pair)
        # As before, when it is gone.
        made.clear()
        pair = [self.keep(sock) for sock in socket.socketpair()]
        self.assertEqual(made, [])
        pair[0].send(b"x")
        self.assertEqual(pair[1].recv(1), b"x")

    def test_send_fds(self):
        left, right = self.pair()
        files = [tempfile.TemporaryFile() for _ in range(3)]
        for number, file in enumerate(files):
            file.write(b"file %d" % number)
            file.flush()
        self.assertEqual(socket.send_fds(left, [b"mess", b"age"], [file.fileno() for file in files]), 7)
        data, descriptors, flags, address = socket.recv_fds(right, 100, 5)
        self.assertEqual((data, len(descriptors), address), (b"message", 3, None))
        self.assertFalse(flags & socket.MSG_CTRUNC)
        for number, descriptor in enumerate(descriptors):
            with open(descriptor, "rb") as file:
                file.seek(0)
                self.assertEqual(file.read(), b"file %d" % number)
        for file in files:
            file.close()

    def test_a_socket_over_a_socket(self):
        left, right = self.pair()
        inner, inner_peer = self.tcp_pair()
        socket.send_fds(left, [b"x"], [inner.fileno()])
        inner.close()
        _data, descriptors, _flags, _address = socket.recv_fds(right, 10, 1)
        arrived = self.keep(socket.socket(fileno=descriptors[0]))
        self.assertEqual((arrived.family, arrived.type), (socket.AF_INET, socket.SOCK_STREAM))
        reader = Worker(arrived.recv, 10).wait_blocked()
        inner_peer.sendall(b"hello")
        self.assertEqual(reader.result(), b"hello")


if __name__ == "__main__":
    unittest.main()
