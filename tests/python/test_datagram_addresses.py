"""The addresses of `sendto` and `recvfrom`, of which a socket remembers the last: each datagram still goes where its address says
at that moment, and comes from where it came from."""

import os
import socket
import sys
import tempfile
import threading
import unittest

from support import DEADLINE, HOST, SocketTestCase, Worker, ours_only, run_python

ELSEWHERE = "127.0.0.2"


class Counting:
    """A port that is another each time it is asked for."""

    def __init__(self, *ports):
        self.ports = list(ports)

    def __index__(self):
        return self.ports.pop(0)


class DatagramAddresses(SocketTestCase):
    def datagram_socket(self, host=HOST, family=socket.AF_INET, port=0):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(DEADLINE)
        sock.bind((host, port))
        return sock

    def six(self):
        try:
            return self.datagram_socket("::1", socket.AF_INET6)
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")

    def test_peers_in_turn(self):
        server, *peers = [self.datagram_socket() for _ in range(4)]
        for number in (0, 0, 1, 0, 1, 1, 2, 2, 2, 0, 2, 1):
            peer = peers[number]
            peer.sendto(b"ask", server.getsockname())
            data, address = server.recvfrom(10)
            self.assertEqual((data, address), (b"ask", peer.getsockname()))
            server.sendto(b"%d" % number, address)
            self.assertEqual(peer.recvfrom(10), (b"%d" % number, server.getsockname()))

    def test_recvfrom_into(self):
        server, *peers = [self.datagram_socket() for _ in range(3)]
        buffer = bytearray(10)
        for peer in peers * 3:
            peer.sendto(b"ask", server.getsockname())
            self.assertEqual(server.recvfrom_into(buffer), (3, peer.getsockname()))

    def test_many_addresses_to_send_to(self):
        sender, *peers = [self.datagram_socket() for _ in range(3)]
        addresses = [peer.getsockname() for peer in peers]
        for chosen in (0, 0, 1, 0, 1, 1, 0):
            sender.sendto(b"%d" % chosen, addresses[chosen])
            self.assertEqual(peers[chosen].recv(10), b"%d" % chosen)

    @ours_only
    def test_the_same_address_is_the_same_object(self):
        server, peer = self.datagram_socket(), self.datagram_socket()
        heard = []
        for _ in range(2):
            peer.sendto(b"", server.getsockname())
            heard.append(server.recvfrom(1)[1])
        self.assertIs(*heard)

    @ours_only
    def test_a_closed_socket_keeps_no_address(self):
        for end in ("close", "detach", "__init__"):
            with self.subTest(end):
                server, peer = self.datagram_socket(), self.datagram_socket()
                target = server.getsockname()
                peer.sendto(b"", target)
                heard = server.recvfrom(1)[1]
                before = sys.getrefcount(heard), sys.getrefcount(target)
                number = getattr(server, end)()
                getattr(peer, end)()
                if end == "detach":
                    os.close(number)
                self.assertEqual((sys.getrefcount(heard), sys.getrefcount(target)), (before[0] - 1, before[1] - 1))

    def test_what_the_elements_say_now(self):
        sender, here = self.datagram_socket(), self.datagram_socket()
        port = here.getsockname()[1]
        there = self.datagram_socket(ELSEWHERE, port=port)
        host = bytearray(HOST.encode())
        address = (host, port)
        sender.sendto(b"here", address)
        sender.sendto(b"here", address)
        host[:] = ELSEWHERE.encode()
        sender.sendto(b"there", address)
        self.assertEqual([here.recv(10), here.recv(10), there.recv(10)], [b"here", b"here", b"there"])

    def test_a_port_that_changes(self):
        sender, one, other = [self.datagram_socket() for _ in range(3)]
        address = (HOST, Counting(one.getsockname()[1], other.getsockname()[1], 1 << 16))
        sender.sendto(b"one", address)
        sender.sendto(b"other", address)
        self.assertEqual([one.recv(10), other.recv(10)], [b"one", b"other"])
        self.assertRaises(OverflowError, sender.sendto, b"", address)

    def test_derived_classes(self):
        class Text(str):
            pass

        class Number(int):
            pass

        class Pair(tuple):
            pass

        sender, peer = self.datagram_socket(), self.datagram_socket()
        host, port = peer.getsockname()
        for address in ((Text(host), port), (host, Number(port)), Pair((host, port))):
            for _ in range(3):
                sender.sendto(b"x", address)
                self.assertEqual(peer.recv(10), b"x")

    def test_bad_addresses_stay_bad(self):
        sender = self.datagram_socket()
        for address, error in (((HOST, -1), OverflowError), ((HOST, 1 << 16), OverflowError), ((HOST, "1"), TypeError),
                               ((HOST,), TypeError), ((HOST, 1, 2), TypeError), (HOST, TypeError), ((None, 1), TypeError)):
            for _ in range(3):
                self.assertRaises(error, sender.sendto, b"", address)

    def test_ipv6_as_the_kernel_writes_it(self):
        one, other = self.six(), self.six()
        for host in ("::1", "0:0::0001", "::0.0.0.1"):
            for more in ((), (0,), (0, 0)):
                target = (host, other.getsockname()[1], *more)
                for _ in range(2):
                    one.sendto(b"x", target)
                    self.assertEqual(other.recvfrom(10), (b"x", one.getsockname()))
                    self.assertEqual(len(one.getsockname()), 4)
        # To itself: what it sends to is what it hears from.
        own = ("::1", one.getsockname()[1])
        for _ in range(2):
            one.sendto(b"x", own)
            self.assertEqual(one.recvfrom(10), (b"x", one.getsockname()))

    def test_ipv6_scopes_and_flows(self):
        one, other = self.six(), self.six()
        port = other.getsockname()[1]
        for _ in range(2):
            self.assertRaises(OverflowError, one.sendto, b"", ("::1", port, 1 << 20))
            # CPython takes the low 32 bits of a scope, and of the flow before it looks.
            one.sendto(b"x", ("::1", port, 1 << 32, 1 << 32))
            self.assertEqual(other.recvfrom(10), (b"x", one.getsockname()))

    def test_unix_names(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        names = [os.path.join(folder.name, "a"), os.path.join(folder.name, "b").encode(), b"\0reactor %d" % os.getpid()]
        server, *peers = [self.datagram_socket_at(name) for name in (os.path.join(folder.name, "server"), *names)]
        for number in (0, 0, 1, 2, 2, 1, 0):
            peers[number].sendto(b"ask", server.getsockname())
            data, address = server.recvfrom(10)
            self.assertEqual(address, peers[number].getsockname())
            server.sendto(b"%d" % number, address)
            self.assertEqual(peers[number].recvfrom(10), (b"%d" % number, server.getsockname()))

    def datagram_socket_at(self, name):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(DEADLINE)
        sock.bind(name)
        return sock

    def test_threads_on_one_socket(self):
        shared, *peers = [self.datagram_socket() for _ in range(5)]
        addresses = [peer.getsockname() for peer in peers]
        home = shared.getsockname()
        start = threading.Barrier(len(peers))

        def converse(number):
            # In step with its own peer only: the others come in between.
            start.wait(DEADLINE)
            for turn in range(300):
                shared.sendto(b"%d" % number, addresses[number])
                data, address = peers[number].recvfrom(10)
                if (data, address) != (b"%d" % number, home):
                    return turn, data, address
                peers[number].sendto(b"%d" % number, home)
                data, address = shared.recvfrom(10)
                if addresses[int(data)] != address:
                    return turn, data, address
            return None

        workers = [Worker(converse, number) for number in range(len(peers))]
        self.assertEqual([worker.result() for worker in workers], [None] * len(peers))

    def test_initialised_anew_with_another_family(self):
        sock, peer, six = self.datagram_socket(), self.datagram_socket(), self.six()
        four = peer.getsockname()
        sock.sendto(b"x", four)
        peer.sendto(b"x", sock.getsockname())
        heard = sock.recvfrom(10)[1]
        sock.__init__(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.settimeout(DEADLINE)
        for address in (four, heard):
            self.assertRaises(OSError, sock.sendto, b"x", address)
        sock.bind(("::1", 0))
        sock.sendto(b"six", six.getsockname())
        self.assertEqual(six.recvfrom(10), (b"six", sock.getsockname()))

    def test_streams_have_no_sender(self):
        left, right = socket.socketpair()
        self.addCleanup(left.close)
        self.addCleanup(right.close)
        left.send(b"x")
        self.assertIn(right.recvfrom(10)[1], (None, ""))

    def test_audit_events_have_the_address_each_time(self):
        program = (
            "import socket, sys\n"
            "sock = socket.socket(type=socket.SOCK_DGRAM)\n"
            "sock.bind(('127.0.0.1', 0))\n"
            "address = sock.getsockname()\n"
            "sock.sendto(b'', address)\n"
            "seen, refuse = [], False\n"
            "def hook(name, arguments):\n"
            "    if name == 'socket.sendto':\n"
            "        seen.append(arguments == (sock, address))\n"
            "        if refuse: raise PermissionError\n"
            "sys.addaudithook(hook)\n"
            "sock.sendto(b'', address)\n"
            "sock.sendto(b'', address)\n"
            "refuse = True\n"
            "try: sock.sendto(b'', address)\n"
            "except PermissionError: print(seen)\n"
        )
        done = run_python("-c", program)
        self.assertEqual(done.stdout, "[True, True, True]\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
