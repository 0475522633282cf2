"""The names of asyncio's child watchers, which 3.14 removed, for the suites of 3.12 and 3.13.

Those set a watcher up before each test of an event loop, and close loops by way
of it, whatever the test is about. A loop of 3.14 has a watcher of its own, of
one of two kinds. So a watcher here tells its loop which kind to use, and does
nothing else. The tests of the watchers themselves have nothing to test.
"""

import asyncio
import warnings
from asyncio import events, unix_events


def _warn(name):
    # Some tests expect it.
    warnings.warn(f"{name} is deprecated", DeprecationWarning, stacklevel=3)


class _Watcher:
    _kind = None

    def __init__(self):
        self._inner = None

    def attach_loop(self, loop):
        if loop is not None and self._kind is not None:
            self._inner = loop._watcher = self._kind()

    def close(self):
        pass


class ThreadedChildWatcher(_Watcher):
    _kind = unix_events._ThreadedChildWatcher

    @property
    def _threads(self):
        return self._inner._threads if self._inner is not None else {}


class PidfdChildWatcher(_Watcher):
    _kind = unix_events._PidfdChildWatcher


class SafeChildWatcher(_Watcher):
    """Of a kind that is gone: the loop keeps the one that it has chosen itself."""

    def __init__(self):
        super().__init__()
        _warn(type(self).__name__)


class FastChildWatcher(SafeChildWatcher):
    """As above."""


def _get_child_watcher(self):
    watcher = vars(self).get("_child_watcher")
    if watcher is None:
        raise NotImplementedError
    return watcher


def _set_child_watcher(self, watcher):
    self._child_watcher = watcher


def _set_watcher_of_policy(watcher):
    _warn("set_child_watcher")
    events._get_event_loop_policy().set_child_watcher(watcher)


def _get_watcher_of_policy():
    return events._get_event_loop_policy().get_child_watcher()


def _not_implemented(self, *_):
    raise NotImplementedError


def install():
    """Give asyncio those names."""
    for watcher in (ThreadedChildWatcher, PidfdChildWatcher, SafeChildWatcher, FastChildWatcher):
        setattr(asyncio, watcher.__name__, watcher)
        setattr(unix_events, watcher.__name__, watcher)
    policy = unix_events._UnixDefaultEventLoopPolicy
    policy.get_child_watcher = _get_child_watcher
    policy.set_child_watcher = _set_child_watcher
    events._AbstractEventLoopPolicy.get_child_watcher = _not_implemented
    events._AbstractEventLoopPolicy.set_child_watcher = _not_implemented
    asyncio.get_child_watcher = _get_watcher_of_policy
    asyncio.set_child_watcher = _set_watcher_of_policy
