"""Holds the constants of our `_socket` against those of a CPython on this machine, and against what is known to be newer."""

import glob
import json
import os
import shutil
import subprocess
import unittest

import _socket

# `python3` may be an older CPython than 3.12, or a version manager's start script that fails: each is asked.
NAMES = ("python3.14", "python3.13", "python3.12", "python3", "python")

# Where pyenv and python.org's own `make install` put versions that PATH does not show.
PLACES = ("~/.pyenv/versions/3.*/bin/python3", "/usr/local/bin/python3.1*[0-9]", "/opt/python/3.*/bin/python3")

OLDEST = (3, 12)

QUESTION = """
import json, platform, sys
import _socket
values = {n: v for n, v in vars(_socket).items() if isinstance(v, (int, str)) and not n.startswith("__")}
print(json.dumps([platform.python_implementation(), sys.version_info[:2], sys.platform, values]))
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


def candidates():
    """Programs that may be a fitting CPython: the one that REACTOR_TEST_CPYTHON names, else all that are found."""
    named = os.environ.get("REACTOR_TEST_CPYTHON")
    if named:
        return [named]
    found = [shutil.which(name) for name in NAMES]
    for place in PLACES:
        found += sorted(glob.glob(os.path.expanduser(place)), reverse=True)
    return [program for program in found if program]


def constants_of_cpython():
    """Path of a CPython and its constants, or None where no fitting CPython is found."""
    for program in candidates():
        try:
            answer = subprocess.run(
                [program, "-I", "-c", QUESTION], capture_output=True, text=True, timeout=60
            )
            if answer.returncode != 0:
                continue
            implementation, version, platform, values = json.loads(answer.stdout)
        except (OSError, ValueError, subprocess.SubprocessError):
            continue
        if implementation == "CPython" and tuple(version) >= OLDEST and platform == "linux":
            return program, values
    return None


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
        found = constants_of_cpython()
        if found is None:
            text = "SKIPPED: no CPython >= 3.12 found to compare _socket with (REACTOR_TEST_CPYTHON names one)"
            print(text, flush=True)
            self.skipTest(text)
        program, expected = found
        self.assertGreater(len(expected), 300, program)
        self.check(expected)

    def test_newer_and_bluetooth(self):
        self.check(NEWER)

    def test_has_ipv6_is_a_bool(self):
        self.assertIs(_socket.has_ipv6, True)


if __name__ == "__main__":
    unittest.main()
