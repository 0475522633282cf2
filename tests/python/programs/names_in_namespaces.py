"""Look-ups with a name server of the test's own: run by test_names.py, in namespaces of its own.

As a module of unittest, by `unshare --map-root-user --mount --net`: it puts files of its own over /etc/resolv.conf and others.
"""

import asyncio
import errno
import itertools
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import reactor  # noqa: E402
from support import DEADLINE, Worker, need_cpython, run_python, wait_for  # noqa: E402

# Exit code: the namespaces do not allow it.
NO_NAMESPACES = 77

CONFIGURATION = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
    "/etc/nsswitch.conf": "hosts: files dns\nservices: files\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n192.0.2.7 seven.test alias7\n",
}


def put(path, text):
    """Show `text` as the file `path`, in this mount namespace."""
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text)
    subprocess.run(["mount", "--bind", file.name, path], check=True)


def setUpModule():
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for path, text in CONFIGURATION.items():
            put(path, text)
    except (OSError, subprocess.CalledProcessError) as why:
        print(why, file=sys.stderr)
        sys.stderr.flush()
        os._exit(NO_NAMESPACES)
    server = subprocess.Popen(
        [sys.executable, os.path.join(HERE, "name_server.py"), "127.0.0.1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def stop():
        server.stdin.close()
        server.stdout.close()
        server.wait(DEADLINE)

    unittest.addModuleCleanup(stop)
    assert server.stdout.readline() == b"ready\n"


def ipv4(number):
    return socket.inet_ntoa((10 << 24 | number).to_bytes(4, "big"))


def look_up(name, family=socket.AF_INET):
    return [entry[4][0] for entry in socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM)]


def asked():
    """How many queries the server has had."""
    (address,) = look_up("asked.test")
    return int.from_bytes(socket.inet_aton(address)[1:], "big")


def queries_of(call):
    before = asked()
    call()
    # The question for the number is one, or for it and the other family's.
    return asked() - before - 1


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def threads():
    return len(os.listdir("/proc/self/task"))


class Most:
    """The most descriptors and threads that the process has in a `with` block, looked at by a thread."""

    def __enter__(self):
        self.before = descriptors(), threads()
        self.descriptors = self.threads = 0
        self.over = threading.Event()
        self.worker = Worker(self.look)
        return self

    def look(self):
        while not self.over.wait(0.001):
            self.descriptors = max(self.descriptors, descriptors())
            self.threads = max(self.threads, threads())

    def __exit__(self, *args):
        self.over.set()
        self.worker.result()
        print(f"  at most {self.descriptors} descriptors and {self.threads} threads, before {self.before}", file=sys.stderr)


class Answers(unittest.TestCase):
    def setUp(self):
        reactor.dns_cache_clear()

    def test_the_way_is_ours(self):
        path, reason = reactor.explain_resolve("n1.test", 80)
        self.assertEqual(path, "names", reason)
        self.assertEqual(reactor.explain_resolve("127.0.0.1", 80)[0], "numeric")
        self.assertEqual(reactor.explain_resolve("odd name.test", 80)[0], "libc")

    def test_both_families(self):
        found = look_up("n5.test", 0)
        self.assertEqual(sorted(found), ["10.0.0.5", "2001:db8::5"])
        self.assertEqual(look_up("n5.test", socket.AF_INET6), ["2001:db8::5"])
        self.assertEqual(socket.gethostbyname("n5.test"), "10.0.0.5")
        self.assertEqual(socket.gethostbyname_ex("n5.test"), ("n5.test", [], ["10.0.0.5"]))

    def test_hosts_file(self):
        self.assertEqual(queries_of(lambda: look_up("alias7")), 0)
        self.assertEqual(look_up("alias7"), ["192.0.2.7"])
        self.assertEqual(socket.gethostbyaddr("192.0.2.7"), ("seven.test", ["alias7"], ["192.0.2.7"]))
        self.assertEqual(socket.getnameinfo(("192.0.2.7", 80), 0)[0], "seven.test")

    def test_failures(self):
        for name, code in ("gone.test", socket.EAI_NONAME), ("t9.test", socket.EAI_NODATA):
            with self.subTest(name), self.assertRaises(socket.gaierror) as caught:
                look_up(name, socket.AF_INET6)
            self.assertEqual(caught.exception.errno, code)

    def test_the_cache(self):
        self.assertEqual(queries_of(lambda: look_up("n6.test")), 1)
        self.assertEqual(queries_of(lambda: look_up("n6.test.")), 0)
        reactor.dns_cache_clear()
        self.assertEqual(queries_of(lambda: look_up("n6.test")), 1)
        for times in 1, 0:
            with self.subTest(times):

                def absent():
                    self.assertRaises(socket.gaierror, look_up, "gone6.test")

                self.assertEqual(queries_of(absent), times)
        # Not to be remembered at all.
        for _ in range(2):
            self.assertEqual(queries_of(lambda: look_up("t0.test")), 1)

    def test_the_cache_switched_off(self):
        program = "import socket; [socket.gethostbyname('n8.test') for _ in range(5)]"

        def run(entries):
            done = run_python("-c", program, env={**os.environ, "REACTOR_DNS_CACHE": entries})
            self.assertEqual(done.returncode, 0, done.stderr)

        self.assertEqual(queries_of(lambda: run("0")), 5)
        self.assertEqual(queries_of(lambda: run("100")), 1)

    def test_a_changed_hosts_file_counts_at_once(self):
        self.assertEqual(look_up("n9.test"), ["10.0.0.9"])
        with open("/etc/hosts", "a") as file:
            file.write("192.0.2.9 n9.test\n")
        self.assertEqual(look_up("n9.test"), ["192.0.2.9"])
        with open("/etc/hosts", "w") as file:
            file.write(CONFIGURATION["/etc/hosts"])
        self.assertEqual(look_up("n9.test"), ["10.0.0.9"])

    def test_a_datagram_goes_where_the_name_says_now(self):
        sender, here, there = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(3)]
        here.bind(("127.0.0.1", 0))
        port = here.getsockname()[1]
        there.bind(("127.0.0.2", port))
        address = ("moving.test", port)
        got = []
        for host, end in (("127.0.0.1", here), ("127.0.0.2", there), ("127.0.0.1", here)):
            with open("/etc/hosts", "w") as file:
                file.write(f"{host} moving.test\n")
            for _ in range(2):
                sender.sendto(host.encode(), address)
                end.settimeout(DEADLINE)
                got.append(end.recv(100).decode() == host)
        with open("/etc/hosts", "w") as file:
            file.write(CONFIGURATION["/etc/hosts"])
        for sock in (sender, here, there):
            sock.close()
        self.assertEqual(got, [True] * 6)

    def test_a_changed_resolv_conf_counts_at_once(self):
        self.assertEqual(look_up("n10.test"), ["10.0.0.10"])
        with open("/etc/resolv.conf", "w") as file:
            # Nobody listens there.
            file.write("nameserver 127.0.0.99\noptions timeout:1 attempts:1\n")
        try:
            with self.assertRaises(socket.gaierror) as caught:
                look_up("n10.test")
            self.assertEqual(caught.exception.errno, socket.EAI_AGAIN)
        finally:
            with open("/etc/resolv.conf", "w") as file:
                file.write(CONFIGURATION["/etc/resolv.conf"])
        self.assertEqual(look_up("n10.test"), ["10.0.0.10"])


class Peer(unittest.TestCase):
    maxDiff = 5_000

    def test_cpython_says_the_same(self):
        cpython = need_cpython()
        program = os.path.join(HERE, "look_ups.py")
        ours, theirs = [
            run_python("-X", "utf8", program, executable=interpreter, timeout=DEADLINE * 4).stdout.splitlines()
            for interpreter in (sys.executable, cpython)
        ]
        self.assertGreater(len(ours), 3_000)
        different = [pair for pair in itertools.zip_longest(ours, theirs) if pair[0] != pair[1]]
        print(f"  {len(ours)} look-ups", file=sys.stderr)
        self.assertEqual(different, [])


class Asyncio(unittest.TestCase):
    """What asyncio's own way, by the executor, does: the same is expected of ours."""

    def test_a_replaced_function_or_module_is_heard(self):
        async def look_up():
            return await asyncio.get_running_loop().getaddrinfo("n1.test", 80)

        self.assertNotEqual(asyncio.run(look_up()), "replaced")
        for name in "socket.getaddrinfo", "_socket.getaddrinfo", "asyncio.base_events.socket":
            replacement = unittest.mock.Mock(return_value=[(0, 0, 0, "replaced", ())])
            replacement.getaddrinfo = replacement
            with self.subTest(name), unittest.mock.patch(name, replacement):
                self.assertEqual(asyncio.run(look_up())[0][3], "replaced")

    def test_a_closed_loop_refuses(self):
        loop = asyncio.new_event_loop()
        late = loop.getaddrinfo("127.0.0.1", 80)
        loop.close()
        with self.assertRaisesRegex(RuntimeError, "closed"):
            asyncio.run(late)

    def test_answers_at_once_let_others_run(self):
        async def ask_in_a_loop(name):
            loop = asyncio.get_running_loop()
            ran = []
            await loop.getaddrinfo(name, 80)
            loop.call_soon(ran.append, "ran")
            for _ in range(1_000):
                await loop.getaddrinfo(name, 80)
                if ran:
                    return
            self.fail("nothing else ran")

        # In figures, from the hosts file, from the cache.
        for name in "127.0.0.1", "alias7", "n11.test":
            with self.subTest(name):
                asyncio.run(ask_in_a_loop(name))


class Silence(unittest.TestCase):
    """A name server that takes the query and never answers."""

    def test_deadline(self):
        before = time.monotonic()
        with self.assertRaises(TimeoutError), reactor.deadline(0.5):
            look_up("silent.test")
        self.assertGreaterEqual(time.monotonic() - before, 0.5)

    def test_figures_that_are_looked_up(self):
        """getaddrinfo() takes them for an address, but the C library's gethostbyname() asks for them."""
        with self.assertRaises(TimeoutError), reactor.deadline(0.5):
            socket.gethostbyname_ex("0xde.0xad")

    def test_control_c(self):
        program = """
import socket, sys, time
print("ready", flush=True)
try:
    socket.getaddrinfo("silent.test", 80)
except KeyboardInterrupt:
    print(time.monotonic())
"""
        for _ in range(10):
            child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
            self.assertEqual(child.stdout.readline(), "ready\n")
            # Into the look-up: its question is under way.
            wait_for(lambda: has_udp_socket(child.pid), "the question")
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=DEADLINE)
            self.assertEqual(child.returncode, 0, "no thread may keep the interpreter from its end")
            print(f"  Ctrl-C to KeyboardInterrupt: {(float(out) - sent) * 1000:.1f} ms", file=sys.stderr)


def has_udp_socket(pid):
    with open("/proc/net/udp") as table:
        sockets = {f"socket:[{line.split()[9]}]" for line in list(table)[1:]}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{number}") in sockets:
                return True
        except OSError:
            continue
    return False


class Crowds(unittest.TestCase):
    COUNT = 10_000
    # A quarter of what the process may have, 2,048 at most, are for questions.
    MOST_DESCRIPTORS = 2_500

    def test_asyncio(self):
        """All are under way at once, since the server takes its time."""
        names = range(100_000, 100_000 + self.COUNT)

        async def one(loop, number):
            found = await loop.getaddrinfo(f"l{number}.test", 80, family=socket.AF_INET, type=socket.SOCK_STREAM)
            self.assertEqual(found, [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ipv4(number), 80))])
            self.assertIsInstance(found[0][0], socket.AddressFamily)

        async def everything():
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(one(loop, number) for number in names))
            self.assertIsNone(loop._default_executor, "no thread a look-up")

        with Most() as most:
            asyncio.run(everything())
        self.assertLess(most.descriptors, self.MOST_DESCRIPTORS)
        self.assertLess(most.threads, most.before[1] + 5)

    def test_threads(self):
        each = self.COUNT // 200

        def work(start):
            for number in range(start, start + each):
                self.assertEqual(look_up(f"n{number}.test"), [ipv4(number)])

        with Most() as most:
            workers = [Worker(work, 200_000 + index * each) for index in range(200)]
            for worker in workers:
                worker.result(DEADLINE * 4)
        self.assertLess(most.descriptors, self.MOST_DESCRIPTORS)
        # The threads of the test, the one that looks, and the resolver's.
        self.assertLess(most.threads, most.before[1] + 200 + 5)

    def test_silent_names_starve_nobody(self):
        async def everything():
            loop = asyncio.get_running_loop()
            waiting = [
                asyncio.ensure_future(loop.getaddrinfo(f"silent{number}.test", 80)) for number in range(64)
            ]
            await asyncio.sleep(0)
            async with asyncio.timeout(DEADLINE):
                self.assertEqual(await loop.run_in_executor(None, lambda: 7), 7)
                found = await loop.getaddrinfo("n1.test", 80, family=socket.AF_INET)
                self.assertEqual(found[0][4], ("10.0.0.1", 80))
            for task in waiting:
                self.assertFalse(task.done())
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

        before = descriptors()
        asyncio.run(everything())
        wait_for(lambda: descriptors() <= before + 4, "the sockets of abandoned look-ups to go")


class Shortage(unittest.TestCase):
    """Descriptors run out."""

    def test_none_left(self):
        look_up("n30.test")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        # Below this number none is free: no other descriptor can be had.
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            for _ in range(3):
                with self.assertRaises(OSError) as caught:
                    look_up("n31.test")
                self.assertEqual(caught.exception.errno, errno.EMFILE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(look_up("n31.test"), ["10.0.0.31"])

    def test_few_for_a_crowd(self):
        program = """
import os, resource, socket, threading, time
# A file that has just been changed is read again each time, which takes a descriptor.
while time.time() - max(os.stat(path).st_ctime for path in FILES) < 3:
    time.sleep(0.05)
socket.getaddrinfo("n1.test", 80)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
failures = []
def work(number):
    try:
        socket.getaddrinfo(f"l{number}.test", 80, socket.AF_INET)
    except OSError as error:
        failures.append(error)
workers = [threading.Thread(target=work, args=(number,)) for number in range(50)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(len(failures), failures[:3])
"""
        program = program.replace("FILES", repr(list(CONFIGURATION)))
        done = run_python("-c", program, timeout=DEADLINE * 4)
        self.assertEqual(done.stdout.strip(), "0 []", done.stderr)


class Forks(unittest.TestCase):
    ROUNDS = 1_000

    def test_fork_during_look_ups(self):
        over = threading.Event()

        def work(start):
            number = start
            while not over.is_set():
                number += 1
                self.assertEqual(look_up(f"n{number}.test"), [ipv4(number)])

        workers = [Worker(work, (index + 1) * 1_000_000) for index in range(4)]
        try:
            for number in range(self.ROUNDS):
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        code = look_up(f"n{number}.test") != [ipv4(number)]
                    finally:
                        os._exit(code)
                self.wait_for_child(pid, number)
        finally:
            over.set()
        for worker in workers:
            worker.result()

    def wait_for_child(self, pid, number):
        end = time.monotonic() + DEADLINE
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self.assertEqual(status, 0, f"round {number}")
                return
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self.fail(f"round {number}: the child hangs")
            time.sleep(0.001)


if __name__ == "__main__":
    unittest.main(verbosity=2)
