"""An echo server over TLS with a thread for each connection.

    CERTIFICATE=server.pem HOST=127.0.0.1 PORT=8000 python3 tls_echo.py
    CERTIFICATE=server.pem SOCKET_PATH=/tmp/echo python3 tls_echo.py

CERTIFICATE is a file with the server's key and its certificates (PEM), such as this makes:

    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \\
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout server.pem -out certificate.pem
    cat certificate.pem >> server.pem

Ctrl-C and SIGTERM end it.
"""

import os
import pathlib
import signal
import socket
import ssl
import sys
import threading
import time

try:
    import resource
except ImportError:
    resource = None


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


def echo(context, connection):
    with connection:
        try:
            # In this thread, as it takes two journeys and a signature: others are accepted meanwhile.
            connection = context.wrap_socket(connection, server_side=True)
        except OSError:
            # No TLS, or somebody who does not trust us.
            return
    with connection:
        try:
            while True:
                data = connection.recv(65536)
                if not data:
                    break
                connection.sendall(data)
        except OSError:
            # The client has gone without a good-bye.
            pass


def serve(context, listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError as why:
            # Mostly out of descriptors: those that wait are accepted when others have left.
            print(f"accept: {why}", flush=True)
            time.sleep(0.1)
            continue
        if connection.family != socket.AF_UNIX:
            # A small answer does not wait until the one before is acknowledged.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A daemon: it ends with the program.
        thread = threading.Thread(target=echo, args=(context, connection), daemon=True)
        try:
            thread.start()
        except RuntimeError as why:
            print(f"no thread for a connection: {why}", flush=True)
            connection.close()


def main():
    # The same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    allow_many_descriptors()
    certificate = os.environ.get("CERTIFICATE")
    if not certificate:
        sys.exit("CERTIFICATE has to name a file with the server's key and certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    try:
        with listen() as listener:
            serve(context, listener)
    except KeyboardInterrupt:
        print("good-bye", flush=True)


if __name__ == "__main__":
    main()
