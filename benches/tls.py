"""What TLS over TCP loopback costs: run it under several interpreters in turn, and compare.

    python3 benches/tls.py [--megabytes N] [--only REGEX] ROUNDS INTERPRETER [INTERPRETER ...]

runs every case under each interpreter in alternating rounds and prints two tables: the medians of what was achieved a second (or, of
memory, what was used), and the medians of the processor time that the measured process spent on one operation, both sides' where both
are its own. A ratio above 1.00 says in every row that the first interpreter is the better one.

Where a case needs only one side, the other is `tls_peer.py` under a CPython, the same one for all (the newest found, or the one that
REACTOR_TEST_CPYTHON names). A case runs in a process of its own: `tls.py --case NAME PORT MEGABYTES` prints its two figures.
"""

import argparse
import gc
import os
import re
import select
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

# tls_peer comes first: it finds the folder of tls_support.
from tls_peer import HERE, HOST, PIECE, Peer, accept, allow_descriptors, connect, greet, greeted
from tls_support import AUTHORITY, client_context, server_context

BATCHES = 5
CONNECTIONS = 1_000
CLIENTS = 50


def achieved(call, count, amount=1):
    """(amounts a second, processor seconds an amount); `call` does `count` operations of `amount`.

    The rate is the best of some batches, as what disturbs only makes it slower.
    """
    call()
    best, used = 0.0, time.process_time()
    for _ in range(BATCHES):
        begin = time.perf_counter()
        call()
        best = max(best, count * amount / (time.perf_counter() - begin))
    return best, (time.process_time() - used) / (BATCHES * count * amount)


# Handshakes: connect, TLS, one byte, close.

HANDSHAKES = 100
ALL_HANDSHAKES = HANDSHAKES * (1 + BATCHES)


def as_client(port, context=None, resumed=False):
    context, session = context or client_context(), None

    def call():
        nonlocal session
        for _ in range(HANDSHAKES):
            session = greeted(context, port, resumed, session)

    return achieved(call, HANDSHAKES)


def as_server(peer, resumed):
    best, used = 0.0, 0.0
    with socket.create_server((HOST, 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        for batch in range(1 + BATCHES):
            begin = time.process_time()
            peer.tell("handshakes", port, HANDSHAKES, int(resumed))
            # One more, which opens the session.
            greet(listener, HANDSHAKES + 1)
            seconds = float(peer.hear())
            if batch:
                best, used = max(best, HANDSHAKES / seconds), used + time.process_time() - begin
    return best, used / (BATCHES * (HANDSHAKES + 1))


def as_both(resumed=False):
    with socket.create_server((HOST, 0), backlog=64) as listener:
        threading.Thread(target=greet, args=(listener, ALL_HANDSHAKES), daemon=True).start()
        return as_client(listener.getsockname()[1], resumed=resumed)


def handshakes(peer, megabytes):
    return as_both()


def handshakes_client(peer, megabytes):
    return as_client(peer.serve("greet", ALL_HANDSHAKES))


def handshakes_client_system_roots(peer, megabytes):
    """With the trust store of the system beside the tests' authority, as https has it."""
    context = ssl.create_default_context()
    context.load_verify_locations(AUTHORITY)
    return as_client(peer.serve("greet", ALL_HANDSHAKES), context)


def handshakes_server(peer, megabytes):
    return as_server(peer, False)


def resumed_handshakes(peer, megabytes):
    return as_both(resumed=True)


def resumed_handshakes_client(peer, megabytes):
    return as_client(peer.serve("greet", ALL_HANDSHAKES), resumed=True)


def resumed_handshakes_server(peer, megabytes):
    return as_server(peer, True)


# Bulk, in megabytes of 2**20 bytes.


def bulk_send(peer, megabytes):
    with connect(client_context(), peer.serve("drain", megabytes * len(PIECE))) as sock:

        def call():
            for _ in range(megabytes):
                sock.sendall(PIECE)
            if sock.recv(1) != b"x":
                raise RuntimeError("the peer did not take it all")

        return achieved(call, megabytes)


def bulk_received(peer, megabytes, receiver):
    with connect(client_context(), peer.serve("pour", megabytes * len(PIECE))) as sock:
        receive = receiver(sock)

        def call():
            sock.send(b"x")
            rest = megabytes * len(PIECE)
            while rest:
                count = receive()
                if not count:
                    raise RuntimeError("the peer ended")
                rest -= count

        return achieved(call, megabytes)


def bulk_recv(peer, megabytes):
    return bulk_received(peer, megabytes, lambda sock: lambda: len(sock.recv(65536)))


def bulk_recv_into(peer, megabytes):
    buffer = bytearray(65536)
    return bulk_received(peer, megabytes, lambda sock: lambda: sock.recv_into(buffer))


# Small messages.


def round_trips(peer, timeout):
    message = bytes(64)
    count = 1_000
    with connect(client_context(), peer.serve("echo", len(message))) as sock:
        sock.settimeout(timeout)

        def call():
            for _ in range(count):
                sock.sendall(message)
                sock.recv(64)

        return achieved(call, count)


def ping_pong(peer, megabytes):
    return round_trips(peer, None)


def ping_pong_with_timeout(peer, megabytes):
    return round_trips(peer, 10.0)


def held_connections(peer, listener, context, count):
    peer.tell("hold", listener.getsockname()[1], count)
    socks = [accept(context, listener) for _ in range(count)]
    if int(peer.hear()) < count:
        raise RuntimeError("the peer lost connections")
    return socks


def answer(sock):
    """Echo what is there; False at the end of the connection."""
    while True:
        try:
            data = sock.recv(4096)
        except ssl.SSLWantReadError:
            return True
        if not data:
            return False
        sock.send(data)


def select_server(peer, megabytes):
    """Requests a second of a non-blocking server of 50 clients, each request a read, the attempt that finds no more, and a write."""
    count = 100
    with socket.create_server((HOST, 0), backlog=64) as listener:
        socks = held_connections(peer, listener, server_context(), CLIENTS)
    for sock in socks:
        sock.setblocking(False)

    def serve():
        open_socks = list(socks)
        while open_socks:
            for sock in select.select(open_socks, (), ())[0]:
                if not answer(sock):
                    open_socks.remove(sock)
                    sock.close()

    threading.Thread(target=serve, daemon=True).start()

    def call():
        peer.tell("waves", count)
        if not peer.hear():
            raise RuntimeError("the peer died")

    return achieved(call, count * CLIENTS)


# Memory.


def private_kilobytes():
    gc.collect()
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty:"))


def idle_connection_kilobytes(peer, megabytes):
    """What each of 1,000 idle connections adds to the private memory of their server, kilobytes of 1024 bytes."""
    context = server_context()
    allow_descriptors(CLIENTS + CONNECTIONS + 100)
    with socket.create_server((HOST, 0), backlog=64) as listener:
        # What the first ones load and allocate is not each connection's.
        socks = held_connections(peer, listener, context, CLIENTS)
        before, used = private_kilobytes(), time.process_time()
        socks += held_connections(peer, listener, context, CONNECTIONS)
        used = time.process_time() - used
        grown = private_kilobytes() - before
    return grown / CONNECTIONS, used / CONNECTIONS


# (case, its unit, whether more is better, what the processor time is divided by)
CASES = [
    (handshakes, "1/s", True, "handshake"),
    (handshakes_client, "1/s", True, "handshake"),
    (handshakes_client_system_roots, "1/s", True, "handshake"),
    (handshakes_server, "1/s", True, "handshake"),
    (resumed_handshakes, "1/s", True, "handshake"),
    (resumed_handshakes_client, "1/s", True, "handshake"),
    (resumed_handshakes_server, "1/s", True, "handshake"),
    (bulk_send, "MB/s", True, "MB"),
    (bulk_recv, "MB/s", True, "MB"),
    (bulk_recv_into, "MB/s", True, "MB"),
    (ping_pong, "1/s", True, "round trip"),
    (ping_pong_with_timeout, "1/s", True, "round trip"),
    (select_server, "1/s", True, "request"),
    (idle_connection_kilobytes, "kB", False, "connection"),
]


def measure(interpreter, case, peer_interpreter, megabytes):
    """The case's two figures, or None if it failed; what it said goes to the standard error stream."""
    environment = dict(os.environ)
    if case is idle_connection_kilobytes:
        # RustPython's allocator takes memory by 2 MB otherwise, which is 2 kB for each of the connections.
        environment["MIMALLOC_ALLOW_THP"] = "0"
    peer = subprocess.Popen(
        [peer_interpreter, "-W", "ignore", os.path.join(HERE, "tls_peer.py")], stdout=subprocess.PIPE, text=True
    )
    try:
        port = peer.stdout.readline().strip()
        done = subprocess.run(
            [interpreter, "-W", "ignore", os.path.abspath(__file__), "--case", case.__name__, port, str(megabytes)],
            stdout=subprocess.PIPE, text=True, timeout=300, env=environment,
        )
        return tuple(map(float, done.stdout.split())) if done.returncode == 0 else None
    except subprocess.TimeoutExpired as error:
        print(f"{case.__name__}: {error}", file=sys.stderr)
        return None
    finally:
        peer.kill()
        peer.wait()
        peer.stdout.close()


def show(names, title, rows):
    """A Markdown table of (label, figures, whether more is better); a figure that is None did not come about."""
    print(f"| {title} |", " | ".join(names + [f"{names[0]} vs {name}" for name in names[1:]]), "|")
    print("|---" * (2 * len(names)) + "|")
    for label, figures, more_is_better in rows:
        first = figures[0]
        ratios = []
        for other in figures[1:]:
            known = first and other
            ratios.append(f"{first / other if more_is_better else other / first:.2f}" if known else "-")
        shown = ["fails" if figure is None else f"{figure:.1f}" for figure in figures]
        print(f"| {label} |", " | ".join(shown + ratios), "|", flush=True)
    print()


def compare(rounds, interpreters, megabytes, only):
    from support import find_cpython

    peer_interpreter = find_cpython()
    if peer_interpreter is None:
        sys.exit("no CPython found for the other side (REACTOR_TEST_CPYTHON names one)")
    names = [os.path.basename(interpreter) for interpreter in interpreters]
    achieved_rows, used_rows = [], []
    for case, unit, more_is_better, operation in CASES:
        if not re.search(only, case.__name__):
            continue
        figures = [[] for _ in interpreters]
        for _ in range(rounds):
            for interpreter, found in zip(interpreters, figures):
                found.append(measure(interpreter, case, peer_interpreter, megabytes))
        medians, used = [], []
        for found in figures:
            whole = None not in found
            medians.append(statistics.median(pair[0] for pair in found) if whole else None)
            used.append(statistics.median(pair[1] for pair in found) * 1e6 if whole else None)
        achieved_rows.append((f"{case.__name__} ({unit})", medians, more_is_better))
        used_rows.append((f"{case.__name__}, a {operation}", used, False))
        print(case.__name__, medians, used, file=sys.stderr, flush=True)
    show(names, "case", achieved_rows)
    show(names, "processor time (µs)", used_rows)


def main():
    if sys.argv[1:2] == ["--case"]:
        name, port, megabytes = sys.argv[2:]
        print(*globals()[name](Peer(int(port)), int(megabytes)))
        return
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--megabytes", type=int, default=64, help="of each batch of the bulk cases")
    parser.add_argument("--only", default="", help="cases whose name matches this regular expression")
    parser.add_argument("rounds", type=int)
    parser.add_argument("interpreters", nargs="+")
    arguments = parser.parse_args()
    compare(arguments.rounds, arguments.interpreters, arguments.megabytes, arguments.only)


if __name__ == "__main__":
    main()
