"""The other side of the cases that have one: a process that is the same for all interpreters that are measured.

It reads commands, one a line, and answers each with one line. What serves answers at once with where it serves; what drives answers when
it is done. It ends when its input does.
"""

import select
import socket
import sys
import threading
import time

from measure import allow_descriptors

HOST = "127.0.0.1"
# A line, for servers that read lines.
MESSAGE = b"x" * 63 + b"\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n" + MESSAGE


def quick(sock):
    """Without Nagle's algorithm, which would make small messages wait for acknowledgements."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def echo(sock):
    """Sends back what comes, until the end or an empty datagram."""
    while True:
        data = sock.recv(64)
        if not data:
            return
        sock.sendall(data)


def in_background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def serve_one(listener, handle):
    def serve():
        sock, _ = listener.accept()
        handle(sock)

    in_background(serve)


def echo_tcp():
    listener = socket.create_server((HOST, 0))
    serve_one(listener, lambda sock: echo(quick(sock)))
    return listener.getsockname()[1]


def echo_unix(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    serve_one(listener, echo)
    return path


def echo_udp(port):
    """A socket that talks with that port only."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.connect((HOST, int(port)))
    in_background(echo, sock)
    return sock.getsockname()[1]


def respond(sock):
    """The same response to each request, which must have no body."""
    rest = b""
    while True:
        data = sock.recv(65536)
        if not data:
            return
        *requests, rest = (rest + data).split(b"\r\n\r\n")
        for _ in requests:
            sock.sendall(RESPONSE)


def http():
    listener = socket.create_server((HOST, 0))
    serve_one(listener, lambda sock: respond(quick(sock)))
    return listener.getsockname()[1]


def receive_exactly(sock, count):
    while count:
        data = sock.recv(count)
        if not data:
            raise RuntimeError("the connection ended")
        count -= len(data)


held = []


def hold(port, count):
    """Opens that many connections. Each sends a message and awaits its echo, so that somebody has accepted it."""
    allow_descriptors(len(held) + int(count) + 50)
    for _ in range(int(count)):
        sock = quick(socket.create_connection((HOST, int(port))))
        sock.sendall(MESSAGE)
        receive_exactly(sock, len(MESSAGE))
        held.append(sock)
    return len(held)


def load(count):
    """`count` round trips for each held connection, which has always one message on its way. Whichever is answered goes on at once."""
    poller = select.epoll()
    socks = {}
    for sock in held:
        socks[sock.fileno()] = (sock.send, sock.recv)
        poller.register(sock, select.EPOLLIN)
    left = int(count) * len(held)
    unsent = left - len(held)
    for send, _ in socks.values():
        send(MESSAGE)
    while left:
        for number, _ in poller.poll():
            send, recv = socks[number]
            if len(recv(64)) != len(MESSAGE):
                raise RuntimeError("half a message")
            left -= 1
            if unsent:
                unsent -= 1
                send(MESSAGE)
    poller.close()
    return count


def lines(count):
    """That many lines there and back, one after the other, on the first held connection."""
    sock = held[0]
    for _ in range(int(count)):
        sock.sendall(MESSAGE)
        receive_exactly(sock, len(MESSAGE))
    return count


def visits(port, count):
    """That many connections one after the other, a line there and back on each."""
    for _ in range(int(count)):
        with socket.create_connection((HOST, int(port))) as sock:
            sock.sendall(MESSAGE)
            receive_exactly(sock, len(MESSAGE))
    return count


def processor_time():
    return time.process_time()


COMMANDS = (echo_tcp, echo_unix, echo_udp, http, hold, load, lines, visits, processor_time)


def main():
    commands = {command.__name__: command for command in COMMANDS}
    for line in sys.stdin:
        name, *arguments = line.split()
        print(commands[name](*arguments), flush=True)


if __name__ == "__main__":
    main()
