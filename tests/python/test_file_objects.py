"""Buffered file objects over sockets: binary ones. What CPython 3.14's `io` does, on its own classes too.

`Reader`, `Writer` and `Pair` are the classes of what `makefile` returns: ours under reactor-python, `io`'s elsewhere. Over raw
objects written in Python they show each step; over sockets, what threads, signals and closing do to them.
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

from support import DEADLINE, IS_OURS, SocketTestCase, Worker, is_blocked, ours_only, wait_for


def classes():
    left, right = socket.socketpair()
    with left, right, left.makefile("rb") as reader, left.makefile("wb") as writer, left.makefile("rwb") as pair:
        return type(reader), type(writer), type(pair)


Reader, Writer, Pair = classes()


class Script(io.RawIOBase):
    """A raw object whose reads return these pieces (None: would block; an exception: raised), then the end.

    Its writes take as many bytes as `takes` says, or all.
    """

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.asked = []
        self.written = []
        self.takes = []

    def readable(self):
        return True

    writable = readable

    def readinto(self, memory):
        self.asked.append(len(memory))
        piece = self.pieces.pop(0) if self.pieces else b""
        if piece is None:
            return None
        if not isinstance(piece, bytes):
            raise piece
        count = min(len(piece), len(memory))
        memory[:count] = piece[:count]
        if piece[count:]:
            self.pieces.insert(0, piece[count:])
        return count

    def write(self, data):
        data = bytes(data)
        take = self.takes.pop(0) if self.takes else len(data)
        if take is None:
            return None
        if not isinstance(take, int):
            raise take
        self.written.append(data[:take])
        return take


class ReadingSteps(unittest.TestCase):
    def test_a_line_is_gathered_from_several_reads(self):
        raw = Script(b"on", b"e\ntw", b"o\n", b"rest")
        reader = Reader(raw, 8)
        self.assertEqual([reader.readline() for _ in range(4)], [b"one\n", b"two\n", b"rest", b""])

    def test_a_line_longer_than_the_buffer(self):
        reader = Reader(Script(*[b"x" * 4] * 10, b"\ny"), 4)
        self.assertEqual(reader.readline(), b"x" * 40 + b"\n")
        self.assertEqual(reader.read(), b"y")

    def test_limits_of_lines(self):
        reader = Reader(Script(b"abcdef\nx\n"))
        self.assertEqual([reader.readline(n) for n in (0, 2, 3, None, 1, -1)], [b"", b"ab", b"cde", b"f\n", b"x", b"\n"])

    def test_a_limit_does_not_wait_for_the_end_of_the_line(self):
        raw = Script(b"abc", AssertionError("read once too often"))
        self.assertEqual(Reader(raw).readline(3), b"abc")

    def test_readlines_and_their_hint(self):
        def lines(hint):
            return Reader(Script(b"a\nbb\nccc\nd")).readlines(hint)

        self.assertEqual(lines(-1), [b"a\n", b"bb\n", b"ccc\n", b"d"])
        self.assertEqual(lines(None), lines(0))
        self.assertEqual(lines(1), [b"a\n"])
        self.assertEqual(lines(2), [b"a\n", b"bb\n"])
        self.assertEqual(list(Reader(Script(b"a\nb"))), [b"a\n", b"b"])

    def test_read_waits_for_all_that_it_wants(self):
        reader = Reader(Script(b"ab", b"cd", b"ef"), 4)
        self.assertEqual(reader.read(3), b"abc")
        self.assertEqual(reader.read(0), b"")
        self.assertEqual(reader.read(10), b"def")
        self.assertEqual(reader.read(10), b"")

    def test_read_to_the_end(self):
        for arguments in ((), (-1,), (None,)):
            reader = Reader(Script(b"abc", b"def"), 4)
            self.assertEqual(reader.read(1), b"a")
            self.assertEqual(reader.read(*arguments), b"bcdef")
            self.assertEqual(reader.read(*arguments), b"")

    def test_read_to_the_end_by_readall(self):
        class WithReadall(Script):
            def readall(self):
                return self.answer

        raw = WithReadall(b"abc")
        reader = Reader(raw)
        reader.read(1)
        raw.answer = b"xyz"
        self.assertEqual(reader.read(), b"bcxyz")
        raw.answer = None
        self.assertIsNone(reader.read())
        raw.answer = "text"
        self.assertRaises(TypeError, reader.read)

    def test_read1_reads_once_at_most(self):
        raw = Script(b"abc", b"de", b"f")
        reader = Reader(raw, 8)
        self.assertEqual(reader.read1(2), b"ab")
        self.assertEqual(reader.read1(), b"c")
        self.assertEqual(reader.read1(0), b"")
        self.assertEqual(reader.read1(), b"de")
        self.assertEqual(reader.read1(100), b"f")
        self.assertEqual(reader.read1(-5), b"")

    def test_peek_takes_nothing(self):
        raw = Script(b"abc", b"de")
        reader = Reader(raw, 8)
        self.assertEqual(reader.peek(), b"abc")
        self.assertEqual(reader.peek(100), b"abc")
        self.assertEqual(reader.read(4), b"abcd")
        self.assertEqual(reader.peek(1), b"e")
        self.assertEqual(reader.read(1), b"e")
        self.assertEqual(reader.peek(), b"")

    def test_readinto(self):
        for size, pieces in ((3, [b"abc", b"de", b"fgh"]), (100, [b"abc", b"defgh"])):
            reader = Reader(Script(*pieces), size)
            memory = bytearray(6)
            self.assertEqual(reader.readinto(memory), 6)
            self.assertEqual(memory, b"abcdef")
            self.assertEqual(reader.readinto(memoryview(memory)[1:5]), 2)
            self.assertEqual(memory, b"aghdef")
            self.assertEqual(reader.readinto(memory), 0)
            self.assertEqual(reader.readinto(bytearray()), 0)
            self.assertRaises(TypeError, reader.readinto, b"abc")

    def test_readinto1_reads_once_at_most(self):
        reader = Reader(Script(b"abc", b"de", b"fgh"), 8)
        memory = bytearray(2)
        self.assertEqual(reader.readinto1(memory), 2)
        self.assertEqual(memory, b"ab")
        # More than fits the buffer is asked for even so.
        memory = bytearray(20)
        self.assertEqual(reader.readinto1(memory), 3)
        self.assertEqual(memory[:3], b"cde")
        memory = bytearray(5)
        self.assertEqual(reader.readinto1(memory), 3)

    def test_readinto_other_items_than_bytes(self):
        import array
        items = array.array("i", [0, 0])
        self.assertEqual(Reader(Script(b"\1\0\0\0\2\0\0\0\3")).readinto(items), 8)
        self.assertEqual(items.tolist(), [1, 2])

    def test_a_raw_object_that_would_block(self):
        self.assertIsNone(Reader(Script(None)).read(3))
        self.assertIsNone(Reader(Script(None)).read())
        self.assertEqual(Reader(Script(b"ab", None)).read(3), b"ab")
        self.assertEqual(Reader(Script(b"ab", None)).read(), b"ab")
        self.assertEqual(Reader(Script(b"ab", None, b"c\n")).readline(), b"ab")
        self.assertEqual(Reader(Script(None)).readline(), b"")
        self.assertEqual(Reader(Script(None)).read1(), b"")
        self.assertEqual(Reader(Script(None)).peek(), b"")
        self.assertIsNone(Reader(Script(None)).readinto(bytearray(3)))
        self.assertEqual(Reader(Script(b"ab", None)).readinto(bytearray(3)), 2)
        self.assertIsNone(Reader(Script(None)).readinto1(bytearray(3)))

    def test_the_size_is_what_is_asked_for(self):
        raw = Script(b"a\n")
        Reader(raw, 7).readline()
        self.assertEqual(raw.asked[0], 7)
        raw = Script(b"a\n")
        Reader(raw).readline()
        self.assertEqual(raw.asked[0], io.DEFAULT_BUFFER_SIZE)

    def test_raw_reads_that_lie(self):
        for answer, text in ((-1, "invalid length -1"), (1000, "invalid length 1000"), ("three", "failed")):
            raw = Script()
            raw.readinto = lambda memory: answer
            with self.assertRaisesRegex(OSError, text):
                Reader(raw, 8).read(3)

    def test_eintr_is_tried_again(self):
        raw = Script(InterruptedError(4, "interrupted"), b"abc")
        self.assertEqual(Reader(raw).read(3), b"abc")

    def test_reentrant_calls_are_refused(self):
        raw = Script()
        reader = Reader(raw)
        raw.readinto = lambda memory: len(reader.read(1))
        with self.assertRaisesRegex(RuntimeError, "reentrant call"):
            reader.read(1)
        raw.readinto = lambda memory: 0
        self.assertEqual(reader.read(1), b"")

    def test_an_error_leaves_it_usable(self):
        raw = Script(b"a\nb", KeyboardInterrupt(), b"c\n")
        reader = Reader(raw)
        self.assertEqual(reader.readline(), b"a\n")
        self.assertRaises(KeyboardInterrupt, reader.readline)
        self.assertIn(reader.readline(), (b"bc\n", b"c\n"))

    @ours_only
    def test_an_error_loses_no_byte(self):
        calls = (
            lambda reader: reader.readline(), lambda reader: reader.read(6), lambda reader: reader.readinto(bytearray(6)),
            lambda reader: reader.readlines(),
        )
        for number, call in enumerate(calls):
            for size in (2, 100):
                with self.subTest(call=number, size=size):
                    reader = Reader(Script(b"ab", KeyboardInterrupt(), b"cd\n"), size)
                    self.assertRaises(KeyboardInterrupt, call, reader)
                    self.assertEqual(reader.readline(), b"abcd\n")

    def test_arguments(self):
        raw = Script()
        for size in (0, -1):
            self.assertRaises(ValueError, Reader, raw, size)
        self.assertRaises(TypeError, Reader)
        self.assertRaises(TypeError, Reader, raw, "8")
        reader = Reader(raw=raw, buffer_size=8)
        self.assertRaisesRegex(ValueError, "must be non-negative or -1", reader.read, -2)
        for method in (reader.read, reader.readline, reader.read1, reader.readlines):
            self.assertRaises(TypeError, method, "1")
            self.assertRaises(TypeError, method, 1.0)

        class Unreadable(Script):
            def readable(self):
                return False

        self.assertRaises(io.UnsupportedOperation, Reader, Unreadable())


class WritingSteps(unittest.TestCase):
    def test_what_fits_is_kept_until_flush(self):
        raw = Script()
        writer = Writer(raw, 8)
        self.assertEqual(writer.write(b"abc"), 3)
        self.assertEqual(writer.write(bytearray(b"de")), 2)
        self.assertEqual(writer.write(memoryview(b"fgh")), 3)
        self.assertEqual(raw.written, [])
        writer.flush()
        self.assertEqual(raw.written, [b"abcdefgh"])
        writer.flush()
        self.assertEqual(raw.written, [b"abcdefgh"])

    def test_a_full_buffer_is_written_first(self):
        raw = Script()
        writer = Writer(raw, 4)
        writer.write(b"abc")
        writer.write(b"de")
        self.assertEqual(raw.written, [b"abc"])
        writer.flush()
        self.assertEqual(b"".join(raw.written), b"abcde")

    def test_more_than_the_buffer_goes_straight(self):
        raw = Script()
        writer = Writer(raw, 4)
        writer.write(b"ab")
        self.assertEqual(writer.write(b"0123456789"), 10)
        self.assertEqual(raw.written, [b"ab", b"0123456789"])

    def test_raw_writes_of_parts(self):
        raw = Script()
        raw.takes = [1, 2, 3]
        writer = Writer(raw, 4)
        self.assertEqual(writer.write(b"0123456789"), 10)
        writer.flush()
        self.assertEqual(b"".join(raw.written), b"0123456789")
        self.assertEqual(raw.written[:3], [b"0", b"12", b"345"])

    def test_other_items_than_bytes(self):
        import array
        raw = Script()
        raw.takes = [3]
        self.assertEqual(Writer(raw, 4).write(array.array("i", [1, 2])), 8)
        self.assertEqual(b"".join(raw.written)[:5], b"\1\0\0\0\2")

    def test_writelines(self):
        raw = Script()
        with Writer(raw) as writer:
            writer.writelines(line for line in (b"a", bytearray(b"b")))
            self.assertRaises(TypeError, writer.writelines, None)
            self.assertRaises(TypeError, writer.writelines, ["text"])
        self.assertEqual(raw.written, [b"ab"])

    def test_a_raw_object_that_would_block(self):
        raw = Script()
        writer = Writer(raw, 4)
        writer.write(b"abc")
        raw.takes = [None]
        with self.assertRaises(BlockingIOError) as caught:
            writer.flush()
        self.assertEqual(caught.exception.characters_written, 0)
        # Room for one byte more, and not for two.
        raw.takes = [None, None]
        self.assertEqual(writer.write(b"d"), 1)
        with self.assertRaises(BlockingIOError) as caught:
            writer.write(b"ef")
        self.assertEqual(caught.exception.characters_written, 0)
        raw.takes = [2, None]
        with self.assertRaises(BlockingIOError) as caught:
            writer.write(b"efgh")
        self.assertEqual(caught.exception.characters_written, 2)
        writer.flush()
        self.assertEqual(b"".join(raw.written), b"abcdef")
        raw.takes = [3, None]
        with self.assertRaises(BlockingIOError) as caught:
            writer.write(b"0123456789")
        self.assertEqual(caught.exception.characters_written, 7)
        writer.flush()
        self.assertEqual(b"".join(raw.written), b"abcdef0123456")

    def test_an_error_keeps_what_was_not_written(self):
        raw = Script()
        writer = Writer(raw, 8)
        writer.write(b"abcdef")
        raw.takes = [2, OSError("broken")]
        self.assertRaisesRegex(OSError, "broken", writer.flush)
        self.assertEqual(raw.written, [b"ab"])
        writer.flush()
        self.assertEqual(raw.written, [b"ab", b"cdef"])

    def test_eintr_is_tried_again(self):
        raw = Script()
        raw.takes = [InterruptedError(4, "interrupted")]
        with Writer(raw) as writer:
            writer.write(b"abc")
        self.assertEqual(raw.written, [b"abc"])

    def test_reentrant_calls_are_refused(self):
        raw = Script()
        writer = Writer(raw, 2)
        raw.write = lambda data: writer.write(b"abc")
        self.assertRaisesRegex(RuntimeError, "reentrant call", writer.write, b"abc")
        del raw.write
        self.assertEqual(writer.write(b"x"), 1)

    def test_closing_writes_and_closes_even_if_that_fails(self):
        raw = Script()
        writer = Writer(raw)
        writer.write(b"abc")
        raw.takes = [OSError("broken")]
        self.assertRaisesRegex(OSError, "broken", writer.close)
        self.assertTrue(raw.closed and writer.closed)
        writer.close()

        raw = Script()
        writer = Writer(raw)
        writer.write(b"abc")
        raw.takes = [OSError("broken")]
        raw.close = lambda: 1 / 0
        with self.assertRaises(ZeroDivisionError) as caught:
            writer.close()
        self.assertIsInstance(caught.exception.__context__, OSError)
        del raw.close

    def test_closing_calls_the_flush_of_the_object(self):
        for kind in (Reader, Writer):
            raw = Script()
            file = kind(raw)
            file.flush = lambda: 1 / 0
            self.assertRaises(ZeroDivisionError, file.close)
            self.assertTrue(raw.closed)

    def test_raw_writes_that_lie(self):
        for answer in (-1, 1000):
            raw = Script()
            writer = Writer(raw)
            writer.write(b"abc")
            raw.write = lambda data: answer
            with self.assertRaisesRegex(OSError, "invalid length"):
                writer.flush()
            del raw.write


class PairSteps(unittest.TestCase):
    def test_each_side_has_its_own_raw_object(self):
        one, other = Script(b"a\nbc"), Script()
        pair = Pair(one, other)
        self.assertEqual(pair.readline(), b"a\n")
        self.assertEqual(pair.peek(), b"bc")
        self.assertEqual((pair.read1(1), pair.read()), (b"b", b"c"))
        self.assertEqual(pair.write(b"out"), 3)
        pair.writelines([b"put"])
        pair.flush()
        self.assertEqual(other.written, [b"output"])
        self.assertTrue(pair.readable() and pair.writable())
        self.assertFalse(pair.seekable())
        for call in (pair.detach, pair.fileno, pair.tell, pair.truncate, lambda: pair.seek(0)):
            self.assertRaises(io.UnsupportedOperation, call)
        for name in ("raw", "name", "mode"):
            self.assertFalse(hasattr(pair, name))
        pair.close()
        self.assertTrue(one.closed and other.closed and pair.closed)

    def test_both_are_closed_whatever_fails(self):
        one, other = Script(), Script()
        pair = Pair(one, other)
        pair.write(b"abc")
        other.takes = [OSError("broken")]
        self.assertRaisesRegex(OSError, "broken", pair.close)
        self.assertTrue(one.closed and other.closed)

    def test_lines(self):
        self.assertEqual(list(Pair(Script(b"a\nb"), Script())), [b"a\n", b"b"])
        self.assertEqual(Pair(Script(b"a\nb"), Script()).readlines(), [b"a\n", b"b"])
        memory = bytearray(3)
        pair = Pair(Script(b"abcdef"), Script())
        self.assertEqual((pair.readinto(memory), pair.readinto1(memory)), (3, 3))


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
