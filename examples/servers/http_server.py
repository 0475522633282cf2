"""An HTTP/1.1 server of the module http.server, with a thread for each connection, which is kept alive.

    HOST=127.0.0.1 PORT=8000 python3 http_server.py
    SOCKET_PATH=/tmp/http python3 http_server.py

GET answers with a greeting, POST with the body of the request. Ctrl-C and SIGTERM end it.
"""

import os
import pathlib
import signal
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    import resource
except ImportError:
    resource = None

LONGEST_BODY = 16 << 20


def allow_many_descriptors():
    """Use all descriptors that the administrator allows; often only 1024 are set."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Handler(BaseHTTPRequestHandler):
    # 1.0, the default, closes the connection after each answer.
    protocol_version = "HTTP/1.1"

    def setup(self):
        # Else the body waits until the headers, which are sent before it, are acknowledged.
        self.disable_nagle_algorithm = self.server.address_family != socket.AF_UNIX
        super().setup()

    def do_GET(self):
        self.answer("text/plain", b"hello\n")

    def do_POST(self):
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            self.close_connection = True
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        if not 0 <= length <= LONGEST_BODY:
            self.close_connection = True
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        self.answer("application/octet-stream", self.rfile.read(length))

    def answer(self, kind, body):
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """A line for each request would be most of the work."""


class Server(ThreadingHTTPServer):
    # The default is 5 clients that wait to be accepted.
    request_queue_size = 4096
    # The threads end with the program.
    block_on_close = False

    def handle_error(self, request, client_address):
        """Of the clients that go without a good-bye, nobody wants to read."""


class Server6(Server):
    address_family = socket.AF_INET6


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0


def listen():
    """On SOCKET_PATH if that is set, else on HOST and PORT (0: any that is free)."""
    path = os.environ.get("SOCKET_PATH")
    if path:
        if pathlib.Path(path).is_socket():
            # Of a server that was killed.
            os.unlink(path)
        server = UnixServer(path, Handler)
        print(f"serving on {path}", flush=True)
        return server
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    server = (Server6 if ":" in host else Server)((host, port), Handler)
    print(f"serving on {host} port {server.server_address[1]}", flush=True)
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
