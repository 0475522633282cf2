"""Runs one module of CPython's `test` package and tells what became of each test.

    run_module.py ORDER.json

ORDER names the module, the version of the suites, the patterns of the tests to take (of their names below
the module, such as `ClassName.test_name`), those to leave out, the resources to
grant, and the file for the results. That gets one JSON object a line: the
names of all tests first, then each test's start and end, and a last one when
all are done; so a reader knows in which test a run has hung or crashed.

It runs under CPython and under reactor-python, and prints tracebacks on
standard error as unittest does.
"""

import fnmatch
import importlib
import json
import os
import sys
import traceback
import unittest

# Tests replace functions of os and fork: each line is written by a file of its own, with the functions of the start.
_open, _write, _close = os.open, os.write, os.close
_dumps = json.dumps

_REASON_LIMIT = 300

HERE = os.path.dirname(os.path.abspath(__file__))

# The worst of a test's outcomes counts: one test can have several, by its subtests and its clean-up.
_RANK = ["pass", "skip", "fail", "error"]


class Report:
    """The file of the results."""

    def __init__(self, path):
        self._path = path

    def line(self, **fields):
        text = _dumps(fields) + "\n"
        file = _open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _write(file, text.encode())
        finally:
            _close(file)


def short(error):
    """The error in one line: its class, its text, and where the suite was."""
    kind, value, trace = error
    frames = traceback.extract_tb(trace)
    place = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return " ".join(f"{kind.__name__}: {value}".split())[:_REASON_LIMIT] + place


class Result(unittest.TestResult):
    """Reports each test as it begins and ends."""

    def __init__(self, report, name_of):
        super().__init__()
        self._report = report
        self._name_of = name_of
        self._outcome = None
        self._current = None
        self.done = set()
        # What became of a class or a module as a whole, by its name: no test of it ran.
        self.fixtures = {}

    def startTest(self, test):
        super().startTest(test)
        self._current = self._name_of(test)
        self._outcome = ("none", "no outcome")
        self._report.line(start=self._current)

    def stopTest(self, test):
        super().stopTest(test)
        if self._current is None:
            return
        outcome, reason = self._outcome
        if outcome == "none":
            outcome = "error"
        self._report.line(test=self._current, outcome=outcome, reason=reason)
        self.done.add(self._current)
        self._current = self._outcome = None

    def _note(self, test, outcome, reason):
        if self._current is None:
            if isinstance(test, unittest.TestCase):
                # 3.12.1 does not begin a test that a decorator skips.
                self.startTest(test)
                self._note(test, outcome, reason)
                self.stopTest(test)
            else:
                self._note_fixture(test, outcome, reason)
            return
        known = self._outcome[0]
        if known == "none" or _RANK.index(outcome) > _RANK.index(known):
            self._outcome = (outcome, reason)

    def _note_fixture(self, test, outcome, reason):
        # unittest's stand-in for a fixture: "setUpClass (test.test_x.Class)".
        fixture, _, place = test.id().partition(" (")
        place = place.rstrip(")")
        if fixture in ("setUpClass", "setUpModule"):
            self.fixtures[place] = (outcome, reason)
        else:
            self._report.line(test=f"{fixture} {place}".strip(), outcome=outcome, reason=reason)

    def _note_error(self, test, outcome, error):
        print(f"\n{outcome.upper()}: {test}", file=sys.__stderr__)
        traceback.print_exception(*error, file=sys.__stderr__)
        self._note(test, outcome, short(error))

    def addSuccess(self, test):
        super().addSuccess(test)
        self._outcome = ("pass", "") if self._outcome[0] in ("none", "skip") else self._outcome

    def addError(self, test, err):
        super().addError(test, err)
        self._note_error(test, "error", err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note_error(test, "fail", err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skip", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._note(test, "pass", "fails as the suite expects")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note(test, "fail", "succeeds where the suite expects a failure")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            outcome = "fail" if issubclass(err[0], test.failureException) else "error"
            self._note_error(subtest, outcome, err)


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def run_what_is_for_cpython(support):
    """Run the tests that the suites keep for CPython alone, too: most of them hold for us as well."""
    decide = support.check_impl_detail

    def check_impl_detail(**guards):
        return guards.get("cpython", False) or decide(**guards)

    support.check_impl_detail = check_impl_detail


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    report = Report(order["results"])
    module_name = order["module"]
    # In the place of this file's own folder, whose modules are for us alone.
    if order["test_folder"] is not None:
        sys.path[0] = order["test_folder"]
        sys.path.append(os.path.join(HERE, "stand_ins"))
    else:
        del sys.path[0]

    from test import support

    if order["test_folder"] is not None:
        run_what_is_for_cpython(support)
        if module_name.startswith("test.test_asyncio.") and order["version"] in ("3.12", "3.13"):
            import child_watchers

            child_watchers.install()
    support.use_resources = order["resources"]
    support.verbose = 0
    # Two of asyncio's TLS tests say that they need this much. They take a tenth.
    support.set_memlimit("3G")
    try:
        module = importlib.import_module(module_name)
    except unittest.SkipTest as skip:
        report.line(module="skip", reason=str(skip))
        return
    except BaseException:
        traceback.print_exc()
        report.line(module="error", reason=short(sys.exc_info()))
        return

    def name_of(test):
        return test.id().removeprefix(module_name + ".")

    tests = [
        test
        for test in flat(unittest.defaultTestLoader.loadTestsFromModule(module))
        if matches(name_of(test), order["take"])
    ]
    report.line(tests=[name_of(test) for test in tests])
    tests = [test for test in tests if not matches(name_of(test), order["leave"])]
    result = Result(report, name_of)
    unittest.TestSuite(tests).run(result)
    for test in tests:
        name = name_of(test)
        if name in result.done:
            continue
        kind = type(test)
        of_class = result.fixtures.get(f"{kind.__module__}.{kind.__qualname__}")
        outcome, reason = of_class or result.fixtures.get(kind.__module__, ("error", "was not run"))
        report.line(test=name, outcome=outcome, reason=reason)
    report.line(end=True)


if __name__ == "__main__":
    main()
