"""For the suites of file objects: the classes of what `makefile` returns, and raw objects that follow a script.

`Reader`, `Writer` and `Pair` are ours under reactor-python, `io`'s elsewhere.
"""

import io
import socket


def classes():
    left, right = socket.socketpair()
    with left, right, left.makefile("rb") as reader, left.makefile("wb") as writer, left.makefile("rwb") as pair:
        return type(reader), type(writer), type(pair)


Reader, Writer, Pair = classes()


class Script(io.RawIOBase):
    """A raw object whose reads return these pieces (None: would block; an exception: raised), then the end.

    Its writes take as many bytes as `takes` says, or all.
    """

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.asked = []
        self.written = []
        self.takes = []

    def readable(self):
        return True

    writable = readable

    def readinto(self, memory):
        self.asked.append(len(memory))
        piece = self.pieces.pop(0) if self.pieces else b""
        if piece is None:
            return None
        if not isinstance(piece, bytes):
            raise piece
        count = min(len(piece), len(memory))
        memory[:count] = piece[:count]
        if piece[count:]:
            self.pieces.insert(0, piece[count:])
        return count

    def write(self, data):
        data = bytes(data)
        take = self.takes.pop(0) if self.takes else len(data)
        if take is None:
            return None
        if not isinstance(take, int):
            raise take
        self.written.append(data[:take])
        return take
