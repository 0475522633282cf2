"""ResourceWarnings: which sockets raise one, its text and source, and that the descriptor is closed all the same."""

import gc
import os
import re
import socket
import sys
import unittest
import warnings

import _socket
from support import HOST, run_python


class Subclass(socket.socket):
    pass


class OwnRepr(socket.socket):
    def __repr__(self):
        return "a socket of my own"


def accept():
    with socket.create_server((HOST, 0)) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        del connection


def file_left_open(mode):
    sock = socket.socket()
    file = sock.makefile(mode)
    sock.close()
    del file


def only_its_file_closed():
    socket.socket().makefile("rb").close()


def initialised_again():
    sock = socket.socket()
    sock.__init__()
    sock.close()


def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass


class Warnings(unittest.TestCase):
    def warned(self, call):
        """(text without numbers, class of the source) of each warning."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
            gc.collect()
        self.assertEqual({each.category for each in caught} - {ResourceWarning}, set())
        return [(re.sub(r"fd=\d+", "fd=N", str(each.message)), type(each.source)) for each in caught]

    def test_left_to_the_collector(self):
        plain = "unclosed <socket.socket fd=N, family=2, type=1, proto=0, laddr=('0.0.0.0', 0)>"
        pair = "unclosed <socket.socket fd=N, family=1, type=1, proto=0>"
        native = "unclosed <socket object, fd=N, family={}, type=1, proto=0>"
        for call, expected in (
            (lambda: socket.socket() and None, [(plain, socket.socket)]),
            (lambda: Subclass() and None, [(plain.replace("socket.socket", f"{__name__}.Subclass"), Subclass)]),
            (lambda: OwnRepr() and None, [("unclosed a socket of my own", OwnRepr)]),
            (lambda: _socket.socket() and None, [(native.format(2), _socket.socket)]),
            (lambda: socket.socketpair() and None, [(pair, socket.socket)] * 2),
            (lambda: _socket.socketpair() and None, [(native.format(1), _socket.socket)] * 2),
            (only_its_file_closed, [(plain, socket.socket)]),
        ):
            self.assertEqual(self.warned(call), expected)
        [(text, source)] = self.warned(accept)
        self.assertRegex(text, r"^unclosed <socket.socket fd=N, family=2, type=1, proto=0, laddr=\(.*\), raddr=\(.*\)>$")
        self.assertIs(source, socket.socket)

    def test_closed_in_time(self):
        for call in (
            lambda: socket.socket().close(),
            lambda: os.close(socket.socket().detach()),
            lambda: socket.socket().__exit__(),
            lambda: file_left_open("rb"),
            lambda: file_left_open("w"),
            lambda: refused(socket.socket, 9999),
            lambda: refused(socket.create_connection, (HOST, 0)),
            lambda: refused(socket.create_server, ("192.0.2.1", 0)),
        ):
            self.assertEqual(self.warned(call), [])

    def test_a_replaced_descriptor(self):
        # CPython forgets the first one.
        self.assertEqual(self.warned(initialised_again), [])

    def test_the_descriptor_is_closed(self):
        numbers = []
        self.warned(lambda: numbers.append(socket.socket().fileno()))
        with self.assertRaises(OSError):
            os.fstat(numbers[0])

    def test_a_warning_made_an_error(self):
        heard = []
        before, sys.unraisablehook = sys.unraisablehook, lambda report: heard.append(
            (report.exc_type, report.err_msg, report.object))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                sock = socket.socket()
                text, number = repr(sock), sock.fileno()
                del sock
                gc.collect()
        finally:
            sys.unraisablehook = before
        [(category, message, source)] = heard
        self.assertIs(category, ResourceWarning)
        self.assertIn(f"finalizing socket {text}", message)
        self.assertIsNone(source)
        with self.assertRaises(OSError):
            os.fstat(number)

    def test_at_the_end_of_the_interpreter(self):
        for code in "sock = socket.socket()", "pair = socket.socketpair()", "s = socket._socket.socket()":
            done = run_python("-W", "always", "-c", f"import socket; {code}")
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            self.assertIn("ResourceWarning: unclosed <socket", done.stderr, code)
        done = run_python("-W", "error", "-c", "import socket, gc; s = socket.socket(); del s; gc.collect(); print('alive')")
        self.assertEqual(done.stdout.strip(), "alive")
        self.assertIn("ResourceWarning", done.stderr)


if __name__ == "__main__":
    unittest.main()
