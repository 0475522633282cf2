"""Calls of an SSLSocket that wait for a peer which has fallen silent, one for each stage of a connection's life.

A stage is a set-up: it brings a connection to where the peer falls silent and returns the call that waits there, and how
the connection goes on once the peer does.
"""

import array
import contextlib
import fcntl
import functools
import io
import socket
import ssl
import termios
import threading
import time
import typing

from support import DEADLINE, HOST, Worker, is_blocked, wait_for
from tls_relay import Relay, between_records, in_a_header, in_a_record
from tls_support import TlsTestCase, client_context, server_context

# Each eight bytes of it tell their place, so that nothing lost, doubled or moved stays unseen.
STREAM = memoryview(array.array("Q", range(1 << 18)).tobytes())
CHUNK = 8192  # bytes of one write; what sendfile() sends at a time
BUFFER = 1 << 17  # bytes of a socket's buffer where a writer shall soon be stuck


@functools.lru_cache(None)
def contexts(old):
    """(client's, server's), of TLS 1.2 if `old`. Made once: certificates take long to read."""
    client = client_context()
    if old:
        client.maximum_version = ssl.TLSVersion.TLSv1_2
    return client, server_context()


@functools.lru_cache(None)
def stream_file():
    return io.BytesIO(STREAM)


class Stalled:
    """One call that waits for ever: `call()`. Where a peer can go on, `resume()` lets it, and checks that all is well.

    `sock` is the socket to close and to set timeouts of, `descriptor` its number in the kernel.
    """

    def __init__(self, sock, call, resume=None, relay=None, feeder=None, reads=True):
        self.sock = sock
        self.descriptor = sock.fileno()
        self._call = call
        self.resume = resume
        self.relay = relay
        self.feeder = feeder
        self.reads = reads
        self.began = None

    def call(self):
        self.began = time.monotonic()
        return self._call()

    def _unread(self):
        count = array.array("i", [0])
        fcntl.ioctl(self.descriptor, termios.FIONREAD, count)
        return count[0]

    def is_waiting(self, tid):
        """Whether the thread `tid` waits in the call for more than the peer has sent."""
        if self.feeder is not None and self.feeder.ended is None:
            return False
        if self.began is None or self.reads and self._unread():
            return False
        # Twice: the two things that the kernel tells of a thread are not of one moment, and asking may hold it up.
        return is_blocked(tid) and not time.sleep(0.0005) and is_blocked(tid)


def send(sock, position):
    return sock.send(STREAM[position:position + CHUNK])


def send_all(sock, position):
    sock.sendall(STREAM[position:position + CHUNK])
    return CHUNK


def send_all_of_it(sock, position):
    sock.sendall(STREAM[position:])


def send_file(sock, position):
    return sock.sendfile(stream_file(), position, CHUNK)


class Stages(TlsTestCase):
    """The set-ups. Each takes the number of the round, by which what may be either way alternates."""

    def connected(self, server_side, small=False, unix=False):
        """(near, far) sockets; of TCP, `near` is the accepted one if it is to be a TLS server."""
        if unix:
            return self.pair()
        with socket.socket() as listener:
            client = self.keep(socket.socket())
            if small:
                for sock in listener, client:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER // 8)
            listener.bind((HOST, 0))
            listener.listen(1)
            client.connect(listener.getsockname())
            server = self.keep(listener.accept()[0])
        return (server, client) if server_side else (client, server)

    def wrap(self, raw, server_side, old=False, **kwargs):
        client, server = contexts(old)
        if server_side:
            return server.wrap_socket(raw, server_side=True, **kwargs)
        return client.wrap_socket(raw, server_hostname="localhost", **kwargs)

    def relay(self, far, server_side, old=False):
        client, server = contexts(old)
        return self.keep(Relay(far, server, True) if server_side else Relay(far, client, False, "localhost"))

    def strangers(self, server_side, number, **kwargs):
        """(SSLSocket, its relay) before the handshake; of the older TLS in the second half of eight."""
        old = bool(number & 4)
        near, far = self.connected(server_side, **kwargs)
        sock = self.keep(self.wrap(near, server_side, old, do_handshake_on_connect=False))
        return sock, self.relay(far, not server_side, old)

    def acquainted(self, number, **kwargs):
        """(SSLSocket, its relay) after the handshake; a client and a server in turn."""
        sock, relay = self.strangers(bool(number & 1), number, **kwargs)
        relay.meet(sock)
        return sock, relay

    def exchange(self, sock, relay):
        """A few bytes each way, and nothing beside them."""
        sock.settimeout(DEADLINE)
        relay.write(b"to the socket")
        relay.forward()
        self.assertEqual(sock.recv(100), b"to the socket")
        before = len(relay.received)
        sock.sendall(b"from the socket")
        self.assertEqual(relay.receive(before + len(b"from the socket"))[before:], b"from the socket")

    # Before there is TLS

    def connect(self, number):
        address = self.full_listener().getsockname()
        sock = self.keep(self.wrap(socket.socket(), False))
        return Stalled(sock, lambda: sock.connect(address))

    def connect_to_a_mute(self, number):
        address = self.listener().getsockname()
        sock = self.keep(self.wrap(socket.socket(), False))
        return Stalled(sock, lambda: sock.connect(address))

    # The handshake

    def accept(self, number):
        """The accepted socket is nobody's yet, and has no time limit of its own, so that few things can end this."""
        listener = self.keep(self.wrap(self.listener(), True))
        self.keep(socket.create_connection(listener.getsockname()))
        return Stalled(listener, lambda: self.keep(listener.accept()[0]), reads=False)

    def wrap_socket(self, number):
        server_side = bool(number & 1)
        near, _far = self.connected(server_side)
        return Stalled(near, lambda: self.keep(self.wrap(near, server_side)))

    def handshake(self, server_side, number, cut=None):
        """The peer stops before its next flight, or cuts it."""
        sock, relay = self.strangers(server_side, number)
        if server_side:
            relay.shake()
        if cut:
            sock.settimeout(0)
            if server_side:
                relay.forward()
            with self.assertRaises(ssl.SSLWantReadError):
                sock.do_handshake()
            relay.forward(cut(relay.hold_a_flight()))
        return self.shaking(sock, relay)

    def shaking(self, sock, relay, feeder=None):
        def resume():
            if feeder is not None:
                feeder.result()
            relay.forward()
            relay.meet(sock)
            self.exchange(sock, relay)
        return Stalled(sock, sock.do_handshake, resume, relay, feeder)

    def client_before_server_hello(self, number):
        return self.handshake(False, number)

    def server_before_client_hello(self, number):
        return self.handshake(True, number)

    def client_in_a_record(self, number):
        return self.handshake(False, number, in_a_record)

    def client_in_a_header(self, number):
        return self.handshake(False, number, in_a_header)

    def client_between_records(self, number):
        # A server may put its whole flight of TLS 1.2 into one record.
        return self.handshake(False, number & ~4, between_records)

    def server_in_a_record(self, number):
        return self.handshake(True, number, in_a_record)

    def server_in_a_header(self, number):
        return self.handshake(True, number, in_a_header)

    def server_between_records(self, number):
        return self.handshake(True, number, between_records)

    def server_in_the_client_hello(self, number):
        sock, relay = self.strangers(True, number)
        relay.shake()
        relay.forward(in_a_record(relay.held))
        return self.shaking(sock, relay)

    def in_one_call(self, number):
        """The peer answers during the call, and falls silent within its last flight."""
        server_side = bool(number & 1)
        sock, relay = self.strangers(server_side, number)

        def feed():
            if server_side:
                relay.shake()
                relay.forward()
            relay.forward(in_a_record(relay.hold_a_flight()))
        return self.shaking(sock, relay, Worker(feed))

    # Reading

    def idle(self, number, read):
        sock, relay = self.acquainted(number)

        def resume():
            self.exchange(sock, relay)
        return Stalled(sock, lambda: read(sock), resume, relay)

    def cut_record(self, number, cut, read):
        sock, relay = self.acquainted(number)
        payload = STREAM[:4000]
        relay.write(payload)
        relay.forward(cut(relay.held))

        def resume():
            relay.forward()
            sock.settimeout(DEADLINE)
            got = bytearray()
            while len(got) < len(payload):
                data = sock.recv(1 << 16)
                self.assertTrue(data, "the stream ended")
                got += data
            self.assertTrue(got == payload, "the record has changed")
            self.exchange(sock, relay)
        return Stalled(sock, lambda: read(sock), resume, relay)

    # Writing

    def writing(self, number, write):
        """The peer does not read. `write(sock, position)` sends the CHUNK of STREAM from there, and returns how much it did."""
        sock, relay = self.acquainted(number, small=True)
        sock.settimeout(0)
        position = 0
        with contextlib.suppress(ssl.SSLWantWriteError):
            while True:
                position += sock.send(STREAM[position:position + CHUNK])
                self.assertLess(position, len(STREAM) // 2, "the buffers have no end")
        # TCP goes on to move bytes to the peer's buffer for a while: that shall make no room.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER // 8)

        def resume():
            """The same bytes again, and more."""
            nonlocal position
            sock.settimeout(DEADLINE)
            goal = position + 8 * CHUNK
            reader = Worker(relay.receive, goal)
            while position < goal:
                position += write(sock, position)
            reader.result()
            self.assertEqual(len(relay.received), position)
            self.assertTrue(relay.received == STREAM[:position], "the stream has changed")
            self.exchange(sock, relay)
        return Stalled(sock, lambda: write(sock, position), resume, relay, reads=False)

    # The end

    def unwrap(self, number):
        sock, relay = self.acquainted(number)
        relay.close_notify()

        def resume():
            relay.forward()
            sock.settimeout(DEADLINE)
            plain = sock.unwrap()
            relay.sock.sendall(b"plain")
            self.assertEqual(plain.recv(10), b"plain")
        return Stalled(sock, sock.unwrap, resume, relay)

    # Peers that are never silent, and never done

    def dripping(self, stalled, drip):
        """`drip(stop)` runs beside the call until `stop` is set."""
        stop = threading.Event()
        self.addCleanup(stop.set)
        worker = Worker(drip, stop)
        resume = stalled.resume

        def stop_and_resume():
            self.assertIsNone(worker.ended, "the drip dried up before the call ended")
            stop.set()
            worker.result()
            resume()
        stalled.resume = stop_and_resume
        return stalled

    def dripping_handshake(self, number):
        server_side = bool(number & 1)
        sock, relay = self.strangers(server_side, number)
        if server_side:
            relay.shake()

        def drip(stop):
            relay.hold_a_flight()
            relay.drip(stop)
        return self.dripping(self.shaking(sock, relay), drip)

    def dripping_record(self, number):
        stalled = self.cut_record(number, lambda _: 0, lambda sock: sock.recv(100))
        return self.dripping(stalled, stalled.relay.drip)

    def dripping_close_notify(self, number):
        stalled = self.unwrap(number)
        return self.dripping(stalled, stalled.relay.drip)

    def dripping_reader(self, number):
        """A peer that goes on reading, but slowly."""
        stalled = self.writing(number, send_all_of_it)
        relay = stalled.relay

        def drip(stop):
            while not stop.wait(0.02):
                relay.pull(1 << 14)

        def find_a_prefix():
            """How much a sendall() that failed has sent nobody knows, but it is the stream's beginning."""
            stalled.sock.shutdown(socket.SHUT_WR)

            def at_end():
                relay.pull()
                relay.decrypt()
                return relay.ended
            wait_for(at_end, "the end of the stream")
            self.assertTrue(relay.received == STREAM[:len(relay.received)], "the stream has changed")
        stalled.resume = find_a_prefix
        return self.dripping(stalled, drip)


class Stage(typing.NamedTuple):
    name: str
    set_up: typing.Callable  # (test case, number of the round) -> Stalled
    # What the call raises at once in non-blocking mode.
    at_once: type = ssl.SSLWantReadError
    # Endings that do not apply.
    without: frozenset = frozenset()
    # Endings that only reactor-python knows here.
    ours: frozenset = frozenset()


def stages():
    """All of them."""
    # The socket that wrap_socket() was given is an empty shell by the time it waits.
    shell = frozenset({"close", "settimeout"})
    yield Stage("connect", Stages.connect, BlockingIOError)
    yield Stage("connect_to_a_mute", Stages.connect_to_a_mute, BlockingIOError)
    yield Stage("accept", Stages.accept, without=frozenset({"timeout", "timeout_among_signals", "close", "settimeout", "at_once"}))
    yield Stage("wrap_socket", Stages.wrap_socket, ValueError, shell)
    for name in (
        "client_before_server_hello", "client_in_a_record", "client_in_a_header", "client_between_records",
        "server_before_client_hello", "server_in_the_client_hello", "server_in_a_record", "server_in_a_header",
        "server_between_records",
    ):
        yield Stage(f"handshake_{name}", getattr(Stages, name))
    # A call that does not wait has no peer to answer it.
    yield Stage("handshake_in_one_call", Stages.in_one_call, without=frozenset({"at_once"}))
    reads = {
        "recv": lambda sock: sock.recv(1 << 16),
        "recv_into": lambda sock: sock.recv_into(bytearray(1 << 16)),
        "read": lambda sock: sock.read(1 << 16),
        "makefile": lambda sock: sock.makefile("rb").read(100),
    }
    for name, read in reads.items():
        # A socket with a file object does not close before that.
        without = frozenset({"close"} if name == "makefile" else ())
        yield Stage(f"idle_{name}", functools.partial(Stages.idle, read=read), without=without)
        for where, cut in ("record", in_a_record), ("header", in_a_header):
            yield Stage(f"in_a_{where}_{name}", functools.partial(Stages.cut_record, cut=cut, read=read), without=without)
    yield Stage("full_send", functools.partial(Stages.writing, write=send), ssl.SSLWantWriteError)
    yield Stage("full_sendall", functools.partial(Stages.writing, write=send_all), ssl.SSLWantWriteError)
    yield Stage("full_sendfile", functools.partial(Stages.writing, write=send_file), ValueError)
    # CPython's raises SSLWantReadError after a signal or, with a time limit, has the handler wait for its end.
    yield Stage("unwrap", Stages.unwrap, ours=frozenset({"interrupt", "third_signal"}))


def dripping_stages():
    yield Stage("dripping_handshake", Stages.dripping_handshake)
    yield Stage("dripping_record", Stages.dripping_record)
    yield Stage("dripping_close_notify", Stages.dripping_close_notify)
    # sendall() is a loop of send() in the standard library, and its timeout is that of each.
    yield Stage("dripping_reader", Stages.dripping_reader, without=frozenset({"timeout"}))
