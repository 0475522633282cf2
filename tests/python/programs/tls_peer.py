"""Both sides of the conversations in test_tls_stdlib_programs, each run by the interpreter that the test chooses.

`tls_peer.py serve PROTOCOL` prints its port and serves until it is killed. `tls_peer.py ask PROTOCOL PORT VERSION` talks to
such a server with the standard library's client, in that version of TLS, and exits 0 if all was right.
"""

import asyncio
import base64
import contextlib
import ftplib
import hashlib
import http.client
import http.server
import imaplib
import io
import json
import os
import poplib
import smtplib
import socket
import socketserver
import ssl
import sys
import urllib.request

from peer import HOST, TIMEOUT, Web, announce, blob

CERTIFICATES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "certificates")
AUTHORITY = os.path.join(CERTIFICATES, "authority.pem")
# A name and not HOST, so that the clients say whom they look for (RFC 6066 allows no addresses).
NAME = "localhost"
USER, WORD = "user", "pass word"
MESSAGE = "Subject: test\r\n\r\n" + "".join(f"line {number}\r\n" for number in range(3000)) + ".dotted\r\n"


def server_context(mutual=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(CERTIFICATES, "server.pem"))
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(AUTHORITY)
    return context


def client_context(version, mutual=False):
    context = ssl.create_default_context(cafile=AUTHORITY)
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    if mutual:
        context.load_cert_chain(os.path.join(CERTIFICATES, "client.pem"))
    return context


def serve(handler, implicit):
    server = socketserver.ThreadingTCPServer((HOST, 0), handler)
    server.daemon_threads = True
    server.implicit, server.context = implicit, server_context()
    announce(server.server_address[1])
    server.serve_forever()


class Conversation(socketserver.StreamRequestHandler):
    """Answers each line by the method named after its command; TLS from the start (`implicit`), or once it is asked for."""

    greeting = ""

    def setup(self):
        super().setup()
        if self.server.implicit:
            self.start_tls()

    def start_tls(self):
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self):
        super().finish()
        # The server closes only the socket that it accepted, which wrapping emptied.
        self.request.close()

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say(self.greeting)
        while not getattr(self, "over", False) and (line := self.rfile.readline()):
            self.answer(line.decode().strip())

    def answer(self, line):
        command, _, argument = line.partition(" ")
        getattr(self, f"do_{command.lower()}", self.unknown)(argument)

    def is_encrypted(self):
        return isinstance(self.request, ssl.SSLSocket)


class Smtp(Conversation):
    greeting = "220 peer"
    digest = ""

    def unknown(self, _):
        self.say("502 unknown")

    def do_ehlo(self, _):
        self.say("250-peer")
        self.say("250 AUTH PLAIN" if self.is_encrypted() else "250 STARTTLS")

    def do_starttls(self, _):
        self.say("220 go on")
        self.start_tls()

    def do_auth(self, argument):
        given = base64.b64decode(argument.split()[-1]).decode()
        self.say("235 in" if self.is_encrypted() and given == f"\0{USER}\0{WORD}" else "535 no")

    def do_mail(self, _):
        self.say("250 fine")

    do_rcpt = do_mail

    def do_data(self, _):
        self.say("354 go on")
        body = b""
        while (part := self.rfile.readline()) not in (b".\r\n", b""):
            body += part[1:] if part.startswith(b".") else part
        self.digest = hashlib.sha256(body).hexdigest()
        self.say("250 taken")

    def do_vrfy(self, _):
        self.say("250 " + self.digest)

    def do_quit(self, _):
        self.say("221 bye")
        self.over = True


def ask_smtp(port, version, implicit=False):
    context = client_context(version)
    if implicit:
        client = smtplib.SMTP_SSL(NAME, port, timeout=TIMEOUT, context=context)
    else:
        client = smtplib.SMTP(NAME, port, timeout=TIMEOUT)
    with client:
        if not implicit:
            client.starttls(context=context)
        assert client.sock.version() == version
        client.login(USER, WORD)
        assert client.sendmail("a@example.org", ["b@example.org"], MESSAGE) == {}
        code, text = client.verify("b@example.org")
        assert (code, text.decode()) == (250, hashlib.sha256(MESSAGE.encode()).hexdigest()), text


class Pop3(Conversation):
    greeting = "+OK peer"

    def unknown(self, _):
        self.say("-ERR unknown")

    def do_capa(self, _):
        self.say("+OK")
        if not self.is_encrypted():
            self.say("STLS")
        self.say("USER")
        self.say(".")

    def do_stls(self, _):
        self.say("+OK go on")
        self.start_tls()

    def do_user(self, _):
        self.say("+OK")

    def do_pass(self, argument):
        self.say("+OK" if self.is_encrypted() and argument == WORD else "-ERR no")

    def do_stat(self, _):
        self.say(f"+OK 1 {len(MESSAGE)}")

    def do_retr(self, _):
        self.say("+OK")
        self.wfile.write(MESSAGE.replace("\r\n.", "\r\n..").encode())
        self.say(".")

    def do_quit(self, _):
        self.say("+OK bye")
        self.over = True


def ask_pop3(port, version, implicit=False):
    context = client_context(version)
    if implicit:
        client = poplib.POP3_SSL(NAME, port, timeout=TIMEOUT, context=context)
    else:
        client = poplib.POP3(NAME, port, timeout=TIMEOUT)
        client.stls(context=context)
    assert client.sock.version() == version
    client.user(USER)
    client.pass_(WORD)
    assert client.stat() == (1, len(MESSAGE))
    _, lines, _ = client.retr(1)
    assert b"".join(line + b"\r\n" for line in lines).decode() == MESSAGE
    client.quit()


class Imap(Conversation):
    greeting = "* OK peer"
    mailbox = []

    def answer(self, line):
        self.tag, _, rest = line.partition(" ")
        super().answer(rest)

    def done(self, text="OK done"):
        self.say(f"{self.tag} {text}")

    def unknown(self, _):
        self.done("BAD unknown")

    def do_capability(self, _):
        self.say("* CAPABILITY IMAP4rev1" + ("" if self.is_encrypted() else " STARTTLS"))
        self.done()

    def do_starttls(self, _):
        self.done()
        self.start_tls()

    def do_login(self, argument):
        self.done("OK in" if self.is_encrypted() and argument == f'{USER} "{WORD}"' else "NO")

    def do_append(self, argument):
        size = int(argument.rpartition("{")[2].rstrip("}"))
        self.say("+ go on")
        self.mailbox.append(self.rfile.read(size))
        self.rfile.readline()
        self.done()

    def do_select(self, _):
        self.say(f"* {len(self.mailbox)} EXISTS")
        self.done("OK [READ-WRITE] done")

    def do_fetch(self, argument):
        number = int(argument.split()[0])
        body = self.mailbox[number - 1]
        self.say(f"* {number} FETCH (RFC822 {{{len(body)}}}")
        self.wfile.write(body)
        self.say(")")
        self.done()

    def do_logout(self, _):
        self.say("* BYE")
        self.done()
        self.over = True


def ask_imap(port, version, implicit=False):
    context = client_context(version)
    if implicit:
        client = imaplib.IMAP4_SSL(NAME, port, timeout=TIMEOUT, ssl_context=context)
    else:
        client = imaplib.IMAP4(NAME, port, timeout=TIMEOUT)
        client.starttls(ssl_context=context)
    with client:
        assert client.socket().version() == version
        client.login(USER, WORD)
        for body in MESSAGE.encode(), MESSAGE.encode() * 30:
            assert client.append("INBOX", None, None, body)[0] == "OK"
            number = client.select("INBOX")[1][0]
            answer, data = client.fetch(number.decode(), "(RFC822)")
            assert answer == "OK" and data[0][1] == body


class Ftp(Conversation):
    """Explicit TLS (RFC 4217) and passive mode; files are kept in memory."""

    greeting = "220 peer"
    files = {}
    protect = False

    def unknown(self, _):
        self.say("502 unknown")

    @contextlib.contextmanager
    def data(self):
        self.say("150 coming")
        sock = self.listener.accept()[0]
        self.listener.close()
        if self.protect:
            sock = self.server.context.wrap_socket(sock, server_side=True)
        with sock:
            yield sock
            if self.protect:
                sock.unwrap()
        self.say("226 done")

    def do_auth(self, _):
        self.say("234 go on")
        self.start_tls()

    def do_ccc(self, _):
        self.say("200 in the clear from now on")
        self.request = self.request.unwrap()
        socketserver.StreamRequestHandler.setup(self)

    def do_user(self, _):
        self.say("331 password?")

    def do_pass(self, argument):
        self.say("230 in" if self.is_encrypted() and argument == WORD else "530 no")

    def do_pbsz(self, _):
        self.say("200 fine")

    do_type = do_pbsz

    def do_prot(self, argument):
        self.protect = argument == "P"
        self.say("200 fine")

    def do_pasv(self, _):
        self.listener = socket.create_server((HOST, 0))
        port = self.listener.getsockname()[1]
        self.say("227 Entering Passive Mode (127,0,0,1,%d,%d)" % (port >> 8, port & 255))

    def do_stor(self, name):
        with self.data() as sock, sock.makefile("rb") as file:
            self.files[name] = file.read()

    def do_retr(self, name):
        with self.data() as sock:
            sock.sendall(self.files[name])

    def do_nlst(self, _):
        with self.data() as sock:
            sock.sendall("".join(f"{name}\r\n" for name in self.files).encode())

    def do_quit(self, _):
        self.say("221 bye")
        self.over = True


def ask_ftp(port, version):
    data = os.urandom(3_000_001)

    def exchange(name):
        client.storbinary(f"STOR {name}", io.BytesIO(data))
        client.storlines("STOR lines", io.BytesIO(b"one\ntwo\n"))
        got, lines = bytearray(), []
        client.retrbinary(f"RETR {name}", got.extend)
        client.retrlines("RETR lines", lines.append)
        assert got == data
        assert lines == ["one", "two"]
        assert name in client.nlst()
    with ftplib.FTP_TLS(timeout=TIMEOUT, context=client_context(version)) as client:
        client.connect(NAME, port)
        client.set_pasv(True)
        # It asks for TLS first.
        client.login(USER, WORD)
        assert client.sock.version() == version
        exchange("clear")
        client.prot_p()
        exchange("protected")
        client.prot_c()
        client.ccc()
        exchange("all-in-the-clear")


class Https(Web):
    def do_GET(self):
        if self.path == "/who":
            self.reply(json.dumps([self.connection.version(), self.connection.getpeercert()]).encode())
        else:
            super().do_GET()


def serve_https(mutual=False):
    server = http.server.ThreadingHTTPServer((HOST, 0), Https)
    server.socket = server_context(mutual).wrap_socket(server.socket, server_side=True)
    announce(server.server_address[1])
    server.serve_forever()


def ask_https(port, version, mutual=False):
    context = client_context(version, mutual)
    connection = http.client.HTTPSConnection(NAME, port, timeout=TIMEOUT, context=context)
    with contextlib.closing(connection):
        ports = set()

        def get(path, body=None):
            connection.request("GET" if body is None else "POST", path, body)
            ports.add(connection.sock.getsockname())
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()
        seen_version, certificate = json.loads(get("/who"))
        assert seen_version == version
        assert bool(certificate) == mutual and (not mutual or [["commonName", "client"]] in certificate["subject"])
        assert get("/blob/3200000") == blob(3_200_000)
        assert get("/chunked").splitlines() == [b"part %d" % number for number in range(50)]
        body = os.urandom(2_000_000)
        assert get("/", body).decode() == hashlib.sha256(body).hexdigest()
        assert len(ports) == 1, "the connection was kept"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    for _ in range(5):
        with opener.open(f"https://{NAME}:{port}/redirect", timeout=TIMEOUT) as answer:
            assert answer.url.endswith("/port")
    with opener.open(urllib.request.Request(f"https://{NAME}:{port}/", body), timeout=TIMEOUT) as answer:
        assert answer.read().decode() == hashlib.sha256(body).hexdigest()


LONGEST_LINE = 1 << 20


async def upper(reader, writer):
    """Send each line back in capitals."""
    async for line in reader:
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def serve_streams():
    async def main():
        server = await asyncio.start_server(upper, HOST, 0, limit=LONGEST_LINE, ssl=server_context())
        announce(server.sockets[0].getsockname()[1])
        await server.serve_forever()
    asyncio.run(main())


def ask_streams(port, version):
    async def one(identity):
        reader, writer = await asyncio.open_connection(NAME, port, limit=LONGEST_LINE, ssl=client_context(version))
        assert writer.get_extra_info("ssl_object").version() == version
        for number in range(30):
            line = b"client %d line %d " % (identity, number) + b"x" * 1000 * number
            writer.write(line + b"\n")
            await writer.drain()
            assert (await reader.readline()) == line.upper() + b"\n"
        # Long and short records in turns, without a pause; both sides buffer all of it.
        line = b"x" * 16384 + b"\n"
        writer.writelines([line] * 50)
        await writer.drain()
        for _ in range(50):
            assert (await reader.readline()) == line.upper()
        writer.close()
        await writer.wait_closed()

    async def main():
        await asyncio.wait_for(asyncio.gather(*[one(identity) for identity in range(10)]), TIMEOUT)
    asyncio.run(main())


PROTOCOLS = {
    # name: (server, client)
    "https": (serve_https, ask_https),
    "https-mutual": (lambda: serve_https(True), lambda *arguments: ask_https(*arguments, True)),
    "imaps": (lambda: serve(Imap, True), lambda *arguments: ask_imap(*arguments, True)),
    "imap-starttls": (lambda: serve(Imap, False), ask_imap),
    "smtps": (lambda: serve(Smtp, True), lambda *arguments: ask_smtp(*arguments, True)),
    "smtp-starttls": (lambda: serve(Smtp, False), ask_smtp),
    "pop3s": (lambda: serve(Pop3, True), lambda *arguments: ask_pop3(*arguments, True)),
    "pop3-stls": (lambda: serve(Pop3, False), ask_pop3),
    "ftp-tls": (lambda: serve(Ftp, False), ask_ftp),
    "asyncio-streams": (serve_streams, ask_streams),
}

if __name__ == "__main__":
    role, protocol, *rest = sys.argv[1:]
    if role == "serve":
        PROTOCOLS[protocol][0]()
    else:
        PROTOCOLS[protocol][1](int(rest[0]), rest[1])
