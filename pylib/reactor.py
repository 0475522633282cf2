"""What the reactor's sockets can do and the standard library has no name for.

    deadline()            one time limit over all socket calls and look-ups of a block
    create_connection()   connect to whichever address of a host answers first
    explain_resolve()     which way a name would be looked up, and why
    dns_cache_clear()     forget what name servers have answered

Times are in seconds. docs/deadlines.md has examples.
"""

from _reactor import Deadline, deadline, dns_cache_clear
import _reactor

__all__ = ["Deadline", "deadline", "dns_cache_clear", "explain_resolve"]


def explain_resolve(host, port=None, family=0, type=0, proto=0, flags=0):
    """explain_resolve(host, ...) -> (path, reason): how getaddrinfo() would find an answer.

    `path` is "numeric" (nothing to look up), "names" (the hosts file and the
    name servers), "libc" (the C library, on a thread) or "own" (a resolver that
    the embedding application brought); `reason` is for people. Nobody is asked.
    """
    return _reactor.explain_resolve(host, port, family, type, proto, flags)
