"""A TLS peer whose bytes are let through by hand: it falls silent, cuts a record, or drips, wherever a test wants it.

Its TLS runs in memory, so that what it would send waits in `held` until `forward` lets so many bytes of it through, and what
has come is not taken from the socket before `pull`. Nothing here waits but under `support.DEADLINE`.
"""

import contextlib
import socket
import ssl
import struct

from support import DEADLINE, wait_for

PIECE = 4096
HEADER = 5  # bytes of a record's header: type, version, length (RFC 8446, 5.1)


def record_ends(data):
    """The offsets at which the records of `data`, which begins with one, end; the last one may be longer than `data`."""
    ends, position = [], 0
    while position + HEADER <= len(data):
        position += HEADER + int.from_bytes(data[position + 3:position + HEADER], "big")
        ends.append(position)
    return ends


# Places to cut a flight at, as functions from its bytes to the number of bytes let through.

def in_a_record(data):
    """The header and half the body of the longest record."""
    ends = record_ends(data)
    starts = [0, *ends]
    length, start = max((end - start, start) for start, end in zip(starts, ends))
    return start + HEADER + (length - HEADER) // 2


def in_a_header(data):
    """Three bytes of the second record; of the first if there is but one."""
    ends = record_ends(data)
    return (ends[0] if len(ends) > 1 else 0) + 3


def between_records(data):
    """The whole first record of several."""
    ends = record_ends(data)
    if len(ends) < 2:
        raise AssertionError(f"a flight of one record, {len(data)} bytes, cannot be cut between records")
    return ends[0]


class Relay:
    """The far end of `sock`'s connection. It owns `sock`."""

    def __init__(self, sock, context, server_side, hostname=None):
        self.sock = sock
        sock.setblocking(False)
        # A reset at close: thousands of connections in TIME_WAIT would use up the ports.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # What is let through has to arrive, and not to wait for more.
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=hostname)
        self.held = bytearray()
        self._arrived = bytearray()
        self.received = bytearray()
        self.ended = False

    def close(self):
        self.sock.close()

    def pull(self, most=None):
        """Take what has arrived, at most that many bytes; the number of bytes taken."""
        total = 0
        with contextlib.suppress(BlockingIOError):
            while most is None or total < most:
                try:
                    data = self.sock.recv(1 << 16 if most is None else min(most - total, 1 << 16))
                except ConnectionResetError:
                    data = b""
                if not data:
                    self.ended = True
                    break
                self._arrived += data
                total += len(data)
        return total

    def _collect(self):
        self.held += self._outgoing.read()

    def shake(self):
        """Go on with the handshake by what has been pulled; whether it is over."""
        self._incoming.write(self._arrived)
        self._arrived.clear()
        try:
            self._tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        self._collect()
        return done

    def hold_a_flight(self):
        """Wait for the other side's part of the handshake and hold back this side's next one; the flight."""
        def answer():
            self.pull()
            self.shake()
            return self.held
        return wait_for(answer, "the relay's next flight")

    def meet(self, sock):
        """Complete the handshake with `sock`, the SSLSocket at the other end; its timeout is as before."""
        timeout = sock.gettimeout()
        sock.settimeout(0)
        done = [False, False]

        def step():
            if not done[0]:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    sock.do_handshake()
                    done[0] = True
            self.pull()
            done[1] = done[1] or self.shake()
            self.forward()
            return all(done)
        wait_for(step, "the handshake")
        sock.settimeout(timeout)

    def write(self, data):
        """Encrypt `data` into `held`."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view):]
        self._collect()

    def close_notify(self):
        """Put the end of the TLS connection into `held`."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._collect()

    def forward(self, count=None):
        """Let the next `count` bytes of `held` through, by default all."""
        count = len(self.held) if count is None else count
        if count > len(self.held):
            raise AssertionError(f"only {len(self.held)} bytes are held, and not {count}")
        self.sock.settimeout(DEADLINE)
        self.sock.sendall(self.held[:count])
        self.sock.setblocking(False)
        del self.held[:count]

    def drip(self, stop, seconds=0.02):
        """Let a byte through every so many seconds until the event `stop` or the end of `held`."""
        while self.held and not stop.wait(seconds):
            self.forward(1)

    def decrypt(self):
        """Move what has been pulled, decrypted, to the end of `received`; the length of that."""
        # In small pieces: RustPython's own `_ssl` loses bytes where much lies in a MemoryBIO.
        for start in range(0, len(self._arrived), PIECE):
            self._incoming.write(self._arrived[start:start + PIECE])
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while data := self._tls.read(1 << 16):
                    self.received += data
        self._arrived.clear()
        return len(self.received)

    def receive(self, count):
        """Wait until so many bytes have been decrypted in all."""
        def enough():
            self.pull()
            return self.decrypt() >= count
        wait_for(enough, f"{count} bytes at the relay")
        return self.received
