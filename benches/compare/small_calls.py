"""Calls that move no data."""

import socket
from itertools import repeat

from measure import case


def repeated(bench, call, *arguments):
    def run(count):
        for _ in repeat(None, count):
            call(*arguments)

    return bench.per_operation(run)


@case()
def settimeout(bench):
    return repeated(bench, socket.socket().settimeout, 1.5)


@case()
def getsockname(bench):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return repeated(bench, sock.getsockname)


@case()
def family(bench):
    sock = socket.socket()

    def run(count):
        for _ in repeat(None, count):
            sock.family

    return bench.per_operation(run)


@case()
def fileno(bench):
    return repeated(bench, socket.socket().fileno)


@case()
def getaddrinfo_numeric(bench):
    return repeated(bench, socket.getaddrinfo, "127.0.0.1", 80)


@case()
def blocking_io_error(bench):
    """`recv` of a non-blocking socket that has nothing, and the exception caught."""
    left, right = socket.socketpair()
    left.setblocking(False)
    recv = left.recv

    def run(count):
        for _ in repeat(None, count):
            try:
                recv(64)
            except BlockingIOError:
                pass

    figure = bench.per_operation(run)
    right.close()
    return figure
