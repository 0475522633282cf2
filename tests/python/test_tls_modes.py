"""ssl.SSLSocket in blocking, timeout and non-blocking mode: who waits, for what, how long, and what is lost (nothing)."""

import contextlib
import errno
import os
import random
import select
import socket
import ssl
import time
import unittest

from support import DEADLINE, Worker, ours_only, wait_for
from tls_support import OTHER, RawPeer, TlsTestCase, client_context, drive, server_context


def is_readable(sock, seconds=0):
    return bool(select.select([sock], [], [], seconds)[0])


class HandshakeTest(TlsTestCase):
    def lazy_pair(self, sockets=None):
        """A client and a server of which neither has begun the handshake."""
        left, right = sockets or self.tcp_pair()
        client = client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False)
        server = server_context().wrap_socket(right, server_side=True, do_handshake_on_connect=False)
        return self.keep(client), self.keep(server)

    def check(self, client, server):
        client.settimeout(DEADLINE)
        server.settimeout(DEADLINE)
        for left, right in ((client, server), (server, client)):
            left.sendall(b"hello")
            self.assertEqual(self.receive(right, 5), b"hello")

    def test_blocking(self):
        client, server = self.lazy_pair()
        shaking = Worker(server.do_handshake)
        self.assertIsNone(client.do_handshake())
        self.assertIsNone(shaking.result())
        self.check(client, server)

    def test_twice(self):
        client, server = self.lazy_pair()
        shaking = Worker(server.do_handshake)
        client.do_handshake()
        shaking.result()
        # A finished handshake is finished: nobody waits for a second.
        self.assertIsNone(client.do_handshake())
        self.assertIsNone(server.do_handshake())
        self.check(client, server)

    def test_non_blocking(self):
        for sockets in (self.tcp_pair(), self.pair()):
            with self.subTest(family=sockets[0].family):
                client, server = self.lazy_pair(sockets)
                client.setblocking(False)
                server.setblocking(False)
                drive({client: client.do_handshake, server: server.do_handshake})
                self.assertEqual(client.version(), "TLSv1.3")
                self.check(client, server)

    def test_non_blocking_says_what_it_wants(self):
        client, server = self.lazy_pair()
        client.setblocking(False)
        server.setblocking(False)
        with self.assertRaises(ssl.SSLWantReadError) as raised:
            server.do_handshake()
        self.assertEqual(raised.exception.errno, ssl.SSL_ERROR_WANT_READ)
        self.assertIsInstance(raised.exception, ssl.SSLError)
        self.assertNotIsInstance(raised.exception, BlockingIOError)
        self.assertFalse(is_readable(server))
        # The client's greeting has gone out when it asks to read.
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        self.assertTrue(is_readable(server, DEADLINE))
        self.assertEqual(server.gettimeout(), 0.0)

    def test_non_blocking_on_connect_is_refused(self):
        left, _ = self.tcp_pair()
        left.setblocking(False)
        with self.assertRaisesRegex(ValueError, "should not be specified for non-blocking sockets"):
            client_context().wrap_socket(left, server_hostname="localhost")
        self.assertEqual(left.fileno(), -1)

    def test_block_argument(self):
        client, server = self.lazy_pair()
        client.setblocking(False)
        shaking = Worker(server.do_handshake)
        client.do_handshake(block=True)
        shaking.result()
        self.assertEqual(client.gettimeout(), 0.0)
        self.check(client, server)

    def test_timeout(self):
        left, _ = self.tcp_pair()
        left.settimeout(0.05)
        begin = time.monotonic()
        with self.assertRaisesRegex(TimeoutError, "The handshake operation timed out"):
            client_context().wrap_socket(left, server_hostname="localhost")
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        self.assertEqual(left.fileno(), -1)

    def test_timeout_can_be_resumed(self):
        client, server = self.lazy_pair()
        client.settimeout(0.01)
        for _ in range(3):
            self.assertRaises(TimeoutError, client.do_handshake)
        self.assertEqual(client.gettimeout(), 0.01)
        client.settimeout(DEADLINE)
        shaking = Worker(server.do_handshake)
        client.do_handshake()
        shaking.result()
        self.check(client, server)

    def test_byte_by_byte(self):
        for server_side in (True, False):
            with self.subTest(server_side=server_side):
                left, right = self.tcp_pair()
                right.settimeout(DEADLINE)
                context = server_context() if server_side else client_context()
                sock = self.keep(context.wrap_socket(left, server_side=server_side, do_handshake_on_connect=False,
                                                     server_hostname=None if server_side else "localhost"))
                sock.setblocking(False)
                peer = RawPeer(right, server_side=not server_side, hostname="localhost" if server_side else None)
                shaken = False
                while not shaken:
                    with contextlib.suppress(ssl.SSLWantReadError):
                        peer.tls.do_handshake()
                        shaken = True
                    for byte in peer.outgoing.read():
                        with contextlib.suppress(ssl.SSLWantReadError):
                            sock.do_handshake()
                        right.sendall(bytes([byte]))
                        self.assertTrue(is_readable(sock, DEADLINE))
                    with contextlib.suppress(ssl.SSLWantReadError):
                        sock.do_handshake()
                    if not shaken:
                        peer.receive()
                drive({sock: sock.do_handshake})
                peer.sock.sendall(peer.records(b"hello"))
                self.assertEqual(drive({sock: lambda: sock.recv(10)})[sock], b"hello")
                sock.sendall(b"hello")
                self.assertEqual(peer.read(), b"hello")

    def test_name_callback_of_a_non_blocking_server(self):
        calls, other = [], server_context(OTHER)

        def choose(sock, name, context):
            calls.append(name)
            sock.context = other

        left, right = self.tcp_pair()
        context = server_context()
        context.sni_callback = choose
        server = self.keep(context.wrap_socket(right, server_side=True, do_handshake_on_connect=False))
        client = self.keep(client_context().wrap_socket(left, server_hostname="other.test", do_handshake_on_connect=False))
        client.setblocking(False)
        server.setblocking(False)
        # Tried before anything has come, and then once a segment.
        self.assertRaises(ssl.SSLWantReadError, server.do_handshake)
        drive({client: client.do_handshake, server: server.do_handshake})
        self.assertEqual(calls, ["other.test"])
        self.check(client, server)

    def test_data_calls_do_the_handshake(self):
        for first in ("send", "recv"):
            with self.subTest(first=first):
                client, server = self.lazy_pair()
                if first == "send":
                    calling = Worker(client.sendall, b"hello")
                    self.assertEqual(server.recv(5), b"hello")
                else:
                    calling = Worker(client.recv, 5)
                    server.sendall(b"hello")
                    self.assertEqual(calling.result(), b"hello")
                calling.result()
                self.check(client, server)

    def test_failure_closes_nothing_twice(self):
        # A peer that hangs up in the middle of the handshake.
        client, server = self.lazy_pair()
        shaking = Worker(client.do_handshake)
        wait_for(lambda: is_readable(server), "the client speaks")
        server.close()
        with self.assertRaises(OSError):
            shaking.result()
        self.assertGreaterEqual(client.fileno(), 0)

    def test_peer_speaks_no_tls(self):
        client, server = self.lazy_pair()
        with socket.socket(fileno=server.detach()) as plain:
            shaking = Worker(client.do_handshake)
            plain.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nthis is no TLS server\r\n")
            with self.assertRaises(ssl.SSLError):
                shaking.result()


class ConnectTest(TlsTestCase):
    def setUp(self):
        self.gate = self.keep(server_context().wrap_socket(self.listener(), server_side=True))

    def unconnected(self, **wrap):
        return self.keep(client_context().wrap_socket(socket.socket(), server_hostname="localhost", **wrap))

    def check(self, client, accepting):
        server = self.keep(accepting.result()[0])
        server.sendall(b"hello")
        client.settimeout(DEADLINE)
        self.assertEqual(client.recv(5), b"hello")

    def test_connect(self):
        for timeout in (None, DEADLINE):
            with self.subTest(timeout=timeout):
                client, accepting = self.unconnected(), Worker(self.gate.accept)
                client.settimeout(timeout)
                self.assertIsNone(client.connect(self.gate.getsockname()))
                self.assertEqual(client.version(), "TLSv1.3")
                self.assertEqual(client.gettimeout(), timeout)
                self.check(client, accepting)

    def test_connect_ex(self):
        client, accepting = self.unconnected(), Worker(self.gate.accept)
        self.assertEqual(client.connect_ex(self.gate.getsockname()), 0)
        self.assertEqual(client.version(), "TLSv1.3")
        self.check(client, accepting)

    def test_without_the_handshake(self):
        client, accepting = self.unconnected(do_handshake_on_connect=False), Worker(self.gate.accept)
        client.connect(self.gate.getsockname())
        self.assertIsNone(client.version())
        client.do_handshake()
        self.check(client, accepting)

    def test_non_blocking(self):
        client, accepting = self.unconnected(do_handshake_on_connect=False), Worker(self.gate.accept)
        client.setblocking(False)
        self.assertIn(client.connect_ex(self.gate.getsockname()), (0, errno.EINPROGRESS, errno.EWOULDBLOCK))
        self.assertTrue(select.select([], [client], [], DEADLINE)[1])
        drive({client: client.do_handshake})
        self.assertTrue(client.getpeercert())
        self.check(client, accepting)

    def test_refused(self):
        address = self.gate.getsockname()
        self.gate.close()
        with self.assertRaises(ConnectionRefusedError):
            self.unconnected().connect(address)
        client = self.unconnected()
        self.assertEqual(client.connect_ex(address), errno.ECONNREFUSED)
        self.assertIsNone(client.version())

    def test_timeout_while_connecting(self):
        client = self.unconnected()
        client.settimeout(0.05)
        with self.assertRaises(TimeoutError):
            client.connect(self.full_listener().getsockname())

    def test_timeout_while_shaking_hands(self):
        silent = self.listener()
        client = self.unconnected()
        client.settimeout(0.05)
        begin = time.monotonic()
        with self.assertRaises(TimeoutError):
            client.connect(silent.getsockname())
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)

    def test_accept_waits_for_the_handshake_of_its_client(self):
        accepting = Worker(self.gate.accept)
        client = self.keep(socket.create_connection(self.gate.getsockname()))
        accepting.wait_blocked()
        client.close()
        with self.assertRaises(OSError):
            accepting.result()
        # The listener serves the next.
        client, accepting = self.unconnected(), Worker(self.gate.accept)
        client.connect(self.gate.getsockname())
        self.check(client, accepting)

    def test_accept_of_a_non_blocking_listener(self):
        self.gate.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.gate.accept()
        self.gate.settimeout(0.01)
        with self.assertRaises(TimeoutError):
            self.gate.accept()


class ReadTest(TlsTestCase):
    def test_blocking(self):
        client, server = self.tls_pair()
        for size in (1, 100):
            reading = Worker(client.recv, size).wait_blocked()
            server.sendall(b"x" * size)
            self.assertEqual(reading.result(), b"x" * size)
        buffer = bytearray(10)
        reading = Worker(client.recv_into, buffer).wait_blocked()
        server.sendall(b"hello")
        self.assertEqual(reading.result(), 5)
        self.assertEqual(buffer[:5], b"hello")

    def test_timeout(self):
        client, server = self.tls_pair()
        client.settimeout(0.05)
        for call in (client.recv, client.read, lambda size: client.recv_into(bytearray(size))):
            begin = time.monotonic()
            with self.assertRaisesRegex(TimeoutError, "The read operation timed out") as raised:
                call(10)
            self.assertGreaterEqual(time.monotonic() - begin, 0.05)
            self.assertIs(type(raised.exception), socket.timeout)
        client.settimeout(DEADLINE)
        server.sendall(b"late")
        self.assertEqual(client.recv(10), b"late")

    def test_ready_data_in_no_time(self):
        # What is there is taken, however short the timeout.
        client, server = self.tls_pair()
        server.sendall(b"ready")
        self.assertEqual(client.recv(1), b"r")
        server.sendall(b"in the kernel")
        self.assertTrue(is_readable(client, DEADLINE))
        client.settimeout(1e-9)
        self.assertEqual(client.recv(100), b"eady")
        self.assertEqual(client.recv(100), b"in the kernel")
        self.assertRaises(TimeoutError, client.recv, 100)

    def test_timeout_inside_a_record(self):
        client, peer = self.raw_peer()
        record = peer.records(b"torn apart")
        peer.sock.sendall(record[:-1])
        client.settimeout(0.01)
        for _ in range(3):
            self.assertRaises(TimeoutError, client.recv, 100)
        peer.sock.sendall(record[-1:])
        client.settimeout(DEADLINE)
        self.assertEqual(client.recv(100), b"torn apart")

    def test_want_read(self):
        client, server = self.tls_pair()
        client.setblocking(False)
        for call in (client.recv, client.read, lambda size: client.recv_into(bytearray(size))):
            with self.assertRaisesRegex(ssl.SSLWantReadError, r"The operation did not complete \(read\)") as raised:
                call(10)
            self.assertEqual(raised.exception.args[0], ssl.SSL_ERROR_WANT_READ)
        server.sendall(b"now")
        self.assertEqual(drive({client: lambda: client.recv(10)}), {client: b"now"})
        self.assertRaises(ssl.SSLWantReadError, client.recv, 10)

    def test_byte_by_byte(self):
        # A record is readable for select long before it is whole; no try in between may lose what it has read.
        client, peer = self.raw_peer()
        client.setblocking(False)
        for data in (b"a", b"message", os.urandom(200)):
            stream = peer.records(data)
            for position in range(len(stream)):
                self.assertRaises(ssl.SSLWantReadError, client.recv, 1000)
                self.assertEqual(client.pending(), 0)
                peer.sock.sendall(stream[position:position + 1])
                self.assertTrue(is_readable(client, DEADLINE))
            self.assertEqual(client.recv(1000), data)

    def test_odd_pieces(self):
        client, peer = self.raw_peer()
        client.setblocking(False)
        random.seed(5)
        data = os.urandom(100000)
        stream = peer.records(data)
        received = bytearray()
        while stream:
            size = random.choice((1, 2, 4, 5, 6, 100, 4096, 16384, 20000))
            peer.sock.sendall(stream[:size])
            stream = stream[size:]
            while is_readable(client) or client.pending():
                try:
                    received += client.recv(random.choice((1, 3, 1000, 16384, 50000)))
                except ssl.SSLWantReadError:
                    break
        while len(received) < len(data):
            received += drive({client: lambda: client.recv(65536)})[client]
        self.assertEqual(bytes(received), data)


class ReadinessTest(TlsTestCase):
    """A program that calls recv only where `select` or `pending` says so must receive everything."""

    def receive_when_told(self, client, total, size):
        received = bytearray()
        while len(received) < total:
            if not client.pending() and not is_readable(client, 5):
                self.fail(f"{len(received)} of {total} bytes received, and nothing says that there is more")
            try:
                part = client.recv(size)
            except ssl.SSLWantReadError:
                self.assertEqual(client.pending(), 0)
                continue
            self.assertTrue(part)
            received += part
        return bytes(received)

    def test_many_small_records_in_one_burst(self):
        for size in (1, 7, 1000, 65536):
            with self.subTest(size=size):
                client, peer = self.raw_peer()
                client.setblocking(False)
                messages = [b"message %d;" % number for number in range(300)]
                stream = b"".join(peer.records(message) for message in messages)
                peer.sock.sendall(stream)
                data = b"".join(messages)
                self.assertEqual(self.receive_when_told(client, len(data), size), data)
                self.assertEqual(client.pending(), 0)
                self.assertRaises(ssl.SSLWantReadError, client.recv, 1)

    def test_records_larger_than_the_reads(self):
        client, peer = self.raw_peer()
        client.setblocking(False)
        data = os.urandom(100000)
        peer.sock.sendall(peer.records(data))
        self.assertEqual(self.receive_when_told(client, len(data), 1500), data)

    def test_records_that_came_with_the_handshake(self):
        # The server speaks at once: its first records travel with the end of its handshake.
        left, right = self.tcp_pair()
        context = server_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        peer = RawPeer(right, context)
        right.settimeout(DEADLINE)

        def serve():
            while True:
                try:
                    peer.tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    peer.flush()
                    peer.receive()
            data = peer.outgoing.read()
            right.sendall(data + b"".join(peer.records(b"line %d;" % number) for number in range(50)))

        serving = Worker(serve)
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost"))
        serving.result()
        client.setblocking(False)
        data = b"".join(b"line %d;" % number for number in range(50))
        self.assertEqual(self.receive_when_told(client, len(data), 3), data)

    def test_records_in_one_segment_with_the_handshakes_end(self):
        # The client speaks at once: its first records follow the last message of its handshake.
        left, right = self.tcp_pair()
        left.settimeout(DEADLINE)
        peer = RawPeer(left, server_side=False, hostname="localhost")
        server = self.keep(server_context().wrap_socket(right, server_side=True, do_handshake_on_connect=False))
        shaking = Worker(server.do_handshake)
        while True:
            try:
                peer.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.flush()
                peer.receive()
        end = peer.outgoing.read()
        self.assertTrue(end)
        left.sendall(end + b"".join(peer.records(b"line %d;" % number) for number in range(50)))
        shaking.result()
        server.setblocking(False)
        data = b"".join(b"line %d;" % number for number in range(50))
        self.assertEqual(self.receive_when_told(server, len(data), 1000), data)

    def test_end_behind_data(self):
        # The peer's close_notify and its FIN came in one burst with the data: the end must be told too.
        client, peer = self.raw_peer()
        client.setblocking(False)
        peer.sock.sendall(peer.records(b"first") + peer.records(b"last") + peer.farewell())
        self.assertEqual(self.receive_when_told(client, 9, 65536), b"firstlast")
        self.assertTrue(is_readable(client, DEADLINE) or client.pending())
        self.assertEqual(client.recv(10), b"")

    def test_long_records_torn_anywhere(self):
        # A call may take more than one of them, and the next one's header: never what makes `select` tell of the rest.
        client, peer = self.raw_peer()
        client.setblocking(False)
        choice = random.Random(5)
        data = choice.randbytes(300_000)
        wire = peer.records(data)
        cuts = sorted({choice.randrange(len(wire)) for _ in range(60)} | {0, 3, 5, 6, len(wire)})
        received = b""
        for begin, end in zip(cuts, cuts[1:]):
            peer.sock.sendall(wire[begin:end])
            size = choice.choice((16384, 20_000, 65536))
            # There is room for a whole record, so `select` alone is enough.
            while is_readable(client):
                try:
                    received += client.recv(size)
                except ssl.SSLWantReadError:
                    pass
                self.assertEqual(client.pending(), 0)
        while len(received) < len(data) and is_readable(client, DEADLINE):
            received += client.recv(size)
        self.assertTrue(received == data)

    def test_poll_and_selectors_agree(self):
        client, server = self.tls_pair()
        client.setblocking(False)
        # The tickets of a TLS 1.3 server make the client readable and are no data.
        self.assertRaises(ssl.SSLWantReadError, client.recv, 1)
        poller = select.poll()
        poller.register(client, select.POLLIN)
        self.assertEqual(poller.poll(0), [])
        server.sendall(b"x")
        self.assertEqual(poller.poll(DEADLINE * 1000), [(client.fileno(), select.POLLIN)])
        self.assertEqual(client.recv(1), b"x")
        self.assertEqual(poller.poll(0), [])


class WriteTest(TlsTestCase):
    # Local sockets: their small fixed buffers fill at once, whatever the machine's TCP settings.
    def full_pair(self):
        client, server = self.tls_pair(sockets=self.pair())
        return client, server

    def test_timeout(self):
        client, server = self.full_pair()
        client.settimeout(0.05)
        begin = time.monotonic()
        with self.assertRaisesRegex(TimeoutError, "The write operation timed out"):
            client.sendall(bytes(10 << 20))
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)

    def test_blocking_send_waits_for_room(self):
        client, server = self.full_pair()
        data = os.urandom(2 << 20)
        sending = Worker(client.sendall, data).wait_blocked()
        self.assertEqual(self.receive(server, len(data)), data)
        sending.result()

    def fill_with(self, client, chunk):
        """Send the chunk until no more goes; how often it went, as counts of bytes."""
        client.setblocking(False)
        sent = []
        with self.assertRaisesRegex(ssl.SSLWantWriteError, r"The operation did not complete \(write\)") as raised:
            while True:
                sent.append(client.send(chunk))
        self.assertEqual(raised.exception.args[0], ssl.SSL_ERROR_WANT_WRITE)
        self.assertNotIsInstance(raised.exception, BlockingIOError)
        return sent

    def test_want_write(self):
        client, server = self.full_pair()
        chunk = os.urandom(10000)
        sent = self.fill_with(client, chunk)
        self.assertGreater(len(sent), 0)
        # Nobody has made room: it stays so.
        self.assertRaises(ssl.SSLWantWriteError, client.send, chunk)
        total = b"".join(chunk[:size] for size in sent)
        self.assertEqual(self.receive(server, len(total)), total)

    def retried(self, same):
        """Fill, make room, retry with `same(chunk)` until it goes: the stream must hold what was sent, once."""
        client, server = self.full_pair()
        chunk = os.urandom(12345)
        sent = self.fill_with(client, chunk)
        stream = b"".join(chunk[:size] for size in sent)
        retrying = Worker(drive, {client: lambda: client.send(same(chunk))})
        received = self.receive(server, len(stream))
        count = retrying.result()[client]
        self.assertGreater(count, 0)
        client.settimeout(DEADLINE)
        client.sendall(b"the end")
        received += self.receive(server, count + len(b"the end"))
        self.assertEqual(received, stream + bytes(same(chunk))[:count] + b"the end")

    def test_retry_with_the_same_object(self):
        self.retried(lambda chunk: chunk)

    def test_retry_with_another_object_of_the_same_content(self):
        self.retried(lambda chunk: bytes(bytearray(chunk)))

    def test_retry_with_other_kinds_of_the_same_content(self):
        self.retried(bytearray)
        self.retried(memoryview)

    def test_retry_with_more_behind_the_same_content(self):
        # The way of programs that keep one growing buffer of what is still to be sent.
        self.retried(lambda chunk: chunk + b"and more" * 1000)

    def wrong_retry(self):
        """(client, server, stream, chunk): `chunk` waits to be sent behind `stream`, and a shorter retry was refused."""
        client, server = self.full_pair()
        chunk = os.urandom(16384)
        stream = b"".join(chunk[:size] for size in self.fill_with(client, chunk))
        with self.assertRaises(ssl.SSLError) as raised:
            client.send(chunk[:10])
        self.assertNotIsInstance(raised.exception, (ssl.SSLWantReadError, ssl.SSLWantWriteError))
        return client, server, stream, chunk

    def test_retry_with_less(self):
        client, server, stream, _ = self.wrong_retry()
        self.assertEqual(self.receive(server, len(stream)), stream)

    @ours_only
    def test_wrong_retry_does_no_harm(self):
        # OpenSSL never sends again after it.
        client, server, stream, chunk = self.wrong_retry()
        client.settimeout(DEADLINE)
        sending = Worker(client.sendall, chunk)
        self.assertEqual(self.receive(server, len(stream) + len(chunk)), stream + chunk)
        sending.result()

    def test_retry_after_a_timeout(self):
        client, server = self.full_pair()
        chunk = os.urandom(16384)
        stream = b"".join(chunk[:size] for size in self.fill_with(client, chunk))
        client.settimeout(0.01)
        self.assertRaises(TimeoutError, client.send, chunk)
        client.settimeout(DEADLINE)
        sending = Worker(client.sendall, chunk)
        self.assertEqual(self.receive(server, len(stream) + len(chunk)), stream + chunk)
        sending.result()

    def test_buffers_are_let_go(self):
        client, _ = self.full_pair()
        chunk = bytearray(16384)
        self.fill_with(client, chunk)
        self.assertRaises(ssl.SSLWantWriteError, client.send, chunk)
        client.settimeout(0.01)
        self.assertRaises(TimeoutError, client.send, chunk)
        client.settimeout(0)
        into = bytearray(10)
        self.assertRaises(ssl.SSLWantReadError, client.recv_into, into)
        # Neither is locked against a change of its size.
        chunk.extend(b"more")
        into.extend(b"more")

    def test_reading_between_the_retries(self):
        # A write that waits for room must not be in the way of the reader, who may have to make that room.
        client, server = self.full_pair()
        chunk = os.urandom(16384)
        stream = b"".join(chunk[:size] for size in self.fill_with(client, chunk))
        server.sendall(b"from the server")
        self.assertEqual(drive({client: lambda: client.recv(100)})[client], b"from the server")
        self.assertRaises(ssl.SSLWantWriteError, client.send, chunk)
        self.assertRaises(ssl.SSLWantReadError, client.recv, 100)
        received = self.receive(server, len(stream))
        client.settimeout(DEADLINE)
        client.sendall(chunk)
        received += self.receive(server, len(chunk))
        self.assertEqual(received, stream + chunk)

    def test_non_blocking_echo_of_much(self):
        # One thread, select and the sizes that send reports: the way of an event loop of one's own.
        client, server = self.full_pair()
        client.setblocking(False)
        server.setblocking(False)
        data = os.urandom(3 << 20)
        view, position, received = memoryview(data), 0, bytearray()
        refusals = 0
        while len(received) < len(data):
            writers = [client] if position < len(data) else []
            readable, writable, _ = select.select([server], writers, [], 5)
            self.assertTrue(readable or writable or server.pending())
            try:
                while writable and position < len(data):
                    position += client.send(view[position:position + 30000])
            except ssl.SSLWantWriteError:
                refusals += 1
            try:
                while readable or server.pending():
                    received += server.recv(10000)
            except ssl.SSLWantReadError:
                pass
        self.assertGreater(refusals, 0)
        self.assertEqual(bytes(received), data)

    def test_writable_for_select(self):
        client, server = self.full_pair()
        self.assertTrue(select.select([], [client], [], 0)[1])
        self.fill_with(client, bytes(16384))
        self.assertFalse(select.select([], [client], [], 0)[1])
        server.settimeout(DEADLINE)
        wait_for(lambda: server.recv(65536) and select.select([], [client], [], 0)[1], "the writer is told of the room")


if __name__ == "__main__":
    unittest.main()
