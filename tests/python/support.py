"""Shared by the suites in this folder: bounded waiting, blocked threads, loopback set-ups, other interpreters.

Every wait here has a deadline, so that a hang becomes a failure that says which thread stood where. The suites run on any
interpreter; `IS_OURS` is true under reactor-python. `REACTOR_TEST_ASSUME_OURS=1` makes another interpreter run the tests of
what only ours does: they must then fail, which is how their ability to fail is shown.
"""

import contextlib
import errno
import faulthandler
import functools
import glob
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import _socket

IS_RUSTPYTHON = sys.implementation.name == "rustpython"
IS_OURS = (IS_RUSTPYTHON and hasattr(_socket, "_register_face")) or "REACTOR_TEST_ASSUME_OURS" in os.environ
HOST = "127.0.0.1"
HERE = os.path.dirname(os.path.abspath(__file__))

# Seconds after which something that must happen counts as never happening: far above any delay of a busy machine.
DEADLINE = 30.0

ours_only = unittest.skipUnless(IS_OURS, "only reactor-python does this")


def arm_hang_report():
    """Print every thread's stack and exit once the seconds in REACTOR_TEST_LIMIT are over (set by the Rust driver)."""
    limit = os.environ.get("REACTOR_TEST_LIMIT")
    if limit:
        with contextlib.suppress(Exception):
            faulthandler.dump_traceback_later(float(limit), exit=True)


arm_hang_report()


def wait_for(condition, what, seconds=DEADLINE):
    """Poll `condition` until it is true and return its value; fail with `what` at the deadline."""
    end = time.monotonic() + seconds
    pause = 0.0
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        # Ever longer up to 2 ms: quick answers stay quick, and slow ones leave the processor to whom we wait for.
        time.sleep(pause)
        pause = min(pause + 0.0001, 0.002)


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def thread_state(tid, pid="self"):
    """(state letter, kernel function slept in) of one thread; ('X', '') for a thread that is gone."""
    stat = _read(f"/proc/{pid}/task/{tid}/stat")
    if not stat:
        return "X", ""
    return stat.rpartition(")")[2].split()[0], _read(f"/proc/{pid}/task/{tid}/wchan").strip()


def is_blocked(tid, pid="self"):
    """Whether the thread sleeps in the kernel, and not for a lock (a futex) of its interpreter."""
    state, where = thread_state(tid, pid)
    return state == "S" and "futex" not in where


class Worker(threading.Thread):
    """A daemon thread that runs one call and keeps its value or exception, and when it ended (monotonic seconds)."""

    def __init__(self, call, *args, **kwargs):
        super().__init__(daemon=True)
        self.call = functools.partial(call, *args, **kwargs)
        self.entered = False
        self.ended = None
        self.value = None
        self.error = None
        self.start()

    def run(self):
        self.entered = True
        try:
            self.value = self.call()
        except BaseException as error:
            self.error = error
        self.ended = time.monotonic()

    def wait_entered(self):
        wait_for(lambda: self.entered, "the worker thread starts")
        return self

    def wait_blocked(self):
        """Until the thread sleeps inside its call. A call that has ended by then is a failure."""
        def blocked():
            if self.ended is not None:
                raise AssertionError(f"the call did not block: value {self.value!r}, error {self.error!r}")
            return self.entered and is_blocked(self.native_id)
        wait_for(blocked, f"the call blocks; thread is {thread_state(self.native_id)}")
        return self

    def finish(self, seconds=DEADLINE):
        """Join; fail if the call is still going on."""
        self.join(seconds)
        if self.ended is None:
            raise AssertionError(f"hang: {self.call} still runs after {seconds} s, thread is {thread_state(self.native_id)}")
        return self

    def result(self, seconds=DEADLINE):
        """The call's value; its exception is raised here."""
        self.finish(seconds)
        if self.error is not None:
            raise self.error
        return self.value


def window_is_closed(sock):
    """Whether the peer has acknowledged all that was sent, and lets no more come: `struct tcp_info` of <linux/tcp.h>."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 148)
    unacknowledged, not_sent = (
        int.from_bytes(info[at : at + 4], sys.byteorder) for at in (24, 144)
    )
    return unacknowledged == 0 and not_sent > 0


class SocketTestCase(unittest.TestCase):
    """Keeps sockets for the clean-up and knows the usual set-ups on loopback."""

    def keep(self, sock):
        self.addCleanup(sock.close)
        return sock

    def pair(self, family=socket.AF_UNIX, kind=socket.SOCK_STREAM):
        left, right = socket.socketpair(family, kind)
        return self.keep(left), self.keep(right)

    def listener(self, backlog=16, family=socket.AF_INET):
        sock = self.keep(socket.socket(family, socket.SOCK_STREAM))
        sock.bind((HOST, 0) if family == socket.AF_INET else "")
        sock.listen(backlog)
        return sock

    def tcp_pair(self):
        """(client, server) connected over TCP on loopback."""
        with socket.socket() as listener:
            listener.bind((HOST, 0))
            listener.listen(1)
            client = self.keep(socket.socket())
            client.connect(listener.getsockname())
            server, _ = listener.accept()
        return client, self.keep(server)

    def udp(self):
        sock = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind((HOST, 0))
        return sock

    def full_listener(self):
        """A TCP listener to which a further connect stays in progress: its accept queue (one place) is taken."""
        listener = self.listener(0)
        filler = self.keep(socket.socket())
        filler.settimeout(DEADLINE)
        filler.connect(listener.getsockname())
        return listener

    def fill(self, sock):
        """Send until the kernel takes no more, and leave the socket's timeout as it was; the number of bytes sent."""
        before, total = sock.gettimeout(), 0
        is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
        if is_tcp:
            # Else it grows when the kernel sees fit: tcp(7).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        sock.settimeout(0)
        chunk = bytes(65536)
        # TCP moves bytes on to the peer's buffer for a while after the first refusal, and longer on a busy machine: only a
        # lasting refusal counts.
        room = select.poll()
        room.register(sock, select.POLLOUT)
        refusals = 0
        while refusals < 3 or (is_tcp and refusals < 30 and not window_is_closed(sock)):
            try:
                total += sock.send(chunk)
                refusals = 0
            except BlockingIOError:
                refusals += 1
                room.poll(30)
        sock.settimeout(before)
        return total

    def assertErrno(self, error, *numbers):
        self.assertIsInstance(error, OSError)
        names = [errno.errorcode.get(number) for number in numbers]
        self.assertIn(error.errno, numbers, f"{error!r}: errno is not one of {names}")

    def wait_child(self, pid, seconds=DEADLINE):
        """The exit code of a forked child of this process; one that hangs is killed and fails the test."""
        end = time.monotonic() + seconds
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                where = [(tid, *thread_state(tid, pid)) for tid in os.listdir(f"/proc/{pid}/task")]
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self.fail(f"child {pid} hangs: {where}")
            time.sleep(0.001)

    def fork(self, child):
        """Fork; the child runs `child()` and exits 0, or 1 with a traceback. Returns its process id."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                child()
                code = 0
            except BaseException:
                import traceback
                with contextlib.suppress(BaseException):
                    os.write(2, f"in the child:\n{traceback.format_exc()}".encode())
            finally:
                os._exit(code)
        return pid


def run_python(*args, executable=sys.executable, timeout=120, **kwargs):
    """Run an interpreter in this folder to its end; raises TimeoutExpired, after killing it, at `timeout` seconds."""
    kwargs.setdefault("cwd", HERE)
    return subprocess.run([executable, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, **kwargs)


# Where pyenv and python.org's own `make install` put versions that PATH does not show.
CPYTHON_PLACES = ("~/.pyenv/versions/3.*/bin/python3", "/usr/local/bin/python3.1*[0-9]", "/opt/python/3.*/bin/python3")


@functools.lru_cache(None)
def find_cpython(oldest=(3, 8)):
    """Path of a CPython of that version or later on this machine: REACTOR_TEST_CPYTHON, else the newest; None if there is none."""
    named = os.environ.get("REACTOR_TEST_CPYTHON")
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    names = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
    candidates = [named] if named else [shutil.which(name, path=place) for name in names for place in places]
    if not named:
        for place in CPYTHON_PLACES:
            candidates += glob.glob(os.path.expanduser(place))
    probe = "import sys, socket; print(sys.implementation.name, *sys.version_info[:2])"
    found = []
    for path in dict.fromkeys(filter(None, candidates)):
        # A version manager's shim exists without working, hence the trial.
        try:
            done = run_python("-c", probe, executable=path, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.startswith("cpython "):
            version = tuple(int(part) for part in done.stdout.split()[1:])
            if version >= oldest:
                found.append((version, path))
    # The first of those of one version.
    return max(found, key=lambda entry: entry[0])[1] if found else None


def need_cpython(oldest=(3, 8)):
    """The CPython, or a skip that says what is missing."""
    path = find_cpython(oldest)
    if path is None:
        version = ".".join(map(str, oldest))
        raise unittest.SkipTest(f"no CPython >= {version} found (REACTOR_TEST_CPYTHON names one)")
    return path


def need_program(name):
    path = shutil.which(name)
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


@contextlib.contextmanager
def running(arguments, **kwargs):
    """A child process with piped output that is killed, if it still runs, and reaped at the end."""
    kwargs.setdefault("cwd", HERE)
    child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=DEADLINE)


def child_port(child):
    """The port that a helper process prints as its first line."""
    worker = Worker(child.stdout.readline)
    line = worker.result()
    if not line.strip().isdigit():
        child.kill()
        raise AssertionError(f"the peer printed {line!r} and not its port: {child.communicate()[1]!r}")
    return int(line)
