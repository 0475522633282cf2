"""The standard library's clients and servers over TLS, one side run by this interpreter and the other by a CPython."""

import os
import sys
import unittest

from support import child_port, need_cpython, run_python, running
from tls_support import TlsTestCase

PEER = os.path.join("programs", "tls_peer.py")


class Protocols:
    """One conversation a test, in either version of TLS; `interpreters` gives who serves and who asks."""

    def talk(self, protocol):
        server, client = self.interpreters()
        with running([server, PEER, "serve", protocol]) as child:
            port = child_port(child)
            for version in "TLSv1.2", "TLSv1.3":
                with self.subTest(version):
                    done = run_python(PEER, "ask", protocol, str(port), version, executable=client)
                    self.assertEqual(done.returncode, 0, done.stderr)

    def test_https(self):
        self.talk("https")

    def test_https_with_client_certificates(self):
        self.talk("https-mutual")

    def test_imap(self):
        self.talk("imaps")

    def test_imap_starttls(self):
        self.talk("imap-starttls")

    def test_smtp(self):
        self.talk("smtps")

    def test_smtp_starttls(self):
        self.talk("smtp-starttls")

    def test_pop3(self):
        self.talk("pop3s")

    def test_pop3_stls(self):
        self.talk("pop3-stls")

    def test_ftp(self):
        self.talk("ftp-tls")

    def test_asyncio_streams(self):
        self.talk("asyncio-streams")


class OurClients(Protocols, TlsTestCase):
    def interpreters(self):
        return need_cpython(), sys.executable


class OurServers(Protocols, TlsTestCase):
    def interpreters(self):
        return sys.executable, need_cpython()


if __name__ == "__main__":
    unittest.main()
