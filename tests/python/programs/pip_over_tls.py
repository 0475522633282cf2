"""`pip_over_tls.py PIP ARGUMENTS...`: run the pip of that folder or wheel; the last line tells how many TLS handshakes it made."""

import runpy
import ssl
import sys

handshakes = 0
do_handshake = ssl.SSLSocket.do_handshake


def counted(self, *arguments):
    global handshakes
    do_handshake(self, *arguments)
    handshakes += 1


ssl.SSLSocket.do_handshake = counted
sys.path.insert(0, sys.argv.pop(1))
try:
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
finally:
    print(f"TLS handshakes: {handshakes}", flush=True)
