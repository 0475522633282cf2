"""Buffered file objects over raw objects written in Python, step by step. What CPython 3.14's `io` does, on its own classes too."""

import io
import unittest

from file_support import Pair, Reader, Script, Writer
from support import ours_only


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


if __name__ == "__main__":
    unittest.main()
