"""List this machine's network interfaces and their addresses, as `ip address` does: by asking the kernel over netlink.

    cargo py examples/interfaces.py

Prints a line an interface. AF_NETLINK is one of the address families beyond IPv4, IPv6 and Unix; no privilege is needed.
The layouts are those of rtnetlink(7).
"""

import os
import socket
import struct

RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_NEWADDR, RTM_GETADDR = 20, 22
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
IFLA_IFNAME, IFLA_MTU = 3, 4
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFF_UP = 0x1

HEADER = struct.Struct("=LHHLL")  # length, type, flags, sequence number, sender
LINK = struct.Struct("=BxHiII")  # family, kind of device, index, flags, mask of changed flags
ADDRESS = struct.Struct("=BBBBI")  # family, length of the prefix, flags, scope, index


def dump(question):
    """Ask for a whole table; yield the type and the bytes of each message of the answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, 0))  # the kernel chooses our number
        kernel.settimeout(5)
        body = bytes([socket.AF_UNSPEC]) + bytes(LINK.size - 1)
        request = HEADER.pack(HEADER.size + len(body), question, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body
        kernel.sendto(request, (0, 0))  # number 0 is the kernel
        while True:
            data, (sender, _) = kernel.recvfrom(1 << 16)
            if sender != 0:
                continue  # anybody may write to us
            while data:
                length, kind, *_ = HEADER.unpack_from(data)
                message, data = data[HEADER.size:length], data[length + 3 & ~3:]
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    (number,) = struct.unpack_from("=i", message)
                    raise OSError(-number, os.strerror(-number))
                yield kind, message


def attributes(data):
    """The attributes of a message, by their type."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[length + 3 & ~3:]
    return found


def main():
    addresses = {}
    for kind, message in dump(RTM_GETADDR):
        if kind == RTM_NEWADDR:
            family, prefix, _, _, index = ADDRESS.unpack_from(message)
            parts = attributes(message[ADDRESS.size:])
            packed = parts.get(IFA_LOCAL) or parts.get(IFA_ADDRESS)
            if family in (socket.AF_INET, socket.AF_INET6) and packed:
                addresses.setdefault(index, []).append(f"{socket.inet_ntop(family, packed)}/{prefix}")
    for kind, message in dump(RTM_GETLINK):
        if kind == RTM_NEWLINK:
            _, _, index, flags, _ = LINK.unpack_from(message)
            parts = attributes(message[LINK.size:])
            name = parts[IFLA_IFNAME].rstrip(b"\0").decode()
            (mtu,) = struct.unpack("=I", parts[IFLA_MTU])
            state = "up" if flags & IFF_UP else "down"
            print(f"{index}: {name:<15} {state:<4} mtu {mtu:<6}", *addresses.get(index, ["no address"]))


if __name__ == "__main__":
    main()
