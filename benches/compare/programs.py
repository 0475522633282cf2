"""The standard library's own network programs against the peer process; the processor time is this side's."""

import http.client
import socketserver
import threading

from measure import BOTH, Peer, case
from peer import HOST


@case(BOTH)
def http_client_keep_alive(bench):
    """GET and 64 bytes of response, again and again on one connection."""
    with Peer() as peer:
        connection = http.client.HTTPConnection(HOST, int(peer.ask("http")))

        def run(count):
            for _ in range(count):
                connection.request("GET", "/")
                connection.getresponse().read()

        figure = bench.per_operation(run)
        connection.close()
        return figure


class EchoLines(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


def served(measure):
    """`measure(peer, port)` while a threading server runs."""
    with Server((HOST, 0), EchoLines) as server, Peer() as peer:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        figure = measure(peer, server.server_address[1])
        server.shutdown()
        thread.join()
        # Ends its connections, and so the threads that serve them: `close` waits for the peer.
        peer.close()
        return figure


@case(BOTH)
def socketserver_line(bench):
    """A line of 64 bytes there and back on one connection."""

    def measure(peer, port):
        peer.ask("hold", port, 1)
        return bench.per_operation(lambda count: peer.ask("lines", count))

    return served(measure)


@case(BOTH)
def socketserver_connection(bench):
    """A connection and its thread for each line."""
    return served(lambda peer, port: bench.per_operation(lambda count: peer.ask("visits", port, count)))
