"""The long runs of `reactor-load`: thousands of connections, a soak, and whether its figures are those of other tools.

    cargo build --release --package reactor-load
    python3 benches/load/run.py ours=target/dist/reactor-python cpython=python3

prints Markdown for docs/benchmarks.md, and exits with 1 if something was lost, grew or disagreed. Alone on its machine it takes five
minutes for each interpreter, and two more. `--only PART` chooses parts, `--quick` only shows that they run. Part `wrk` needs that program.
"""

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
SERVERS = os.path.join(ROOT, "examples", "servers")
PARTS = ("many", "threads", "soak", "wrk", "bulk")

# What a process holds besides connections.
RESERVE = 100

# How far two tools may lie apart, and how much a resident set may go up and down.
AGREEMENT = 0.10
MEMORY_NOISE = 0.01


class Bench:
    def __init__(self, options):
        self.program = options.program
        self.quick = options.quick
        self.bad = []

    def load(self, *arguments):
        """The report of one run; None, and a complaint, if there is none."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            command = [self.program, *map(str, arguments), "--quiet", "--json", path]
            done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=600)
            if os.path.exists(path):
                with open(path) as file:
                    return json.load(file)
        self.complain(f"{shlex.join(command[1:-3])}: exit code {done.returncode}: {done.stderr.strip()}")
        return None

    def complain(self, what):
        self.bad.append(what)
        print(f"\n**{what}**\n", flush=True)


def server(path, name):
    return f"{shlex.quote(path)} {shlex.quote(os.path.join(SERVERS, name + '.py'))}"


def lost(report):
    """What did not go well, in words; nothing if all did."""
    found = []
    for kind in ("operations", "connections"):
        counts = report[kind]
        found += [f"{number} {kind}: {reason}" for reason, number in counts["failed"].items()]
        found += [f"{counts[name]} {kind} {name}" for name in ("unfinished", "not_sent") if counts[name]]
        if counts["started"] != counts["completed"] + sum(counts["failed"].values()) + counts["unfinished"]:
            found.append(f"the counts of {kind} do not add up")
    if report["server"] and report["server"]["ended_early"]:
        found.append(f"the server: {report['server']['ended']}")
    return "; ".join(found)


def row(*cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def header(*cells):
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)


def milliseconds(report, name):
    return f"{report['latency'][name] / 1000:,.1f}" if report["latency"] else "-"


def figures(bench, who, name, count, what, report):
    if report is None:
        return
    wrong = lost(report)
    if wrong:
        bench.complain(f"{who}, {name}, {count}, {what}: {wrong}")
    a_second = report["operations"]["completed"] / report["measured"]
    memory = report["server"]["memory_a_connection"]
    busy = [sample["processors"] for sample in report["server"]["samples"] if sample["at"] > 0]
    row(who, f"`{name}.py`", f"{count:,}", what, f"{a_second:,.0f}", milliseconds(report, "p50"), milliseconds(report, "p99"),
        milliseconds(report, "max"), f"{memory / 1024:.1f}" if memory else "-",
        f"{statistics.median(busy):.2f}" if busy else "-", wrong or "none")
    for limit in report["limits"]:
        print(f"<!-- {limit} -->")


def figures_header():
    header("interpreter", "server", "connections", "load", "operations/s", "p50 ms", "p99 ms", "max ms", "KiB a connection",
           "processors of the server", "lost or wrong")


def many(bench, interpreters):
    """Connections by the ten thousand: kept, with a message on each now and then; and all of them at once."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - RESERVE
    counts = (200, 300) if bench.quick else (10_000, 15_000)
    seconds = 2 if bench.quick else 10
    figures_header()
    for count in counts:
        if count > most:
            bench.complain(f"{count:,} connections: this machine allows {most + RESERVE:,} descriptors")
            continue
        for name in ("selectors_echo", "asyncio_protocol_echo"):
            for who, path in interpreters:
                always = ("--server", server(path, name), "--connections", count, "--ramp", f"{seconds // 2}s", "--timeout", "30s")
                kept = bench.load("hold", *always, "--duration", f"{seconds}s", "--echo-every", f"{seconds // 2}s")
                figures(bench, who, name, count, "kept, one message in " + f"{seconds // 2} s", kept)
                figures(bench, who, name, count, "closed loop", bench.load("echo", *always, "--duration", f"{seconds}s"))


def threads(bench, interpreters):
    """A thousand connections with a thread each."""
    count, seconds = (50, 2) if bench.quick else (1000, 10)
    figures_header()
    for who, path in interpreters:
        report = bench.load("echo", "--server", server(path, "thread_echo"), "--connections", count, "--ramp", "2s", "--duration",
                            f"{seconds}s", "--timeout", "30s")
        figures(bench, who, "thread_echo", count, "closed loop", report)


def soak(bench, interpreters):
    """Nothing of the server grows between the 20th and the 60th second."""
    seconds = 6 if bench.quick else 60
    begin = seconds / 3
    header("interpreter", "server", "load", "operations", "descriptors", "threads", "memory MiB", "verdict")
    for load, name, count in (("echo", "selectors_echo", 200), ("connect", "thread_echo", 20)):
        for who, path in interpreters:
            report = bench.load(load, "--server", server(path, name), "--connections", count, "--duration", f"{seconds}s")
            if report is None:
                continue
            # Not the last moment, when connections are closed.
            samples = [sample for sample in report["server"]["samples"] if begin <= sample["at"] < seconds - 0.5]
            third = max(len(samples) // 4, 1)
            wrong = [lost(report)] if lost(report) else []
            cells = []
            for what, unit in (("descriptors", 1), ("threads", 1), ("rss", 1 << 20)):
                values = [sample[what] / unit for sample in samples]
                if not values:
                    wrong.append("no samples")
                    break
                first, last = statistics.median(values[:third]), statistics.median(values[-third:])
                cells.append(f"{first:,.1f} → {last:,.1f}" if unit > 1 else f"{first:,.0f} → {last:,.0f}")
                if load == "connect" and unit == 1:
                    # As many as there happen to be at the moment, and never more than connections.
                    bound = max(values[: len(values) // 2]) + count
                else:
                    bound = first + (max(first * MEMORY_NOISE, 1) if unit > 1 else 0)
                if last > bound:
                    each = (last - first) * unit / max(report["operations"]["completed"] * 2 / 3, 1)
                    wrong.append(f"{what} grow" + (f", {each:,.0f} bytes a connection" if load == "connect" and unit > 1 else ""))
            if wrong:
                bench.complain(f"{who}, {name}, {load}: {'; '.join(wrong)}")
            cells += ["-"] * (3 - len(cells))
            row(who, f"`{name}.py`", load, f"{report['operations']['completed']:,}", *cells, "; ".join(wrong) or "nothing grows")


class Running:
    """A server of `examples/servers/` that both tools load."""

    def __init__(self, path, name):
        environment = dict(os.environ, HOST="127.0.0.1", PORT="0")
        command = [path, os.path.join(SERVERS, name + ".py")]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def wrk(bench, interpreters):
    """Requests a second, by `wrk` and by ours in turn."""
    if shutil.which("wrk") is None:
        bench.complain("wrk is not installed")
        return
    rounds, seconds = (2, 1) if bench.quick else (5, 5)
    header("interpreter", "requests/s, ours", "requests/s, wrk", "ours / wrk, median", "each round")
    for who, path in interpreters:
        with Running(path, "http_server") as running:
            place = f"http://127.0.0.1:{running.port}/"
            ours, theirs = [], []
            # A second between runs: the server still ends the connections of the one before.
            for _ in range(rounds):
                report = bench.load("http", place, "--connections", 50, "--threads", 2, "--duration", f"{seconds}s")
                if report is None:
                    return
                if lost(report):
                    bench.complain(f"{who}, http: {lost(report)}")
                ours.append(report["operations"]["completed"] / report["measured"])
                time.sleep(1)
                done = subprocess.run(["wrk", "-t2", "-c50", f"-d{seconds}s", place], stdout=subprocess.PIPE, text=True, timeout=120)
                theirs.append(float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout).group(1)))
                time.sleep(1)
        ratios = [one / other for one, other in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        row(who, f"{statistics.median(ours):,.0f}", f"{statistics.median(theirs):,.0f}", f"{ratio:.2f}",
            ", ".join(f"{each:.2f}" for each in ratios))
        if abs(ratio - 1) > AGREEMENT and not bench.quick:
            bench.complain(f"{who}: ours / wrk is {ratio:.2f}")


class CountingEcho:
    """An echo server in this process that counts what it receives."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.count = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    def echo(self, connection):
        with connection:
            buffer = memoryview(bytearray(1 << 18))
            count = 0
            try:
                while True:
                    received = connection.recv_into(buffer)
                    if not received:
                        break
                    connection.sendall(buffer[:received])
                    count += received
            except OSError:
                pass
        with self.lock:
            self.count += count


def received_over_loopback():
    with open("/sys/class/net/lo/statistics/rx_bytes") as file:
        return int(file.read())


def bulk(bench, _interpreters):
    """Bytes, by the report, by the server's own count, and by the kernel's."""
    seconds = 2 if bench.quick else 10
    counting = CountingEcho()
    before = received_over_loopback()
    report = bench.load("echo", f"127.0.0.1:{counting.port}", "--connections", 4, "--size", 65536, "--pipeline", 4, "--duration",
                        f"{seconds}s", "--warmup", "0s")
    if report is None:
        return
    moved = received_over_loopback() - before
    ours = report["operations"]["bytes_received"]
    # The connections' threads count at their end.
    end = time.monotonic() + 10
    while counting.count < ours and time.monotonic() < end:
        time.sleep(0.01)
    header("", "bytes", "to the report")
    row("the report: received", f"{ours:,}", "1.000")
    row("the server's count", f"{counting.count:,}", f"{counting.count / ours:.3f}")
    # There and back, with headers and acknowledgements.
    row("the kernel's, of lo, by two", f"{moved // 2:,}", f"{moved / 2 / ours:.3f}")
    print(f"\n{ours / report['measured'] / 1e6:,.0f} MB/s each way\n", flush=True)
    if lost(report):
        bench.complain(f"bulk: {lost(report)}")
    if counting.count != ours:
        bench.complain("bulk: the server has counted other bytes")
    if not ours <= moved / 2 <= ours * 1.05:
        bench.complain("bulk: the kernel has counted other bytes (anything else on loopback?)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interpreters", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--program", default=os.path.join(ROOT, "target", "release", "reactor-load"), help="default: %(default)s")
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="small numbers: only that it runs")
    options = parser.parse_args()
    interpreters = []
    for each in options.interpreters:
        name, _, path = each.rpartition("=")
        found = shutil.which(path)
        if found is None:
            parser.error(f"no program {path}")
        interpreters.append((name or os.path.basename(path), found))
    if not os.access(options.program, os.X_OK):
        parser.error(f"no program {options.program}: cargo build --release --package reactor-load")
    # The server and `wrk` inherit it.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench = Bench(options)
    for part in options.only or PARTS:
        run = globals()[part]
        print(f"\n#### {run.__doc__}\n", flush=True)
        run(bench, interpreters)
    print()
    for each in bench.bad:
        print(f"NOT WELL: {each}")
    print("all went well" if not bench.bad else f"{len(bench.bad)} did not go well")
    sys.exit(1 if bench.bad else 0)


if __name__ == "__main__":
    main()
