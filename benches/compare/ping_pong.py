"""A message of 64 bytes there and back, each side asleep until the other has sent.

`tcp`, `unix` and `udp`: both sides are threads of this process. `..._native`: the other side is the peer process; the processor time is this
side's. `tcp_processes`: the other side is another process of the same interpreter; the processor time is that of both.
"""

import os
import socket
import threading
import time
from itertools import repeat

from measure import ALL, BOTH, Peer, case
from peer import HOST, MESSAGE, echo, quick

TIMEOUT = 10.0


def tcp_pair():
    with socket.create_server((HOST, 0)) as listener:
        client = quick(socket.create_connection(listener.getsockname()))
        server, _ = listener.accept()
        return client, quick(server)


def udp_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


def udp_pair():
    client, server = udp_socket(), udp_socket()
    client.connect(server.getsockname())
    server.connect(client.getsockname())
    return client, server


def round_trips(bench, sock, processor_time=time.process_time):
    sendall, recv = sock.sendall, sock.recv

    def run(count):
        for _ in repeat(None, count):
            sendall(MESSAGE)
            recv(64)

    return bench.per_operation(run, processor_time=processor_time)


def with_thread(bench, pair, timeout=None):
    client, server = pair
    client.settimeout(timeout)
    server.settimeout(timeout)
    thread = threading.Thread(target=echo, args=(server,))
    thread.start()
    figure = round_trips(bench, client)
    # An empty datagram ends the other side; a stream does not notice.
    client.send(b"")
    client.close()
    thread.join()
    server.close()
    return figure


@case(BOTH)
def tcp(bench):
    return with_thread(bench, tcp_pair())


@case(BOTH)
def tcp_with_timeout(bench):
    return with_thread(bench, tcp_pair(), TIMEOUT)


@case(BOTH)
def unix(bench):
    return with_thread(bench, socket.socketpair())


@case(BOTH)
def udp(bench):
    return with_thread(bench, udp_pair())


@case(ALL)
def tcp_processes(bench):
    with Peer(own=True) as peer:
        with quick(socket.create_connection((HOST, int(peer.ask("echo_tcp"))))) as sock:
            return round_trips(bench, sock, lambda: time.process_time() + float(peer.ask("processor_time")))


@case(BOTH)
def tcp_native(bench):
    with Peer() as peer:
        with quick(socket.create_connection((HOST, int(peer.ask("echo_tcp"))))) as sock:
            return round_trips(bench, sock)


@case(ALL)
def tcp_native_with_timeout(bench):
    with Peer() as peer:
        with quick(socket.create_connection((HOST, int(peer.ask("echo_tcp"))))) as sock:
            sock.settimeout(TIMEOUT)
            return round_trips(bench, sock)


@case(ALL)
def unix_native(bench):
    # Only this case pays for the import.
    import tempfile

    with tempfile.TemporaryDirectory() as folder, Peer() as peer:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(peer.ask("echo_unix", os.path.join(folder, "s")))
            return round_trips(bench, sock)


@case(ALL)
def udp_native(bench):
    with Peer() as peer, udp_socket() as sock:
        port = peer.ask("echo_udp", sock.getsockname()[1])
        sock.connect((HOST, int(port)))
        return round_trips(bench, sock)
