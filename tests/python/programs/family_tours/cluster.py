"""Families for clusters and for processors that share a board: TIPC, QIPCRTR, RDS."""

import socket
import struct

from family_tours.facts import NUMBERS, STRANGE, datagram_tour, family, stream_tour


@family
def tipc(facts):
    make = lambda kind=socket.SOCK_RDM: facts.socket(socket.AF_TIPC, kind)
    range_, name, identity = socket.TIPC_ADDR_NAMESEQ, socket.TIPC_ADDR_NAME, socket.TIPC_ADDR_ID
    kind, scope = 7000, socket.TIPC_NODE_SCOPE

    def known(sock, who):
        facts.know(sock.getsockname()[2], who)
        return sock

    for sort in (socket.SOCK_RDM, socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        facts.step(f"unbound {int(sort)}", known(make(sort), f"port {int(sort)}").getsockname)
    server, client = known(make(), "server"), known(make(), "client")
    facts.step("bind a range", server.bind, (range_, kind, 100, 200))
    facts.step("bind another", server.bind, (range_, kind, 300, 300, scope))
    facts.names(server, "bound")
    facts.adopt(server)
    datagram_tour(facts, server, client, (name, kind, 150, 0))
    datagram_tour(facts, server, client, (name, kind, 300, 0, scope))
    datagram_tour(facts, client, server, client.getsockname())
    facts.step("multicast", client.sendto, b"to all", (range_, kind, 50, 150))
    facts.step("recvmsg with destination", server.recvmsg, 64, 256)
    facts.step("unbind", server.bind, (range_, kind, 300, 300, -scope))
    facts.step("undeliverable is refused", client.sendto, b"nobody", (name, kind, 300, 0))
    facts.step("may not be dropped", client.setsockopt, socket.SOL_TIPC, socket.TIPC_DEST_DROPPABLE, 0)
    with known(make(), "gone") as gone:
        address = gone.getsockname()
    facts.step("undeliverable is returned", client.sendto, b"nobody", address)
    facts.step("recvmsg returned", client.recvmsg, 64, 256)
    facts.step("importance", client.setsockopt, socket.SOL_TIPC, socket.TIPC_IMPORTANCE, socket.TIPC_HIGH_IMPORTANCE)
    facts.step("importance set", client.getsockopt, socket.SOL_TIPC, socket.TIPC_IMPORTANCE)
    facts.step("connect", client.connect, (name, kind, 150, 0))
    facts.step("send", client.send, b"connected")
    facts.step("recvfrom", server.recvfrom, 64)
    for sort in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        stream_tour(facts, lambda: known(make(sort), f"port of {int(sort)}"), (range_, kind + int(sort), 1, 1),
                    lambda bound: (name, kind + int(sort), 1, 0), volatile=(2,))
        left, right = facts.need("socketpair", socket.socketpair, socket.AF_TIPC, sort)
        known(facts.keep(left), "left"), known(facts.keep(right), "right")
        facts.names(left, "pair")
        facts.step("pair", lambda: (left.send(b"across"), right.recvfrom(64)))
    topology = make(socket.SOCK_SEQPACKET)
    facts.step("connect to topology server", topology.connect, (name, socket.TIPC_TOP_SRV, socket.TIPC_TOP_SRV, 0))
    asked = struct.pack("=IIIII8s", kind, 100, 200, 5000, socket.TIPC_SUB_PORTS, b"handle!!")
    facts.step("subscribe", topology.send, asked)
    facts.step("event", lambda: topology.recv(128)[:12])
    bad = [(name,), (name, 1, 2), (name, 1, 2, 3, 4, 5), (99, 1, 2, 3), ("2", 1, 2, 3), (range_, kind, 2, 1), (range_, 1, 1, 1),
           (name, 1 << 32, 1, 1), (name, -1, 1, 1), (identity, 1, 1, 1), (range_, kind, 1, 1, 99)]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect", "sendto"))


@family
def qipcrtr(facts):
    make = lambda: facts.socket(socket.AF_QIPCRTR, socket.SOCK_DGRAM)
    server, client = make(), make()
    for sock, who in ((server, "server"), (client, "client")):
        facts.step(f"{who} bind itself", lambda: sock.bind(sock.getsockname()))
        facts.know(sock.getsockname()[1], f"{who} port")
        facts.names(sock, who)
        facts.adopt(sock)
    datagram_tour(facts, server, client, server.getsockname())
    facts.step("connect", client.connect, server.getsockname())
    facts.names(client, "connected")
    facts.step("send", client.send, b"connected")
    facts.step("recvfrom", server.recvfrom, 64)
    fixed = make()
    facts.step("bind a port", fixed.bind, (server.getsockname()[0], 20000))
    facts.names(fixed, "fixed")
    facts.step("bind taken", make().bind, (server.getsockname()[0], 20000))
    facts.step("nobody", client.sendto, b"nobody", (server.getsockname()[0], 30000))
    bad = [(1,), (1, 2, 3), ("1", 2), (1, "2"), (123, 123), [1, 2]]
    bad += [(number, 1) for number in NUMBERS[2:]] + [(1, number) for number in NUMBERS[2:]]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect", "sendto"))


@family
def rds(facts):
    make = lambda: facts.socket(socket.AF_RDS, socket.SOCK_SEQPACKET)
    server, client = make(), make()
    facts.step("unbound", server.getsockname)
    facts.step("send before bind", client.sendto, b"early", ("127.0.0.1", 9))
    for sock, who in ((server, "server"), (client, "client")):
        facts.need(f"bind {who}", sock.bind, ("127.0.0.1", 0))
        facts.know(sock.getsockname()[1], f"{who} port")
        facts.names(sock, who)
        facts.adopt(sock)
    datagram_tour(facts, server, client, server.getsockname())
    facts.step("host name", client.sendto, b"named", ("localhost", server.getsockname()[1]))
    facts.step("recvfrom", server.recvfrom, 64)
    facts.step("connect", client.connect, server.getsockname())
    facts.names(client, "connected")
    facts.step("send", client.send, b"connected")
    facts.step("sendmsg", client.sendmsg, [b"connected", b" too"])
    facts.step("recvfrom", server.recvfrom, 64)
    facts.step("recvmsg", server.recvmsg, 64, 256)
    facts.step("nonblocking", lambda: (server.setblocking(False), server.recv(1)))
    bad = [("127.0.0.1",), ("127.0.0.1", 1, 2), ("127.0.0.1", "1"), ("127.0.0.1", 65536), ("127.0.0.1", -1), ("192.0.2.1", 0), (b"127.0.0.1", 0),
           ["127.0.0.1", 0], ("::1", 0), ("", 0)]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect"))
