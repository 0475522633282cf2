"""TLS with programs of other makers: curl, and OpenSSL's s_client and s_server."""

import contextlib
import hashlib
import http.client
import http.server
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from support import DEADLINE, HOST, Worker, need_program, wait_for
from tls_programs import Program, Server, s_client
from tls_support import AUTHORITY, CLIENT, OTHER, SERVER, TlsTestCase, client_context, server_context

CLIENT_SUBJECT = ((("organizationName", "rustpython-reactor tests"),), (("commonName", "client"),))


class Web(http.server.BaseHTTPRequestHandler):
    """Serves the server's `blob`, answers a POST with its digest, and notes what TLS says of each request."""

    protocol_version = "HTTP/1.1"

    def note(self):
        tls = self.connection
        self.server.seen.append((self.command, tls.version(), tls.selected_alpn_protocol(), tls.getpeercert(), self.client_address))

    def reply(self, body):
        self.note()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(self.server.blob)

    def do_POST(self):
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left:
            part = self.rfile.read(min(left, 100_000))
            left -= len(part)
            digest.update(part)
        self.reply(digest.hexdigest().encode())

    def log_message(self, *_):
        pass


class Curl(TlsTestCase):
    def setUp(self):
        self.curl = need_program("curl")
        features = subprocess.run([self.curl, "--version"], capture_output=True, text=True, timeout=DEADLINE).stdout
        if "https" not in features:
            self.skipTest("this curl speaks no https")

    @contextlib.contextmanager
    def serving(self, context=None, blob=b"hello"):
        """An https server of ours, in the way most programs make one: the listening socket is wrapped."""
        server = http.server.ThreadingHTTPServer((HOST, 0), Web)
        server.blob, server.seen = blob, []
        # Anew, as more clients at once than the default queue of 5 takes would be kept waiting a second each.
        server.socket.listen(128)
        server.socket = (context or server_context()).wrap_socket(server.socket, server_side=True)
        thread = Worker(server.serve_forever, 0.01)
        try:
            yield server
        finally:
            server.shutdown()
            thread.result()
            server.server_close()

    def command(self, server, *arguments, name="localhost", authority=AUTHORITY):
        port = server.server_address[1]
        return [self.curl, "-q", "-sS", "--noproxy", "*", "--max-time", "60", "--resolve", f"{name}:{port}:{HOST}",
                "--cacert", authority, *arguments, f"https://{name}:{port}/"]

    def run_curl(self, server, *arguments, code=0, **kwargs):
        done = subprocess.run(self.command(server, *arguments, **kwargs), stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), done.stderr)
        return done.stdout

    def test_get(self):
        with self.serving() as server:
            self.assertEqual(self.run_curl(server, "-w", "%{http_code} %{ssl_verify_result}"), b"hello200 0")
            self.assertEqual(self.run_curl(server, name=HOST), b"hello")

    def test_large_post(self):
        body = os.urandom(6_000_001)
        with self.serving() as server, tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            digest = hashlib.sha256(body).hexdigest().encode()
            self.assertEqual(self.run_curl(server, "--data-binary", f"@{file.name}"), digest)
            # Without the pause in which curl waits for "100 Continue".
            self.assertEqual(self.run_curl(server, "-H", "Expect:", "--data-binary", f"@{file.name}"), digest)

    def test_large_download(self):
        blob = os.urandom(1_000_003) * 30
        with self.serving(blob=blob) as server, tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "copy")
            self.assertEqual(self.run_curl(server, "-o", target, "-w", "%{size_download}"), b"%d" % len(blob))
            with open(target, "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(blob).digest())

    def test_download_cut_off_by_the_client(self):
        with self.serving(blob=bytes(30_000_000)) as server:
            errors = []
            server.handle_error = lambda *_: errors.append(sys.exception())
            with Program(*self.command(server, "-o", "-", "--limit-rate", "100k")) as curl:
                curl.expect(b"\0")
            wait_for(lambda: errors, "the server notices that curl was killed")
            self.assertIsInstance(errors[0], OSError)
            server.blob = b"next"
            self.assertEqual(self.run_curl(server), b"next")

    def test_two_requests_on_one_connection(self):
        with self.serving() as server:
            url = f"https://localhost:{server.server_address[1]}/second"
            self.assertEqual(self.run_curl(server, "-w", " %{num_connects} ", url), b"hello 1 hello 0 ")
            self.assertEqual(len({seen[-1] for seen in server.seen}), 1)

    def test_alpn(self):
        context = server_context()
        context.set_alpn_protocols(["http/1.1"])
        for arguments, expected in (["--http1.1"], "http/1.1"), (["--no-alpn"], None), ([], "http/1.1"):
            with self.subTest(arguments=arguments), self.serving(context) as server:
                self.assertEqual(self.run_curl(server, *arguments), b"hello")
                self.assertEqual([seen[2] for seen in server.seen], [expected])

    def test_refused_certificates(self):
        refused = 60    # CURLE_PEER_FAILED_VERIFICATION
        with self.serving() as server:
            self.run_curl(server, authority=OTHER, code=refused)
            self.run_curl(server, name="other.test", code=refused)
            self.assertEqual(server.seen, [])
            self.assertEqual(self.run_curl(server), b"hello")

    def test_versions(self):
        only_12, only_13 = ["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]
        for arguments, expected in (only_12, "TLSv1.2"), (only_13, "TLSv1.3"):
            with self.subTest(expected), self.serving() as server:
                self.assertEqual(self.run_curl(server, *arguments), b"hello")
                self.assertEqual([seen[1] for seen in server.seen], [expected])

    def test_versions_that_do_not_meet(self):
        connect_error = 35    # CURLE_SSL_CONNECT_ERROR
        context = server_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with self.serving(context) as server:
            self.run_curl(server, "--tls-max", "1.2", code=connect_error)
            self.assertEqual(self.run_curl(server), b"hello")
        context = server_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.serving(context) as server:
            self.run_curl(server, "--tlsv1.3", code=connect_error)
            self.assertEqual(self.run_curl(server), b"hello")

    def test_client_certificate(self):
        for maximum in "1.2", "1.3":
            for mode in ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL:
                context = server_context()
                context.load_verify_locations(AUTHORITY)
                context.verify_mode = mode
                with self.subTest(mode=mode, maximum=maximum), self.serving(context) as server:
                    arguments = ["--tls-max", maximum]
                    self.assertEqual(self.run_curl(server, *arguments, "--cert", CLIENT), b"hello")
                    self.assertEqual(server.seen[0][3]["subject"], CLIENT_SUBJECT)
                    if mode == ssl.CERT_OPTIONAL:
                        self.assertEqual(self.run_curl(server, *arguments), b"hello")
                        self.assertFalse(server.seen[1][3])
                    else:
                        # CURLE_SSL_CONNECT_ERROR, or in TLS 1.3, where the client learns of it only after its own handshake,
                        # CURLE_SEND_ERROR or CURLE_RECV_ERROR; newer ones: CURLE_SSL_CLIENTCERT.
                        self.run_curl(server, *arguments, code=(35, 55, 56, 98))
                        self.assertEqual(len(server.seen), 1)

    def test_many_at_once(self):
        with self.serving(blob=bytes(300_000)) as server:
            command = self.command(server, "-o", os.devnull, "-w", "%{http_code} %{size_download}")
            several = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(12)]
            self.assertEqual([each.communicate(timeout=120)[0] for each in several], [b"200 300000"] * 12)

    @unittest.skipUnless(hasattr(http.server, "HTTPSServer"), "http.server knows TLS since 3.14")
    def test_the_http_server_program(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.urandom(3_000_000)
            with open(os.path.join(folder, "file"), "wb") as file:
                file.write(data)
            command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", HOST, "--directory", folder, "--tls-cert", SERVER]
            with Program(*command) as server:
                port = int(server.expect(rb" port (\d+) ")[1])
                done = subprocess.run([self.curl, "-q", "-sS", "--noproxy", "*", "--max-time", "60", "--cacert", AUTHORITY,
                                       f"https://{HOST}:{port}/file"], capture_output=True, timeout=90)
                self.assertEqual((done.returncode, done.stderr, len(done.stdout)), (0, b"", len(data)))
                self.assertTrue(done.stdout == data)


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


if __name__ == "__main__":
    unittest.main()
