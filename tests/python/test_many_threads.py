"""A thousand threads blocked on a thousand sockets, and the same where descriptors are scarce."""

import errno
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from support import DEADLINE, IS_OURS, SocketTestCase, is_blocked, ours_only, run_python, wait_for

COUNT = 1000


class ThousandThreads(SocketTestCase):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Two descriptors a pair, and what an implementation may take for a waiting thread where it can have it.
        if hard != resource.RLIM_INFINITY and hard < 2 * COUNT + 200:
            self.skipTest(f"the hard limit of open files, {hard}, is too low for {COUNT} pairs of sockets")
        wanted = 10 * COUNT if hard == resource.RLIM_INFINITY else min(hard, 10 * COUNT)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # RustPython's frames are large in the native stack, but these threads are flat.
        self.addCleanup(threading.stack_size, threading.stack_size(1 << 20))
        self.results = [[] for _ in range(COUNT)]
        self.ended = [None] * COUNT

    def read(self, number, sock):
        sock.settimeout(None if number & 1 else 600)
        try:
            while True:
                data = sock.recv(100)
                self.results[number].append(data)
                if not data:
                    break
        except OSError as error:
            self.results[number].append(error)
        self.ended[number] = time.monotonic()

    def start(self):
        pairs = [self.pair() for _ in range(COUNT)]
        threads = [threading.Thread(target=self.read, args=(number, pair[0]), daemon=True) for number, pair in enumerate(pairs)]
        for thread in threads:
            thread.start()
        self.all_blocked(threads)
        return pairs, threads

    def all_blocked(self, threads):
        for thread in threads:
            wait_for(lambda: is_blocked(thread.native_id), "all thousand threads block", 120)

    def received(self, expected, seconds=60):
        wait_for(lambda: all(len(got) == expected for got in self.results), f"every thread has {expected} messages", seconds)

    def test_data_then_end_of_stream(self):
        pairs, threads = self.start()
        for round_number in range(3):
            for number, pair in enumerate(pairs):
                pair[1].send(struct.pack("!II", number, round_number))
            self.received(round_number + 1)
            self.all_blocked(threads)
        for _reader, writer in pairs:
            writer.shutdown(socket.SHUT_WR)
        for thread in threads:
            thread.join(DEADLINE)
        for number, got in enumerate(self.results):
            expected = [struct.pack("!II", number, round_number) for round_number in range(3)]
            self.assertEqual(got, [*expected, b""])

    @ours_only
    def test_data_then_close(self):
        pairs, threads = self.start()
        for number, pair in enumerate(pairs):
            pair[1].send(struct.pack("!I", number))
        self.received(1)
        self.all_blocked(threads)
        begin = time.monotonic()
        for reader, _writer in pairs:
            reader.close()
        wait_for(lambda: all(self.ended), "every thread is woken by close")
        took = max(self.ended) - begin
        self.assertLess(took, 10)
        for number, got in enumerate(self.results):
            self.assertEqual(got[0], struct.pack("!I", number))
            self.assertErrno(got[1], errno.EBADF)
            self.assertEqual(len(got), 2)
        for thread in threads:
            thread.join(DEADLINE)
        for _reader, writer in pairs:
            writer.close()
        # What waiting took is given back: at most a few stay for threads to come.
        wait_for(lambda: len(os.listdir("/proc/self/fd")) < 100, "the descriptors are given back")

    def test_thousand_readers_of_one_socket(self):
        # Each datagram wakes one of them; none is starved, none errs with "already waiting".
        sock, peer = self.pair(kind=socket.SOCK_DGRAM)
        threads = [threading.Thread(target=self.read_one, args=(number, sock), daemon=True) for number in range(COUNT)]
        for thread in threads:
            thread.start()
        self.all_blocked(threads)
        peer.settimeout(60)
        for number in range(COUNT):
            peer.send(struct.pack("!I", number))
        self.received(1)
        self.assertEqual({got[0] for got in self.results}, {struct.pack("!I", number) for number in range(COUNT)})

    def read_one(self, number, sock):
        try:
            self.results[number].append(sock.recv(100))
        except OSError as error:
            self.results[number].append(error)


class ScarceDescriptors(SocketTestCase):
    def run_it(self, *arguments):
        try:
            done = run_python("programs/low_limit.py", *arguments, timeout=180)
        except subprocess.TimeoutExpired as expired:
            self.fail(f"hang: {expired.stdout!r} {expired.stderr!r}")
        self.assertEqual(done.stdout.strip(), "all well", done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_call_fails_for_want_of_a_descriptor(self):
        self.run_it()

    @ours_only
    def test_close_wakes_without_a_descriptor(self):
        self.run_it("close")

    @unittest.skipUnless(IS_OURS, "only reactor-python raises its limit")
    def test_the_interpreter_raises_its_soft_limit(self):
        code = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 1024 if hard == resource.RLIM_INFINITY else min(hard, 1024)
        launcher = f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({wanted // 2}, {wanted})); " \
                   f"os.execv(sys.executable, [sys.executable, '-c', {code!r}])"
        done = run_python("-c", launcher, executable=sys.executable)
        self.assertEqual(done.stdout.split(), [str(wanted), str(wanted)], done.stderr)


STACKS = """\
import os, threading, warnings

class Endless:
    def __repr__(self):
        return repr(self)

def overflow():
    try:
        repr(Endless())
    except RecursionError:
        return True

def in_a_fork():
    warnings.simplefilter("ignore")
    child = os.fork()
    if child == 0:
        os._exit(17 if overflow() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17

def in_a_thread(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results == [True]

print(overflow(), in_a_thread(overflow), overflow(), in_a_fork(), in_a_thread(in_a_fork), in_a_thread(overflow))
"""


class Stacks(SocketTestCase):
    def test_every_thread_knows_the_end_of_its_own(self):
        # The interpreter keeps what it once knew of the main thread's: see `pthread_getattr_np` in the program.
        done = run_python("-c", STACKS)
        self.assertEqual(done.stdout.split(), ["True"] * 6, done.stderr)


if __name__ == "__main__":
    unittest.main()
