"""Much data through one connection: a piece is sent by `sendall` in one thread and received by `recv_into` in another."""

import socket
import threading
from itertools import repeat

from measure import ALL, case
from ping_pong import tcp_pair

KIB = 1024


def pieces(bench, pair, size):
    """The time of a piece; the receiver's word that all has come ends a batch."""
    sender, receiver = pair
    data = bytes(size)

    def receive():
        buffer = bytearray(size)
        while True:
            head = receiver.recv(8, socket.MSG_WAITALL)
            if not head:
                return
            rest = int.from_bytes(head, "big")
            while rest:
                rest -= receiver.recv_into(buffer, min(rest, size))
            receiver.sendall(b"!")

    thread = threading.Thread(target=receive)
    thread.start()

    def run(count):
        sender.sendall((count * size).to_bytes(8, "big"))
        for _ in repeat(None, count):
            sender.sendall(data)
        sender.recv(1)

    figure = bench.per_operation(run)
    sender.close()
    thread.join()
    receiver.close()
    return figure


@case(ALL)
def tcp_4k(bench):
    return pieces(bench, tcp_pair(), 4 * KIB)


@case(ALL)
def tcp_16k(bench):
    return pieces(bench, tcp_pair(), 16 * KIB)


@case(ALL)
def tcp_64k(bench):
    return pieces(bench, tcp_pair(), 64 * KIB)


@case(ALL)
def tcp_256k(bench):
    return pieces(bench, tcp_pair(), 256 * KIB)


@case(ALL)
def tcp_1m(bench):
    return pieces(bench, tcp_pair(), 1024 * KIB)


@case(ALL)
def unix_1m(bench):
    return pieces(bench, socket.socketpair(), 1024 * KIB)
