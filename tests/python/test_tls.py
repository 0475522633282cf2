"""ssl.SSLSocket as an object: how one is made, what it tells of itself, what it refuses, and its calls for data.

The modes of waiting are in test_tls_modes, the handshake in test_tls_handshake, the end of a connection in test_tls_ends,
objects dropped and forked in test_tls_lifetime, several threads in test_tls_threads.
"""

import array
import copy
import errno
import io
import os
import pickle
import socket
import ssl
import struct
import sys
import tempfile
import unittest

from support import DEADLINE, Worker
from tls_support import AUTHORITY, CLIENT, SERVER, TlsTestCase, client_context, server_context, stock_differs


def der_of(path):
    with open(path) as file:
        text = file.read()
    begin = text.index("-----BEGIN CERTIFICATE-----")
    end = text.index("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(text[begin:end] + "-----END CERTIFICATE-----\n")


def old_version(context):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class WrapTest(TlsTestCase):
    def test_no_public_constructor(self):
        for arguments in ((), (socket.AF_INET, socket.SOCK_STREAM)):
            with self.assertRaisesRegex(TypeError, "does not have a public constructor"):
                ssl.SSLSocket(*arguments)

    def test_original_is_consumed(self):
        left, right = self.tcp_pair()
        number, address = left.fileno(), left.getsockname()
        with client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False) as wrapped:
            self.assertEqual(left.fileno(), -1)
            self.assertEqual(wrapped.fileno(), number)
            self.assertEqual(wrapped.getsockname(), address)
            with self.assertRaises(OSError) as raised:
                left.send(b"x")
            self.assertErrno(raised.exception, errno.EBADF)
            left.close()
            self.assertEqual(wrapped.getpeername(), right.getsockname())
        with self.assertRaises(OSError) as raised:
            os.fstat(number)
        self.assertErrno(raised.exception, errno.EBADF)

    def test_what_the_original_was_is_kept(self):
        left, _ = self.tcp_pair()
        left.settimeout(7.5)
        was = left.family, left.type, left.proto
        with client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False) as wrapped:
            self.assertEqual((wrapped.family, wrapped.type, wrapped.proto), was)
            self.assertEqual(wrapped.gettimeout(), 7.5)
            self.assertIsInstance(wrapped, socket.socket)
            self.assertIs(type(wrapped), ssl.SSLSocket)

    def test_no_datagrams(self):
        sock = self.udp()
        with self.assertRaisesRegex(NotImplementedError, "only stream sockets are supported"):
            client_context(verify=False).wrap_socket(sock)
        self.assertGreaterEqual(sock.fileno(), 0)
        sock.sendto(b"alive", sock.getsockname())
        self.assertEqual(sock.recv(10), b"alive")

    def test_only_sockets(self):
        for other in (None, 1, object(), io.BytesIO()):
            with self.subTest(other=other), self.assertRaises(AttributeError):
                client_context(verify=False).wrap_socket(other)

    def test_the_native_call_takes_only_sockets(self):
        # What `SSLContext.wrap_socket` calls underneath, and a program can call too.
        for other in (None, 1, object(), io.BytesIO()):
            with self.subTest(other=other), self.assertRaises(TypeError):
                client_context(verify=False)._wrap_socket(other, False)

    def test_unusable_arguments_leave_the_original(self):
        left, right = self.tcp_pair()
        with self.assertRaisesRegex(ValueError, "server_hostname can only be specified in client mode"):
            server_context().wrap_socket(left, server_side=True, server_hostname="localhost")
        with self.assertRaisesRegex(ValueError, "session can only be specified in client mode"):
            server_context().wrap_socket(left, server_side=True, session=object())
        with self.assertRaisesRegex(ValueError, "check_hostname requires server_hostname"):
            client_context().wrap_socket(left)
        left.send(b"alive")
        self.assertEqual(right.recv(10), b"alive")

    def test_wrong_side_for_the_context(self):
        for context, server_side in ((client_context(verify=False), True), (server_context(), False)):
            left, _ = self.tcp_pair()
            with self.subTest(server_side=server_side), self.assertRaises(ssl.SSLError):
                context.wrap_socket(left, server_side=server_side)
            self.assertEqual(left.fileno(), -1)

    def test_wrong_session(self):
        left, _ = self.tcp_pair()
        with self.assertRaises(TypeError):
            client_context(verify=False).wrap_socket(left, session=object())

    def test_local_sockets(self):
        client, server = self.tls_pair(sockets=self.pair())
        self.assertEqual(client.family, socket.AF_UNIX)
        client.sendall(b"to the server")
        self.assertEqual(server.recv(100), b"to the server")
        server.sendall(b"to the client")
        self.assertEqual(client.recv(100), b"to the client")

    def test_class_of_the_context(self):
        class Mine(ssl.SSLSocket):
            pass

        context = client_context()
        context.sslsocket_class = Mine
        client, server = self.tls_pair(client=context)
        self.assertIs(type(client), Mine)
        server.send(b"x")
        self.assertEqual(client.recv(1), b"x")

    def test_listener(self):
        listener = self.keep(server_context().wrap_socket(self.listener(), server_side=True))
        self.assertIsInstance(listener, ssl.SSLSocket)
        accepting = Worker(listener.accept)
        client = socket.create_connection(listener.getsockname())
        client = self.keep(client_context().wrap_socket(client, server_hostname="localhost"))
        server, address = accepting.result()
        self.keep(server)
        self.assertEqual(address, client.getsockname())
        self.assertIs(type(server), ssl.SSLSocket)
        self.assertIs(server.context, listener.context)
        self.assertTrue(server.server_side)
        self.assertIsNone(server.gettimeout())
        client.sendall(b"hello")
        self.assertEqual(server.recv(10), b"hello")

    def test_listener_passes_its_settings_on(self):
        listener = self.keep(server_context().wrap_socket(
            self.listener(), server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False))
        plain = self.keep(socket.create_connection(listener.getsockname()))
        # Without a handshake, accept must not wait for the client to speak.
        server = self.keep(Worker(listener.accept).result()[0])
        self.assertFalse(server.do_handshake_on_connect)
        self.assertFalse(server.suppress_ragged_eofs)
        plain.close()

    def test_data_from_before_the_handshake_does_not_pass_for_tls(self):
        left, right = self.tcp_pair()
        right.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        right.sendall(b"DELETE / HTTP/1.1\r\n\r\n")
        right.close()
        with self.assertRaises(OSError) as raised:
            client_context(verify=False).wrap_socket(left).recv(100)
        if isinstance(raised.exception, ssl.SSLError):
            self.assertIn("before TLS handshake with data", raised.exception.args[1])
        self.assertEqual(left.fileno(), -1)


class AttributesTest(TlsTestCase):
    def test_before_a_connection(self):
        context = client_context()
        sock = self.keep(context.wrap_socket(socket.socket(), server_hostname="localhost"))
        self.assertIs(sock.context, context)
        self.assertFalse(sock.server_side)
        self.assertEqual(sock.server_hostname, "localhost")
        for value in (sock.session, sock.session_reused, sock.version(), sock.cipher(), sock.shared_ciphers(),
                      sock.compression(), sock.selected_alpn_protocol(), sock.get_channel_binding()):
            self.assertIsNone(value)
        self.assertEqual(sock.pending(), 0)
        with self.assertRaises(OSError) as raised:
            sock.getpeercert()
        self.assertErrno(raised.exception, errno.ENOTCONN)
        with self.assertRaises(OSError) as raised:
            sock.do_handshake()
        self.assertErrno(raised.exception, errno.ENOTCONN)
        for call in (sock.read, lambda: sock.write(b"x"), sock.unwrap):
            self.assertRaises(ValueError, call)
        with self.assertRaises(OSError) as raised:
            sock.recv(1)
        self.assertErrno(raised.exception, errno.ENOTCONN)
        with self.assertRaises(OSError) as raised:
            sock.send(b"x")
        self.assertErrno(raised.exception, errno.ENOTCONN, errno.EPIPE)

    def test_before_the_handshake(self):
        left, _ = self.tcp_pair()
        sock = self.keep(client_context().wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False))
        self.assertIsNone(sock.version())
        self.assertIsNone(sock.cipher())
        self.assertIsNone(sock.compression())
        self.assertIsNone(sock.selected_alpn_protocol())
        self.assertEqual(sock.pending(), 0)
        with self.assertRaisesRegex(ValueError, "handshake not done yet"):
            sock.getpeercert()

    def test_after_the_handshake(self):
        client, server = self.tls_pair()
        self.assertEqual(client.version(), "TLSv1.3")
        self.assertEqual(server.version(), "TLSv1.3")
        name, version, bits = client.cipher()
        self.assertRegex(name, r"^TLS_[A-Z0-9_]+$")
        self.assertEqual(version, "TLSv1.3")
        self.assertIn(bits, (128, 256))
        self.assertEqual(server.cipher(), client.cipher())
        self.assertIsNone(client.compression())
        self.assertIsNone(client.selected_alpn_protocol())
        self.assertIs(client.session_reused, False)
        self.assertTrue(server.server_side)
        self.assertIsNone(server.server_hostname)

    def test_shared_ciphers(self):
        client, server = self.tls_pair()
        shared = server.shared_ciphers()
        self.assertIn(server.cipher(), shared)
        for name, version, bits in shared:
            self.assertIsInstance(name, str)
            self.assertIsInstance(version, str)
            self.assertIsInstance(bits, int)
        self.assertIsNone(client.shared_ciphers())

    def test_versions(self):
        for side in ("client", "server"):
            with self.subTest(side=side):
                contexts = {"client": client_context(), "server": server_context()}
                old_version(contexts[side])
                client, server = self.tls_pair(**contexts)
                self.assertEqual(client.version(), "TLSv1.2")
                self.assertEqual(server.version(), "TLSv1.2")
                self.assertRegex(client.cipher()[0], r"^ECDHE-ECDSA-")
                client.sendall(b"hello")
                self.assertEqual(server.recv(10), b"hello")

    def test_context_can_be_switched(self):
        client, server = self.tls_pair()
        other = client_context()
        client.context = other
        self.assertIs(client.context, other)
        with self.assertRaises(TypeError):
            client.context = object()
        server.send(b"still here")
        self.assertEqual(client.recv(100), b"still here")

    def test_channel_binding(self):
        client, server = self.tls_pair(client=old_version(client_context()))
        with self.assertRaisesRegex(ValueError, "channel binding type not implemented"):
            client.get_channel_binding("no-such-binding")
        self.assertEqual(client.get_channel_binding("tls-unique"), server.get_channel_binding("tls-unique"))

    def test_native_object(self):
        # Libraries that reach below the SSLSocket find what is there on CPython.
        client, server = self.tls_pair()
        native = client._sslobj
        self.assertEqual(f"{type(native).__module__}.{type(native).__name__}", "_ssl._SSLSocket")
        if sys.version_info >= (3, 14):
            self.assertRaises(TypeError, type(native))
        self.assertIs(native.context, client.context)
        self.assertIs(native.owner, client)
        self.assertIs(native.server_side, False)
        self.assertIs(server._sslobj.server_side, True)
        self.assertEqual(native.server_hostname, "localhost")
        self.assertEqual(native.version(), "TLSv1.3")
        self.assertEqual(native.write(b"from below"), 10)
        buffer = bytearray(20)
        self.assertEqual(server._sslobj.read(20, buffer), 10)
        for name in ("cipher", "compression", "do_handshake", "get_channel_binding", "get_unverified_chain",
                     "get_verified_chain", "getpeercert", "pending", "selected_alpn_protocol", "session", "session_reused",
                     "shared_ciphers", "shutdown", "verify_client_post_handshake"):
            self.assertTrue(hasattr(native, name), name)

    def test_peer_certificate(self):
        client, server = self.tls_pair()
        certificate = client.getpeercert()
        self.assertIn((("commonName", "localhost"),), certificate["subject"])
        self.assertIn((("commonName", "Test Authority"),), certificate["issuer"])
        self.assertEqual(
            certificate["subjectAltName"],
            (("DNS", "localhost"), ("IP Address", "127.0.0.1"), ("IP Address", "0:0:0:0:0:0:0:1")))
        self.assertEqual(certificate["version"], 3)
        self.assertLess(ssl.cert_time_to_seconds(certificate["notBefore"]), ssl.cert_time_to_seconds(certificate["notAfter"]))
        self.assertEqual(client.getpeercert(True), der_of(SERVER))
        self.assertEqual(client.getpeercert(binary_form=True), der_of(SERVER))
        self.assertIsNone(server.getpeercert())
        self.assertIsNone(server.getpeercert(True))

    def test_unverified_peer_certificate(self):
        client, _ = self.tls_pair(client=client_context(verify=False), hostname=None)
        self.assertEqual(client.getpeercert(), {})
        self.assertEqual(client.getpeercert(True), der_of(SERVER))

    @unittest.skipUnless(hasattr(ssl.SSLSocket, "get_verified_chain"), "new in 3.13")
    def test_chains(self):
        context = server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(AUTHORITY)
        trusting = client_context()
        trusting.load_cert_chain(CLIENT)
        client, server = self.tls_pair(client=trusting, server=context)
        # OpenSSL's server adds what it finds in its own trust store.
        self.assertEqual(client.get_unverified_chain()[0], der_of(SERVER))
        self.assertEqual(client.get_verified_chain(), [der_of(SERVER), der_of(AUTHORITY)])
        self.assertEqual(server.get_unverified_chain()[0], der_of(CLIENT))
        self.assertEqual(server.get_verified_chain(), [der_of(CLIENT), der_of(AUTHORITY)])
        self.assertEqual(server.getpeercert(True), der_of(CLIENT))
        self.assertEqual(server.getpeercert()["subjectAltName"], (("email", "client@other.test"),))

    @unittest.skipUnless(hasattr(ssl.SSLSocket, "get_verified_chain"), "new in 3.13")
    def test_no_chain(self):
        _, server = self.tls_pair()
        self.assertEqual(server.get_unverified_chain(), [])
        self.assertEqual(server.get_verified_chain(), [])

    def test_socket_methods(self):
        client, server = self.tls_pair()
        self.assertEqual(client.getpeername(), server.getsockname())
        client.settimeout(2.5)
        self.assertEqual(client.gettimeout(), 2.5)
        self.assertTrue(client.getblocking())
        client.setblocking(False)
        self.assertEqual(client.gettimeout(), 0.0)
        self.assertFalse(client.getblocking())
        client.setblocking(True)
        self.assertIsNone(client.gettimeout())
        self.assertRaises(ValueError, client.settimeout, -1)
        self.assertRaises(TypeError, client.settimeout, "1")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.assertTrue(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assertFalse(client.get_inheritable())
        self.assertIn("ssl.SSLSocket fd=%d" % client.fileno(), repr(client))

    def test_no_copies(self):
        client, _ = self.tls_pair()
        with self.assertRaisesRegex(NotImplementedError, "Can't dup"):
            client.dup()
        self.assertRaises(TypeError, copy.copy, client)
        self.assertRaises(TypeError, copy.deepcopy, client)
        self.assertRaises(TypeError, pickle.dumps, client)

    def test_detach(self):
        client, server = self.tls_pair()
        number = client.fileno()
        self.assertEqual(client.detach(), number)
        self.assertEqual(client.fileno(), -1)
        with socket.socket(fileno=number) as plain:
            plain.sendall(b"not a record, that is certain")
        with self.assertRaises(ssl.SSLError):
            server.recv(10)

    def test_after_close(self):
        client, _ = self.tls_pair()
        client.close()
        client.close()
        self.assertEqual(client.fileno(), -1)
        self.assertEqual(client.pending(), 0)
        self.assertIsNone(client.version())
        self.assertIsNone(client.cipher())
        for call in (lambda: client.recv(1), lambda: client.send(b"x"), lambda: client.recv_into(bytearray(1)),
                     lambda: client.sendall(b"x"), lambda: client.shutdown(socket.SHUT_RDWR)):
            with self.assertRaises(OSError) as raised:
                call()
            self.assertErrno(raised.exception, errno.EBADF)
        for call in (client.read, lambda: client.write(b"x"), client.unwrap):
            self.assertRaises(ValueError, call)


class RefusalTest(TlsTestCase):
    def setUp(self):
        self.client, self.server = self.tls_pair()

    def tearDown(self):
        # Whatever was refused, the connection lives on and nothing has leaked out in clear.
        self.client.sendall(b"alive")
        self.assertEqual(self.receive(self.server, 5), b"alive")

    def test_calls_with_an_address(self):
        client = self.client
        for call in (lambda: client.sendto(b"x", client.getpeername()), lambda: client.sendto(b"x", 0, client.getpeername()),
                     lambda: client.recvfrom(1), lambda: client.recvfrom_into(bytearray(1))):
            with self.assertRaisesRegex(ValueError, "not allowed on instances of"):
                call()

    def test_messages(self):
        client = self.client
        for call in (lambda: client.sendmsg([b"x"]), lambda: client.recvmsg(1), lambda: client.recvmsg_into([bytearray(1)])):
            with self.assertRaisesRegex(NotImplementedError, "not allowed on instances of"):
                call()

    def test_flags(self):
        client, flag = self.client, socket.MSG_PEEK
        for call in (lambda: client.send(b"x", flag), lambda: client.sendall(b"x", flag), lambda: client.recv(1, flag),
                     lambda: client.recv_into(bytearray(1), 1, flag)):
            with self.assertRaisesRegex(ValueError, "non-zero flags not allowed"):
                call()

    def test_what_is_no_buffer(self):
        client = self.client
        for data in ("text", None, 1, object()):
            with self.subTest(data=data):
                self.assertRaises(TypeError, client.send, data)
                self.assertRaises(TypeError, client.sendall, data)
                self.assertRaises(TypeError, client.write, data)
        self.assertRaises(BufferError, client.send, memoryview(b"every other one")[::2])
        for buffer in ("text", 1, object(), b"cannot be written"):
            with self.subTest(buffer=buffer):
                self.assertRaises((TypeError, BufferError), client.recv_into, buffer)
                self.assertRaises((TypeError, BufferError), client.read, 1, buffer)

    def test_sizes(self):
        client = self.client
        self.assertRaises(ValueError, client.recv, -1)
        self.assertRaises(ValueError, client.read, -1)
        self.assertRaises(TypeError, client.recv, "1")
        self.assertRaises(TypeError, client.recv, 1.0)
        self.assertRaises(OverflowError, client.recv, 1 << 100)
        self.assertRaises(OverflowError, client.read, 1 << 100, bytearray(1))
        self.server.sendall(b"data")
        self.assertEqual(client.recv(1 << 30), b"data")

    def test_connecting_again(self):
        for connect in (self.client.connect, self.client.connect_ex):
            with self.assertRaisesRegex(ValueError, "already-connected"):
                connect(self.client.getpeername())
        with self.assertRaisesRegex(ValueError, "can't connect in server-side mode"):
            self.server.connect(self.client.getsockname())

    def test_no_post_handshake_authentication(self):
        # Neither side asked for the extension, so not even OpenSSL can do it.
        self.assertRaises(ssl.SSLError, self.server.verify_client_post_handshake)


class DataTest(TlsTestCase):
    def test_sizes_around_a_record(self):
        for sockets in (self.tcp_pair(), self.pair()):
            client, server = self.tls_pair(sockets=sockets)
            for size in (1, 2, 255, 16383, 16384, 16385, 40000, 200001):
                with self.subTest(size=size, family=client.family):
                    data = os.urandom(size)
                    sending = Worker(client.sendall, data)
                    self.assertEqual(self.receive(server, size), data)
                    self.assertIsNone(sending.result())
                    sending = Worker(server.sendall, data)
                    self.assertEqual(self.receive(client, size), data)
                    sending.result()

    def test_nothing(self):
        client, server = self.tls_pair()
        self.assertEqual(client.send(b""), 0)
        self.assertEqual(client.write(b""), 0)
        self.assertIsNone(client.sendall(b""))
        # recv(0) waits for nothing, whether or not data is there.
        self.assertEqual(server.recv(0), b"")
        self.assertEqual(server.read(0), b"")
        self.assertEqual(server.recv_into(bytearray()), 0)
        client.send(b"something")
        self.assertEqual(server.recv(0), b"")
        self.assertEqual(server.recv(100), b"something")

    def test_kinds_of_buffers(self):
        client, server = self.tls_pair()
        for data in (bytearray(b"bytearray"), memoryview(b"memoryview"), array.array("i", range(5)),
                     memoryview(array.array("d", [1.5, 2.5])), memoryview(b"xx slice xx")[3:8]):
            size = memoryview(data).nbytes
            with self.subTest(data=data):
                self.assertEqual(client.send(data), size)
                self.assertEqual(server.recv(100), bytes(data))
                client.sendall(data)
                self.assertEqual(server.recv(100), bytes(data))

    def test_one_call_sends_everything(self):
        # One that waits, waits for all of it.
        client, server = self.tls_pair()
        server.settimeout(DEADLINE)
        data = os.urandom(1 << 20)
        for timeout in (None, DEADLINE):
            client.settimeout(timeout)
            for send in (client.send, client.write):
                sending = Worker(send, data)
                self.assertTrue(self.receive(server, len(data)) == data)
                self.assertEqual(sending.result(), len(data))

    @stock_differs("records of 4096 bytes")
    def test_one_record_for_one_send(self):
        client, server = self.tls_pair()
        client.sendall(bytes(16384))
        self.assertEqual(len(server.recv(16384)), 16384)

    def test_default_size(self):
        client, server = self.tls_pair()
        client.sendall(bytes(3000))
        self.assertEqual(len(server.recv()), 1024)
        self.assertEqual(len(server.read()), 1024)

    def test_receive_into(self):
        client, server = self.tls_pair()
        buffer = bytearray(b"." * 10)
        client.sendall(b"abcdefghijklmnopqrstuvwxyz")
        self.assertEqual(server.recv_into(buffer, 4), 4)
        self.assertEqual(buffer, b"abcd......")
        self.assertEqual(server.recv_into(memoryview(buffer)[2:5]), 3)
        self.assertEqual(buffer, b"abefg.....")
        self.assertEqual(server.read(2, buffer), 2)
        self.assertEqual(buffer, b"hiefg.....")
        # A size that is not positive, or more than there is room for, means the whole buffer.
        self.assertEqual(server.read(0, memoryview(buffer)[:3]), 3)
        self.assertEqual(buffer, b"jklfg.....")
        self.assertEqual(server.read(-1, memoryview(buffer)[:1]), 1)
        self.assertEqual(server.recv_into(memoryview(buffer)[:2], 100), 2)
        self.assertEqual(buffer, b"nolfg.....")
        numbers = array.array("H", [0] * 4)
        self.assertEqual(server.recv_into(numbers), 8)
        self.assertEqual(numbers.tobytes(), b"pqrstuvw")
        self.assertEqual(server.recv_into(buffer), 3)
        self.assertEqual(buffer, b"xyzfg.....")

    def test_pending_is_the_rest_of_the_record(self):
        client, server = self.tls_pair()
        client.sendall(b"x" * 1000)
        self.assertEqual(server.pending(), 0)
        self.assertEqual(server.recv(1), b"x")
        self.assertEqual(server.pending(), 999)
        self.assertEqual(len(server.recv(99)), 99)
        self.assertEqual(server.pending(), 900)
        self.assertEqual(len(server.recv(5000)), 900)
        self.assertEqual(server.pending(), 0)

    def test_recv_does_not_wait_for_its_whole_size(self):
        client, server = self.tls_pair()
        for data in (b"a", b"bb", b"ccc"):
            client.sendall(data)
            self.assertEqual(Worker(server.recv, 65536).result(), data)

    def test_descriptor_of_a_buffer_stays_unlocked(self):
        client, server = self.tls_pair()
        data = bytearray(b"some data")
        client.send(data)
        data.extend(b"and more")
        into = bytearray(10)
        server.recv_into(into)
        into.extend(b"and more")


class FileTest(TlsTestCase):
    def test_lines(self):
        client, server = self.tls_pair()
        with client.makefile("w", encoding="utf-8", newline="\n") as file:
            for number in range(1000):
                file.write(f"line {number}: \u00e4\u20ac\n")
        client.shutdown(socket.SHUT_WR)
        with server.makefile("r", encoding="utf-8") as file:
            self.assertEqual(file.readline(), "line 0: \u00e4\u20ac\n")
            self.assertEqual(list(file), [f"line {number}: \u00e4\u20ac\n" for number in range(1, 1000)])
        # A file's end is not the socket's.
        self.assertGreaterEqual(server.fileno(), 0)

    def test_both_directions(self):
        client, server = self.tls_pair()
        with client.makefile("rw", newline="\n") as ours, server.makefile("rwb") as theirs:
            for number in range(20):
                ours.write(f"question {number}\n")
                ours.flush()
                self.assertEqual(theirs.readline(), b"question %d\n" % number)
                theirs.write(b"answer %d\n" % number)
                theirs.flush()
                self.assertEqual(ours.readline(), f"answer {number}\n")

    def test_reads(self):
        client, server = self.tls_pair()
        data = os.urandom(100000)
        sending = Worker(client.sendall, data)
        with server.makefile("rb") as file:
            self.assertEqual(file.read(50000), data[:50000])
            self.assertEqual(file.peek(1)[:1], data[50000:50001])
            buffer = bytearray(20000)
            self.assertEqual(file.readinto(buffer), 20000)
            self.assertEqual(buffer, data[50000:70000])
            sending.result()
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(file.read(), data[70000:])
            self.assertEqual(file.read(), b"")

    def test_unbuffered(self):
        client, server = self.tls_pair()
        with client.makefile("wb", buffering=0) as out, server.makefile("rb", buffering=0) as file:
            self.assertEqual(out.write(b"abcdef"), 6)
            self.assertEqual(file.read(4), b"abcd")
            self.assertEqual(file.read(4), b"ef")

    def test_socket_outlives_its_close_in_its_files(self):
        client, server = self.tls_pair()
        with server.makefile("rb") as file:
            server.close()
            client.sendall(b"a line\n")
            self.assertEqual(file.readline(), b"a line\n")
        self.assertEqual(server.fileno(), -1)

    def test_timeout_of_a_file(self):
        client, server = self.tls_pair()
        server.settimeout(0.01)
        with server.makefile("rb") as file:
            client.sendall(b"half a line")
            self.assertRaises(TimeoutError, file.readline)
            with self.assertRaisesRegex(OSError, "cannot read from timed out object"):
                file.readline()

    def test_sendfile(self):
        client, server = self.tls_pair()
        data = os.urandom(200000)
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            sending = Worker(client.sendfile, file)
            self.assertEqual(self.receive(server, len(data)), data)
            self.assertEqual(sending.result(), len(data))
            self.assertEqual(file.tell(), len(data))
            sending = Worker(client.sendfile, file, offset=100, count=100001)
            self.assertEqual(self.receive(server, 100001), data[100:100101])
            self.assertEqual(sending.result(), 100001)
            self.assertEqual(file.tell(), 100101)
            self.assertEqual(client.sendfile(file, offset=len(data)), 0)
            self.assertRaises(ValueError, client.sendfile, file, count=0)
            client.settimeout(0)
            self.assertRaises(ValueError, client.sendfile, file)
        with tempfile.TemporaryFile("w") as file:
            client.settimeout(DEADLINE)
            self.assertRaises(ValueError, client.sendfile, file)
        with io.BytesIO(b"from memory") as file:
            self.assertEqual(client.sendfile(file), 11)
        self.assertEqual(server.recv(100), b"from memory")


if __name__ == "__main__":
    unittest.main()
