"""The families of the CAN bus."""

import socket
import struct

from family_tours.facts import Missing, NUMBERS, STRANGE, datagram_tour, family


def can_interface():
    names = sorted(name for _, name in socket.if_nameindex() if name.startswith("vcan"))
    if not names:
        raise Missing("an interface vcan*")
    return names[0]


BAD_INTERFACES = (("none0",), ("a" * 40,), (b"vcan0",), ("\udc80",), ("v\0",), ["vcan0"])


def can_frame(data, identifier=0x123):
    return struct.pack("=IB3x8s", identifier, len(data), data)


@family
def can_raw(facts):
    make = lambda: facts.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    reader, writer = make(), make()
    facts.step("unbound", reader.getsockname)
    facts.refused(make, (*STRANGE, *BAD_INTERFACES, ("lo",), ("", 1), (0,)))
    name = can_interface()
    frame = can_frame(b"hello")
    facts.step("bind", reader.bind, (name,))
    facts.step("bind any", writer.bind, ("",))
    for sock, who in ((reader, "bound"), (writer, "any")):
        facts.names(sock, who)
        facts.adopt(sock)
    facts.step("send without interface", writer.send, frame)
    datagram_tour(facts, reader, writer, (name,), can_frame)
    facts.step("send", reader.send, frame)
    facts.step("recvfrom any", writer.recvfrom, 16)
    facts.step("sendto frame", writer.sendto, frame, (name,))
    facts.step("recvfrom frame", reader.recvfrom, 16)
    facts.step("recvmsg frame", lambda: (writer.sendto(frame, (name,)), reader.recvmsg(16))[1])
    facts.step("sendmsg frame", lambda: (writer.sendmsg([frame[:8], frame[8:]], [], 0, (name,)), reader.recvfrom(16))[1])
    accept = struct.pack("=II", 0x200, 0x700)
    facts.step("filter", reader.setsockopt, socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, accept)
    facts.step("filter set", reader.getsockopt, socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, 64)
    facts.step("own messages", reader.setsockopt, socket.SOL_CAN_RAW, socket.CAN_RAW_RECV_OWN_MSGS, 1)
    facts.step("flexible frames", reader.setsockopt, socket.SOL_CAN_RAW, socket.CAN_RAW_FD_FRAMES, 1)
    long = struct.pack("=IBB2x64s", 0x234, 64, 0, b"long" * 16)
    facts.step("send long", reader.send, long)
    facts.step("recvfrom long", reader.recvfrom, 72)
    facts.step("recvmsg own flags", lambda: (reader.send(long), reader.recvmsg(72)[2:])[1])
    facts.step("connect", reader.connect, (name,))
    facts.step("listen", reader.listen)


@family
def can_bcm(facts):
    make = lambda: facts.socket(socket.AF_CAN, socket.SOCK_DGRAM, socket.CAN_BCM)
    manager = make()
    facts.step("unbound", manager.getsockname)
    facts.refused(make, (*STRANGE, *BAD_INTERFACES, ("lo",)), ("bind", "sendto"))
    name = can_interface()
    head = struct.Struct("@IIIlllliI0q")
    frame = can_frame(b"bcmframe", 0x321)
    setup = head.pack(socket.CAN_BCM_RX_SETUP, socket.CAN_BCM_RX_FILTER_ID, 0, 0, 0, 0, 0, 0x321, 0)
    facts.need("connect", manager.connect, (name,))
    facts.names(manager, "connected")
    facts.adopt(manager)
    facts.step("receive setup", manager.send, setup)
    sender = make()
    send = head.pack(socket.CAN_BCM_TX_SEND, 0, 0, 0, 0, 0, 0, 0x321, 1) + frame
    facts.step("sendto", sender.sendto, send, (name,))
    facts.step("connect sender", sender.connect, (name,))
    facts.step("transmit", sender.send, send)
    facts.step("recvfrom", lambda: (lambda data, address: (data[head.size:], address))(*manager.recvfrom(256)))
    facts.step("transmit again", sender.send, send)
    facts.step("recvmsg", lambda: manager.recvmsg(256)[1:])


@family
def can_isotp(facts):
    make = lambda: facts.socket(socket.AF_CAN, socket.SOCK_DGRAM, socket.CAN_ISOTP)
    facts.step("unbound", make().getsockname)
    bad = [("vcan0", 1), ("vcan0", 1, 2, 3), ("vcan0", "1", 2), ("none0", 1, 2), ("a" * 40, 1, 2), ("lo", 1, 2), (b"vcan0", 1, 2)]
    bad += [("vcan0", number, 1) for number in NUMBERS] + [("vcan0", 1, number) for number in NUMBERS]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect", "sendto"))
    name = can_interface()
    one, two = make(), make()
    facts.need("bind one", one.bind, (name, 0x123, 0x456))
    facts.need("bind two", two.bind, (name, 0x456, 0x123))
    for sock, who in ((one, "one"), (two, "two")):
        facts.names(sock, who)
        facts.adopt(sock)
    extended = make()
    facts.step("bind extended", extended.bind, (name, 0x18DA4558 | socket.CAN_EFF_FLAG, 0x18DAF145 | socket.CAN_EFF_FLAG))
    facts.names(extended, "extended")
    for size in (1, 7, 8, 300):
        facts.step(f"send {size}", one.send, b"x" * size)
        facts.step(f"recvfrom {size}", two.recvfrom, 4096)
    facts.step("answer", two.send, b"answer" * 10)
    facts.step("recvmsg", one.recvmsg, 4096)
    facts.step("sendmsg", one.sendmsg, [b"a", b"b"])
    facts.step("recv cut", two.recv, 1)


@family
def can_j1939(facts):
    make = lambda: facts.socket(socket.AF_CAN, socket.SOCK_DGRAM, socket.CAN_J1939)
    none, no_group, no_address = socket.J1939_NO_NAME, socket.J1939_NO_PGN, socket.J1939_NO_ADDR
    facts.step("unbound", make().getsockname)
    bad = [("vcan0", 1, 2), ("vcan0", 1, 2, 3, 4), ("none0", 0, 0, 0), ("a" * 40, 0, 0, 0), ("lo", 0, 0, 0), ("vcan0", "0", 0, 0)]
    bad += [("vcan0", number, no_group, 1) for number in NUMBERS] + [("vcan0", 0, number, 1) for number in NUMBERS]
    bad += [("vcan0", 0, no_group, number) for number in (*NUMBERS, 255, 256)]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect", "sendto"))
    name = can_interface()
    one, two = make(), make()
    facts.need("bind one", one.bind, (name, none, no_group, 0x20))
    facts.need("bind two", two.bind, (name, none, no_group, 0x30))
    for sock, who in ((one, "one"), (two, "two")):
        facts.names(sock, who)
        facts.adopt(sock)
    datagram_tour(facts, two, one, (name, none, 0x12300, 0x30))
    facts.step("sendto 100", one.sendto, b"y" * 100, (name, none, 0x12300, 0x30))
    facts.step("recvfrom 100", two.recvfrom, 4096)
    facts.step("broadcast not allowed", one.sendto, b"all", (name, none, 0xFEF1, no_address))
    facts.step("allow broadcast", one.setsockopt, socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    facts.step("allow broadcast", two.setsockopt, socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    facts.step("broadcast", one.sendto, b"all", (name, none, 0xFEF1, no_address))
    facts.step("recvmsg with destination", two.recvmsg, 64, 256)
    facts.step("priority", one.setsockopt, socket.SOL_CAN_BASE + socket.CAN_J1939, socket.SO_J1939_SEND_PRIO, 3)
    facts.step("priority set", one.getsockopt, socket.SOL_CAN_BASE + socket.CAN_J1939, socket.SO_J1939_SEND_PRIO)
    facts.step("connect", one.connect, (name, none, 0x12300, 0x30))
    facts.names(one, "connected")
    facts.step("send", one.send, b"connected")
    facts.step("recvfrom", two.recvfrom, 64)
    named = make()
    facts.step("bind a name", named.bind, (name, (1 << 64) - 2, 0x3FFFF, no_address))
    facts.names(named, "named")
