"""A TLS peer that falls silent, at each stage of a connection's life, cannot hold a call against any of the ways to end it.

Each pair of a stage and an ending runs REACTOR_TEST_ROUNDS times, and a table on standard error says how late the ends came:
after the time limit, the signal or the close. Where the ending leaves the connection whole, each round goes on with it.
(200 rounds take most of an hour: for this module run by itself, and not under the limit of `python_suites.rs`.)
"""

import contextlib
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
from tls_stages import BUFFER, STREAM, Stages, Stalled, dripping_stages, stages

try:
    import reactor
except ImportError:
    # Another interpreter: what needs it is skipped, or fails on purpose.
    reactor = None

# Eight have each way that alternates with each other one.
ROUNDS = int(os.environ.get("REACTOR_TEST_ROUNDS", "8"))
LIMIT = 0.03  # seconds of the time limits that pass
LONG = 600.0  # and of those that must not
DRIPPED = 0.3  # a limit within which a drip lets many bytes through
MAIN = threading.get_native_id()

lateness = {}


def tearDownModule():
    print(f"\n{'stage':40} {'ending':22} rounds median/ms worst/ms", file=sys.stderr)
    for (stage, ending), delays in lateness.items():
        if not delays:
            continue
        median, worst = statistics.median(delays) * 1e3, max(delays) * 1e3
        print(f"{stage:40} {ending:22} {len(delays):6} {median:9.3f} {worst:8.3f}", file=sys.stderr)


class HandlerError(Exception):
    """Raised by signal handlers here; no library raises it."""


class Endings(Stages):
    """The ways to end a call. Each ends the given one, checks how it ended, and returns by how many seconds late."""

    limit = LIMIT
    rounds = ROUNDS

    def setUp(self):
        self.kept = []
        self.addCleanup(self.close_all)
        # A hang of the main thread becomes an exception, as long as signals work at all.
        def hang(*_):
            raise AssertionError(f"hang: the call still goes on after {DEADLINE} s")
        self.handle(signal.SIGALRM, hang)
        self.addCleanup(signal.alarm, 0)
        self.quiet_calls = self.raised = 0
        self.to_process = False
        self.handle(signal.SIGUSR1, self.count_call)
        self.handle(signal.SIGUSR2, self.raise_error)
        self.handle(signal.SIGINT, signal.default_int_handler)

    def handle(self, number, handler):
        self.addCleanup(signal.signal, number, signal.signal(number, handler))

    def count_call(self, *_):
        self.quiet_calls += 1

    def raise_error(self, *_):
        self.raised += 1
        raise HandlerError

    @staticmethod
    def far_limit(number):
        """A call without a time limit and one with a far one take different ways in other implementations."""
        return LONG if number & 2 else None

    def assertTimedOut(self, error):
        self.assertIs(type(error), TimeoutError, repr(error))

    def end_by_timeout(self, stalled, number):
        stalled.sock.settimeout(self.limit)
        with self.assertRaises(TimeoutError) as caught:
            stalled.call()
        late = time.monotonic() - stalled.began - self.limit
        self.assertTimedOut(caught.exception)
        self.assertGreaterEqual(late, 0, "early")
        return late

    def end_by_timeout_among_signals(self, stalled, number):
        """Handlers that return neither end the call nor begin its time anew."""
        stop = threading.Event()
        self.addCleanup(stop.set)

        def send():
            while not stop.wait(0.005):
                self.send_signal(signal.SIGUSR1)
        sender = Worker(send)
        late = self.end_by_timeout(stalled, number)
        stop.set()
        sender.result()
        return late

    def end_by_deadline(self, stalled, number):
        stalled.sock.settimeout(self.far_limit(number))
        with self.assertRaises(TimeoutError) as caught, reactor.deadline(self.limit) as running:
            stalled.call()
        late = time.monotonic() - running.expires_at
        self.assertTimedOut(caught.exception)
        self.assertGreaterEqual(late, 0, "early")
        return late

    def send_signal(self, number):
        """To the main thread, or to the process as Ctrl-C does; the time of it."""
        self.to_process = not self.to_process
        sent = time.monotonic()
        if self.to_process:
            os.kill(os.getpid(), number)
        else:
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
        stalled.sock.settimeout(self.limit)
        worker.finish(10)
        self.assertTimedOut(worker.error)
        # Whether the new length counts from the call's begin or from the change is not fixed here.
        self.assertGreaterEqual(worker.ended, stalled.began + self.limit, "early")
        return worker.ended - changed - self.limit

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
        for number in range(self.rounds):
            signal.alarm(int(DEADLINE))
            try:
                stalled = stage.set_up(self, number)
                delays.append(end(self, stalled, number))
                if stalled.resume is not None and ending != "close":
                    stalled.resume()
            except BaseException as error:
                error.add_note(f"in round {number} of {self.rounds}")
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
    "timeout_among_signals": Endings.end_by_timeout_among_signals,
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


class Drips(Endings):
    """One time limit over the whole call, however many bytes come during it."""

    limit = DRIPPED
    rounds = max(1, ROUNDS // 5)


def add_tests(case, some_stages, endings):
    for stage in some_stages:
        for ending in endings:
            if ending not in stage.without:
                def test(self, stage=stage, ending=ending):
                    self.run_rounds(stage, ending, ENDINGS[ending])
                setattr(case, f"test_{stage.name}__{ending}", ours_only(test) if ending in OURS | stage.ours else test)


add_tests(Stalls, stages(), ENDINGS)
add_tests(Drips, dripping_stages(), ("timeout", "deadline"))


class Unharmed(Endings):
    """Calls that end again and again in the middle of records, each time repeated with the same bytes."""

    def write_all(self, size, interruptions, **kwargs):
        """Write by so many bytes, and have the peer read on after each interruption."""
        sock, relay = self.acquainted(size, **kwargs)
        goal = min(len(STREAM) // 2, size * 30000)
        position = ended = 0
        stalled = Stalled(sock, lambda: sock.send(STREAM[position:min(position + size, goal)]), reads=False)
        with interruptions(self, stalled) as kinds:
            while position < goal:
                try:
                    position += stalled.call()
                except kinds:
                    stalled.began = None
                    ended += 1
                    relay.pull(random.randrange(1, BUFFER))
        reader = Worker(relay.receive, goal)
        self.assertTrue(reader.result() == STREAM[:goal], "the stream has changed")
        self.assertGreater(ended, 3)
        self.exchange(sock, relay)

    def read_all(self, size, interruptions, **kwargs):
        """Read by so many bytes, and have the peer send on after each interruption."""
        sock, relay = self.acquainted(size, **kwargs)
        goal = min(len(STREAM) // 2, size * 30000)
        relay.write(STREAM[:goal])
        got, ended = bytearray(), 0
        stalled = Stalled(sock, lambda: sock.recv(size))
        with interruptions(self, stalled) as kinds:
            while len(got) < goal:
                try:
                    data = stalled.call()
                    self.assertTrue(data, "the stream ended")
                    got += data
                except kinds:
                    stalled.began = None
                    ended += 1
                    relay.forward(min(random.randrange(1, min(BUFFER, goal // 4)), len(relay.held)))
        self.assertTrue(got == STREAM[:goal], "the stream has changed")
        self.assertGreater(ended, 1)
        self.exchange(sock, relay)

    @contextlib.contextmanager
    def timeouts(self, stalled):
        stalled.sock.settimeout(0.001)
        yield TimeoutError

    @contextlib.contextmanager
    def refusals(self, stalled):
        stalled.sock.settimeout(0)
        yield ssl.SSLWantReadError, ssl.SSLWantWriteError

    @contextlib.contextmanager
    def signals(self, stalled):
        """A handler that raises whenever the call waits."""
        # CPython's blocking mode overlooks a signal in the middle of a record's write.
        stalled.sock.settimeout(None if IS_OURS else LONG)
        stop = threading.Event()
        self.addCleanup(stop.set)

        def send():
            while not stop.is_set():
                # Nobody but the main thread moves the peer, so the signal is sure to find it in this wait.
                wait_for(lambda: stop.is_set() or stalled.is_waiting(MAIN), "the call waits")
                if not stop.is_set():
                    before = self.raised
                    self.send_signal(signal.SIGUSR2)
                    wait_for(lambda: self.raised > before, "the handler runs")
        sender = Worker(send)
        yield HandlerError
        stop.set()
        sender.result()

    def check(self, moves, interruptions, **kwargs):
        for size in 1, 100, 4096, 16384, 16385, 100000:
            for move in moves:
                with self.subTest(size=size, move=move.__name__):
                    signal.alarm(int(DEADLINE))
                    move(size, interruptions, **kwargs)
                    self.close_all()

    def test_by_timeouts(self):
        self.check([self.write_all, self.read_all], Unharmed.timeouts, small=True)

    def test_by_refusals(self):
        self.check([self.write_all, self.read_all], Unharmed.refusals, small=True)

    # Of Unix sockets: TCP moves bytes on by itself, and then a call may succeed as the signal comes.

    def test_reads_by_signals(self):
        self.check([self.read_all], Unharmed.signals, unix=True)

    # CPython waits for much room before it writes what needs little, so that its write may succeed as the signal comes.
    @ours_only
    def test_writes_by_signals(self):
        self.check([self.write_all], Unharmed.signals, unix=True)


if __name__ == "__main__":
    unittest.main()
