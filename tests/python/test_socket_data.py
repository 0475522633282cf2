"""Sending and receiving in every form, options, and file objects over sockets."""

import array
import errno
import io
import os
import socket
import struct
import tempfile
import unittest

from support import DEADLINE, HOST, SocketTestCase, Worker, wait_for


class Data(SocketTestCase):
    def test_recvmsg(self):
        for left, right in (self.tcp_pair(), self.pair()):
            right.sendall(b"0123456789")
            self.assertEqual(left.recvmsg(4)[0], b"0123")
            data, ancillary, flags, _address = left.recvmsg(100, 100)
            self.assertEqual((data, ancillary, flags), (b"456789", [], 0))

    def test_recvmsg_into(self):
        left, right = self.pair()
        right.sendall(b"0123456789")
        buffers = [bytearray(3), array.array("B", [0] * 4), memoryview(bytearray(10))[2:6]]
        count, ancillary, flags, _address = left.recvmsg_into(buffers)
        self.assertEqual((count, ancillary, flags), (10, [], 0))
        self.assertEqual([bytes(buffer) for buffer in buffers], [b"012", b"3456", b"789\0"])

    def test_sendmsg_with_address(self):
        first, second = self.udp(), self.udp()
        self.assertEqual(first.sendmsg([b"to", bytearray(b"ge"), memoryview(b"ther")], [], 0, second.getsockname()), 8)
        self.assertEqual(second.recvmsg(100), (b"together", [], 0, first.getsockname()))

    def test_ancillary_data_in_and_out(self):
        left, right = self.pair()
        with tempfile.TemporaryFile() as file:
            rights = array.array("i", [file.fileno()])
            left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        size = socket.CMSG_SPACE(4)
        data, ancillary, flags, _ = right.recvmsg(10, size)
        self.assertEqual(data, b"x")
        [(level, kind, payload)] = ancillary
        self.assertEqual((level, kind, len(payload)), (socket.SOL_SOCKET, socket.SCM_RIGHTS, 4))
        os.close(struct.unpack("i", payload)[0])

    def test_truncated_ancillary_data(self):
        left, right = self.pair()
        with tempfile.TemporaryFile() as file:
            socket.send_fds(left, [b"x"], [file.fileno()] * 4)
        data, ancillary, flags, _ = right.recvmsg(10, socket.CMSG_LEN(4))
        self.assertTrue(flags & socket.MSG_CTRUNC)
        for _level, _kind, payload in ancillary:
            for number in array.array("i", payload[:len(payload) - len(payload) % 4]):
                os.close(number)

    def test_credentials(self):
        left, right = self.pair()
        right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        left.send(b"who")
        data, ancillary, _flags, _ = right.recvmsg(10, 100)
        [(level, kind, payload)] = ancillary
        self.assertEqual((level, kind), (socket.SOL_SOCKET, socket.SCM_CREDENTIALS))
        self.assertEqual(struct.unpack("3i", payload), (os.getpid(), os.getuid(), os.getgid()))

    def test_peek(self):
        left, right = self.tcp_pair()
        right.sendall(b"abc")
        wait_for(lambda: left.recv(10, socket.MSG_PEEK) == b"abc", "the bytes arrive")
        self.assertEqual(left.recv(2, socket.MSG_PEEK), b"ab")
        self.assertEqual(left.recv(10), b"abc")

    def test_peek_at_all(self):
        """A Unix stream does not wait for more than there is to peek at, as TCP does."""
        flags = socket.MSG_PEEK | socket.MSG_WAITALL
        for call in (lambda sock: sock.recv(6, flags), lambda sock: sock.recvmsg(6, 0, flags)[0],
                     lambda sock: sock.recvmsg(6, 100, flags)[0],
                     lambda sock: self.into(sock, lambda buffer: sock.recv_into(buffer, 6, flags))):
            left, right = self.pair()
            right.sendall(b"abc")
            self.assertEqual(Worker(call, left).result(), b"abc")
            left, right = self.tcp_pair()
            right.sendall(b"abc")
            worker = Worker(call, left).wait_blocked()
            right.sendall(b"def")
            self.assertEqual(worker.result(), b"abcdef")

    def test_waitall(self):
        for make in self.tcp_pair, self.pair:
            for call in (lambda sock: sock.recv(10, socket.MSG_WAITALL),
                         lambda sock: self.into(sock, lambda buffer: sock.recv_into(buffer, 10, socket.MSG_WAITALL)),
                         lambda sock: sock.recvmsg(10, 0, socket.MSG_WAITALL)[0],
                         lambda sock: sock.recvfrom(10, socket.MSG_WAITALL)[0]):
                left, right = make()
                right.sendall(b"012")
                wait_for(lambda: left.recv(10, socket.MSG_PEEK), "the first part arrives")
                worker = Worker(call, left).wait_blocked()
                right.sendall(b"345")
                wait_for(lambda: worker.ended is None, "still waiting")
                right.sendall(b"6789abc")
                self.assertEqual(worker.result(), b"0123456789")
                left.settimeout(DEADLINE)
                self.assertEqual(left.recv(10), b"abc")

    def into(self, sock, call):
        buffer = bytearray(10)
        return bytes(buffer[:call(buffer)])

    def test_waitall_at_the_end_of_the_stream(self):
        left, right = self.tcp_pair()
        right.sendall(b"012")
        right.shutdown(socket.SHUT_WR)
        self.assertEqual(left.recv(10, socket.MSG_WAITALL), b"012")

    def test_send_without_a_timeout_sends_everything(self):
        payload = os.urandom(1 << 20) * 4
        for make in self.tcp_pair, self.pair:
            for call in (lambda sock: sock.send(payload), lambda sock: sock.sendmsg([payload]),
                         lambda sock: sock.sendmsg([payload[:1000], payload[1000:]])):
                left, right = make()
                worker = Worker(call, left).wait_blocked()
                got = bytearray()
                while len(got) < len(payload):
                    got += right.recv(1 << 16)
                self.assertEqual(worker.result(), len(payload))
                self.assertTrue(got == payload)

    def test_send_with_a_timeout_sends_a_part(self):
        left, _right = self.tcp_pair()
        left.settimeout(DEADLINE)
        count = left.send(bytes(1 << 26))
        self.assertTrue(0 < count < 1 << 26)

    def test_dontwait(self):
        left, _right = self.pair()
        for call in (lambda: left.recv(1, socket.MSG_DONTWAIT), lambda: left.recvmsg(1, 0, socket.MSG_DONTWAIT),
                     lambda: left.recv_into(bytearray(1), 1, socket.MSG_DONTWAIT)):
            with self.assertRaises(BlockingIOError):
                call()
        self.fill(left)
        with self.assertRaises(BlockingIOError):
            left.send(bytes(65536), socket.MSG_DONTWAIT)

    def test_error_queue_does_not_wait(self):
        sock = self.udp()
        with self.assertRaises(BlockingIOError):
            sock.recvmsg(1, 100, socket.MSG_ERRQUEUE)

    def test_trunc(self):
        first, second = self.udp(), self.udp()
        first.sendto(b"0123456789", second.getsockname())
        data, _ancillary, flags, _ = second.recvmsg(4)
        self.assertEqual(data, b"0123")
        self.assertTrue(flags & socket.MSG_TRUNC)
        first.sendto(b"0123456789", second.getsockname())
        buffer = bytearray(4)
        # The kernel answers with the datagram's whole length; CPython hands that on.
        self.assertEqual(second.recv_into(buffer, 4, socket.MSG_TRUNC), 10)
        self.assertEqual(buffer, b"0123")

    def test_out_of_band(self):
        left, right = self.tcp_pair()
        left.send(b"!", socket.MSG_OOB)
        right.settimeout(DEADLINE)

        def urgent():
            try:
                return right.recv(1, socket.MSG_OOB)
            except (BlockingIOError, OSError):
                return b""
        right.setblocking(False)
        self.assertEqual(wait_for(urgent, "the urgent byte"), b"!")

    def test_no_sigpipe(self):
        left, right = self.pair()
        right.close()
        for call in left.send, left.sendall, lambda data: left.sendmsg([data]):
            with self.assertRaises(BrokenPipeError):
                call(b"x")

    def test_empty_messages(self):
        left, right = self.pair(kind=socket.SOCK_DGRAM)
        self.assertEqual(left.send(b""), 0)
        self.assertEqual(right.recv(10), b"")
        left.send(b"dropped")
        self.assertEqual(right.recv(0), b"")
        left, right = self.tcp_pair()
        self.assertEqual((left.send(b""), left.sendall(b"")), (0, None))
        self.assertEqual(left.recv(0), b"")
        self.assertEqual(left.recv_into(bytearray()), 0)

    def test_recv_into_without_a_count_fills_the_buffer(self):
        left, right = self.pair()
        right.sendall(b"0123456789")
        for count in (), (0,):
            buffer = bytearray(5)
            self.assertEqual(left.recv_into(buffer, *count), 5)
        self.assertEqual(buffer, b"56789")

    def test_kinds_of_buffers(self):
        left, right = self.pair()
        for data in b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), array.array("B", b"abcd"), memoryview(b"xabcdx")[1:5]:
            self.assertEqual(left.send(data), 4)
            self.assertEqual(right.recv(10), b"abcd")
        numbers = array.array("i", [0, 0])
        left.sendall(struct.pack("ii", 5, 6))
        self.assertEqual(right.recv_into(numbers), 8)
        self.assertEqual(list(numbers), [5, 6])

    def test_unix_addresses(self):
        with tempfile.TemporaryDirectory() as folder:
            for path, seen in ((f"{folder}/text", f"{folder}/text"), (f"{folder}/bytes".encode(), f"{folder}/bytes"),
                               (bytearray(f"{folder}/array".encode()), f"{folder}/array"),
                               (f"{folder}/näme", f"{folder}/näme"), (b"\0abstract-reactor", b"\0abstract-reactor"),
                               ("\0abstract-text", b"\0abstract-text"), (b"\0with\0nul", b"\0with\0nul")):
                sock = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                self.assertEqual(sock.getsockname(), "")
                sock.bind(path)
                self.assertEqual(sock.getsockname(), seen)
                sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                sender.sendto(b"x", path)
                data, address = sock.recvfrom(10)
                self.assertEqual((data, address), (b"x", None if address is None else ""))
        unnamed = self.keep(socket.socket(socket.AF_UNIX))
        unnamed.bind("")
        self.assertTrue(unnamed.getsockname().startswith(b"\0"))

    def test_hosts_in_every_form(self):
        for host in HOST, b"127.0.0.1", bytearray(b"127.0.0.1"), "localhost", "", "<broadcast>", "127.1":
            sock = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.bind((host, 0))
            special = {"": "0.0.0.0", "<broadcast>": "255.255.255.255"}
            self.assertEqual(sock.getsockname()[0], special[host] if isinstance(host, str) and host in special else HOST)


class Options(SocketTestCase):
    def test_four_forms(self):
        sock = self.keep(socket.socket())
        # A number, and a number read back.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR), 1)
        # Bytes, and bytes read back.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, struct.pack("i", 0))
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 4), struct.pack("i", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bytearray(struct.pack("i", 1)))
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
        # No value and a length: a null pointer, which this option refuses.
        with self.assertRaises(OSError) as caught:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, None, 4)
        self.assertErrno(caught.exception, errno.EFAULT)

    def test_more_room_than_needed(self):
        sock = self.keep(socket.socket())
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 100), struct.pack("i", socket.SOCK_STREAM))
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 0), socket.SOCK_STREAM)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE, 1024)[:4], struct.pack("i", 1))

    def test_linger(self):
        left, right = self.tcp_pair()
        left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.assertEqual(struct.unpack("ii", left.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)), (1, 0))
        left.close()
        right.settimeout(DEADLINE)
        with self.assertRaises(ConnectionResetError):
            right.recv(1)

    def test_error_and_state(self):
        sock = self.keep(socket.socket())
        with socket.create_server((HOST, 0)) as server:
            address = server.getsockname()
        sock.setblocking(False)
        self.assertIn(sock.connect_ex(address), (errno.EINPROGRESS, errno.ECONNREFUSED))
        listener = self.listener()
        self.assertEqual(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)

    def test_tcp_options(self):
        left, _right = self.tcp_pair()
        left.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.assertNotEqual(left.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 0)
        self.assertGreater(len(left.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)), 90)


class Files(SocketTestCase):
    def test_classes(self):
        left, _right = self.pair()
        kinds = {
            ("r", None): io.TextIOWrapper, ("w", None): io.TextIOWrapper, ("rw", None): io.TextIOWrapper,
            ("rb", None): io.BufferedReader, ("wb", None): io.BufferedWriter, ("rwb", None): io.BufferedRWPair,
            ("rb", 0): socket.SocketIO, ("wb", 0): socket.SocketIO, ("rwb", 0): socket.SocketIO,
        }
        for (mode, buffering), kind in kinds.items():
            with left.makefile(mode, buffering=buffering) as file:
                self.assertIsInstance(file, {io.TextIOWrapper: io.TextIOBase, socket.SocketIO: io.RawIOBase}.get(kind, io.BufferedIOBase))
                self.assertEqual(file.readable(), "r" in mode)
                self.assertEqual(file.writable(), "w" in mode)
                self.assertFalse(file.seekable())
                self.assertEqual(file.closed, False)
            self.assertTrue(file.closed)

    def test_lines(self):
        left, right = self.tcp_pair()
        lines = [b"line %d\n" % number for number in range(5000)] + [b"x" * 100_000 + b"\n", b"no end"]

        def write():
            right.sendall(b"".join(lines))
            right.shutdown(socket.SHUT_WR)
        for how in "iterate", "readline", "readlines":
            left, right = self.tcp_pair()
            writer = Worker(write)
            with left.makefile("rb") as file:
                if how == "iterate":
                    got = list(file)
                elif how == "readline":
                    got = list(iter(file.readline, b""))
                else:
                    got = file.readlines()
            writer.result()
            self.assertEqual(got, lines)

    def test_reading(self):
        left, right = self.tcp_pair()
        right.sendall(b"0123456789abcdefghij\nrest")
        right.shutdown(socket.SHUT_WR)
        with left.makefile("rb", buffering=8) as file:
            self.assertEqual(file.read(3), b"012")
            self.assertEqual(file.read(0), b"")
            self.assertTrue(b"3456789a".startswith(file.peek(1)[:8]))
            self.assertEqual(file.readline(4), b"3456")
            buffer = bytearray(5)
            self.assertEqual(file.readinto(buffer), 5)
            self.assertEqual(buffer, b"789ab")
            self.assertEqual(file.readline(), b"cdefghij\n")
            self.assertIn(file.read1(100), (b"rest", b"r", b"re", b"res"))
            file.read()
            self.assertEqual(file.read(), b"")
            self.assertEqual(file.read(10), b"")
            self.assertEqual(file.readline(), b"")

    def test_writing(self):
        left, right = self.pair()
        right.settimeout(DEADLINE)
        with left.makefile("wb") as file:
            self.assertEqual(file.write(b"buffered"), 8)
            right.setblocking(False)
            self.assertRaises(BlockingIOError, right.recv, 1)
            right.settimeout(DEADLINE)
            file.flush()
            self.assertEqual(right.recv(100), b"buffered")
            file.writelines([b"a", b"b"])
        self.assertEqual(right.recv(100), b"ab")
        with left.makefile("wb", buffering=0) as file:
            self.assertEqual(file.write(memoryview(b"at once")), 7)
            self.assertEqual(right.recv(100), b"at once")

    def test_large_write(self):
        left, right = self.tcp_pair()
        payload = os.urandom(1 << 20) * 8

        def write():
            with left.makefile("wb") as file:
                file.write(payload)
            left.shutdown(socket.SHUT_WR)
        worker = Worker(write)
        with right.makefile("rb") as file:
            got = file.read()
        worker.result()
        self.assertTrue(got == payload)

    def test_text(self):
        left, right = self.pair()
        with left.makefile("rw", encoding="utf-8", newline="\n") as a, right.makefile("rw", encoding="utf-8", newline="\n") as b:
            a.write("grüße\nzwei\n")
            a.flush()
            self.assertEqual([b.readline(), b.readline()], ["grüße\n", "zwei\n"])

    def test_close_waits_for_the_files(self):
        left, right = self.pair()
        file = left.makefile("rwb", buffering=0)
        left.close()
        self.assertGreaterEqual(file.fileno(), 0)
        right.sendall(b"x")
        self.assertEqual(file.read(1), b"x")
        file.close()
        self.assertEqual(left.fileno(), -1)
        right.settimeout(DEADLINE)
        self.assertEqual(right.recv(1), b"")

    def test_non_blocking_file(self):
        left, right = self.pair()
        left.setblocking(False)
        with left.makefile("rwb", buffering=0) as file:
            self.assertIsNone(file.read(1))
            self.assertIsNone(file.readinto(bytearray(1)))
            self.fill(left)
            self.assertIsNone(file.write(bytes(65536)))

    def test_raw_file(self):
        left, right = self.pair()
        with left.makefile("rb", buffering=0) as file:
            self.assertIsInstance(file, socket.SocketIO)
            self.assertEqual((file.name, file.mode), (left.fileno(), "rb"))
            with self.assertRaises(OSError):
                file.write(b"x")
        with self.assertRaises(ValueError):
            file.read(1)
        self.assertEqual(file.name, -1)

    def test_two_files_of_one_socket(self):
        left, right = self.tcp_pair()

        def echo():
            with right.makefile("rb") as source, right.makefile("wb", buffering=0) as sink:
                for line in source:
                    sink.write(line.upper())
        worker = Worker(echo)
        with left.makefile("rb") as source, left.makefile("wb") as sink:
            for number in range(500):
                sink.write(b"line %d\n" % number)
                sink.flush()
                self.assertEqual(source.readline(), b"LINE %d\n" % number)
            left.shutdown(socket.SHUT_WR)
        worker.result()


class SendFile(SocketTestCase):
    def setUp(self):
        self.data = os.urandom(1 << 20) * 5
        self.file = tempfile.TemporaryFile()
        self.addCleanup(self.file.close)
        self.file.write(self.data)
        self.file.seek(0)

    def transfer(self, method, *arguments, source=None, timeout=DEADLINE):
        left, right = self.tcp_pair()
        left.settimeout(timeout)

        def send():
            sent = getattr(left, method)(source or self.file, *arguments)
            left.shutdown(socket.SHUT_WR)
            return sent
        worker = Worker(send)
        got = bytearray()
        while part := right.recv(1 << 16):
            got += part
        return worker.result(), got

    def test_whole(self):
        for method in "sendfile", "_sendfile_use_send", "_sendfile_use_sendfile":
            for timeout in None, DEADLINE:
                self.file.seek(0)
                sent, got = self.transfer(method, timeout=timeout)
                self.assertEqual(sent, len(self.data))
                self.assertTrue(got == self.data)
                self.assertEqual(self.file.tell(), len(self.data))

    def test_part(self):
        for method in "sendfile", "_sendfile_use_send":
            sent, got = self.transfer(method, 1000, 70_000)
            self.assertEqual(sent, 70_000)
            self.assertTrue(got == self.data[1000:71_000])
            self.assertEqual(self.file.tell(), 71_000)

    def test_not_a_real_file(self):
        sent, got = self.transfer("sendfile", 5, source=io.BytesIO(b"0123456789"))
        self.assertEqual((sent, got), (5, b"56789"))

    def test_past_the_end(self):
        sent, got = self.transfer("sendfile", len(self.data) + 10)
        self.assertEqual((sent, got), (0, b""))

    def test_non_blocking(self):
        left, _right = self.tcp_pair()
        left.setblocking(False)
        with self.assertRaises(ValueError):
            left.sendfile(self.file)

    def test_timeout(self):
        left, _right = self.tcp_pair()
        left.settimeout(0.05)
        self.file.seek(0)
        self.file.truncate(1 << 26)
        with self.assertRaises(TimeoutError):
            left.sendfile(self.file)


if __name__ == "__main__":
    unittest.main()
