"""An echo server with one thread, which waits for all connections at once.

    HOST=127.0.0.1 PORT=8000 python3 selectors_echo.py
    SOCKET_PATH=/tmp/echo python3 selectors_echo.py

Ctrl-C and SIGTERM end it.
"""

import os
import pathlib
import selectors
import signal
import socket
import time

try:
    import resource
except ImportError:
    resource = None

# What is received at once, and so the most that is kept of a client that does not read.
PIECE = 65536


def allow_many_descriptors():
    """Use all descriptors that the administrator allows; often only 1024 are set."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen():
    """A socket on SOCKET_PATH if that is set, else on HOST and PORT (0: any that is free)."""
    path = os.environ.get("SOCKET_PATH")
    if path:
        if pathlib.Path(path).is_socket():
            # Of a server that was killed.
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(4096)
        print(f"echoing on {path}", flush=True)
        return listener
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=4096)
    print(f"echoing on {host} port {listener.getsockname()[1]}", flush=True)
    return listener


class Connection:
    """Either waits for bytes to send back, or for room to send them: it reads no more than it gets rid of."""

    def __init__(self, selector, sock):
        self.selector = selector
        self.sock = sock
        self.rest = b""
        self.events = selectors.EVENT_READ
        selector.register(sock, self.events, self.ready)

    def ready(self):
        try:
            if not self.rest:
                self.rest = self.sock.recv(PIECE)
                if not self.rest:
                    self.close()
                    return
            self.send()
        except BlockingIOError:
            # Not ready after all: the selector tells when it is.
            pass
        except OSError:
            # The client has gone without a good-bye.
            self.close()

    def send(self):
        try:
            self.rest = self.rest[self.sock.send(self.rest) :]
        except BlockingIOError:
            pass
        events = selectors.EVENT_WRITE if self.rest else selectors.EVENT_READ
        if events != self.events:
            self.events = events
            self.selector.modify(self.sock, events, self.ready)

    def close(self):
        self.selector.unregister(self.sock)
        self.sock.close()


def accept_all(selector, listener):
    # Some at once, then the others have their turn.
    for _ in range(100):
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError as why:
            # Mostly out of descriptors: those that wait are accepted when others have left.
            print(f"accept: {why}", flush=True)
            time.sleep(0.1)
            return
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            # A small answer does not wait until the one before is acknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Connection(selector, sock)


def serve(listener):
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, lambda: accept_all(selector, listener))
        while True:
            for key, _ in selector.select():
                key.data()


def main():
    # The same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    allow_many_descriptors()
    try:
        with listen() as listener:
            serve(listener)
    except KeyboardInterrupt:
        print("good-bye", flush=True)


if __name__ == "__main__":
    main()
