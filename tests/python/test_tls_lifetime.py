"""The life of an SSLSocket's objects and descriptor: dropped without a close, leaks, ResourceWarning, fork."""

import contextlib
import gc
import os
import socket
import unittest
import warnings
import weakref

from support import DEADLINE, Worker, run_python, wait_for
from tls_support import TlsTestCase, client_context, server_context


def open_descriptors():
    """How many there are, but for epoll sets: a thread that waits has one, for as long as it suits the reactor."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/self/fd/{name}") != "anon_inode:[eventpoll]"
    return count


class DroppedTest(TlsTestCase):
    def setUp(self):
        # Only reference counts may free what is dropped here.
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def unkept_pair(self):
        left, right = socket.socketpair()
        accepting = Worker(server_context().wrap_socket, right, server_side=True)
        client = client_context().wrap_socket(left, server_hostname="localhost")
        server = accepting.result()
        # The thread's frame has let go only when it is gone.
        accepting.join()
        accepting.value = accepting.call = None
        # With a server's tickets unread a close would be a reset.
        server.sendall(b"x")
        client.recv(1)
        return client, self.keep(server)

    def test_dropped(self):
        client, _ = self.unkept_pair()
        number, ref = client.fileno(), weakref.ref(client)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del client
        told = [(warning.category, str(warning.message)) for warning in caught]
        # The record of a warning refers to what it is about.
        caught.clear()
        self.assertIsNone(ref())
        self.assertEqual([category for category, _ in told], [ResourceWarning])
        self.assertIn(f"unclosed <ssl.SSLSocket fd={number}", told[0][1])
        self.assertRaises(OSError, os.fstat, number)

    def test_closed_then_dropped(self):
        client, _ = self.unkept_pair()
        ref = weakref.ref(client)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            client.close()
            del client
        self.assertIsNone(ref())
        self.assertEqual(caught, [])

    def test_unwrapped_then_dropped(self):
        client, server = self.unkept_pair()
        leaving = Worker(server.unwrap)
        plain = client.unwrap()
        leaving.result()
        ref = weakref.ref(client)
        del client
        plain.close()
        del plain
        self.assertIsNone(ref())

    def test_native_object_keeps_nothing_alive(self):
        client, _ = self.unkept_pair()
        native, ref = client._sslobj, weakref.ref(client)
        client.close()
        del client
        self.assertIsNone(ref())
        # A call of what is left over is an error, not a crash.
        with self.assertRaises(Exception):
            native.read(1)

    def test_context_is_freed(self):
        context = client_context()
        ref = weakref.ref(context)
        left, right = self.pair()
        with context.wrap_socket(left, server_hostname="localhost", do_handshake_on_connect=False) as sock:
            pass
        del context, sock
        self.assertIsNone(ref())

    def test_failed_handshakes_leave_nothing(self):
        def fail():
            left, right = socket.socketpair()
            right.close()
            with contextlib.suppress(OSError):
                client_context().wrap_socket(left, server_hostname="localhost")

        fail()
        before = open_descriptors()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            for _ in range(20):
                fail()
        self.assertEqual(open_descriptors(), before)
        self.assertEqual(caught, [])

    def test_connections_leave_nothing(self):
        def connect():
            client, server = self.unkept_pair()
            client.sendall(b"x")
            server.recv(1)
            client.close()
            server.close()

        connect()
        before = open_descriptors()
        for _ in range(20):
            connect()
        wait_for(lambda: open_descriptors() <= before, "the descriptors are given back")


CLEAN = """\
import socket, ssl, sys, threading
from tls_support import client_context, server_context

def serve(listener):
    with listener.accept()[0] as sock, server_context().wrap_socket(sock, server_side=True) as sock:
        with sock.makefile("rwb") as file:
            file.write(file.readline())

def drop():
    client_context().wrap_socket(socket.socket(), server_hostname="localhost")

with socket.create_server(("127.0.0.1", 0)) as listener:
    thread = threading.Thread(target=serve, args=(listener,))
    thread.start()
    with socket.create_connection(listener.getsockname()) as sock:
        with client_context().wrap_socket(sock, server_hostname="localhost") as sock, sock.makefile("rwb") as file:
            file.write(b"a line\\n")
            file.flush()
            print(file.readline())
    thread.join()
if "drop" in sys.argv:
    drop()
"""


class WarningAsErrorTest(unittest.TestCase):
    def test_clean_program(self):
        done = run_python("-W", "error::ResourceWarning", "-c", CLEAN)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "b'a line\\n'\n", ""))

    def test_careless_program(self):
        done = run_python("-W", "error::ResourceWarning", "-c", CLEAN, "drop")
        self.assertIn("ResourceWarning: unclosed <ssl.SSLSocket", done.stderr)


class ForkTest(TlsTestCase):
    def setUp(self):
        # What is forked here has threads on purpose.
        catching = warnings.catch_warnings()
        catching.__enter__()
        self.addCleanup(catching.__exit__, None, None, None)
        warnings.simplefilter("ignore", DeprecationWarning)

    def test_child_goes_on(self):
        client, server = self.tls_pair()
        client.sendall(b"parent")
        self.assertEqual(server.recv(10), b"parent")
        server.sendall(b"unread")

        def child():
            client.settimeout(10)
            assert client.recv(6) == b"unread"
            client.sendall(b"child")
            assert client.recv(100) == b"answer"
            client.sendall(b"thanks")

        pid = self.fork(child)
        client.close()
        server.settimeout(DEADLINE)
        self.assertEqual(server.recv(5), b"child")
        server.sendall(b"answer")
        self.assertEqual(server.recv(6), b"thanks")
        self.assertEqual(self.wait_child(pid), 0)
        self.assertEqual(server.recv(1), b"")

    def test_child_serves_what_its_parent_accepted(self):
        listener = self.listener()
        client = self.keep(socket.create_connection(listener.getsockname()))
        accepted = self.keep(listener.accept()[0])

        def child():
            with server_context().wrap_socket(accepted, server_side=True) as sock:
                sock.settimeout(10)
                sock.sendall(sock.recv(100).upper())

        pid = self.fork(child)
        accepted.close()
        client.settimeout(DEADLINE)
        client = self.keep(client_context().wrap_socket(client, server_hostname="localhost"))
        client.sendall(b"from afar")
        self.assertEqual(client.recv(100), b"FROM AFAR")
        self.assertEqual(self.wait_child(pid), 0)

    def test_fork_while_another_thread_reads(self):
        client, server = self.tls_pair()
        reading = Worker(client.recv, 10).wait_blocked()
        # The child takes no part in the connection; it only must end, and leave the parent's untouched.
        pid = self.fork(client.close)
        self.assertEqual(self.wait_child(pid), 0)
        server.sendall(b"to parent")
        self.assertEqual(reading.result(), b"to parent")


if __name__ == "__main__":
    unittest.main()
