"""Between virtual machines and their host: vsock."""

import errno
import socket
import struct

from family_tours.facts import Missing, NUMBERS, STRANGE, family, stream_tour


@family
def vsock(facts):
    make = lambda kind=socket.SOCK_STREAM: facts.socket(socket.AF_VSOCK, kind)
    any_, port = socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY
    facts.step("unbound", make().getsockname)
    facts.step("this machine", local_context)
    answer = make().connect_ex((socket.VMADDR_CID_LOCAL, 12345))
    if answer != errno.ECONNRESET:
        raise Missing(f"the loopback of vsock: {errno.errorcode.get(answer)}")
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        stream_tour(facts, lambda: make(kind), (any_, port), lambda bound: (socket.VMADDR_CID_LOCAL, bound[1]), volatile=(1,))
    sock = make()
    for name in ("SO_VM_SOCKETS_BUFFER_MAX_SIZE", "SO_VM_SOCKETS_BUFFER_SIZE", "SO_VM_SOCKETS_BUFFER_MIN_SIZE"):
        value = facts.step(name, sock.getsockopt, socket.AF_VSOCK, getattr(socket, name))
        facts.step(f"set {name}", sock.setsockopt, socket.AF_VSOCK, getattr(socket, name), value * 2)
        facts.step(f"{name} set", sock.getsockopt, socket.AF_VSOCK, getattr(socket, name))
        facts.step(f"{name} as bytes", sock.getsockopt, socket.AF_VSOCK, getattr(socket, name), 8)
    facts.step("nobody listens", make().connect, (socket.VMADDR_CID_LOCAL, 12345))
    facts.step("datagrams", socket.socket, socket.AF_VSOCK, socket.SOCK_DGRAM)
    bad = [(1,), (1, 2, 3), ("1", 2), (1, "2"), (99, 1), [1, 2]]
    bad += [(number, 1) for number in NUMBERS[2:]] + [(1, number) for number in NUMBERS[2:]]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect"))


def local_context():
    import fcntl
    with open("/dev/vsock", "rb") as device:
        answer = bytearray(4)
        fcntl.ioctl(device, socket.IOCTL_VM_SOCKETS_GET_LOCAL_CID, answer)
        return struct.unpack("I", answer)
