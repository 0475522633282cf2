"""`reactor.set_busy_poll`: what it takes, where the setting comes from, and that calls under a long one end as ever.

`tests/python_suites.rs` runs the suites of close, timeouts, signals and forks with a long setting besides.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from support import DEADLINE, Worker, ours_only

try:
    import reactor
except ImportError:
    reactor = None

DEFAULT = 50e-6
SHOW = "import reactor; print(reactor.get_busy_poll())"


@ours_only
class Setting(unittest.TestCase):
    def setUp(self):
        self.addCleanup(reactor.set_busy_poll, reactor.get_busy_poll())

    def test_is_what_was_set(self):
        for seconds, kept in [(0, 0.0), (0.0, 0.0), (-0.0, 0.0), (1e-6, 1e-6), (0.25, 0.25), (1, 1.0), (True, 1.0)]:
            with self.subTest(seconds):
                self.assertIsNone(reactor.set_busy_poll(seconds))
                self.assertEqual(reactor.get_busy_poll(), kept)

    def test_is_rounded_up_to_nanoseconds(self):
        reactor.set_busy_poll(1e-30)
        self.assertEqual(reactor.get_busy_poll(), 1e-9)

    def test_refused_values_change_nothing(self):
        reactor.set_busy_poll(0.125)
        for error, values in {
            ValueError: [-1, -1e-9, float("nan"), float("inf"), -float("inf"), 1.0000001, 2, 2**70, -(2**70)],
            TypeError: [None, "0.1", b"1", [1], 1j],
        }.items():
            for value in values:
                with self.subTest(value), self.assertRaises(error):
                    reactor.set_busy_poll(value)
        for call in reactor.set_busy_poll, lambda: reactor.set_busy_poll(0, 0), lambda: reactor.get_busy_poll(0):
            self.assertRaises(TypeError, call)
        self.assertEqual(reactor.get_busy_poll(), 0.125)

    def test_is_the_same_in_all_threads(self):
        worker = Worker(reactor.set_busy_poll, 0.0625)
        worker.result()
        self.assertEqual(reactor.get_busy_poll(), 0.0625)


@ours_only
class Environment(unittest.TestCase):
    def shown(self, value):
        environment = dict(os.environ)
        environment.pop("REACTOR_BUSY_POLL_US", None)
        if value is not None:
            environment["REACTOR_BUSY_POLL_US"] = value
        shown = subprocess.run(
            [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, timeout=DEADLINE, check=True
        )
        return float(shown.stdout)

    def test_sets_microseconds(self):
        for value, seconds in [(None, DEFAULT), ("0", 0.0), ("200", 200e-6), ("1000000", 1.0)]:
            with self.subTest(value):
                self.assertEqual(self.shown(value), seconds)

    def test_what_is_no_setting_is_ignored(self):
        for value in ["", "no", "-1", "1.5", "1000001", "9" * 40, "\udcff"]:
            with self.subTest(value):
                self.assertEqual(self.shown(value), DEFAULT)


@ours_only
class LongPolls(unittest.TestCase):
    """Calls on threads that poll (where there are processors for that), and may do so for a second."""

    def setUp(self):
        self.addCleanup(reactor.set_busy_poll, reactor.get_busy_poll())
        reactor.set_busy_poll(1)

    def pair(self):
        pair = socket.socketpair()
        for end in pair:
            self.addCleanup(end.close)
        return pair

    def after_quick_answers(self, last):
        """Runs `last(end)` on a thread whose waits have been short."""
        ours, theirs = self.pair()

        def call():
            for _ in range(500):
                ours.recv(1)
                ours.send(b".")
            return last(ours)

        worker = Worker(call)
        for _ in range(500):
            theirs.send(b".")
            theirs.recv(1)
        return worker, ours, theirs

    def test_data(self):
        worker, _, theirs = self.after_quick_answers(lambda end: end.recv(9))
        theirs.send(b"data")
        self.assertEqual(worker.result(), b"data")

    def test_end_of_file(self):
        worker, _, theirs = self.after_quick_answers(lambda end: end.recv(9))
        theirs.close()
        self.assertEqual(worker.result(), b"")

    def test_close(self):
        worker, ours, _ = self.after_quick_answers(lambda end: end.recv(9))
        ours.close()
        with self.assertRaises(OSError):
            worker.result()

    def test_settimeout(self):
        worker, ours, _ = self.after_quick_answers(lambda end: end.recv(9))
        ours.settimeout(0.01)
        with self.assertRaises((TimeoutError, BlockingIOError)):
            worker.result()

    def test_a_timeout_is_never_early(self):
        def last(end):
            end.settimeout(0.05)
            begin = time.monotonic()
            with self.assertRaises(TimeoutError):
                end.recv(9)
            return time.monotonic() - begin

        worker, _, _ = self.after_quick_answers(last)
        self.assertGreaterEqual(worker.result(), 0.05)

    def test_a_deadline_is_never_early(self):
        def last(end):
            begin = time.monotonic()
            with self.assertRaises(TimeoutError), reactor.deadline(0.05):
                end.recv(9)
            return time.monotonic() - begin

        worker, _, _ = self.after_quick_answers(last)
        self.assertGreaterEqual(worker.result(), 0.05)

    def test_a_descriptor_made_non_blocking_behind_our_back(self):
        def last(end):
            os.set_blocking(end.fileno(), False)
            with self.assertRaises(BlockingIOError):
                end.recv(9)

        self.after_quick_answers(last)[0].result()

    def test_a_signal(self):
        ours, theirs = self.pair()
        echo = Worker(lambda: [ours.send(ours.recv(1)) for _ in range(500)])
        for _ in range(500):
            theirs.send(b".")
            theirs.recv(1)
        echo.result()

        class Interrupted(Exception):
            pass

        def handler(number, frame):
            raise Interrupted

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handler))
        sender = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        sender.start()
        self.addCleanup(sender.join)
        with self.assertRaises(Interrupted):
            theirs.recv(1)

    def test_a_forked_child(self):
        worker, ours, theirs = self.after_quick_answers(lambda end: end.recv(9))
        # The worker polls; its like in the child does not exist, and must not be counted there.
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(int(DEADLINE))
                left, right = socket.socketpair()
                echo = threading.Thread(target=lambda: [right.send(right.recv(1)) for _ in range(500)])
                echo.start()
                for _ in range(500):
                    left.send(b".")
                    left.recv(1)
                echo.join()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        theirs.send(b"data")
        self.assertEqual(worker.result(), b"data")


if __name__ == "__main__":
    unittest.main()
