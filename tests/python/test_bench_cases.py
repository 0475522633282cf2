"""Every case of `benches/compare/` runs and gives a figure. What the figures are is nobody's business here."""

import json
import math
import os
import subprocess
import sys
import unittest
import warnings

from support import DEADLINE, HERE

CASES = os.path.join(HERE, "..", "..", "benches", "compare")
sys.path.insert(0, CASES)

import measure  # noqa: E402
import run  # noqa: E402

# What may cost too little to be told from nothing.
MAY_BE_NOTHING = ("memory.open_socket", "memory.blocked_thread", "memory.idle_connection")


class Clock(unittest.TestCase):
    def test_quantile(self):
        values = [50, 10, 40, 20, 30]
        self.assertEqual([measure.quantile(values, part) for part in (0, 0.25, 0.5)], [10, 20, 30])
        self.assertEqual(measure.quantile([7], 0.5), 7)

    def test_cost_is_of_one_operation(self):
        """Only `run` is timed, and each of its operations counts."""
        calls = []
        ticks = iter(range(1000))
        figure = measure.Bench(quick=True).per_operation(
            lambda count: calls.append(("run", count)),
            lambda count: calls.append(("prepare", count)),
            lambda: calls.append(("finish",)),
            each=10,
            processor_time=lambda: next(ticks),
        )
        self.assertEqual(calls, [("prepare", 2), ("run", 2), ("finish",)] * 2)
        # A second of the processor for each batch of 2 * 10 operations.
        self.assertEqual((figure.cpu, figure.unit), (50_000, "\N{MICRO SIGN}s"))


class EachCase(unittest.TestCase):
    def check(self, name, value, cpu, unit):
        self.assertIn(unit, ("\N{MICRO SIGN}s", "KiB"))
        self.assertTrue(math.isfinite(value), value)
        if name not in MAY_BE_NOTHING:
            self.assertGreater(value, 0)
            self.assertGreaterEqual(cpu, 0)

    def test_every_case_gives_a_figure(self):
        # A case runs in a process of its own and leaves its sockets to the end of that.
        warnings.simplefilter("ignore", ResourceWarning)
        for case in run.load_all():
            with self.subTest(case=case.name):
                self.assertLessEqual(set(case.cpus), {"one", "all"})
                self.check(case.name, *run.run(case.name, quick=True))

    def test_modules_are_all_listed(self):
        """A module that `run.py` does not know would never be run."""
        modules = {case.name.partition(".")[0] for case in run.load_all()}
        helpers = {"measure", "peer", "run"}
        files = {name[:-3] for name in os.listdir(CASES) if name.endswith(".py")}
        self.assertEqual(modules | helpers, files)

    def program(self, *arguments):
        return subprocess.run(
            [sys.executable, os.path.join(CASES, "run.py"), *arguments],
            stdout=subprocess.PIPE, text=True, timeout=DEADLINE, check=True,
        ).stdout.splitlines()

    def test_a_process_of_its_own_prints_a_line(self):
        (line,) = self.program("--quick", "ping_pong.tcp_native")
        figure = json.loads(line)
        self.assertEqual(figure.pop("case"), "ping_pong.tcp_native")
        self.check("ping_pong.tcp_native", **figure)

    def test_list_takes_an_expression(self):
        lines = [json.loads(line) for line in self.program("--list", "ready.*timeout$")]
        self.assertEqual({line["case"].partition(".")[0] for line in lines}, {"ready"})
        self.assertGreater(len(lines), 2)


if __name__ == "__main__":
    unittest.main()
