"""An echo server of asyncio, as a protocol: callbacks, the fastest that asyncio has.

    HOST=127.0.0.1 PORT=8000 python3 asyncio_protocol_echo.py
    SOCKET_PATH=/tmp/echo python3 asyncio_protocol_echo.py

Ctrl-C and SIGTERM end it.
"""

import asyncio
import os
import signal

try:
    import resource
except ImportError:
    resource = None


def allow_many_descriptors():
    """Use all descriptors that the administrator allows; often only 1024 are set."""
    if resource is not None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        # asyncio has set TCP_NODELAY.
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    # Of a client that does not read, nothing more is read: else all it sends would be kept.

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def listen():
    """On SOCKET_PATH if that is set, else on HOST and PORT (0: any that is free)."""
    loop = asyncio.get_running_loop()
    path = os.environ.get("SOCKET_PATH")
    if path:
        server = await loop.create_unix_server(Echo, path, backlog=4096)
        print(f"echoing on {path}", flush=True)
        return server
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    server = await loop.create_server(Echo, host, port, backlog=4096)
    print(f"echoing on {host} port {server.sockets[0].getsockname()[1]}", flush=True)
    return server


async def main():
    allow_many_descriptors()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = await listen()
    await ended.wait()
    # Without `wait_closed`, which waits for the clients to leave.
    server.close()
    print("good-bye", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
