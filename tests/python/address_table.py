"""Addresses of all families and what `sendto` does with each, one a line: `address  ->  Class: message`, or `accepted`.

A socket object takes its family and protocol from whom makes it, so a UDP socket, adopted, serves for any: the Python side
of each family can be tested where the kernel has none of it. Accepted is what reaches the kernel, whatever that says.

A section is `[family protocol]`. Rows that begin with `3.14` hold from that version on. The outcomes are those of CPython
3.14. As a program it prints, as JSON, those of the interpreter that runs it.
"""

import errno
import json
import socket
from pathlib import Path

TABLE = r"""
[AF_NETLINK]
5  ->  TypeError: sendto(): AF_NETLINK address must be tuple, not int
None  ->  TypeError: sendto(): AF_NETLINK address must be tuple, not NoneType
[1, 2]  ->  TypeError: sendto(): AF_NETLINK address must be tuple, not list
()  ->  TypeError: AF_NETLINK address must be a pair (pid, groups)
(1,)  ->  TypeError: AF_NETLINK address must be a pair (pid, groups)
(1, 2, 3)  ->  TypeError: AF_NETLINK address must be a pair (pid, groups)
('a', 1)  ->  TypeError: 'str' object cannot be interpreted as an integer
(1, 'a')  ->  TypeError: 'str' object cannot be interpreted as an integer
(1.0, 2)  ->  TypeError: 'float' object cannot be interpreted as an integer
(0, 0)  ->  accepted
(-1, 1 << 40)  ->  accepted
(Index(), Index())  ->  accepted
(Broken(), 1)  ->  KeyError: 'broken'
(True, None)  ->  TypeError: 'NoneType' object cannot be interpreted as an integer

[AF_QIPCRTR]
5  ->  TypeError: getsockaddrarg: AF_QIPCRTR address must be tuple, not int
()  ->  TypeError: getsockaddrarg() takes exactly 2 arguments (0 given)
(1,)  ->  TypeError: getsockaddrarg() takes exactly 2 arguments (1 given)
(1, 2, 3)  ->  TypeError: getsockaddrarg() takes exactly 2 arguments (3 given)
('a', 1)  ->  TypeError: 'str' object cannot be interpreted as an integer
(1.5, 1)  ->  TypeError: 'float' object cannot be interpreted as an integer
(-1, 1 << 40)  ->  accepted
(Index(), Index())  ->  accepted

[AF_VSOCK]
5  ->  TypeError: getsockaddrarg: AF_VSOCK address must be tuple, not int
()  ->  TypeError: getsockaddrarg() takes exactly 2 arguments (0 given)
(1,)  ->  TypeError: getsockaddrarg() takes exactly 2 arguments (1 given)
(1, 2, 3)  ->  TypeError: getsockaddrarg() takes exactly 2 arguments (3 given)
('a', 1)  ->  TypeError: 'str' object cannot be interpreted as an integer
(1.5, 1)  ->  TypeError: 'float' object cannot be interpreted as an integer
(VMADDR_CID_ANY, VMADDR_PORT_ANY)  ->  accepted
(-1, 1 << 40)  ->  accepted
(Index(), Index())  ->  accepted
(Broken(), 1)  ->  KeyError: 'broken'

[AF_RDS]
5  ->  TypeError: sendto(): AF_INET address must be tuple, not int
()  ->  TypeError: AF_INET address must be a pair (host, port)
('127.0.0.1',)  ->  TypeError: AF_INET address must be a pair (host, port)
('127.0.0.1', -1)  ->  OverflowError: sendto(): port must be 0-65535.
('127.0.0.1', 65536)  ->  OverflowError: sendto(): port must be 0-65535.
('127.0.0.1', 9)  ->  accepted
(1, 2)  ->  TypeError: str, bytes or bytearray expected, not int

[AF_PACKET]
5  ->  TypeError: sendto(): AF_PACKET address must be tuple, not int
()  ->  TypeError: AF_PACKET address must be a tuple of two to five elements
('lo',)  ->  TypeError: AF_PACKET address must be a tuple of two to five elements
('lo', 1, 2, 3, b'', 5)  ->  TypeError: AF_PACKET address must be a tuple of two to five elements
(1, 2)  ->  TypeError: AF_PACKET address must be a tuple of two to five elements
(b'lo', 1)  ->  TypeError: AF_PACKET address must be a tuple of two to five elements
('lo\0', 1)  ->  ValueError: embedded null character
('l\udc80', 1)  ->  UnicodeEncodeError: 'utf-8' codec can't encode character '\udc80' in position 1: surrogates not allowed
('lo', 'x')  ->  TypeError: 'str' object cannot be interpreted as an integer
('lo', 1.5)  ->  TypeError: 'float' object cannot be interpreted as an integer
('lo', 1 << 40)  ->  OverflowError: sendto(): address argument out of range
('lo', -1)  ->  OverflowError: sendto(): proto must be 0-65535.
('lo', 65536)  ->  OverflowError: sendto(): proto must be 0-65535.
('lo', 0)  ->  accepted
('lo', 65535, 4)  ->  accepted
('no such', 1)  ->  OSError: [Errno 19] No such device
('no such', -1)  ->  OSError: [Errno 19] No such device
('', 1)  ->  OSError: [Errno 19] No such device
('x' * 30, 1)  ->  OSError: [Errno 19] No such device
('lo', 1, 'x')  ->  TypeError: 'str' object cannot be interpreted as an integer
('lo', 1, 1 << 31)  ->  OverflowError: sendto(): address argument out of range
('lo', 1, 1, 'x')  ->  TypeError: 'str' object cannot be interpreted as an integer
('lo', 1, 1, 1, 'x')  ->  TypeError: a bytes-like object is required, not 'str'
('lo', 1, 1, 1, None)  ->  TypeError: a bytes-like object is required, not 'NoneType'
('lo', 1, 1, 1, b'123456789')  ->  ValueError: Hardware address must be 8 bytes or less
('no such', -1, 1, 1, b'123456789')  ->  OSError: [Errno 19] No such device
('lo', -1, 1, 1, b'123456789')  ->  ValueError: Hardware address must be 8 bytes or less
('lo', 1, 1, 1, memoryview(b'abcd')[::2])  ->  BufferError: memoryview: underlying buffer is not C-contiguous
('lo', 3, 300, 70000, b'12345678')  ->  accepted
('lo', 3, -1, -2, bytearray(b'12'))  ->  accepted
('lo', Broken())  ->  KeyError: 'broken'

[AF_CAN CAN_RAW]
5  ->  TypeError: sendto(): AF_CAN address must be tuple, not int
()  ->  TypeError: AF_CAN address must be a tuple (interface, )
'lo'  ->  TypeError: sendto(): AF_CAN address must be tuple, not str
('lo', 1)  ->  TypeError: AF_CAN address must be a tuple (interface, )
(5,)  ->  TypeError: expected str, bytes or os.PathLike object, not int
(None,)  ->  TypeError: expected str, bytes or os.PathLike object, not NoneType
('',)  ->  accepted
(b'',)  ->  accepted
('lo',)  ->  accepted
(b'lo',)  ->  accepted
(Path('lo'),)  ->  accepted
(bytearray(b'lo'),)  ->  TypeError: expected str, bytes or os.PathLike object, not bytearray
('no such',)  ->  OSError: [Errno 19] No such device
('x' * 15,)  ->  OSError: [Errno 19] No such device
('x' * 16,)  ->  OSError: AF_CAN interface name too long
('l\0',)  ->  ValueError: embedded null byte
(b'l\0',)  ->  ValueError: embedded null byte
('\ud800',)  ->  UnicodeEncodeError: 'utf-8' codec can't encode character '\ud800' in position 0: surrogates not allowed

[AF_CAN CAN_BCM]
5  ->  TypeError: sendto(): AF_CAN address must be tuple, not int
('lo',)  ->  accepted
('lo', 1)  ->  TypeError: AF_CAN address must be a tuple (interface, )

[AF_CAN CAN_ISOTP]
5  ->  SystemError: new style getargs format but argument is not a tuple
'lo'  ->  SystemError: new style getargs format but argument is not a tuple
()  ->  TypeError: function takes exactly 3 arguments (0 given)
('lo',)  ->  TypeError: function takes exactly 3 arguments (1 given)
('lo', 1)  ->  TypeError: function takes exactly 3 arguments (2 given)
('lo', 1, 2)  ->  accepted
('lo', 1, 2, 3)  ->  TypeError: function takes exactly 3 arguments (4 given)
('lo', 'a', 2)  ->  TypeError: argument 2 must be int, not str
('lo', 1.5, 2)  ->  TypeError: argument 2 must be int, not float
('lo', 1, None)  ->  TypeError: argument 3 must be int, not None
(5, 1, 2)  ->  TypeError: expected str, bytes or os.PathLike object, not int
('x' * 16, 1, 2)  ->  OSError: AF_CAN interface name too long
('no such', 1, 2)  ->  OSError: [Errno 19] No such device
('', -1, 1 << 70)  ->  accepted
3.14 ('', Index(), Index())  ->  accepted
3.14 ('', Broken(), 1)  ->  KeyError: 'broken'

[AF_CAN CAN_J1939]
5  ->  SystemError: new style getargs format but argument is not a tuple
'lo'  ->  SystemError: new style getargs format but argument is not a tuple
()  ->  TypeError: function takes exactly 4 arguments (0 given)
('lo',)  ->  TypeError: function takes exactly 4 arguments (1 given)
('lo', 1, 2, 3)  ->  accepted
('lo', J1939_NO_NAME, J1939_NO_PGN, J1939_NO_ADDR)  ->  accepted
('lo', 1, 2, 3, 4)  ->  TypeError: function takes exactly 4 arguments (5 given)
('lo', -1, -2, -3)  ->  accepted
('lo', 'a', 2, 3)  ->  TypeError: argument 2 must be int, not str
('lo', 1, 'a', 3)  ->  TypeError: 'str' object cannot be interpreted as an integer
('lo', 1, 2, 'a')  ->  TypeError: 'str' object cannot be interpreted as an integer
('lo', 1.5, 2, 1)  ->  TypeError: argument 2 must be int, not float
('lo', 1, 2.5, 1)  ->  TypeError: 'float' object cannot be interpreted as an integer
('lo', 1, 2, 1.5)  ->  TypeError: 'float' object cannot be interpreted as an integer
('', 1 << 70, 1 << 40, 256)  ->  accepted
('no such', 1, 2, 3)  ->  OSError: [Errno 19] No such device
('x' * 16, 1, 2, 3)  ->  OSError: AF_CAN interface name too long
3.14 ('', Index(), Index(), Index())  ->  accepted

[AF_CAN 99]
5  ->  OSError: sendto(): unsupported CAN protocol
('lo',)  ->  OSError: sendto(): unsupported CAN protocol

[AF_ALG]
5  ->  TypeError: sendto(): AF_ALG address must be tuple, not int
()  ->  TypeError: AF_ALG address must be a tuple (type, name[, feat[, mask]])
('a',)  ->  TypeError: AF_ALG address must be a tuple (type, name[, feat[, mask]])
('hash', 'sha256')  ->  accepted
('a', 'b', 1)  ->  accepted
('a', 'b', 1, 2)  ->  accepted
('a', 'b', 1, 2, 3)  ->  TypeError: AF_ALG address must be a tuple (type, name[, feat[, mask]])
(1, 'b')  ->  TypeError: AF_ALG address must be a tuple (type, name[, feat[, mask]])
('a', b'b')  ->  TypeError: AF_ALG address must be a tuple (type, name[, feat[, mask]])
('a' * 13, 'b' * 63)  ->  accepted
('a' * 14, 'b')  ->  ValueError: AF_ALG type too long.
('a', 'b' * 64)  ->  ValueError: AF_ALG name too long.
('a' * 14, 'b' * 64)  ->  ValueError: AF_ALG type too long.
('a\0', 'b')  ->  ValueError: embedded null character
('a', 'b\0')  ->  ValueError: embedded null character
('\ud800', 'b')  ->  UnicodeEncodeError: 'utf-8' codec can't encode character '\ud800' in position 0: surrogates not allowed
('\xe9' * 6, 'b')  ->  accepted
('\xe9' * 7, 'b')  ->  ValueError: AF_ALG type too long.
('a', 'b', -1, 1 << 20)  ->  accepted
('a', 'b', 'x')  ->  TypeError: 'str' object cannot be interpreted as an integer
('a', 'b', 1, 1.5)  ->  TypeError: 'float' object cannot be interpreted as an integer
('a' * 14, 'b', Broken())  ->  KeyError: 'broken'

[AF_TIPC]
5  ->  TypeError: sendto(): AF_TIPC address must be tuple, not int
()  ->  TypeError: AF_TIPC address must be a tuple (addr_type, v1, v2, v3[, scope])
(1, 2, 3)  ->  TypeError: AF_TIPC address must be a tuple (addr_type, v1, v2, v3[, scope])
(TIPC_ADDR_NAMESEQ, 2, 3, 4)  ->  accepted
(TIPC_ADDR_NAME, 2, 3, 0, TIPC_NODE_SCOPE)  ->  accepted
(TIPC_ADDR_ID, 2, 3, 0)  ->  accepted
(1, 2, 3, 4, 5, 6)  ->  TypeError: AF_TIPC address must be a tuple (addr_type, v1, v2, v3[, scope])
(0, 1, 2, 3)  ->  TypeError: Invalid address type
(4, 1, 2, 3)  ->  TypeError: Invalid address type
(257, 1, 2, 3)  ->  TypeError: Invalid address type
('a', 1, 2, 3)  ->  TypeError: 'str' object cannot be interpreted as an integer
(1, 2, 3, 1.5)  ->  TypeError: 'float' object cannot be interpreted as an integer
(1, 2, 3, 4, 'x')  ->  TypeError: 'str' object cannot be interpreted as an integer
(1, -1, 1 << 40, 0, -1)  ->  accepted
(Broken(), 1, 1, 1)  ->  KeyError: 'broken'

[AF_BLUETOOTH BTPROTO_L2CAP]
3.14 5  ->  OSError: sendto(): wrong format
3.14 'x'  ->  OSError: sendto(): wrong format
3.14 ()  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6',)  ->  OSError: sendto(): wrong format
3.14 ('01:23:45:67:89:aB', 1)  ->  accepted
3.14 ('1:2:3:4:5:6', 1, 2)  ->  accepted
3.14 ('1:2:3:4:5:6', 1, 2, BDADDR_LE_PUBLIC)  ->  accepted
3.14 ('1:2:3:4:5:6', 1, 2, 1, 5)  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6', -1, 70000, 257)  ->  accepted
3.14 (b'1:2:3:4:5:6', 1)  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5', 1)  ->  OSError: bad bluetooth address
3.14 ('1:2:3:4:5:6:', 1)  ->  OSError: bad bluetooth address
3.14 ('1:2:3:4:5:6 ', 1)  ->  OSError: bad bluetooth address
3.14 ('100:2:3:4:5:6', 1)  ->  OSError: bad bluetooth address
3.14 ('-1:2:3:4:5:6', 1)  ->  OSError: bad bluetooth address
3.14 (' 1:+2:0x3:4:5:6', 1)  ->  accepted
3.14 ('0x:2:3:4:5:6', 1)  ->  OSError: bad bluetooth address
3.14 ('1:2:3:4:5:6\0', 1)  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6', 'a')  ->  OSError: sendto(): wrong format
3.14 ('x', Broken())  ->  OSError: sendto(): wrong format

[AF_BLUETOOTH BTPROTO_RFCOMM]
3.14 5  ->  OSError: sendto(): wrong format
3.14 'x'  ->  OSError: sendto(): wrong format
3.14 ()  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6',)  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6', 1)  ->  accepted
3.14 ('1:2:3:4:5:6', 257)  ->  accepted
3.14 ('1:2:3:4:5:6', 1, 1)  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6', 'a')  ->  OSError: sendto(): wrong format
3.14 (BDADDR_ANY, 0)  ->  accepted
3.14 ('x', 1)  ->  OSError: bad bluetooth address

[AF_BLUETOOTH BTPROTO_HCI]
3.14 5  ->  accepted
3.14 -1  ->  accepted
3.14 70000  ->  accepted
3.14 True  ->  accepted
3.14 Index()  ->  accepted
3.14 Broken()  ->  KeyError: 'broken'
3.14 'x'  ->  OSError: sendto(): wrong format
3.14 b'x'  ->  OSError: sendto(): wrong format
3.14 1.5  ->  OSError: sendto(): wrong format
3.14 None  ->  OSError: sendto(): wrong format
3.14 ()  ->  OSError: sendto(): wrong format
3.14 (1,)  ->  accepted
3.14 (1, 2)  ->  accepted
3.14 (1, 2, 3)  ->  OSError: sendto(): wrong format
3.14 ('a',)  ->  OSError: sendto(): wrong format
3.14 (1, 'a')  ->  OSError: sendto(): wrong format
3.14 (65539, -1)  ->  accepted
3.14 (Broken(),)  ->  OSError: sendto(): wrong format

[AF_BLUETOOTH BTPROTO_SCO]
3.14 5  ->  OSError: sendto(): wrong format
3.14 None  ->  OSError: sendto(): wrong format
3.14 ('1:2:3:4:5:6',)  ->  OSError: sendto(): wrong format
3.14 '1:2:3:4:5:6'  ->  accepted
3.14 b'1:2:3:4:5:6'  ->  accepted
3.14 bytearray(b'1:2:3:4:5:6')  ->  OSError: sendto(): wrong format
3.14 'x'  ->  OSError: bad bluetooth address
3.14 b'x'  ->  OSError: bad bluetooth address
3.14 b'\xff'  ->  OSError: bad bluetooth address
3.14 '1:2:3:4:5:6\0'  ->  ValueError: embedded null character
3.14 b'1:2:3:4:5:6\0'  ->  ValueError: embedded null byte
3.14 '\ud800'  ->  UnicodeEncodeError: 'utf-8' codec can't encode character '\ud800' in position 0: surrogates not allowed

[AF_BLUETOOTH 99]
3.14 5  ->  OSError: sendto(): unknown Bluetooth protocol
3.14 ('1:2:3:4:5:6', 1)  ->  OSError: sendto(): unknown Bluetooth protocol

[99]
5  ->  OSError: sendto(): bad family
('127.0.0.1', 1)  ->  OSError: sendto(): bad family

[AF_UNSPEC]
5  ->  OSError: sendto(): bad family
"""

class Index:
    def __index__(self):
        return 7


class Broken:
    def __index__(self):
        return {}["broken"]


NAMES = {**vars(socket), "Index": Index, "Broken": Broken, "Path": Path}


def number(name):
    return int(name) if name.isdigit() else getattr(socket, name)


def known(section):
    """Whether this interpreter has the section's names."""
    return all(name.isdigit() or hasattr(socket, name) for name in section.split())


class Adopted(socket.socket):
    """A UDP socket of the section's family and protocol, as far as Python knows."""

    def __init__(self, section):
        family, _, protocol = section.partition(" ")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            super().__init__(number(family), socket.SOCK_DGRAM, number(protocol or "0"), fileno=udp.detach())


def outcome(sock, source):
    """What `sock` does with the address that `source` is the expression of."""
    try:
        sock.sendto(b"x", eval(source, NAMES))
    except OSError as error:
        # What the kernel says of the address. Interfaces are looked up before.
        if error.errno is not None and error.errno != errno.ENODEV:
            return "accepted"
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def rows():
    """(section, address, outcome, whether only CPython 3.14 and later agree) of each line."""
    section = None
    for line in TABLE.strip().splitlines():
        source, arrow, expected = line.partition("  ->  ")
        if arrow:
            yield section, source.removeprefix("3.14 "), expected, source.startswith("3.14 ")
        elif line:
            section = line.strip("[]")


def outcomes():
    """The outcome of each row, in their order; None of those whose names this interpreter does not have."""
    found = []
    sockets = {}
    for section, source, _, _ in rows():
        if not known(section):
            found.append(None)
            continue
        if section not in sockets:
            sockets[section] = Adopted(section)
        found.append(outcome(sockets[section], source))
    for sock in sockets.values():
        sock.close()
    return found


if __name__ == "__main__":
    print(json.dumps(outcomes()))
