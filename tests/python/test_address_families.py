"""Addresses of every family: what Python code may pass, and the real sockets of the families that this kernel has."""

import errno
import fcntl
import json
import os
import socket
import struct
import sys
import unittest

import address_table
from support import DEADLINE, HERE, HOST, IS_OURS, SocketTestCase, need_cpython, need_program, ours_only, run_python

SPEAKS_3_14 = IS_OURS or sys.version_info >= (3, 14)

# Exit code of the program in namespaces: they do not allow it.
NO_NAMESPACES = 77


class Forms(SocketTestCase):
    """Addresses as Python objects, of families that the kernel need not have."""

    def test_every_address_has_the_outcome_of_the_table(self):
        missing = set()
        for row, found in zip(address_table.rows(), address_table.outcomes(), strict=True):
            section, source, expected, newer = row
            if found is None:
                missing.add(section)
            elif SPEAKS_3_14 or not newer:
                with self.subTest(section=section, address=source):
                    self.assertEqual(found, expected)
        if IS_OURS:
            self.assertEqual(missing, set())

    def test_the_table_is_that_of_cpython(self):
        cpython = need_cpython()
        done = run_python("-c", "import sys; print(sys.version_info >= (3, 12), sys.version_info >= (3, 14))",
                          executable=cpython)
        recent, newest = (word == "True" for word in done.stdout.split())
        if not recent:
            self.skipTest(f"{cpython} is older than 3.12")
        done = run_python("address_table.py", executable=cpython)
        self.assertEqual(done.returncode, 0, done.stderr)
        missing = set()
        for row, found in zip(address_table.rows(), json.loads(done.stdout), strict=True):
            section, source, expected, newer = row
            if found is None or newer and not newest:
                missing.add(section)
            else:
                with self.subTest(section=section, address=source):
                    self.assertEqual(found, expected)
        if missing:
            self.skipTest(f"{cpython} is too old or built without: {', '.join(sorted(missing))}")

    @ours_only
    def test_a_refused_address_leaves_the_socket_usable(self):
        for section in dict.fromkeys(row[0] for row in address_table.rows()):
            with address_table.Adopted(section) as sock:
                for _, source, expected, _ in (row for row in address_table.rows() if row[0] == section):
                    address_table.outcome(sock, source)
                    with self.subTest(section=section, address=source):
                        # The kernel's family, whatever Python takes the socket for.
                        self.assertEqual(sock.getsockname()[0], "0.0.0.0")

    def test_each_method_names_itself(self):
        for method, arguments in [("bind", ()), ("connect", ()), ("connect_ex", ()), ("sendto", (b"x",)),
                                  ("sendmsg", ([b"x"], [], 0))]:
            for section in ("AF_NETLINK", "AF_PACKET", "AF_CAN CAN_RAW", "AF_ALG", "AF_TIPC"):
                if not address_table.known(section):
                    continue
                with self.subTest(section=section, method=method), address_table.Adopted(section) as sock:
                    text = f"{method}(): {section.split()[0]} address must be tuple, not int"
                    with self.assertRaises(TypeError) as caught:
                        getattr(sock, method)(*arguments, 5)
                    self.assertEqual(str(caught.exception), text)

    def test_interfaces_of_a_closed_socket(self):
        for section in ("AF_PACKET", "AF_CAN CAN_RAW"):
            with self.subTest(section):
                sock = address_table.Adopted(section)
                sock.close()
                with self.assertRaises(OSError) as caught:
                    sock.bind(("lo", 0) if section == "AF_PACKET" else ("lo",))
                self.assertErrno(caught.exception, errno.EBADF)


class Kernel(SocketTestCase):
    """Real sockets, where this kernel has the family. Those that need privileges run in namespaces: see `Namespaces`."""

    def open(self, family, kind, protocol=0):
        """A socket, or a skip that says what is missing."""
        number = getattr(socket, family, None)
        if number is None:
            self.skipTest(f"no {family} in this interpreter")
        try:
            sock = socket.socket(number, kind, protocol)
        except OSError as error:
            self.skipTest(f"this kernel has no {family} (protocol {protocol}): {error}")
        sock.settimeout(DEADLINE)
        return self.keep(sock)

    def test_netlink(self):
        sock = self.open("AF_NETLINK", socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.assertEqual(sock.getsockname(), (0, 0))
        sock.bind((0, 0))
        pid, groups = sock.getsockname()
        self.assertGreater(pid, 0)
        self.assertEqual(groups, 0)
        # RTM_GETLINK for all interfaces: length, type, NLM_F_REQUEST | NLM_F_DUMP, sequence, pid; then AF_UNSPEC.
        request = struct.pack("=IHHIIB3x", 20, 18, 0x301, 7, 0, 0)
        self.assertEqual(sock.sendto(request, (0, 0)), len(request))
        data, address = sock.recvfrom(1 << 16)
        self.assertEqual(address, (0, 0))
        self.assertEqual(struct.unpack_from("=8xII", data), (7, pid))
        sock.sendmsg([request], [], 0, (0, 0))
        while True:
            data, _, _, address = sock.recvmsg(1 << 16)
            if struct.unpack_from("=4xH", data)[0] == 3 and address == (0, 0):
                break
        sock.connect((0, 0))
        self.assertEqual(sock.getpeername(), (0, 0))
        again = self.open("AF_NETLINK", socket.SOCK_RAW, socket.NETLINK_ROUTE)
        with self.assertRaises(OSError) as caught:
            again.bind((pid, 0))
        self.assertErrno(caught.exception, errno.EADDRINUSE)
        again.bind((pid + (1 << 20), 1))
        self.assertEqual(again.getsockname(), (pid + (1 << 20), 1))

    def test_vsock(self):
        sock = self.open("AF_VSOCK", socket.SOCK_STREAM)
        anything = (socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY)
        self.assertEqual(sock.getsockname(), anything)
        sock.bind(anything)
        cid, port = sock.getsockname()
        self.assertEqual(cid, socket.VMADDR_CID_ANY)
        self.assertNotEqual(port, socket.VMADDR_PORT_ANY)
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            self.assertEqual((same.family, same.getsockname()), (socket.AF_VSOCK, (cid, port)))
        other = self.open("AF_VSOCK", socket.SOCK_STREAM)
        with self.assertRaises(OSError) as caught:
            other.bind((cid, port))
        self.assertErrno(caught.exception, errno.EADDRINUSE)
        with self.assertRaises(OSError) as caught:
            sock.getpeername()
        self.assertErrno(caught.exception, errno.ENOTCONN)
        # Nobody is there: which of the errors depends on what the machine runs on.
        with self.assertRaises(OSError) as caught:
            other.connect((4_000_000_000, port))
        self.assertIsNotNone(caught.exception.errno, repr(caught.exception))

    def test_vsock_on_this_machine(self):
        listener = self.open("AF_VSOCK", socket.SOCK_STREAM)
        listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        listener.listen()
        client = self.open("AF_VSOCK", socket.SOCK_STREAM)
        client.settimeout(1)
        local = getattr(socket, "VMADDR_CID_LOCAL", 1)
        try:
            client.connect((local, listener.getsockname()[1]))
        except OSError as error:
            self.skipTest(f"this kernel has no loopback of AF_VSOCK (vsock_loopback): {error}")
        server, address = listener.accept()
        self.keep(server)
        self.assertEqual(address, client.getsockname())
        self.assertEqual(server.family, socket.AF_VSOCK)
        server.sendall(b"hello")
        self.assertEqual(client.recv(10), b"hello")

    def test_vsock_options_have_64_bits(self):
        sock = self.open("AF_VSOCK", socket.SOCK_STREAM)
        level, option = socket.AF_VSOCK, socket.SO_VM_SOCKETS_BUFFER_MAX_SIZE
        sock.setsockopt(level, option, (1 << 40) + 5)
        self.assertEqual(sock.getsockopt(level, option), (1 << 40) + 5)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.assertEqual(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR), 1)
        for arguments in [("x",), (b"12345678",), (None,), (1.5,), (None, 8)]:
            with self.subTest(arguments), self.assertRaises(TypeError):
                sock.setsockopt(level, option, *arguments)
        for size in (8, -8):
            with self.assertRaisesRegex(OSError, "getsockopt string buffer not allowed"):
                sock.getsockopt(level, option, size)
        # Masked, as CPython does.
        with self.assertRaises(OSError) as caught:
            sock.setsockopt(level, 99, 1 << 70)
        self.assertErrno(caught.exception, errno.ENOPROTOOPT)

    def test_vsock_local_cid(self):
        try:
            device = open("/dev/vsock", "rb")
        except OSError as error:
            self.skipTest(f"no /dev/vsock: {error}")
        with device:
            answer = fcntl.ioctl(device, socket.IOCTL_VM_SOCKETS_GET_LOCAL_CID, b"\0" * 4)
        self.assertGreater(struct.unpack("I", answer)[0], 0)

    def test_udplite(self):
        receiver = self.open("AF_INET", socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
        receiver.bind((HOST, 0))
        sender = self.open("AF_INET", socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
        sender.bind((HOST, 0))
        sender.setsockopt(socket.IPPROTO_UDPLITE, socket.UDPLITE_SEND_CSCOV, 8)
        self.assertEqual(sender.getsockopt(socket.IPPROTO_UDPLITE, socket.UDPLITE_SEND_CSCOV), 8)
        sender.sendto(b"lite", receiver.getsockname())
        self.assertEqual(receiver.recvfrom(10), (b"lite", sender.getsockname()))

    def stream(self, protocol, kind=socket.SOCK_STREAM):
        listener = self.open("AF_INET", kind, protocol)
        listener.bind((HOST, 0))
        listener.listen()
        for timeout in (None, DEADLINE):
            client = self.open("AF_INET", kind, protocol)
            client.settimeout(timeout)
            client.connect(listener.getsockname())
            server, address = listener.accept()
            self.keep(server)
            self.assertEqual(address, client.getsockname())
            self.assertEqual(client.getpeername(), listener.getsockname())
            self.assertEqual(server.proto, protocol)
            client.sendall(b"hello")
            self.assertEqual(server.recv(10), b"hello")

    def test_mptcp(self):
        self.stream(socket.IPPROTO_MPTCP)

    def test_sctp(self):
        self.stream(socket.IPPROTO_SCTP)

    def test_dccp(self):
        self.stream(33, 6)

    def test_tipc(self):
        listener = self.open("AF_TIPC", socket.SOCK_STREAM)
        service = (socket.TIPC_ADDR_NAMESEQ, 0x52656163, 1, 1)
        listener.bind(service)
        listener.listen()
        kind, _, _, v3, _ = listener.getsockname()
        self.assertEqual((kind, v3), (socket.TIPC_ADDR_ID, 0))
        client = self.open("AF_TIPC", socket.SOCK_STREAM)
        client.connect((socket.TIPC_ADDR_NAME, 0x52656163, 1, 0))
        server, address = listener.accept()
        self.keep(server)
        self.assertEqual(address[:4], client.getsockname()[:4])
        server.sendall(b"hello")
        self.assertEqual(client.recv(10), b"hello")

    def test_alg(self):
        transform = self.open("AF_ALG", socket.SOCK_SEQPACKET)
        # The kernel's accept is ready at once, but poll(2) does not say so.
        transform.settimeout(None)
        transform.bind(("hash", "sha256"))
        operation, address = transform.accept()
        self.keep(operation)
        self.assertIsNone(address)
        operation.sendall(b"abc")
        self.assertEqual(operation.recv(64).hex()[:16], "ba7816bf8f01cfea")
        with self.assertRaises(OSError) as caught:
            self.open("AF_ALG", socket.SOCK_SEQPACKET).bind(("hash", "no such hash"))
        self.assertErrno(caught.exception, errno.ENOENT)

    def test_qipcrtr(self):
        receiver = self.open("AF_QIPCRTR", socket.SOCK_DGRAM)
        node, port = receiver.getsockname()
        receiver.bind((node, port))
        sender = self.open("AF_QIPCRTR", socket.SOCK_DGRAM)
        sender.bind((node, 0))
        sender.sendto(b"route", receiver.getsockname())
        self.assertEqual(receiver.recvfrom(10), (b"route", sender.getsockname()))

    def test_rds(self):
        receiver = self.open("AF_RDS", socket.SOCK_SEQPACKET)
        receiver.bind((HOST, 0))
        sender = self.open("AF_RDS", socket.SOCK_SEQPACKET)
        sender.bind((HOST, 0))
        sender.sendto(b"reliable", receiver.getsockname())
        self.assertEqual(receiver.recvfrom(10), (b"reliable", sender.getsockname()))

    def test_bluetooth(self):
        sock = self.open("AF_BLUETOOTH", socket.SOCK_SEQPACKET, getattr(socket, "BTPROTO_L2CAP", 0))
        sock.bind((socket.BDADDR_ANY, 0))
        self.assertEqual(sock.getsockname(), (socket.BDADDR_ANY, 0))

    def test_unix_abstract(self):
        receiver = self.open("AF_UNIX", socket.SOCK_DGRAM)
        receiver.bind("")
        name = receiver.getsockname()
        self.assertEqual((type(name), name[:1]), (bytes, b"\0"))
        sender = self.open("AF_UNIX", socket.SOCK_DGRAM)
        self.assertEqual(sender.getsockname(), "")
        sender.bind(b"\0reactor\0\xff" + name[1:])
        sender.sendto(b"x", name)
        self.assertEqual(receiver.recvfrom(1), (b"x", b"\0reactor\0\xff" + name[1:]))

    def test_no_pairs_of_families_without_them(self):
        for family in ("AF_INET", "AF_NETLINK"):
            with self.subTest(family), self.assertRaises(OSError) as caught:
                socket.socketpair(getattr(socket, family), socket.SOCK_DGRAM)
            self.assertErrno(caught.exception, errno.EOPNOTSUPP)


class Namespaces(unittest.TestCase):
    """The families that need privileges, in a user and a network namespace of the test's own."""

    def test_families(self):
        unshare = need_program("unshare")
        program = os.path.join(HERE, "programs", "families_in_namespaces.py")
        done = run_python("--map-root-user", "--net", sys.executable, program, "-v", executable=unshare)
        if done.returncode == NO_NAMESPACES or "unshare:" in done.stderr:
            self.skipTest(f"no namespaces here: {done.stderr.strip()}")
        sys.stderr.write(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
