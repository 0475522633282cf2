"""A TLS peer that falls silent, at each stage of a connection's life, cannot hold a call against any of the ways to end it.

Each pair of a stage and an ending runs REACTOR_TEST_ROUNDS times, and a table on standard error says how late the ends came:
after the time limit, the signal or the close. Where the ending leaves the connection whole, each round goes on with it.
"""

import errno
import os
import random
import signal
import ssl
import statistics
import sys
import threading
import time
import unittest

from support import DEADLINE, IS_OURS, Worker, ours_only, wait_for
from tls_stages import CHUNK, STREAM, Stages, stages

try:
    import reactor
except ImportError:
    # Another interpreter: what needs it is skipped, or fails on purpose.
    reactor = None

ROUNDS = int(os.environ.get("REACTOR_TEST_ROUNDS", "5"))
LIMIT = 0.03  # seconds of the time limits that pass
LONG = 600.0  # and of those that must not
DRIPPED = 0.3  # a limit within which a drip lets many bytes through
MAIN = threading.get_native_id()

lateness = {}


def tearDownModule():
    print(f"\n{'stage':40} {'ending':12} rounds median/ms worst/ms", file=sys.stderr)
    for (stage, ending), delays in lateness.items():
        if not delays:
            continue
        median, worst = statistics.median(delays) * 1e3, max(delays) * 1e3
        print(f"{stage:40} {ending:12} {len(delays):6} {median:9.3f} {worst:8.3f}", file=sys.stderr)


class HandlerError(Exception):
    """Raised by signal handlers here; no library raises it."""


class Endings(Stages):
    """The ways to end a call. Each ends the given one, checks how it ended, and returns by how many seconds late."""

    def setUp(self):
        self.kept = []
        self.addCleanup(self.close_all)
        # A hang of the main thread becomes an exception, as long as signals work at all.
        def hang(*_):
            raise AssertionError(f"hang: the call still goes on after {DEADLINE} s")
        self.handle(signal.SIGALRM, hang)
        self.addCleanup(signal.alarm, 0)
        self.quiet_calls = 0
        self.handle(signal.SIGUSR1, self.count_call)
        self.handle(signal.SIGUSR2, self.raise_error)
        self.handle(signal.SIGINT, signal.default_int_handler)

    def handle(self, number, handler):
        self.addCleanup(signal.signal, number, signal.signal(number, handler))

    def count_call(self, *_):
        self.quiet_calls += 1

    def raise_error(self, *_):
        raise HandlerError

    def far_limit(self, number):
        """A call without a time limit and one with a far one take different ways in other implementations."""
        # CPython's unwrap() raises SSLWantReadError after a signal if it has no time limit.
        if number & 2 or self.stage.name == "unwrap" and not IS_OURS:
            return LONG
        return None

    def assertTimedOut(self, error):
        self.assertIs(type(error), TimeoutError, repr(error))

    def end_by_timeout(self, stalled, number):
        stalled.sock.settimeout(LIMIT)
        with self.assertRaises(TimeoutError) as caught:
            stalled.call()
        late = time.monotonic() - stalled.began - LIMIT
        self.assertTimedOut(caught.exception)
        self.assertGreaterEqual(late, 0, "early")
        return late

    def end_by_deadline(self, stalled, number):
        stalled.sock.settimeout(self.far_limit(number))
        with self.assertRaises(TimeoutError) as caught, reactor.deadline(LIMIT) as running:
            stalled.call()
        late = time.monotonic() - running.expires_at
        self.assertTimedOut(caught.exception)
        self.assertGreaterEqual(late, 0, "early")
        return late

    def send_signal(self, number):
        """To the main thread; the time of it."""
        sent = time.monotonic()
        signal.pthread_kill(threading.main_thread().ident, number)
        return sent

    def interrupt(self, stalled, number, before=lambda *_: None):
        error, signal_number = (KeyboardInterrupt, signal.SIGINT) if number & 1 else (HandlerError, signal.SIGUSR2)
        stalled.sock.settimeout(self.far_limit(number))
        ended = threading.Event()

        def wait_until_it_waits():
            wait_for(lambda: ended.is_set() or stalled.is_waiting(MAIN), "the call waits")
            self.assertFalse(ended.is_set(), "the call has ended before the signal")

        def send():
            before(wait_until_it_waits)
            wait_until_it_waits()
            return self.send_signal(signal_number)
        sender = Worker(send)
        try:
            stalled.call()
        except error:
            now = time.monotonic()
        else:
            self.fail("the call has returned")
        finally:
            ended.set()
        return now - sender.result()

    def end_by_interrupt(self, stalled, number):
        return self.interrupt(stalled, number)

    def end_by_third_signal(self, stalled, number):
        """The handler of the first two returns, and leaves the call waiting."""
        def quiet_signals(wait_until_it_waits):
            for count in range(self.quiet_calls, self.quiet_calls + 2):
                wait_until_it_waits()
                self.send_signal(signal.SIGUSR1)
                wait_for(lambda: self.quiet_calls > count, "the handler runs")
        return self.interrupt(stalled, number, quiet_signals)

    def end_by_close(self, stalled, number):
        stalled.sock.settimeout(self.far_limit(number))
        worker = Worker(stalled.call)
        wait_for(lambda: stalled.is_waiting(worker.native_id), "the call waits")
        closed = time.monotonic()
        stalled.sock.close()
        worker.finish(10)
        self.assertIs(type(worker.error), OSError, f"{worker.error!r}, value {worker.value!r}")
        self.assertErrno(worker.error, errno.EBADF)
        self.assertEqual(stalled.sock.fileno(), -1)
        with self.assertRaises(OSError) as caught:
            os.fstat(stalled.descriptor)
        self.assertErrno(caught.exception, errno.EBADF)
        if stalled.relay is not None:
            def at_end():
                stalled.relay.pull()
                return stalled.relay.ended
            wait_for(at_end, "the peer sees the end of the connection")
        return worker.ended - closed

    def end_by_settimeout(self, stalled, number):
        stalled.sock.settimeout(self.far_limit(number))
        worker = Worker(stalled.call)
        wait_for(lambda: stalled.is_waiting(worker.native_id), "the call waits")
        changed = time.monotonic()
        stalled.sock.settimeout(LIMIT)
        worker.finish(10)
        self.assertTimedOut(worker.error)
        # Whether the new length counts from the call's begin or from the change is not fixed here.
        self.assertGreaterEqual(worker.ended, stalled.began + LIMIT, "early")
        return worker.ended - changed - LIMIT

    def end_at_once(self, stalled, number):
        stalled.sock.settimeout(0)
        with self.assertRaises(self.stage.at_once) as caught:
            stalled.call()
        now = time.monotonic()
        self.assertIs(type(caught.exception), self.stage.at_once)
        return now - stalled.began

    def run_rounds(self, stage, ending, end):
        self.stage = stage
        delays = lateness.setdefault((stage.name, ending), [])
        for number in range(ROUNDS):
            signal.alarm(int(DEADLINE))
            try:
                stalled = stage.set_up(self, number)
                delays.append(end(self, stalled, number))
                if stalled.resume is not None and ending != "close":
                    stalled.resume()
            except BaseException as error:
                error.add_note(f"in round {number} of {ROUNDS}")
                raise
            signal.alarm(0)
            self.close_all()

    def close_all(self):
        while self.kept:
            self.kept.pop().close()

    def keep(self, sock):
        # The clean-ups are for the end of the test; a round's sockets shall not wait for that.
        self.kept.append(sock)
        return sock


ENDINGS = {
    "timeout": Endings.end_by_timeout,
    "deadline": Endings.end_by_deadline,
    "interrupt": Endings.end_by_interrupt,
    "third_signal": Endings.end_by_third_signal,
    "close": Endings.end_by_close,
    "settimeout": Endings.end_by_settimeout,
    "at_once": Endings.end_at_once,
}
# What other interpreters cannot do.
OURS = {"deadline", "close", "settimeout"}


class Stalls(Endings):
    """Each stage with each ending."""


def add_tests():
    for stage in stages():
        for ending, end in ENDINGS.items():
            if ending not in stage.without:
                def test(self, stage=stage, ending=ending, end=end):
                    self.run_rounds(stage, ending, end)
                setattr(Stalls, f"test_{stage.name}__{ending}", ours_only(test) if ending in OURS else test)


add_tests()


if __name__ == "__main__":
    unittest.main()
