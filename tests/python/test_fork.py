"""fork, multiprocessing and subprocess: parent and child both go on, and no descriptor of the reactor leaks."""

import contextlib
import errno
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from support import DEADLINE, HOST, SocketTestCase, Worker, is_blocked, ours_only, run_python, wait_for


def echo_once(sock):
    """For child processes: answer one message in capitals."""
    with sock:
        sock.settimeout(DEADLINE)
        sock.sendall(sock.recv(100).upper())


def serve_once(listener):
    with listener:
        listener.settimeout(DEADLINE)
        connection, _ = listener.accept()
        echo_once(connection)


def exchange_in_child(results):
    """A whole conversation between new sockets and a second thread; puts what came back."""
    with socket.create_server((HOST, 0)) as listener:
        worker = Worker(serve_once, listener)
        with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:
            client.sendall(b"child")
            results.put(client.recv(100))
        worker.result()


class PreFork(SocketTestCase):
    """Processes that share one blocking listener race for every connection; who loses goes on waiting."""

    WORKERS, CLIENTS, CONNECTIONS = 5, 3, 150

    def serve(self, listener):
        while True:
            connection, _ = listener.accept()
            with connection:
                data = connection.recv(10)
                if data == b"quit":
                    return
                connection.sendall(data)

    def load(self, address):
        for number in range(self.CONNECTIONS):
            message = b"%d" % number
            with socket.create_connection(address, timeout=DEADLINE) as client:
                client.sendall(message)
                self.assertEqual(client.recv(10), message)

    def test_shared_listener(self):
        listener = self.listener(backlog=256)
        listener.settimeout(None)
        children = [self.fork(lambda: self.serve(listener)) for _ in range(self.WORKERS)]
        workers = [Worker(self.load, listener.getsockname()) for _ in range(self.CLIENTS)]
        for worker in workers:
            worker.result()
        self.assertTrue(os.get_blocking(listener.fileno()))
        for _ in children:
            with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:
                client.sendall(b"quit")
        for child in children:
            self.assertEqual(self.wait_child(child), 0)


class Fork(SocketTestCase):
    def tearDown(self):
        signal.setitimer(signal.ITIMER_REAL, 0)

    def conversation(self):
        """What any process must be able to do: new sockets, blocking, timeouts, threads."""
        left, right = socket.socketpair()
        reader = Worker(left.recv, 10).wait_blocked()
        right.sendall(b"new")
        self.assertEqual(reader.result(), b"new")
        left.settimeout(0.02)
        with self.assertRaises(TimeoutError):
            left.recv(1)
        left.settimeout(None)
        sender = Worker(right.sendall, bytes(1 << 21))
        got = 0
        while got < 1 << 21:
            got += len(left.recv(1 << 20))
        sender.result()
        left.close()
        right.close()
        with socket.create_server((HOST, 0)) as listener:
            accepting = Worker(listener.accept).wait_blocked()
            with socket.create_connection(listener.getsockname(), timeout=DEADLINE) as client:
                connection, address = accepting.result()
                self.assertEqual(address, client.getsockname())
                connection.close()
                self.assertEqual(client.recv(1), b"")

    def test_new_sockets_in_the_child(self):
        self.conversation()  # so that the parent has all that a wait needs, and the child inherits it
        self.assertEqual(self.wait_child(self.fork(self.conversation)), 0)
        self.conversation()

    def test_child_of_a_child(self):
        def child():
            self.conversation()
            self.assertEqual(self.wait_child(self.fork(self.conversation)), 0)
            self.conversation()
        self.assertEqual(self.wait_child(self.fork(child)), 0)

    def test_inherited_sockets_in_the_child(self):
        left, right = self.tcp_pair()
        for timeout in None, DEADLINE:
            left.settimeout(timeout)
            pid = self.fork(lambda: left.sendall(left.recv(100).upper()))
            right.sendall(b"over the fork")
            right.settimeout(DEADLINE)
            self.assertEqual(right.recv(100), b"OVER THE FORK")
            self.assertEqual(self.wait_child(pid), 0)

    def test_one_socket_in_both_in_turns(self):
        left, right = self.pair(kind=socket.SOCK_DGRAM)
        left.settimeout(DEADLINE)
        self.assertEqual(Worker(self.ping, left, right).result(), b"ping")

        def child():
            for _ in range(50):
                self.ping(left, right)
            # Closing here must not disturb the parent's registration of the same open file.
            left.close()
            right.close()
        for _ in range(5):
            self.assertEqual(self.wait_child(self.fork(child)), 0)
            for _ in range(50):
                self.ping(left, right)

    def ping(self, left, right):
        answer = Worker(left.recv, 10).wait_blocked()
        right.send(b"ping")
        return answer.result()

    def test_calls_blocked_during_the_fork_go_on(self):
        sock, peer = self.tcp_pair()
        listener, udp, sender = self.listener(), self.udp(), self.udp()
        timed, _timed_peer = self.pair()
        timed.settimeout(1.0)
        begin = time.monotonic()
        workers = {
            "recv": Worker(sock.recv, 10), "accept": Worker(listener.accept), "recvfrom": Worker(udp.recvfrom, 10),
            "timed": Worker(timed.recv, 10),
        }
        for name in "recv", "accept", "recvfrom":
            workers[name].wait_blocked()
        pids = [self.fork(lambda: None), self.fork(self.conversation)]
        for pid in pids:
            self.assertEqual(self.wait_child(pid), 0)
        for name in "recv", "accept", "recvfrom":
            self.assertTrue(is_blocked(workers[name].native_id), name)
        peer.sendall(b"after")
        self.assertEqual(workers["recv"].result(), b"after")
        client = self.keep(socket.create_connection(listener.getsockname()))
        connection, address = workers["accept"].result()
        self.keep(connection)
        self.assertEqual(address, client.getsockname())
        sender.sendto(b"x", udp.getsockname())
        self.assertEqual(workers["recvfrom"].result(), (b"x", sender.getsockname()))
        with self.assertRaises(TimeoutError):
            workers["timed"].result()
        self.assertGreaterEqual(workers["timed"].ended - begin, 1.0)

    def test_the_child_uses_a_socket_on_which_the_parent_was_blocked(self):
        sock, peer = self.tcp_pair()
        reader = Worker(sock.recv, 1).wait_blocked()

        def child():
            sock.sendall(b"from the child")
            # The parent's reader is not in this process, so its own close and timeout must work on the socket.
            sock.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                sock.recv(1)
            sock.close()
        self.assertEqual(self.wait_child(self.fork(child)), 0)
        self.assertIsNone(reader.ended, "the child's close() or timeout ended the parent's call")
        self.assertEqual(peer.recv(100), b"from the child")
        peer.sendall(b"x")
        self.assertEqual(reader.result(), b"x")

    @ours_only
    def test_close_still_wakes_in_the_child(self):
        def child():
            sock, _peer = self.pair()
            worker = Worker(sock.recv, 1).wait_blocked()
            sock.close()
            worker.finish(10)
            self.assertErrno(worker.error, errno.EBADF)
        sock, _peer = self.pair()
        worker = Worker(sock.recv, 1).wait_blocked()
        self.assertEqual(self.wait_child(self.fork(child)), 0)
        sock.close()
        worker.finish(10)
        self.assertErrno(worker.error, errno.EBADF)

    def test_signals_in_the_child(self):
        class Alarm(Exception):
            pass

        def ring(*_):
            raise Alarm

        def child():
            signal.signal(signal.SIGALRM, ring)
            left, _right = self.pair()
            for _ in range(20):
                with self.assertRaises(Alarm):
                    signal.setitimer(signal.ITIMER_REAL, 0.005)
                    left.recv(1)
        self.conversation()
        self.assertEqual(self.wait_child(self.fork(child)), 0)

    def test_forked_from_a_thread(self):
        # In the child that thread is the only one, and the main one.
        self.assertEqual(Worker(lambda: self.wait_child(self.fork(self.conversation))).result(60), 0)

    def test_storm(self):
        # Two hundred forks while threads talk; no byte may be lost and no child may hang.
        stop = threading.Event()
        pairs = [self.tcp_pair() if number & 1 else self.pair() for number in range(3)]

        def talk(left, right):
            echo = Worker(self.echo, right)
            count = 0
            while not stop.is_set():
                message = b"%08d" % count
                left.sendall(message)
                got = b""
                while len(got) < 8:
                    got += left.recv(8 - len(got))
                if got != message:
                    raise AssertionError(f"{got} came back instead of {message}")
                count += 1
            left.shutdown(socket.SHUT_WR)
            echo.result()
            return count
        talkers = [Worker(talk, left, right) for left, right in pairs]

        def child():
            left, right = socket.socketpair()
            left.settimeout(0.001)
            with self.assertRaises(TimeoutError):
                left.recv(1)
            right.sendall(b"x")
            left.settimeout(DEADLINE)
            self.assertEqual(left.recv(1), b"x")
            left.close()
            right.close()
        for _ in range(50):
            pids = [self.fork(child) for _ in range(4)]
            for pid in pids:
                self.assertEqual(self.wait_child(pid), 0)
        stop.set()
        for talker in talkers:
            self.assertGreater(talker.result(), 0)

    def echo(self, sock):
        while data := sock.recv(100):
            sock.sendall(data)


class Multiprocessing(SocketTestCase):
    def methods(self):
        for method in multiprocessing.get_all_start_methods():
            with self.subTest(method):
                yield multiprocessing.get_context(method)

    def run_process(self, process):
        process.start()
        return process

    def finish(self, process):
        process.join(DEADLINE)
        if process.exitcode is None:
            process.kill()
            process.join()
            self.fail("the child process hangs")
        self.assertEqual(process.exitcode, 0)

    def test_a_socket_given_to_the_child(self):
        for context in self.methods():
            left, right = self.tcp_pair()
            process = self.run_process(context.Process(target=echo_once, args=(right,)))
            right.close()
            left.settimeout(DEADLINE)
            left.sendall(b"given")
            self.assertEqual(left.recv(100), b"GIVEN")
            self.finish(process)

    def test_a_listener_given_to_the_child(self):
        for context in self.methods():
            listener = self.listener()
            process = self.run_process(context.Process(target=serve_once, args=(listener,)))
            client = self.keep(socket.create_connection(listener.getsockname(), timeout=DEADLINE))
            client.sendall(b"accepted there")
            self.assertEqual(client.recv(100), b"ACCEPTED THERE")
            self.finish(process)

    def test_new_sockets_in_the_child(self):
        for context in self.methods():
            results = context.SimpleQueue()
            process = self.run_process(context.Process(target=exchange_in_child, args=(results,)))
            self.assertEqual(results.get(), b"CHILD")
            self.finish(process)

    def test_with_a_blocked_thread_in_the_parent(self):
        sock, peer = self.tcp_pair()
        reader = Worker(sock.recv, 100).wait_blocked()
        for context in self.methods():
            results = context.SimpleQueue()
            process = self.run_process(context.Process(target=exchange_in_child, args=(results,)))
            self.assertEqual(results.get(), b"CHILD")
            self.finish(process)
        self.assertIsNone(reader.ended)
        peer.sendall(b"x")
        self.assertEqual(reader.result(), b"x")


class Subprocesses(SocketTestCase):
    LIST = ["/bin/sh", "-c", "ls -l /proc/self/fd"]

    def descriptors(self, **kwargs):
        """The targets of the descriptors that a program started now finds open, without its own listing's."""
        out = subprocess.run(self.LIST, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, text=True,
                             stderr=subprocess.DEVNULL, **kwargs).stdout
        targets = [line.rpartition(" -> ")[2] for line in out.splitlines() if " -> " in line]
        # ls sees the folder it reads, and the standard streams that were made for it.
        return sorted(t for t in targets if not t.startswith(("/proc/", "/dev/null", "pipe:")))

    def busy(self):
        """Sockets with blocked threads, so that whatever descriptors waiting needs are open."""
        pairs = [self.pair() for _ in range(10)]
        workers = [Worker(left.recv, 1).wait_blocked() for left, _right in pairs]

        def finish():
            for _left, right in pairs:
                right.send(b"x")
            for worker in workers:
                worker.result()
        self.addCleanup(finish)
        # A selector's own descriptor and an asyncio loop's come on top for what the standard library opens.
        poller = select.epoll()
        self.addCleanup(poller.close)
        left = pairs[0][1]
        left.settimeout(0.01)
        with self.assertRaises(TimeoutError):
            left.recv(1)
        left.settimeout(None)

    def test_nothing_leaks(self):
        # Started from a shell with other descriptors open, this process has inherited some: they are not ours.
        before = self.descriptors(close_fds=False)
        self.busy()
        self.assertEqual(self.descriptors(close_fds=False), before)
        self.assertEqual(self.descriptors(close_fds=True), [t for t in self.descriptors() if t in before])

    def test_nothing_leaks_over_fork_and_exec(self):
        self.busy()
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(writer, 1)
                os.execv(self.LIST[0], self.LIST)
            finally:
                os._exit(127)
        os.close(writer)
        with open(reader) as file:
            listing = file.read()
        self.assertEqual(self.wait_child(pid), 0)
        self.assertNotIn("socket:", listing)
        self.assertNotIn("eventpoll", listing)
        self.assertNotIn("eventfd", listing)

    def test_pass_fds(self):
        left, right = self.tcp_pair()
        code = ("import socket, sys\n"
                "with socket.socket(fileno=int(sys.argv[1])) as sock:\n"
                "    assert sock.family == socket.AF_INET and sock.type == socket.SOCK_STREAM\n"
                "    sock.sendall(sock.recv(100).upper())\n")
        child = subprocess.Popen([sys.executable, "-c", code, str(right.fileno())], pass_fds=[right.fileno()])
        self.addCleanup(child.wait, DEADLINE)
        right.close()
        left.settimeout(DEADLINE)
        left.sendall(b"passed")
        self.assertEqual(left.recv(100), b"PASSED")
        self.assertEqual(left.recv(100), b"")
        self.assertEqual(child.wait(DEADLINE), 0)

    def test_a_socket_as_standard_input(self):
        left, right = self.pair()
        child = subprocess.Popen(["/bin/cat"], stdin=right, stdout=right)
        self.addCleanup(child.wait, DEADLINE)
        right.close()
        left.settimeout(DEADLINE)
        # cat would fail with EAGAIN were the inherited descriptor non-blocking.
        wait_for(lambda: is_blocked(child.pid, child.pid), "cat waits for input")
        left.sendall(b"meow")
        self.assertEqual(left.recv(100), b"meow")
        left.shutdown(socket.SHUT_WR)
        self.assertEqual(child.wait(DEADLINE), 0)

    def test_many_programs_among_blocked_threads(self):
        self.busy()
        for _ in range(20):
            self.assertEqual(subprocess.run(["/bin/true"], timeout=60).returncode, 0)
        done = run_python("-c", "import socket; a, b = socket.socketpair(); b.send(b'x'); print(a.recv(1))", timeout=60)
        self.assertEqual(done.stdout.strip(), "b'x'", done.stderr)


class Flags(SocketTestCase):
    def every_new_socket(self):
        listener = self.listener()
        client = self.keep(socket.create_connection(listener.getsockname()))
        accepted = self.keep(listener.accept()[0])
        left, right = self.pair()
        yield from (listener, client, accepted, left, right, self.udp(), self.keep(left.dup()))
        yield self.keep(socket.fromfd(left.fileno(), left.family, left.type))

    def test_not_inheritable(self):
        for number, sock in enumerate(self.every_new_socket()):
            with self.subTest(number):
                self.assertFalse(sock.get_inheritable())
                self.assertFalse(os.get_inheritable(sock.fileno()))
        sock.set_inheritable(True)
        self.assertTrue(os.get_inheritable(sock.fileno()))

    def test_blocking_flag_as_the_timeout_says(self):
        for number, sock in enumerate(self.every_new_socket()):
            with self.subTest(number):
                for timeout, blocking in (None, True), (5, False), (None, True), (0, False), (None, True):
                    sock.settimeout(timeout)
                    self.assertEqual(os.get_blocking(sock.fileno()), blocking, timeout)

    def test_blocking_flag_during_a_wait(self):
        sock, peer = self.tcp_pair()
        full, _unread = self.tcp_pair()
        for timeout, blocking in (None, True), (600, False):
            sock.settimeout(timeout)
            full.settimeout(timeout)
            listener, udp = self.listener(), self.udp()
            listener.settimeout(timeout)
            udp.settimeout(timeout)
            reader = Worker(sock.recv, 1).wait_blocked()
            accepting = Worker(listener.accept).wait_blocked()
            receiving = Worker(udp.recv, 1).wait_blocked()
            for each in sock, listener, udp:
                self.assertEqual(os.get_blocking(each.fileno()), blocking)
            seen = []
            pid = self.fork(lambda: self.assertEqual(os.get_blocking(sock.fileno()), blocking))
            self.assertEqual(self.wait_child(pid), 0, seen)
            peer.sendall(b"x")
            reader.result()
            self.keep(socket.create_connection(listener.getsockname()))
            self.keep(accepting.result()[0])
            udp.sendto(b"x", udp.getsockname())
            receiving.result()
            for each in sock, listener, udp:
                self.assertEqual(os.get_blocking(each.fileno()), blocking)

    def test_blocking_flag_during_connect(self):
        address = self.full_listener().getsockname()
        for timeout, blocking in (None, True), (600, False):
            sock = self.keep(socket.socket())
            sock.settimeout(timeout)
            worker = Worker(sock.connect, address).wait_blocked()
            self.assertEqual(os.get_blocking(sock.fileno()), blocking)
            sock.shutdown(socket.SHUT_RDWR)  # ends a connect that is in progress
            worker.finish()
            self.assertEqual(os.get_blocking(sock.fileno()), blocking)

    def test_blocking_flag_after_detach(self):
        for timeout, blocking in (None, True), (5, False):
            sock, peer = self.tcp_pair()
            peer.sendall(b"x")
            sock.settimeout(timeout)
            sock.recv(1)
            number = sock.detach()
            self.assertEqual(os.get_blocking(number), blocking)
            os.close(number)

    def test_the_default_timeout_makes_new_sockets_non_blocking(self):
        self.addCleanup(socket.setdefaulttimeout, None)
        socket.setdefaulttimeout(5)
        self.assertFalse(os.get_blocking(self.keep(socket.socket()).fileno()))
        socket.setdefaulttimeout(None)
        self.assertTrue(os.get_blocking(self.keep(socket.socket()).fileno()))


if __name__ == "__main__":
    unittest.main()
