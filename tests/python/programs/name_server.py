"""A name server for tests: what it answers follows from the name, under .test only.

    name_server.py ADDRESS

Prints "ready" when it listens on UDP and TCP port 53, and ends when its standard input does.

    n<number>.test      A 10.x.y.z of the number, AAAA 2001:db8::<number>, to live 60 s
    l<number>.test      the same, a fifth of a second late (over UDP)
    t<seconds>.test     A 10.0.0.1, to live so long
    gone<...>.test      no such name, to be remembered 60 s
    silent<...>.test    no answer at all; nor has 0xde.0xad
    asked.test          A 10.x.y.z of the number of queries before, to live 0 s
"""

import queue
import re
import socket
import struct
import sys
import threading
import time

A, SOA, AAAA = 1, 6, 28
NXDOMAIN = 3

asked = 0


def read_name(query):
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("latin-1").lower())
        at += 1 + length
    return ".".join(labels), at + 1


def record(kind, ttl, data):
    # The owner is the name in the question.
    return struct.pack("!HHHIH", 0xC00C, kind, 1, ttl, len(data)) + data


def private(number):
    return struct.pack("!I", 10 << 24 | number)


def answers(name, kind):
    """The response code and the records; None: say nothing."""
    stem, _, zone = name.partition(".")
    if stem.startswith(("silent", "0xde")):
        return None
    if zone != "test" or stem.startswith("gone"):
        return NXDOMAIN, []
    if stem == "asked":
        return 0, [record(A, 0, private(asked))] if kind == A else []
    match = re.fullmatch(r"([nlt])(\d+)", stem)
    if match is None:
        return NXDOMAIN, []
    number = int(match[2])
    if match[1] == "t":
        return 0, [record(A, number, private(1))] if kind == A else []
    if kind == A:
        return 0, [record(A, 60, private(number))]
    if kind == AAAA:
        return 0, [record(AAAA, 60, struct.pack("!IIII", 0x20010DB8, 0, 0, number))]
    return 0, []


def reply(query):
    global asked
    name, end = read_name(query)
    (kind,) = struct.unpack_from("!H", query, end)
    found = answers(name, kind)
    asked += 1
    if found is None:
        return None
    code, records = found
    authority = []
    if not records:
        # The zone's SOA: how long the absence may be remembered (RFC 2308).
        numbers = struct.pack("!IIIII", 1, 3600, 600, 86400, 60)
        soa = b"\x00\x00" + numbers
        authority = [b"\x04test\x00" + struct.pack("!HHIH", SOA, 1, 60, len(soa)) + soa]
    flags = 0x8580 | code
    header = query[:2] + struct.pack("!HHHHH", flags, 1, len(records), len(authority), 0)
    return header + query[12 : end + 4] + b"".join(records) + b"".join(authority)


def serve_udp(sock, late):
    while True:
        query, peer = sock.recvfrom(4096)
        if (text := reply(query)) is None:
            continue
        # The first letter of the name.
        if query[13:14] in b"lL":
            late.put((time.monotonic() + 0.2, text, peer))
        else:
            sock.sendto(text, peer)


def serve_late(sock, late):
    while True:
        due, text, peer = late.get()
        time.sleep(max(0, due - time.monotonic()))
        sock.sendto(text, peer)


def serve_tcp(listener):
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:
            while head := stream.read(2):
                text = reply(stream.read(struct.unpack("!H", head)[0]))
                if text is None:
                    break
                stream.write(struct.pack("!H", len(text)) + text)
                stream.flush()


if __name__ == "__main__":
    address = (sys.argv[1], 53)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Room for a burst of queries from thousands of look-ups.
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    udp.bind(address)
    tcp = socket.create_server(address)
    late = queue.SimpleQueue()
    threading.Thread(target=serve_udp, args=(udp, late), daemon=True).start()
    threading.Thread(target=serve_late, args=(udp, late), daemon=True).start()
    threading.Thread(target=serve_tcp, args=(tcp,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
