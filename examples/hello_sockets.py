"""A short tour of sockets: TCP, UDP, Unix sockets, a time-out and a name look-up.

    cargo py examples/hello_sockets.py

Needs no set-up, no arguments and no network: it starts its own servers on this
machine and talks to them. Any Python from 3.12 on runs it; the reactor's own
interpreter shows one step more.
"""

import _socket
import os
import socket
import sys
import tempfile
import threading
import time

ROUNDS = 1000
LIMIT = 0.25  # seconds
# Seconds after which a step that should have ended long ago counts as hung.
PATIENCE = 10


def say(topic, account):
    print(f"{topic:<9}{account}", flush=True)


def round_trips(exchange):
    """Time `exchange` often; return the median and the worst, readably."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        exchange()
        times.append(time.perf_counter() - start)
    times.sort()
    return f"median {times[ROUNDS // 2] * 1e6:.0f} µs, worst {times[-1] * 1e6:.0f} µs"


def echo_stream(listener):
    """Serve one client: send back all that it sends, until it stops."""
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(4096):
            connection.sendall(data)


def echo_datagrams(server):
    """Send every datagram back where it came from; an empty one ends it."""
    while True:
        data, sender = server.recvfrom(4096)
        server.sendto(data, sender)
        if not data:
            return


def serve(function, server):
    thread = threading.Thread(target=function, args=(server,), daemon=True)
    thread.start()
    return thread


def ask(client, question):
    """Send `question` down a stream and return an answer of the same length."""
    client.sendall(question)
    answer = b""
    while len(answer) < len(question):
        data = client.recv(4096)
        if not data:
            raise ConnectionError("the server hung up")
        answer += data
    return answer


def tell_stream(topic, client, where):
    answer = ask(client, b"hello, socket")
    say(topic, f"connected to {where}, sent 'hello, socket', got {answer.decode()!r} back")
    say("", f"{ROUNDS:,} round trips more: {round_trips(lambda: ask(client, b'ping'))}")


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serve(echo_stream, listener)
        with socket.create_connection(listener.getsockname(), timeout=PATIENCE) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, port = client.getpeername()
            tell_stream("TCP", client, f"{host} port {port}")
            client.sendall(b"one line\nanother line\n")
            client.shutdown(socket.SHUT_WR)
            with client.makefile("r", encoding="utf-8") as lines:
                count = sum(1 for _ in lines)
            say("", f"read {count} lines through makefile(), then the end of the stream")
        server.join(PATIENCE)


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = serve(echo_datagrams, server)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)

            def exchange(data=b"ping"):
                client.sendto(data, server.getsockname())
                return client.recvfrom(4096)

            answer, (host, port) = exchange(b"hello, datagram")
            say("UDP", f"sent a datagram to {host} port {port}, got {answer.decode()!r} back")
            say("", f"{ROUNDS:,} round trips more: {round_trips(exchange)}")
            exchange(b"")
        thread.join(PATIENCE)


def unix():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hello")
        with socket.create_server(path, family=socket.AF_UNIX) as listener:
            server = serve(echo_stream, listener)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(path)
                tell_stream("Unix", client, "a socket file")
            server.join(PATIENCE)


def timeout():
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(LIMIT)
        start = time.monotonic()
        try:
            here.recv(1)
        except TimeoutError as why:
            took = time.monotonic() - start
            say(
                "Time-out",
                f"nobody sends, so recv gave up after {took * 1000:.1f} ms "
                f"(asked for {LIMIT * 1000:.0f}): {type(why).__name__}: {why}",
            )
        else:
            raise AssertionError("recv returned, with nothing sent")


def names():
    start = time.perf_counter()
    found = socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    took = time.perf_counter() - start
    addresses = ", ".join(
        f"{address[0]} ({family.name})" for family, _, _, _, address in found
    )
    say("Names", f"localhost is {addresses}; found in {took * 1e6:.0f} µs")


def close_wakes():
    """close() in one thread ends recv() in another, which CPython leaves hanging."""
    here, there = socket.socketpair()
    entered = threading.Event()
    ended = []

    def wait():
        entered.set()
        try:
            here.recv(1)
        except OSError as why:
            ended.append((time.perf_counter(), why))

    reader = threading.Thread(target=wait, daemon=True)
    with there:
        reader.start()
        entered.wait(PATIENCE)
        # Only so that recv() is likely to be waiting by now: a close() before
        # it waits gives the same error.
        time.sleep(0.05)
        closed = time.perf_counter()
        here.close()
        reader.join(PATIENCE)
        if not ended:
            raise AssertionError("recv() still waits on a closed socket")
    when, why = ended[0]
    say("Close", "another thread waited in recv() when this one closed the socket:")
    say("", f"it ended {(when - closed) * 1e6:.0f} µs later with {type(why).__name__}: {why}")


def main():
    # A terminal that cannot show a sign gets a question mark for it.
    sys.stdout.reconfigure(errors="replace")
    name = sys.implementation.name
    reactor = name == "rustpython" and hasattr(_socket, "_register_face")
    backing = "sockets on the reactor" if reactor else "its own sockets"
    version = ".".join(map(str, sys.version_info[:3]))
    say("Hello", f"from {name}, Python {version}, with {backing}")
    start = time.perf_counter()
    for step in (tcp, udp, unix, timeout, names):
        step()
    if reactor:
        close_wakes()
    else:
        say("Close", "left out: here, close() would leave another thread's recv() waiting")
    say("Done", f"all steps worked, in {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
