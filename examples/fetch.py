"""Fetch a page over plain HTTP and write it to standard output.

    cargo py examples/fetch.py http://127.0.0.1:8000/ --timeout 5

The status, the headers and the speed go to standard error. Ctrl-C ends it
cleanly at any point.
"""

import argparse
import http.client
import os
import sys
import time
import urllib.parse


def fetch(url, timeout, output):
    """Copy what `url` names into the binary file `output`; return the HTTP status."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"not a plain-HTTP address: {url!r}")
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))

    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        start = time.perf_counter()
        connection.request("GET", target)
        response = connection.getresponse()
        first = time.perf_counter() - start
        print(f"{response.status} {response.reason}", file=sys.stderr)
        for name, value in response.getheaders():
            print(f"{name}: {value}", file=sys.stderr)
        size = 0
        while block := response.read(65536):
            output.write(block)
            size += len(block)
        output.flush()
        whole = time.perf_counter() - start
        print(
            f"{size:,} bytes in {whole * 1000:.1f} ms, the head after {first * 1000:.1f} ms",
            file=sys.stderr,
        )
        return response.status
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description="Fetch a page over plain HTTP.")
    parser.add_argument("url", help="an address that starts with http://")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        help="seconds to wait for each step (default: %(default)s)",
    )
    options = parser.parse_args()

    try:
        status = fetch(options.url, options.timeout, sys.stdout.buffer)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; leave nothing for the exit to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, http.client.HTTPException) as why:
        print(f"cannot fetch {options.url}: {why}", file=sys.stderr)
        return 1
    return 0 if status < 400 else 1


if __name__ == "__main__":
    sys.exit(main())
