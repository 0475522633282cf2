"""Families for whose addresses Python has no form.

Their addresses are not asked for: CPython refuses to, and reactor-python gives what the kernel says.
"""

import socket

from family_tours.facts import Missing, CALLS_WITH_AN_ADDRESS, family


@family
def smc(facts):
    """A family whose addresses are those of another, which the kernel says and Python does not know."""
    sock = facts.socket(43, socket.SOCK_STREAM)
    facts.adopt(sock)
    facts.refused(lambda: facts.socket(43, socket.SOCK_STREAM), (("127.0.0.1", 0), None))
    facts.step("listen", sock.listen)


@family
def without_form(facts):
    """Families for whose addresses Python has no form.

Their addresses are not asked for: CPython refuses to, and reactor-python gives what the kernel says.
"""
    families = {"AX25": (3, socket.SOCK_DGRAM, 0), "APPLETALK": (5, socket.SOCK_DGRAM, 0), "KEY": (15, socket.SOCK_RAW, 2),
                "LLC": (26, socket.SOCK_STREAM, 0), "RXRPC": (33, socket.SOCK_DGRAM, 2), "PHONET": (35, socket.SOCK_DGRAM, 0),
                "IEEE802154": (36, socket.SOCK_DGRAM, 0), "KCM": (41, socket.SOCK_DGRAM, 0), "XDP": (44, socket.SOCK_RAW, 0), "none": (99, 1, 0)}
    for name, arguments in families.items():
        try:
            sock = facts.socket(*arguments)
        except Missing as missing:
            facts.say(name, missing=str(missing))
            continue
        facts.adopt(sock)
        for call in CALLS_WITH_AN_ADDRESS:
            extra = {"sendto": (b"data",), "sendmsg": ([b"data"], [], 0)}.get(call, ())
            facts.step(f"{name} {call}", getattr(sock, call), *extra, ("127.0.0.1", 0))
