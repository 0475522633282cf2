"""Resident memory that each of many adds to the process, in KiB, with what the first ones load left out."""

import gc
import os
import socket
import threading
import time

from measure import ALL, Figure, Peer, allow_descriptors, case
from peer import HOST


def resident_kib():
    gc.collect()
    # Exact, where the counters of /proc/self/status lag behind by some pages a processor.
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Rss:"))


def growth(bench, add, count):
    """`add(number)` makes that many."""
    add(bench.size(20))
    count = bench.size(count)
    before = resident_kib()
    add(count)
    return Figure((resident_kib() - before) / count, None, "KiB")


@case(ALL)
def open_socket(bench):
    count = allow_descriptors(16100) - 100
    held = []
    return growth(bench, lambda number: held.extend([socket.socket() for _ in range(number)]), count)


def blocked_threads():
    """How many threads of this process sleep."""
    states = []
    for thread in os.listdir("/proc/self/task"):
        with open("/proc/self/task/" + thread + "/stat") as file:
            states.append(file.read().rpartition(")")[2].split()[0])
    return states.count("S")


@case(ALL)
def blocked_thread(bench):
    """A thread that waits in `recv`, the sockets not counted."""
    pairs = [socket.socketpair() for _ in range(bench.size(200) + bench.size(20))]
    waiting = []

    def wait(sock):
        sock.recv(64)

    def add(number):
        for _ in range(number):
            thread = threading.Thread(target=wait, args=(pairs[len(waiting)][0],))
            thread.start()
            waiting.append(thread)
        # Each has come to rest. The bound is for an interpreter whose threads never sleep.
        end = time.monotonic() + 20
        while blocked_threads() < len(waiting) and time.monotonic() < end:
            time.sleep(0.01)

    figure = growth(bench, add, 200)
    for _, other in pairs:
        other.send(b"x")
    for thread in waiting:
        thread.join()
    return figure


@case(ALL)
def idle_connection(bench):
    """An accepted connection that has received and sent once."""
    count = min(8000, allow_descriptors(8100) - 100)
    held = []
    with socket.create_server((HOST, 0), backlog=64) as listener, Peer() as peer:

        def accept(number):
            for _ in range(number):
                sock, _ = listener.accept()
                sock.sendall(sock.recv(64))
                held.append(sock)

        def add(number):
            acceptor = threading.Thread(target=accept, args=(number,))
            acceptor.start()
            peer.ask("hold", listener.getsockname()[1], number)
            acceptor.join()

        return growth(bench, add, count)
