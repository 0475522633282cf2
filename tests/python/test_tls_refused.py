"""The stock `ssl` over our sockets, which it cannot wait on: it must say so by an exception, whatever it meets."""

import subprocess
import sys
import unittest

from support import DEADLINE, SocketTestCase

# A peer that reads the greeting and hangs up: the handshake fails on every interpreter, with TLS over its sockets or without.
HANDSHAKE = """\
import socket, ssl, threading

def hang_up(listener):
    peer, _ = listener.accept()
    peer.recv(1 << 16)
    peer.close()

listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
with socket.create_connection(listener.getsockname(), timeout={timeout}) as client:
    try:
        context.wrap_socket(client)
    except Exception as why:
        print("raised", type(why).__name__)
"""


class HandshakeTest(SocketTestCase):
    def test_failure_is_an_exception(self):
        # In a process of its own, as what it guards against is the end of the process.
        for timeout in (None, 5.0):
            with self.subTest(timeout=timeout):
                ended = subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", HANDSHAKE.format(timeout=timeout)],
                    capture_output=True,
                    text=True,
                    timeout=DEADLINE,
                )
                self.assertEqual(ended.returncode, 0, ended.stderr[:2000])
                self.assertRegex(ended.stdout, r"^raised \w+$")


if __name__ == "__main__":
    unittest.main()
