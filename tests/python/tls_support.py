"""Shared by the TLS suites: certificates, contexts, and TLS pairs on loopback.

`certificates/make.sh` says how the certificates were made; `server.pem` is for localhost, 127.0.0.1 and ::1, `other.pem` for
other.test, `client.pem` for clients.
"""

import os
import select
import ssl
import time
import unittest

from support import DEADLINE, HERE, IS_RUSTPYTHON, SocketTestCase, Worker

CERTIFICATES = os.path.join(HERE, "certificates")
AUTHORITY = os.path.join(CERTIFICATES, "authority.pem")
SERVER = os.path.join(CERTIFICATES, "server.pem")
OTHER = os.path.join(CERTIFICATES, "other.pem")
CLIENT = os.path.join(CERTIFICATES, "client.pem")


def server_context(certificate=SERVER):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def client_context(verify=True):
    """Trusts the tests' authority and checks the name or, without `verify`, takes whatever comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_verify_locations(AUTHORITY)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def stock_differs(how):
    """Marks a test of what the `_ssl` of RustPython, which ours runs on, does otherwise than CPython; `how` says it.

    Once it does the same the test is an unexpected success, which fails: then the mark goes.
    """
    return unittest.expectedFailure if IS_RUSTPYTHON else lambda test: test


def drive(calls, seconds=DEADLINE):
    """Run calls of non-blocking SSLSockets in one thread by `select`; {socket: value} once all have ended.

    `calls` is {socket: callable}; each is called again when its socket is ready for what the last try wanted.
    """
    end = time.monotonic() + seconds
    values, todo, ready = {}, dict(calls), set(calls)
    reading, writing = set(), set()
    while todo:
        for sock in ready:
            reading.discard(sock)
            writing.discard(sock)
            try:
                values[sock] = todo[sock]()
                del todo[sock]
            except ssl.SSLWantReadError:
                reading.add(sock)
            except ssl.SSLWantWriteError:
                writing.add(sock)
        if todo:
            left = max(0.0, end - time.monotonic())
            ready = set().union(*select.select(reading, writing, [], left)[:2])
            if not ready:
                raise AssertionError(f"not within {seconds} s: {len(reading)} want to read, {len(writing)} to write")
    return values


class RawPeer:
    """The other end of a TLS connection, with every byte of it in the test's hands.

    It encrypts and decrypts over memory; `sock` is the plain socket underneath. What it has to say after the handshake is
    returned as bytes, to be sent whole, torn, late or never.
    """

    def __init__(self, sock, context=None, server_side=True, hostname=None):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or (server_context() if server_side else client_context())
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side, server_hostname=hostname)

    def complete(self, call, *arguments):
        """The value of a call of the SSLObject, with sends and receives as it needs them."""
        while True:
            try:
                return call(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                self.receive()
            finally:
                self.flush()

    def flush(self):
        if self.outgoing.pending:
            self.sock.sendall(self.outgoing.read())

    def receive(self):
        data = self.sock.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def handshake(self):
        self.complete(self.tls.do_handshake)
        return self

    def read(self, size=65536):
        return self.complete(self.tls.read, size)

    def records(self, data):
        """The records that carry `data`, not sent."""
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                sent += self.tls.write(view[sent:])
        return self.outgoing.read()

    def farewell(self):
        """The close_notify alert, not sent."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()


class TlsTestCase(SocketTestCase):
    def tls_pair(self, client=None, server=None, hostname="localhost", sockets=None):
        """(client, server): two connected SSLSockets in blocking mode, after the handshake."""
        left, right = sockets or self.tcp_pair()
        accepting = Worker((server or server_context()).wrap_socket, right, server_side=True)
        connected = self.keep((client or client_context()).wrap_socket(left, server_hostname=hostname))
        return connected, self.keep(accepting.result())

    def raw_peer(self, client=None, server=None, sockets=None, **wrap):
        """(client, peer): an SSLSocket in blocking mode and a `RawPeer` as its server, after the handshake."""
        left, right = sockets or self.tcp_pair()
        right.settimeout(DEADLINE)
        peer = RawPeer(right, server)
        shaking = Worker(peer.handshake)
        sock = self.keep((client or client_context()).wrap_socket(left, server_hostname="localhost", **wrap))
        return sock, shaking.result()

    def receive(self, sock, size):
        """Exactly `size` bytes of a blocking socket; fewer if it ends before."""
        if sock.gettimeout() is None:
            sock.settimeout(DEADLINE)
        parts = []
        while size:
            part = sock.recv(min(size, 65536))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
