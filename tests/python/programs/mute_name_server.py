"""Look-ups of names under a deadline, with a name server that takes queries and never answers.

To be run by `unshare --map-root-user --mount --net`, as it puts files of its own over /etc/resolv.conf and /etc/nsswitch.conf. Prints the name of
each function that ended with TimeoutError at its deadline. Exits 77 where the namespaces do not allow it.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def put(path, text):
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text)
    subprocess.run(["mount", "--bind", file.name, path], check=True)


try:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    put("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    put("/etc/nsswitch.conf", "hosts: files dns\nservices: files\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
except (OSError, subprocess.CalledProcessError) as why:
    print(why, file=sys.stderr)
    sys.exit(77)

import reactor  # noqa: E402
from test_deadlines import Names  # noqa: E402

for name, call in Names.LOOKUPS:
    try:
        with reactor.deadline(0.1) as running:
            answer = call()
    except TimeoutError as error:
        if error.args != ("timed out",) or time.monotonic() < running.expires_at:
            sys.exit(f"{name}: early, or {error!r}")
        print(name)
    else:
        sys.exit(f"{name}: {answer!r}")
try:
    begin = time.monotonic()
    reactor.create_connection(("name.invalid", 80), timeout=0.1)
except TimeoutError:
    if time.monotonic() < begin + 0.1:
        sys.exit("create_connection: early")
else:
    sys.exit("create_connection: no error")
server.settimeout(0)
server.recv(512)
# Not sys.exit: look-up threads of the C library are still waiting for the server.
sys.stdout.flush()
os._exit(0)
