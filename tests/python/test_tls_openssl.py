"""TLS with OpenSSL's own programs: `s_client` against servers of ours, and clients of ours against `s_server`."""

import contextlib
import hashlib
import http.client
import os
import random
import select
import socket
import ssl
import tempfile
import unittest
import urllib.error
import urllib.request

from support import DEADLINE, HOST, IS_RUSTPYTHON, Worker, need_program, wait_for
from tls_programs import CLIENT_SUBJECT, Server, expired_certificate, s_client
from tls_support import AUTHORITY, CLIENT, OTHER, SERVER, TlsTestCase, client_context, server_context


class SClient(TlsTestCase):
    """`openssl s_client` with a server of ours."""

    def setUp(self):
        need_program("openssl")

    def accepting(self, handle, context=None, connections=1):
        """(port, worker): a blocking server that gives each connection to `handle`; the worker's result lists what it made."""
        listener, context = self.listener(), context or server_context()

        def serve():
            results = []
            for _ in range(connections):
                plain, _ = listener.accept()
                with plain, context.wrap_socket(plain, server_side=True) as tls:
                    results.append(handle(tls))
            return results
        return listener.getsockname()[1], Worker(serve)

    @staticmethod
    def echo(tls):
        """Send back each line in capitals; (version, whether the session was resumed, ALPN protocol, certificate)."""
        with tls.makefile("rwb") as file:
            for line in file:
                file.write(line.upper())
                file.flush()
        return tls.version(), tls.session_reused, tls.selected_alpn_protocol(), tls.getpeercert()

    def ask(self, client, line=b"hello there\n"):
        before = len(client.output)
        client.send(line)
        client.expect(line.upper(), before)

    def leave(self, client):
        client.send(b"Q\n")
        code, output = client.end()
        self.assertEqual(code, 0, output)
        return output

    def test_echo(self):
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version):
                port, server = self.accepting(self.echo)
                with s_client(port, version, "-servername", "localhost", "-verify_hostname", "localhost") as client:
                    for number in range(100):
                        self.ask(client, b"line %d\n" % number)
                    output = self.leave(client)
                self.assertIn(b"Verify return code: 0 (ok)", output)
                self.assertEqual(server.result(), [({"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}[version], False, None, None)])

    def test_long_answer(self):
        block = bytes(range(65, 91)) * 1000

        def serve(tls):
            for _ in range(200):
                tls.sendall(block)
            tls.unwrap().close()
        port, server = self.accepting(serve)
        with s_client(port, "-quiet") as client:
            server.result()
            code, output = client.end()
        self.assertEqual(code, 0, output[-1000:])
        self.assertTrue(output.endswith(block * 200))

    def test_both_directions_at_once(self):
        size = 6_000_000
        ours, theirs = random.randbytes(size), random.randbytes(size)

        def serve(tls):
            writer, got = Worker(tls.sendall, ours), bytearray()
            while len(got) < size:
                got += tls.recv(100_000)
            writer.result()
            tls.unwrap().close()
            return got
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version):
                port, server = self.accepting(serve)
                with s_client(port, version, "-quiet") as client:
                    sender = Worker(client.send, theirs)
                    self.assertTrue(server.result()[0] == theirs)
                    sender.result()
                    code, output = client.end()
                self.assertEqual(code, 0)
                self.assertTrue(output.endswith(ours))

    def test_session_resumption(self):
        for version in "TLSv1.2", "TLSv1.3":
            with self.subTest(version), tempfile.TemporaryDirectory() as folder:
                option, session = "-tls1_2" if version == "TLSv1.2" else "-tls1_3", os.path.join(folder, "session")
                port, server = self.accepting(self.echo, connections=2)
                with s_client(port, option, "-sess_out", session) as client:
                    # A TLS 1.3 ticket comes after the handshake, before the first answer.
                    self.ask(client)
                    self.assertIn(b"New, " + version.encode(), self.leave(client))
                with s_client(port, option, "-sess_in", session) as client:
                    self.ask(client)
                    self.assertIn(b"Reused, " + version.encode(), self.leave(client))
                self.assertEqual([entry[:2] for entry in server.result()], [(version, False), (version, True)])

    def test_reconnect(self):
        # Five times anew with the first connection's session; no ticket would have come in time under TLS 1.3.
        port, server = self.accepting(lambda tls: (tls.recv(10), tls.session_reused), connections=6)
        with s_client(port, "-reconnect", "-tls1_2") as client:
            wait_for(lambda: client.output.count(b"Reused, TLSv1.2") == 5, "five resumed sessions")
            output = self.leave(client)
        self.assertEqual(output.count(b"New, TLSv1.2"), 1, output)
        self.assertEqual(server.result(), [(b"", False)] + [(b"", True)] * 5)

    def test_sni_chooses_the_certificate(self):
        names, context, other = [], server_context(), server_context(OTHER)

        def choose(tls, name, given):
            self.assertIs(given, context)
            names.append(name)
            if name == "other.test":
                tls.context = other
            elif name == "unknown.test":
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        context.sni_callback = choose
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version):
                names.clear()
                port, server = self.accepting(self.echo, context, connections=3)
                for arguments, common_name in ((["-servername", "other.test"], b"other.test"),
                                               (["-servername", "localhost"], b"localhost"),
                                               (["-noservername"], b"localhost")):
                    with s_client(port, version, *arguments, "-verify_hostname", common_name.decode()) as client:
                        self.ask(client)
                        self.assertRegex(self.leave(client), rb"subject=.*CN ?= ?" + common_name + b"\n")
                server.result()
                self.assertEqual(names, ["other.test", "localhost", None])
                port, server = self.accepting(self.echo, context)
                with s_client(port, version, "-servername", "unknown.test") as client:
                    code, output = client.end()
                self.assertIn(b"unrecognized name", output)
                with self.assertRaises(ssl.SSLError):
                    server.result()

    def test_alpn(self):
        context = server_context()
        context.set_alpn_protocols(["first", "second"])
        for offer, expected in ("second,first", "first"), ("third,second", "second"):
            with self.subTest(offer):
                port, server = self.accepting(self.echo, context)
                with s_client(port, "-alpn", offer) as client:
                    self.ask(client)
                    self.assertIn(b"ALPN protocol: " + expected.encode(), self.leave(client))
                self.assertEqual(server.result()[0][2], expected)
        port, server = self.accepting(self.echo, context)
        with s_client(port) as client:
            self.ask(client)
            self.assertIn(b"No ALPN negotiated", self.leave(client))
        self.assertIsNone(server.result()[0][2])

    def test_client_certificate(self):
        context = server_context()
        context.load_verify_locations(AUTHORITY)
        context.verify_mode = ssl.CERT_REQUIRED
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version):
                port, server = self.accepting(self.echo, context)
                with s_client(port, version, "-cert", CLIENT) as client:
                    self.ask(client)
                    self.leave(client)
                self.assertEqual(server.result()[0][3]["subject"], CLIENT_SUBJECT)
                port, server = self.accepting(self.echo, context)
                with s_client(port, version) as client:
                    with self.assertRaises(ssl.SSLError):
                        server.result()
                    code, output = client.end()
                self.assertNotEqual(code, 0, output)
        # A certificate that the authority did not sign.
        context = server_context()
        context.load_verify_locations(OTHER)
        context.verify_mode = ssl.CERT_REQUIRED
        port, server = self.accepting(self.echo, context)
        with s_client(port, "-cert", CLIENT) as client:
            with self.assertRaises(ssl.SSLCertVerificationError):
                server.result()
            client.end()

    def test_key_update(self):
        port, server = self.accepting(self.echo)
        with s_client(port, "-tls1_3", "-msg") as client:
            self.ask(client)
            # 'k' changes the client's key, 'K' asks for the server's to change too.
            for command in b"k\n", b"K\n", b"K\n":
                before = len(client.output)
                client.send(command)
                client.expect(b"KEYUPDATE", before)
                self.ask(client)
            client.expect(rb"<<< TLS 1\.3, Handshake \[length 0005\], KeyUpdate")
            self.leave(client)
        server.result()

    def test_key_updates_while_the_server_only_reads(self):
        heard = []

        def read(tls):
            with tls.makefile("rb") as file:
                while (line := file.readline()) != b"end\n":
                    heard.append(line)
            tls.sendall(b"thanks\n")
            tls.unwrap().close()
        port, server = self.accepting(read)
        with s_client(port, "-tls1_3", "-msg") as client:
            for number in range(20):
                before = len(client.output)
                client.send(b"K\n")
                client.expect(b"KEYUPDATE", before)
                client.send(b"%d\n" % number)
                # A command is one only where a read of s_client begins with it.
                wait_for(lambda: len(heard) > number, "the server hears the line")
            client.send(b"end\n")
            client.expect(rb"<<< TLS 1\.3, Handshake \[length 0005\], KeyUpdate")
            client.expect(b"thanks\n")
            server.result()
            self.assertEqual(client.end()[0], 0)
        self.assertEqual(heard, [b"%d\n" % number for number in range(20)])

    def test_client_killed_without_close_notify(self):
        for suppress in True, False:
            with self.subTest(suppress_ragged_eofs=suppress):
                listener, started = self.listener(), []

                def serve():
                    plain, _ = listener.accept()
                    with plain, server_context().wrap_socket(plain, server_side=True, suppress_ragged_eofs=suppress) as tls:
                        started.append(tls.recv(100))
                        tls.sendall(b"heard\n")
                        return tls.recv(100)
                server = Worker(serve)
                with s_client(listener.getsockname()[1]) as client:
                    client.send(b"hello\n")
                    # Until it has read all: the end with something unread would be a reset of the connection.
                    client.expect(b"heard\n")
                    client.process.kill()
                    if suppress:
                        self.assertEqual(server.result(), b"")
                    else:
                        with self.assertRaises(ssl.SSLEOFError):
                            server.result()
                self.assertEqual(started, [b"hello\n"])

    def test_client_ends_its_side_first(self):
        # With its input over, s_client sends close_notify and no more, and takes what comes until the server ends too.
        def serve(tls):
            tls.suppress_ragged_eofs = False
            lines = [tls.recv(100), tls.recv(100)]
            tls.sendall(b"after the client's close_notify")
            plain = tls.unwrap()
            with plain:
                plain.settimeout(DEADLINE)
                return [*lines, plain.recv(100)]
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version):
                port, server = self.accepting(serve)
                with s_client(port, version) as client:
                    client.expect(b"Verify return code")
                    client.send(b"hello\n")
                    client.process.stdin.close()
                    self.assertEqual(server.result(), [[b"hello\n", b"", b""]])
                    code, output = client.end()
                    self.assertEqual(code, 0, output)

    def test_server_ends_first(self):
        def serve(tls):
            tls.sendall(b"goodbye\n")
            with tls.unwrap() as plain:
                plain.settimeout(DEADLINE)
                return plain.recv(100)
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version):
                port, server = self.accepting(serve)
                with s_client(port, version) as client:
                    code, output = client.end()
                    self.assertEqual(code, 0, output)
                    self.assertIn(b"goodbye\n", output)
                self.assertEqual(server.result(), [b""])

    def test_client_that_speaks_no_tls(self):
        port, server = self.accepting(self.echo)
        with socket.create_connection((HOST, port), DEADLINE) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with self.assertRaises(ssl.SSLError):
                server.result()

    def test_client_refuses_the_certificate(self):
        port, server = self.accepting(self.echo)
        with s_client(port, "-verify_hostname", "other.test") as client:
            self.assertNotEqual(client.end()[0], 0)
        with self.assertRaises(OSError):
            server.result()


class SServer(TlsTestCase):
    """A client of ours with `openssl s_server`, which serves one connection after the other."""

    VERSIONS = {"TLSv1.2": "-no_tls1_3", "TLSv1.3": "-tls1_3"}

    def setUp(self):
        need_program("openssl")

    def connect(self, server, context=None, timeout=DEADLINE, hostname="localhost", **kwargs):
        plain = self.keep(socket.create_connection((HOST, server.port), DEADLINE))
        plain.settimeout(timeout)
        return self.keep((context or client_context()).wrap_socket(plain, server_hostname=hostname, **kwargs))

    def opener(self, context):
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

    def page(self, server, context=None, host="localhost"):
        """The status page of `s_server -www`, by urllib.request."""
        with self.opener(context or client_context()).open(f"https://{host}:{server.port}/", timeout=DEADLINE) as answer:
            self.assertEqual(answer.status, 200)
            return answer.read().decode()

    def test_status_page(self):
        for version, option in self.VERSIONS.items():
            with self.subTest(version), Server("-www", option) as server:
                for host in "localhost", HOST:
                    self.assertIn(f"New, {version}, Cipher is", self.page(server, host=host))
                connection = http.client.HTTPSConnection("localhost", server.port, timeout=DEADLINE, context=client_context())
                with contextlib.closing(connection):
                    connection.request("GET", "/")
                    self.assertEqual(connection.sock.version(), version)
                    self.assertIn(f"New, {version}", connection.getresponse().read().decode())

    def test_file(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.urandom(1_000_003) * 8
            with open(os.path.join(folder, "file.bin"), "wb") as file:
                file.write(data)
            with Server("-WWW", "-http_server_binmode", cwd=folder) as server:
                url = f"https://localhost:{server.port}/file.bin"
                for _ in range(3):
                    with self.opener(client_context()).open(url, timeout=DEADLINE) as answer:
                        self.assertEqual(hashlib.sha256(answer.read()).digest(), hashlib.sha256(data).digest())

    def test_reversed_lines(self):
        for version, option in self.VERSIONS.items():
            for timeout in None, DEADLINE:
                with self.subTest(version, timeout=timeout), Server("-rev", option) as server:
                    tls = self.connect(server, timeout=timeout)
                    self.assertEqual(tls.version(), version)
                    with tls.makefile("rwb") as file:
                        for number in range(100):
                            file.write(b"line %d\n" % number)
                            file.flush()
                            self.assertEqual(file.readline(), (b"line %d" % number)[::-1] + b"\n")
                    tls.unwrap().close()

    def test_without_blocking(self):
        def ready(call, *arguments):
            while True:
                try:
                    return call(*arguments)
                except ssl.SSLWantReadError:
                    self.assertTrue(select.select([tls], [], [], DEADLINE)[0], "the server answers")
                except ssl.SSLWantWriteError:
                    self.assertTrue(select.select([], [tls], [], DEADLINE)[1], "the server reads")
        for version, option in self.VERSIONS.items():
            with self.subTest(version), Server("-rev", option) as server:
                tls = self.connect(server, timeout=0, do_handshake_on_connect=False)
                ready(tls.do_handshake)
                self.assertEqual(tls.version(), version)
                for number in range(200):
                    line = b"line %d" % number
                    self.assertEqual(ready(tls.send, line + b"\n"), len(line) + 1)
                    answer = b""
                    while not answer.endswith(b"\n"):
                        answer += ready(tls.recv, 3)
                    self.assertEqual(answer, line[::-1] + b"\n")
                self.assertEqual(tls.pending(), 0)
                with self.assertRaises(ssl.SSLWantReadError):
                    tls.recv(1)
                ready(tls.unwrap)

    def test_both_ways_with_key_updates(self):
        with Server("-tls1_3", "-msg") as server:
            tls = self.connect(server)
            tls.sendall(b"from the client\n")
            server.expect(b"from the client\n")
            server.send(b"from the server\n")
            self.assertEqual(tls.recv(100), b"from the server\n")
            for command in b"k\n", b"K\n", b"K\n":
                before = len(server.output)
                server.send(command)
                # A command is one only where a read of s_server begins with it.
                server.expect(rb">>> TLS 1\.3, Handshake \[length 0005\], KeyUpdate", before)
                server.send(b"after the update\n")
                self.assertEqual(tls.recv(100), b"after the update\n")
                before = len(server.output)
                tls.sendall(b"and back\n")
                server.expect(b"and back\n", before)

    def test_server_says_close_notify(self):
        for version, option in self.VERSIONS.items():
            with self.subTest(version), Server("-www", option) as server:
                tls = self.connect(server, suppress_ragged_eofs=False)
                tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while part := tls.recv(100):
                    answer += part
                self.assertTrue(answer.endswith(b"</HTML>\r\n\r\n"), answer)
                self.assertEqual(tls.recv(100), b"")

    def test_server_ends_without_close_notify(self):
        def quit(server):
            server.send(b"Q\n")

        def kill(server):
            server.process.kill()
        for end in quit, kill:
            for suppress in True, False:
                with self.subTest(end.__name__, suppress_ragged_eofs=suppress), Server() as server:
                    tls = self.connect(server, timeout=None, suppress_ragged_eofs=suppress)
                    tls.sendall(b"hello\n")
                    server.expect(b"hello\n")
                    reader = Worker(tls.recv, 100).wait_blocked()
                    end(server)
                    if suppress:
                        self.assertEqual(reader.result(), b"")
                    else:
                        with self.assertRaises(ssl.SSLEOFError):
                            reader.result()

    def test_client_ends_first(self):
        for version, option in self.VERSIONS.items():
            with self.subTest(version), Server("-naccept", "1", option) as server:
                tls = self.connect(server)
                tls.sendall(b"hello\n")
                server.expect(b"hello\n")
                plain = tls.unwrap()
                with plain:
                    plain.settimeout(DEADLINE)
                    self.assertEqual(plain.recv(100), b"")
                code, output = server.end()
                self.assertIn(b"DONE", output)

    def test_client_certificate(self):
        ours = client_context()
        ours.load_cert_chain(CLIENT)
        for version, option in self.VERSIONS.items():
            with self.subTest(version):
                with Server("-www", option, "-Verify", "1", "-verify_return_error", "-CAfile", AUTHORITY) as server:
                    self.assertRegex(self.page(server, ours), r"Client certificate\n(.*\n)+.*CN ?= ?client")
                    with self.assertRaises(OSError) as caught:
                        self.page(server)
                    # urllib.request wraps what comes while it sends, and not what comes while it reads.
                    error = caught.exception.reason if isinstance(caught.exception, urllib.error.URLError) else caught.exception
                    self.assertIsInstance(error, (ssl.SSLError, ConnectionResetError, BrokenPipeError))
                    self.assertRegex(self.page(server, ours), "CN ?= ?client")

    def test_missing_client_certificate_is_told(self):
        for version, option in self.VERSIONS.items():
            with self.subTest(version):
                with Server(option, "-Verify", "1", "-verify_return_error", "-CAfile", AUTHORITY) as server:
                    with self.assertRaisesRegex(ssl.SSLError, "(?i)alert"):
                        with self.connect(server) as tls:
                            # In TLS 1.3 the client has its handshake behind it when the server finds out.
                            tls.recv(100)

    def test_versions_that_do_not_meet(self):
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with Server("-www", "-tls1_3") as server:
            with self.assertRaises(ssl.SSLError):
                self.connect(server, context)
            self.assertIn("New, TLSv1.3", self.page(server))
        context = client_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with Server("-www", "-no_tls1_3") as server:
            with self.assertRaises(ssl.SSLError):
                self.connect(server, context)
            self.assertIn("New, TLSv1.2", self.page(server))

    def refused(self, server, context, code, hostname="localhost"):
        """The certificate is refused, with OpenSSL's number for the reason, by SSLSocket and by urllib.request."""
        with self.assertRaises(ssl.SSLCertVerificationError) as caught:
            self.connect(server, context, hostname=hostname)
        # The stock _ssl knows no number for some of the reasons.
        codes = (code, 1) if IS_RUSTPYTHON else (code,)
        self.assertIn(caught.exception.verify_code, codes, caught.exception)
        with self.assertRaises(urllib.error.URLError) as caught:
            self.page(server, context, host=hostname)
        self.assertIsInstance(caught.exception.reason, ssl.SSLCertVerificationError)

    def test_wrong_name(self):
        hostname_mismatch, address_mismatch = 62, 64
        with Server("-www", certificate=OTHER) as server:
            self.refused(server, client_context(), hostname_mismatch)
            self.refused(server, client_context(), address_mismatch, hostname=HOST)
            with self.connect(server, hostname="other.test") as tls:
                self.assertEqual(tls.getpeercert()["subjectAltName"], (("DNS", "other.test"),))
            context = client_context()
            context.check_hostname = False
            self.assertIn("New, TLSv1.3", self.page(server, context))

    def test_unknown_authority(self):
        unable_to_get_issuer_locally = 20
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(OTHER)
        with Server("-www") as server:
            self.refused(server, context, unable_to_get_issuer_locally)
            self.assertIn("New, TLSv1.3", self.page(server))
            self.assertIn("New, TLSv1.3", self.page(server, client_context(verify=False)))

    def test_expired_certificate(self):
        has_expired = 10
        with tempfile.TemporaryDirectory() as folder:
            certificate, authority = expired_certificate(folder)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(authority)
            with Server("-www", certificate=certificate) as server:
                self.refused(server, context, has_expired)
                self.assertIn("New, TLSv1.3", self.page(server, client_context(verify=False)))

    def test_session_resumption(self):
        for version, option in self.VERSIONS.items():
            with self.subTest(version), Server("-rev", option) as server:
                context, session = client_context(), None
                for reused in False, True:
                    tls = self.connect(server, context, session=session)
                    self.assertIs(tls.session_reused, reused)
                    # A TLS 1.3 ticket comes with the first answer.
                    tls.sendall(b"abc\n")
                    self.assertEqual(tls.recv(100), b"cba\n")
                    session = tls.session
                    tls.unwrap().close()

    def test_alpn(self):
        with Server("-rev", "-alpn", "second,third") as server:
            context = client_context()
            context.set_alpn_protocols(["first", "second"])
            for offering, expected in (context, "second"), (client_context(), None):
                with self.connect(server, offering) as tls:
                    self.assertEqual(tls.selected_alpn_protocol(), expected)

    def test_server_name(self):
        with Server("-rev", "-servername", "other.test", "-cert2", OTHER) as server:
            for name in "other.test", "localhost":
                with self.connect(server, hostname=name) as tls:
                    self.assertIn((("commonName", name),), tls.getpeercert()["subject"])

    def test_get_server_certificate(self):
        with Server("-www") as server:
            found = ssl.get_server_certificate((HOST, server.port), ca_certs=AUTHORITY, timeout=DEADLINE)
            with open(SERVER) as file:
                self.assertEqual(found.strip(), file.read().partition("-----BEGIN EC")[0].strip())


if __name__ == "__main__":
    unittest.main()
