"""The Internet's protocols beside TCP and UDP, over IPv4 and IPv6."""

import socket
import struct

from family_tours.facts import datagram_tour, family, stream_tour


@family
def sctp(facts):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        make = lambda kind=socket.SOCK_STREAM: facts.socket(family, kind, socket.IPPROTO_SCTP)
        stream_tour(facts, make, (host, 0), volatile=(1,))
        server, client = make(socket.SOCK_SEQPACKET), make(socket.SOCK_SEQPACKET)
        for sock, who in ((server, "many"), (client, "one")):
            facts.step("bind", sock.bind, (host, 0))
            facts.know(sock.getsockname()[1], f"{who} port")
            facts.step("listen", sock.listen)
            facts.names(sock, who)
            facts.adopt(sock)
        datagram_tour(facts, server, client, server.getsockname())
        facts.step("rest", server.recvfrom, 64)
        receive_info, send_info = 32, struct.pack("=HHIIi", 1, 0, 0x01020304, 5, 0)
        facts.step("ask for the stream", server.setsockopt, socket.IPPROTO_SCTP, receive_info, 1)
        facts.step("sendmsg on a stream", client.sendmsg, [b"stream 1"], [(socket.IPPROTO_SCTP, 2, send_info)], 0, server.getsockname())

        def streamed():
            data, control, flags, address = server.recvmsg(64, 256)
            return data, [(level, kind, len(content), content[:2]) for level, kind, content in control], flags, address
        facts.step("recvmsg of a stream", streamed)


@family
def dccp(facts):
    kind, protocol, level, service = 6, 33, 269, 2

    def make():
        sock = facts.socket(family, kind, protocol)
        sock.setsockopt(level, service, struct.pack("!I", 42))
        return sock
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        stream_tour(facts, make, (host, 0), volatile=(1,))


@family
def udplite(facts):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        make = lambda: facts.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
        server, client = make(), make()
        for sock, who in ((server, "server"), (client, "client")):
            facts.step("bind", sock.bind, (host, 0))
            facts.know(sock.getsockname()[1], f"{who} port")
            facts.names(sock, who)
            facts.adopt(sock)
        for option in (socket.UDPLITE_SEND_CSCOV, socket.UDPLITE_RECV_CSCOV):
            facts.step("coverage", client.getsockopt, socket.IPPROTO_UDPLITE, option)
            facts.step("set coverage", client.setsockopt, socket.IPPROTO_UDPLITE, option, 8)
            facts.step("coverage set", client.getsockopt, socket.IPPROTO_UDPLITE, option)
        datagram_tour(facts, server, client, server.getsockname())
        facts.step("connect", client.connect, server.getsockname())
        facts.names(client, "connected")


@family
def mptcp(facts):
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        make = lambda: facts.socket(family, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
        stream_tour(facts, make, (host, 0), volatile=(1,))


@family
def raw(facts):
    experiment = 253
    for family, host, head in ((socket.AF_INET, "127.0.0.1", 20), (socket.AF_INET6, "::1", 0)):
        make = lambda: facts.socket(family, socket.SOCK_RAW, experiment)
        server, client = make(), make()
        facts.step("unbound", server.getsockname)
        facts.step("bind", server.bind, (host, 0))
        facts.names(server, "bound")
        facts.adopt(server)
        target = server.getsockname()
        facts.step("sendto", client.sendto, b"raw", target)
        facts.step("recvfrom", lambda: (lambda data, address: (data[head:], address))(*server.recvfrom(64)))
        facts.step("sendmsg", client.sendmsg, [b"r", b"aw"], [], 0, target)
        facts.step("recvmsg", lambda: server.recvmsg(64)[1:])
        facts.step("connect", client.connect, target)
        facts.names(client, "connected")
