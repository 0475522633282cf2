"""The audit events of every call: name, arguments and their order, and that a hook which raises stops the call.

Hooks cannot be removed, so each test runs in a process of its own. Where a CPython 3.14 is found, it must raise the same.
"""

import subprocess
import sys
import unittest

from support import HERE, IS_RUSTPYTHON, need_cpython, ours_only, run_python

# Calls and their events. `a` is a TCP socket, `u` a UDP one, `x` a Unix one, `n` one of the native class; `self` is the socket of
# the call, `new` any other.
TABLE = r"""
a.bind((HOST, 0))  ->  bind(self, ('127.0.0.1', 0))
n.bind((HOST, 0))  ->  bind(self, ('127.0.0.1', 0))
a.bind((HOST, "x"))  ->
a.bind((HOST, 65536))  ->
a.bind(1)  ->
a.connect((HOST, 1))  ->  connect(self, ('127.0.0.1', 1))
a.connect_ex((HOST, 1))  ->  connect(self, ('127.0.0.1', 1))
a.connect(())  ->
a.connect_ex((HOST, -1))  ->
x.connect("/nonexistent")  ->  connect(self, '/nonexistent')
x.connect(b"/nonexistent")  ->  connect(self, b'/nonexistent')
u.sendto(b"x", (HOST, 9))  ->  sendto(self, ('127.0.0.1', 9))
u.sendto(b"x", 0, (HOST, 9))  ->  sendto(self, ('127.0.0.1', 9))
u.sendto("x", (HOST, 9))  ->
u.sendto(b"x", (HOST, "9"))  ->
u.sendto(b"x")  ->
u.sendmsg([b"x"], [], 0, (HOST, 9))  ->  sendmsg(self, ('127.0.0.1', 9))
u.sendmsg([b"x"])  ->  sendmsg(self, None)
u.sendmsg([b"x"], [], 0, None)  ->  sendmsg(self, None)
u.sendmsg([1], [], 0, (HOST, 9))  ->  sendmsg(self, ('127.0.0.1', 9))
u.sendmsg([b"x"], [1], 0, (HOST, 9))  ->  sendmsg(self, ('127.0.0.1', 9))
u.sendmsg([b"x"], [], "flag", (HOST, 9))  ->
u.sendmsg([b"x"], [], 0, (HOST, "9"))  ->
u.send(b"x")  ->
u.sendall(b"x")  ->
a.listen()  ->
a.shutdown(2)  ->
a.settimeout(1)  ->
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  ->
a.getsockname()  ->
a.makefile("rb")  ->
a.detach()  ->
a.close()  ->
socket()  ->  __new__(new, 2, 1, 0)
socket(AF_UNIX)  ->  __new__(new, 1, 1, 0)
socket(AF_INET, SOCK_DGRAM, 17)  ->  __new__(new, 2, 2, 17)
socket(9999)  ->  __new__(new, 9999, 1, 0)
socket("x")  ->
socket(fileno=a.detach())  ->  __new__(new, -1, -1, -1)
socket(fileno=-1)  ->  __new__(new, -1, -1, -1)
socket(AF_INET, SOCK_STREAM, 0, u.detach())  ->  __new__(new, 2, 1, 0)
Sub()  ->  __new__(new, 2, 1, 0)
_socket.socket()  ->  __new__(new, -1, -1, -1)
_socket.socket(AF_INET)  ->  __new__(new, 2, -1, -1)
Native()  ->  __new__(new, -1, -1, -1)
_socket.socketpair()  ->
socketpair()  ->  __new__(new, 1, 1, 0); __new__(new, 1, 1, 0)
fromfd(a.fileno(), AF_INET, SOCK_STREAM)  ->  __new__(new, 2, 1, 0)
a.dup()  ->  __new__(new, 2, 1, 0)
a.__init__(AF_INET, SOCK_DGRAM)  ->  __new__(self, 2, 2, 0)
create_server((HOST, 0))  ->  __new__(new, 2, 1, 0); bind(new, ('127.0.0.1', 0))
accept()  ->  __new__(new, 2, 1, 0)
native_accept()  ->
getaddrinfo(HOST, 80)  ->  getaddrinfo('127.0.0.1', 80, 0, 0, 0)
getaddrinfo(b"127.0.0.1", b"80")  ->  getaddrinfo(b'127.0.0.1', b'80', 0, 0, 0)
getaddrinfo(HOST, 80, AF_INET, SOCK_STREAM, 6, AI_PASSIVE)  ->  getaddrinfo('127.0.0.1', 80, 2, 1, 6)
getaddrinfo(None, None)  ->  getaddrinfo(None, None, 0, 0, 0)
getaddrinfo("a" * 64, 80)  ->
getaddrinfo(1, 80)  ->
getaddrinfo(HOST, 1.5)  ->
gethostbyname(HOST)  ->  gethostbyname('127.0.0.1')
gethostbyname(b"127.0.0.1")  ->  gethostbyname(b'127.0.0.1')
gethostbyname(1)  ->
gethostbyname("a" * 64)  ->
gethostbyname_ex(HOST)  ->  gethostbyname('127.0.0.1')
gethostbyaddr(HOST)  ->  gethostbyaddr('127.0.0.1')
gethostbyaddr(bytearray(b"127.0.0.1"))  ->  gethostbyaddr(bytearray(b'127.0.0.1'))
gethostname()  ->  gethostname()
getfqdn(HOST)  ->  gethostbyaddr('127.0.0.1')
getnameinfo((HOST, 80), 3)  ->  getnameinfo(('127.0.0.1', 80),)
getnameinfo((HOST, 80, 0), 3)  ->  getnameinfo(('127.0.0.1', 80, 0),)
getnameinfo((HOST, "80"), 3)  ->
getnameinfo((HOST, 80, 1 << 20), 3)  ->
getservbyname("http")  ->  getservbyname('http', None)
getservbyname("http", "tcp")  ->  getservbyname('http', 'tcp')
getservbyname(1)  ->
getservbyport(80)  ->  getservbyport(80, None)
getservbyport(80, "tcp")  ->  getservbyport(80, 'tcp')
getservbyport(65536)  ->
getprotobyname("tcp")  ->
if_nameindex()  ->
inet_aton(HOST)  ->
setdefaulttimeout(None)  ->
sethostname(1)  ->
sethostname("x" * 200)  ->  sethostname(b'%s')
sethostname(b"x" * 200)  ->  sethostname(b'%s')
send_fds(socketpair()[0], [b"x"], [0])  ->  __new__(new, 1, 1, 0); __new__(new, 1, 1, 0); sendmsg(new, None)
""".replace("%s", "x" * 200)

PROGRAM = r"""
import sys, warnings
import _socket, socket
from socket import *

warnings.simplefilter("ignore")
HOST = "127.0.0.1"
events, refuse = [], None

class Refused(Exception): pass

def hook(name, arguments):
    if name.startswith("socket."):
        events.append((name.removeprefix("socket."), arguments))
        if name == refuse:
            raise Refused(name)

class Sub(socket): pass
class Native(_socket.socket): pass

def shown(value, caller):
    if isinstance(value, _socket.socket):
        return "self" if value is caller else "new"
    return repr(value)

def run(call, refused=None):
    "The events of a call, and its exception."
    global refuse
    listener = create_server((HOST, 0))
    client = create_connection(listener.getsockname())
    sockets = {"a": socket(), "u": socket(type=SOCK_DGRAM), "x": socket(AF_UNIX), "n": _socket.socket()}
    for each in sockets.values():
        each.settimeout(1)
    error, caller = None, sockets.get(call.partition(".")[0])
    events.clear()
    refuse = refused
    try:
        eval(call, {**globals(), **sockets, "accept": listener.accept, "native_accept": listener._accept})
    except Exception as raised:
        error = raised
    refuse = None
    got = []
    for name, arguments in events:
        inner = ", ".join(shown(each, caller) for each in arguments)
        comma = "," if len(arguments) == 1 and type(arguments[0]) is tuple else ""
        got.append(f"{name}({inner}{comma})")
    return got, error

sys.addaudithook(hook)
failures = 0
for line in sys.stdin.read().strip().splitlines():
    call, _, expected = line.partition("  ->")
    got, _ = run(call)
    if "; ".join(got) != expected.strip():
        failures += 1
        print(f"{call}: {got} instead of {expected}")
    for name in dict.fromkeys(event.partition("(")[0] for event in got):
        _, error = run(call, f"socket.{name}")
        if not isinstance(error, Refused):
            failures += 1
            print(f"{call}: the refusal of {name} gave {error!r}")
print("failures:", failures)
"""


class AuditEvents(unittest.TestCase):
    def check(self, executable):
        done = subprocess.run([executable, "-c", PROGRAM], input=TABLE, capture_output=True, text=True, timeout=120, cwd=HERE)
        self.assertEqual(done.stdout, "failures: 0\n", done.stderr)

    def test_here(self):
        self.check(sys.executable)

    @ours_only
    def test_a_refused_connection_is_closed(self):
        # On CPython its descriptor is lost.
        done = run_python("-c", "import sys, socket\n"
                          "listener = socket.create_server(('127.0.0.1', 0))\n"
                          "client = socket.create_connection(listener.getsockname(), timeout=30)\n"
                          "def hook(name, arguments):\n"
                          "    if name == 'socket.__new__': raise PermissionError\n"
                          "sys.addaudithook(hook)\n"
                          "try: listener.accept()\n"
                          "except PermissionError: print(client.recv(1))\n")
        self.assertEqual(done.stdout, "b''\n", done.stderr)

    @unittest.skipUnless(IS_RUSTPYTHON, "this is CPython")
    def test_on_cpython(self):
        self.check(need_cpython((3, 14)))


if __name__ == "__main__":
    unittest.main()
