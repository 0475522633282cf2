"""What the common socket calls cost: run it under several interpreters in turn, and compare.

    python3 benches/sockets.py ROUNDS INTERPRETER [INTERPRETER ...]

runs every case under each interpreter in alternating rounds and prints the medians in microseconds, and the ratio of the
first interpreter to each other.  A case runs in a process of its own: `sockets.py --case NAME` prints its figure.
"""

import os
import socket
import statistics
import subprocess
import sys
import threading
import time


def per_call(call, count):
    """Microseconds a call, the best of five batches: what disturbs only makes it slower."""
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, time.perf_counter() - begin)
    return best / count * 1e6


def ready(timeout):
    left, right = socket.socketpair()
    left.settimeout(timeout)
    right.settimeout(timeout)
    send, recv = left.send, right.recv

    def call():
        send(b"x" * 64)
        recv(64)

    return per_call(call, 20_000)


def send_recv():
    return ready(None)


def send_recv_with_timeout():
    return ready(10.0)


def recv_into():
    left, right = socket.socketpair()
    buffer = bytearray(64)
    send, receive = left.send, right.recv_into

    def call():
        send(b"x" * 64)
        receive(buffer)

    return per_call(call, 20_000)


def sendto_recvfrom():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    address = sock.getsockname()

    def call():
        sock.sendto(b"x" * 64, address)
        sock.recvfrom(64)

    return per_call(call, 10_000)


def ping_pong(timeout):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(timeout)
        while data := connection.recv(64):
            connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    client = socket.create_connection(listener.getsockname())
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.settimeout(timeout)

    def call():
        client.sendall(b"x" * 64)
        client.recv(64)

    figure = per_call(call, 2_000)
    client.close()
    thread.join()
    return figure


def tcp_ping_pong():
    return ping_pong(None)


def tcp_ping_pong_with_timeout():
    return ping_pong(10.0)


def create_close():
    return per_call(lambda: socket.socket().close(), 5_000)


def connect_accept_close():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        def call():
            client = socket.socket()
            client.connect(address)
            connection, _ = listener.accept()
            client.close()
            connection.close()

        return per_call(call, 2_000)


def family():
    sock = socket.socket()
    return per_call(lambda: sock.family, 20_000)


def settimeout():
    sock = socket.socket()
    return per_call(lambda: sock.settimeout(1.5), 20_000)


def getaddrinfo_numeric():
    return per_call(lambda: socket.getaddrinfo("127.0.0.1", 80), 5_000)


def bulk_1mb():
    left, right = socket.socketpair()
    data = bytes(1 << 20)
    count = 50

    def receive():
        buffer = bytearray(1 << 20)
        rest = count * 5 * len(data)
        while rest:
            rest -= right.recv_into(buffer)

    thread = threading.Thread(target=receive)
    thread.start()
    figure = per_call(lambda: left.sendall(data), count)
    thread.join()
    return figure


CASES = [
    send_recv,
    send_recv_with_timeout,
    recv_into,
    sendto_recvfrom,
    tcp_ping_pong,
    tcp_ping_pong_with_timeout,
    create_close,
    connect_accept_close,
    family,
    settimeout,
    getaddrinfo_numeric,
    bulk_1mb,
]


def measure(interpreter, case):
    done = subprocess.run(
        [interpreter, "-W", "ignore", os.path.abspath(__file__), "--case", case.__name__],
        capture_output=True, text=True, timeout=300, check=True,
    )
    return float(done.stdout)


def compare(rounds, interpreters):
    names = [os.path.basename(interpreter) for interpreter in interpreters]
    print("| case (µs) |", " | ".join(names), "|", " | ".join(f"{names[0]} / {name}" for name in names[1:]), "|")
    print("|---" * (2 * len(names)) + "|")
    for case in CASES:
        figures = {interpreter: [] for interpreter in interpreters}
        for _ in range(rounds):
            for interpreter in interpreters:
                figures[interpreter].append(measure(interpreter, case))
        medians = [statistics.median(figures[interpreter]) for interpreter in interpreters]
        ratios = [f"{medians[0] / median:.2f}" for median in medians[1:]]
        print("|", case.__name__, "|", " | ".join([f"{median:.2f}" for median in medians] + ratios), "|", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--case":
        print(globals()[sys.argv[2]]())
    else:
        compare(int(sys.argv[1]), sys.argv[2:])
