"""What the VM's stock `_socket` is known to do wrong, each as CPython has it. Every test here fails on the stock interpreter.

More of the kind: missing audit events in `test_audit_events`, whose tests fail there, too.
"""

import errno
import os
import socket
import unittest

import _socket
from support import HOST, SocketTestCase, run_python


class OSErrors(SocketTestCase):
    def test_two_arguments(self):
        with socket.create_server((HOST, 0)) as listener:
            refused = listener.getsockname()
        for number, call in (
            (errno.ENOTCONN, lambda sock: sock.getpeername()),
            (errno.ENOTCONN, lambda sock: sock.shutdown(socket.SHUT_RDWR)),
            (errno.ENOTCONN, lambda sock: sock.recv(1)),
            (errno.ENOTCONN, lambda sock: sock.recv_into(bytearray(1))),
            (errno.EPIPE, lambda sock: sock.send(b"x")),
            (errno.EINVAL, lambda sock: sock.accept()),
            (errno.EADDRNOTAVAIL, lambda sock: sock.bind(("192.0.2.1", 0))),
            (errno.ECONNREFUSED, lambda sock: sock.connect(refused)),
            (errno.EOPNOTSUPP, lambda sock: sock.getsockopt(9999, 1)),
            (errno.ENOPROTOOPT, lambda sock: sock.setsockopt(9999, 1, 1)),
            (errno.EAFNOSUPPORT, lambda _: socket.socket(9999)),
            (errno.EAFNOSUPPORT, lambda _: socket.socketpair(9999)),
            (errno.EBADF, lambda _: socket.socket(fileno=9999)),
            (errno.EBADF, lambda _: socket.close(-1)),
            (errno.ENXIO, lambda _: socket.if_indextoname(0)),
            (errno.ENODEV, lambda _: socket.if_nametoindex("no-such-card")),
            (errno.EAFNOSUPPORT, lambda _: socket.inet_pton(socket.AF_UNIX, "x")),
        ):
            with self.subTest(errno.errorcode[number]):
                with self.assertRaises(OSError) as caught:
                    call(self.keep(socket.socket()))
                self.assertEqual(caught.exception.args, (number, os.strerror(number)))
                self.assertIsNone(caught.exception.filename)

    def test_two_arguments_of_a_look_up(self):
        with self.assertRaises(socket.gaierror) as caught:
            socket.getaddrinfo(HOST, 80, socket.AF_INET6)
        self.assertEqual(len(caught.exception.args), 2)


class LookUps(SocketTestCase):
    def test_of_nothing(self):
        with self.assertRaises(socket.gaierror) as caught:
            socket.getaddrinfo(None, None)
        self.assertEqual(caught.exception.errno, socket.EAI_NONAME)

    def test_of_a_name_with_a_null_character(self):
        sock = self.keep(socket.socket())
        for call in sock.bind, sock.connect:
            with self.assertRaises(TypeError):
                call(("127.0.0.1\0", 0))

    def test_of_the_names_of_an_address(self):
        # The C library's answer, which does not say "localhost".
        self.assertEqual(socket.gethostbyname_ex(HOST), (HOST, [], [HOST]))

    def test_of_a_label_of_more_than_63_characters(self):
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            sock = self.keep(socket.socket(type=kind))
            for call in sock.bind, sock.connect, sock.connect_ex, lambda address: sock.sendto(b"", address):
                with self.assertRaises(socket.gaierror) as caught:
                    call(("a" * 64, 80))
                self.assertEqual(caught.exception.errno, socket.EAI_NONAME)

    def test_without_a_canonical_name(self):
        self.assertEqual({entry[3] for entry in socket.getaddrinfo(HOST, 80)}, {""})

    def test_of_a_port_of_a_wrong_type(self):
        for port in 1.5, []:
            with self.assertRaises(OSError):
                socket.getaddrinfo(HOST, port)


class ReceiveInto(SocketTestCase):
    def test_more_than_the_buffer_holds(self):
        sock, peer = self.tcp_pair()
        peer.sendall(b"0123456789")
        with self.assertRaises(ValueError):
            sock.recv_into(bytearray(4), 5)
        self.assertEqual(sock.recv(10, socket.MSG_WAITALL), b"0123456789")

    def test_the_whole_length_of_a_truncated_datagram(self):
        # In another process: the stock interpreter panics.
        done = run_python("-c", "import socket\n"
                          "left, right = socket.socketpair(type=socket.SOCK_DGRAM)\n"
                          "left.send(b'abcdef')\n"
                          "buffer = bytearray(3)\n"
                          "print(right.recv_into(buffer, 0, socket.MSG_TRUNC), bytes(buffer))\n")
        self.assertEqual((done.returncode, done.stdout), (0, "6 b'abc'\n"), done.stderr)


class Exceptions(SocketTestCase):
    def test_classes(self):
        sock = self.keep(socket.socket())
        for expected, call in (
            (OSError, lambda: socket.dup(-1)),
            (ValueError, lambda: socket.inet_aton("1.2.3.4\0")),
            (OverflowError, lambda: sock.settimeout(float("inf"))),
        ):
            with self.assertRaises(Exception) as caught:
                call()
            self.assertIs(type(caught.exception), expected)

    def test_texts(self):
        sock = self.keep(socket.socket())
        for expected, call in (
            ("bind(): port must be 0-65535.", lambda: sock.bind((HOST, 65536))),
            ("signed integer is greater than maximum", lambda: sock.listen(1 << 40)),
            ("a bytes-like object is required, not 'NoneType'", lambda: sock.setsockopt(1, 2, None)),
            ("getnameinfo() argument 1 must be a tuple", lambda: socket.getnameinfo(1, 0)),
        ):
            with self.subTest(expected):
                with self.assertRaises((TypeError, ValueError, OverflowError)) as caught:
                    call()
                self.assertEqual(str(caught.exception), expected)


class Attributes(SocketTestCase):
    def test_missing_ones(self):
        sock = self.keep(socket.socket())
        self.assertIsNone(sock.timeout)
        self.assertTrue(callable(sock.recvmsg_into))
        self.assertTrue(hasattr(_socket.socket, "timeout"))


if __name__ == "__main__":
    unittest.main()
