"""What two ends of a TLS connection agree on, and how a disagreement reaches each: names, protocols, certificates, sessions."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import unittest
from unittest import mock

from support import DEADLINE, HERE, Worker, ours_only
from tls_support import AUTHORITY, CLIENT, OTHER, SERVER, TlsTestCase, client_context, server_context, stock_differs


class HandshakeTestCase(TlsTestCase):
    def attempt(self, client, server, hostname="localhost", talk=False):
        """(client's error, server's error) of a handshake; None for a side that succeeded. The sockets are closed.

        With `talk` each side then sends a byte and reads one: in TLS 1.3 a client learns only so that it was refused.
        """
        left, right = self.tcp_pair()
        left.settimeout(DEADLINE)
        right.settimeout(DEADLINE)

        def run(context, sock, **wrap):
            with contextlib.ExitStack() as stack:
                stack.enter_context(sock)
                try:
                    wrapped = stack.enter_context(context.wrap_socket(sock, **wrap))
                    if talk:
                        wrapped.sendall(b"x")
                        wrapped.recv(1)
                except Exception as error:
                    return error
                return None

        serving = Worker(run, server, right, server_side=True)
        ours = run(client, left, server_hostname=hostname)
        return ours, serving.result()


class ServerNameTest(HandshakeTestCase):
    def server(self, callback):
        context = server_context()
        context.sni_callback = callback
        return context

    def test_callback_is_called(self):
        calls = []
        context = self.server(lambda *arguments: calls.append(arguments))
        _, server = self.tls_pair(server=context)
        self.assertEqual(calls, [(server, "localhost", context)])
        self.assertIs(type(calls[0][0]), ssl.SSLSocket)

    def test_callback_uses_another_connection(self):
        inner, peer = self.tls_pair()
        heard = []

        def callback(sock, name, context):
            # A whole handshake by this thread, in the midst of another.
            self.tls_pair()
            inner.sendall(b"asked")
            heard.append(peer.recv(5))

        client, server = self.tls_pair(server=self.server(callback))
        self.assertEqual(heard, [b"asked"])
        client.sendall(b"outer")
        self.assertEqual(server.recv(5), b"outer")

    def test_no_name(self):
        names = []
        context = self.server(lambda sock, name, _: names.append(name))
        self.tls_pair(client=client_context(verify=False), server=context, hostname=None)
        # An address is no name to send.
        self.tls_pair(server=context, hostname="127.0.0.1")
        self.assertEqual(names, [None, None])

    def test_switching_the_context(self):
        other = server_context(OTHER)

        def choose(sock, name, context):
            if name == "other.test":
                sock.context = other

        context = self.server(choose)
        client, server = self.tls_pair(server=context, hostname="other.test")
        self.assertIn((("commonName", "other.test"),), client.getpeercert()["subject"])
        self.assertIs(server.context, other)
        client, server = self.tls_pair(server=context)
        self.assertIn((("commonName", "localhost"),), client.getpeercert()["subject"])
        self.assertIs(server.context, context)
        client.sendall(b"hello")
        self.assertEqual(server.recv(10), b"hello")

    def test_attributes_in_the_callback(self):
        seen = []

        def look(sock, name, context):
            seen.append((sock.server_side, sock.version(), sock.getpeername(), sock.fileno(), sock.gettimeout()))

        client, server = self.tls_pair(server=self.server(look))
        self.assertEqual(len(seen), 1)
        self.assertEqual(seen[0][0], True)
        self.assertEqual(seen[0][2:], (client.getsockname(), server.fileno(), None))

    def test_returning_an_alert(self):
        for alert in (ssl.ALERT_DESCRIPTION_ACCESS_DENIED, ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME):
            with self.subTest(alert=alert):
                ours, theirs = self.attempt(client_context(), self.server(lambda *_: alert))
                self.assertIsInstance(ours, ssl.SSLError)
                self.assertIsInstance(theirs, ssl.SSLError)
                self.assertNotIsInstance(ours, (ssl.SSLEOFError, TimeoutError))

    def check_unraisable(self, callback, error):
        seen = []
        with mock.patch("sys.unraisablehook", lambda unraisable: seen.append(unraisable.exc_type)):
            ours, theirs = self.attempt(client_context(), self.server(callback))
        self.assertEqual(seen, [error])
        self.assertIsInstance(ours, ssl.SSLError)
        self.assertIsInstance(theirs, ssl.SSLError)

    def test_raising(self):
        self.check_unraisable(lambda *_: 1 / 0, ZeroDivisionError)

    def test_returning_nonsense(self):
        self.check_unraisable(lambda *_: "no alert", TypeError)

    def test_callback_may_use_other_connections(self):
        # As a server that asks another one for its certificate would.
        def ask(sock, name, context):
            inner_client, inner_server = self.tls_pair()
            inner_client.sendall(b"inside")
            self.assertEqual(inner_server.recv(10), b"inside")
            asked.append(name)

        asked = []
        self.tls_pair(server=self.server(ask))
        self.assertEqual(asked, ["localhost"])

    @ours_only
    def test_data_calls_in_the_callback(self):
        # The handshake is the callback's own: to wait for its end would be for ever. CPython crashes.
        def call_all(sock, name, context):
            for call in (lambda: sock.recv(1), lambda: sock.send(b"x"), sock.do_handshake, sock.unwrap):
                try:
                    call()
                except Exception as error:
                    errors.append(error)

        errors = []
        left, right = self.tcp_pair()
        right.settimeout(2)
        shaking = Worker(self.server(call_all).wrap_socket, right, server_side=True)
        client = self.keep(client_context().wrap_socket(left, server_hostname="localhost"))
        server = self.keep(shaking.result())
        self.assertEqual(len(errors), 4)
        for error in errors:
            self.assertNotIsInstance(error, TimeoutError)
        server.sendall(b"hello")
        self.assertEqual(client.recv(5), b"hello")

    @ours_only
    def test_closing_in_the_callback(self):
        ours, theirs = self.attempt(client_context(), self.server(lambda sock, *_: sock.close()))
        self.assertIsInstance(ours, OSError)
        self.assertIsInstance(theirs, OSError)

    def test_no_callable(self):
        with self.assertRaises(TypeError):
            server_context().sni_callback = 4


class ProtocolTest(HandshakeTestCase):
    def agreed(self, ours, theirs):
        client, server = client_context(), server_context()
        for context, protocols in ((client, ours), (server, theirs)):
            if protocols is not None:
                context.set_alpn_protocols(protocols)
        client, server = self.tls_pair(client=client, server=server)
        self.assertEqual(client.selected_alpn_protocol(), server.selected_alpn_protocol())
        return client.selected_alpn_protocol()

    def test_alpn(self):
        self.assertEqual(self.agreed(["h2", "http/1.1"], ["h2"]), "h2")
        self.assertEqual(self.agreed(["http/1.1"], ["h2", "http/1.1"]), "http/1.1")
        # The server's preference counts.
        self.assertEqual(self.agreed(["a", "b"], ["b", "a"]), "b")
        self.assertIsNone(self.agreed(None, ["h2"]))
        self.assertIsNone(self.agreed(["h2"], None))

    def test_no_common_version(self):
        client, server = client_context(), server_context()
        client.minimum_version = ssl.TLSVersion.TLSv1_3
        server.maximum_version = ssl.TLSVersion.TLSv1_2
        ours, theirs = self.attempt(client, server)
        self.assertIsInstance(ours, ssl.SSLError)
        self.assertIsInstance(theirs, ssl.SSLError)

    @stock_differs("ValueError at the server, nothing told to the client")
    def test_server_without_a_certificate(self):
        ours, theirs = self.attempt(client_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self.assertIsInstance(ours, ssl.SSLError)
        self.assertIsInstance(theirs, ssl.SSLError)


class ServerCertificateTest(HandshakeTestCase):
    def check_refused(self, client, hostname="localhost", server=None):
        ours, theirs = self.attempt(client, server or server_context(), hostname, talk=True)
        self.assertIsInstance(ours, ssl.SSLCertVerificationError)
        self.assertIsInstance(ours, ssl.SSLError)
        self.assertIs(type(ours), ssl.CertificateError)
        self.assertEqual(ours.reason, "CERTIFICATE_VERIFY_FAILED")
        self.assertEqual(ours.library, "SSL")
        self.assertIn("certificate verify failed", str(ours))
        self.assertNotEqual(ours.verify_code, 0)
        self.assertIn(ours.verify_message, str(ours))
        # The alert reaches the server: not just a connection that ended.
        self.assertIsInstance(theirs, ssl.SSLError)
        self.assertNotIsInstance(theirs, ssl.SSLEOFError)
        self.assertRegex(theirs.reason, r"ALERT")
        return ours

    def test_unknown_authority(self):
        error = self.check_refused(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self.assertEqual(error.verify_code, 20)
        self.assertEqual(error.verify_message, "unable to get local issuer certificate")

    @stock_differs("no ValueError, no errno")
    def test_error_is_of_both_kinds(self):
        error = self.check_refused(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self.assertIsInstance(error, ValueError)
        self.assertEqual(error.errno, ssl.SSL_ERROR_SSL)

    def test_wrong_name(self):
        self.check_refused(client_context(), "wrong.test")

    def test_wrong_address(self):
        self.check_refused(client_context(), "127.0.0.2")

    def test_wrong_purpose(self):
        self.check_refused(client_context(), server=server_context(CLIENT))

    @stock_differs("always 1")
    def test_code_of_a_wrong_name(self):
        error = self.check_refused(client_context(), "wrong.test")
        self.assertEqual(error.verify_code, 62)
        self.assertEqual(error.verify_message, "Hostname mismatch, certificate is not valid for 'wrong.test'.")

    @stock_differs("always 1")
    def test_code_of_a_wrong_address(self):
        self.assertEqual(self.check_refused(client_context(), "127.0.0.2").verify_code, 64)

    @stock_differs("always 1")
    def test_code_of_a_wrong_purpose(self):
        self.assertEqual(self.check_refused(client_context(), server=server_context(CLIENT)).verify_code, 26)

    def test_names_that_fit(self):
        for name in ("localhost", "LOCALHOST", "127.0.0.1", "::1", b"localhost"):
            with self.subTest(name=name):
                client, _ = self.tls_pair(hostname=name)
                self.assertEqual(client.server_hostname, name.decode() if isinstance(name, bytes) else name)

    def test_names_that_are_none(self):
        for name in ("", ".localhost", "with\0zero", 7):
            left, _ = self.tcp_pair()
            with self.subTest(name=name), self.assertRaises((ValueError, TypeError, AttributeError)):
                client_context().wrap_socket(left, server_hostname=name, do_handshake_on_connect=False)

    def test_unchecked_name(self):
        context = client_context()
        context.check_hostname = False
        client, _ = self.tls_pair(client=context, hostname="wrong.test")
        self.assertTrue(client.getpeercert())
        self.tls_pair(client=context, hostname=None)

    def test_unchecked_certificate(self):
        client, _ = self.tls_pair(client=client_context(verify=False), hostname="wrong.test")
        self.assertEqual(client.getpeercert(), {})

    def test_next_connection_after_a_refusal(self):
        # What failed once must not spoil the contexts.
        client, server = client_context(), server_context()
        for _ in range(2):
            self.check_refused(client, "wrong.test", server)
            ours, theirs = self.attempt(client, server, talk=True)
            self.assertIsNone(ours)
            self.assertIsNone(theirs)


class ClientCertificateTest(HandshakeTestCase):
    # In 1.3 the client's handshake has ended before the server looks at the certificate.
    VERSION = ssl.TLSVersion.TLSv1_3

    def server(self, mode):
        context = server_context()
        context.verify_mode = mode
        context.load_verify_locations(AUTHORITY)
        return context

    def client(self, certificate=None):
        context = client_context()
        context.maximum_version = self.VERSION
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def check_refused(self, client, server, error=ssl.SSLCertVerificationError):
        ours, theirs = self.attempt(client, server, talk=True)
        self.assertIsInstance(theirs, error)
        # The alert may lose against the reset that follows it.
        self.assertIsInstance(ours, (ssl.SSLError, ConnectionError))
        return theirs

    def test_required_and_given(self):
        client, server = self.tls_pair(client=self.client(CLIENT), server=self.server(ssl.CERT_REQUIRED))
        self.assertIn((("commonName", "client"),), server.getpeercert()["subject"])
        client.sendall(b"hello")
        self.assertEqual(server.recv(10), b"hello")

    def test_required_and_missing(self):
        self.check_refused(self.client(), self.server(ssl.CERT_REQUIRED), ssl.SSLError)

    @stock_differs("no reason and no library in the errors of a handshake")
    def test_reason_of_a_missing_one(self):
        error = self.check_refused(self.client(), self.server(ssl.CERT_REQUIRED), ssl.SSLError)
        self.assertEqual((error.library, error.reason), ("SSL", "PEER_DID_NOT_RETURN_A_CERTIFICATE"))

    def test_required_and_wrong(self):
        # A server's certificate says that it is for servers.
        self.check_refused(self.client(SERVER), self.server(ssl.CERT_REQUIRED))

    @stock_differs("ValueError: rustls wants to know an authority")
    def test_required_and_of_an_unknown_authority(self):
        context = server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        self.check_refused(self.client(CLIENT), context)

    def test_optional_and_given(self):
        _, server = self.tls_pair(client=self.client(CLIENT), server=self.server(ssl.CERT_OPTIONAL))
        self.assertIn((("commonName", "client"),), server.getpeercert()["subject"])

    @stock_differs("required where CPython says optional")
    def test_optional_and_missing(self):
        ours, theirs = self.attempt(self.client(), self.server(ssl.CERT_OPTIONAL), talk=True)
        self.assertEqual((ours, theirs), (None, None))

    def test_optional_and_wrong(self):
        self.check_refused(self.client(SERVER), self.server(ssl.CERT_OPTIONAL))

    def test_not_asked_for(self):
        _, server = self.tls_pair(client=self.client(CLIENT), server=self.server(ssl.CERT_NONE))
        self.assertIsNone(server.getpeercert())


class OldClientCertificateTest(ClientCertificateTest):
    VERSION = ssl.TLSVersion.TLSv1_2


class SessionTest(HandshakeTestCase):
    def setUp(self):
        self.client = client_context()
        self.client.maximum_version = ssl.TLSVersion.TLSv1_2
        self.server = server_context()

    def connect(self, session=None, server=None):
        left, right = self.tcp_pair()
        accepting = Worker((server or self.server).wrap_socket, right, server_side=True)
        client = self.keep(self.client.wrap_socket(left, server_hostname="localhost", session=session))
        server = self.keep(accepting.result())
        server.sendall(b"hello")
        self.assertEqual(client.recv(5), b"hello")
        return client, server

    def test_first(self):
        client, server = self.connect()
        self.assertIs(client.session_reused, False)
        self.assertIs(server.session_reused, False)
        session = client.session
        self.assertIsInstance(session, ssl.SSLSession)
        self.assertIsInstance(session.id, bytes)
        self.assertGreater(session.time, 0)
        self.assertGreater(session.timeout, 0)
        self.assertIs(session.has_ticket, True)
        self.assertGreater(session.ticket_lifetime_hint, 0)

    def test_reused(self):
        first, _ = self.connect()
        session = first.session
        first.close()
        client, server = self.connect(session)
        self.assertIs(client.session_reused, True)
        self.assertIs(server.session_reused, True)
        self.assertEqual(client.session, session)
        self.assertEqual(client.version(), "TLSv1.2")
        # What was verified at the first time still is known.
        self.assertIn((("commonName", "localhost"),), client.getpeercert()["subject"])

    def test_reused_by_the_attribute(self):
        first, _ = self.connect()
        left, right = self.tcp_pair()
        accepting = Worker(self.server.wrap_socket, right, server_side=True)
        client = self.keep(self.client.wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False))
        client.session = first.session
        client.do_handshake()
        self.keep(accepting.result())
        self.assertIs(client.session_reused, True)

    def test_unknown_to_the_server(self):
        first, _ = self.connect()
        client, server = self.connect(first.session, server_context())
        self.assertIs(client.session_reused, False)
        self.assertIs(server.session_reused, False)

    def test_reused_in_the_new_version(self):
        self.client.maximum_version = ssl.TLSVersion.TLSv1_3
        first, _ = self.connect()
        self.assertEqual(first.version(), "TLSv1.3")
        # The ticket came with the data.
        client, server = self.connect(first.session)
        self.assertIs(client.session_reused, True)
        self.assertIs(server.session_reused, True)

    def test_not_without_being_asked(self):
        self.connect()
        client, _ = self.connect()
        self.assertIs(client.session_reused, False)

    def test_of_another_context(self):
        first, _ = self.connect()
        left, _ = self.tcp_pair()
        with self.assertRaisesRegex(ValueError, "different SSLContext"):
            client_context().wrap_socket(left, server_hostname="localhost", session=first.session)

    def test_too_late(self):
        first, _ = self.connect()
        client, server = self.connect()
        with self.assertRaisesRegex(ValueError, "after handshake"):
            client.session = first.session
        with self.assertRaises(TypeError):
            client.session = object()


DEFAULT_CONTEXT = """\
import socket, ssl, sys
context = ssl.create_default_context()
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.recv(1)
            print("accepted", sock.getpeercert()["subject"][-1][0][1])
except ssl.SSLCertVerificationError as error:
    print("refused", error.verify_code)
"""


class ServerTest(HandshakeTestCase):
    """Against a server that takes connections until the test ends."""

    def serve(self):
        listener = self.listener()

        def loop():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), sock, server_context().wrap_socket(sock, server_side=True) as wrapped:
                    wrapped.sendall(b"x")
                    wrapped.recv(1)

        serving = Worker(loop)

        def stop():
            # A connection wakes the accept on every interpreter.
            listener.shutdown(socket.SHUT_RDWR)
            serving.finish()

        self.addCleanup(stop)
        return listener.getsockname()

    def test_default_context(self):
        address = self.serve()
        clean = {name: value for name, value in os.environ.items() if name not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
        for changes, expected in (({"SSL_CERT_FILE": AUTHORITY}, "accepted localhost"), ({}, "refused 20")):
            with self.subTest(changes=changes):
                done = subprocess.run([sys.executable, "-c", DEFAULT_CONTEXT, str(address[1])], env={**clean, **changes},
                                      capture_output=True, text=True, timeout=DEADLINE, cwd=HERE)
                self.assertEqual((done.stdout.strip(), done.returncode), (expected, 0), done.stderr)

    def test_default_context_is_strict(self):
        context = ssl.create_default_context()
        self.assertTrue(context.check_hostname)
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)
        context = ssl.create_default_context(cafile=AUTHORITY)
        client, _ = self.tls_pair(client=context)
        self.assertTrue(client.getpeercert())

    def test_get_server_certificate(self):
        address = self.serve()
        with open(SERVER) as file:
            served = ssl.PEM_cert_to_DER_cert(file.read().partition("-----END CERTIFICATE-----")[0]
                                              + "-----END CERTIFICATE-----\n")
        certificate = ssl.get_server_certificate(address)
        self.assertEqual(ssl.PEM_cert_to_DER_cert(certificate), served)
        self.assertEqual(ssl.get_server_certificate(("localhost", address[1]), ca_certs=AUTHORITY, timeout=DEADLINE), certificate)
        with self.assertRaises(ssl.SSLCertVerificationError):
            ssl.get_server_certificate(address, ca_certs=CLIENT)

    def test_get_server_certificate_of_a_silent_server(self):
        silent = self.listener()
        with self.assertRaises(TimeoutError):
            ssl.get_server_certificate(silent.getsockname(), timeout=0.05)


if __name__ == "__main__":
    unittest.main()
