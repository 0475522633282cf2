"""What it takes until a program runs."""

import os
import subprocess
import sys

from measure import Figure, case, quantile

ROUNDS = 10

IMPORT = (
    "import time; begin, used = time.perf_counter(), time.process_time(); import {}; "
    "print(time.perf_counter() - begin, time.process_time() - used)"
)


@case()
def interpreter(bench):
    """Start, run nothing, end."""

    def run(count):
        for _ in range(count):
            # Not `subprocess`, whose Python code would be measured too.
            pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], os.environ)
            os.waitpid(pid, 0)

    return bench.per_operation(run, processor_time=bench.children)


def imported(bench, module):
    """The import alone, in fresh processes."""
    wall, used = [], []
    for _ in range(bench.size(ROUNDS)):
        output = subprocess.run(
            [sys.executable, "-c", IMPORT.format(module)], stdout=subprocess.PIPE, check=True
        ).stdout
        elapsed, cpu = map(float, output.split())
        wall.append(elapsed * 1e6)
        used.append(cpu * 1e6)
    return Figure(quantile(wall, bench.part), quantile(used, bench.part), "\N{MICRO SIGN}s")


@case()
def import_socket(bench):
    return imported(bench, "socket")


@case()
def import_http_client(bench):
    return imported(bench, "http.client")
