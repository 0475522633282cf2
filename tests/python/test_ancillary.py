"""Ancillary data: its items in sendmsg, recvmsg and recvmsg_into, descriptors that are passed, and sendmsg_afalg."""

import array
import errno
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import unittest

from support import DEADLINE, HERE, HOST, SocketTestCase, Worker, need_cpython, ours_only, run_python, wait_for

INT = array.array("i").itemsize
# The kernel's numbers where the module's constant is newer than 3.12.
IP_TOS, IP_TTL, IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS = 1, 2, 8, 11, 12, 13
SO_TIMESTAMP, SO_TIMESTAMPNS = 29, 35


def rights(*descriptors):
    return (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))


def received_descriptors(ancillary):
    numbers = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(bytes(data)[:len(bytes(data)) // INT * INT])
    return list(numbers)


class DescriptorTest(SocketTestCase):
    """SCM_RIGHTS: each received descriptor is Python's, and there is no other."""

    def setUp(self):
        self.file = tempfile.TemporaryFile()
        self.addCleanup(self.file.close)
        status = os.fstat(self.file.fileno())
        self.identity = status.st_dev, status.st_ino

    def copies(self):
        """This process's descriptors of the file."""
        found = []
        for name in os.listdir("/proc/self/fd"):
            try:
                status = os.fstat(int(name))
            except OSError:
                continue
            if (status.st_dev, status.st_ino) == self.identity:
                found.append(int(name))
        return found

    def assertNoCopies(self):
        self.assertEqual(self.copies(), [self.file.fileno()])

    def take(self, ancillary):
        """Close what was received; how many. It is all there is."""
        numbers = received_descriptors(ancillary)
        self.assertEqual(sorted(numbers), sorted(set(self.copies()) - {self.file.fileno()}))
        for number in numbers:
            os.close(number)
        return len(numbers)

    def test_every_length_of_the_control_buffer(self):
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
            left, right = self.pair(kind=kind)
            for into in False, True:
                for room in range(socket.CMSG_SPACE(3 * INT) + 9):
                    with self.subTest(kind=kind, into=into, room=room):
                        left.sendmsg([b"abc"], [rights(*[self.file.fileno()] * 3)])
                        target = bytearray(4)
                        if into:
                            length, ancillary, flags, _ = right.recvmsg_into([target], room)
                        else:
                            data, ancillary, flags, _ = right.recvmsg(4, room)
                            length = len(data)
                        fit = max(0, min(3, (room - socket.CMSG_LEN(0)) // INT))
                        self.assertEqual((length, self.take(ancillary)), (3, fit))
                        self.assertEqual(bool(flags & socket.MSG_CTRUNC), fit < 3)

    def test_two_items_in_every_length(self):
        left, right = self.pair()
        right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        first = socket.CMSG_SPACE(3 * INT)
        for room in range(first + socket.CMSG_SPACE(2 * INT) + 9):
            with self.subTest(room=room):
                left.sendmsg([b"abc"], [rights(*[self.file.fileno()] * 2)])
                _, ancillary, flags, _ = right.recvmsg(3, room)
                fit = max(0, min(2, (room - first - socket.CMSG_LEN(0)) // INT))
                self.assertEqual(self.take(ancillary), fit)
                self.assertEqual(bool(flags & socket.MSG_CTRUNC), fit < 2)

    def test_without_room(self):
        left, right = self.pair()
        for receive in (lambda: right.recvmsg(9), lambda: right.recvmsg_into([bytearray(9)]), lambda: right.recv(9),
                        lambda: right.recvfrom(9), lambda: right.recv_into(bytearray(9))):
            socket.send_fds(left, [b"abc"], [self.file.fileno()] * 3)
            receive()
            self.assertNoCopies()

    def test_peek(self):
        left, right = self.pair()
        socket.send_fds(left, [b"abc"], [self.file.fileno()])
        for flags in socket.MSG_PEEK, socket.MSG_PEEK, socket.MSG_PEEK | socket.MSG_WAITALL, 0:
            # More is asked for than there is: what came with descriptors is not waited behind.
            data, ancillary, _, _ = Worker(right.recvmsg, 6, 100, flags).result()
            self.assertEqual((data, self.take(ancillary)), (b"abc", 1))

    def test_inheritable(self):
        left, right = self.pair()
        for flags, inheritable in (0, True), (socket.MSG_CMSG_CLOEXEC, False):
            socket.send_fds(left, [b"abc"], [self.file.fileno()])
            _, ancillary, back, _ = right.recvmsg(3, 100, flags)
            [number] = received_descriptors(ancillary)
            self.assertIs(os.get_inheritable(number), inheritable)
            self.assertEqual(back, flags)
            self.take(ancillary)

    def test_no_memory_takes_nothing(self):
        left, right = self.pair()
        socket.send_fds(left, [b"abc"], [self.file.fileno()])
        with self.assertRaises((MemoryError, OverflowError)):
            right.recvmsg(sys.maxsize, 100)
        self.assertNoCopies()
        data, ancillary, _, _ = right.recvmsg(3, 100)
        self.assertEqual((data, self.take(ancillary)), (b"abc", 1))

    def test_a_handler_that_raises(self):
        left, right = self.pair()

        def handler(*_):
            socket.send_fds(left, [b"abc"], [self.file.fileno()])
            raise ZeroDivisionError

        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        for receive in (lambda: right.recvmsg(3, 100), lambda: right.recvmsg(3, 100, socket.MSG_WAITALL),
                        lambda: right.recvmsg_into([bytearray(1), bytearray(2)], 100)):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with self.assertRaises(ZeroDivisionError):
                receive()
            self.assertNoCopies()
            data, ancillary, _, _ = right.recvmsg(3, 100)
            self.assertEqual((data, self.take(ancillary)), (b"abc", 1))

    def test_a_handler_that_does_not_raise(self):
        left, right = self.pair()
        calls = []

        def handler(*_):
            calls.append(1)
            if len(calls) == 2:
                socket.send_fds(left, [b"abc"], [self.file.fileno()])

        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        data, ancillary, _, _ = right.recvmsg(3, 100)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertEqual((data, self.take(ancillary)), (b"abc", 1))

    @ours_only
    def test_closed_meanwhile(self):
        for _ in range(200):
            left, right = socket.socketpair()
            worker = Worker(right.recvmsg, 3, 100)
            worker.wait_entered()
            socket.send_fds(left, [b"abc"], [self.file.fileno()] * 2)
            right.close()
            left.close()
            worker.finish()
            if worker.error is None:
                self.assertEqual(self.take(worker.value[1]), 2)
            else:
                self.assertErrno(worker.error, errno.EBADF)
            worker.error = None
            self.assertNoCopies()

    def test_more_than_the_kernel_sends(self):
        left, _right = self.pair()
        left.sendmsg([b"x"], [rights(*[self.file.fileno()] * 253)])
        # Bytes that are no descriptor are none.
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"abc")])
        with self.assertRaises(OSError) as caught:
            left.sendmsg([b"x"], [rights(*[self.file.fileno()] * 254)])
        self.assertErrno(caught.exception, errno.EINVAL)
        with self.assertRaises(OSError) as caught:
            left.sendmsg([b"x"], [rights(1 << 20)])
        self.assertErrno(caught.exception, errno.EBADF)

    def test_several_items_and_the_end_of_a_message(self):
        left, right = self.pair()
        number = self.file.fileno()
        self.assertEqual(left.sendmsg([b"ab"], [rights(number), rights(), rights(number, number)]), 2)
        left.send(b"cd")
        data, ancillary, flags, _ = right.recvmsg(10, 100)
        self.assertEqual((data, flags, self.take(ancillary)), (b"ab", 0, 3))
        socket.send_fds(left, [b"ef"], [number])
        # What comes without ancillary data joins what comes with it, which ends the message.
        left.send(b"gh")
        for expected, count in (b"cdef", 1), (b"gh", 0):
            data, ancillary, _, _ = right.recvmsg(10, 100)
            self.assertEqual((data, self.take(ancillary)), (expected, count))

    def test_wait_for_all(self):
        """Of a blocking stream, MSG_WAITALL waits for parts without ancillary data, and no longer."""
        left, right = self.pair()
        for into in False, True:
            left.send(b"abc")
            target = bytearray(6)
            if into:
                worker = Worker(right.recvmsg_into, [target], 100, socket.MSG_WAITALL)
            else:
                worker = Worker(right.recvmsg, 6, 100, socket.MSG_WAITALL)
            worker.wait_blocked()
            socket.send_fds(left, [b"de"], [self.file.fileno()])
            data, ancillary, flags, _ = worker.result()
            worker.call = None
            self.assertEqual(bytes(target[:data]) if into else data, b"abcde")
            self.assertEqual((flags, self.take(ancillary)), (0, 1))

    def test_send_fds_and_recv_fds(self):
        left, right = self.pair(kind=socket.SOCK_DGRAM)
        number = self.file.fileno()
        self.assertEqual(socket.send_fds(left, [b"ab", b"cd"], [number, number]), 4)
        data, numbers, flags, address = socket.recv_fds(right, 3, 2)
        self.assertEqual((data, len(numbers), flags, address), (b"abc", 2, socket.MSG_TRUNC, None))
        self.assertTrue(all(map(os.get_inheritable, numbers)))
        self.take([rights(*numbers)])
        # Fewer than were sent.
        socket.send_fds(left, [b"ab"], [number] * 3)
        data, numbers, flags, _ = socket.recv_fds(right, 3, 1)
        self.assertTrue(flags & socket.MSG_CTRUNC)
        # The end of the buffer may leave room for one more.
        self.assertIn(self.take([rights(*numbers)]), (1, 2))
        # None at all.
        left.send(b"ab")
        self.assertEqual(socket.recv_fds(right, 3, 5)[:2], (b"ab", []))
        for bad in (-1, 1 << 70, "1", None):
            with self.subTest(bad=bad), self.assertRaises((OverflowError, TypeError)):
                socket.recv_fds(right, 1, bad)
        with self.assertRaises(OverflowError):
            socket.send_fds(left, [b"x"], [1 << 40])

    @ours_only
    def test_send_fds_and_recv_fds_pass_on_flags_and_address(self):
        """CPython drops them, although its documentation has them."""
        with tempfile.TemporaryDirectory() as folder:
            receiver = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            receiver.bind(os.path.join(folder, "socket"))
            sender = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            socket.send_fds(sender, [b"x"], [self.file.fileno()], socket.MSG_DONTWAIT, receiver.getsockname())
            data, numbers, flags, _ = socket.recv_fds(receiver, 3, 1, socket.MSG_CMSG_CLOEXEC)
        self.assertEqual((data, flags), (b"x", socket.MSG_CMSG_CLOEXEC))
        self.assertFalse(any(map(os.get_inheritable, numbers)))
        self.assertEqual(self.take([rights(*numbers)]), 1)


class KernelItemTest(SocketTestCase):
    """What else the kernel sends and takes as ancillary data."""

    def only_item(self, ancillary, level, kind):
        found = [data for item_level, item_kind, data in ancillary if (item_level, item_kind) == (level, kind)]
        self.assertEqual(len(found), 1, ancillary)
        return found[0]

    def datagrams(self, family=socket.AF_INET):
        host = HOST if family == socket.AF_INET else "::1"
        ends = []
        for _ in range(2):
            sock = self.keep(socket.socket(family, socket.SOCK_DGRAM))
            sock.settimeout(DEADLINE)
            try:
                sock.bind((host, 0))
            except OSError as error:
                self.skipTest(f"no address {host}: {error}")
            ends.append(sock)
        return ends

    def test_credentials(self):
        left, right = self.pair()
        right.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        mine = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
        for items in [], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, mine)]:
            self.assertEqual(left.sendmsg([b"x"], items), 1)
            _, ancillary, flags, _ = right.recvmsg(1, 100)
            self.assertEqual(self.only_item(ancillary, socket.SOL_SOCKET, socket.SCM_CREDENTIALS), mine)
            self.assertEqual(flags, 0)
        # No process has this number: no permission to claim it, or not even for root.
        wrong = struct.pack("3i", 1 << 30, os.getuid(), os.getgid())
        with self.assertRaises(OSError) as caught:
            left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, wrong)])
        self.assertErrno(caught.exception, errno.EPERM, errno.ESRCH)

    def test_time_stamps(self):
        for option, unit in (SO_TIMESTAMP, 1_000_000), (SO_TIMESTAMPNS, 1_000_000_000):
            for sender, receiver in self.datagrams(), self.pair(kind=socket.SOCK_DGRAM):
                receiver.setsockopt(socket.SOL_SOCKET, option, 1)
                address = receiver.getsockname()
                sender.sendmsg([b"x"], [], 0, address if receiver.family == socket.AF_INET else None)
                _, ancillary, _, _ = receiver.recvmsg(1, 100)
                seconds, part = struct.unpack("2l", self.only_item(ancillary, socket.SOL_SOCKET, option))
                self.assertGreater(seconds, 1_500_000_000)
                self.assertTrue(0 <= part < unit)

    def test_packet_info(self):
        sender, receiver = self.datagrams()
        receiver.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        loopback = socket.if_nametoindex("lo")
        # Another loopback address to send from, as the item asks for.
        info = struct.pack("=I4s4s", loopback, socket.inet_aton("127.0.0.7"), bytes(4))
        sender.close()
        sender = self.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.assertEqual(sender.sendmsg([b"x"], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, receiver.getsockname()), 1)
        data, ancillary, flags, address = receiver.recvmsg(10, 100)
        self.assertEqual((data, flags, address[0]), (b"x", 0, "127.0.0.7"))
        index, local, destination = struct.unpack("=I4s4s", self.only_item(ancillary, socket.IPPROTO_IP, IP_PKTINFO))
        self.assertEqual((index, socket.inet_ntoa(local), socket.inet_ntoa(destination)), (loopback, HOST, HOST))

    def test_time_to_live_and_type_of_service(self):
        sender, receiver = self.datagrams()
        receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        items = [(socket.IPPROTO_IP, IP_TTL, struct.pack("i", 17)), (socket.IPPROTO_IP, IP_TOS, struct.pack("i", 0x10))]
        sender.sendmsg([b"x"], items, 0, receiver.getsockname())
        _, ancillary, _, _ = receiver.recvmsg(1, 200)
        self.assertEqual(self.only_item(ancillary, socket.IPPROTO_IP, IP_TTL), struct.pack("i", 17))
        self.assertEqual(self.only_item(ancillary, socket.IPPROTO_IP, IP_TOS), b"\x10")
        # Room for the first only.
        sender.sendmsg([b"x"], items, 0, receiver.getsockname())
        _, ancillary, flags, _ = receiver.recvmsg(1, socket.CMSG_SPACE(4))
        self.assertEqual(len(ancillary), 1)
        self.assertTrue(flags & socket.MSG_CTRUNC)
        with self.assertRaises(OSError) as caught:
            sender.sendmsg([b"x"], [(socket.IPPROTO_IP, IP_TTL, struct.pack("i", 256))], 0, receiver.getsockname())
        self.assertErrno(caught.exception, errno.EINVAL)

    def extended_error(self, family, level, option):
        sender, gone = self.datagrams(family)
        address = gone.getsockname()
        gone.close()
        sender.setsockopt(level, option, 1)
        sender.sendto(b"nobody", address)
        wait_for(lambda: select.select([sender], [], [], 0)[0], "the error is reported")
        data, ancillary, flags, destination = sender.recvmsg(100, 500, socket.MSG_ERRQUEUE)
        self.assertEqual((data, destination), (b"nobody", address))
        self.assertTrue(flags & socket.MSG_ERRQUEUE)
        number, origin, kind, code = struct.unpack_from("=IBBB", self.only_item(ancillary, level, option))
        self.assertEqual(number, errno.ECONNREFUSED)
        # The queue is empty, and the call does not wait.
        with self.assertRaises(BlockingIOError):
            sender.settimeout(None)
            sender.recvmsg(100, 500, socket.MSG_ERRQUEUE)
        return origin, kind, code

    def test_extended_errors(self):
        # SO_EE_ORIGIN_ICMP; destination unreachable, port unreachable.
        self.assertEqual(self.extended_error(socket.AF_INET, socket.IPPROTO_IP, IP_RECVERR), (2, 3, 3))

    def test_extended_errors_of_version_6(self):
        # SO_EE_ORIGIN_ICMP6; destination unreachable, port unreachable. IPV6_RECVERR is 25.
        self.assertEqual(self.extended_error(socket.AF_INET6, socket.IPPROTO_IPV6, 25), (3, 1, 4))

    def test_rfc_3542_options(self):
        sender, receiver = self.datagrams(socket.AF_INET6)
        level = socket.IPPROTO_IPV6
        for option in socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS:
            receiver.setsockopt(level, option, 1)
        loopback = socket.if_nametoindex("lo")
        info = socket.inet_pton(socket.AF_INET6, "::1") + struct.pack("I", loopback)
        items = [(level, socket.IPV6_PKTINFO, info), (level, socket.IPV6_HOPLIMIT, struct.pack("i", 9)),
                 (level, socket.IPV6_TCLASS, struct.pack("i", 0x20))]
        self.assertEqual(sender.sendmsg([b"to", b"gether"], items, 0, receiver.getsockname()), 8)
        data, ancillary, flags, address = receiver.recvmsg(100, 500)
        self.assertEqual((data, flags, address), (b"together", 0, sender.getsockname()))
        for item_level, kind, expected in items:
            self.assertEqual(self.only_item(ancillary, item_level, kind), expected)
        # Every length of the room: whole items, or the part of one that fits.
        total = sum(socket.CMSG_SPACE(len(data)) for _, _, data in items)
        for room in range(total + 9):
            sender.sendmsg([b"x"], items, 0, receiver.getsockname())
            _, ancillary, flags, _ = receiver.recvmsg(1, room)
            self.assertLessEqual(sum(socket.CMSG_LEN(len(data)) for _, _, data in ancillary), room)
            self.assertEqual(bool(flags & socket.MSG_CTRUNC), room < total - 4, room)

    def test_destination_options(self):
        sender, receiver = self.datagrams(socket.AF_INET6)
        level = socket.IPPROTO_IPV6
        receiver.setsockopt(level, socket.IPV6_RECVDSTOPTS, 1)
        # Next header, length in units of 8 beyond the first, one PadN option of 4 bytes.
        options = bytes([0, 0, 1, 4, 0, 0, 0, 0])
        try:
            sender.sendmsg([b"x"], [(level, socket.IPV6_DSTOPTS, options)], 0, receiver.getsockname())
        except PermissionError:
            self.skipTest("no CAP_NET_RAW to send destination options")
        _, ancillary, _, _ = receiver.recvmsg(1, 100)
        self.assertEqual(self.only_item(ancillary, level, socket.IPV6_DSTOPTS)[1:], options[1:])


class ItemArgumentTest(SocketTestCase):
    def test_items_may_be_any_sequence_but_text(self):
        left, _right = self.pair()
        number = left.fileno()
        fields = rights(number)
        for item in fields, list(fields), type("Sub", (tuple,), {})(fields):
            self.assertEqual(left.sendmsg([b"x"], (item,)), 1)
        for item in "abc", b"abc", bytearray(b"abc"), None, 1, {}, {1, 2, 3}, (), fields[:2], fields * 2, list(fields[:2]):
            with self.subTest(item=item), self.assertRaises(TypeError):
                left.sendmsg([b"x"], [item])

    def test_levels_and_types_are_c_integers(self):
        left, _right = self.pair()
        for item in (1 << 31, 1, b""), (1, -(1 << 31) - 1, b""), (1 << 70, 1, b""):
            with self.subTest(item=item), self.assertRaises(OverflowError):
                left.sendmsg([b"x"], [item])
        for item in (1.0, 1, b""), ("1", 1, b""), (None, 1, b""), (1, 1, "text"), (1, 1, None), (1, 1, 1):
            with self.subTest(item=item), self.assertRaises(TypeError):
                left.sendmsg([b"x"], [item])
        # The kernel leaves levels that are no socket's alone.
        self.assertEqual(left.sendmsg([b"x"], [(-1, -1, b""), ((1 << 31) - 1, -(1 << 31), b"x")]), 1)

    def test_the_address_is_looked_at_first(self):
        sock = self.udp()
        for arguments in (1, 1, 0, 5), ([b"x"], 1, 0, 5):
            with self.assertRaises(TypeError) as caught:
                sock.sendmsg(*arguments)
            self.assertIn("address must be tuple", str(caught.exception))

    def test_lengths(self):
        header = struct.calcsize("Nii")
        for length in *range(40), 4096, (1 << 31) - 33, (1 << 31) - 25:
            self.assertEqual(socket.CMSG_LEN(length), header + length)
            self.assertEqual(socket.CMSG_SPACE(length), header + (length + 7) // 8 * 8)
        self.assertEqual(socket.CMSG_LEN((1 << 31) - 1 - header), (1 << 31) - 1)
        for length in (1 << 31) - header, 1 << 31, 1 << 32, sys.maxsize - header, sys.maxsize, -1, -(1 << 63), 1 << 63, 1 << 64:
            for function in socket.CMSG_LEN, socket.CMSG_SPACE:
                with self.subTest(length=length, function=function), self.assertRaises(OverflowError):
                    function(length)
        with self.assertRaises(OverflowError):
            socket.CMSG_SPACE((1 << 31) - 24)

    def test_room_for_ancillary_data(self):
        left, right = self.pair()
        for room in -1, 1 << 31, 1 << 40:
            for call in lambda: right.recvmsg(1, room), lambda: right.recvmsg_into([bytearray(1)], room):
                with self.subTest(room=room), self.assertRaises(ValueError):
                    call()


@unittest.skipUnless(hasattr(socket, "AF_ALG"), "no AF_ALG")
class AlgTest(SocketTestCase):
    def dressed(self):
        """A Unix socket that takes itself for one of AF_ALG, and its peer: the kernel leaves items of other levels alone."""
        left, right = self.pair(kind=socket.SOCK_SEQPACKET)
        return self.keep(socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0, fileno=left.detach())), right

    def test_data(self):
        sock, peer = self.dressed()
        for arguments, named, data in (
            ([[b"x"]], {"op": 0}, b"x"), ([], {"op": 1}, b""), ([], {"msg": [b"a", bytearray(b"b")], "op": 1}, b"ab"),
            ([(part for part in [b"q"])], {"op": 2, "iv": b"", "assoclen": 0}, b"q"),
            ([[b"x"]], {"op": (1 << 31) - 1, "iv": bytearray(3), "assoclen": (1 << 31) - 1, "flags": socket.MSG_MORE}, b"x"),
        ):
            self.assertEqual(sock.sendmsg_afalg(*arguments, **named), len(data))
            self.assertEqual(peer.recv(100), data)

    def test_arguments(self):
        sock, _peer = self.dressed()
        missing = "Invalid or missing argument 'op'"
        for arguments, named, kind, text in (
            ([], {}, TypeError, missing), ([[b"x"]], {"op": -1}, TypeError, missing),
            ([[b"x"]], {"op": 1 << 40}, TypeError, missing), ([], {"assoclen": 1}, TypeError, missing),
            ([[b"x"]], {"op": "x"}, TypeError, "sendmsg_afalg() argument 2 must be int, not str"),
            ([[b"x"]], {"op": None}, TypeError, "sendmsg_afalg() argument 2 must be int, not None"),
            ([[b"x"]], {"op": 1, "iv": None}, TypeError, "a bytes-like object is required, not 'NoneType'"),
            ([[b"x"]], {"op": 1, "assoclen": -1}, TypeError, "assoclen must be positive"),
            ([[b"x"]], {"op": 1, "assoclen": 1.0}, TypeError, "sendmsg_afalg() argument 4 must be int, not float"),
            ([[b"x"]], {"op": 1, "assoclen": 1 << 31}, OverflowError, "Python int too large to convert to C int"),
            ([[b"x"]], {"op": 1, "flags": 1 << 31}, OverflowError, "signed integer is greater than maximum"),
            ([[b"x"], 1], {"op": 1}, TypeError, "sendmsg_afalg() takes at most 1 positional argument (2 given)"),
            ([[b"x"]], {"op": 1, "foo": 1}, TypeError, "sendmsg_afalg() got an unexpected keyword argument 'foo'"),
            ([1], {"op": 1}, TypeError, "sendmsg() argument 1 must be an iterable"),
            ([[1]], {"op": 1}, TypeError, "a bytes-like object is required, not 'int'"),
            ([[b""] * 1025], {"op": 1}, OSError, None),
        ):
            with self.subTest(named=named), self.assertRaises(kind) as caught:
                sock.sendmsg_afalg(*arguments, **named)
            # Messages of argument parsing change between versions.
            if text and sys.version_info >= (3, 14):
                self.assertEqual(str(caught.exception), text)
        sock.close()
        with self.assertRaises(OSError) as caught:
            sock.sendmsg_afalg(op=1)
        self.assertErrno(caught.exception, errno.EBADF)

    def test_other_families(self):
        left, _right = self.pair()
        with self.assertRaises(OSError) as caught:
            left.sendmsg_afalg()
        self.assertEqual(caught.exception.args, ("algset is only supported for AF_ALG",))

    def test_the_kernels_cipher(self):
        try:
            with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0) as algorithm:
                algorithm.bind(("skcipher", "cbc(aes)"))
                algorithm.setsockopt(socket.SOL_ALG, socket.ALG_SET_KEY, bytes(range(16)))
                operation, _ = algorithm.accept()
        except OSError as error:
            self.skipTest(f"this kernel has no AES of AF_ALG: {error}")
        with operation:
            plain, vector = b"sixteen bytes ok" * 2, bytes(16)
            operation.sendmsg_afalg(op=socket.ALG_OP_ENCRYPT, iv=vector, flags=socket.MSG_MORE)
            operation.sendall(plain)
            sealed = operation.recv(len(plain))
            self.assertNotEqual(sealed, plain)
            operation.sendmsg_afalg([sealed], op=socket.ALG_OP_DECRYPT, iv=vector)
            self.assertEqual(operation.recv(len(plain)), plain)


class DifferentialTest(unittest.TestCase):
    """The same calls here and on a CPython."""

    maxDiff = None

    def test_calls(self):
        cpython = need_cpython()
        version = run_python("-c", "import sys; print(*sys.version_info[:2])", executable=cpython).stdout.split()
        version = tuple(map(int, version))
        # Argument parsing words its complaints otherwise in every version.
        options = ["messages"] * (version == sys.version_info[:2]) + ["exporters"] * (version >= (3, 12))
        program = os.path.join(HERE, "programs", "ancillary_calls.py")
        theirs = run_python(program, *options, executable=cpython)
        ours = run_python(program, *options)
        self.assertEqual((theirs.returncode, ours.returncode), (0, 0), theirs.stderr + ours.stderr)
        self.assertGreater(len(theirs.stdout.splitlines()), 200)
        self.assertEqual(ours.stdout.splitlines(), theirs.stdout.splitlines())


if __name__ == "__main__":
    unittest.main()
