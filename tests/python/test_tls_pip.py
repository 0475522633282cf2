"""pip fetches from the package index that this machine is set up for, over TLS; what it brings is what a CPython's pip brings."""

import glob
import hashlib
import os
import subprocess
import sys
import tempfile
import unittest

from support import need_cpython, run_python

RUN_PIP = os.path.join("programs", "pip_over_tls.py")
PACKAGE = "six==1.17.0"
# Prints where CPython keeps a pip: ensurepip's wheel, the distribution's wheels, or the installed one.
FIND_PIP = """\
import glob, os, sysconfig
places = [sysconfig.get_config_var("WHEEL_PKG_DIR") or ""]
try:
    import ensurepip
    places.insert(0, os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"))
except ImportError:
    pass
for place in places:
    for wheel in sorted(glob.glob(os.path.join(place, "pip-*.whl")) if place else []):
        print(wheel)
try:
    import pip
    print(os.path.dirname(os.path.dirname(pip.__file__)))
except ImportError:
    pass
"""


def need_pip(cpython):
    found = run_python("-c", FIND_PIP, executable=cpython).stdout.splitlines()
    if not found:
        raise unittest.SkipTest(f"{cpython} has no pip")
    return found[0]


class Pip(unittest.TestCase):
    def download(self, interpreter, pip, folder, *arguments):
        """(exit code, output, {file name: digest of the file})"""
        done = run_python(RUN_PIP, pip, "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--retries", "2",
                          "--timeout", "30", "--dest", folder, *arguments, PACKAGE, executable=interpreter, timeout=200)
        files = {}
        for path in glob.glob(os.path.join(folder, "*")):
            with open(path, "rb") as file:
                files[os.path.basename(path)] = hashlib.sha256(file.read()).hexdigest()
        return done.returncode, done.stdout + done.stderr, files

    def compare(self, *arguments):
        cpython = need_cpython()
        pip = need_pip(cpython)
        with tempfile.TemporaryDirectory() as theirs, tempfile.TemporaryDirectory() as ours:
            try:
                code, output, expected = self.download(cpython, pip, theirs, *arguments)
            except subprocess.TimeoutExpired:
                self.skipTest("the package index does not answer CPython's pip in time")
            if code:
                self.skipTest(f"CPython's pip gets nothing from the package index: {output[-300:]!r}")
            if "TLS handshakes: 0" in output:
                self.skipTest("the package index is not reached over TLS")
            code, output, files = self.download(sys.executable, pip, ours, *arguments)
        self.assertEqual(code, 0, output)
        self.assertEqual(files, expected, output)
        self.assertRegex(output, r"TLS handshakes: [1-9]")

    def test_wheel(self):
        self.compare("--only-binary", ":all:")

    def test_source(self):
        # Before it keeps the source it asks it for its metadata, with the tools of its build fetched by a pip of its own.
        self.compare("--no-binary", PACKAGE.partition("=")[0])


if __name__ == "__main__":
    unittest.main()
