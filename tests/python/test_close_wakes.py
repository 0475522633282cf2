"""close(), detach() and shutdown() reach calls that are blocked in other threads."""

import errno
import os
import socket
import tempfile
import statistics
import time
import unittest

from support import DEADLINE, SocketTestCase, Worker, ours_only, wait_for

ROUNDS = 64  # for each of the 16 kinds of call: 1,024 rounds


class Kinds(SocketTestCase):
    """Set-ups of one blocking call each: (socket to close, the call, the peer or None)."""

    def kind_tcp_recv(self):
        sock, peer = self.tcp_pair()
        return sock, lambda: sock.recv(10), peer

    def kind_tcp_recv_into(self):
        sock, peer = self.tcp_pair()
        return sock, lambda: sock.recv_into(bytearray(10)), peer

    def kind_tcp_recvmsg(self):
        sock, peer = self.tcp_pair()
        return sock, lambda: sock.recvmsg(10, 100), peer

    def kind_tcp_send(self):
        sock, peer = self.tcp_pair()
        self.fill(sock)
        return sock, lambda: sock.send(bytes(1 << 20)), peer

    def kind_tcp_sendall(self):
        sock, peer = self.tcp_pair()
        return sock, lambda: sock.sendall(bytes(1 << 24)), peer

    def kind_tcp_sendmsg(self):
        sock, peer = self.tcp_pair()
        self.fill(sock)
        return sock, lambda: sock.sendmsg([bytes(1 << 20)]), peer

    def kind_tcp_sendfile(self):
        sock, peer = self.tcp_pair()
        file = self.keep(tempfile.TemporaryFile())
        file.truncate(1 << 24)
        return sock, lambda: sock.sendfile(file), peer

    def kind_tcp_accept(self):
        sock = self.listener()
        return sock, sock.accept, None

    def kind_tcp_connect(self):
        address = self.full_listener().getsockname()
        sock = self.keep(socket.socket())
        return sock, lambda: sock.connect(address), None

    def kind_udp_recvfrom(self):
        sock = self.udp()
        return sock, lambda: sock.recvfrom(10), None

    def kind_udp_recvfrom_into(self):
        sock = self.udp()
        return sock, lambda: sock.recvfrom_into(bytearray(10)), None

    def kind_unix_stream_recv(self):
        sock, peer = self.pair()
        return sock, lambda: sock.recv(10), peer

    def kind_unix_recvmsg_into(self):
        sock, peer = self.pair()
        return sock, lambda: sock.recvmsg_into([bytearray(10)], 100), peer

    def kind_unix_sendall(self):
        sock, peer = self.pair()
        return sock, lambda: sock.sendall(bytes(1 << 24)), peer

    def kind_unix_accept(self):
        sock = self.listener(family=socket.AF_UNIX)
        return sock, sock.accept, None

    def kind_unix_datagram_recv(self):
        sock, peer = self.pair(kind=socket.SOCK_DGRAM)
        return sock, lambda: sock.recv(10), peer

    def kind_unix_datagram_send(self):
        sock, peer = self.pair(kind=socket.SOCK_DGRAM)
        self.fill(sock)
        return sock, lambda: sock.send(bytes(65536)), peer


KINDS = [name for name in dir(Kinds) if name.startswith("kind_")]


@ours_only
class CloseWakes(Kinds):
    def check_kind(self, name):
        delays = []
        for number in range(ROUNDS):
            sock, call, peer = getattr(self, name)()
            # A call without a time limit and one with a far one take different ways in other implementations.
            sock.settimeout(None if number & 1 else 600)
            descriptor = sock.fileno()
            worker = Worker(call)
            # Half of the rounds close a call that surely sleeps, the others race with its beginning.
            worker.wait_blocked() if number & 2 else worker.wait_entered()
            closed = time.monotonic()
            sock.close()
            worker.finish(10)
            self.assertIsInstance(worker.error, OSError, f"{name} round {number}: value {worker.value!r}")
            self.assertErrno(worker.error, errno.EBADF)
            self.assertIs(type(worker.error), OSError)
            self.assertEqual(sock.fileno(), -1)
            with self.assertRaises(OSError) as caught:
                os.fstat(descriptor)
            self.assertErrno(caught.exception, errno.EBADF)
            if peer is not None and peer.type == socket.SOCK_STREAM and "recv" in name:
                peer.settimeout(DEADLINE)
                self.assertEqual(peer.recv(1), b"", "the peer sees the end of the stream")
            delays.append(worker.ended - closed)
            self.doCleanups()
        self.assertLess(max(delays), 1.0, f"{name}: woken late")
        self.assertLess(statistics.median(delays), 0.05, f"{name}: woken late")


for _name in KINDS:
    def _test(self, name=_name):
        self.check_kind(name)
    setattr(CloseWakes, f"test_close_wakes_{_name[5:]}", _test)


@ours_only
class CloseManyWaiters(Kinds):
    def test_every_reader_of_one_socket_wakes(self):
        for _ in range(20):
            sock, _peer = self.tcp_pair()
            workers = [Worker(sock.recv, 10) for _ in range(8)]
            for worker in workers:
                worker.wait_blocked()
            sock.close()
            for worker in workers:
                worker.finish(10)
                self.assertErrno(worker.error, errno.EBADF)
            self.doCleanups()

    def test_reader_and_writer_of_one_socket_wake(self):
        for _ in range(20):
            sock, _peer = self.tcp_pair()
            workers = [Worker(sock.recv, 10), Worker(sock.sendall, bytes(1 << 24))]
            for worker in workers:
                worker.wait_blocked()
            sock.close()
            for worker in workers:
                worker.finish(10)
                self.assertErrno(worker.error, errno.EBADF)
            self.doCleanups()

    def test_close_of_a_socket_with_a_duplicate(self):
        # The duplicate keeps the kernel's open file alive, so nothing but the close itself can end the wait.
        sock, peer = self.tcp_pair()
        twin = self.keep(sock.dup())
        worker = Worker(sock.recv, 10).wait_blocked()
        sock.close()
        worker.finish(10)
        self.assertErrno(worker.error, errno.EBADF)
        peer.sendall(b"still open")
        twin.settimeout(DEADLINE)
        self.assertEqual(twin.recv(100), b"still open")

    def test_two_closers(self):
        for _ in range(200):
            sock, _peer = self.pair()
            reader = Worker(sock.recv, 10).wait_entered()
            closers = [Worker(sock.close), Worker(sock.close)]
            for closer in closers:
                closer.result(10)
            reader.finish(10)
            self.assertErrno(reader.error, errno.EBADF)
            self.doCleanups()

    def test_unix_connect_to_a_full_backlog(self):
        # The kernel has no readiness for this wait: a non-blocking attempt says EAGAIN and nothing tells of a free place.
        listener = self.listener(0, socket.AF_UNIX)
        filler = self.keep(socket.socket(socket.AF_UNIX))
        filler.connect(listener.getsockname())
        sock = self.keep(socket.socket(socket.AF_UNIX))
        worker = Worker(sock.connect, listener.getsockname()).wait_blocked()
        sock.close()
        worker.finish(10)
        self.assertErrno(worker.error, errno.EBADF)


class ShutdownWakes(Kinds):
    """What the kernel itself wakes, on every implementation."""

    def test_recv_returns_nothing(self):
        for name in "kind_tcp_recv", "kind_unix_stream_recv":
            for timeout in None, 600:
                for how in socket.SHUT_RD, socket.SHUT_RDWR:
                    sock, call, _peer = getattr(self, name)()
                    sock.settimeout(timeout)
                    worker = Worker(call).wait_blocked()
                    sock.shutdown(how)
                    self.assertEqual(worker.result(10), b"")

    def test_recv_into_returns_zero(self):
        sock, call, _peer = self.kind_tcp_recv_into()
        worker = Worker(call).wait_blocked()
        sock.shutdown(socket.SHUT_RD)
        self.assertEqual(worker.result(10), 0)

    def test_the_peers_shutdown_ends_recv(self):
        sock, call, peer = self.kind_tcp_recv()
        worker = Worker(call).wait_blocked()
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(worker.result(10), b"")

    def test_sendall_gets_a_broken_pipe(self):
        for name in "kind_tcp_sendall", "kind_unix_sendall":
            for timeout in None, 600:
                sock, call, _peer = getattr(self, name)()
                sock.settimeout(timeout)
                worker = Worker(call).wait_blocked()
                sock.shutdown(socket.SHUT_RDWR)
                worker.finish(10)
                self.assertIsInstance(worker.error, BrokenPipeError)

    def test_accept_fails(self):
        for timeout in None, 600:
            sock, call, _ = self.kind_tcp_accept()
            sock.settimeout(timeout)
            worker = Worker(call).wait_blocked()
            sock.shutdown(socket.SHUT_RDWR)
            worker.finish(10)
            self.assertErrno(worker.error, errno.EINVAL)

    def test_the_closed_peer_resets(self):
        sock, peer = self.tcp_pair()
        sock.sendall(b"unread")
        wait_for(lambda: peer.recv(10, socket.MSG_PEEK), "the bytes arrive")
        worker = Worker(sock.recv, 10).wait_blocked()
        peer.close()
        worker.finish(10)
        self.assertIsInstance(worker.error, ConnectionResetError)


@ours_only
class DetachWakes(Kinds):
    def test_detach_wakes_and_keeps_the_descriptor(self):
        for name in "kind_tcp_recv", "kind_unix_stream_recv", "kind_udp_recvfrom", "kind_tcp_accept":
            for timeout in None, 600:
                for _ in range(10):
                    sock, call, peer = getattr(self, name)()
                    sock.settimeout(timeout)
                    number = sock.fileno()
                    worker = Worker(call).wait_blocked()
                    self.assertEqual(sock.detach(), number)
                    adopted = self.keep(socket.socket(fileno=number))
                    worker.finish(10)
                    self.assertErrno(worker.error, errno.EBADF)
                    self.assertEqual(sock.fileno(), -1)
                    adopted.settimeout(DEADLINE)
                    if peer is not None:
                        peer.sendall(b"later")
                        self.assertEqual(adopted.recv(10), b"later", "no byte is lost to the call that ended")
                    self.doCleanups()


if __name__ == "__main__":
    unittest.main()
