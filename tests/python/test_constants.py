"""Holds the constants of our `_socket` against those of a CPython on this machine, and against what is known to be newer."""

import enum
import json
import pickle
import socket
import sys
import types
import unittest

import _socket

from support import need_cpython, run_python

QUESTION = """
import json
import _socket
print(json.dumps({n: v for n, v in vars(_socket).items() if isinstance(v, (int, str)) and not n.startswith("__")}))
"""

# Constants of CPython 3.14 that older ones lack, or that they have only where BlueZ's headers were installed.
# The numbers are those of the kernel headers and of bluetooth/*.h.
NEWER = {
    "CAN_RAW_ERR_FILTER": 2,
    "IPV6_RECVERR": 25,
    "IP_FREEBIND": 15,
    "IP_RECVERR": 11,
    "IP_RECVORIGDSTADDR": 20,
    "IP_RECVTTL": 12,
    "SO_ORIGINAL_DST": 80,
    "VMADDR_CID_LOCAL": 1,
    "AF_BLUETOOTH": 31,
    "BDADDR_ANY": "00:00:00:00:00:00",
    "BDADDR_LOCAL": "00:00:00:FF:FF:FF",
    "BDADDR_LE_RANDOM": 2,
    "BTPROTO_HCI": 1,
    "BTPROTO_L2CAP": 0,
    "BTPROTO_RFCOMM": 3,
    "BTPROTO_SCO": 2,
    "BT_SECURITY": 4,
    "HCI_DATA_DIR": 1,
    "HCI_FILTER": 2,
    "HCI_TIME_STAMP": 3,
    "L2CAP_LM_SECURE": 0x20,
    "SOL_BLUETOOTH": 274,
    "SOL_RFCOMM": 18,
}


class Constants(unittest.TestCase):
    def check(self, expected):
        missing = object()
        wrong = []
        for name, value in sorted(expected.items()):
            ours = getattr(_socket, name, missing)
            if ours is missing:
                wrong.append(f"{name} is missing, should be {value!r}")
            elif ours != value or type(ours) is not type(value):
                wrong.append(f"{name} is {ours!r}, should be {value!r}")
        self.assertEqual(wrong, [])

    def test_as_in_cpython(self):
        program = need_cpython((3, 12))
        answer = run_python("-c", QUESTION, executable=program)
        expected = json.loads(answer.stdout)
        self.assertGreater(len(expected), 300, program)
        self.check(expected)

    def test_newer_and_bluetooth(self):
        self.check(NEWER)

    def test_has_ipv6_is_a_bool(self):
        self.assertIs(_socket.has_ipv6, True)


class Enumerations(unittest.TestCase):
    """The native code that makes members against what `enum` makes of the same constants."""

    def both(self, base, prefix, names, title):
        made = []
        for number in range(2):
            module = types.ModuleType(f"made_for_a_test_{number}")
            vars(module).update(names)
            sys.modules[module.__name__] = module
            self.addCleanup(sys.modules.pop, module.__name__, None)
            made.append(module)
        ours, theirs = made
        empty = base._convert_(title, ours.__name__, bool, types.SimpleNamespace())
        self.assertIsNone(_socket._add_members(empty, vars(ours), prefix))
        base._convert_(title, theirs.__name__, lambda name: name.startswith(prefix) and name.isupper())
        return vars(ours), vars(theirs)

    def described(self, thing, made):
        """Of all that hangs on a class, what has to be the same for another class with the same members."""
        if thing is made:
            return "the class"
        if isinstance(thing, made):
            return thing._name_, self.described(vars(thing), made)
        if isinstance(thing, dict):
            return [(self.described(key, made), self.described(value, made)) for key, value in thing.items()]
        if isinstance(thing, list):
            return [self.described(value, made) for value in thing]
        return thing

    def compare(self, base, prefix, names, title="Made"):
        ours, theirs = self.both(base, prefix, names, title)
        made, expected = ours[title], theirs[title]
        self.assertEqual(set(ours), set(theirs))
        self.assertEqual(set(vars(made)), set(vars(expected)))
        self.assertEqual(list(made.__members__), list(expected.__members__))
        self.assertEqual(list(map(repr, made)), list(map(repr, expected)))
        self.assertEqual(dir(made), dir(expected))
        for name in set(vars(made)) - {"__module__", "__dict__", "__weakref__"}:
            with self.subTest(attribute=name):
                mine, other = vars(made)[name], vars(expected)[name]
                self.assertEqual(
                    str(self.described(mine, made)), str(self.described(other, expected))
                )
        for name, value in theirs.items():
            if isinstance(value, expected):
                member = ours[name]
                self.assertIs(member, made[name])
                self.assertIs(member, made(int(value)))
                self.assertIs(member, pickle.loads(pickle.dumps(member)))
                self.assertEqual((repr(member), str(member), member.name), (repr(value), str(value), value.name))
        return made

    def test_ours(self):
        names = {name: value for name, value in vars(_socket).items() if not name.startswith("_")}
        for base, made, prefix in (
            (enum.IntEnum, socket.AddressFamily, "AF_"),
            (enum.IntEnum, socket.SocketKind, "SOCK_"),
            (enum.IntFlag, socket.MsgFlag, "MSG_"),
            (enum.IntFlag, socket.AddressInfo, "AI_"),
        ):
            with self.subTest(prefix=prefix):
                again = self.compare(base, prefix, names, made.__name__)
                self.assertEqual(
                    self.described(again.__members__.copy(), again), self.described(made.__members__.copy(), made)
                )
                for name, member in made.__members__.items():
                    self.assertIs(vars(socket)[name], member)
                self.assertEqual(made.__module__, "socket")

    def test_second_names_lower_case_and_several_bits(self):
        names = {"X_C": 4, "X_B": 4, "X_A": 2, "X_Lower": 8, "Y_D": 16, "X_NONE": 0}
        names |= {"X_TWO_BITS": 3, "X_HIGH": 1 << 40}
        self.compare(enum.IntEnum, "X_", names)
        self.compare(enum.IntFlag, "X_", names)
        self.compare(enum.IntEnum, "X_", {**names, "X_BELOW": -5})
        self.compare(enum.IntEnum, "Z_", names)
        self.compare(enum.IntFlag, "Z_", names)

    def test_what_cannot_have_members(self):
        empty = enum.IntEnum._convert_("Empty", __name__, bool, types.SimpleNamespace())
        self.addCleanup(globals().pop, "Empty")
        with self.assertRaises(AttributeError):
            _socket._add_members(int, {}, "X_")
        with self.assertRaises(TypeError):
            _socket._add_members(empty, {"X_A": "text"}, "X_")
        with self.assertRaises(OverflowError):
            _socket._add_members(empty, {"X_A": 1 << 64}, "X_")
        _socket._add_members(empty, {"X_\udc80": 1, "x": 2, 3: 4}, "X_")
        self.assertEqual(list(empty), [])

    def test_public_names(self):
        self.assertEqual(
            sorted(_socket._public_names(vars(_socket))),
            sorted(name for name in vars(_socket) if not name.startswith("_")),
        )


if __name__ == "__main__":
    unittest.main()
