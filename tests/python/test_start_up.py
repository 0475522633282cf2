"""What programs do at their start and end, and do not do if nobody needs it."""

import subprocess
import sys
import unittest

from support import run_python

REPLACED = """
import socket
own, calls = socket.getaddrinfo, []
def replacement(*arguments, **named):
    calls.append(arguments)
    return own(*arguments, **named)
socket.getaddrinfo = replacement
import asyncio
async def look_up():
    return await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
first = asyncio.run(look_up())
assert len(calls) == 1, calls
socket.getaddrinfo = own
assert asyncio.run(look_up()) == first
assert len(calls) == 1, calls
print("heard")
"""

NON_DAEMON = """
import _thread, time
def last():
    time.sleep(0.2)
    print("waited for")
_thread.start_joinable_thread(last, daemon=False)
"""

OF_A_THREAD = """
import _thread, sys, time
_thread.start_new_thread(__import__, ("threading",))
begin = time.monotonic()
while not hasattr(sys.modules.get("threading"), "Thread") and time.monotonic() < begin + 30:
    time.sleep(0.01)
print("imported" if hasattr(sys.modules.get("threading"), "Thread") else "not imported")
"""


class Start(unittest.TestCase):
    def test_socket_waits_with_asyncio(self):
        answer = run_python("-c", "import socket, sys; print([name for name in sys.modules if 'asyncio' in name])")
        self.assertEqual(answer.stdout, "[]\n")

    def test_asyncio_uses_the_resolver(self):
        program = "import {0}, {1}; print(asyncio.base_events.BaseEventLoop.getaddrinfo.__code__.co_filename)"
        for order in ("socket", "asyncio"), ("asyncio", "socket"):
            with self.subTest(order=order):
                answer = run_python("-c", program.format(*order))
                self.assertEqual(answer.stdout, "_reactor_asyncio\n")

    def test_what_replaced_a_function_before_asyncio_came_is_heard(self):
        answer = run_python("-c", REPLACED)
        self.assertEqual(answer.stdout, "heard\n", answer.stderr)


class End(unittest.TestCase):
    """`threading` is imported for the VM only if the program has imported it."""

    AT_EXIT = "import atexit, sys; atexit.register(lambda: print('threading' in sys.modules))"

    def test_without_threads(self):
        self.assertEqual(run_python("-c", self.AT_EXIT).stdout, "False\n")

    def test_with_threads(self):
        answer = run_python("-c", self.AT_EXIT + "\nimport threading")
        self.assertEqual(answer.stdout, "True\n")
        waited = "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('waited for'))).start()"
        self.assertEqual(run_python("-c", waited).stdout, "waited for\n")

    def test_threads_that_threading_does_not_know(self):
        self.assertEqual(run_python("-c", NON_DAEMON).stdout, "waited for\n")

    def test_imports_with_no_frame_below(self):
        self.assertEqual(run_python("-c", OF_A_THREAD).stdout, "imported\n")
        answer = run_python("-c", "import atexit; atexit.register(__import__, 'threading')")
        self.assertEqual(answer.stderr, "")

    def test_exit_codes(self):
        for program, code in ("raise SystemExit(3)", 3), ("1 / 0", 1), ("import threading; raise SystemExit(4)", 4):
            with self.subTest(program):
                ended = subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL, timeout=60)
                self.assertEqual(ended.returncode, code)

    def test_threading_is_the_standard_librarys(self):
        import threading

        self.assertEqual(threading.__spec__.name, "threading")
        self.assertLess({"Thread", "Lock", "main_thread", "_shutdown"}, set(vars(threading)))
        self.assertFalse({"_imp", "sys", "_is_for_a_program"} & set(vars(threading)))
        self.assertIn("Thread module", threading.__doc__)


if __name__ == "__main__":
    unittest.main()
