"""An echo server with a thread for each connection. On each, the peer has always one message of 64 bytes on its way; the figures
are the time and the server's processor time for each echo."""

import socket
import threading

from measure import ALL, Peer, allow_descriptors, case
from peer import HOST, echo, quick


def connections(bench, count):
    count = bench.size(count)
    allow_descriptors(count + 50)
    with socket.create_server((HOST, 0), backlog=64) as listener, Peer() as peer:

        def accept():
            for _ in range(count):
                sock, _ = listener.accept()
                threading.Thread(target=echo, args=(quick(sock),), daemon=True).start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        peer.ask("hold", listener.getsockname()[1], count)
        acceptor.join()
        # On CPython the queue for its lock takes some rounds to build up.
        return bench.per_operation(lambda rounds: peer.ask("load", rounds), least=5, each=count)


@case(ALL)
def connections_10(bench):
    return connections(bench, 10)


@case(ALL)
def connections_100(bench):
    return connections(bench, 100)


@case(ALL)
def connections_1000(bench):
    return connections(bench, 1000)
