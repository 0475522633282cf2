"""Lines of 64 bytes through `makefile`. They all fit into the socket's buffer, so that nobody waits and only this side is measured."""

import socket
from itertools import islice, repeat

from measure import case

LINE = b"x" * 63 + b"\n"
MOST = 1024


def reader(mode):
    """A file to read lines from, and what fills its socket with them."""
    left, right = socket.socketpair()
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST * len(LINE))
    return right.makefile(mode), lambda count: left.sendall(LINE * count)


def iterated(bench, mode):
    file, fill = reader(mode)

    def run(count):
        for _ in islice(file, count):
            pass

    return bench.per_operation(run, fill, most=MOST)


@case()
def read_binary(bench):
    return iterated(bench, "rb")


@case()
def read_text(bench):
    return iterated(bench, "r")


def by_readline(bench, mode):
    file, fill = reader(mode)
    readline = file.readline

    def run(count):
        for _ in repeat(None, count):
            readline()

    return bench.per_operation(run, fill, most=MOST)


@case()
def readline_binary(bench):
    return by_readline(bench, "rb")


@case()
def readline_text(bench):
    return by_readline(bench, "r")


def written(bench, mode, line):
    left, right = socket.socketpair()
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST * len(LINE))
    # What has been written and not been read yet.
    waiting = 0
    file = left.makefile(mode)
    write, flush = file.write, file.flush

    def prepare(count):
        nonlocal waiting
        waiting = count * len(LINE)

    def run(count):
        for _ in repeat(None, count):
            write(line)
        flush()

    def drain():
        nonlocal waiting
        while waiting:
            waiting -= len(right.recv(waiting))

    return bench.per_operation(run, prepare, drain, most=MOST)


@case()
def write_binary(bench):
    return written(bench, "wb", LINE)


@case()
def write_text(bench):
    return written(bench, "w", LINE.decode())
