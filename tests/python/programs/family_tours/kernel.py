"""Sockets to the kernel and to the wire: netlink and packet."""

import os
import socket
import struct

from family_tours.facts import NUMBERS, STRANGE, datagram_tour, family


@family
def netlink(facts):
    make = lambda protocol=socket.NETLINK_ROUTE, kind=socket.SOCK_RAW: facts.socket(socket.AF_NETLINK, kind, protocol)
    facts.know(os.getpid(), "process")
    route = make()
    facts.step("unbound", route.getsockname)
    facts.step("bind", route.bind, (0, 0))
    facts.names(route, "bound")
    facts.adopt(route)
    other = make()
    other.bind((0, 0))
    number, groups = other.getsockname()
    facts.know(number, "second")
    facts.step("a second address is positive", lambda: (0 < number < 1 << 32, groups))
    query = struct.pack("=IHHII", 17, 18, 0x301, 7, 0) + b"\0"
    facts.step("sendto kernel", route.sendto, query, (0, 0))
    facts.step("recvfrom kernel", lambda: route.recvfrom(1 << 16)[1])
    facts.step("recvmsg kernel", lambda: route.recvmsg(1 << 16)[1:])
    facts.step("connect kernel", other.connect, (0, 0))
    facts.names(other, "connected")
    facts.step("send", other.send, query)
    facts.step("recvmsg_into", lambda: other.recvmsg_into([bytearray(1 << 16)])[1:])
    kernel_events = 15
    events, sender = make(kernel_events), make(kernel_events)
    facts.step("bind groups", events.bind, (0, 1))
    facts.step("groups", lambda: events.getsockname()[1])
    facts.step("bind sender", sender.bind, (77777, 0))
    if facts.step("sendto group", sender.sendto, b"add@/devices/none\0ACTION=add\0", (0, 1)) is not None:
        facts.step("recvfrom group", events.recvfrom, 4096)
    one, two = make(socket.NETLINK_USERSOCK), make(socket.NETLINK_USERSOCK, socket.SOCK_DGRAM)
    facts.step("bind high", one.bind, ((1 << 32) - 5, (1 << 32) - 1))
    facts.step("bind low", two.bind, (70001, 0))
    facts.names(one, "high")
    datagram_tour(facts, two, one, (70001, 0))
    datagram_tour(facts, one, two, ((1 << 32) - 5, 0))
    facts.step("bind taken", make(socket.NETLINK_USERSOCK).bind, (70001, 0))
    bad = [(0,), (0, 0, 0), (1.5, 0), ("1", 0), [0, 0]]
    bad += [(number, 0) for number in NUMBERS[2:]] + [(0, number) for number in NUMBERS[2:]]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect", "sendto"))


def next_frame(sock):
    """The next frame that this program sent, in its outgoing or its incoming form."""
    while True:
        data, address = sock.recvfrom(64)
        if data.endswith(b"frame"):
            return data, address


@family
def packet(facts):
    ours = 0x88B5
    make = lambda kind=socket.SOCK_RAW, protocol=0: facts.socket(socket.AF_PACKET, kind, protocol)
    raw = make()
    facts.step("unbound", raw.getsockname)
    facts.step("bind two", raw.bind, ("lo", 0))
    facts.names(raw, "two")
    for address in (("lo", ours), ("lo", ours, 4), ("lo", ours, 0, 772), ("lo", ours, 0, 772, b"\1\2\3\4\5\6"), ("lo", ours, 0, 1, b"")):
        sock = make(socket.SOCK_DGRAM)
        facts.step(f"bind {address}", sock.bind, address)
        facts.names(sock, str(address))
        facts.adopt(sock)
    for kind, head in ((socket.SOCK_DGRAM, b""), (socket.SOCK_RAW, bytes(12) + struct.pack("!H", ours))):
        everything, receiver, sender = make(kind, socket.htons(3)), make(kind, socket.htons(ours)), make(kind)
        facts.step("bind to everything", everything.bind, ("lo", 3))
        facts.step("bind receiver", receiver.bind, ("lo", ours))
        # Without an address of the hardware the kernel may leave that of a datagram to chance.
        for target in (("lo", ours), ("lo", ours, 0, 0, bytes(6)), ("lo", ours, 0, 0, b"\1\2\3\4\5\6"))[not head:]:
            facts.step(f"sendto {target}", sender.sendto, head + b"frame", target)
            facts.step("recvfrom", receiver.recvfrom, 64)
            for _ in range(2):
                facts.step("recvfrom of everything", next_frame, everything)
        facts.step("auxiliary data", receiver.setsockopt, 263, 8, 1)
        facts.step("sendmsg", sender.sendmsg, [head, b"frame"], [], 0, ("lo", ours, 0, 0, bytes(6)))
        facts.step("recvmsg", receiver.recvmsg, 64, 128)
    facts.step("connect", raw.connect, ("lo", ours))
    bad = [("lo",), ("lo", 0, 0, 0, b"", 0), ("none", 0), ("a" * 40, 0), (b"lo", 0), ("lo", "0"), ("lo", 0, "0"), ("lo", 0, 0, "0"),
           ("lo", 0, 0, 0, "text"), ("lo", 0, 0, 0, bytes(8)), ("lo", 0, 0, 0, bytes(9)), ("lo", 65535), ("lo", 65536), ("lo", -1),
           ("lo", 0, 256), ("lo", 0, -1), ("lo", 0, 0, 65536), ("lo", 0, 0, -1), ("lo\0", 0), ["lo", 0], ("l\u00f6", 0), ("", 0),
           ("lo", 1 << 32), ("lo", 0, 0, 0, bytearray(6)), ("lo", 0, 0, 0, memoryview(bytes(6)))]
    facts.refused(lambda: make(socket.SOCK_DGRAM), (*STRANGE, *bad), ("bind", "sendto"))
