"""The fixed other side of `benches/tls.py`: one interpreter, the same for all that are measured, does what it is told.

    python3 benches/tls_peer.py

prints a port of loopback. Whoever connects to it sends commands, one a line, and gets one line as answer to each; the program ends
with that connection. `Peer` is the client's end of it.

Commands that serve answer with the port of a TLS listener at once; commands that connect answer when they are done, the timed ones
with the seconds that it took.
"""

import os
import resource
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "python"))

from tls_support import client_context, server_context  # noqa: E402

HOST = "127.0.0.1"
NAME = "localhost"
PIECE = bytes(1 << 20)


class Peer:
    """Tells the peer process behind `port` what to do. A dead peer answers with an empty line, which no caller can convert."""

    def __init__(self, port):
        self.control = socket.create_connection((HOST, port))
        self.lines = self.control.makefile("r")

    def tell(self, *words):
        self.control.sendall((" ".join(map(str, words)) + "\n").encode())

    def hear(self):
        return self.lines.readline().strip()

    def serve(self, *words):
        """The port on which the peer now serves as told."""
        self.tell(*words)
        return int(self.hear())


def allow_descriptors(count):
    """Raise the limit of open files to that, if it is lower and may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def quick(sock):
    """Without Nagle's algorithm, which would make small messages wait for acknowledgements."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect(context, port, session=None):
    return context.wrap_socket(
        quick(socket.create_connection((HOST, port))), server_hostname=NAME, session=session
    )


def accept(context, listener):
    connection, _ = listener.accept()
    return context.wrap_socket(quick(connection), server_side=True)


def greeted(context, port, resumed=False, session=None):
    """One handshake from the client's side; the session for the next one.

    The byte that the server sends makes sure that its session tickets, which TLS 1.3 puts before it, have been read: closing with
    them unread would reset the connection, and a client that had not read them could not resume.
    """
    with connect(context, port, session) as sock:
        if sock.recv(1) != b"x":
            raise RuntimeError("no greeting")
        if sock.version() != "TLSv1.3" or sock.session_reused != (resumed and session is not None):
            raise RuntimeError(f"not as asked: {sock.version()}, resumed: {sock.session_reused}")
        return sock.session if resumed else None


def handshakes(port, count, resumed):
    """Seconds that many connections took a client, one after the other."""
    context = client_context()
    session = greeted(context, port, resumed)
    begin = time.perf_counter()
    for _ in range(count):
        session = greeted(context, port, resumed, session)
    return time.perf_counter() - begin


def greet(listener, count):
    """The server of that many handshakes."""
    context = server_context()
    for _ in range(count):
        with accept(context, listener) as sock:
            sock.send(b"x")


def drain(listener, size):
    """Take `size` bytes, say so with one byte, and again, until the end."""
    buffer = bytearray(1 << 18)
    with accept(server_context(), listener) as sock:
        while True:
            rest = size
            while rest:
                count = sock.recv_into(buffer)
                if not count:
                    return
                rest -= count
            sock.send(b"x")


def pour(listener, size):
    """Send `size` bytes for each byte that comes."""
    with accept(server_context(), listener) as sock:
        while sock.recv(1):
            for _ in range(size // len(PIECE)):
                sock.sendall(PIECE)


def echo(listener, size):
    with accept(server_context(), listener) as sock:
        while data := sock.recv(size):
            sock.sendall(data)


def serve(what, *numbers):
    listener = socket.create_server((HOST, 0), backlog=64)
    threading.Thread(target=what, args=(listener, *numbers), daemon=True).start()
    return listener.getsockname()[1]


def waves(socks, count):
    """Seconds of `count` waves: 64 bytes on each connection, and then the answers of all."""
    message = bytes(64)
    begin = time.perf_counter()
    for _ in range(count):
        for sock in socks:
            sock.send(message)
        for sock in socks:
            rest = len(message)
            while rest:
                data = sock.recv(rest)
                if not data:
                    raise RuntimeError("a connection ended")
                rest -= len(data)
    return time.perf_counter() - begin


def obey(command, arguments, held):
    """The answer to one command; `held` are the connections to keep."""
    if command in ("greet", "drain", "pour", "echo"):
        return serve(globals()[command], *arguments)
    if command == "handshakes":
        return handshakes(*arguments)
    if command == "hold":
        port, count = arguments
        allow_descriptors(len(held) + count + 100)
        context = client_context()
        held.extend(connect(context, port) for _ in range(count))
        return len(held)
    if command == "waves":
        return waves(held, *arguments)
    raise ValueError(command)


def main():
    with socket.create_server((HOST, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        control, _ = listener.accept()
    held = []
    for line in control.makefile("r"):
        command, *arguments = line.split()
        control.sendall(f"{obey(command, [int(word) for word in arguments], held)}\n".encode())


if __name__ == "__main__":
    main()
