"""The server of asyncio_protocol_echo.py on uvloop, an event loop in C for CPython.

    pip install uvloop
    HOST=127.0.0.1 PORT=8000 python3 uvloop_echo.py
    SOCKET_PATH=/tmp/echo python3 uvloop_echo.py

Ctrl-C and SIGTERM end it.
"""

import sys

import asyncio_protocol_echo

try:
    import uvloop
except ImportError as why:
    sys.exit(f"no uvloop: {why} (`pip install uvloop`; CPython only)")


def main():
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(asyncio_protocol_echo.main())
    finally:
        loop.close()


if __name__ == "__main__":
    main()
