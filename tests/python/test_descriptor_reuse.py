"""A descriptor number that another socket reuses is never touched by a call that began on the closed socket.

Each round closes a socket under a call of another thread and lets a new socket take its number at once. A call that went
on with the bare number would take or write bytes of the new socket; every socket carries its own id, so that shows.
"""

import errno
import queue
import socket
import struct
import unittest

from support import DEADLINE, HOST, SocketTestCase, Worker, is_blocked, ours_only, wait_for

ROUNDS = 10_000
SMALL_ROUNDS = 1_000


class Crew(SocketTestCase):
    """One thread that serves calls one after the other, since a thread a round would be most of the cost."""

    def setUp(self):
        self.jobs = queue.SimpleQueue()
        self.answers = queue.SimpleQueue()
        self.entered = 0
        self.worker = Worker(self.serve)
        self.addCleanup(self.jobs.put, None)
        self.worker.wait_entered()

    def serve(self):
        while (job := self.jobs.get()) is not None:
            self.entered += 1
            try:
                answer = job()
            except OSError as error:
                answer = error
            self.answers.put(answer)

    def start(self, job, until_blocked):
        before = self.entered
        self.jobs.put(job)
        wait_for(lambda: self.entered > before, "the worker takes the call")
        if until_blocked:
            wait_for(lambda: is_blocked(self.worker.native_id), "the call blocks")

    def answer(self):
        try:
            return self.answers.get(timeout=10)
        except queue.Empty:
            self.fail("hang: the call on the closed socket did not end")


@ours_only
class DescriptorReuse(Crew):
    def test_no_byte_reaches_a_reader_of_the_closed_socket(self):
        reused = 0
        for number in range(ROUNDS):
            stale, stale_peer = socket.socketpair()
            stale.settimeout(None if number & 1 else 600)
            descriptor = stale.fileno()
            self.start(lambda: stale.recv(8), until_blocked=number & 2)
            stale.close()
            # The last reference closes the number, so it is free at the latest when the blocked call has ended. Both
            # orders are tried: a new socket as early as possible, and one that surely gets the number.
            early = number & 4
            if not early:
                ended = self.answer()
            fresh, fresh_peer = socket.socketpair()
            reused += descriptor in (fresh.fileno(), fresh_peer.fileno())
            mark = struct.pack("!Q", number)
            back = struct.pack("!Q", number | 1 << 63)
            fresh_peer.sendall(mark)
            fresh.sendall(back)
            if early:
                ended = self.answer()
            # Not before: the end of the stream would be an answer as well.
            stale_peer.close()
            fresh.settimeout(DEADLINE)
            fresh_peer.settimeout(DEADLINE)
            self.assertIsInstance(ended, OSError, f"round {number}: the closed socket's call returned {ended!r}")
            self.assertErrno(ended, errno.EBADF)
            self.assertEqual(fresh.recv(100), mark)
            self.assertEqual(fresh_peer.recv(100), back)
            fresh.close()
            fresh_peer.close()
        self.assertGreater(reused, ROUNDS // 4, "the numbers were hardly ever reused: this run proves nothing")

    def test_no_byte_of_a_sender_reaches_the_new_socket(self):
        payload = b"stale!" * 200_000
        for number in range(SMALL_ROUNDS):
            stale, stale_peer = socket.socketpair()
            stale.settimeout(None if number & 1 else 600)
            self.start(lambda: stale.sendall(payload), until_blocked=number & 2)
            stale.close()
            fresh, fresh_peer = socket.socketpair()
            ended = self.answer()
            stale_peer.close()
            self.assertErrno(ended, errno.EBADF)
            for sock in fresh, fresh_peer:
                sock.setblocking(False)
                with self.assertRaises(BlockingIOError, msg=f"round {number}: stale bytes in a new socket"):
                    sock.recv(100)
            fresh.close()
            fresh_peer.close()

    def test_no_connection_goes_to_the_closed_listener(self):
        for number in range(SMALL_ROUNDS):
            stale = socket.create_server((HOST, 0))
            stale.settimeout(None if number & 1 else 600)
            self.start(stale.accept, until_blocked=number & 2)
            stale.close()
            if number & 4:
                ended = self.answer()
            with socket.create_server((HOST, 0)) as fresh, socket.socket() as client:
                client.settimeout(DEADLINE)
                client.connect(fresh.getsockname())
                if not number & 4:
                    ended = self.answer()
                self.assertErrno(ended, errno.EBADF)
                fresh.settimeout(DEADLINE)
                connection, address = fresh.accept()
                connection.close()
                self.assertEqual(address, client.getsockname())

    def test_no_datagram_goes_to_the_closed_socket(self):
        sender = self.udp()
        for number in range(SMALL_ROUNDS):
            stale = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stale.bind((HOST, 0))
            stale.settimeout(None if number & 1 else 600)
            self.start(lambda: stale.recvfrom(100), until_blocked=number & 2)
            stale.close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fresh:
                fresh.bind((HOST, 0))
                fresh.settimeout(DEADLINE)
                mark = struct.pack("!Q", number)
                sender.sendto(mark, fresh.getsockname())
                ended = self.answer()
                self.assertErrno(ended, errno.EBADF)
                self.assertEqual(fresh.recvfrom(100), (mark, sender.getsockname()))

    def test_storm_of_pairs(self):
        # Four threads open, use and close pairs at once, each with its own id, so that numbers wander between threads.
        def churn(identity):
            for number in range(SMALL_ROUNDS):
                left, right = socket.socketpair()
                left.settimeout(DEADLINE if number & 1 else None)
                mark = struct.pack("!IQ", identity, number)
                right.sendall(mark)
                if left.recv(100) != mark:
                    raise AssertionError(f"thread {identity} round {number} read another one's bytes")
                reader = None
                if number % 10 == 0:
                    reader = Worker(left.recv, 100).wait_entered()
                left.close()
                right.close()
                if reader is not None:
                    reader.finish(10)
                    # The peer may have been closed before the reader saw its own socket's end: then the stream ended.
                    if reader.value not in (None, b"") or (reader.error and reader.error.errno != errno.EBADF):
                        raise AssertionError(f"a stale reader got {reader.value!r}, {reader.error!r}")

        for worker in [Worker(churn, identity) for identity in range(4)]:
            worker.result(120)


if __name__ == "__main__":
    unittest.main()
