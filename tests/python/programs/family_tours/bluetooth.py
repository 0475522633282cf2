"""The protocols of Bluetooth. Connections need two controllers, such as those of an emulator on /dev/vhci."""

import errno
import socket
import struct

from family_tours.facts import Missing, STRANGE, family, stream_tour


def controllers(facts):
    """The addresses of the first two Bluetooth controllers."""
    import fcntl
    get_device_info = 0x800448D3
    addresses = []
    with facts.socket(socket.AF_BLUETOOTH, socket.SOCK_RAW, socket.BTPROTO_HCI) as control:
        for number in range(2):
            info = bytearray(struct.pack("=H", number) + bytes(90))
            try:
                fcntl.ioctl(control.fileno(), get_device_info, info)
            except OSError as error:
                raise Missing(f"a Bluetooth controller {number}: {errno.errorcode.get(error.errno)}") from error
            addresses.append(":".join(f"{byte:02X}" for byte in reversed(info[10:16])))
    return addresses


@family
def bluetooth_hci(facts):
    make = lambda: facts.socket(socket.AF_BLUETOOTH, socket.SOCK_RAW, socket.BTPROTO_HCI)
    facts.step("unbound", make().getsockname)
    channels = ("RAW", "USER", "MONITOR", "CONTROL", "LOGGING")
    for channel in channels:
        # The third controller may be one that is down, as the user channel needs it.
        for device in (socket.HCI_DEV_NONE, 0, 2, 77):
            sock = make()
            facts.step(f"bind {device} {channel}", sock.bind, (device, getattr(socket, f"HCI_CHANNEL_{channel}")))
            facts.step("bound", sock.getsockname)
            sock.close()
    for address in (0, (0,), (socket.HCI_DEV_NONE,)):
        sock = make()
        facts.step(f"bind {address}", sock.bind, address)
        facts.step("bound", sock.getsockname)
        facts.adopt(sock)
    bad = [(0, 0, 0), ("0",), (0, "0"), "00:00:00:00:00:00", -1, 65536, (65536,), (-1,), (0, 65536), (0, -1), 1 << 32, (1 << 64,), [0]]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect", "sendto"))
    control = make()
    facts.step("filter", control.getsockopt, socket.SOL_HCI, socket.HCI_FILTER, 14)
    facts.step("set direction", control.setsockopt, socket.SOL_HCI, socket.HCI_DATA_DIR, 1)
    facts.step("direction", control.getsockopt, socket.SOL_HCI, socket.HCI_DATA_DIR)
    controllers(facts)
    control.bind((0,))
    everything = struct.pack("=IIII", 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    facts.step("filter set", control.setsockopt, socket.SOL_HCI, socket.HCI_FILTER, everything)
    read_version = b"\1\1\x10\0"
    facts.step("command", control.send, read_version)
    facts.step("recvfrom", lambda: (lambda data, address: (data[:1], address))(*control.recvfrom(260)))
    facts.step("recvmsg", lambda: (control.send(read_version), control.recvmsg(260, 64)[1:])[1])


BAD_BLUETOOTH = ("00:00:00:00:00:0", "00:00:00:00:00:00:00", "0:0:0:0:0:0", "00-00-00-00-00-00", "invalid", "", "gg:00:00:00:00:00",
                 "100:00:00:00:00:00", "00:00:00:00:00:00 ", " 00:00:00:00:00:00", "-1:00:00:00:00:00", "0x1:00:00:00:00:00",
                 "00:00:00:00:00:00\0", b"00:00:00:00:00:00", "\ud812", 1, None)


@family
def bluetooth_l2cap(facts):
    make = lambda kind=socket.SOCK_SEQPACKET: facts.socket(socket.AF_BLUETOOTH, kind, socket.BTPROTO_L2CAP)
    any_ = socket.BDADDR_ANY
    facts.step("unbound", make().getsockname)
    for address in ((any_, 0x1001), (any_, 0), (any_, 0, 4, socket.BDADDR_LE_PUBLIC), (any_, 0x80, 0, socket.BDADDR_LE_RANDOM),
                    (any_, 0x1003, 0), (any_, 0x1005, 0, socket.BDADDR_BREDR), (any_, 0x1002), (any_, 0, 64), (any_, 0, 4, 9)):
        sock = make()
        facts.step(f"bind {address}", sock.bind, address)
        facts.names(sock, str(address))
        facts.adopt(sock)
    facts.refused(make, [(host, 0x1001) for host in BAD_BLUETOOTH], ("bind",))
    bad = [(any_,), (any_, 0, 0, 0, 0), (any_, "1"), (any_, 65536), (any_, -1), (any_, 1, 65536), (any_, 1, -1), (any_, 1, 0, 256),
            (any_, 1, 0, -1), [any_, 1], any_]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect"))
    one, two = controllers(facts)
    for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM):
        place = (two, 0x1011 + 2 * int(kind))
        stream_tour(facts, lambda: make(kind), place, lambda bound: place, source=(one, 0))


@family
def bluetooth_rfcomm(facts):
    make = lambda: facts.socket(socket.AF_BLUETOOTH, socket.SOCK_STREAM, socket.BTPROTO_RFCOMM)
    any_ = socket.BDADDR_ANY
    facts.step("unbound", make().getsockname)
    for address in ((any_, 0), (any_, 1), (any_, 30), (any_, 31), ("12:34:56:78:9a:BC", 3), (socket.BDADDR_LOCAL, 4)):
        sock = make()
        facts.step(f"bind {address}", sock.bind, address)
        facts.names(sock, str(address))
        facts.adopt(sock)
    facts.refused(make, [(host, 1) for host in BAD_BLUETOOTH], ("bind",))
    bad = [(any_,), (any_, 0, 0), (any_, "1"), (any_, 256), (any_, -1), (any_, 1 << 32), [any_, 1], any_]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect"))
    one, two = controllers(facts)
    stream_tour(facts, make, (two, 7), lambda bound: (two, 7), source=(one, 0))


@family
def bluetooth_sco(facts):
    make = lambda: facts.socket(socket.AF_BLUETOOTH, socket.SOCK_SEQPACKET, socket.BTPROTO_SCO)
    any_ = socket.BDADDR_ANY
    facts.step("unbound", make().getsockname)
    for address in (any_, any_.encode(), "12:34:56:78:9a:BC", b"12:34:56:78:9a:BC"):
        sock = make()
        facts.step(f"bind {address}", sock.bind, address)
        facts.names(sock, str(address))
        facts.adopt(sock)
    facts.refused(make, BAD_BLUETOOTH, ("bind",))
    bad = ((any_,), (any_, 1), any_.encode() + b"\0", b"invalid", bytearray(any_.encode()), [any_])
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect"))
    one, two = controllers(facts)
    stream_tour(facts, make, two, lambda bound: two, source=one)
