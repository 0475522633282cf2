"""How a TLS connection ends: unwrap and plain text around TLS, half-close, a missing goodbye, resets, close."""

import contextlib
import errno
import os
import select
import socket
import ssl
import struct
import time
import unittest

from support import DEADLINE, Worker, ours_only
from tls_support import RawPeer, TlsTestCase, client_context, drive, server_context


def reset_on_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class UnwrapTest(TlsTestCase):
    VERSION = ssl.TLSVersion.TLSv1_3

    def client_context(self):
        context = client_context()
        context.maximum_version = self.VERSION
        return context

    def connect(self, **wrap):
        return self.raw_peer(self.client_context(), **wrap)

    def pair_of_sockets(self):
        return self.tls_pair(client=self.client_context())

    def check_plain(self, left, right):
        for one, other in ((left, right), (right, left)):
            one.settimeout(DEADLINE)
            other.settimeout(DEADLINE)
            one.sendall(b"in plain text")
            self.assertEqual(self.receive(other, 13), b"in plain text")

    def test_one_after_the_other(self):
        for first_is_server in (False, True):
            with self.subTest(first_is_server=first_is_server):
                first, second = self.pair_of_sockets()
                if first_is_server:
                    # Without data the tickets of a server would still lie unread.
                    second.sendall(b"x")
                    self.assertEqual(first.recv(1), b"x")
                    first, second = second, first
                leaving = Worker(first.unwrap)
                self.assertEqual(second.recv(10), b"")
                self.assertIs(second.unwrap(), second)
                self.assertIs(leaving.result(), first)
                self.assertIsNone(first.version())
                self.assertEqual(first.pending(), 0)
                self.check_plain(first, second)

    def test_both_at_once(self):
        client, server = self.pair_of_sockets()
        server.sendall(b"x")
        self.assertEqual(client.recv(1), b"x")
        leaving = Worker(client.unwrap)
        server.unwrap()
        leaving.result()
        self.check_plain(client, server)

    def test_twice(self):
        client, server = self.pair_of_sockets()
        leaving = Worker(client.unwrap)
        server.unwrap()
        leaving.result()
        for call in (client.unwrap, client.read, lambda: client.write(b"x")):
            self.assertRaises(ValueError, call)

    def test_plain_text_before_and_after(self):
        left, right = self.tcp_pair()

        def serve():
            sock = right
            for number in range(3):
                self.assertEqual(self.receive(sock, 8), b"STARTTLS")
                sock.sendall(b"go ahead")
                sock = self.keep(server_context().wrap_socket(sock, server_side=True))
                secret = self.receive(sock, 6)
                sock.sendall(secret.upper())
                sock = sock.unwrap()
                sock.sendall(b"plain")
            return sock

        serving = Worker(serve)
        sock = left
        sock.settimeout(DEADLINE)
        for number in range(3):
            sock.sendall(b"STARTTLS")
            self.assertEqual(self.receive(sock, 8), b"go ahead")
            sock = self.keep(self.client_context().wrap_socket(sock, server_hostname="localhost"))
            self.assertEqual(sock.version(), self.VERSION.name.replace("_", "."))
            sock.sendall(b"secret")
            self.assertEqual(self.receive(sock, 6), b"SECRET")
            sock = sock.unwrap()
            self.assertEqual(self.receive(sock, 5), b"plain")
        serving.result()

    def test_greeting_in_one_segment_with_the_handshake(self):
        left, right = self.tcp_pair()
        peer = RawPeer(left, self.client_context(), server_side=False, hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        left.sendall(b"STARTTLS" + peer.outgoing.read())
        left.settimeout(DEADLINE)
        self.assertEqual(right.recv(8), b"STARTTLS")
        shaking = Worker(peer.handshake)
        server = self.keep(server_context().wrap_socket(right, server_side=True))
        shaking.result()
        server.sendall(b"hello")
        self.assertEqual(peer.read(), b"hello")

    def test_plain_text_in_one_segment_with_the_goodbye(self):
        for name, read_first in (("unwrap at once", False), ("read to the end, then unwrap", True)):
            with self.subTest(name):
                client, peer = self.connect()
                peer.sock.sendall(peer.records(b"data") + peer.farewell() + b"plain trailer")
                self.assertEqual(client.recv(100), b"data")
                if read_first:
                    self.assertEqual(client.recv(100), b"")
                    self.assertEqual(client.recv(100), b"")
                plain = client.unwrap()
                plain.settimeout(DEADLINE)
                self.assertEqual(plain.recv(5), b"plain")
                self.assertEqual(plain.recv(100), b" trailer")
                # The peer heard the goodbye, and plain text after it in the other direction.
                plain.sendall(b"answer")
                heard = b""
                while not heard.endswith(b"answer"):
                    heard += peer.sock.recv(100)
                self.assertGreater(len(heard), len(b"answer"))

    def test_much_plain_text_behind_the_goodbye(self):
        client, peer = self.connect()
        trailer = os.urandom(300000)
        sending = Worker(peer.sock.sendall, peer.records(b"data" * 10000) + peer.farewell() + trailer)
        self.assertEqual(self.receive(client, 40000), b"data" * 10000)
        plain = client.unwrap()
        buffer = bytearray(1000)
        self.assertEqual(plain.recv_into(buffer), 1000)
        self.assertEqual(buffer + self.receive(plain, len(trailer) - 1000), trailer)
        sending.result()

    def test_trailer_is_seen_by_select_and_by_files(self):
        client, peer = self.connect()
        peer.sock.sendall(peer.farewell() + b"first line\nsecond line\n")
        plain = client.unwrap()
        self.assertTrue(select.select([plain], [], [], 0)[0])
        with plain.makefile("rb") as file:
            self.assertEqual(file.readline(), b"first line\n")
            self.assertEqual(file.readline(), b"second line\n")

    def test_trailer_for_who_detaches(self):
        client, peer = self.connect()
        peer.sock.sendall(peer.farewell() + b"plain trailer")
        plain = client.unwrap()
        with socket.socket(fileno=plain.detach()) as other:
            other.settimeout(DEADLINE)
            self.assertEqual(other.recv(100), b"plain trailer")

    def test_trailer_for_another_handshake(self):
        # Behind the goodbye comes the greeting of the next TLS client, in one segment.
        left, right = self.tcp_pair()
        left.settimeout(DEADLINE)
        peer = RawPeer(left, self.client_context(), server_side=False, hostname="localhost")
        shaking = Worker(peer.handshake)
        server = self.keep(server_context().wrap_socket(right, server_side=True))
        shaking.result()
        again = RawPeer(left, self.client_context(), server_side=False, hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            again.tls.do_handshake()
        left.sendall(peer.farewell() + again.outgoing.read())
        plain = server.unwrap()
        # The end of the first connection, for which the client waits before it listens to the second.
        while True:
            try:
                peer.tls.unwrap()
                break
            except ssl.SSLWantReadError:
                peer.incoming.write(left.recv(1 << 16))
        self.assertEqual(peer.incoming.pending, 0)
        shaking = Worker(again.handshake)
        server = self.keep(server_context().wrap_socket(plain, server_side=True))
        shaking.result()
        server.sendall(b"second")
        self.assertEqual(again.read(), b"second")

    def test_goodbye_byte_by_byte(self):
        client, peer = self.connect()
        client.setblocking(False)
        self.assertRaises(ssl.SSLWantReadError, client.recv, 1)
        stream = peer.farewell() + b"plain"
        for position in range(len(stream) - 5):
            self.assertRaises(ssl.SSLWantReadError, client.unwrap)
            peer.sock.sendall(stream[position:position + 1])
            self.assertTrue(select.select([client], [], [], DEADLINE)[0])
        peer.sock.sendall(stream[-5:])
        plain = drive({client: client.unwrap})[client]
        plain.settimeout(DEADLINE)
        self.assertEqual(self.receive(plain, 5), b"plain")

    def test_non_blocking(self):
        client, server = self.pair_of_sockets()
        client.setblocking(False)
        server.setblocking(False)
        self.assertRaises(ssl.SSLWantReadError, client.unwrap)
        drive({client: client.unwrap, server: server.unwrap})
        self.check_plain(client, server)

    def test_timeout(self):
        client, peer = self.connect()
        client.settimeout(0.05)
        begin = time.monotonic()
        with self.assertRaisesRegex(TimeoutError, "The read operation timed out"):
            client.unwrap()
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        client.settimeout(DEADLINE)
        peer.sock.sendall(peer.farewell())
        self.assertIs(client.unwrap(), client)

    def test_of_a_connection_that_is_gone(self):
        client, peer = self.connect()
        peer.sock.close()
        with self.assertRaises(OSError):
            client.unwrap()


class OldUnwrapTest(UnwrapTest):
    VERSION = ssl.TLSVersion.TLSv1_2


class EndOfFileTest(TlsTestCase):
    def ends(self, goodbye, suppress, rest=b""):
        client, peer = self.raw_peer(suppress_ragged_eofs=suppress)
        peer.sock.sendall(peer.records(b"data") + rest + (peer.farewell() if goodbye else b""))
        peer.sock.shutdown(socket.SHUT_WR)
        self.assertEqual(client.recv(100), b"data")
        return client, peer

    def test_goodbye(self):
        for suppress in (True, False):
            with self.subTest(suppress=suppress):
                client, _ = self.ends(True, suppress)
                for _ in range(3):
                    self.assertEqual(client.recv(100), b"")
                    self.assertEqual(client.read(), b"")
                    self.assertEqual(client.recv_into(bytearray(10)), 0)

    def test_goodbye_without_the_end_of_the_stream(self):
        client, peer = self.raw_peer()
        peer.sock.sendall(peer.records(b"data") + peer.farewell())
        self.assertEqual(client.recv(100), b"data")
        self.assertEqual(client.recv(100), b"")
        client.setblocking(False)
        self.assertEqual(client.recv(100), b"")

    def test_missing_goodbye(self):
        client, _ = self.ends(False, True)
        for _ in range(3):
            self.assertEqual(client.recv(100), b"")
            self.assertEqual(client.recv_into(bytearray(10)), 0)
        client, _ = self.ends(False, False)
        for call in (lambda: client.recv(100), client.read, lambda: client.recv_into(bytearray(10))):
            with self.assertRaises(ssl.SSLEOFError) as raised:
                call()
            self.assertEqual(raised.exception.errno, ssl.SSL_ERROR_EOF)

    def test_end_inside_a_record(self):
        for cut in (1, 4, 5, 20):
            for suppress in (True, False):
                with self.subTest(cut=cut, suppress=suppress):
                    client, peer = self.raw_peer(suppress_ragged_eofs=suppress)
                    peer.sock.sendall(peer.records(b"data") + peer.records(b"more")[:cut])
                    peer.sock.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.recv(100), b"data")
                    if suppress:
                        self.assertEqual(client.recv(100), b"")
                    else:
                        self.assertRaises(ssl.SSLEOFError, client.recv, 100)

    def test_end_while_waiting(self):
        for suppress in (True, False):
            client, peer = self.raw_peer(suppress_ragged_eofs=suppress)
            reading = Worker(client.recv, 100).wait_blocked()
            peer.sock.shutdown(socket.SHUT_WR)
            if suppress:
                self.assertEqual(reading.result(), b"")
            else:
                self.assertRaises(ssl.SSLEOFError, reading.result)

    def test_non_blocking(self):
        client, peer = self.raw_peer(suppress_ragged_eofs=False)
        client.setblocking(False)
        self.assertRaises(ssl.SSLWantReadError, client.recv, 1)
        peer.sock.shutdown(socket.SHUT_WR)
        self.assertTrue(select.select([client], [], [], DEADLINE)[0])
        self.assertRaises(ssl.SSLEOFError, client.recv, 1)

    def test_writing_after_the_peers_goodbye(self):
        # A half-closed TLS 1.3 connection still carries data the other way.
        client, peer = self.raw_peer()
        peer.sock.sendall(peer.farewell())
        self.assertEqual(client.recv(10), b"")
        client.sendall(b"last words")
        self.assertEqual(peer.sock.recv(1000)[:3], b"\x17\x03\x03")

    def test_truncation_cannot_be_forged(self):
        # Who sits on the wire has no key: what he adds must never look like a regular end.
        for forged in (b"HTTP/1.1 200 OK\r\n\r\n", b"\x15\x03\x03\x00\x02\x01\x00", b"\x17\x03\x03\x00\x20" + bytes(32),
                       bytes(40), b"\x17\x03\x03\xff\xff" + bytes(0xffff)):
            with self.subTest(forged=forged[:10]):
                client, peer = self.raw_peer()
                client.settimeout(DEADLINE)
                peer.sock.sendall(peer.records(b"data"))
                self.assertEqual(client.recv(100), b"data")
                peer.sock.sendall(forged)
                with self.assertRaises(ssl.SSLError) as raised:
                    client.recv(100)
                self.assertNotIsInstance(raised.exception, ssl.SSLEOFError)

    def test_data_before_a_forged_record(self):
        # However much of it a call takes at once, the data comes first and the error then.
        for extra in (0, 1):
            client, peer = self.raw_peer()
            client.settimeout(DEADLINE)
            data = os.urandom(50_000)
            peer.sock.sendall(peer.records(data) + b"\x17\x03\x03\x20\x00" + bytes(0x2000 * extra))
            if not extra:
                peer.sock.close()
            received = b""
            with self.assertRaises(ssl.SSLError):
                while part := client.read(65536) if extra else client._sslobj.read(65536):
                    received += part
            self.assertTrue(received == data)

    def test_alert_for_the_forger(self):
        # The peer learns why: an alert comes back, not just an end.
        client, peer = self.raw_peer()
        client.settimeout(DEADLINE)
        peer.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.assertRaises(ssl.SSLError, client.recv, 100)
        with self.assertRaises(ssl.SSLError) as raised:
            peer.read()
        self.assertIn("ALERT", raised.exception.reason)


    def test_a_broken_connection_stays_broken(self):
        client, peer = self.raw_peer()
        client.settimeout(DEADLINE)
        peer.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.assertRaises(ssl.SSLError, client.recv, 100)
        # Nobody waits for more of it: an end or an error, at once.
        with contextlib.suppress(ssl.SSLError):
            self.assertEqual(client.recv(100), b"")
        with self.assertRaises(ssl.SSLError):
            client.send(b"x")


class ShutdownTest(TlsTestCase):
    def test_write_side(self):
        client, server = self.tls_pair()
        client.sendall(b"all I have to say")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(self.receive(server, 17), b"all I have to say")
        # TLS is over for who shuts down: what still comes is not decrypted, and nothing goes out.
        self.assertIsNone(client.version())
        server.sendall(b"secret")
        client.settimeout(DEADLINE)
        received = client.recv(10000)
        self.assertIn(received[:1], (b"\x16", b"\x17"))
        self.assertNotIn(b"secret", received)
        self.assertRaises(BrokenPipeError, client.send, b"x")

    def test_ragged_for_the_other(self):
        left, right = self.tcp_pair()
        accepting = Worker(server_context().wrap_socket, right, server_side=True, suppress_ragged_eofs=False)
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost"))
        server = self.keep(accepting.result())
        client.shutdown(socket.SHUT_WR)
        self.assertRaises(ssl.SSLEOFError, server.recv, 10)

    def test_read_side(self):
        client, server = self.tls_pair()
        client.shutdown(socket.SHUT_RD)
        self.assertIsNone(client.version())

    def test_both_sides(self):
        client, server = self.tls_pair()
        client.shutdown(socket.SHUT_RDWR)
        with self.assertRaises(OSError):
            for _ in range(100):
                server.sendall(bytes(10000))

    def test_wrong_argument(self):
        client, _ = self.tls_pair()
        with self.assertRaises(OSError) as raised:
            client.shutdown(77)
        self.assertErrno(raised.exception, errno.EINVAL)

    def test_wakes_the_reader(self):
        client, server = self.tls_pair()
        server.sendall(b"x")
        self.assertEqual(client.recv(1), b"x")
        reading = Worker(client.recv, 10).wait_blocked()
        client.shutdown(socket.SHUT_RDWR)
        # OpenSSL sometimes reports the errno of an older call.
        with contextlib.suppress(ConnectionError):
            self.assertEqual(reading.result(), b"")

    def test_before_the_handshake(self):
        left, right = self.tcp_pair()
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False))
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(right.recv(10), b"")


class ResetTest(TlsTestCase):
    def reset_pair(self):
        client, peer = self.raw_peer()
        reset_on_close(peer.sock)
        return client, peer

    def test_while_reading(self):
        client, peer = self.reset_pair()
        reading = Worker(client.recv, 10).wait_blocked()
        peer.sock.close()
        self.assertRaises(ConnectionResetError, reading.result)

    def test_before_reading(self):
        for suppress in (True, False):
            client, peer = self.raw_peer(suppress_ragged_eofs=suppress)
            reset_on_close(peer.sock)
            peer.sock.close()
            with self.assertRaises(ConnectionResetError) as raised:
                client.recv(10)
            self.assertErrno(raised.exception, errno.ECONNRESET)

    def test_before_writing(self):
        client, peer = self.reset_pair()
        peer.sock.close()
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            client.sendall(b"x")
        with self.assertRaises(BrokenPipeError):
            client.sendall(b"x")

    def test_while_writing(self):
        client, peer = self.reset_pair()
        sending = Worker(client.sendall, bytes(50 << 20)).wait_blocked()
        peer.sock.close()
        self.assertRaises((ConnectionResetError, BrokenPipeError), sending.result)

    def test_writing_to_who_has_left(self):
        client, peer = self.raw_peer()
        peer.sock.close()
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for _ in range(1000):
                client.sendall(bytes(10000))

    def test_while_shaking_hands(self):
        left, right = self.tcp_pair()
        reset_on_close(right)
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False))
        shaking = Worker(client.do_handshake).wait_blocked()
        right.close()
        self.assertRaises(ConnectionResetError, shaking.result)

    def test_end_while_shaking_hands(self):
        left, right = self.tcp_pair()
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False))
        shaking = Worker(client.do_handshake).wait_blocked()
        right.shutdown(socket.SHUT_WR)
        with self.assertRaises(ssl.SSLEOFError) as raised:
            shaking.result()
        self.assertEqual(raised.exception.errno, ssl.SSL_ERROR_EOF)


class CloseTest(TlsTestCase):
    def test_the_other_side_sees_the_end(self):
        client, server = self.tls_pair()
        server.sendall(b"x")
        self.assertEqual(client.recv(1), b"x")
        client.close()
        self.assertEqual(server.recv(10), b"")

    def test_with(self):
        client, _ = self.tls_pair()
        with client as same:
            self.assertIs(same, client)
        self.assertEqual(client.fileno(), -1)

    @ours_only
    def test_wakes_a_handshake(self):
        left, _ = self.tcp_pair()
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False))
        shaking = Worker(client.do_handshake).wait_blocked()
        client.close()
        with self.assertRaises(OSError) as raised:
            shaking.result()
        self.assertErrno(raised.exception, errno.EBADF)

    @ours_only
    def test_wakes_a_reader_a_writer_and_a_leaver(self):
        def write(client):
            client.sendall(bytes(50 << 20))

        for call in (lambda client: client.recv(10), write, lambda client: client.unwrap()):
            client, _ = self.raw_peer()
            waiting = Worker(call, client).wait_blocked()
            client.close()
            with self.assertRaises(OSError) as raised:
                waiting.result()
            self.assertErrno(raised.exception, errno.EBADF)


class WrapAgainTest(TlsTestCase):
    def test_wrapping_a_wrapped_socket(self):
        # The new object takes the descriptor and knows nothing of the old one's keys: its greeting is no record to the peer.
        client, server = self.tls_pair()
        client.settimeout(DEADLINE)
        reading = Worker(server.recv, 10)
        with self.assertRaises(OSError):
            with client_context().wrap_socket(client, server_hostname="localhost"):
                pass
        self.assertEqual(client.fileno(), -1)
        with contextlib.suppress(ssl.SSLError):
            reading.result()

    def test_tls_inside_tls(self):
        # The way it does go: over memory, with the outer connection as the transport.
        client, server = self.tls_pair()
        client.settimeout(DEADLINE)
        server.settimeout(DEADLINE)
        inner_server = RawPeer(server)
        shaking = Worker(inner_server.handshake)
        inner_client = RawPeer(client, server_side=False, hostname="localhost").handshake()
        shaking.result()
        inner_client.sock.sendall(inner_client.records(b"twice"))
        self.assertEqual(inner_server.read(), b"twice")


if __name__ == "__main__":
    unittest.main()
