"""Runs one case, or lists them.

    python3 benches/compare/run.py [--quick] [--pinned] CASE
    python3 benches/compare/run.py --list [REGEX]

`CASE` is `module.function`. It prints a line of JSON: the figure, the processor time of an operation in microseconds (or null), the unit.
`--pinned` says that all of it shares one processor, `--quick` that only its running is of interest. `--list` prints one line a case, with the
processors that it wants: "one" or "all". `cargo bench-compare` runs them under several interpreters.
"""

import importlib
import json
import re
import sys

from measure import CASES, Bench

MODULES = ("ready", "ping_pong", "connections", "bulk", "lines", "programs", "threads", "small_calls", "start_up", "memory")


def load_all():
    for module in MODULES:
        importlib.import_module(module)
    return list(CASES.values())


def run(name, **settings):
    """One case's figure. Only its own module is loaded."""
    importlib.import_module(name.partition(".")[0])
    return CASES[name].function(Bench(**settings))


def main(arguments):
    if arguments[:1] == ["--list"]:
        pattern = "".join(arguments[1:])
        for case in load_all():
            if re.search(pattern, case.name):
                print(json.dumps({"case": case.name, "cpus": case.cpus}))
        return
    settings = {option: "--" + option in arguments for option in ("quick", "pinned")}
    (name,) = [argument for argument in arguments if not argument.startswith("--")]
    figure = run(name, **settings)
    print(json.dumps({"case": name, "value": figure.value, "cpu": figure.cpu, "unit": figure.unit}))


if __name__ == "__main__":
    main(sys.argv[1:])
