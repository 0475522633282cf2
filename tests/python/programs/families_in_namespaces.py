"""Packet, raw and CAN sockets: run by test_address_families.py in a network namespace of its own, where it may open them.

As a module of unittest, by `unshare --map-root-user --net`.
"""

import errno
import os
import socket
import struct
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from support import DEADLINE, SocketTestCase  # noqa: E402

NO_NAMESPACES = 77

# An EtherType for experiments, IEEE 802.
ETHERTYPE = 0x88B5
LOOPBACK = 772
NOBODY = b"\0" * 6

# The first argument of the process in another namespace.
ELSEWHERE = "elsewhere"


def setUpModule():
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (OSError, subprocess.CalledProcessError) as why:
        print(why, file=sys.stderr)
        sys.stderr.flush()
        os._exit(NO_NAMESPACES)


class Packet(SocketTestCase):
    def open(self, kind):
        sock = self.keep(socket.socket(socket.AF_PACKET, kind, 0))
        sock.settimeout(DEADLINE)
        return sock

    def test_frames(self):
        sock = self.open(socket.SOCK_RAW)
        self.assertEqual(sock.getsockname(), ("", 0, 0, 0, b""))
        sock.bind(("lo", ETHERTYPE))
        bound = ("lo", ETHERTYPE, socket.PACKET_HOST, LOOPBACK, NOBODY)
        self.assertEqual(sock.getsockname(), bound)
        frame = NOBODY * 2 + struct.pack("!H", ETHERTYPE) + b"hello"
        self.assertEqual(sock.send(frame), len(frame))
        self.assertEqual(sock.recvfrom(100), (frame, bound))
        sock.sendto(frame, ("lo", ETHERTYPE))
        data, ancillary, flags, address = sock.recvmsg(100)
        self.assertEqual((data, address), (frame, bound))
        sock.sendmsg([frame[:10], frame[10:]], [], 0, ("lo", 0))
        buffer = bytearray(100)
        self.assertEqual(sock.recvfrom_into(buffer), (len(frame), bound))
        sock.send(frame)
        self.assertEqual(sock.recvmsg(100, 100)[3], bound)
        for call in (lambda: sock.connect(bound), sock.getpeername):
            with self.assertRaises(OSError) as caught:
                call()
            self.assertErrno(caught.exception, errno.EOPNOTSUPP)

    def test_datagrams(self):
        sock = self.open(socket.SOCK_DGRAM)
        sock.bind(("lo", ETHERTYPE))
        sock.sendto(b"to another", ("lo", ETHERTYPE, 0, 0, b"\2\3\4\5\6\7"))
        data, address = sock.recvfrom(100)
        self.assertEqual(data, b"to another")
        self.assertEqual(address, ("lo", ETHERTYPE, socket.PACKET_OTHERHOST, LOOPBACK, NOBODY))

    def test_interfaces_are_those_of_the_sockets_namespace(self):
        sock = self.open(socket.SOCK_RAW)
        done = subprocess.run(
            ["unshare", "--net", sys.executable, os.path.abspath(__file__), ELSEWHERE, str(sock.fileno())],
            pass_fds=[sock.fileno()], capture_output=True, text=True, timeout=DEADLINE,
        )
        self.assertEqual(done.stdout, "lo lo no lo here\n", done.stderr)


def elsewhere(number):
    """With a socket from another namespace; in this one, the interface of the same index has another name."""
    subprocess.run(["ip", "link", "set", "lo", "name", "other"], check=True)
    with socket.socket(fileno=number) as foreign, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as ours:
        foreign.bind(("lo", ETHERTYPE))
        foreign.send(NOBODY * 2 + struct.pack("!H", ETHERTYPE))
        print(foreign.getsockname()[0], foreign.recvfrom(100)[1][0], end=" ")
        try:
            ours.bind(("lo", ETHERTYPE))
        except OSError as error:
            print("no lo here" if error.errno == errno.ENODEV else error)


class Raw(SocketTestCase):
    def test_icmp(self):
        sock = self.keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        sock.settimeout(DEADLINE)
        # Echo request, code, checksum, identifier, sequence number; an echo reply differs in type and checksum.
        ask = struct.pack("!BBHHH", 8, 0, 0xF7FF - 0x4D, 0x4D, 0)
        self.assertEqual(sock.sendto(ask, ("127.0.0.1", 0)), len(ask))
        kinds = set()
        while kinds != {0, 8}:
            data, address = sock.recvfrom(200)
            self.assertEqual(address, ("127.0.0.1", 0))
            kinds.add(data[20])

    def test_icmp6(self):
        sock = self.keep(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
        sock.settimeout(DEADLINE)
        # The kernel puts in the checksum.
        sock.sendto(struct.pack("!BBHHH", 128, 0, 0, 7, 1), ("::1", 0))
        kinds = set()
        while kinds != {128, 129}:
            data, address = sock.recvfrom(200)
            self.assertEqual(address, ("::1", 0, 0, 0))
            kinds.add(data[0])


class Can(SocketTestCase):
    """On a virtual bus."""

    def setUp(self):
        try:
            socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW).close()
            subprocess.run(["ip", "link", "add", "vcan0", "type", "vcan"], check=True, capture_output=True)
            self.addCleanup(subprocess.run, ["ip", "link", "del", "vcan0"])
            subprocess.run(["ip", "link", "set", "vcan0", "up"], check=True)
        except (OSError, subprocess.CalledProcessError) as why:
            self.skipTest(f"this kernel has no virtual CAN: {why}")

    def open(self, kind, protocol):
        try:
            sock = self.keep(socket.socket(socket.AF_CAN, kind, protocol))
        except OSError as error:
            self.skipTest(f"this kernel has no CAN protocol {protocol}: {error}")
        sock.settimeout(DEADLINE)
        return sock

    def test_raw(self):
        receiver, sender = (self.open(socket.SOCK_RAW, socket.CAN_RAW) for _ in range(2))
        receiver.bind(("",))
        self.assertEqual(receiver.getsockname(), ("",))
        sender.bind(("vcan0",))
        self.assertEqual(sender.getsockname(), ("vcan0",))
        frame = struct.pack("=IB3x8s", 0x123, 3, b"abc")
        sender.send(frame)
        self.assertEqual(receiver.recvfrom(16), (frame, ("vcan0",)))
        receiver.sendto(frame, ("vcan0",))
        self.assertEqual(sender.recvmsg(16)[3], ("vcan0",))

    def test_isotp(self):
        one, other = (self.open(socket.SOCK_DGRAM, socket.CAN_ISOTP) for _ in range(2))
        one.bind(("vcan0", 0x123, 0x456))
        other.bind(("vcan0", 0x456, 0x123))
        self.assertEqual(one.getsockname(), ("vcan0", 0x123, 0x456))
        one.send(b"x" * 100)
        self.assertEqual(other.recv(200), b"x" * 100)
        one.send(b"short")
        self.assertEqual(other.recvmsg(200)[0], b"short")

    def test_j1939(self):
        one, other = (self.open(socket.SOCK_DGRAM, socket.CAN_J1939) for _ in range(2))
        none = (socket.J1939_NO_NAME, socket.J1939_NO_PGN)
        one.bind(("vcan0", *none, 0x20))
        other.bind(("vcan0", *none, 0x30))
        self.assertEqual(one.getsockname(), ("vcan0", *none, 0x20))
        one.sendto(b"12345678", ("vcan0", socket.J1939_NO_NAME, 0xEF00, 0x30))
        data, address = other.recvfrom(8)
        self.assertEqual(data, b"12345678")
        self.assertEqual(address, ("vcan0", socket.J1939_NO_NAME, 0xEF00, 0x20))


if __name__ == "__main__":
    if ELSEWHERE in sys.argv:
        elsewhere(int(sys.argv[2]))
    else:
        unittest.main()
