"""Names, with a name server of the test's own in namespaces of the test's own: see programs/names_in_namespaces.py."""

import os
import sys
import unittest

from support import need_program, run_python

HERE = os.path.dirname(os.path.abspath(__file__))
NO_NAMESPACES = 77


class Names(unittest.TestCase):
    """Each class of tests of the program, in a process and in namespaces of its own."""

    def test_answers(self):
        self.run_part("Answers")

    def test_peer(self):
        self.run_part("Peer")

    def test_asyncio(self):
        self.run_part("Asyncio")

    def test_silence(self):
        self.run_part("Silence")

    def test_crowds(self):
        self.run_part("Crowds")

    def test_shortage(self):
        self.run_part("Shortage")

    def test_forks(self):
        self.run_part("Forks")

    def run_part(self, part):
        unshare = need_program("unshare")
        program = os.path.join(HERE, "programs", "names_in_namespaces.py")
        done = run_python(
            "--map-root-user", "--mount", "--net", sys.executable, program, "-v", part,
            executable=unshare, timeout=300,
        )
        if done.returncode == NO_NAMESPACES or "unshare:" in done.stderr:
            self.skipTest(f"no namespaces here: {done.stderr.strip()}")
        sys.stderr.write(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
