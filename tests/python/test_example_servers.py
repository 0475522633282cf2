"""The servers of `examples/servers/`: they echo, keep no more than a piece of what nobody reads, and end at a signal."""

import contextlib
import http.client
import importlib.util
import os
import select
import signal
import socket
import ssl
import sys
import tempfile
import time
import unittest

from support import DEADLINE, HERE, HOST, SocketTestCase, Worker, running

SERVERS = os.path.normpath(os.path.join(HERE, "..", "..", "examples", "servers"))
CERTIFICATES = os.path.join(HERE, "certificates")

# Far more than the kernel's buffers of one connection hold, there and back.
MORE_THAN_BUFFERS = 64 << 20

ECHOES = ("thread_echo", "selectors_echo", "asyncio_protocol_echo", "asyncio_streams_echo", "socketserver_echo")


class ServerTestCase(SocketTestCase):
    def start(self, name, **where):
        """Start a server, where the environment says, and wait until it listens; its process and its address."""
        environment = {key: value for key, value in os.environ.items() if key not in ("HOST", "PORT", "SOCKET_PATH")}
        environment.update(where, CERTIFICATE=os.path.join(CERTIFICATES, "server.pem"))
        program = os.path.join(SERVERS, name + ".py")
        child = self.enterContext(running([sys.executable, program], env=environment))
        line = Worker(child.stdout.readline).result().decode().strip()
        if " on " not in line:
            child.kill()
            self.fail(f"{name}: {line!r}, {child.communicate()[1].decode()}")
        if "SOCKET_PATH" in where:
            return child, where["SOCKET_PATH"]
        host, port = line.split(" on ")[1].split(" port ")
        self.assertEqual(host, where.get("HOST", HOST))
        return child, (host, int(port))

    def enterContext(self, manager):
        # unittest has it from 3.11 on.
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def connect(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        client = self.keep(socket.socket(family))
        client.settimeout(DEADLINE)
        client.connect(address)
        return client

    def receive(self, client, number):
        parts = bytearray()
        while len(parts) < number:
            data = client.recv(1 << 20)
            self.assertTrue(data, f"the end after {len(parts)} of {number} bytes")
            parts += data
        return bytes(parts)

    def check_echo(self, client):
        for data in (b"x", os.urandom(100), os.urandom(200_000)):
            sender = Worker(client.sendall, data)
            self.assertEqual(self.receive(client, len(data)), data)
            sender.result()

    def check_end(self, child, number):
        """Ends at a signal, although clients are there, says so, and complains of nothing."""
        child.send_signal(number)
        out, err = child.communicate(timeout=DEADLINE)
        self.assertEqual((child.returncode, out, err), (0, b"good-bye\n", b""))


class Echo(ServerTestCase):
    def each(self):
        for name in ECHOES:
            with self.subTest(server=name):
                yield name

    def test_over_tcp(self):
        for name in self.each():
            child, address = self.start(name, PORT="0")
            clients = [self.connect(address) for _ in range(3)]
            for client in clients:
                self.check_echo(client)
            self.check_end(child, signal.SIGTERM)

    @unittest.skipUnless(socket.has_ipv6, "no IPv6")
    def test_over_ipv6(self):
        for name in self.each():
            child, address = self.start(name, HOST="::1", PORT="0")
            self.check_echo(self.connect(address))
            self.check_end(child, signal.SIGINT)

    def test_over_a_unix_socket(self):
        for name in self.each():
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "socket")
                # One that a server has left behind.
                with contextlib.closing(socket.socket(socket.AF_UNIX)) as old:
                    old.bind(path)
                child, address = self.start(name, SOCKET_PATH=path)
                self.check_echo(self.connect(address))
                self.check_end(child, signal.SIGTERM)

    def test_no_other_file_is_removed(self):
        for name in self.each():
            with tempfile.NamedTemporaryFile() as file:
                environment = {**os.environ, "SOCKET_PATH": file.name}
                with running([sys.executable, os.path.join(SERVERS, name + ".py")], env=environment) as child:
                    child.communicate(timeout=DEADLINE)
                    self.assertNotEqual(child.returncode, 0)
                self.assertTrue(os.path.exists(file.name))

    def test_clients_that_go_do_no_harm(self):
        for name in self.each():
            child, address = self.start(name, PORT="0")
            for _ in range(20):
                client = self.connect(address)
                client.sendall(bytes(1000))
                # Reset, while the answer is on its way.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            self.check_echo(self.connect(address))
            self.check_end(child, signal.SIGTERM)

    def test_a_client_that_does_not_read(self):
        """Is not read from any more, and gets all of it in order when it reads at last."""
        piece = os.urandom(1 << 20)
        for name in self.each():
            child, address = self.start(name, PORT="0")
            client = self.connect(address)
            client.setblocking(False)
            room, sent, refused_at = select.poll(), 0, None
            room.register(client, select.POLLOUT)
            # Until nothing has gone for a while: bytes move on from buffer to buffer.
            while refused_at is None or time.monotonic() < refused_at + 0.5:
                try:
                    start = sent % len(piece)
                    sent += client.send(piece[start : start + 65536])
                    refused_at = None
                except BlockingIOError:
                    refused_at = refused_at or time.monotonic()
                    room.poll(50)
                self.assertLess(sent, MORE_THAN_BUFFERS, "a server keeps what nobody reads")
            # Another one has its answers meanwhile.
            self.check_echo(self.connect(address))
            client.setblocking(True)
            client.settimeout(DEADLINE)
            expected = (piece * (sent // len(piece) + 1))[:sent]
            self.assertTrue(self.receive(client, sent) == expected, "other bytes, or in another order")
            self.check_end(child, signal.SIGTERM)


class Others(ServerTestCase):
    def test_http(self):
        child, (host, port) = self.start("http_server", PORT="0")
        client = http.client.HTTPConnection(host, port, timeout=DEADLINE)
        self.addCleanup(client.close)
        body = os.urandom(300_000)
        sock = None
        for method, sent, expected in (("GET", None, b"hello\n"), ("POST", body, body), ("GET", None, b"hello\n")):
            client.request(method, "/", sent)
            response = client.getresponse()
            self.assertEqual((response.status, response.version), (200, 11))
            self.assertEqual(response.read(), expected)
            # The same connection for all.
            sock = sock or client.sock
            self.assertIs(client.sock, sock)
        self.check_end(child, signal.SIGTERM)

    def test_http_without_a_length(self):
        for headers, status in (("", b"411"), ("Content-Length: x\r\n", b"411"), ("Content-Length: 99999999999\r\n", b"413")):
            with self.subTest(headers=headers):
                child, address = self.start("http_server", PORT="0")
                client = self.connect(address)
                client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
                answer = b""
                while data := client.recv(65536):
                    answer += data
                self.assertEqual(answer.split()[1], status)
                self.check_end(child, signal.SIGTERM)

    def test_http_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            child, address = self.start("http_server", SOCKET_PATH=os.path.join(folder, "socket"))
            client = self.connect(address)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := client.recv(65536):
                answer += data
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\nhello\n"), answer)
            self.check_end(child, signal.SIGINT)

    def test_udp(self):
        for host in (HOST, "::1") if socket.has_ipv6 else (HOST,):
            with self.subTest(host=host):
                child, address = self.start("udp_echo", HOST=host, PORT="0")
                client = self.keep(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM))
                client.settimeout(DEADLINE)
                for data in (b"", b"x", os.urandom(60_000)):
                    client.sendto(data, address)
                    self.assertEqual(client.recv(65536), data)
                self.check_end(child, signal.SIGTERM)

    def test_tls(self):
        child, address = self.start("tls_echo", PORT="0")
        context = ssl.create_default_context(cafile=os.path.join(CERTIFICATES, "authority.pem"))
        # One that speaks no TLS is no matter.
        plain = self.connect(address)
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        client = self.keep(context.wrap_socket(self.connect(address), server_hostname="localhost"))
        self.check_echo(client)
        self.check_end(child, signal.SIGTERM)

    def test_uvloop(self):
        if importlib.util.find_spec("uvloop"):
            child, address = self.start("uvloop_echo", PORT="0")
            self.check_echo(self.connect(address))
            self.check_end(child, signal.SIGTERM)
        else:
            with running([sys.executable, os.path.join(SERVERS, "uvloop_echo.py")]) as child:
                _, err = child.communicate(timeout=DEADLINE)
                self.assertIn(b"no uvloop", err)
                self.assertEqual(child.returncode, 1)


if __name__ == "__main__":
    unittest.main()
