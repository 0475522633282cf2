"""Faults that were found in use or in review, each in a test of its own."""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
import unittest

from support import DEADLINE, SocketTestCase, Worker, ours_only


class Signals(SocketTestCase):
    @ours_only
    def test_with_a_changed_timeout_at_the_same_time(self):
        # The wait ends with the change, not the signal; its handler must run all the same.
        left, right = self.pair()
        handled = threading.Event()
        before = signal.signal(signal.SIGUSR1, lambda *_: handled.set())
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        missed = []

        def disturb():
            try:
                for _ in range(200):
                    handled.clear()
                    signal.raise_signal(signal.SIGUSR1)
                    left.settimeout(None)
                    if not handled.wait(DEADLINE):
                        missed.append("a signal")
                        break
            finally:
                right.sendall(b"end")

        worker = Worker(disturb)
        self.assertEqual(left.recv(10), b"end")
        worker.result()
        self.assertEqual(missed, [])


class Accept(SocketTestCase):
    def test_on_what_does_not_listen(self):
        connected, _ = self.tcp_pair()
        unix, _ = self.pair()
        sockets = [(self.udp(), errno.EOPNOTSUPP), (connected, errno.EINVAL), (unix, errno.EINVAL),
                   (self.keep(socket.socket()), errno.EINVAL)]
        for sock, number in sockets:
            for timeout in None, 0:
                with self.subTest(sock=sock, timeout=timeout):
                    sock.settimeout(timeout)
                    with self.assertRaises(OSError) as caught:
                        sock.accept()
                    self.assertErrno(caught.exception, number)


class Initialise(SocketTestCase):
    @ours_only
    def test_again_closes_what_was_open(self):
        left, right = self.pair()
        descriptor = left.fileno()
        reader = Worker(left.recv, 1).wait_blocked()
        left.__init__(socket.AF_INET, socket.SOCK_DGRAM)
        reader.finish()
        self.assertErrno(reader.error, errno.EBADF)
        self.assertEqual(left.type, socket.SOCK_DGRAM)
        right.settimeout(DEADLINE)
        self.assertEqual(right.recv(1), b"")
        self.assertNotEqual(left.fileno(), -1)
        if left.fileno() != descriptor:
            with self.assertRaises(OSError):
                os.fstat(descriptor)


class PartialSend(SocketTestCase):
    @ours_only
    def test_returns_the_part_when_a_new_timeout_passes(self):
        for timeout in 0.01, 0:
            left, _right = self.tcp_pair()
            left.settimeout(None)
            sender = Worker(left.send, bytes(1 << 24)).wait_blocked()
            left.settimeout(timeout)
            self.assertIn(sender.result(), range(1, 1 << 24))


class QueueOfAnother(SocketTestCase):
    """A Unix datagram's receiver, whose queue others have filled: nothing tells a sender that is not connected of room."""

    def full_receiver(self):
        receiver = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        receiver.bind(b"\0reactor-test-%d-%d" % (os.getpid(), id(receiver)))
        filler = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        filler.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filler.sendto(b"filler", receiver.getsockname())
                count += 1
        return receiver, count

    def test_blocking_sender_goes_on_when_there_is_room(self):
        for send in (lambda sock, to: sock.sendto(b"sender", to), lambda sock, to: sock.sendmsg([b"sender"], [], 0, to)):
            receiver, count = self.full_receiver()
            sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            worker = Worker(send, sender, receiver.getsockname()).wait_blocked()
            receiver.settimeout(DEADLINE)
            got = [receiver.recv(10) for _ in range(count + 1)]
            self.assertEqual(got, [b"filler"] * count + [b"sender"])
            self.assertEqual(worker.result(), 6)

    def test_connected_sender_among_others(self):
        receiver, count = self.full_receiver()
        senders = []
        for _ in range(4):
            sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            sender.connect(receiver.getsockname())
            senders.append(Worker(lambda sock=sender: [sock.send(b"sender") for _ in range(200)]))
        receiver.settimeout(DEADLINE)
        for _ in range(count + 4 * 200):
            receiver.recv(10)
        for worker in senders:
            self.assertEqual(worker.result(), [6] * 200)

    def test_timeout(self):
        receiver, _ = self.full_receiver()
        sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        sender.settimeout(0.03)
        begin = time.monotonic()
        with self.assertRaises(TimeoutError):
            sender.sendto(b"sender", receiver.getsockname())
        self.assertGreaterEqual(time.monotonic() - begin, 0.03)

    @ours_only
    def test_close(self):
        receiver, _ = self.full_receiver()
        sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        worker = Worker(sender.sendto, b"sender", receiver.getsockname()).wait_blocked()
        sender.close()
        worker.finish()
        self.assertErrno(worker.error, errno.EBADF)


class Inheritance(SocketTestCase):
    def test_detached_descriptor_stays_open_in_a_child(self):
        left, right = self.pair()
        descriptor = left.detach()
        self.addCleanup(os.close, descriptor)

        def child():
            nonlocal left
            del left
            os.write(descriptor, b"child")

        self.assertEqual(self.wait_child(self.fork(child)), 0)
        self.assertEqual(right.recv(10), b"child")


if __name__ == "__main__":
    unittest.main()
