"""A server that sends each datagram back to where it came from.

    HOST=127.0.0.1 PORT=8000 python3 udp_echo.py

Ctrl-C and SIGTERM end it.
"""

import os
import signal
import socket


def listen():
    """A socket on HOST and PORT (0: any that is free)."""
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    # What comes in one moment has to fit, or the kernel drops it. It gives at most what `sysctl net.core.rmem_max` says.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((host, port))
    print(f"echoing on {host} port {sock.getsockname()[1]}", flush=True)
    return sock


def serve(sock):
    while True:
        try:
            data, address = sock.recvfrom(65536)
            sock.sendto(data, address)
        except OSError:
            # Of one that has gone, and cannot receive: no matter to the others.
            pass


def main():
    # The same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with listen() as sock:
            serve(sock)
    except KeyboardInterrupt:
        print("good-bye", flush=True)


if __name__ == "__main__":
    main()
