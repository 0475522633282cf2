"""Data that is there already: what a call costs beside its system call. Each operation is a send and a receive of 64 bytes."""

import socket
from itertools import repeat

from measure import case

MESSAGE = b"x" * 64
TIMEOUT = 10.0


def send_and(bench, receive_call, argument, timeout):
    """`send`, then one receive call by its name, on a pair of Unix sockets."""
    left, right = socket.socketpair()
    left.settimeout(timeout)
    right.settimeout(timeout)
    send, receive = left.send, getattr(right, receive_call)

    def run(count):
        for _ in repeat(None, count):
            send(MESSAGE)
            receive(argument)

    return bench.per_operation(run)


@case()
def send_recv(bench):
    return send_and(bench, "recv", 64, None)


@case()
def send_recv_with_timeout(bench):
    return send_and(bench, "recv", 64, TIMEOUT)


@case()
def send_recv_of_64k(bench):
    """The receiver would take 64 KiB, and gets 64 bytes."""
    return send_and(bench, "recv", 65536, None)


@case()
def send_recv_into(bench):
    return send_and(bench, "recv_into", bytearray(64), None)


@case()
def send_recv_into_with_timeout(bench):
    return send_and(bench, "recv_into", bytearray(64), TIMEOUT)


def datagrams(bench, timeout):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(timeout)
    address = sock.getsockname()
    sendto, recvfrom = sock.sendto, sock.recvfrom

    def run(count):
        for _ in repeat(None, count):
            sendto(MESSAGE, address)
            recvfrom(64)

    return bench.per_operation(run)


@case()
def sendto_recvfrom(bench):
    return datagrams(bench, None)


@case()
def sendto_recvfrom_with_timeout(bench):
    return datagrams(bench, TIMEOUT)
