"""The shape of `socket` and `_socket`: their names, held against a CPython's, and what `help` and `inspect` show of them."""

import enum
import inspect
import json
import pydoc
import socket
import unittest

import _socket

from support import need_cpython, ours_only, run_python
from test_constants import NEWER

# What CPython has and we have not, with the reason.
NOT_HERE = {
    "CAPI": "a capsule of C functions, for extension modules written in C, which this VM does not load",
    "__cached__": "modules frozen into the VM have no cache file",
    "__builtins__": "the VM keeps the built-in names elsewhere",
    "__file__": "the native module is part of the program",
    "array": "a module that 3.14 imports only when it needs it",
    "selectors": "a module that 3.14 imports only when it needs it",
}

# What we have and CPython has not, with the reason.
ONLY_HERE = {
    "_register_face": "ties the native class to the Python class",
    "_SEND_BLOCK": "a private constant of the module",
    "_SENDFILE_BLOCK": "a private constant of the module",
    "_add_members": "makes the members of the enumerations",
    "_public_names": "the names for __all__",
    "_unpatched": "the module's own, to know others that a program puts in their place",
    "_asyncio_watch": "has asyncio's loops use the resolver, once asyncio is imported",
    "_watch_for_asyncio": "has asyncio's loops use the resolver, once asyncio is imported",
    "_use_resolver_in_asyncio": "has asyncio's loops use the resolver, once asyncio is imported",
    "_family_members": "the members of the enumerations by value, for the fast way",
    "_kind_members": "the members of the enumerations by value, for the fast way",
    "_members": "the members of the enumerations by value, for the fast way",
    "_open_connection": "create_connection() after the look-up",
    "_face": "ties the native class to the Python class",
    "_close": "the Python class's close(), written natively",
    "_socketpair": "socketpair() of objects of the Python class",
    "_getaddrinfo": "getaddrinfo() with members of the enumerations",
    "_own_getaddrinfo": "the module's own, to know another that a program puts in its place",
    "_family_member": "`family`, which the Python class shows as an enumeration's member",
    "_type_member": "`type`, which the Python class shows as an enumeration's member",
    "_open_fileno": "the descriptor of an open file object",
    "_sendfile": "sendfile(2), which CPython takes from os",
    "_io_refs": "a slot of the Python class there, kept by the native class here",
    "_closed": "a slot of the Python class there, kept by the native class here",
    "accept": "a method of the Python class there, of the native class here",
    "__del__": "shown by the VM for types with a finaliser",
    "__weakref__": "a slot here, in the dictionary there",
    "__closed": "a slot here, in the dictionary there",
    "_sock": "a slot here, in the dictionary there",
    "_refuse_if_closed": "a private method",
    "_SocketIO": "what is native of SocketIO",
    "_BufferedReader": "what makefile() makes",
    "_BufferedWriter": "what makefile() makes",
    "_BufferedRWPair": "what makefile() makes",
    "_TextIOWrapper": "what makefile() makes",
    "_text_file": "chooses what makefile() makes for text",
    "_reading": "an attribute of each SocketIO there, of the native class here",
    "_writing": "an attribute of each SocketIO there, of the native class here",
    "_timeout_occurred": "an attribute of each SocketIO there, of the native class here",
}

# What CPython 3.14 has and 3.12 or 3.13 may lack, beside the constants of test_constants.
NEWER_NAMES = {"NI_IDN", "SO_BINDTOIFINDEX", "_fallback_socketpair", "__static_attributes__", "__firstlineno__", "__init__", "_closed"}

# Constants that older versions had, or that depend on the headers a CPython was built with.
NOT_EVERYWHERE = ("BT_", "BTPROTO_", "BDADDR_", "HCI_", "L2CAP_", "SOL_BLUETOOTH", "SOL_HCI", "SOL_L2CAP", "SOL_SCO",
                  "SOL_RFCOMM", "AF_BLUETOOTH", "PF_BLUETOOTH", "SO_HCI_", "SO_L2CAP_", "SCO_", "RFCOMM_")

QUESTION = """
import inspect, json, socket, sys
import _socket

def parameters(thing):
    try:
        found = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    # `self` of a method written in Python can be given by name, which nobody does.
    return [(str(p.kind) if p.name != "self" else None, repr(p.default) if isinstance(p.default, (int, str, type(None))) else None) for p in found]

names, signatures, kinds = {}, {}, {}
for owner in _socket, socket, _socket.socket, socket.socket, socket.SocketIO:
    title = f"{getattr(owner, '__module__', '')} {owner.__name__}"
    names[title] = dir(owner)
    for name in dir(owner):
        thing = getattr(owner, name)
        if callable(thing) and not name.startswith("__"):
            signatures[f"{title} {name}"] = parameters(thing)
for name in dir(socket):
    thing = getattr(socket, name)
    if isinstance(thing, type) and thing.__module__ == "socket" and name != "socket":
        kinds[name] = [base.__name__ for base in thing.__mro__ if base.__name__ != "_SocketIO"]
    elif type(thing).__module__ == "socket" and isinstance(thing, int):
        kinds[name] = type(thing).__name__
print(json.dumps([sys.version_info[:2], names, signatures, kinds]))
"""


def public_methods(owner):
    """Callables that `help` shows, by name."""
    return {name: getattr(owner, name) for name in dir(owner)
            if not name.startswith("_") and callable(getattr(owner, name))}


class AgainstCPython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = need_cpython((3, 12))
        theirs = json.loads(run_python("-c", QUESTION, executable=program).stdout)
        (*cls.version, ), cls.names, cls.signatures, cls.kinds = theirs
        scope = {}
        exec(QUESTION.replace("print(", "answer = ("), scope)
        _, cls.our_names, cls.our_signatures, cls.our_kinds = json.loads(scope["answer"])

    def test_names(self):
        for owner, theirs in self.names.items():
            ours = set(self.our_names[owner])
            with self.subTest(owner=owner):
                missing = set(theirs) - ours - set(NOT_HERE)
                self.assertEqual(missing, set())
                extra = ours - set(theirs) - set(ONLY_HERE)
                if self.version < [3, 14]:
                    extra = {name for name in extra - set(NEWER) - NEWER_NAMES if not name.startswith(NOT_EVERYWHERE)}
                self.assertEqual(extra, set())

    def test_what_is_listed_as_missing_or_added_is(self):
        ours = set().union(*self.our_names.values())
        self.assertEqual(ours & (set(NOT_HERE) - {"__builtins__", "__file__"}), set())
        self.assertEqual(set(ONLY_HERE) - ours, set())

    @ours_only
    def test_signatures(self):
        # Where CPython shows one. The names of positional-only parameters are free.
        for what, theirs in self.signatures.items():
            ours = self.our_signatures.get(what)
            if theirs is not None and what.split()[-1] not in NOT_HERE:
                with self.subTest(what=what):
                    self.assertEqual(ours, theirs)

    def test_enumerations_and_exceptions(self):
        newer = {name for name in set(self.our_kinds) - set(self.kinds)
                 if name in NEWER or name.startswith(NOT_EVERYWHERE)}
        ours = {name: kind for name, kind in self.our_kinds.items() if name not in newer}
        self.assertEqual(ours, self.kinds)


class Shown(unittest.TestCase):
    @ours_only
    def test_every_callable_has_a_signature(self):
        for owner in _socket, socket, _socket.socket, socket.socket, socket.SocketIO:
            for name, thing in public_methods(owner).items():
                is_exception = isinstance(thing, type) and issubclass(thing, Exception)
                if is_exception or isinstance(thing, enum.EnumType) or getattr(thing, "__module__", "") in ("enum", "_io", "io"):
                    continue
                with self.subTest(owner=owner.__name__, name=name):
                    inspect.signature(thing)

    def test_every_callable_has_documentation(self):
        for owner in _socket, socket, _socket.socket, socket.socket:
            for name, thing in public_methods(owner).items():
                with self.subTest(owner=owner.__name__, name=name):
                    self.assertTrue(inspect.getdoc(thing))
        self.assertTrue(_socket.__doc__ and socket.__doc__ and socket.SocketIO.__doc__)

    @ours_only
    def test_a_signature_is_no_lie(self):
        # Of the native callables, which take what the VM's own machinery parses: as many positional arguments, and keywords
        # only where a parameter has a name to call it by.
        for owner in _socket, _socket.socket:
            for name, thing in public_methods(owner).items():
                if isinstance(thing, type):
                    continue
                parameters = inspect.signature(thing).parameters.values()
                if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
                    continue
                first = [socket.socket(fileno=None)] if owner is _socket.socket else []
                with self.subTest(owner=owner.__name__, name=name):
                    too_many = [object()] * (len(parameters) + 1 - len(first))
                    with self.assertRaises(TypeError):
                        thing(*first, *too_many)
                    with self.assertRaises(TypeError):
                        thing(*first, no_such_parameter=1)
                for sock in first:
                    sock.close()

    @ours_only
    def test_defaults(self):
        for thing, text in (
            (socket.socket, "(family=-1, type=-1, proto=-1, fileno=None)"),
            (_socket.socket, "(family=-1, type=-1, proto=-1, fileno=None)"),
            (socket.socket.recv, "(self, buffersize, flags=0, /)"),
            (socket.socket.recv_into, "(self, /, buffer, nbytes=0, flags=0)"),
            (socket.socket.sendmsg, "(self, buffers, ancdata=(), flags=0, address=None, /)"),
            (socket.socket.getsockopt, "(self, level, option, buffersize=0, /)"),
            (socket.socket.setsockopt, "(self, level, option, value, optlen=Ellipsis, /)"),
            (socket.socket.listen, "(self, backlog=128, /)"),
            (socket.socket.accept, "(self, /)"),
            (_socket.getaddrinfo, "(host, port, family=0, type=0, proto=0, flags=0)"),
            (_socket.socketpair, f"(family={_socket.AF_UNIX}, type={_socket.SOCK_STREAM}, proto=0, /)"),
        ):
            with self.subTest(thing=thing):
                self.assertEqual(str(inspect.signature(thing)), text)

    def test_a_subclass_shows_its_own(self):
        class Tuned(socket.socket):
            def __init__(self, host, *, port=80):
                pass

        self.assertEqual(str(inspect.signature(Tuned)), "(host, *, port=80)")

    def test_help(self):
        text = pydoc.plain(pydoc.render_doc(socket))
        for word in ("create_connection(", "getaddrinfo(", "recv_into(", "class AddressFamily", "has_dualstack_ipv6"):
            self.assertIn(word, text)
        text = pydoc.plain(pydoc.render_doc(socket.socket))
        for word in ("accept(self", "bind(self", "sendall(self", "makefile("):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
