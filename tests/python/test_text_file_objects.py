"""Text file objects over sockets. What CPython 3.14's `io.TextIOWrapper` does, unless marked."""

import gc
import io
import pickle
import socket
import unittest
import weakref

from support import SocketTestCase, Worker, ours_only

# Where lines are found among bytes, and where the VM's class is used.
NATIVE = ("utf-8", "ascii", "latin-1")
OTHERS = ("utf-16-le", "cp1252")


class Text(SocketTestCase):
    def reading(self, *pieces, ended=True, **how):
        """A file object that reads these pieces of bytes, each received on its own."""
        left, right = self.pair(kind=socket.SOCK_SEQPACKET)
        for piece in pieces:
            right.sendall(piece)
        if ended:
            right.close()
        how.setdefault("encoding", "utf-8")
        file = left.makefile("r", **how)
        self.addCleanup(file.close)
        return file

    def written(self, *texts, **how):
        left, right = self.pair()
        how.setdefault("encoding", "utf-8")
        with left.makefile("w", **how) as file:
            for text in texts:
                self.assertEqual(file.write(text), len(text))
        return right.recv(1 << 16)


class Reading(Text):
    def test_lines_in_each_encoding(self):
        text = "one\n\ntwo caf\xe9\nthree"
        for encoding in NATIVE + OTHERS:
            errors = "ignore" if encoding == "ascii" else "strict"
            data = text.encode(encoding, errors)
            lines = data.decode(encoding, errors).splitlines(True)
            with self.subTest(encoding=encoding):
                file = self.reading(data, encoding=encoding)
                self.assertEqual((file.readline(), list(file)), (lines[0], lines[1:]))
                self.assertEqual(self.reading(data, encoding=encoding).read(), "".join(lines))
                file = self.reading(data, encoding=encoding)
                self.assertEqual([file.read(2), file.readline(), file.read()], ["on", "e\n", "".join(lines[1:])])

    def test_each_newline(self):
        data = b"a\nb\rc\r\nd\r\r\ne"
        for newline, lines, seen in (
            (None, ["a\n", "b\n", "c\n", "d\n", "\n", "e"], ("\r", "\n", "\r\n")),
            ("", ["a\n", "b\r", "c\r\n", "d\r", "\r\n", "e"], ("\r", "\n", "\r\n")),
            ("\n", ["a\n", "b\rc\r\n", "d\r\r\n", "e"], None),
            ("\r", ["a\nb\r", "c\r", "\nd\r", "\r", "\ne"], None),
            ("\r\n", ["a\nb\rc\r\n", "d\r\r\n", "e"], None),
        ):
            for pieces in ([data], [data[at:at + 1] for at in range(len(data))], [data[:7], data[7:]]):
                with self.subTest(newline=newline, pieces=len(pieces)):
                    file = self.reading(*pieces, newline=newline)
                    self.assertEqual(list(file), lines)
                    self.assertEqual(file.newlines, seen)
                    file = self.reading(*pieces, newline=newline)
                    self.assertEqual([file.read(1) for _ in range(40)], list("".join(lines)) + [""] * (40 - len("".join(lines))))
                    self.assertEqual(self.reading(*pieces, newline=newline).read(), "".join(lines))

    def test_newlines_tell_what_was_met(self):
        file = self.reading(b"a\n", b"b\r\n", b"c")
        self.assertIsNone(file.newlines)
        file.readline()
        self.assertEqual(file.newlines, "\n")
        file.readline()
        self.assertEqual(file.newlines, ("\n", "\r\n"))

    def test_the_second_half_of_an_end_is_waited_for(self):
        left, right = self.pair()
        with left.makefile("r", encoding="ascii") as file:
            right.sendall(b"a\r")
            reader = Worker(file.readline).wait_blocked()
            right.sendall(b"\nb\n")
            self.assertEqual((reader.result(), file.readline()), ("a\n", "b\n"))
        self.assertEqual(self.reading(b"a\r").readline(), "a\n")

    def test_characters_that_come_in_pieces(self):
        text = "a\xe9\u20ac\U0001f600z\n"
        data = text.encode()
        for cut in range(1, len(data)):
            pieces = data[:cut], data[cut:]
            self.assertEqual(self.reading(*pieces).readline(), text)
            file = self.reading(*pieces)
            self.assertEqual([file.read(1) for _ in text], list(text))
            self.assertEqual(self.reading(*pieces).read(3), text[:3])

    def test_limits_count_characters(self):
        file = self.reading("\xe9\xe9\xe9\n\u20ac\u20ac\n".encode())
        got = [file.readline(n) for n in (0, 1, 5, 2, 100, -1)]
        self.assertEqual(got, ["", "\xe9", "\xe9\xe9\n", "\u20ac\u20ac", "\n", ""])

    def test_limits_of_lines_that_are_there(self):
        file = self.reading("first\n\xe9\xe9\xe9\nlast\n".encode())
        got = [file.readline(100), file.readline(2), file.readline(0), file.readline(2), file.readline(4), file.readline(9)]
        self.assertEqual(got, ["first\n", "\xe9\xe9", "", "\xe9\n", "last", "\n"])

    def test_a_limit_does_not_wait_for_the_end_of_the_line(self):
        file = self.reading("abc\xe9".encode(), ended=False)
        self.assertEqual((file.readline(2), file.readline(2)), ("ab", "c\xe9"))

    def test_read_and_lines_mixed(self):
        file = self.reading(b"abc\nd", b"ef\nghi\n")
        self.assertEqual([file.read(2), file.readline(), file.read(2), next(file), file.readlines()],
                         ["ab", "c\n", "de", "f\n", ["ghi\n"]])
        self.assertEqual((file.read(1), file.read(), file.readline()), ("", "", ""))

    def test_readlines_and_their_hint(self):
        for hint, lines in ((-1, ["a\n", "bb\n", "c"]), (None, ["a\n", "bb\n", "c"]), (1, ["a\n"]), (2, ["a\n", "bb\n"])):
            self.assertEqual(self.reading(b"a\nbb\nc").readlines(hint), lines)

    def test_errors(self):
        data = b"good\nb\xffd\ngood\n"
        for errors, bad in (("replace", "b\ufffdd\n"), ("ignore", "bd\n"), ("surrogateescape", "b\udcffd\n"),
                            ("backslashreplace", "b\\xffd\n")):
            with self.subTest(errors=errors):
                self.assertEqual(list(self.reading(data, errors=errors)), ["good\n", bad, "good\n"])
                self.assertEqual(self.reading(data, errors=errors).read(), "good\n" + bad + "good\n")
                file = self.reading(data, errors=errors)
                self.assertEqual(file.read(7) + file.readline(), ("good\n" + bad + "good\n")[:len("good\n" + bad)])
        for data in (b"\xe9\n", b"\xe2\x82", b"\xed\xa0\x80"):
            self.assertRaises(UnicodeDecodeError, self.reading(data).readline)
            self.assertRaises(UnicodeDecodeError, self.reading(data).read)
            self.assertRaises(UnicodeDecodeError, self.reading(data).read, 5)
        self.assertRaises(UnicodeDecodeError, self.reading(b"\x80\n", encoding="ascii").readline)

    @ours_only
    def test_an_error_leaves_the_lines_before_it(self):
        file = self.reading(b"good\nb\xffd\ngood\n")
        self.assertEqual(file.readline(), "good\n")
        self.assertRaises(UnicodeDecodeError, file.readline)
        self.assertEqual(file.readline(), "good\n")

    def test_a_socket_that_does_not_block(self):
        left, right = self.pair()
        left.setblocking(False)
        with left.makefile("r", encoding="utf-8") as file:
            self.assertEqual((file.readline(), file.read(1)), ("", ""))
            right.sendall(b"a\n")
            self.assertEqual(file.readline(), "a\n")

    def test_many_lines_over_tcp(self):
        left, right = self.tcp_pair()
        lines = ["\xe9%d" % number * (number % 30) + "\n" for number in range(5000)]
        sender = Worker(lambda: (right.sendall("".join(lines).encode()), right.shutdown(socket.SHUT_WR)))
        with left.makefile("r", encoding="utf-8") as file:
            self.assertEqual(list(file), lines)
        sender.result()


class Writing(Text):
    def test_each_encoding(self):
        for encoding in NATIVE + OTHERS:
            text = "plain\n" if encoding == "ascii" else "caf\xe9\n"
            self.assertEqual(self.written(text, encoding=encoding), text.encode(encoding))
        self.assertEqual(self.written("\u20ac\n"), "\u20ac\n".encode())

    def test_each_newline(self):
        for newline, ended in ((None, b"a\nb\n"), ("", b"a\nb\n"), ("\n", b"a\nb\n"), ("\r", b"a\rb\r"), ("\r\n", b"a\r\nb\r\n")):
            self.assertEqual(self.written("a\nb\n", newline=newline), ended)

    def test_errors(self):
        for encoding, text in (("utf-8", "\udcff"), ("ascii", "\xe9"), ("latin-1", "\u20ac")):
            left, right = self.pair()
            with left.makefile("w", encoding=encoding) as file:
                self.assertRaises(UnicodeEncodeError, file.write, text)
                file.write("fine")
            self.assertEqual(right.recv(10), b"fine")
        self.assertEqual(self.written("\udcff", errors="surrogateescape"), b"\xff")
        self.assertEqual(self.written("\xe9", encoding="ascii", errors="replace"), b"?")

    def test_what_is_no_text_is_refused(self):
        left, _ = self.pair()
        with left.makefile("w", encoding="utf-8") as file:
            for wrong in (b"bytes", None, 1, bytearray()):
                self.assertRaises(TypeError, file.write, wrong)
                self.assertRaises(TypeError, file.writelines, [wrong])

    def test_flush_and_line_buffering(self):
        left, right = self.pair()
        right.setblocking(False)
        with left.makefile("w", encoding="utf-8") as file:
            file.writelines(["a", "b\n"])
            self.assertRaises(BlockingIOError, right.recv, 10)
            file.flush()
            self.assertEqual(right.recv(10), b"ab\n")
            file.reconfigure(line_buffering=True)
            self.assertTrue(file.line_buffering)
            file.write("c")
            self.assertRaises(BlockingIOError, right.recv, 10)
            file.write("d\n")
            self.assertEqual(right.recv(10), b"cd\n")

    def test_much(self):
        left, right = self.tcp_pair()
        receiver = Worker(lambda: right.makefile("r", encoding="utf-8").read())
        text = "".join("%d\xe9\n" % number for number in range(100_000))
        with left.makefile("w", encoding="utf-8") as file:
            file.write(text[:10])
            file.write(text[10:])
        left.shutdown(socket.SHUT_WR)
        self.assertEqual(receiver.result(), text)

    def test_question_and_answer(self):
        left, right = self.pair()
        with left.makefile("rw", encoding="utf-8") as one, right.makefile("rw", encoding="utf-8") as other:
            for number in range(100):
                one.write(f"{number}?\n")
                one.flush()
                other.write(other.readline().replace("?", "!"))
                other.flush()
                self.assertEqual(one.readline(), f"{number}!\n")


class Shape(Text):
    def test_classes(self):
        left, _ = self.pair()
        for encoding in NATIVE + OTHERS:
            for mode in ("r", "w", "rw"):
                with left.makefile(mode, encoding=encoding) as file, self.subTest(encoding=encoding, mode=mode):
                    self.assertIsInstance(file, io.TextIOWrapper)
                    self.assertIsInstance(file, io.TextIOBase)
                    self.assertIsInstance(file, io.IOBase)
                    self.assertNotIsInstance(file, io.BufferedIOBase)
                    self.assertIs(file.__class__, io.TextIOWrapper)
                    self.assertEqual((file.mode, file.encoding, file.errors), (mode, encoding, "strict"))
                    self.assertIsInstance(file.buffer, io.BufferedIOBase)
                    self.assertEqual((file.line_buffering, file.write_through), (False, False))
                    self.assertEqual((file.readable(), file.writable()), ("r" in mode, "w" in mode))
                    self.assertFalse(file.seekable() or file.isatty())

    def test_repr(self):
        left, _ = self.pair()
        with left.makefile("r", encoding="latin-1") as file:
            self.assertEqual(repr(file), f"<_io.TextIOWrapper name={left.fileno()} mode='r' encoding='latin-1'>")
            self.assertEqual((file.name, file.fileno()), (left.fileno(), left.fileno()))

    def test_attributes_of_the_program(self):
        left, _ = self.pair()
        with left.makefile("r", encoding="utf-8") as file:
            file.tag = 1
            self.assertEqual(file.tag, 1)
            self.assertIs(weakref.ref(file)(), file)
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                self.assertRaises(TypeError, pickle.dumps, file, protocol)

    def test_what_it_cannot_do(self):
        left, _ = self.pair()
        reader, writer = left.makefile("r", encoding="utf-8"), left.makefile("w", encoding="utf-8")
        self.addCleanup(reader.close)
        self.addCleanup(writer.close)
        for call in (reader.tell, lambda: reader.seek(0), reader.truncate, lambda: reader.write("x"), writer.read, writer.readline,
                     lambda: next(writer), writer.tell):
            self.assertRaises(io.UnsupportedOperation, call)
        self.assertRaises(TypeError, reader.readline, "x")
        self.assertRaises(TypeError, reader.read, "x")

    def test_closed_ones_refuse(self):
        left, _ = self.pair()
        file = left.makefile("rw", encoding="utf-8")
        file.close()
        file.close()
        self.assertTrue(file.closed)
        for call in (file.read, file.readline, lambda: next(file), lambda: iter(file), lambda: file.write("x"), file.flush,
                     file.__enter__, lambda: file.writelines([]), file.tell):
            self.assertRaises(ValueError, call)
        self.assertEqual(left._io_refs, 0)

    def test_detached_ones_refuse(self):
        left, right = self.pair()
        file = left.makefile("w", encoding="utf-8")
        file.write("flushed")
        buffer = file.buffer
        self.assertIs(file.detach(), buffer)
        self.assertEqual(right.recv(10), b"flushed")
        for call in (file.detach, file.close, file.flush, file.fileno, lambda: file.closed, lambda: file.buffer, lambda: file.write("x")):
            self.assertRaisesRegex(ValueError, "underlying buffer has been detached", call)
        self.assertFalse(buffer.closed)
        del file
        gc.collect()
        self.assertFalse(buffer.closed)
        buffer.close()

    def test_closing_writes_and_closes_even_if_that_fails(self):
        left, right = self.pair()
        file = left.makefile("w", encoding="utf-8")
        file.write("x")
        right.close()
        self.assertRaises(BrokenPipeError, file.close)
        self.assertTrue(file.closed)
        self.assertEqual(left._io_refs, 0)

    def test_arguments(self):
        left, _ = self.pair()
        self.assertRaises(ValueError, left.makefile, "r", newline="x")
        self.assertRaises(LookupError, left.makefile, "r", encoding="no-such")
        self.assertRaises(LookupError, left.makefile, "r", encoding="base64")
        self.assertRaises(TypeError, left.makefile, "r", encoding=3)
        self.assertRaises(TypeError, left.makefile, "r", encoding="utf-8", errors=3)
        self.assertRaises(TypeError, left.makefile, "r", encoding="utf-8", newline=3)
        gc.collect()

    def test_the_encoding_of_the_locale(self):
        left, _ = self.pair()
        with left.makefile("r") as file, io.TextIOWrapper(io.BytesIO()) as other:
            self.assertEqual(file.encoding, other.encoding)


if __name__ == "__main__":
    unittest.main()
