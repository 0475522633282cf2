"""Records what calls come to, and the tours that families share."""

import contextlib
import errno
import json
import os
import signal
import socket
import threading

# Seconds until a step counts as waiting for what never comes: far above what an emulated processor needs.
PATIENCE = 10
FAMILIES = {}

# Numbers at the edges of C's types, and what is no address of any family.
NUMBERS = (0, 1, -1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 64)
STRANGE = (None, 1, "text", b"bytes", (), [], (None,), ("a", "b", "c", "d", "e", "f"))
CALLS_WITH_AN_ADDRESS = ("bind", "connect", "connect_ex", "sendto", "sendmsg")


def family(function):
    """Make `function(facts)` the tour of the family that it is named after."""
    FAMILIES[function.__name__] = function
    return function


class Missing(Exception):
    """A step failed on whose result the rest of the tour builds."""


class Late(Exception):
    """A step waits for what never comes."""


def give_up(*_):
    """A signal handler: ends the step that is going on."""
    raise Late(f"not within {PATIENCE} s")


class Facts:
    """What one tour came to. Prints each fact when it is known, so that a hang shows how far the tour came."""

    def __init__(self, name):
        self.name = name
        self.known = {}
        self.opened = contextlib.ExitStack()

    def know(self, value, text):
        """Show `value` as <text> from now on."""
        self.known.setdefault(value, f"<{text}>")
        return value

    def show(self, value):
        """The value in a form that has no place in memory, no number that is known by a name, and no name of an enumeration."""
        if value is None or isinstance(value, (bool, str, bytes, bytearray)):
            return repr(value)
        if isinstance(value, int):
            return self.known.get(int(value), str(int(value)))
        if isinstance(value, tuple):
            return "(" + ", ".join(map(self.show, value)) + ")"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.show, value)) + "]"
        if isinstance(value, socket.socket):
            return f"socket {self.show((value.family, value.type, value.proto, value.gettimeout()))}"
        return type(value).__name__

    def say(self, step, **outcome):
        print(json.dumps({"family": self.name, "step": step, **outcome}), flush=True)

    def step(self, step, function, *arguments, **named):
        """Record what the call comes to; its value, or None when it raised."""
        with contextlib.suppress(Missing):
            return self.need(step, function, *arguments, **named)

    def need(self, step, function, *arguments, **named):
        """As `step`, but the tour ends when the call raises."""
        signal.alarm(PATIENCE)
        try:
            value = function(*arguments, **named)
        except Exception as error:
            self.say(step, **self.failure(error))
            raise Missing(step) from error
        finally:
            signal.alarm(0)
        self.say(step, value=self.show(value))
        return value

    def failure(self, error):
        """An exception's class and error number, and apart from them its text, in which versions differ."""
        kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        if isinstance(error, OSError):
            return {"raised": f"{kind} {errno.errorcode.get(error.errno, error.errno)}", "text": self.show(error.args)}
        return {"raised": kind, "text": str(error)}

    def socket(self, *arguments):
        """A new socket, closed at the end of the tour. The tour ends when the kernel does not offer it."""
        try:
            return self.keep(socket.socket(*arguments))
        except OSError as error:
            raise Missing(f"a socket {self.show(arguments)}: {error}") from error

    def keep(self, sock):
        """Have the socket closed at the end of the tour."""
        return self.opened.enter_context(sock)

    def adopt(self, sock):
        """Which family, type and protocol a socket has that is made of this one's descriptor alone."""
        def adopted():
            with socket.socket(fileno=os.dup(sock.fileno())) as copy:
                return copy.family, copy.type, copy.proto
        self.step("adopted", adopted)

    def names(self, sock, who):
        """Both addresses of a socket."""
        self.step(f"{who} getsockname", sock.getsockname)
        self.step(f"{who} getpeername", sock.getpeername)

    def refused(self, make, addresses, calls=CALLS_WITH_AN_ADDRESS):
        """What every call that takes an address says to each of `addresses`, on a new socket each."""
        for address in addresses:
            for name in calls:
                def attempt():
                    with make() as sock:
                        sock.setblocking(False)
                        extra = {"sendto": (b"data",), "sendmsg": ([b"data"], [], 0)}.get(name, ())
                        return getattr(sock, name)(*extra, address)
                self.step(f"{name} {self.show(address)}", attempt)


def run(function, *arguments):
    """Start the call on a thread; the function returned waits for it and gives its value or raises its exception."""
    box = []

    def body():
        try:
            box.append((function(*arguments), None))
        except BaseException as error:
            box.append((None, error))

    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def result():
        thread.join()
        value, error = box[0]
        if error is not None:
            raise error
        return value
    return result


def stream_tour(facts, make, address, target=lambda bound: bound, source=None, volatile=()):
    """Listen, connect, accept, talk and hang up.

    `target` makes the address to connect to of the bound one, `source` is what the client binds to, and `volatile` are the
    places in an address that differ from run to run.
    """
    def named(address, who):
        for place in volatile:
            facts.know(address[place], f"{who} {place}")
        return address

    def accepted():
        server, peer = listener.accept()
        named(server.getsockname(), "server")
        return facts.keep(server), named(peer, "client")

    listener = make()
    facts.need("bind", listener.bind, address)
    bound = named(listener.getsockname(), "listener")
    facts.step("listening before listen", listener.getsockopt, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    facts.need("listen", listener.listen, 4)
    facts.step("listening", listener.getsockopt, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    client = make()
    if source is not None:
        facts.step("bind the client", client.bind, source)
    connected = run(client.connect, target(bound))
    server, peer = facts.need("accept", accepted)
    facts.step("connect", connected)
    facts.step("the accepted address", lambda: (client.getsockname() == peer, server.getpeername() == peer))
    facts.names(client, "client")
    facts.names(server, "server")
    facts.names(listener, "listener")
    facts.adopt(server)
    for name in ("recv", "recvfrom", "recvmsg"):
        facts.step("send", client.send, b"ping " + name.encode())
        facts.step(name, getattr(server, name), 64)
    facts.step("sendmsg", client.sendmsg, [b"pi", b"ng"])
    facts.step("recvfrom_into", server.recvfrom_into, bytearray(64))
    facts.step("sendall", server.sendall, b"answer")
    facts.step("recvmsg_into", client.recvmsg_into, [bytearray(3), bytearray(64)])
    # The first may succeed: with a timeout the kernel may not have told this caller yet that it is connected.
    with contextlib.suppress(OSError):
        client.connect(target(bound))
    facts.step("connect again", client.connect, target(bound))
    facts.step("shutdown", client.shutdown, socket.SHUT_WR)
    client.close()
    facts.step("recv at the end", server.recv, 64)


def datagram_tour(facts, server, client, target, payload=lambda data: data):
    """Datagrams from an unconnected client to a bound server, in each form that tells the sender.

    `payload` makes of a few bytes what the family takes.
    """
    whole = payload(b"three")
    exchanges = (
        ("sendto", (payload(b"one"), target), "recvfrom", 64),
        ("sendto", (payload(b"two"), 0, target), "recvfrom_into", bytearray(64)),
        ("sendmsg", ([whole[:2], whole[2:]], [], 0, target), "recvmsg", 64),
        ("sendmsg", ([payload(b"four and")], [], 0, target), "recvmsg", 4),
    )
    for send, arguments, receive, size in exchanges:
        if facts.step(send, getattr(client, send), *arguments) is not None:
            facts.step(receive, getattr(server, receive), size)
