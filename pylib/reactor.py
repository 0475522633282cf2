"""What the reactor's sockets can do and the standard library has no name for.

    deadline()            one time limit over all socket calls and look-ups of a block
    create_connection()   connect to whichever address of a host answers first
    explain_resolve()     which way a name would be looked up, and why
    dns_cache_clear()     forget what name servers have answered
    set_busy_poll()       how long a call may poll before it sleeps
    get_busy_poll()       what is set

Times are in seconds. docs/deadlines.md and docs/names.md have examples,
docs/busy-poll.md says what polling is good for.
"""

import socket

import _reactor
import _socket
from _reactor import (
    Deadline,
    deadline,
    dns_cache_clear,
    get_busy_poll,
    set_busy_poll,
)

__all__ = [
    "Deadline",
    "create_connection",
    "deadline",
    "dns_cache_clear",
    "explain_resolve",
    "get_busy_poll",
    "set_busy_poll",
]

_DEFAULT = socket._GLOBAL_DEFAULT_TIMEOUT


def create_connection(
    address,
    timeout=_DEFAULT,
    source_address=None,
    *,
    all_errors=False,
    attempt_delay=0.25,
):
    """create_connection((host, port), ...) -> a TCP socket connected to that server.

    As socket.create_connection(), except for two things. The host's addresses
    race, as RFC 8305 has it: an attempt begins when the one before has failed
    or has gone on for `attempt_delay` seconds (0.01 to 2), and the first to be
    connected wins. And `timeout` limits the whole: the look-up of the name and
    all attempts. It is the new socket's timeout too.

    If no address works, the last attempt's error is raised, which is a
    TimeoutError if the time was over, or with all_errors=True an ExceptionGroup
    of all errors.
    """
    host, port = address
    given = () if timeout is _DEFAULT else (timeout,)
    limit = given[0] if given else socket.getdefaulttimeout()
    try:
        whole = deadline(limit)
    except ValueError:
        raise ValueError("Timeout value out of range") from None
    winner = None
    failures = []
    try:
        with whole:
            if getattr(socket.socket, "connect", None) is not _socket.socket.connect:
                # The program has put another class there, to go through a
                # proxy, say: that one knows how to connect, one at a time.
                return socket.create_connection(
                    address, timeout, source_address, all_errors=all_errors
                )
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
            winner, failures = _reactor._race(
                socket.socket, found, source_address, attempt_delay, *given
            )
        if winner is not None:
            return winner
        if not failures:
            raise OSError("getaddrinfo returns an empty list")
        if all_errors:
            raise ExceptionGroup("create_connection failed", failures.copy())
        raise failures[-1]
    except BaseException:
        # A signal's handler may raise anywhere.
        if winner is not None:
            winner.close()
        raise
    finally:
        # Each failure's traceback holds this frame, and so this list.
        failures.clear()


def explain_resolve(host, port=None, family=0, type=0, proto=0, flags=0):
    """explain_resolve(host, ...) -> (path, reason): how getaddrinfo() would find an answer.

    `path` is "numeric" (nothing to look up), "names" (the hosts file and the
    name servers), "libc" (the C library, on a thread) or "own" (a resolver that
    the embedding application brought); `reason` is for people. Nobody is asked.
    """
    return _reactor.explain_resolve(host, port, family, type, proto, flags)
