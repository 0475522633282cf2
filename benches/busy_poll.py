"""Polls before sleeps: what they save, and that they harm nobody. For `reactor-python`, alone on its machine.

    reactor-python benches/busy_poll.py [case ...]

Each case runs with polls off and on in turn, and prints microseconds of wall time and of this process's CPU time a round
trip (64 bytes over TCP on loopback), the medians of the rounds, and on / off. `taskset -c 0` in front shows a single processor.
A case is a process of its own: one that has just lost its processor to others does not poll for some seconds, which is the next
case's no more.
"""

import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time

import reactor

ROUNDS = 9
DEFAULT = reactor.get_busy_poll() or 50e-6
MESSAGE = b"x" * 64

# The first argument of the process of one case.
ONE = "--one"
IDLE = "idle"

HOG = "while True: pass"

ECHO = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while message := peer.recv(64):
    peer.sendall(message)
"""


def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    for end in ours, theirs:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


def echo(end):
    while message := end.recv(64):
        end.send(message)


def ping(end, count):
    for _ in range(count):
        end.send(MESSAGE)
        end.recv(64)


class Threads:
    """Echo threads in this process, and as many that ask."""

    def __init__(self, connections=1):
        self.pairs = [tcp_pair() for _ in range(connections)]
        for _, theirs in self.pairs:
            threading.Thread(target=echo, args=(theirs,), daemon=True).start()

    def run(self, count):
        each = max(1, count // len(self.pairs))
        if len(self.pairs) == 1:
            ping(self.pairs[0][0], each)
            return each
        askers = [
            threading.Thread(target=ping, args=(ours, each)) for ours, _ in self.pairs
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        return each * len(self.pairs)

    def close(self):
        for ours, _ in self.pairs:
            ours.close()


class OtherProcess:
    """An echo in another program, which does not poll."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            environment = dict(os.environ, REACTOR_BUSY_POLL_US="0")
            self.peer = subprocess.Popen(
                [sys.executable, "-c", ECHO, str(port)], env=environment
            )
            self.ours, _ = server.accept()
        self.ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, count):
        ping(self.ours, count)
        return count

    def close(self):
        self.ours.close()
        self.peer.wait()


class WithHogs:
    """Beside two programs a processor that want all of it."""

    def __init__(self, inner):
        count = 2 * multiprocessing.cpu_count()
        self.hogs = [
            subprocess.Popen([sys.executable, "-S", "-c", HOG]) for _ in range(count)
        ]
        time.sleep(1)
        self.inner = inner()

    def run(self, count):
        return self.inner.run(count)

    def close(self):
        self.inner.close()
        for hog in self.hogs:
            hog.kill()
            hog.wait()


class WithHogThreads:
    """Beside two threads a processor of this process that want all of it."""

    def __init__(self, inner):
        self.over = False
        for _ in range(2 * multiprocessing.cpu_count()):
            threading.Thread(target=self.compute, daemon=True).start()
        self.inner = inner()

    def compute(self):
        while not self.over:
            pass

    def run(self, count):
        return self.inner.run(count)

    def close(self):
        self.inner.close()
        self.over = True


class WithSleepers:
    """Beside 1,000 threads that wait."""

    def __init__(self, inner):
        self.waits = [socket.socketpair() for _ in range(1000)]
        for ours, _ in self.waits:
            threading.Thread(target=ours.recv, args=(1,), daemon=True).start()
        time.sleep(1)
        self.inner = inner()

    def run(self, count):
        return self.inner.run(count)

    def close(self):
        self.inner.close()
        for _, theirs in self.waits:
            theirs.close()


class Churn:
    """A thread a connection: connect, one round trip, close."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                end, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(end,), daemon=True).start()

    def answer(self, end):
        with end:
            echo(end)

    def run(self, count):
        count //= 10
        for _ in range(count):
            with socket.create_connection(self.server.getsockname()) as end:
                ping(end, 1)
        return count

    def close(self):
        self.server.close()


CASES = {
    "two threads": (Threads, 4000),
    "the other end in another process": (OtherProcess, 4000),
    "20 pairs of threads": (lambda: Threads(20), 8000),
    "a thread a connection": (Churn, 4000),
    "two threads, 1,000 more that wait": (lambda: WithSleepers(Threads), 4000),
    "two threads, busy programs": (lambda: WithHogs(Threads), 2000),
    "two threads, busy threads": (lambda: WithHogThreads(Threads), 2000),
    "20 pairs, busy programs": (lambda: WithHogs(lambda: Threads(20)), 4000),
}


def measure(case, count):
    before, cpu = time.perf_counter(), cpu_time()
    done = case.run(count)
    wall, cpu = time.perf_counter() - before, cpu_time() - cpu
    return wall / done * 1e6, cpu / done * 1e6


def idle():
    """Threads that have polled with success, and then nothing happens."""
    case = Threads()
    reactor.set_busy_poll(DEFAULT)
    case.run(4000)
    time.sleep(0.1)
    before = cpu_time()
    time.sleep(1)
    print(f"idle for a second: {(cpu_time() - before) * 1e3:.2f} ms of CPU time")
    case.close()


def run(name):
    make, count = CASES[name]
    case = make()
    seen = {0: [], DEFAULT: []}
    for budget in seen:
        reactor.set_busy_poll(budget)
        case.run(count)
    for _ in range(ROUNDS):
        for budget, results in seen.items():
            reactor.set_busy_poll(budget)
            results.append(measure(case, count))
    case.close()
    (off, off_cpu), (on, on_cpu) = (
        [statistics.median(column) for column in zip(*results)]
        for results in seen.values()
    )
    print(
        f"{name:36}{off:11.1f}{off_cpu:8.1f}{on:11.1f}{on_cpu:8.1f}"
        f"{on / off:8.2f}{on_cpu / off_cpu:7.2f}"
    )


def main(wanted):
    print(
        f"{'':36}{'off: wall':>11}{'CPU':>8}{'on: wall':>11}{'CPU':>8}{'on/off':>8}{'CPU':>7}",
        flush=True,
    )
    names = [name for name in CASES if not wanted or any(word in name for word in wanted)]
    for name in names + ([] if wanted else [IDLE]):
        subprocess.run([sys.executable, __file__, ONE, name], check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [first, name] if first == ONE and name == IDLE:
            idle()
        case [first, name] if first == ONE:
            run(name)
        case wanted:
            main(wanted)
