"""Every family that this kernel offers behaves as under CPython: the same program, both interpreters, the same facts."""

import itertools
import json
import sys
import unittest

import support

PROGRAM = "programs/kernel_families.py"


class KernelFamilies(unittest.TestCase):
    def setUp(self):
        self.cpython = support.need_cpython()

    def facts(self, interpreter, *arguments):
        """(family, step) and outcome of everything that the program did, in order."""
        done = support.run_python(PROGRAM, *arguments, executable=interpreter, timeout=300)
        self.assertEqual((done.returncode, done.stderr), (0, ""), interpreter)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def compare(self, *arguments):
        """Hold ours against CPython's; the families that gave anything to compare."""
        theirs = self.facts(self.cpython, *arguments)
        ours = self.facts(sys.executable, *arguments)
        newest = support.run_python("-c", "import sys; print(sys.version_info >= (3, 14))", executable=self.cpython)
        texts = newest.stdout.strip() == "True"
        unnamed = {fact["family"] for fact in theirs if "unnamed" in fact}
        missing = {fact["family"] for fact in ours if "missing" in fact} - unnamed
        for family in dict.fromkeys(fact["family"] for fact in theirs + ours):
            if family not in unnamed:
                with self.subTest(family=family):
                    pairs = itertools.zip_longest(self.of(ours, family, texts), self.of(theirs, family, texts))
                    self.assertEqual([pair for pair in pairs if pair[0] != pair[1]][:5], [])
        with self.subTest("what was not compared"):
            if missing or unnamed:
                self.skipTest(f"this kernel lacks all or something of {sorted(missing)}, {self.cpython} names of {sorted(unnamed)}")
        return {fact["family"] for fact in ours if "value" in fact}

    def of(self, facts, family, texts):
        """The facts of one family, a line each; without the exceptions' texts where versions may differ in them."""
        ignored = {"family"} if texts else {"family", "text"}
        return [str({key: value for key, value in fact.items() if key not in ignored}) for fact in facts if fact["family"] == family]

    def test_blocking(self):
        # Every kernel has this family for everybody: a program that compared nothing is noticed.
        self.assertIn("netlink", self.compare())

    def test_with_timeouts(self):
        self.assertIn("netlink", self.compare("--timeout"))


if __name__ == "__main__":
    unittest.main()
