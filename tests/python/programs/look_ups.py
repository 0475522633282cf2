"""Prints what many look-ups come to, one a line: for comparison between interpreters on one machine.

Without what differs on purpose (docs/architecture.md): NULs in hosts and services, and ports of subclasses of int; nor what
versions of CPython differ in: ports beyond 64 bits.
"""

import itertools
import socket

HOSTS = (
    None, "", b"", "localhost", "LOCALHOST", "localhost.", "127.0.0.1", b"127.0.0.1", "127.1", "0x7f.1", "::1", "::ffff:1.2.3.4",
    "fe80::1%lo", "fe80::1%1", "fe80::1%nosuch", "256.1.1.1", "1.2.3.4.5", "n1.test", b"n1.test", "N1.Test", "n1.test.", "gone.test",
    "t9.test", "bücher.test", "b\u00fc".encode() + b".test", "日本.test", "\u00df.test", "xn--bcher-kva.test", "a..test", ".test", "test..",
    "a" * 63 + ".test", "a" * 64 + ".test", "ü" * 60 + ".test", "a." * 126 + "a", "a." * 130 + "a", "a b.test", "a\tb.test",
    "a_b.test", "-a.test", "a-.test", "*", "*.test", "\u2024test", "n1\uff0etest", "n1。test", "\ud800.test",
    "<broadcast>", "alias7", 1, 1.5, ("n1.test",), bytearray(b"n1.test"),
)
SERVICES = (
    None, 0, 80, "80", "http", b"http", "domain", "nosuch", "", "-1", -1, 65535, 65536, "65536", 1 << 40, "h\u00fc", 1.5, " 80",
    "0x50",
)
NUMBERS = (
    (0, 0, 0, 0), (socket.AF_INET, socket.SOCK_STREAM, 0, 0), (socket.AF_INET6, socket.SOCK_DGRAM, 0, 0),
    (0, socket.SOCK_STREAM, socket.IPPROTO_UDP, 0), (99, 0, 0, 0), (0, 99, 0, 0), (0, 0, 0, socket.AI_CANONNAME),
    (0, 0, 0, socket.AI_PASSIVE), (0, 0, 0, socket.AI_NUMERICHOST), (0, 0, 0, socket.AI_NUMERICSERV),
    (socket.AF_INET6, 0, 0, socket.AI_V4MAPPED | socket.AI_ALL), (0, 0, 0, socket.AI_ADDRCONFIG), (0, 0, 0, 1 << 20),
)
ADDRESSES = (
    ("127.0.0.1", 80), ("::1", 80), ("::1", 80, 0, 0), ("192.0.2.7", 22), ("192.0.2.8", 1), ("10.0.0.1", 80), ("n1.test", 80),
    ("", 80), (None, 80), ("127.0.0.1", "80"), ("127.0.0.1", 70000), ("127.0.0.1", -1), ("127.0.0.1",), ("fe80::1", 1, 0, 1),
    ("::1", 1, 1 << 20, 0), ("127.0.0.1", 80, 0), "127.0.0.1", ["127.0.0.1", 80],
)
NAME_FLAGS = (
    0, socket.NI_NUMERICHOST, socket.NI_NUMERICSERV, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV, socket.NI_NAMEREQD,
    socket.NI_DGRAM, socket.NI_NOFQDN, 1 << 20,
)


def outcome(function, *arguments):
    try:
        return repr(function(*arguments))
    except Exception as error:
        kind = type(error)
        # Texts of errors about arguments differ between versions; what a look-up came to does not.
        if isinstance(error, OSError):
            return f"{kind.__module__}.{kind.__name__}{error.args}"
        return "UnicodeError" if isinstance(error, UnicodeError) else kind.__name__


def all_of(function, *choices):
    for arguments in itertools.product(*choices):
        # Numbers one by one, without the enumerations' names for them.
        print(function.__name__, repr(arguments)[:200], outcome(function, *arguments))


def getaddrinfo(host, service, numbers):
    return [
        (int(family), int(kind), protocol, name, address)
        for family, kind, protocol, name, address in socket.getaddrinfo(host, service, *numbers)
    ]


if __name__ == "__main__":
    all_of(getaddrinfo, HOSTS, (None, 80, "http"), NUMBERS)
    all_of(getaddrinfo, (None, "127.0.0.1", "n1.test", "gone.test"), SERVICES, NUMBERS)
    all_of(socket.getnameinfo, ADDRESSES, NAME_FLAGS)
    for function in socket.gethostbyname, socket.gethostbyname_ex, socket.gethostbyaddr, socket.getfqdn:
        all_of(function, HOSTS + ("192.0.2.7", "192.0.2.8", "::1", "10.0.0.1"))
