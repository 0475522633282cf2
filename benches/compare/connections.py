"""Sockets and connections made and ended, over TCP on loopback."""

import socket
import struct
from itertools import repeat

from measure import case

HOST = "127.0.0.1"
# At most so many connections wait for `accept`.
BACKLOG = 128
# Closes with a reset, so that no ports stay taken (TIME_WAIT).
RESET = struct.pack("ii", 1, 0)


@case()
def create_close(bench):
    create = socket.socket

    def run(count):
        for _ in repeat(None, count):
            create().close()

    return bench.per_operation(run)


@case()
def socketpair_close(bench):
    pair = socket.socketpair

    def run(count):
        for _ in repeat(None, count):
            left, right = pair()
            left.close()
            right.close()

    return bench.per_operation(run)


def close_all(socks):
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()
    socks.clear()


@case()
def accept(bench):
    listener = socket.create_server((HOST, 0), backlog=BACKLOG)
    address = listener.getsockname()
    clients, accepted = [], []

    def prepare(count):
        clients.extend(socket.create_connection(address) for _ in repeat(None, count))

    def run(count):
        take, keep = listener.accept, accepted.append
        for _ in repeat(None, count):
            sock, _ = take()
            keep(sock)

    def finish():
        close_all(clients)
        close_all(accepted)

    return bench.per_operation(run, prepare, finish, most=BACKLOG)


@case()
def connect(bench):
    listener = socket.create_server((HOST, 0), backlog=BACKLOG)
    address = listener.getsockname()
    clients, accepted = [], []

    def prepare(count):
        clients.extend(socket.socket() for _ in repeat(None, count))

    def run(count):
        for client in clients:
            client.connect(address)

    def finish():
        accepted.extend(listener.accept()[0] for _ in clients)
        close_all(clients)
        close_all(accepted)

    return bench.per_operation(run, prepare, finish, most=BACKLOG)


@case()
def churn(bench):
    """Create, connect, accept, and close both."""
    with socket.create_server((HOST, 0)) as listener:
        address = listener.getsockname()

        def run(count):
            for _ in repeat(None, count):
                client = socket.socket()
                client.connect(address)
                server, _ = listener.accept()
                client.close()
                server.close()

        return bench.per_operation(run)
