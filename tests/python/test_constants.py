"""Holds the constants of our `_socket` against those of a CPython on this machine, and against what is known to be newer."""

import json
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


if __name__ == "__main__":
    unittest.main()
