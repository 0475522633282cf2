"""What programs do at their start, and do not do if nobody needs it."""

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


if __name__ == "__main__":
    unittest.main()
