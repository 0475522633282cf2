"""Calls of sendmsg, recvmsg, recvmsg_into, sendmsg_afalg, CMSG_LEN and CMSG_SPACE with arguments of every kind, and what they
give: for test_ancillary, which compares two interpreters.

With the argument "messages", exceptions are shown with their text; with "exporters", classes with `__buffer__` are among the
buffers. Left out are an argument too few or too many, whose text is the interpreter's own, and iterables that raise, where
reactor-python differs on purpose.
"""

import array
import collections
import ctypes
import mmap
import re
import socket
import sys

MESSAGES = "messages" in sys.argv


def show(label, call):
    try:
        result = call()
    except OSError as error:
        result = f"{type(error).__name__} {error.args}"
    except Exception as error:
        result = f"{type(error).__name__} {error.args}" if MESSAGES else type(error).__name__
    print(re.sub(r" at 0x[0-9a-f]+", "", f"{label} -> {result}"))


def pair(kind=socket.SOCK_STREAM):
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.settimeout(0.2)
    return ends


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return 1 // 0 if self.value is None else self.value


class Sequence:
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, at):
        return self.items[at]


class Unsized:
    def __getitem__(self, at):
        raise ZeroDivisionError


class Exporter:
    """An object with a buffer, or with something else in its place."""

    def __init__(self, buffer):
        self.buffer = buffer

    def __buffer__(self, flags):
        if isinstance(self.buffer, Exception):
            raise self.buffer
        return self.buffer


def released():
    view = memoryview(bytearray(2))
    view.release()
    return view


BUFFERS = {
    "nothing": lambda: None, "an integer": lambda: 1, "bytes": lambda: b"ab", "text": lambda: "ab",
    "a bytearray": lambda: bytearray(b"ab"), "integers": lambda: [1], "texts": lambda: ["x"], "None": lambda: [None],
    "none": lambda: [], "an empty one": lambda: [b""], "a dict": lambda: {b"x": 1}, "a sequence": lambda: Sequence(b"x", b"y"),
    "steps": lambda: [memoryview(b"abcdef")[::2]], "backwards": lambda: [memoryview(bytearray(b"abcdef"))[::-1]],
    "cast": lambda: [memoryview(bytearray(8)).cast("I")], "doubles": lambda: [array.array("d", [1, 2])],
    "ctypes": lambda: [(ctypes.c_int * 3)()], "a ctypes integer": lambda: [ctypes.c_int(5)],
    "mmap": lambda: [mmap.mmap(-1, 10)], "two dimensions": lambda: [memoryview(bytearray(6)).cast("B", (2, 3))],
    "released": lambda: [released()], "read-only": lambda: [memoryview(b"xx")], "1024": lambda: [b"x"] * 1024,
    "1025": lambda: [b"x"] * 1025, "1024 bytearrays": lambda: [bytearray(1)] * 1024,
    "1025 bytearrays": lambda: [bytearray(1)] * 1025, "100000 bytearrays": lambda: [bytearray(b"x")] * 100_000,
    "an iterator": lambda: iter([bytearray(b"q")]),
}
if "exporters" in sys.argv:
    BUFFERS |= {
        "an exporter": lambda: [Exporter(memoryview(bytearray(4)))], "a read-only exporter": lambda: [Exporter(memoryview(b"ab"))],
        "a failing exporter": lambda: [Exporter(ValueError("mine"))], "no exporter": lambda: [Exporter(1)],
    }

ITEMS = {
    "not a tuple": 1, "None": None, "text": "abc", "bytes": b"abc", "a bytearray": bytearray(b"abc"), "a dict": {},
    "a set": {1}, "an iterator": iter((1, 1, b"")), "two": (1, 1), "four": (1, 1, b"", 1), "empty": (), "a list": [1, 1, b""],
    "a list of two": [1, 1], "a list of integers": [1, 1, 1], "a deque": collections.deque([1, 1, b""]), "a range": range(3),
    "a sequence": Sequence(1, 1, b""), "a long sequence": Sequence(1, 1, b"", 1), "an unsized sequence": Unsized(),
    "an array": array.array("i", [1, 1, 1]), "a text level": ("a", 1, b""), "a float level": (1.0, 1, b""),
    "no level": (None, 1, b""), "a large level": (1 << 40, 1, b""), "a low level": (-(1 << 40), 1, b""),
    "a large type": (1, 1 << 31, b""), "a huge type": (1, 1 << 70, b""), "no data": (1, 1, None), "text data": (1, 1, "x"),
    "integer data": (1, 1, 3), "booleans": (True, True, b""), "an index": (Index(1), Index(1), b""),
    "a failing index": (Index(None), 1, b""), "steps": (1, 1, memoryview(b"abcdefghij")[::2]),
    "a closed descriptor": (1, 1, array.array("i", [9999])), "half a descriptor": (1, 1, b"ab"), "no descriptor": (1, 1, b""),
    "a descriptor": (1, 1, array.array("i", [0])), "253": (1, 1, array.array("i", [0] * 253)),
    "254": (1, 1, array.array("i", [0] * 254)), "an unknown type": (1, 99, b"abc"), "an unknown level": (99, 99, b"abc"),
    "negative": (-1, -1, b""), "a megabyte": (1, 1, bytes(1 << 20)),
}


def buffers():
    for label, make in BUFFERS.items():
        near, far = pair()
        with near, far:
            far.send(b"0123456789" * 3)
            show(f"sendmsg {label}", lambda: near.sendmsg(make()))
            kept = []

            def receive():
                made = make()
                if isinstance(made, list):
                    kept.extend(made[:3])
                return near.recvmsg_into(made)

            show(f"recvmsg_into {label}", receive)
            show("  filled", lambda: [bytes(buffer) for buffer in kept if isinstance(buffer, (bytearray, array.array))])


def items():
    for label, item in ITEMS.items():
        near, far = pair()
        with near, far:
            show(f"item {label}", lambda: near.sendmsg([b"x"], [item]))
            show("  twice", lambda: near.sendmsg([b"x"], (item, item)))
    near, far = pair()
    with near, far:
        for ancdata in None, 1, (), [], "", "abc", b"", b"abc":
            show(f"items {ancdata!r}", lambda: near.sendmsg([b"x"], ancdata))


def other_arguments():
    for arguments in (
        ([b"x"], None), ([b"x"], [], None), ([b"x"], [], 0, None), ([b"x"], [], 0, "/no/such/socket"), ([b"x"], [], 0, 5),
        ([b"x"], [], 0, ("h", 1)), ([b"x"], [], 1 << 40), ([b"x"], [], -1 << 40), ([b"x"], [], "f"), ([b"x"], [], 1.0),
        ([b"x"], [], 1 << 70), ([b"x"], [], True), ([b"x"], [], 0, b"\0abstract"), ([b"x"], [], 0, "x" * 200), (1, 1, "f", 5),
        (1, 1, 0, 5), (1, 1), ([b"x"], [], Index(0)), ([b"x"], [], Index(None)),
    ):
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            near, far = pair(kind)
            with near, far:
                show(f"sendmsg {kind} {arguments}", lambda: near.sendmsg(*arguments))
    for arguments in (
        ("1",), (1.0,), (None,), (-1,), (1 << 70,), (0,), (True,), (Index(3),), (Index(None),), (1, -1), (1, 1 << 70),
        (1, 1 << 31), (1, None), (1, "x"), (1, Index(8)), (1, 0, None), (1, 0, 1 << 40), (1, 0, -1 << 40), (1, 0, 1 << 70),
        (1, 0, "x"), (1, 0, 0.5), (0, 0, socket.MSG_DONTWAIT), (-1, -1, 0), (2, 8, socket.MSG_PEEK), (9, 0, socket.MSG_WAITALL),
    ):
        near, far = pair()
        with near, far:
            far.send(b"abcdefghi")
            show(f"recvmsg {arguments}", lambda: near.recvmsg(*arguments))
            if isinstance(arguments[0], int):
                target = [bytearray(max(arguments[0], 0) % 100)]
                show("  into", lambda: near.recvmsg_into(target, *arguments[1:]))
    near, far = pair()
    near.close()
    for call in (lambda: near.sendmsg([b"x"]), lambda: near.recvmsg(1), lambda: near.recvmsg_into([bytearray(1)]),
                 lambda: near.sendmsg([b"x"], 1), lambda: near.sendmsg([b"x"], [], 0, 5), lambda: near.recvmsg(1, -1),
                 lambda: near.recvmsg_into([1]), lambda: near.recvmsg_into([bytearray(1)] * 1025)):
        show("closed", call)
    far.close()


def messages():
    for kind in socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
        near, far = pair(kind)
        with near, far:
            for size, room, flags in (4, 0, 0), (4, 0, socket.MSG_TRUNC), (0, 0, socket.MSG_TRUNC), (10, 50, socket.MSG_PEEK):
                near.send(b"0123456789")
                show(f"{kind} cut {size} {flags}", lambda: far.recvmsg(size, room, flags))
                targets = [bytearray(size // 2), bytearray(size - size // 2)]
                near.send(b"0123456789")
                show("  into", lambda: (far.recvmsg_into(targets, room, flags), targets))
            far.settimeout(0)
            show("rest", lambda: [far.recvmsg(100) for _ in range(4)])
            near.sendmsg([])
            near.sendmsg([b"", b""])
            show("empty", lambda: (far.recvmsg(4), far.recvmsg_into([])))
            near.sendmsg([b"x"], [], socket.MSG_EOR | socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
            show("end of record", lambda: far.recvmsg(4))
            far.close()
            show("gone", lambda: near.sendmsg([b"x"]))
    near, far = pair()
    with near, far:
        show("nothing to read", lambda: near.recvmsg(4))
        show("nothing to read, no wait", lambda: near.recvmsg_into([bytearray(1)], 0, socket.MSG_DONTWAIT))
        show("nothing to read, nothing asked", lambda: near.recvmsg(0))
        show("nothing to send", lambda: near.sendmsg([]))
        far.close()
        show("end", lambda: (near.recvmsg(4, 100), near.recvmsg(4, 0, socket.MSG_WAITALL), near.recvmsg_into([bytearray(1)])))
        show("pipe", lambda: near.sendmsg([b"x"]))


def alg():
    near, far = pair(socket.SOCK_SEQPACKET)
    near = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0, fileno=near.detach())
    for arguments, named in (
        ((), {}), (([b"x"],), {}), (([b"x"],), {"op": 1}), ((), {"op": 1}), (([b"x"], 1), {"op": 1}), (([b"x"],), {"op": -1}),
        (([b"x"],), {"op": 1 << 40}), (([b"x"],), {"op": "x"}), (([b"x"],), {"op": None}), (([b"x"],), {"op": 1, "iv": b"12"}),
        (([b"x"],), {"op": 1, "iv": None}), (([b"x"],), {"op": 1, "iv": "x"}), (([b"x"],), {"op": 1, "iv": memoryview(b"abcd")[::2]}),
        (([b"x"],), {"op": 1, "assoclen": -1}), (([b"x"],), {"op": 1, "assoclen": 0}), (([b"x"],), {"op": 1, "assoclen": 1 << 40}),
        (([b"x"],), {"op": 1, "assoclen": None}), (([b"x"],), {"op": 1, "assoclen": 1.0}), (([b"x"],), {"op": 1, "flags": 1 << 40}),
        (([b"x"],), {"op": 1, "flags": "x"}), ((), {"msg": [b"a"], "op": 1}), (([b"x"],), {"op": 1, "foo": 3}),
        (([b"x"],), {"msg": [b"x"], "op": 1}), ((1,), {"op": 1}), ((None,), {"op": 1}), ((b"ab",), {"op": 1}),
        (("ab",), {"op": 1}), (([],), {"op": 1}), (([b""] * 1025,), {"op": 1}), ((), {"op": True}), ((), {"op": Index(1)}),
        (([b"x"],), {"op": 1, "iv": bytes(50_000)}),
    ):
        named_shown = {name: value for name, value in named.items() if name != "iv"}
        show(f"afalg {str(arguments)[:40]} {named_shown}", lambda: near.sendmsg_afalg(*arguments, **named))
        far.settimeout(0)
        show("  sent", lambda: far.recv(100))
    near.close()
    show("closed", lambda: near.sendmsg_afalg(op=1))
    show("closed", near.sendmsg_afalg)
    show("other family", far.sendmsg_afalg)
    far.close()


def lengths():
    top = 1 << 31
    for length in (0, 1, 7, 8, 9, -1, "a", None, 1.0, True, Index(3), top, top - 1, top - 16, top - 17, top - 23, top - 24, top - 25,
                   top - 32, 1 << 63, (1 << 63) - 1, -1 << 63, (-1 << 63) - 1, 1 << 64, 1 << 32, sys.maxsize - 16):
        show(f"CMSG_LEN {length}", lambda: socket.CMSG_LEN(length))
        show(f"CMSG_SPACE {length}", lambda: socket.CMSG_SPACE(length))


buffers()
items()
other_arguments()
messages()
alg()
lengths()
