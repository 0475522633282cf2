"""Prints what sockets of every family that this kernel offers do, one JSON object a line: for comparison between interpreters.

Everything happens on this machine: over loopback, over a virtual CAN bus (an interface named vcan..., which somebody else
makes), between virtual Bluetooth controllers (likewise). What differs from run to run, such as the port that the kernel chose,
is replaced by a name. With --timeout every socket has a timeout, otherwise none has one: the calls wait in different ways.
A tour of a family ends early with what is "missing", such as the family in this kernel, or "unnamed" in this interpreter.
"""

import argparse
import signal
import socket

from family_tours import kernel, can, crypto, cluster, machines, bluetooth, internet, formless  # noqa: F401 - they register
from family_tours.facts import FAMILIES, Facts, Missing, give_up


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--timeout", action="store_true", help="give every socket a timeout")
    parser.add_argument("families", nargs="*", help=f"of {', '.join(FAMILIES)}; all by default")
    chosen = parser.parse_args()
    signal.signal(signal.SIGALRM, give_up)
    for name in chosen.families or FAMILIES:
        facts = Facts(name)
        socket.setdefaulttimeout(60 if chosen.timeout else None)
        with facts.opened:
            try:
                FAMILIES[name](facts)
            except Missing as missing:
                facts.say("ends", missing=str(missing))
            except AttributeError as error:
                facts.say("ends", unnamed=str(error))
            except Exception as error:
                facts.say("ends", **facts.failure(error))


if __name__ == "__main__":
    main()
