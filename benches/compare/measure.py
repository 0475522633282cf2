"""What every case stands on: its registration, the clock, and the process on the other side.

A case is a function that takes a `Bench` and returns a `Figure`. It runs in a process of its own, so that nothing is left of the one before.
"""

import collections
import os
import resource
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

ONE = ("one",)
ALL = ("all",)
BOTH = ("one", "all")

# Batches are short against a time slice of the scheduler, so that some of them pass undisturbed on a busy machine.
BATCH_SECONDS = 0.002
BATCHES = 80
# A case whose single operation is slow gets fewer batches, and at least these.
CASE_SECONDS = 1.5
FEWEST_BATCHES = 5

# `value` in `unit`, wall time for times; `cpu` is processor time of one operation in microseconds, or None where that means nothing.
Figure = collections.namedtuple("Figure", "value cpu unit")

# What a case is: its function, and on how many processors it is to run (a row for each).
Case = collections.namedtuple("Case", "name function cpus")

CASES = {}


def quantile(values, part):
    """The value at that part of the way up, 0 to 1. (The module `statistics` takes longer to import than a case to run.)"""
    return sorted(values)[int(len(values) * part)]


def case(cpus=ONE):
    """Registers a case as `module.function`."""

    def register(function):
        name = function.__module__ + "." + function.__name__
        CASES[name] = Case(name, function, cpus)
        return function

    return register


class Bench:
    """The clock of one run of one case.

    `quick` shows only that the case runs. `pinned` says that all of it shares one processor: what makes one batch slower than another is
    then some other process, so the lower quartile tells more of the case than the median.
    """

    def __init__(self, quick=False, pinned=False):
        self.quick = quick
        self.part = 0.25 if pinned else 0.5

    def size(self, count):
        """How many threads or sockets to take instead of `count`."""
        return min(count, 5) if self.quick else count

    def per_operation(self, run, prepare=None, finish=None, least=1, most=1 << 30, each=1, processor_time=time.process_time):
        """The cost of an operation, of which `run(count)` does `count * each`, with a `count` from `least` to `most`.

        `prepare(count)` and `finish()` surround each call of `run` and are not timed.
        """

        def batch(count):
            if prepare is not None:
                prepare(count)
            cpu, begin = processor_time(), time.perf_counter()
            run(count)
            elapsed = time.perf_counter() - begin
            cpu = processor_time() - cpu
            if finish is not None:
                finish()
            return elapsed, cpu

        if self.quick:
            count, batches = 2, 2
        else:
            count = least
            elapsed, _ = batch(count)
            while elapsed < BATCH_SECONDS and count * 2 <= most:
                count *= 2
                elapsed, _ = batch(count)
            batches = max(FEWEST_BATCHES, min(BATCHES, int(CASE_SECONDS / max(elapsed, BATCH_SECONDS))))
        done = [batch(count) for _ in range(batches)]
        operation = 1e6 / (count * each)
        return Figure(
            quantile([elapsed for elapsed, _ in done], self.part) * operation,
            # Not the median: a clock that ticks coarsely has nothing to say of one short batch.
            sum(cpu for _, cpu in done) / len(done) * operation,
            "\N{MICRO SIGN}s",
        )

    def children(self):
        """Processor seconds of child processes that have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


class Peer:
    """A process that does what it is told, by lines on its standard input: see `peer.py`.

    Under the interpreter that BENCH_PEER names, the same for all that are measured; or under the one that runs this, if `own`.
    """

    def __init__(self, own=False):
        # Only cases with another side pay for this import.
        import subprocess

        interpreter = sys.executable if own else os.environ.get("BENCH_PEER", sys.executable)
        self.process = subprocess.Popen(
            [interpreter, "-W", "ignore", os.path.join(HERE, "peer.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True,
        )

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the peer died")
        return answer.strip()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def allow_descriptors(count):
    """Raise the limit of open files to that, if it is lower. How many may be opened, at most `count`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return count
