"""What calls return and raise, to the text of the message, held against the tables in `behaviour_table` and `file_table`.

The tables are what CPython 3.14 does on Linux; where one of that version is found, it runs this module, too.
"""

import array
import errno
import io
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings

import _socket
import behaviour_table
import file_table
from support import DEADLINE, HOST, IS_RUSTPYTHON, SocketTestCase, need_cpython, need_program, run_python


class Index:
    """An integer in other dress."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


class IntSubclass(int):
    pass


class Reader:
    """An object that can be read, and nothing else."""

    def __init__(self, data):
        self.read = io.BytesIO(data).read


def shape(file):
    """The classes of a file object and of what it stands on."""
    classes = []
    while file is not None:
        classes.append(type(file).__name__)
        file = getattr(file, "buffer", None) or getattr(file, "raw", None)
    return "/".join(classes)


def drain(sock):
    """Read until nothing is there; the number of bytes."""
    sock.settimeout(0)
    total = 0
    try:
        while data := sock.recv(1 << 20):
            total += len(data)
    except BlockingIOError:
        pass
    return total


def ready(sock, write=False, exceptional=False):
    """Wait until the socket is readable, or the other."""
    watched = [[], [], []]
    watched[2 if exceptional else 1 if write else 0].append(sock)
    found = select.select(*watched, DEADLINE)
    assert any(found), f"{sock} is not ready after {DEADLINE} s"


def blocks(table):
    """(title, steps) of each block of a table; a step is (expression, outcome)."""
    for text in table.strip().split("\n\n"):
        title, *lines = text.splitlines()
        yield title.strip("[]"), [line.rsplit("  ->  ", 1) for line in lines]


def outcome(run):
    """The value, or the exception as `! ERRNO`, `! Class` and its arguments."""
    try:
        return repr(run())
    except OSError as error:
        if type(error.errno) is int and error.args == (error.errno, os.strerror(error.errno)):
            return f"! {errno.errorcode[error.errno]}"
        return f"! {type(error).__name__}{error.args!r}"
    except Exception as error:
        return f"! {type(error).__name__}{error.args!r}"


class Table(SocketTestCase):
    def seqpacket(self):
        return self.pair(kind=socket.SOCK_SEQPACKET)

    def udp_pair(self):
        left, right = self.udp(), self.udp()
        left.connect(right.getsockname())
        right.connect(left.getsockname())
        return left, right

    def refused(self):
        with socket.create_server((HOST, 0)) as listener:
            return listener.getsockname()

    def sockets(self, kind):
        """The two sockets of a block; the second may be the same for lack of another."""
        makers = {
            "tcp": self.tcp_pair,
            "unix": self.pair,
            "udp": self.udp_pair,
            "unix datagram": lambda: self.pair(kind=socket.SOCK_DGRAM),
            "seqpacket": self.seqpacket,
            "new": lambda: (self.keep(socket.socket()),) * 2,
            "new udp": lambda: (self.keep(socket.socket(type=socket.SOCK_DGRAM)),) * 2,
            "listener": lambda: (self.keep(socket.socket()), self.listener()),
            "none": lambda: (None, None),
        }
        return makers[kind]()

    def file(self, data=bytes(range(100)), mode="w+b"):
        file = tempfile.TemporaryFile(mode)
        self.addCleanup(file.close)
        file.write(data)
        file.flush()
        file.seek(0)
        return file

    def open(self, *arguments):
        file = open(*arguments)
        self.addCleanup(file.close)
        return file

    def namespace(self, title):
        kind, _, timeout = title.partition(", ")[0].partition(" timeout ")
        a, b = self.sockets(kind)
        seconds = float(timeout) if timeout else DEADLINE
        for sock in filter(None, (a, b)):
            sock.settimeout(seconds)
        return {**vars(socket), "_socket": _socket, "a": a, "b": b, "HOST": HOST, "B": bytearray, "M": memoryview, "Index": Index,
                "IntSubclass": IntSubclass, "array": array.array, "pack": struct.pack, "ready": ready, "os": os, "io": io,
                "file": self.file, "open": self.open, "refused": self.refused(), "sys": sys, "Reader": Reader, "shape": shape,
                "drain": drain, "fill": lambda sock: bool(self.fill(sock))}

    def assertOutcome(self, got, expected):
        # A class alone: its text is the interpreter's, as for a wrong number of arguments.
        if expected.startswith("! ") and "(" not in expected:
            got = got.partition("(")[0]
        self.assertEqual(got, expected)

    def check(self, table):
        # Most sockets of the table are left to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        for title, steps in blocks(table):
            names = self.namespace(title)
            for expression, expected in steps:
                with self.subTest(block=title, call=expression):
                    try:
                        code = compile(expression, "<table>", "eval")
                    except SyntaxError:
                        code = compile(expression, "<table>", "exec")
                    self.assertOutcome(outcome(lambda: eval(code, names)), expected)
            self.doCleanups()

    def test_sockets(self):
        self.addCleanup(socket.setdefaulttimeout, None)
        self.check(behaviour_table.TABLE)

    def test_files(self):
        self.check(file_table.TABLE)

    @unittest.skipUnless(IS_RUSTPYTHON, "this is CPython")
    def test_on_cpython(self):
        cpython = need_cpython((3, 14))
        done = run_python("-m", "unittest", "test_behaviour", executable=cpython)
        self.assertEqual(done.returncode, 0, done.stderr)


HOST_NAMES = r"""
import os, socket, sys

class Path:
    def __init__(self, name): self.name = name
    def __fspath__(self): return self.name

events = []
sys.addaudithook(lambda name, arguments: name == "socket.sethostname" and events.append(*arguments))
for expression in sys.stdin.read().splitlines():
    events.clear()
    try:
        socket.sethostname(eval(expression))
        end = socket.gethostname()
    except Exception as error:
        end = type(error).__name__
    print(ascii((expression, events, end)))
"""


class HostName(unittest.TestCase):
    """In a namespace of its own, so that the machine keeps its name."""

    def test_sethostname(self):
        rows = [
            ("'text'", [b"text"], "text"),
            ("b'bytes'", [b"bytes"], "bytes"),
            ("'h\\xf6st'", [b"h\xc3\xb6st"], "h\xf6st"),
            ("b'\\xff'", [b"\xff"], "\udcff"),
            ("'\\udcfe'", [b"\xfe"], "\udcfe"),
            ("Path('path')", [b"path"], "path"),
            ("Path(b'path2')", [b"path2"], "path2"),
            ("''", [b""], ""),
            ("'x' * 64", [b"x" * 64], "x" * 64),
            ("'x' * 65", [b"x" * 65], "OSError"),
            ("'\\ud800'", [], "UnicodeEncodeError"),
            ("'a\\0b'", [], "ValueError"),
            ("bytearray(b'x')", [], "TypeError"),
            ("Path(1)", [], "TypeError"),
            ("None", [], "TypeError"),
            ("1", [], "TypeError"),
        ]
        arguments = [need_program("unshare"), "--map-root-user", "--uts", sys.executable, "-X", "utf8", "-c", HOST_NAMES]
        done = subprocess.run(arguments, input="\n".join(row[0] for row in rows), capture_output=True, text=True, timeout=60)
        if "unshare" in done.stderr:
            self.skipTest(f"no namespaces here: {done.stderr.strip()}")
        self.assertEqual(done.stdout.splitlines(), [ascii(row) for row in rows], done.stderr)


if __name__ == "__main__":
    unittest.main()
