"""Buffered file objects over sockets: what they are, and what threads, signals, forks and closing do to them.

What is not marked as ours alone passes on CPython 3.14, too.
"""

import gc
import io
import os
import pickle
import signal
import socket
import sys
import threading
import unittest
import weakref

from file_support import Reader, Script, Writer
from support import DEADLINE, IS_OURS, SocketTestCase, Worker, is_blocked, ours_only, wait_for


class Shape(SocketTestCase):
    def test_classes(self):
        left, _ = self.pair()
        for mode, named in (("rb", "BufferedReader"), ("wb", "BufferedWriter"), ("rwb", "BufferedRWPair")):
            with left.makefile(mode) as file, self.subTest(mode=mode):
                stands_for = getattr(io, named)
                self.assertIsInstance(file, stands_for)
                self.assertIsInstance(file, io.BufferedIOBase)
                self.assertIsInstance(file, io.IOBase)
                self.assertNotIsInstance(file, io.TextIOBase)
                self.assertNotIsInstance(file, io.RawIOBase)
                self.assertTrue(issubclass(type(file), io.BufferedIOBase))
                self.assertIs(file.__class__, stands_for)
                self.assertEqual(type(file).__name__, named)
        self.assertIsInstance(left.makefile("rb", 0), io.RawIOBase)

    def test_repr(self):
        left, _ = self.pair()
        file = left.makefile("rb")
        self.assertEqual(repr(file), f"<_io.BufferedReader name={left.fileno()}>")
        file.close()
        self.assertEqual(repr(file), "<_io.BufferedReader name=-1>")
        self.assertEqual(repr(Writer(Script())), "<_io.BufferedWriter>")

    def test_attributes_of_the_program(self):
        left, _ = self.pair()
        for mode in ("rb", "wb", "rwb"):
            with left.makefile(mode) as file:
                file.tag = 1
                self.assertEqual((file.tag, vars(file)), (1, {"tag": 1}))
                self.assertIs(weakref.ref(file)(), file)
                with self.assertRaises(AttributeError):
                    file.closed = True

    def test_neither_copied_nor_pickled(self):
        import copy
        left, _ = self.pair()
        for mode in ("rb", "wb", "rwb"):
            with left.makefile(mode) as file:
                for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                    self.assertRaises(TypeError, pickle.dumps, file, protocol)
                self.assertRaises(TypeError, copy.copy, file)

    def test_questions_go_to_the_raw_object(self):
        left, _ = self.pair()
        with left.makefile("rb") as reader, left.makefile("wb") as writer:
            self.assertEqual((reader.mode, writer.mode), ("rb", "wb"))
            self.assertEqual((reader.name, reader.fileno()), (left.fileno(), left.fileno()))
            self.assertEqual([file.readable() for file in (reader, writer)], [True, False])
            self.assertEqual([file.writable() for file in (reader, writer)], [False, True])
            self.assertFalse(reader.seekable() or writer.seekable() or reader.isatty())
            self.assertIs(type(reader.raw), socket.SocketIO)
            for call in (lambda: reader.seek(0), reader.tell, reader.truncate, lambda: reader.write(b"x"), writer.read,
                         writer.read1, writer.readline, lambda: writer.readinto(bytearray(1)), lambda: next(writer),
                         writer.truncate, writer.tell, lambda: writer.seek(0, 1)):
                self.assertRaises(io.UnsupportedOperation, call)

    def test_closed_ones_refuse(self):
        left, _ = self.pair()
        reader, writer, pair = (left.makefile(mode) for mode in ("rb", "wb", "rwb"))
        memory = bytearray(1)
        for file in (reader, writer, pair):
            file.close()
            file.close()
            self.assertTrue(file.closed)
            self.assertRaises(ValueError, file.__enter__)
            self.assertRaises(ValueError, iter, file)
            self.assertRaises(ValueError, file.flush)
        for file in (reader, pair):
            for call in (file.read, file.read1, file.peek, file.readline, file.readlines, lambda: next(file),
                         lambda: file.readinto(memory), lambda: file.readinto1(memory)):
                self.assertRaises(ValueError, call)
        for file in (writer, pair):
            self.assertRaises(ValueError, file.write, b"x")
            self.assertRaises(ValueError, file.writelines, [])
        for call in (reader.fileno, reader.readable, reader.seekable, reader.isatty, reader.detach, writer.detach):
            self.assertRaises(ValueError, call)

    def test_closed_by_way_of_the_raw_object(self):
        left, right = self.pair()
        right.sendall(b"a\nb\n")
        with left.makefile("rb") as file:
            self.assertEqual(file.readline(), b"a\n")
            file.raw.close()
            self.assertTrue(file.closed)
            # What is in the buffer can be read.
            self.assertEqual(file.readline(), b"b\n")
            self.assertRaises(ValueError, file.readline)

    def test_detached_ones_refuse(self):
        left, right = self.pair()
        for mode in ("rb", "wb"):
            file = left.makefile(mode)
            raw = file.raw
            if mode == "wb":
                file.write(b"flushed")
            self.assertIs(file.detach(), raw)
            self.assertIsNone(file.raw)
            self.assertFalse(raw.closed)
            for call in (file.detach, file.close, file.flush, file.fileno, lambda: file.closed, lambda: file.name):
                self.assertRaisesRegex(ValueError, "raw stream has been detached", call)
            self.assertRaises(ValueError, file.read if mode == "rb" else lambda: file.write(b"x"))
            self.assertIsInstance(repr(file), str)
            raw.close()
        self.assertEqual(right.recv(20), b"flushed")
        self.assertEqual(left._io_refs, 0)


class Life(SocketTestCase):
    def test_a_dropped_one_is_closed_and_flushed(self):
        left, right = self.pair()
        right.settimeout(DEADLINE)
        for mode in ("rb", "wb", "rwb", "r", "w", "rw"):
            with self.subTest(mode=mode):
                file = left.makefile(mode)
                if "w" in mode:
                    file.write(b"kept" if "b" in mode else "kept")
                self.assertEqual(left._io_refs, 1)
                del file
                gc.collect()
                self.assertEqual(left._io_refs, 0)
                # CPython closes the reader of a pair first, and so the socket's file below the writer.
                if "w" in mode and (IS_OURS or mode != "rwb"):
                    self.assertEqual(right.recv(10), b"kept")

    def test_a_cycle_is_collected(self):
        left, _ = self.pair()
        for mode in ("rb", "wb", "rwb", "r"):
            file = left.makefile(mode)
            file.me = file
            gone = weakref.ref(file)
            del file
            gc.collect()
            wait_for(lambda: gone() is None, "the cycle is collected")
            self.assertEqual(left._io_refs, 0)

    def test_the_socket_lives_as_long_as_its_files(self):
        left, right = self.pair()
        reader, writer = left.makefile("rb"), left.makefile("wb")
        left.close()
        right.sendall(b"line\n")
        self.assertEqual(reader.readline(), b"line\n")
        reader.close()
        writer.write(b"answer")
        writer.close()
        self.assertEqual(left.fileno(), -1)
        self.assertEqual((right.recv(10), right.recv(10)), (b"answer", b""))

    def test_an_error_of_a_dropped_one_is_reported(self):
        left, right = self.pair()
        file = left.makefile("wb")
        file.write(b"x")
        right.close()
        reported = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda what: reported.append(what.exc_type)
        del file
        gc.collect()
        self.assertEqual(reported, [BrokenPipeError])
        self.assertEqual(left._io_refs, 0)

    @ours_only
    def test_idle_ones_hold_no_buffer(self):
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        left, right = self.pair()
        files = [left.makefile("rwb") for _ in range(100)]
        before = resident()
        for file in files:
            right.sendall(b"x" * 50_000 + b"\n")
            self.assertEqual(len(file.readline()), 50_001)
            file.write(b"y" * 50_000)
            file.flush()
            self.assertEqual(len(right.recv(50_000, socket.MSG_WAITALL)), 50_000)
        self.assertLess(resident() - before, 100 * 50_000)


class OverSockets(SocketTestCase):
    def test_lines_and_bulk(self):
        left, right = self.tcp_pair()
        lines = [b"%d " % number * (number % 50) + b"\n" for number in range(5000)]
        sender = Worker(lambda: right.sendall(b"".join(lines)))
        with left.makefile("rb") as file:
            for line in lines[:2000]:
                self.assertEqual(file.readline(), line)
            for got, line in zip(file, lines[2000:4000]):
                self.assertEqual(got, line)
            # zip has taken one more.
            rest = b"".join(lines[4001:])
            self.assertEqual(file.read(len(rest)), rest)
        sender.result()

    def test_every_size_of_read(self):
        data = os.urandom(300_000)
        for size in (1, 7, 1000, 131_072, 131_073, 300_000):
            for buffering in (16, None):
                with self.subTest(size=size, buffering=buffering):
                    left, right = self.tcp_pair()
                    amount = min(len(data), size * 500)
                    sender = Worker(lambda: (right.sendall(data[:amount]), right.shutdown(socket.SHUT_WR)))
                    got = bytearray()
                    with left.makefile("rb", buffering) as file:
                        while piece := file.read(size):
                            got += piece
                    self.assertEqual(got, data[:amount])
                    sender.result()

    def test_readinto_of_every_size(self):
        data = os.urandom(200_000)
        for size in (3, 4096, 150_000):
            left, right = self.tcp_pair()
            amount = min(len(data), size * 500)
            sender = Worker(lambda: (right.sendall(data[:amount]), right.shutdown(socket.SHUT_WR)))
            got, memory = bytearray(), bytearray(size)
            with left.makefile("rb", 1000) as file:
                while count := file.readinto(memory):
                    got += memory[:count]
            self.assertEqual(got, data[:amount])
            sender.result()

    def test_written_sizes(self):
        data = os.urandom(700_000)
        left, right = self.tcp_pair()
        receiver = Worker(lambda: right.makefile("rb").read())
        with left.makefile("wb") as file:
            start = 0
            for size in (1, 100, 131_072, 5, 200_000, 131_071, 2, 131_073):
                self.assertEqual(file.write(data[start:start + size]), size)
                start += size
        left.shutdown(socket.SHUT_WR)
        self.assertEqual(receiver.result(), data[:start])

    def test_a_timeout_is_final(self):
        left, right = self.pair()
        for mode, line in (("rb", b"a\n"), ("r", "a\n")):
            left.settimeout(0.01)
            right.sendall(b"a\npart")
            with left.makefile(mode) as file:
                self.assertEqual(file.readline(), line)
                self.assertRaises(TimeoutError, file.readline)
                for call in (file.readline, lambda: file.read(1), lambda: next(file)):
                    self.assertRaisesRegex(OSError, "cannot read from timed out object", call)
                self.assertTrue((file if mode == "rb" else file.buffer).raw._timeout_occurred)

    def test_a_timeout_while_writing_keeps_the_rest(self):
        left, right = self.tcp_pair()
        self.fill(left)
        left.settimeout(0.01)
        with left.makefile("wb") as file:
            file.write(b"tail")
            self.assertRaises(TimeoutError, file.flush)
            left.settimeout(None)
            receiver = Worker(lambda: right.makefile("rb").read())
            file.flush()
        left.shutdown(socket.SHUT_WR)
        self.assertTrue(receiver.result().endswith(b"\0tail"))

    def test_a_socket_that_does_not_block(self):
        left, right = self.pair()
        left.setblocking(False)
        reader, writer = left.makefile("rb"), left.makefile("wb", 8)
        self.assertIsNone(reader.read(1))
        self.assertEqual(reader.readline(), b"")
        right.sendall(b"part")
        self.assertEqual(reader.readline(), b"part")
        right.sendall(b"part")
        self.assertEqual(reader.read(10), b"part")
        self.fill(left)
        left.setblocking(False)
        self.assertEqual(writer.write(b"12345678"), 8)
        with self.assertRaises(BlockingIOError) as caught:
            writer.write(b"9")
        self.assertEqual(caught.exception.characters_written, 0)
        self.assertRaises(BlockingIOError, writer.flush)
        drained = 0
        right.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                drained += len(right.recv(1 << 20))
        writer.flush()
        self.assertEqual(right.recv(100), b"12345678")
        reader.close()
        writer.close()

    def test_a_socket_that_overrides_what_it_does(self):
        class Counting(socket.socket):
            received = sent = 0

            def recv_into(self, *args):
                self.received += 1
                return super().recv_into(*args)

            def send(self, *args):
                self.sent += 1
                return super().send(*args)

        left, right = self.pair()
        counting = self.keep(Counting(fileno=left.detach()))
        right.sendall(b"a\n")
        with counting.makefile("rwb") as file:
            self.assertEqual(file.readline(), b"a\n")
            file.write(b"b\n")
        self.assertEqual((counting.received, counting.sent), (1, 1))
        self.assertEqual(right.recv(10), b"b\n")

    def test_a_method_put_on_the_object(self):
        class Plain(socket.socket):
            pass

        left, right = self.pair()
        plain = self.keep(Plain(fileno=left.detach()))
        with plain.makefile("rb") as file:
            right.sendall(b"a\nb\n")
            self.assertEqual(file.readline(), b"a\n")
            file.readline()
            plain.recv_into = lambda memory: 0
            self.assertEqual(file.readline(), b"")

    def test_a_raw_object_of_another_class(self):
        class Upper(socket.SocketIO):
            def readinto(self, memory):
                count = super().readinto(memory)
                memory[:count] = bytes(memory[:count]).upper()
                return count

        left, right = self.pair()
        right.sendall(b"abc\n")
        left._io_refs += 1
        with Reader(Upper(left, "r")) as file:
            self.assertEqual(file.readline(), b"ABC\n")

    def test_closed_under_it(self):
        left, right = self.pair()
        file = left.makefile("rb")
        os.close(left.detach())
        self.assertRaises(OSError, file.read, 1)
        file.close()


class Threads(SocketTestCase):
    def test_a_blocked_reader_does_not_block_the_writer(self):
        left, right = self.pair()
        with left.makefile("rwb") as file:
            reader = Worker(file.readline).wait_blocked()
            file.write(b"question\n")
            file.flush()
            self.assertEqual(right.recv(20), b"question\n")
            right.sendall(b"answer\n")
            self.assertEqual(reader.result(), b"answer\n")

    # CPython's readline looks at the buffer before it has the lock.
    @ours_only
    def test_two_readers_get_whole_lines(self):
        left, right = self.pair()
        lines = [b"%06d" % number * 20 + b"\n" for number in range(3000)]
        with left.makefile("rb", 1000) as file:
            readers = [Worker(file.readlines) for _ in range(3)]
            for start in range(0, len(lines), 10):
                right.sendall(b"".join(lines[start:start + 10]))
            right.shutdown(socket.SHUT_WR)
            got = [line for reader in readers for line in reader.result()]
        self.assertEqual(sorted(got), lines)

    def test_writes_of_two_threads_stay_whole(self):
        left, right = self.pair()
        receiver = Worker(lambda: right.makefile("rb").readlines())
        with left.makefile("wb", 100) as file:
            def write(letter):
                for length in range(1, 200):
                    file.write(letter * length + b"\n")

            for writer in [Worker(write, letter) for letter in (b"a", b"b", b"c")]:
                writer.result()
        left.shutdown(socket.SHUT_WR)
        got = receiver.result()
        self.assertEqual(len(got), 3 * 199)
        self.assertTrue(all(len(set(line)) == 2 for line in got))

    def test_a_write_while_it_is_being_closed_is_refused(self):
        closing, go_on = threading.Event(), threading.Event()

        class Slow(Script):
            def close(self):
                if not self.closed:
                    closing.set()
                    go_on.wait(DEADLINE)
                super().close()

        raw = Slow()
        file = Writer(raw)
        closer = Worker(file.close)
        self.assertTrue(closing.wait(DEADLINE))
        writer = Worker(file.write, b"late").wait_entered()
        go_on.set()
        closer.result()
        self.assertRaisesRegex(ValueError, "write to closed file", writer.result)
        self.assertEqual(raw.written, [])

    @ours_only
    def test_close_wakes_a_reader(self):
        for mode, call in (("rb", "readline"), ("rb", "read"), ("rwb", "readline"), ("r", "readline"), ("rw", "read")):
            with self.subTest(mode=mode, call=call):
                left, right = self.pair()
                file = left.makefile(mode)
                right.sendall(b"part")
                reader = Worker(getattr(file, call)).wait_blocked()
                file.close()
                reader.finish()
                self.assertErrno(reader.error, 9)
                self.assertTrue(file.closed)
                # The socket itself is open.
                self.assertGreater(left.fileno(), 0)
                self.assertEqual(left._io_refs, 0)

    @ours_only
    def test_closing_the_raw_object_wakes_a_reader(self):
        left, _ = self.pair()
        file = left.makefile("rb")
        reader = Worker(file.readline).wait_blocked()
        file.raw.close()
        reader.finish()
        self.assertErrno(reader.error, 9)

    @ours_only
    def test_a_changed_timeout_reaches_a_reader(self):
        left, _ = self.pair()
        with left.makefile("rb") as file:
            reader = Worker(file.readline).wait_blocked()
            left.settimeout(0.01)
            reader.finish()
            self.assertIsInstance(reader.error, TimeoutError)

    @ours_only
    def test_who_waits_for_a_turn_can_be_interrupted(self):
        left, right = self.pair()
        file = left.makefile("rb")
        self.addCleanup(file.close)
        reader = Worker(file.readline).wait_blocked()
        main = threading.get_native_id()
        waker = Worker(lambda: (wait_for(lambda: is_blocked(main), "the main thread waits"), os.kill(os.getpid(), signal.SIGINT)))
        with self.assertRaises(KeyboardInterrupt):
            file.readline()
        waker.result()
        right.sendall(b"line\n")
        self.assertEqual(reader.result(), b"line\n")


class Signals(SocketTestCase):
    def interrupt(self, call, handler):
        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        return call()

    def test_a_handler_that_returns_does_not_end_a_read(self):
        left, right = self.pair()
        right.sendall(b"par")
        with left.makefile("rb") as file:
            line = self.interrupt(file.readline, lambda *args: right.sendall(b"tial\n"))
            self.assertEqual(line, b"partial\n")

    def test_a_handler_that_raises_leaves_it_usable(self):
        def handler(*args):
            raise InterruptedError("handled")

        left, right = self.pair()
        with left.makefile("rb") as file:
            with self.assertRaises(InterruptedError):
                self.interrupt(file.readline, handler)
            right.sendall(b"line\n")
            self.assertEqual(file.readline(), b"line\n")

    @ours_only
    def test_a_handler_that_raises_loses_no_byte(self):
        for mode, whole in (("rb", b"partial\n"), ("r", "partial\n")):
            for call in ("readline", "read", "readlines"):
                with self.subTest(mode=mode, call=call):
                    left, right = self.pair()
                    right.sendall(b"par")

                    def handler(*args):
                        raise ZeroDivisionError

                    with left.makefile(mode) as file:
                        with self.assertRaises(ZeroDivisionError):
                            self.interrupt(getattr(file, call), handler)
                        right.sendall(b"tial\n")
                        self.assertEqual(file.readline(), whole)

    def test_a_handler_that_uses_the_file_is_refused(self):
        left, right = self.pair()
        with left.makefile("rb") as file:
            def handler(*args):
                right.sendall(b"line\n")
                file.readline()

            with self.assertRaisesRegex(RuntimeError, "reentrant call"):
                self.interrupt(file.readline, handler)
            self.assertEqual(file.readline(), b"line\n")

    def test_a_child_reads_what_is_buffered(self):
        left, right = self.pair()
        right.sendall(b"one\ntwo\n")
        with left.makefile("rb") as file:
            self.assertEqual(file.readline(), b"one\n")

            def child():
                assert file.readline() == b"two\n"

            self.assertEqual(self.wait_child(self.fork(child)), 0)
            self.assertEqual(file.readline(), b"two\n")

    @ours_only
    def test_a_child_can_use_what_a_thread_of_its_parent_was_reading(self):
        left, right = self.pair()
        file = left.makefile("rwb")
        reader = Worker(file.readline).wait_blocked()

        def child():
            # To read a line, too, but the parent's thread would be quicker.
            assert file.read(0) == b""
            file.write(b"written\n")
            file.flush()
            file.close()

        self.assertEqual(self.wait_child(self.fork(child)), 0)
        self.assertEqual(right.recv(20), b"written\n")
        right.sendall(b"parent\n")
        self.assertEqual(reader.result(), b"parent\n")
        file.close()


if __name__ == "__main__":
    unittest.main()
