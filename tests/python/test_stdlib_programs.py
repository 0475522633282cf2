"""Unmodified programs of the standard library, each against a different implementation: curl, or a CPython's library."""

import asyncio
import contextlib
import ftplib
import hashlib
import http.client
import http.server
import io
import multiprocessing.connection
import os
import select
import selectors
import smtplib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
import xmlrpc.client
import xmlrpc.server

from support import DEADLINE, HOST, SocketTestCase, Worker, child_port, need_cpython, need_program, running, wait_for

KEY = b"a shared secret"
PEER = os.path.join("programs", "peer.py")


class PeerTestCase(SocketTestCase):
    @contextlib.contextmanager
    def peer_server(self, name):
        """The port of a server that a CPython runs."""
        with running([need_cpython(), PEER, name]) as child:
            yield child_port(child)

    def peer_client(self, name, port, *arguments):
        """Run a client under CPython to its end; it must find everything right."""
        with running([need_cpython(), PEER, name, str(port), *arguments]) as child:
            out, err = child.communicate(timeout=120)
            self.assertEqual(child.returncode, 0, f"{name}: {out.decode()}{err.decode()}")

    @contextlib.contextmanager
    def serving(self, server):
        """Run a socketserver of ours in a thread."""
        # Anew, as the default queue of 5 is met by more clients at once, whose retries take a second each.
        if server.socket_type == socket.SOCK_STREAM:
            server.socket.listen(128)
        thread = Worker(server.serve_forever, 0.01)
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.result()
            server.server_close()


class Http(PeerTestCase):
    SIZE = 50_000_000

    def test_the_http_server_program_with_curl(self):
        curl = need_program("curl")
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "large.bin")
            block, digest = os.urandom(1_000_000), hashlib.sha256()
            with open(source, "wb") as file:
                for number in range(50):
                    part = block[number:] + block[:number]
                    digest.update(part)
                    file.write(part)
            self.assertEqual(os.path.getsize(source), self.SIZE)
            command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", HOST, "--directory", folder]
            with running(command) as child:
                # "Serving HTTP on 127.0.0.1 port 43210 (http://...) ..."
                line = Worker(child.stdout.readline).result(60).decode()
                self.assertIn(" port ", line, "the server said nothing of its port")
                url = f"http://{HOST}:{line.split(' port ')[1].split()[0]}"
                target = os.path.join(folder, "copy.bin")
                done = subprocess.run([curl, "--noproxy", "*", "-sS", "--max-time", "120", "-o", target, f"{url}/large.bin",
                                       "-w", "%{http_code} %{size_download}"], capture_output=True, text=True, timeout=150)
                self.assertEqual(done.stdout, f"200 {self.SIZE}", done.stderr)
                with open(target, "rb") as file:
                    copied = hashlib.sha256()
                    while part := file.read(1 << 20):
                        copied.update(part)
                self.assertEqual(copied.hexdigest(), digest.hexdigest())
                # Several at once, and what is not there.
                command = [curl, "--noproxy", "*", "-sS", "--max-time", "60", "-o", os.devnull, "-w", "%{http_code}"]
                several = [subprocess.Popen([*command, url + path], stdout=subprocess.PIPE, text=True)
                           for path in ("/", "/missing", "/") * 3]
                self.assertEqual([each.communicate(timeout=90)[0] for each in several], ["200", "404", "200"] * 3)

    def test_urllib_request(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with self.peer_server("http-server") as port:
            url = f"http://{HOST}:{port}"
            with opener.open(f"{url}/blob/3200000", timeout=DEADLINE) as answer:
                self.assertEqual(answer.status, 200)
                self.assertEqual(len(answer.read()), 3_200_000)
            with opener.open(f"{url}/redirect", timeout=DEADLINE) as answer:
                self.assertTrue(answer.url.endswith("/port"))
            with opener.open(f"{url}/chunked", timeout=DEADLINE) as answer:
                self.assertEqual(answer.read().splitlines(), [b"part %d" % number for number in range(50)])
            body = os.urandom(500_000)
            with opener.open(urllib.request.Request(url, body), timeout=DEADLINE) as answer:
                self.assertEqual(answer.read().decode(), hashlib.sha256(body).hexdigest())
            with self.assertRaises(urllib.error.HTTPError) as caught:
                opener.open(f"{url}/missing", timeout=DEADLINE)
            self.assertEqual(caught.exception.code, 404)
            caught.exception.close()
        with self.assertRaises(urllib.error.URLError) as caught:
            opener.open(url, timeout=DEADLINE)
        self.assertIsInstance(caught.exception.reason, ConnectionRefusedError)
        silent = self.listener()
        with self.assertRaises(TimeoutError):
            opener.open(f"http://{HOST}:{silent.getsockname()[1]}", timeout=0.1)

    def test_http_client_keeps_its_connection(self):
        with self.peer_server("http-server") as port:
            connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE)
            self.addCleanup(connection.close)
            ports = set()
            for _ in range(100):
                connection.request("GET", "/port")
                ports.add(connection.getresponse().read())
            self.assertEqual(ports, {b"%d" % connection.sock.getsockname()[1]})

    def test_our_http_server_with_their_client(self):
        class Upper(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).upper()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        with self.serving(http.server.ThreadingHTTPServer((HOST, 0), Upper)) as port:
            self.peer_client("http-client", port)


class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class UpperDatagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(data.upper(), self.client_address)


class SocketServer(PeerTestCase):
    def test_threading(self):
        with self.serving(socketserver.ThreadingTCPServer((HOST, 0), Upper)) as port:
            self.peer_client("echo-client", port)

    def test_forking(self):
        with self.serving(socketserver.ForkingTCPServer((HOST, 0), Upper)) as port:
            self.peer_client("echo-client", port)

    def test_datagrams(self):
        for kind in socketserver.UDPServer, socketserver.ThreadingUDPServer:
            with self.serving(kind((HOST, 0), UpperDatagram)) as port:
                self.peer_client("udp-client", port)

    def test_our_client(self):
        with self.peer_server("echo-server") as port:
            with socket.create_connection((HOST, port), timeout=DEADLINE) as sock, sock.makefile("rw", newline="\n") as file:
                for number in range(100):
                    file.write(f"line {number}\n")
                    file.flush()
                    self.assertEqual(file.readline(), f"LINE {number}\n")


class Rpc(PeerTestCase):
    def test_our_client(self):
        with self.peer_server("xmlrpc-server") as port:
            with xmlrpc.client.ServerProxy(f"http://{HOST}:{port}/", allow_none=True) as proxy:
                self.assertEqual(proxy.add(1, 2, 3), 6)
                value = {"list": [1, 2.5, "text", None], "true": True}
                self.assertEqual(proxy.same(value), value)
                with self.assertRaises(xmlrpc.client.Fault):
                    proxy.missing()

    def test_our_server(self):
        server = xmlrpc.server.SimpleXMLRPCServer((HOST, 0), logRequests=False, allow_none=True)
        server.register_function(lambda *numbers: sum(numbers), "add")
        server.register_function(lambda value: value, "same")
        with self.serving(server) as port:
            self.peer_client("xmlrpc-client", port)


class MailAndFiles(PeerTestCase):
    def test_smtplib(self):
        with self.peer_server("smtp-server") as port:
            body = "Subject: test\r\n\r\n" + "".join(f"line {number}\r\n" for number in range(2000)) + ".dotted\r\n"
            with smtplib.SMTP(HOST, port, timeout=DEADLINE) as client:
                self.assertEqual(client.sendmail("a@example.org", ["b@example.org", "c@example.org"], body), {})
                code, text = client.verify("b@example.org")
                self.assertEqual((code, text.decode()), (250, hashlib.sha256(body.encode()).hexdigest()))

    def test_ftplib(self):
        with self.peer_server("ftp-server") as port:
            data = os.urandom(2_000_000)
            with ftplib.FTP(timeout=DEADLINE) as client:
                client.connect(HOST, port)
                client.login("user", "word")
                client.set_pasv(True)
                client.storbinary("STOR file", io.BytesIO(data))
                client.storlines("STOR lines", io.BytesIO(b"one\ntwo\n"))
                got, lines = bytearray(), []
                client.retrbinary("RETR file", got.extend)
                client.retrlines("RETR lines", lines.append)
                self.assertTrue(got == data)
                self.assertEqual(lines, ["one", "two"])
                self.assertEqual(sorted(client.nlst()), ["file", "lines"])
                self.assertEqual(client.size("file"), len(data))


class Connections(PeerTestCase):
    def test_our_client(self):
        with self.peer_server("mp-server") as port:
            with multiprocessing.connection.Client((HOST, port), authkey=KEY) as connection:
                for value in "text", list(range(1000)), {"nested": [None, 1.5]}, b"x" * (1 << 20):
                    connection.send(value)
                    self.assertTrue(connection.poll(DEADLINE))
                    self.assertEqual(connection.recv(), value)
                self.assertFalse(connection.poll(0.01))
                self.assertEqual(multiprocessing.connection.wait([connection], 0.01), [])

    def test_a_wrong_key(self):
        with self.peer_server("mp-server") as port:
            with self.assertRaises(multiprocessing.AuthenticationError):
                multiprocessing.connection.Client((HOST, port), authkey=b"wrong")

    def test_our_listener(self):
        with multiprocessing.connection.Listener((HOST, 0), authkey=KEY) as listener:
            def serve():
                with listener.accept() as connection:
                    with contextlib.suppress(EOFError):
                        while True:
                            connection.send(connection.recv())
            worker = Worker(serve)
            self.peer_client("mp-client", listener.address[1])
            worker.result()


class Asyncio(PeerTestCase):
    def test_streams_against_their_server(self):
        async def one(identity, port):
            reader, writer = await asyncio.open_connection(HOST, port)
            for number in range(30):
                writer.write(b"client %d line %d\n" % (identity, number))
                await writer.drain()
                self.assertEqual(await reader.readline(), b"CLIENT %d LINE %d\n" % (identity, number))
            writer.close()
            await writer.wait_closed()

        async def all_of_them(port):
            await asyncio.wait_for(asyncio.gather(*[one(identity, port) for identity in range(20)]), 60)
        with self.peer_server("echo-server") as port:
            asyncio.run(all_of_them(port))

    def test_streams_server_with_their_clients(self):
        async def serve(reader, writer):
            async for line in reader:
                writer.write(line.upper())
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def main():
            server = await asyncio.start_server(serve, HOST, 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                await asyncio.gather(asyncio.to_thread(self.peer_client, "asyncio-client", port),
                                     asyncio.to_thread(self.peer_client, "echo-client", port))
        asyncio.run(main())

    def test_datagrams(self):
        class Protocol(asyncio.DatagramProtocol):
            def __init__(self, queue):
                self.queue = queue

            def datagram_received(self, data, address):
                self.queue.put_nowait((data, address))

        async def main(port):
            loop, queue = asyncio.get_running_loop(), asyncio.Queue()
            transport, _ = await loop.create_datagram_endpoint(lambda: Protocol(queue), remote_addr=(HOST, port))
            for number in range(50):
                transport.sendto(b"datagram %d" % number)
                data, address = await asyncio.wait_for(queue.get(), DEADLINE)
                self.assertEqual((data, address), (b"DATAGRAM %d" % number, (HOST, port)))
            transport.close()
        with self.peer_server("udp-server") as port:
            asyncio.run(main(port))

    def test_socket_calls_of_the_loop(self):
        async def main(port):
            loop = asyncio.get_running_loop()
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, (HOST, port))
                await loop.sock_sendall(sock, b"hello\n")
                self.assertEqual(await asyncio.wait_for(loop.sock_recv(sock, 100), DEADLINE), b"HELLO\n")
                with self.assertRaises(TimeoutError):
                    await asyncio.wait_for(loop.sock_recv(sock, 100), 0.05)
        with self.peer_server("echo-server") as port:
            asyncio.run(main(port))


class Selecting(PeerTestCase):
    def classes(self):
        for name in "SelectSelector", "PollSelector", "EpollSelector", "DefaultSelector":
            kind = getattr(selectors, name, None)
            if kind is None:
                print(f"skipped '{name}: not in this interpreter'", file=sys.stderr)
                continue
            with self.subTest(name):
                yield kind

    def test_selectors(self):
        with self.peer_server("echo-server") as port:
            for kind in self.classes():
                with kind() as selector:
                    socks = [self.keep(socket.socket()) for _ in range(20)]
                    for number, sock in enumerate(socks):
                        sock.setblocking(False)
                        sock.connect_ex((HOST, port))
                        selector.register(sock, selectors.EVENT_WRITE, number)
                    answers, end = {}, time.monotonic() + DEADLINE
                    while len(answers) < len(socks):
                        self.assertLess(time.monotonic(), end, f"only {len(answers)} answers")
                        for key, events in selector.select(1):
                            if events & selectors.EVENT_WRITE:
                                self.assertEqual(key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
                                key.fileobj.sendall(b"number %d\n" % key.data)
                                selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                            else:
                                answers[key.data] = key.fileobj.recv(100)
                                selector.unregister(key.fileobj)
                    self.assertEqual(answers, {number: b"NUMBER %d\n" % number for number in range(20)})

    def test_select_and_blocking_calls_side_by_side(self):
        # A socket that blocking calls wait on is also watched from outside: both are told.
        left, right = self.tcp_pair()
        for kind in self.classes():
            reader = Worker(left.recv, 1).wait_blocked()
            with kind() as selector:
                selector.register(left, selectors.EVENT_READ)
                self.assertEqual(selector.select(0), [])
                right.sendall(b"xy")
                self.assertEqual(reader.result(), b"x")
                self.assertEqual(len(selector.select(DEADLINE)), 1)
                self.assertEqual(left.recv(1), b"y")
                self.assertEqual(selector.select(0), [])

    def test_select(self):
        left, right = self.pair()
        self.assertEqual(select.select([left], [], [], 0.01), ([], [], []))
        self.assertEqual(select.select([left], [right], [], 0.01), ([], [right], []))
        right.sendall(b"x")
        self.assertEqual(select.select([left, right], [], [], DEADLINE), ([left], [], []))
        poll = select.poll()
        poll.register(left, select.POLLIN)
        self.assertEqual(poll.poll(0), [(left.fileno(), select.POLLIN)])
        with select.epoll() as epoll:
            epoll.register(left, select.EPOLLIN | select.EPOLLET)
            self.assertEqual(epoll.poll(0), [(left.fileno(), select.EPOLLIN)])
            self.assertEqual(epoll.poll(0), [])

    def test_a_closed_socket(self):
        sock = socket.socket()
        sock.close()
        with self.assertRaises(ValueError):
            select.select([sock], [], [], 0)
        with selectors.DefaultSelector() as selector, self.assertRaises(ValueError):
            selector.register(sock, selectors.EVENT_READ)


if __name__ == "__main__":
    unittest.main()
