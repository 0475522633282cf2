"""TLS with curl: an https server of ours, asked by the most used client of all."""

import contextlib
import hashlib
import http.server
import os
import ssl
import subprocess
import sys
import tempfile
import unittest

from support import DEADLINE, HOST, IS_RUSTPYTHON, Worker, need_program, wait_for
from tls_programs import CLIENT_SUBJECT, Program
from tls_support import AUTHORITY, CLIENT, OTHER, SERVER, TlsTestCase, server_context


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

    @contextlib.contextmanager
    def asking_for_a_certificate(self, mode):
        context = server_context()
        context.load_verify_locations(AUTHORITY)
        context.verify_mode = mode
        with self.serving(context) as server:
            yield server

    def test_client_certificate(self):
        for maximum in "1.2", "1.3":
            for mode in ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL:
                with self.subTest(mode=mode, maximum=maximum), self.asking_for_a_certificate(mode) as server:
                    self.assertEqual(self.run_curl(server, "--tls-max", maximum, "--cert", CLIENT), b"hello")
                    self.assertEqual(server.seen[0][3]["subject"], CLIENT_SUBJECT)

    def test_required_client_certificate_left_out(self):
        # CURLE_SSL_CONNECT_ERROR; CURLE_SEND_ERROR or CURLE_RECV_ERROR in TLS 1.3, where the client learns of it only after its
        # own handshake; CURLE_SSL_CLIENTCERT if it knows the alert "certificate required".
        refused = 35, 55, 56, 98
        for maximum in "1.2", "1.3":
            with self.subTest(maximum), self.asking_for_a_certificate(ssl.CERT_REQUIRED) as server:
                self.run_curl(server, "--tls-max", maximum, code=refused)
                self.assertEqual(server.seen, [])

    # The stock _ssl requires a certificate that is only asked for.
    @(unittest.expectedFailure if IS_RUSTPYTHON else lambda test: test)
    def test_optional_client_certificate_left_out(self):
        for maximum in "1.2", "1.3":
            with self.subTest(maximum), self.asking_for_a_certificate(ssl.CERT_OPTIONAL) as server:
                self.assertEqual(self.run_curl(server, "--tls-max", maximum), b"hello")
                self.assertFalse(server.seen[0][3])

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


if __name__ == "__main__":
    unittest.main()
