"""The buffers of sendmsg, recvmsg and recvmsg_into: of any number and kind, and changed by others during the call."""

import array
import ctypes
import errno
import gc
import mmap
import select
import socket
import threading
import unittest

from support import SocketTestCase, Worker, ours_only

def rights(*descriptors):
    return (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))


class BufferTest(SocketTestCase):
    def test_any_number_to_send(self):
        for count in 0, 1, 2, 1023, 1024:
            with self.subTest(count=count):
                left, right = self.pair(kind=socket.SOCK_SEQPACKET)
                self.assertEqual(left.sendmsg([b"x"] * count), count)
                self.assertEqual(len(right.recvmsg(5000)[0]), count)
        for count in 1025, 100_000:
            for buffer in b"x", b"", bytearray(b"x"):
                with self.subTest(count=count, buffer=buffer), self.assertRaises(OSError) as caught:
                    left.sendmsg([buffer] * count)
                self.assertErrno(caught.exception, errno.EMSGSIZE)

    def test_any_number_to_receive_into(self):
        for count in 0, 1, 2, 1023, 1024:
            with self.subTest(count=count):
                left, right = self.pair(kind=socket.SOCK_SEQPACKET)
                left.send(bytes(range(256)) * 4)
                buffers = [bytearray(1) for _ in range(count)]
                length, _, flags, _ = right.recvmsg_into(buffers)
                self.assertEqual(length, count)
                self.assertEqual(b"".join(buffers), (bytes(range(256)) * 4)[:count])
                self.assertEqual(bool(flags & socket.MSG_TRUNC), count < 1024)
        for count in 1025, 100_000:
            with self.subTest(count=count), self.assertRaises(OSError) as caught:
                left.send(b"x")
                right.recvmsg_into([bytearray(1) for _ in range(count)])
            self.assertErrno(caught.exception, errno.EMSGSIZE)
        # Nothing was taken.
        self.assertEqual(right.recv(1), b"x")

    def test_any_kind(self):
        mapped = mmap.mmap(-1, 16)
        self.addCleanup(mapped.close)
        foreign = (ctypes.c_ubyte * 4)()
        wide = array.array("H", [0, 0])
        bits = bytearray(6)
        left, right = self.pair()
        left.send(bytes(range(30)))
        buffers = [mapped, foreign, wide, bytearray(0), memoryview(bits).cast("B", (2, 3))]
        self.assertEqual(right.recvmsg_into(buffers)[0], 30)
        everything = b"".join([mapped[:], bytes(foreign), wide.tobytes(), bits])
        self.assertEqual(everything, bytes(range(30)))
        self.assertEqual(left.sendmsg([*buffers, memoryview(b"abcd").cast("I"), b""]), 34)
        self.assertEqual(right.recv(100), everything + b"abcd")

    def test_refused_kinds(self):
        left, right = self.pair()
        left.send(b"x")
        for buffer in (memoryview(bytearray(6))[::2], memoryview(bytearray(6))[::-1]):
            with self.assertRaises(BufferError):
                left.sendmsg([b"x", buffer])
        message = "recvmsg_into() argument 1 must be an iterable of single-segment read-write buffers"
        for buffer in b"bytes", "text", None, 1, memoryview(b"x"), memoryview(bytearray(6))[::2]:
            with self.subTest(buffer=buffer), self.assertRaises(TypeError) as caught:
                right.recvmsg_into([bytearray(1), buffer])
            self.assertEqual(str(caught.exception), message)
        self.assertEqual(right.recv(10), b"x")

    def test_one_buffer_twice_and_overlapping_views(self):
        left, right = self.pair()
        data = bytearray(b"abc")
        self.assertEqual(left.sendmsg([data, data, memoryview(data)[1:], data]), 11)
        self.assertEqual(right.recv(100), b"abcabcbcabc")
        left.send(b"0123456789")
        target = bytearray(8)
        view = memoryview(target)
        self.assertEqual(right.recvmsg_into([view[0:4], view[2:6], view[4:8]])[0], 10)
        self.assertEqual(target, b"01456789"[:2] + b"4589" + b"\0\0")

    def test_an_iterable_that_fails_half_way(self):
        class Mine(Exception):
            pass

        def buffers(error):
            yield bytearray(1)
            raise error

        def items(error):
            yield rights(0)
            raise error

        left, right = self.pair()
        calls = (lambda error: left.sendmsg(buffers(error)), lambda error: left.sendmsg([b"x"], items(error)),
                 lambda error: right.recvmsg_into(buffers(error)))
        for call in calls:
            # CPython 3.14 makes a TypeError of any exception.
            with self.assertRaises((Mine, TypeError)):
                call(Mine())
            with self.assertRaises(TypeError):
                call(TypeError())
        left.setblocking(False)
        right.setblocking(False)
        with self.assertRaises(BlockingIOError):
            right.recv(1)

    @ours_only
    def test_an_interrupted_iterable_is_not_a_type_error(self):
        def interrupted():
            yield b"x"
            raise KeyboardInterrupt

        left, right = self.pair()
        for call in left.sendmsg, right.recvmsg_into, lambda items: left.sendmsg([], items):
            with self.assertRaises(KeyboardInterrupt):
                call(interrupted())

    def test_an_iterable_that_closes_the_socket(self):
        def closing(sock, item):
            sock.close()
            yield item

        for call in (lambda sock: sock.sendmsg(closing(sock, b"x")), lambda sock: sock.sendmsg([b"x"], closing(sock, rights(0))),
                     lambda sock: sock.recvmsg_into(closing(sock, bytearray(1)))):
            with self.assertRaises(OSError) as caught:
                call(self.pair()[0])
            self.assertErrno(caught.exception, errno.EBADF)

    def test_an_iterable_that_resizes_a_buffer(self):
        left, right = self.pair()
        data = bytearray(b"abcd")

        def resizing(item):
            # Before the call holds the buffer, and then again: the sizes are those of the time that it takes hold.
            data.extend(b"ef")
            yield item
            data.extend(b"gh")

        self.assertEqual(left.sendmsg(resizing(data)), 8)
        self.assertEqual(right.recv(100), b"abcdefgh")
        # The data is held by now.
        with self.assertRaises((BufferError, TypeError)):
            left.sendmsg([data], resizing(rights(0)))
        self.assertEqual(data, b"abcdefgh")
        data.append(0)


class ExportTest(SocketTestCase):
    """A bytearray in a blocked call: others read and write it, and cannot resize it."""

    def check(self, data, worker, finish):
        worker.wait_blocked()
        for resize in (lambda: data.append(1), data.clear, lambda: data.__delitem__(0)):
            with self.assertRaises(BufferError):
                resize()

        def use():
            data[-1] = 65
            return bytes(data)

        # In a thread of its own, as it would hang where the call held a lock.
        self.assertEqual(Worker(use).result()[-1], 65)
        finish()
        worker.result()
        worker.call = None
        gc.collect()
        data.append(1)

    def test_receiving(self):
        for number, buffers in enumerate((
            lambda data: [data], lambda data: [data, bytearray(3)], lambda data: [memoryview(data)[2:5]],
            lambda data: [memoryview(data)[0:3], memoryview(data)[2:5]],
        )):
            with self.subTest(number=number):
                left, right = self.pair()
                data = bytearray(8)
                call = lambda: (right.recvmsg_into(buffers(data)), None)[1]
                self.check(data, Worker(call), lambda: left.send(b"123"))
                self.assertIn(b"123", bytes(data))

    def test_sending(self):
        for number, buffers in enumerate((
            lambda data: [data], lambda data: [data, data], lambda data: [memoryview(data)[:-5], memoryview(data)[5:]],
        )):
            with self.subTest(number=number):
                left, right = self.pair()
                data = bytearray(1 << 20)
                size = sum(map(len, buffers(data)))
                gc.collect()

                def drain():
                    total = 0
                    while total < size:
                        total += len(right.recv(1 << 20))

                self.check(data, Worker(lambda: left.sendmsg(buffers(data))), drain)

    def test_with_many_writers(self):
        left, right = self.pair()
        data = bytearray(64)
        stop = threading.Event()

        def scribble():
            while not stop.is_set():
                data[5] = 7
                try:
                    data.append(1)
                    data.pop()
                except BufferError:
                    pass

        writers = [Worker(scribble) for _ in range(3)]
        self.addCleanup(stop.set)
        for _ in range(300):
            self.assertEqual(left.sendmsg([data, memoryview(data)[:4]]) > 64, True)
            got = 0
            while got < 4 or select.select([right], [], [], 0)[0]:
                got += right.recvmsg_into([data, memoryview(data)[:8]])[0]
        stop.set()
        for writer in writers:
            writer.result()


if __name__ == "__main__":
    unittest.main()
