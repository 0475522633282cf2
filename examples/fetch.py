"""Fetch a page over HTTP or HTTPS and write it to standard output.

    cargo py examples/fetch.py http://127.0.0.1:8000/ --timeout 5

The timeout is one for everything: the name, the connection, the TLS handshake,
the page. The status, the headers and the speed go to standard error. Ctrl-C
ends it cleanly at any point.
"""

import argparse
import contextlib
import http.client
import os
import ssl
import sys
import time
import urllib.parse

import reactor


def connect(parts, authority):
    """A connection to where the split URL `parts` leads. `authority` names a file of certificates to trust, or is None."""
    if parts.scheme == "http" and parts.hostname:
        return http.client.HTTPConnection(parts.hostname, parts.port)
    if parts.scheme == "https" and parts.hostname:
        trust = ssl.create_default_context(cafile=authority)
        return http.client.HTTPSConnection(parts.hostname, parts.port, context=trust)
    raise ValueError("not the address of an HTTP server")


def fetch(url, authority, output):
    """Copy what `url` names into the binary file `output`; return the HTTP status."""
    parts = urllib.parse.urlsplit(url)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))

    with contextlib.closing(connect(parts, authority)) as connection:
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


def main():
    parser = argparse.ArgumentParser(description="Fetch a page over HTTP or HTTPS.")
    parser.add_argument("url", help="an address that starts with http:// or https://")
    parser.add_argument("--cafile", help="certificates to trust instead of the system's")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        help="seconds that all of it may take (default: %(default)s)",
    )
    options = parser.parse_args()

    try:
        with reactor.deadline(options.timeout):
            status = fetch(options.url, options.cafile, sys.stdout.buffer)
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
