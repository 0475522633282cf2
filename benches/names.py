"""What name look-ups cost: run it under several interpreters in turn, and compare.

    python3 benches/names.py ROUNDS INTERPRETER [INTERPRETER ...]

Every case runs under each interpreter in alternating rounds; printed are the medians in microseconds, and the ratio of the first
interpreter to each other. All of it happens in network and mount namespaces of its own (by `unshare`), with a name server of the
tests' own (a Python program under the interpreter that runs this file) on loopback. `names.py --case NAME` prints one figure.
"""

import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, "..", "tests", "python", "programs", "name_server.py")

FILES = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\n",
    "/etc/nsswitch.conf": "hosts: files dns\nservices: files\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


def look_up(name):
    return socket.getaddrinfo(name, 80, socket.AF_UNSPEC, socket.SOCK_STREAM)


def per_call(call, count, batches=5):
    """Microseconds a call, the best of some batches: what disturbs only makes it slower."""
    call()
    best = float("inf")
    for _ in range(batches):
        begin = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, time.perf_counter() - begin)
    return best / count * 1e6


def numeric():
    return per_call(lambda: look_up("127.0.0.1"), 5_000)


def numeric_v6():
    return per_call(lambda: look_up("::1"), 5_000)


def localhost():
    return per_call(lambda: look_up("localhost"), 1_000)


def one_name_again():
    """The same name every time: CPython asks the server again, a cache does not."""
    return per_call(lambda: look_up("n1.test"), 300)


def new_names():
    numbers = itertools.count()
    return per_call(lambda: look_up(f"n{next(numbers)}.test"), 300)


def new_names_in_32_threads():
    """The time of the whole, divided by the number of look-ups."""
    each, threads = 50, 32
    numbers = itertools.count()

    def work():
        for _ in range(each):
            look_up(f"n{next(numbers)}.test")

    best = float("inf")
    for _ in range(3):
        workers = [threading.Thread(target=work) for _ in range(threads)]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = min(best, time.perf_counter() - begin)
    return best / each / threads * 1e6


def asyncio_1000_at_once():
    import asyncio

    count = 1_000
    best = float("inf")
    for batch in range(3):

        async def everything():
            loop = asyncio.get_running_loop()
            names = (f"n{batch * count + number}.test" for number in range(count))
            await asyncio.gather(*(loop.getaddrinfo(name, 80, type=socket.SOCK_STREAM) for name in names))

        begin = time.perf_counter()
        asyncio.run(everything())
        best = min(best, time.perf_counter() - begin)
    return best / count * 1e6


CASES = (
    numeric,
    numeric_v6,
    localhost,
    one_name_again,
    new_names,
    new_names_in_32_threads,
    asyncio_1000_at_once,
)


def compare(rounds, interpreters):
    figures = {}
    for _ in range(rounds):
        for case in CASES:
            for interpreter in interpreters:
                done = subprocess.run(
                    [interpreter, __file__, "--case", case.__name__],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                figures.setdefault((case, interpreter), []).append(float(done.stdout))
    names = [os.path.basename(interpreter) for interpreter in interpreters]
    ratios = [f"{names[0]} / {name}" for name in names[1:]]
    print("| case (µs) |", " | ".join(names + ratios), "|")
    print("|---" * (1 + len(names) + len(ratios)) + "|")
    for case in CASES:
        medians = [statistics.median(figures[case, interpreter]) for interpreter in interpreters]
        shown = [f"{median:.1f}" for median in medians]
        shown += [f"{medians[0] / median:.2f}" for median in medians[1:]]
        print(f"| {case.__name__} |", " | ".join(shown), "|")


def in_namespaces(rounds, interpreters):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        for path, text in FILES.items():
            ours = os.path.join(folder, os.path.basename(path))
            with open(ours, "w") as file:
                file.write(text)
            subprocess.run(["mount", "--bind", ours, path], check=True)
        server = subprocess.Popen(
            [sys.executable, SERVER, "127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            server.stdout.readline()
            compare(rounds, interpreters)
        finally:
            server.stdin.close()
            server.wait()
            for path in FILES:
                subprocess.run(["umount", path], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "--case":
        print(globals()[sys.argv[2]]())
    elif sys.argv[1] == "--inside":
        in_namespaces(int(sys.argv[2]), sys.argv[3:])
    else:
        unshare = ["unshare", "--map-root-user", "--mount", "--net"]
        os.execvp("unshare", [*unshare, sys.executable, __file__, "--inside", *sys.argv[1:]])
