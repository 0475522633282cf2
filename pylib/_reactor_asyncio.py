"""asyncio's loop.getaddrinfo() on the reactor's resolver.

asyncio gives every look-up a thread of the loop's default executor, which has
few: names whose servers do not answer starve whatever else waits for a thread.
Here a look-up is a task of the resolver, and the loop watches one descriptor
for all that are under way.

The loop keeps asyncio's way where somebody else is in charge: in debug mode
(asyncio logs slow look-ups there), where socket.getaddrinfo() was replaced, or
all of `socket` in asyncio.base_events, on loops that are closed or not asyncio's
own, and where only the C library knows the answer.
"""

import sys
import types

import _socket
import socket
from _reactor import LookupQueue

_getaddrinfo, _plain_getaddrinfo = socket._unpatched

# How many answers in a row may come without a look at what else there is to do.
_AT_ONCE = 64


@types.coroutine
def _let_others_run():
    yield


class _Lookups:
    """The look-ups under way of one loop."""

    def __init__(self):
        self._queue = LookupQueue()
        self._waiting = {}
        self._at_once = _AT_ONCE

    def start(self, question):
        """Begin one: its result, or its number, or None if asyncio has to do it."""
        return self._queue.start(*question)

    async def wait(self, loop, number):
        """Wait for the end of one: its result, or None if asyncio has to do it."""
        if not self._waiting:
            loop.add_reader(self._queue.fileno(), self._collect, loop)
        future = self._waiting[number] = loop.create_future()
        try:
            return await future
        finally:
            if self._waiting.pop(number, None) is not None:
                self._queue.cancel(number)
                self._rest(loop)

    async def take_turns(self):
        """Before an answer that needed no waiting: a task that asks in a loop must not keep the others from running."""
        self._at_once -= 1
        if self._at_once < 0:
            self._at_once = _AT_ONCE
            await _let_others_run()

    def _collect(self, loop):
        for number, result in self._queue.finished():
            future = self._waiting.pop(number, None)
            if future is None or future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._rest(loop)

    def _rest(self, loop):
        # A loop that waits for no name watches no descriptor of ours.
        if not self._waiting:
            loop.remove_reader(self._queue.fileno())


def _patch(loop_class):
    in_executor = loop_class.getaddrinfo
    # Of asyncio.base_events: what asyncio's own way would call.
    names = vars(sys.modules[loop_class.__module__])

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):
        """getaddrinfo(host, port, ...) -> as socket.getaddrinfo(), without a thread."""
        # Another one may be there by now, or none: tests import modules afresh.
        events = sys.modules.get("asyncio.selector_events")
        if (
            events is not None
            and isinstance(self, events.BaseSelectorEventLoop)
            and names["socket"].getaddrinfo is _getaddrinfo
            and _socket.getaddrinfo is _plain_getaddrinfo
            and not self.get_debug()
            and not self.is_closed()
        ):
            lookups = self.__dict__.get("_reactor_lookups")
            if lookups is None:
                lookups = self._reactor_lookups = _Lookups()
            found = lookups.start((host, port, family, type, proto, flags))
            if isinstance(found, int):
                found = await lookups.wait(self, found)
            elif found is not None:
                await lookups.take_turns()
            if found is not None:
                return socket._members(found)
        return await in_executor(
            self, host, port, family=family, type=type, proto=proto, flags=flags
        )

    getaddrinfo.__qualname__ = in_executor.__qualname__
    loop_class.getaddrinfo = getaddrinfo


def install():
    """Have every asyncio loop of this interpreter look names up this way."""
    _patch(sys.modules["asyncio.base_events"].BaseEventLoop)
