"""Look up many names at once, all of them within one time limit.

    cargo py examples/resolve.py localhost example.org --timeout 2 < more-names.txt

Prints a line a name: how long it took, its addresses or what went wrong, and which way it was looked up. No thread is
spent on a name, so a list of thousands is no problem. Exits 1 if a name had no answer.
"""

import argparse
import asyncio
import socket
import sys
import time

import reactor


async def look_up(name, limit):
    """Return (seconds, addresses, what went wrong)."""
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    addresses, failure = [], None
    try:
        async with asyncio.timeout_at(limit):
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        addresses = [address[0] for *_, address in found]
    except TimeoutError:
        failure = "no answer in time"
    except (OSError, UnicodeError) as error:
        failure = getattr(error, "strerror", None) or str(error)
    return time.perf_counter() - begin, addresses, failure


async def look_all_up(names, timeout):
    limit = asyncio.get_running_loop().time() + timeout
    return await asyncio.gather(*(look_up(name, limit) for name in names))


def main():
    parser = argparse.ArgumentParser(description="Look up many names at once.")
    parser.add_argument("name", nargs="*", help="host names; none: one a line on standard input")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for all of them (5)")
    options = parser.parse_args()
    names = options.name or sys.stdin.read().split()

    answers = asyncio.run(look_all_up(names, options.timeout))
    for name, (seconds, addresses, failure) in zip(names, answers):
        try:
            path, _ = reactor.explain_resolve(name)
        except UnicodeError:
            path = "-"
        print(f"{seconds * 1000:8.1f} ms  {path:7}  {name}  {failure or ' '.join(addresses)}")
    return 1 if any(failure for _, _, failure in answers) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
