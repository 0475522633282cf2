"""A TCP echo server with a thread for each client. Ctrl-C ends it.

    cargo py examples/echo_server.py --host 127.0.0.1 --port 7777

and in another terminal, for instance, `nc 127.0.0.1 7777`.
"""

import argparse
import socket
import sys
import threading


class EchoServer:
    """Accepts clients on one listening socket and sends back what they send."""

    def __init__(self, listener):
        self.listener = listener
        self.clients = {}
        self.lock = threading.Lock()

    def run(self):
        """Serve until an exception, such as KeyboardInterrupt, ends the wait."""
        try:
            while True:
                connection, address = self.listener.accept()
                thread = threading.Thread(target=self.serve, args=(connection, address))
                with self.lock:
                    self.clients[connection] = thread
                thread.start()
        finally:
            self.hang_up()

    def serve(self, connection, address):
        print(f"{address[0]} port {address[1]} connected", flush=True)
        total = 0
        try:
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)
                    total += len(data)
        except OSError as why:
            print(f"{address[0]} port {address[1]}: {why}", flush=True)
        finally:
            with self.lock:
                self.clients.pop(connection, None)
        print(f"{address[0]} port {address[1]} left after {total:,} bytes", flush=True)

    def hang_up(self):
        """End every conversation and wait for its thread."""
        with self.lock:
            clients = list(self.clients.items())
        for connection, thread in clients:
            try:
                # Wakes a thread that waits in recv() on every Python.
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for _, thread in clients:
            thread.join()


def main():
    parser = argparse.ArgumentParser(description="A TCP echo server; Ctrl-C ends it.")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=7777, help="0 for a free one (default: %(default)s)"
    )
    options = parser.parse_args()

    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family)
    except (OSError, OverflowError) as why:
        sys.exit(f"cannot listen on {options.host} port {options.port}: {why}")
    with listener:
        host, port = listener.getsockname()[:2]
        print(f"echoing on {host} port {port}; Ctrl-C ends it", flush=True)
        try:
            EchoServer(listener).run()
        except KeyboardInterrupt:
            print("\ngood-bye", flush=True)


if __name__ == "__main__":
    main()
