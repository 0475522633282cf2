"""What a timeout costs a round trip: 64 bytes over TCP on loopback between two threads. For any interpreter.

    reactor-python benches/timeout_cost.py

Batches with and without a timeout alternate on one connection, so that nothing else differs between them; prints microseconds
a round trip without and with, and the median of the ratios with its quartiles. `taskset -c 0` in front shows a single processor.
"""

import socket
import statistics
import threading
import time

ROUNDS = 41
BATCH = 1000
MESSAGE = b"x" * 64


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    for end in ours, theirs:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


def echo(end):
    while message := end.recv(64):
        end.send(message)


def batch(ends, timeout):
    for end in ends:
        end.settimeout(timeout)
    ours = ends[0]
    begin = time.perf_counter()
    for _ in range(BATCH):
        ours.send(MESSAGE)
        ours.recv(64)
    return (time.perf_counter() - begin) / BATCH * 1e6


def main():
    ends = tcp_pair()
    echoing = threading.Thread(target=echo, args=ends[1:])
    echoing.start()
    batch(ends, None)
    without, with_timeout = zip(
        *((batch(ends, None), batch(ends, 30)) for _ in range(ROUNDS))
    )
    ends[0].close()
    echoing.join()
    low, middle, high = statistics.quantiles(
        after / before for before, after in zip(without, with_timeout)
    )
    print(
        f"{statistics.median(without):.1f} us without, {statistics.median(with_timeout):.1f} with:"
        f" {middle:.3f} [{low:.3f}, {high:.3f}]"
    )


if __name__ == "__main__":
    main()
