"""Several threads on TLS: a reader and a writer of one SSLSocket, more of each, many connections, much data both ways."""

import contextlib
import hashlib
import os
import random
import signal
import socket
import socketserver
import ssl
import struct
import sys
import threading
import unittest
import zlib

from support import DEADLINE, Worker, is_blocked, ours_only, wait_for
from tls_support import TlsTestCase, client_context, server_context

# Seconds for what moves many megabytes.
LONG = 120.0


class ReaderAndWriterTest(TlsTestCase):
    # CPython takes no lock around OpenSSL's objects: where both threads are at work at once it loses records, now and then.

    def test_writing_while_another_thread_reads(self):
        # The peer answers only what is written while the reader waits.
        for timeout in (None, DEADLINE):
            with self.subTest(timeout=timeout):
                client, server = self.tls_pair()
                client.settimeout(timeout)
                for number in range(20):
                    reading = Worker(client.recv, 100).wait_blocked()
                    Worker(client.sendall, b"question %d" % number).result()
                    self.assertEqual(server.recv(100), b"question %d" % number)
                    server.sendall(b"answer %d" % number)
                    self.assertEqual(reading.result(), b"answer %d" % number)

    @ours_only
    def test_reading_while_another_thread_writes(self):
        # The peer takes nothing until all it has sent was read.
        for sockets in (self.tcp_pair(), self.pair()):
            client, server = self.tls_pair(sockets=sockets)
            up, down = os.urandom(20 << 20), os.urandom(3 << 20)
            # Now, as a change would end the other thread's call on CPython.
            client.settimeout(LONG)
            server.settimeout(LONG)
            writing = Worker(client.sendall, up).wait_blocked()
            answering = Worker(server.sendall, down)
            self.assertEqual(Worker(self.receive, client, len(down)).result(LONG), down)
            answering.result()
            self.assertIsNone(writing.ended)
            self.assertEqual(Worker(self.receive, server, len(up)).result(LONG), up)
            writing.result()

    def test_questions_while_another_thread_waits(self):
        # None of these needs the peer, so none may wait for who does.
        reader, peer = self.tls_pair()
        reading = Worker(reader.recv, 100).wait_blocked()
        writer, _ = self.tls_pair()
        writing = Worker(writer.sendall, bytes(20 << 20)).wait_blocked()
        for sock in (reader, writer):
            for question in (sock.pending, sock.version, sock.cipher, sock.getpeercert, sock.shared_ciphers,
                             sock.compression, sock.selected_alpn_protocol, lambda: sock.get_channel_binding("tls-unique"),
                             lambda: sock.session, lambda: sock.session_reused, lambda: sock.context, sock.fileno,
                             sock.gettimeout, sock.getpeername, lambda: repr(sock)):
                Worker(question).result()
        self.assertIsNone(reading.ended)
        self.assertIsNone(writing.ended)
        peer.sendall(b"now")
        self.assertEqual(reading.result(), b"now")

    @ours_only
    def test_everything_before_the_handshake(self):
        # Whoever comes first does the handshake, and the others wait for it.
        for order in ("rs", "sr", "hrsh") * 5:
            left, right = self.tcp_pair()
            client = client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False)
            self.keep(client).settimeout(DEADLINE)
            choice = {"h": (client.do_handshake,), "r": (client.recv, 5), "s": (client.sendall, b"early")}
            calls = [Worker(*choice[letter]) for letter in order]
            server = self.keep(server_context().wrap_socket(right, server_side=True))
            server.settimeout(DEADLINE)
            self.assertEqual(server.recv(10), b"early", order)
            server.sendall(b"hello")
            for letter, call in zip(order, calls):
                self.assertEqual(call.result(), b"hello" if letter == "r" else None, order)

    @ours_only
    def test_leaving_while_another_thread_reads(self):
        client, peer = self.raw_peer()
        client.settimeout(DEADLINE)
        reading = Worker(client.recv, 10).wait_blocked()
        leaving = Worker(client.unwrap).wait_entered()
        # The goodbye that went out; then the peer's, which ends both calls.
        self.assertTrue(peer.sock.recv(100))
        peer.sock.sendall(peer.farewell() + b"plain")
        plain = leaving.result()
        with contextlib.suppress(ssl.SSLZeroReturnError):
            self.assertEqual(reading.result(), b"")
        self.assertEqual(self.receive(plain, 5), b"plain")

    @ours_only
    def test_ping_pong_in_both_directions(self):
        # Two conversations over one connection, each with its reader and its writer at both ends.
        client, server = self.tls_pair()
        rounds = 300

        def send(sock):
            for number in range(rounds):
                sock.sendall(struct.pack("!I", number) * 25)

        def read(sock):
            for number in range(rounds):
                self.assertEqual(self.receive(sock, 100), struct.pack("!I", number) * 25)

        client.settimeout(DEADLINE)
        server.settimeout(DEADLINE)
        workers = [Worker(call, sock) for sock in (client, server) for call in (send, read)]
        for worker in workers:
            worker.result(LONG)


class SignalTest(TlsTestCase):
    """A handler runs in the middle of a call of the main thread, and may use the same SSLSocket."""

    def during_recv(self, client, handler):
        """The value of `client.recv(100)`; the handler runs while it waits."""
        before = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        main = threading.main_thread()

        def interrupt():
            wait_for(lambda: is_blocked(main.native_id), "the main thread reads")
            signal.pthread_kill(main.ident, signal.SIGUSR1)

        interrupting = Worker(interrupt)
        try:
            return client.recv(100)
        finally:
            interrupting.result()

    def test_handler_writes(self):
        for timeout in (None, DEADLINE):
            with self.subTest(timeout=timeout):
                client, server = self.tls_pair()
                client.settimeout(timeout)
                echoing = Worker(lambda: server.sendall(server.recv(100).upper()))
                answer = self.during_recv(client, lambda *_: client.sendall(b"from the handler"))
                self.assertEqual(answer, b"FROM THE HANDLER")
                echoing.result()

    def test_handler_raises(self):
        class Stop(Exception):
            pass

        def stop(*_):
            raise Stop

        client, server = self.tls_pair()
        for _ in range(3):
            with self.assertRaises(Stop):
                self.during_recv(client, stop)
            server.sendall(b"all is well")
            self.assertEqual(client.recv(100), b"all is well")
            client.sendall(b"here too")
            self.assertEqual(server.recv(100), b"here too")

    @ours_only
    def test_handler_writes_into_the_midst_of_a_write(self):
        # Refused: its bytes would stand between two of the call's that it interrupts, whose own all arrive.
        client, server = self.tls_pair()
        data = os.urandom(8 << 20)
        refused = []

        def write(*_):
            with self.assertRaises(ssl.SSLError) as raised:
                client.send(b"between")
            refused.append(raised.exception.reason)

        before = signal.signal(signal.SIGUSR1, write)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        main = threading.main_thread()

        def interrupt_and_read():
            wait_for(lambda: is_blocked(main.native_id), "the main thread writes")
            signal.pthread_kill(main.ident, signal.SIGUSR1)
            wait_for(lambda: refused, "the handler runs")
            return self.receive(server, len(data))

        reading = Worker(interrupt_and_read)
        client.sendall(data)
        self.assertTrue(reading.result(LONG) == data)
        self.assertEqual(refused, ["BAD_WRITE_RETRY"])
        client.sendall(b"behind")
        self.assertEqual(server.recv(100), b"behind")

    def test_handler_only_counts(self):
        client, server = self.tls_pair()
        calls = []

        def count(*_):
            calls.append(None)
            server.sendall(b"at last")

        self.assertEqual(self.during_recv(client, count), b"at last")
        self.assertEqual(len(calls), 1)


@ours_only
class CrowdTest(TlsTestCase):
    # Several threads in one direction crash CPython.

    def test_writers(self):
        # What one call of send writes in one record stays together.
        client, server = self.tls_pair()
        writers, count = 4, 100

        def write(name):
            choice = random.Random(name)
            for number in range(count):
                body = choice.randbytes(choice.choice((1, 100, 5000, 16000)))
                message = struct.pack("!IIII", name, number, len(body), zlib.crc32(body)) + body
                self.assertEqual(client.send(message), len(message))

        writing = [Worker(write, name) for name in range(writers)]
        server.settimeout(DEADLINE)
        seen = [0] * writers
        for _ in range(writers * count):
            name, number, size, check = struct.unpack("!IIII", self.receive(server, 16))
            self.assertEqual(zlib.crc32(self.receive(server, size)), check)
            self.assertEqual(number, seen[name])
            seen[name] += 1
        for worker in writing:
            worker.result()
        self.assertEqual(seen, [count] * writers)

    def test_readers(self):
        client, server = self.tls_pair()
        messages = [struct.pack("!I", number) * 250 for number in range(600)]

        def read():
            mine = []
            while True:
                message = client.recv(1000)
                if not message:
                    return mine
                mine.append(message)

        reading = [Worker(read) for _ in range(3)]
        for message in messages:
            server.sendall(message)
        server.shutdown(socket.SHUT_WR)
        received = [worker.result() for worker in reading]
        for mine in received:
            self.assertEqual(mine, sorted(mine))
        self.assertEqual(sorted(sum(received, [])), messages)

    def test_every_reader_is_woken(self):
        client, server = self.tls_pair()
        reading = [Worker(client.recv, 1) for _ in range(4)]
        # One record for all: who has not found his byte in the kernel must find it here.
        server.sendall(b"abcd")
        self.assertEqual(sorted(worker.result() for worker in reading), [b"a", b"b", b"c", b"d"])


class BulkTest(TlsTestCase):
    SIZE = 20 << 20

    def send_pieces(self, sock, seed, size):
        """Random bytes in pieces of odd sizes; their digest."""
        choice, digest = random.Random(seed), hashlib.sha256()
        block = choice.randbytes(1 << 20)
        while size:
            begin = choice.randrange(len(block))
            length = choice.choice((1, 13, 1000, 16383, 16385, 50001, 300007))
            piece = memoryview(block)[begin:begin + min(length, size)]
            digest.update(piece)
            sock.sendall(piece)
            size -= len(piece)
        return digest.hexdigest()

    def receive_pieces(self, sock, seed, size):
        choice, digest = random.Random(seed), hashlib.sha256()
        buffer = bytearray(100003)
        while size:
            limit = choice.choice((1, 7, 4096, 16384, 16389, 100003))
            if limit % 2:
                count = sock.recv_into(buffer, limit)
                part = memoryview(buffer)[:count]
            else:
                part = sock.recv(limit)
            if not len(part):
                break
            self.assertLessEqual(len(part), limit)
            digest.update(part)
            size -= len(part)
        self.assertEqual(size, 0)
        return digest.hexdigest()

    def exchange(self, client, server, size):
        sending = [Worker(self.send_pieces, sock, number, size) for number, sock in enumerate((client, server))]
        receiving = [Worker(self.receive_pieces, sock, number, size) for number, sock in enumerate((server, client))]
        for sent, received in zip(sending, receiving):
            self.assertEqual(received.result(LONG), sent.result(LONG))

    def test_one_direction_at_a_time(self):
        client, server = self.tls_pair()
        for seed, (left, right) in enumerate(((client, server), (server, client))):
            sending = Worker(self.send_pieces, left, seed, self.SIZE)
            self.assertEqual(self.receive_pieces(right, seed, self.SIZE), sending.result(LONG))

    # On CPython, where a thread reads and another writes, a call now and then raises the errno of the other one.

    @ours_only
    def test_both_directions_at_once(self):
        client, server = self.tls_pair()
        self.exchange(client, server, self.SIZE)

    @ours_only
    def test_with_timeouts(self):
        client, server = self.tls_pair()
        client.settimeout(LONG)
        server.settimeout(LONG)
        self.exchange(client, server, self.SIZE // 4)

    @ours_only
    def test_over_local_sockets_and_the_old_version(self):
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        client, server = self.tls_pair(client=context, sockets=self.pair())
        self.exchange(client, server, self.SIZE // 4)

    def test_through_files(self):
        client, server = self.tls_pair()
        data = os.urandom(4 << 20)

        def write():
            with client.makefile("wb", buffering=10007) as file:
                file.write(data)
            client.shutdown(socket.SHUT_WR)

        writing = Worker(write)
        with server.makefile("rb") as file:
            self.assertTrue(Worker(file.read).result(LONG) == data)
        writing.result()


class EchoHandler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class TlsServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, context):
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.context = context
        self.failures = []

    def finish_request(self, request, address):
        # The handshake in the connection's own thread: one slow client must not hold up the others.
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, address)

    def handle_error(self, request, address):
        self.failures.append(sys.exception())


class ManyTest(TlsTestCase):
    CLIENTS = 50

    def test_threaded_server(self):
        server = TlsServer(server_context())
        self.addCleanup(server.server_close)
        serving = Worker(server.serve_forever, 0.01)
        context = client_context()
        start = threading.Barrier(self.CLIENTS)

        def converse(number):
            start.wait(DEADLINE)
            with socket.create_connection(server.server_address, timeout=LONG) as sock:
                with context.wrap_socket(sock, server_hostname="localhost") as sock, sock.makefile("rwb") as file:
                    for line in range(20):
                        text = b"client %d line %d" % (number, line) + b"x" * (line * 100) + b"\n"
                        file.write(text)
                        file.flush()
                        self.assertEqual(file.readline(), text.upper())

        clients = [Worker(converse, number) for number in range(self.CLIENTS)]
        try:
            for client in clients:
                client.result(LONG)
        finally:
            server.shutdown()
            serving.finish()
        self.assertEqual([error for error in server.failures if not isinstance(error, (ConnectionError, ssl.SSLEOFError))], [])

    def test_one_context_in_many_threads(self):
        # Handshakes at once over local sockets, all with the same two contexts.
        client, server = client_context(), server_context()

        def shake(number):
            for _ in range(3):
                left, right = socket.socketpair()
                with left, right:
                    accepting = Worker(server.wrap_socket, right, server_side=True)
                    with client.wrap_socket(left, server_hostname="localhost") as ours, accepting.result() as theirs:
                        theirs.sendall(b"%d" % number)
                        self.assertEqual(ours.recv(10), b"%d" % number)

        for worker in [Worker(shake, number) for number in range(20)]:
            worker.result(LONG)


if __name__ == "__main__":
    unittest.main()
