"""The kernel's cryptography: hashes, ciphers, authenticated encryption, random numbers."""

import socket
import struct

from family_tours.facts import STRANGE, family


def algorithm(facts, kind, name, *options):
    sock = facts.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0)
    facts.need(f"bind {kind} {name}", sock.bind, (kind, name))
    for option in options:
        facts.step("setsockopt", sock.setsockopt, socket.SOL_ALG, *option)

    def operation():
        child, address = facts.need("accept", sock.accept)
        facts.keep(child)
        return child
    return sock, operation


@family
def alg(facts):
    make = lambda: facts.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0)
    # poll(2) never calls these ready, though no call on them waits: with a timeout CPython waits until it is over.
    socket.setdefaulttimeout(None)
    facts.step("unbound", make().getsockname)
    bad = [("hash",), ("hash", "none"), ("none", "sha256"), ("hash", "sha256", 1, 2, 3), ("t" * 13, "n"), ("t" * 14, "n"), ("t" * 300, "n"),
           ("hash", "n" * 63), ("hash", "n" * 64), ("hash", "n" * 300), (b"hash", "sha256"), ("hash", b"sha256"), ("hash\0", "sha256"),
           ("hash", "sha\0"), ("hash", "sha256", "1"), ("hash", "sha256", 1 << 32), ("hash", "sha256", -1, -1), ("h\u00e4sh", "x"),
           ["hash", "sha256"], ("\udc80", "x"), ("", "")]
    facts.refused(make, (*STRANGE, *bad), ("bind", "connect"))
    facts.step("bind with feature and mask", make().bind, ("hash", "sha256", 0, 0))
    sock, operation = algorithm(facts, "hash", "sha256")
    facts.names(sock, "hash")
    facts.adopt(sock)
    child = operation()
    facts.names(child, "operation")
    facts.adopt(child)
    facts.step("sendall", child.sendall, b"abc")
    facts.step("recv", child.recv, 512)
    for part in (b"a", b"b", b"c"):
        facts.step("send more", child.send, part, socket.MSG_MORE)
    facts.step("send last", child.send, b"")
    facts.step("recvfrom", child.recvfrom, 512)
    facts.step("recvmsg of nothing", child.recvmsg, 512)
    facts.step("recv cut", lambda: (child.send(b"abc"), child.recv(4))[1])
    hmac, operation = algorithm(facts, "hash", "hmac(sha1)", (socket.ALG_SET_KEY, b"a key of eighteen!"))
    facts.step("keyed hash", lambda: (lambda child: (child.sendall(b"data"), child.recv(64))[1])(operation()))
    cipher_tour(facts)
    aead_tour(facts)
    generator, operation = algorithm(facts, "rng", "drbg_nopr_sha256", (socket.ALG_SET_KEY, bytes(48)))
    facts.step("random", lambda: len(operation().recv(32)))
    facts.step("random, more than the kernel gives at once", lambda: len(operation().recv(200)))


def cipher_tour(facts):
    key, iv, block = bytes(range(16)), bytes(range(16, 32)), b"sixteen bytes..."
    sock, operation = algorithm(facts, "skcipher", "cbc(aes)", (socket.ALG_SET_KEY, key))
    child = operation()
    facts.step("init", child.sendmsg_afalg, op=socket.ALG_OP_ENCRYPT, iv=iv, flags=socket.MSG_MORE)
    facts.step("sendall", child.sendall, block)
    secret = facts.step("recv", child.recv, 16)
    child = operation()
    facts.step("decrypt", child.sendmsg_afalg, [secret], op=socket.ALG_OP_DECRYPT, iv=iv)
    facts.step("recvmsg", child.recvmsg, 16)
    child = operation()
    facts.step("three buffers", child.sendmsg_afalg, [block, bytearray(block), memoryview(block)], op=socket.ALG_OP_ENCRYPT, iv=iv)
    facts.step("recvmsg_into", lambda: child.recvmsg_into([bytearray(18), bytearray(30)]))
    child = operation()
    control = [(socket.SOL_ALG, socket.ALG_SET_OP, struct.pack("I", socket.ALG_OP_ENCRYPT)),
               (socket.SOL_ALG, socket.ALG_SET_IV, struct.pack("I", 16) + iv)]
    facts.step("sendmsg", child.sendmsg, [block], control)
    facts.step("recv", child.recv, 16)
    facts.step("half a block", child.sendmsg_afalg, [b"half"], op=socket.ALG_OP_ENCRYPT, iv=iv)
    facts.step("recv half a block", child.recv, 4)
    for named in ({}, {"op": None}, {"op": "1"}, {"op": -1}, {"op": 99}, {"op": 1 << 32}, {"op": 0, "iv": "text"}, {"op": 0, "iv": b"short"},
                  {"op": 0, "iv": None}, {"op": 0, "assoclen": None}, {"op": 0, "assoclen": -1}, {"op": 0, "assoclen": 1 << 32},
                  {"op": 0, "flags": -1}, {"op": 0, "flags": "1"}, {"op": 0, "iv": bytearray(16)}, {"op": 0, "msg": 1}, {"op": 0, "msg": [1]},
                  {"op": 0, "msg": "text"}, {"op": 0, "msg": b"ints"}, {"op": 0, "msg": (block,), "iv": memoryview(iv)}, {"op": 0, "nothing": 1}):
        facts.step(f"sendmsg_afalg {sorted(named)} {list(map(str, map(type, named.values())))} {named.get('op')}",
                   lambda: operation().sendmsg_afalg(**named))
    facts.step("positional", lambda: operation().sendmsg_afalg([block], op=0))
    facts.step("two positional", lambda: operation().sendmsg_afalg([block], 0))
    with socket.socket() as tcp:
        facts.step("not of this family", tcp.sendmsg_afalg, op=0)
    closed = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0)
    closed.close()
    facts.step("closed", closed.sendmsg_afalg, op=0)


def aead_tour(facts):
    key, iv, more, plain = bytes(16), bytes(12), b"associated data.", b"plain text......"
    sock, operation = algorithm(facts, "aead", "gcm(aes)", (socket.ALG_SET_KEY, key), (socket.ALG_SET_AEAD_AUTHSIZE, None, 16))
    child = operation()
    facts.step("init", child.sendmsg_afalg, op=socket.ALG_OP_ENCRYPT, iv=iv, assoclen=16, flags=socket.MSG_MORE)
    facts.step("associated", child.sendall, more, socket.MSG_MORE)
    facts.step("plain", child.sendall, plain)
    secret = facts.step("recv", child.recv, 48)
    child = operation()
    facts.step("at once", child.sendmsg_afalg, [more + plain], op=socket.ALG_OP_ENCRYPT, iv=iv, assoclen=16)
    facts.step("the same", lambda: child.recv(48) == secret)
    child = operation()
    facts.step("decrypt", child.sendmsg_afalg, [secret], op=socket.ALG_OP_DECRYPT, iv=iv, assoclen=16)
    facts.step("recvfrom", child.recvfrom, 32)
    child = operation()
    facts.step("decrypt what was changed", child.sendmsg_afalg, [secret[:-1] + b"?"], op=socket.ALG_OP_DECRYPT, iv=iv, assoclen=16)
    facts.step("recv what was changed", child.recv, 32)
