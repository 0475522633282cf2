"""What the reactor's sockets can do and the standard library has no name for.

    deadline()            one time limit over all socket calls and look-ups of a block
    create_connection()   connect to whichever address of a host answers first

Times are in seconds. docs/deadlines.md has examples.
"""

from _reactor import Deadline, deadline

__all__ = ["Deadline", "deadline"]
