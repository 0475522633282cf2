"""An echo server of the module socketserver, with a thread for each connection.

    HOST=127.0.0.1 PORT=8000 python3 socketserver_echo.py
    SOCKET_PATH=/tmp/echo python3 socketserver_echo.py

Ctrl-C and SIGTERM end it.
"""

import os
import pathlib
import signal
import socket
import socketserver

try:
    import resource
except ImportError:
    resource = None


def allow_many_descriptors():
    """Use all descriptors that the administrator allows; often only 1024 are set."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            if self.request.family != socket.AF_UNIX:
                # A small answer does not wait until the one before is acknowledged.
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                data = self.request.recv(65536)
                if not data:
                    break
                self.request.sendall(data)
        except OSError:
            # The client has gone without a good-bye.
            pass


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    # The default is 5 clients that wait to be accepted.
    request_queue_size = 4096
    # The threads end with the program.
    daemon_threads = True
    block_on_close = False


class Tcp6Server(TcpServer):
    address_family = socket.AF_INET6


class UnixServer(socketserver.ThreadingUnixStreamServer):
    request_queue_size = 4096
    daemon_threads = True
    block_on_close = False


def listen():
    """On SOCKET_PATH if that is set, else on HOST and PORT (0: any that is free)."""
    path = os.environ.get("SOCKET_PATH")
    if path:
        if pathlib.Path(path).is_socket():
            # Of a server that was killed.
            os.unlink(path)
        server = UnixServer(path, Echo)
        print(f"echoing on {path}", flush=True)
        return server
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    server = (Tcp6Server if ":" in host else TcpServer)((host, port), Echo)
    print(f"echoing on {host} port {server.server_address[1]}", flush=True)
    return server


def main():
    # The same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    allow_many_descriptors()
    try:
        with listen() as server:
            server.serve_forever()
    except KeyboardInterrupt:
        print("good-bye", flush=True)


if __name__ == "__main__":
    main()
