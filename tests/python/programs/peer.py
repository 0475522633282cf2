"""The other side of the conversations in test_stdlib_programs, run by a CPython.

`peer.py SERVER` prints its port, serves until it is killed. `peer.py CLIENT PORT ...` talks, and exits 0 if all was right.
"""

import asyncio
import hashlib
import http.client
import http.server
import os
import random
import socket
import socketserver
import sys
import threading

HOST = "127.0.0.1"
KEY = b"a shared secret"
TIMEOUT = 60


def announce(port):
    print(port, flush=True)


def blob(size):
    return random.Random(size).randbytes(size) if hasattr(random.Random, "randbytes") else hashlib.sha256(b"%d" % size).digest() * (size // 32)


# Many clients at once must not meet a full queue, whose retries take a second each.
socketserver.TCPServer.request_queue_size = 128


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def reply(self, body, *headers):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/port":
            self.reply(b"%d" % self.client_address[1])
        elif self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/port")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number in range(50):
                part = b"part %d\n" % number
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path.startswith("/blob/"):
            self.reply(blob(int(self.path[6:])))
        else:
            self.send_error(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(hashlib.sha256(body).hexdigest().encode())

    def log_message(self, *_):
        pass


def http_server():
    server = http.server.ThreadingHTTPServer((HOST, 0), Web)
    announce(server.server_address[1])
    server.serve_forever()


def http_client(port):
    """Keep-alive requests to a SimpleHTTPRequestHandler-like server of the other side."""
    connection = http.client.HTTPConnection(HOST, int(port), timeout=TIMEOUT)
    for number in range(50):
        connection.request("POST", "/", body=b"body %d" % number)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read() == b"BODY %d" % number


def echo_client(port, clients="8", rounds="50"):
    """Several clients at once to a server that answers each line in capitals."""
    failures = []

    def talk(identity):
        try:
            with socket.create_connection((HOST, int(port)), timeout=TIMEOUT) as sock, sock.makefile("rwb") as file:
                for number in range(int(rounds)):
                    file.write(b"client %d line %d\n" % (identity, number))
                    file.flush()
                    assert file.readline() == b"CLIENT %d LINE %d\n" % (identity, number)
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=talk, args=(identity,)) for identity in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert not failures, failures


def udp_client(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        for number in range(50):
            sock.sendto(b"datagram %d" % number, (HOST, int(port)))
            assert sock.recvfrom(100)[0] == b"DATAGRAM %d" % number


class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class UpperDatagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(data.upper(), self.client_address)


def echo_server():
    socketserver.ThreadingTCPServer.daemon_threads = True
    server = socketserver.ThreadingTCPServer((HOST, 0), Upper)
    announce(server.server_address[1])
    server.serve_forever()


def udp_server():
    server = socketserver.UDPServer((HOST, 0), UpperDatagram)
    announce(server.server_address[1])
    server.serve_forever()


def xmlrpc_server():
    import xmlrpc.server
    server = xmlrpc.server.SimpleXMLRPCServer((HOST, 0), logRequests=False, allow_none=True)
    server.register_function(lambda *numbers: sum(numbers), "add")
    server.register_function(lambda value: value, "same")
    announce(server.server_address[1])
    server.serve_forever()


def xmlrpc_client(port):
    import xmlrpc.client
    with xmlrpc.client.ServerProxy("http://%s:%s/" % (HOST, port), allow_none=True) as proxy:
        assert proxy.add(1, 2, 3) == 6
        value = {"list": [1, 2.5, "text", None], "true": True}
        assert proxy.same(value) == value
        try:
            proxy.missing()
        except xmlrpc.client.Fault:
            pass
        else:
            raise AssertionError("no fault")


class Mail(socketserver.StreamRequestHandler):
    """Just enough SMTP (RFC 5321); what was received is told by VRFY."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        digest = ""
        self.say("220 peer")
        for line in self.rfile:
            command = line.split()[0].upper() if line.split() else b""
            if command == b"EHLO":
                self.say("250-peer")
                self.say("250 8BITMIME")
            elif command in (b"MAIL", b"RCPT", b"NOOP", b"RSET", b"HELO"):
                self.say("250 fine")
            elif command == b"DATA":
                self.say("354 go on")
                body = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    body += part[1:] if part.startswith(b".") else part
                digest = hashlib.sha256(body).hexdigest()
                self.say("250 taken")
            elif command == b"VRFY":
                self.say("250 " + digest)
            elif command == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("502 unknown")


def smtp_server():
    server = socketserver.ThreadingTCPServer((HOST, 0), Mail)
    announce(server.server_address[1])
    server.serve_forever()


class Ftp(socketserver.StreamRequestHandler):
    """Just enough FTP (RFC 959) in passive mode, files kept in memory."""

    files = {}

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self):
        self.say("150 coming")
        return self.listener.accept()[0]

    def handle(self):
        self.say("220 peer")
        for line in self.rfile:
            command, _, argument = line.decode().strip().partition(" ")
            command = command.upper()
            if command == "USER":
                self.say("331 password?")
            elif command == "PASS":
                self.say("230 in")
            elif command == "TYPE":
                self.say("200 fine")
            elif command == "EPSV":
                self.say("500 no")
            elif command == "PASV":
                self.listener = socket.create_server((HOST, 0))
                port = self.listener.getsockname()[1]
                self.say("227 Entering Passive Mode (127,0,0,1,%d,%d)" % (port >> 8, port & 255))
            elif command == "STOR":
                with self.data() as sock, sock.makefile("rb") as file:
                    self.files[argument] = file.read()
                self.say("226 stored")
            elif command == "RETR":
                with self.data() as sock:
                    sock.sendall(self.files[argument])
                self.say("226 sent")
            elif command == "NLST":
                with self.data() as sock:
                    sock.sendall("".join(name + "\r\n" for name in self.files).encode())
                self.say("226 sent")
            elif command == "SIZE":
                self.say("213 %d" % len(self.files[argument]))
            elif command == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("502 unknown")


def ftp_server():
    server = socketserver.ThreadingTCPServer((HOST, 0), Ftp)
    announce(server.server_address[1])
    server.serve_forever()


def mp_server():
    from multiprocessing.connection import Listener
    with Listener((HOST, 0), authkey=KEY) as listener:
        announce(listener.address[1])
        while True:
            with listener.accept() as connection:
                try:
                    while True:
                        connection.send(connection.recv())
                except EOFError:
                    pass


def mp_client(port):
    from multiprocessing.connection import Client
    with Client((HOST, int(port)), authkey=KEY) as connection:
        for value in ["text", list(range(1000)), {"nested": [None, 1.5]}, b"x" * (1 << 20)]:
            connection.send(value)
            assert connection.recv() == value
        assert not connection.poll(0.01)


async def asyncio_clients(port):
    async def one(identity):
        reader, writer = await asyncio.open_connection(HOST, int(port))
        for number in range(50):
            writer.write(b"client %d line %d\n" % (identity, number))
            await writer.drain()
            assert await reader.readline() == b"CLIENT %d LINE %d\n" % (identity, number)
        writer.close()
        await writer.wait_closed()
    await asyncio.wait_for(asyncio.gather(*[one(identity) for identity in range(20)]), TIMEOUT)


def asyncio_client(port):
    asyncio.run(asyncio_clients(port))


if __name__ == "__main__":
    try:
        globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
    except KeyboardInterrupt:
        os._exit(130)
