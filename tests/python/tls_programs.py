"""Programs that speak TLS, as the TLS suites talk to them: `openssl s_client` and `s_server` held in conversation."""

import os
import re
import subprocess

from support import DEADLINE, HERE, HOST, Worker, need_program, wait_for
from tls_support import AUTHORITY, SERVER

# What getpeercert() says of client.pem.
CLIENT_SUBJECT = ((("organizationName", "rustpython-reactor tests"),), (("commonName", "client"),))


class Program:
    """A running program: what it says is collected, standard error included; killed, if need be, and reaped at the end."""

    def __init__(self, *arguments, cwd=HERE):
        self.arguments = arguments
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        bufsize=0, cwd=cwd)
        # Not a bytearray: growing one that another thread looks at is an error on a VM without a global lock.
        self.output = b""
        self.reader = Worker(self._read)

    def _read(self):
        while part := self.process.stdout.read(65536):
            self.output += part

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self.reader.finish()
        self.process.stdout.close()
        self.process.stdin.close()

    def __str__(self):
        # The end, as OpenSSL's programs say much at the beginning.
        return f"{' '.join(self.arguments)} (exit code {self.process.poll()}) said last {self.output[-1500:]!r}"

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view):]

    def expect(self, pattern, after=0):
        """The match of a regular expression in what the program says beyond the first `after` bytes."""
        search = re.compile(pattern).search

        def said():
            # In this order: what came before the end counts.
            ended = self.reader.ended is not None
            match = search(self.output, after)
            assert match or not ended, "it ended"
            return match
        try:
            return wait_for(said, f"{pattern!r} is said")
        except AssertionError as error:
            raise AssertionError(f"{error}, and not {pattern!r} said: {self}") from None

    def end(self):
        """(exit code, output) of a program that ends by itself."""
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end: {self}") from None
        self.reader.finish()
        return code, self.output


def s_client(port, *arguments):
    """`openssl s_client`, which trusts the tests' authority alone and reads commands (Q, k, K) and lines to send."""
    return Program(need_program("openssl"), "s_client", "-connect", f"{HOST}:{port}", "-CAfile", AUTHORITY,
                   "-verify_return_error", *arguments)


class Server(Program):
    """`openssl s_server` on a port that the kernel chose."""

    def __init__(self, *arguments, certificate=SERVER, cwd=HERE):
        super().__init__(need_program("openssl"), "s_server", "-accept", f"{HOST}:0", "-cert", certificate, *arguments, cwd=cwd)
        try:
            self.port = int(self.expect(rb"ACCEPT \S+:(\d+)\n")[1])
        except BaseException:
            self.__exit__()
            raise


CA_SETTINGS = """\
[ca]
default_ca = tests
[tests]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
keyUsage = critical,digitalSignature
subjectAltName = DNS:localhost,IP:127.0.0.1
"""


def expired_certificate(folder):
    """Make a certificate for localhost that was good in 2020; (the file with it and its key, the file of its authority)."""
    openssl = need_program("openssl")

    def run(*arguments):
        done = subprocess.run([openssl, *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE)
        assert done.returncode == 0, (arguments, done.stderr)
    for name, text in ("settings", CA_SETTINGS), ("index.txt", ""), ("serial", "01\n"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run("req", "-x509", *new_key, "-keyout", "authority.key", "-out", "authority.pem", "-subj", "/CN=Authority", "-days", "2",
        "-addext", "keyUsage=critical,keyCertSign")
    run("req", *new_key, "-keyout", "expired.key", "-out", "request", "-subj", "/CN=localhost")
    run("ca", "-batch", "-notext", "-config", "settings", "-cert", "authority.pem", "-keyfile", "authority.key", "-in", "request",
        "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-out", "expired.crt")
    with open(os.path.join(folder, "expired.pem"), "wb") as file:
        for part in "expired.crt", "expired.key":
            with open(os.path.join(folder, part), "rb") as source:
                file.write(source.read())
    return file.name, os.path.join(folder, "authority.pem")
