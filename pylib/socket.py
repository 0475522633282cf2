"""Network sockets, as the Python library reference documents them.

The native module `_socket` makes the system calls and holds the constants;
everything public in it is public here too. This module adds what reads better
in Python: file objects over a socket, `sendfile`, the enumerations behind the
constants, and functions that open ready-made clients, servers and pairs.

    socket(), socketpair(), fromfd()          make a socket
    create_connection(), create_server()      make a connected or listening one
    send_fds(), recv_fds()                    pass descriptors to another process
    getaddrinfo(), getfqdn(), gethostbyname() look names up
    getdefaulttimeout(), setdefaulttimeout()  the timeout new sockets start with
    AddressFamily, SocketKind                 enumerations of AF_* and SOCK_*

Times are in seconds; None means "wait as long as it takes". Failures are
OSError or one of its subclasses: `timeout` is TimeoutError, `error` is OSError,
and name look-ups raise `gaierror` or `herror`.
"""

import errno
import io
import os
import sys
from enum import IntEnum, IntFlag
from types import SimpleNamespace

import _socket
from _socket import *

__all__ = [
    "AddressFamily",
    "SocketKind",
    "create_connection",
    "create_server",
    "fromfd",
    "getfqdn",
    "has_dualstack_ipv6",
    "recv_fds",
    "send_fds",
]
__all__ += _socket._public_names(vars(_socket))

EBADF = errno.EBADF
EAGAIN = errno.EAGAIN
EWOULDBLOCK = errno.EWOULDBLOCK
_blocking_errnos = {EAGAIN, EWOULDBLOCK}

_LOCALHOST = "127.0.0.1"
_LOCALHOST_V6 = "::1"

# "No timeout was given", where None already means "no time limit".
_GLOBAL_DEFAULT_TIMEOUT = object()

_SEND_BLOCK = 1 << 16
# What sendfile(2) is asked to send at once: more does not fit a C type.
_SENDFILE_BLOCK = 1 << 30


# What the classes below are made from before they have members.
_nothing = SimpleNamespace()

for _base, _title, _prefix, _doc in (
    (IntEnum, "AddressFamily", "AF_", "Address families, AF_*."),
    (IntEnum, "SocketKind", "SOCK_", "Socket types, SOCK_*, and flags to add to one."),
    (IntFlag, "MsgFlag", "MSG_", "Flags of the calls that send or receive, MSG_*."),
    (IntFlag, "AddressInfo", "AI_", "Flags that steer getaddrinfo(), AI_*."),
):
    # Puts the class into this module, and makes members pickle by name.
    _class = _base._convert_(_title, __name__, bool, _nothing)
    _class.__doc__ = _doc
    _socket._add_members(_class, globals(), _prefix)
del _base, _title, _prefix, _doc, _class, _nothing

_family_members = AddressFamily._value2member_map_
_kind_members = SocketKind._value2member_map_


def _intenum_converter(value, enum_klass):
    """Return the member of `enum_klass` for `value`, or `value` if it has none."""
    try:
        return enum_klass(value)
    except ValueError:
        return value


class _GiveupOnSendfile(Exception):
    """sendfile(2) cannot serve this file or socket, and nothing was sent."""


class socket(_socket.socket):
    """One end of a network conversation.

    socket(family=AF_INET, type=SOCK_STREAM, proto=0) opens a new one. With
    `fileno`, the object takes over an open descriptor instead and asks the
    kernel for whichever of the other three was not given.

    A socket is a context manager that closes itself on the way out. File
    objects from makefile() keep the connection open until they are closed too.
    """

    if hasattr(_socket.socket, "accept"):
        # The native type keeps the state below, and builds accepted sockets
        # and enumeration members without running Python code.
        __slots__ = ["__weakref__"]
        family = _socket.socket._family_member
        type = _socket.socket._type_member
        close = _socket.socket._close
    else:
        __slots__ = ["__weakref__", "_io_refs", "_closed"]

        def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
            if fileno is None:
                family = AF_INET if family == -1 else family
                type = SOCK_STREAM if type == -1 else type
                proto = 0 if proto == -1 else proto
            super().__init__(family, type, proto, fileno)
            self._io_refs = 0
            self._closed = False

        def accept(self):
            """accept() -> (socket, address): wait for a connection to this listening socket.

            The address is the peer's. The new socket blocks, or has the default
            timeout if there is one, unless this one does not block.
            """
            descriptor, address = self._accept()
            sock = socket(self.family, self.type, self.proto, descriptor)
            if getdefaulttimeout() is None and self.gettimeout():
                sock.setblocking(True)
            return sock, address

        @property
        def family(self):
            """The address family, as a member of AddressFamily where it has one."""
            return _intenum_converter(super().family, AddressFamily)

        @property
        def type(self):
            """The socket type, as a member of SocketKind where it has one."""
            return _intenum_converter(super().type, SocketKind)

        def close(self):
            """close(): end the use of this socket.

            The descriptor is closed as soon as no file object from makefile() is
            open any more. Closing twice does nothing.
            """
            self._closed = True
            if self._io_refs <= 0:
                self._real_close()

    def __enter__(self):
        """Return the socket itself; the `with` block closes it at its end."""
        return self

    def __exit__(self, *args):
        """Close the socket, unless the block did so already."""
        if not self._closed:
            self.close()

    def __repr__(self):
        """Show the descriptor, the three numbers of the socket, and the addresses it has."""
        cls = self.__class__
        closed = getattr(self, "_closed", False)
        state = " [closed]" if closed else ""
        parts = [
            f"<{cls.__module__}.{cls.__qualname__}{state} fd={self.fileno()}",
            f"family={self.family!s}",
            f"type={self.type!s}",
            f"proto={self.proto}",
        ]
        if not closed:
            for label, ask in (("laddr", self.getsockname), ("raddr", self.getpeername)):
                try:
                    address = ask()
                except OSError:
                    continue
                if address:
                    parts.append(f"{label}={address!s}")
        return ", ".join(parts) + ">"

    def __getstate__(self):
        """Refuse: a descriptor means nothing in another process or as a copy."""
        raise TypeError(f"cannot pickle {self.__class__.__name__!r} object")

    def dup(self):
        """dup() -> socket: a second, independent object for the same connection.

        It has this socket's class and timeout, and a descriptor of its own that
        child processes do not inherit.
        """
        twin = self.__class__(self.family, self.type, self.proto, fileno=dup(self.fileno()))
        twin.settimeout(self.gettimeout())
        return twin

    def makefile(
        self, mode="r", buffering=None, *, encoding=None, errors=None, newline=None
    ):
        """makefile(...) -> a file object that reads from or writes to the socket.

        The arguments mean what they mean to open(), except that `mode` is made
        of "r", "w" and "b" only. The socket must block; a read that timed out
        leaves the file object unusable. Close both to end the connection.
        """
        if not set(mode) <= {"r", "w", "b"}:
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        writing = "w" in mode
        reading = "r" in mode or not writing
        binary = "b" in mode
        if not binary:
            encoding = io.text_encoding(encoding)
            if buffering == 0:
                raise ValueError("unbuffered streams must be binary")
        if buffering is None or buffering < 0:
            buffering = io.DEFAULT_BUFFER_SIZE

        raw = SocketIO(self, "r" * reading + "w" * writing)
        self._io_refs += 1
        if buffering == 0:
            return raw
        if reading and writing:
            stream = _socket._BufferedRWPair(raw, raw, buffering)
        elif reading:
            stream = _socket._BufferedReader(raw, buffering)
        else:
            stream = _socket._BufferedWriter(raw, buffering)
        if not binary:
            stream = _text_file(stream, encoding, errors, newline)
            stream.mode = mode
        return stream

    def sendfile(self, file, offset=0, count=None):
        """sendfile(file[, offset[, count]]) -> the number of bytes sent.

        Send `file`, opened in binary mode, from byte `offset` on: all of it, or
        at most `count` bytes. The kernel copies straight from a regular file;
        any other object is read and sent block by block. However the call ends,
        the file's position is then just after the last byte sent. For stream
        sockets that block or have a timeout, which limits each single wait.
        """
        try:
            return self._sendfile_use_sendfile(file, offset, count)
        except _GiveupOnSendfile:
            return self._sendfile_use_send(file, offset, count)

    def _sendfile_use_sendfile(self, file, offset=0, count=None):
        """sendfile() by sendfile(2); _GiveupOnSendfile if that does not work here."""
        self._check_sendfile_params(file, offset, count)
        if not hasattr(self, "_sendfile"):
            raise _GiveupOnSendfile("this _socket has no sendfile")
        try:
            source = file.fileno()
        except (AttributeError, io.UnsupportedOperation) as why:
            raise _GiveupOnSendfile(why)
        try:
            size = os.fstat(source).st_size
        except OSError as why:
            raise _GiveupOnSendfile(why)
        if not size:
            # An empty file, or one that is not a regular file.
            return 0
        if self.gettimeout() == 0:
            raise ValueError("non-blocking sockets are not supported")

        total = 0
        try:
            while count is None or total < count:
                left = size if count is None else count - total
                try:
                    sent = self._sendfile(source, offset, min(left, _SENDFILE_BLOCK))
                except TimeoutError:
                    raise
                except OSError as why:
                    if not total and self.fileno() >= 0:
                        raise _GiveupOnSendfile(why)
                    raise
                if not sent:
                    break
                total += sent
                offset += sent
            return total
        finally:
            if total and hasattr(file, "seek"):
                file.seek(offset)

    def _sendfile_use_send(self, file, offset=0, count=None):
        """sendfile() by reading blocks and sending them."""
        self._check_sendfile_params(file, offset, count)
        if self.gettimeout() == 0:
            raise ValueError("non-blocking sockets are not supported")
        if offset:
            # Not for 0: what cannot seek is sent from where it stands.
            file.seek(offset)
        total = 0
        try:
            while count is None or total < count:
                left = _SEND_BLOCK if count is None else count - total
                data = memoryview(file.read(min(left, _SEND_BLOCK)))
                if not data:
                    break
                while data:
                    try:
                        sent = self.send(data)
                    except BlockingIOError:
                        continue
                    total += sent
                    data = data[sent:]
            return total
        finally:
            if total and hasattr(file, "seek"):
                file.seek(offset + total)

    def _check_sendfile_params(self, file, offset, count):
        """Raise for arguments that sendfile() cannot take."""
        if "b" not in getattr(file, "mode", "b"):
            raise ValueError("file should be opened in binary mode")
        if not self.type & SOCK_STREAM:
            raise ValueError("only SOCK_STREAM type sockets are supported")
        if count is None:
            return
        complaint = f"count must be a positive integer (got {count!r})"
        if not isinstance(count, int):
            raise TypeError(complaint)
        if count <= 0:
            raise ValueError(complaint)

    def _decref_socketios(self):
        """Forget one file object; the last one to go finishes a close() that waited for it."""
        if self._io_refs > 0:
            self._io_refs -= 1
        if self._closed:
            self.close()

    def _real_close(self, _ss=_socket.socket):
        """Close the descriptor. Subclasses with more to tear down extend this one."""
        # The default argument outlives the module's globals, which are gone
        # when a socket is finalised late in the interpreter's shutdown.
        _ss.close(self)

    def detach(self):
        """detach() -> the descriptor, which stays open and is now the caller's to close.

        The socket object counts as closed from then on.
        """
        self._closed = True
        return super().detach()

    def get_inheritable(self):
        """get_inheritable() -> True if child processes inherit the descriptor."""
        return os.get_inheritable(self._open_fileno())

    def set_inheritable(self, inheritable):
        """set_inheritable(flag): let child processes inherit the descriptor, or not."""
        from _operator import index

        # The VM's function takes nothing but a bool.
        os.set_inheritable(self._open_fileno(), bool(index(inheritable)))

    def _open_fileno(self):
        # Not left to `os`: on RustPython its OSErrors have five arguments.
        descriptor = self.fileno()
        if descriptor < 0:
            raise OSError(EBADF, os.strerror(EBADF))
        return descriptor


class SocketIO(_socket._SocketIO, io.RawIOBase):
    """Raw, unbuffered file access to a socket; makefile() builds its file objects on it.

    `mode` is "r", "w" or "rw", with or without a "b". Closing it tells the
    socket that it is no longer in use, and does not close the socket itself.
    """

    def __init__(self, sock, mode):
        super().__init__(sock, mode)

    def _refuse_if_closed(self):
        if self.closed:
            raise ValueError("I/O operation on closed socket.")

    def readable(self):
        """True if opened for reading."""
        self._refuse_if_closed()
        return self._reading

    def writable(self):
        """True if opened for writing."""
        self._refuse_if_closed()
        return self._writing

    def seekable(self):
        """False: a socket has no position."""
        self._refuse_if_closed()
        return super().seekable()

    def fileno(self):
        """The socket's descriptor."""
        self._checkClosed()
        return self._sock.fileno()

    @property
    def name(self):
        """The socket's descriptor, or -1 once closed."""
        return -1 if self.closed else self.fileno()

    @property
    def mode(self):
        """The mode it was opened with, "b" included."""
        return "r" * self._reading + "w" * self._writing + "b"


def _text_file(buffer, encoding, errors, newline):
    # Natively where a line ends in one and the same byte.
    if encoding == "locale":
        import locale

        encoding = locale.getencoding()
    if _socket._TextIOWrapper._knows(encoding):
        return _socket._TextIOWrapper(buffer, encoding, errors, newline)
    return io.TextIOWrapper(buffer, encoding, errors, newline)


io.TextIOBase.register(_socket._TextIOWrapper)
for _class in (_socket._BufferedReader, _socket._BufferedWriter, _socket._BufferedRWPair):
    io.BufferedIOBase.register(_class)
del _class


def fromfd(fd, family, type, proto=0):
    """fromfd(fd, family, type[, proto]) -> a socket over a duplicate of the descriptor `fd`.

    `fd` itself stays open and the caller's.
    """
    return socket(family, type, proto, dup(fd))


def send_fds(sock, buffers, fds, flags=0, address=None):
    """send_fds(sock, buffers, fds[, flags[, address]]) -> the number of bytes sent.

    Send the descriptors `fds` with some data over the AF_UNIX socket `sock`.
    The other parameters are sendmsg()'s.
    """
    import array

    rights = (SOL_SOCKET, SCM_RIGHTS, array.array("i", fds))
    return sock.sendmsg(buffers, [rights], flags, address)


def recv_fds(sock, bufsize, maxfds, flags=0):
    """recv_fds(sock, bufsize, maxfds[, flags]) -> (data, descriptors, flags, address).

    Receive up to `bufsize` bytes and `maxfds` descriptors from an AF_UNIX
    socket. `flags` is recvmsg()'s, going in and coming out.
    """
    import array

    received = array.array("i")
    data, ancillary, flags, address = sock.recvmsg(
        bufsize, CMSG_LEN(maxfds * received.itemsize), flags
    )
    for level, kind, rights in ancillary:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            # A truncated message may end inside a number.
            whole = len(rights) // received.itemsize * received.itemsize
            received.frombytes(rights[:whole])
    return data, received.tolist(), flags, address


_socketpair = getattr(_socket, "_socketpair", None)


def socketpair(family=None, type=SOCK_STREAM, proto=0):
    """socketpair([family[, type[, proto]]]) -> two sockets connected to each other.

    The family is AF_UNIX unless given.
    """
    if _socketpair is not None:
        return _socketpair(socket, family, type, proto)
    if family is None:
        family = AF_UNIX
    first, second = _socket.socketpair(family, type, proto)
    return (
        socket(family, type, proto, first.detach()),
        socket(family, type, proto, second.detach()),
    )


def _fallback_socketpair(family=AF_INET, type=SOCK_STREAM, proto=0):
    """A pair of connected TCP sockets over loopback: socketpair() for IP families."""
    hosts = {AF_INET: _LOCALHOST, AF_INET6: _LOCALHOST_V6}
    if family not in hosts:
        raise ValueError("Only AF_INET and AF_INET6 socket address families are supported")
    if type != SOCK_STREAM:
        raise ValueError("Only SOCK_STREAM socket type is supported")
    if proto != 0:
        raise ValueError("Only protocol zero is supported")

    with socket(family, type, proto) as listener:
        listener.bind((hosts[family], 0))
        listener.listen()
        client = socket(family, type, proto)
        server = None
        try:
            # The listener's queue completes the connection: no second thread.
            client.connect(listener.getsockname()[:2])
            server, _ = listener.accept()
            # Any local process may connect to the port, so see who did.
            if (server.getsockname(), server.getpeername()) != (
                client.getpeername(),
                client.getsockname(),
            ):
                raise ConnectionError("Unexpected peer connection")
        except BaseException:
            client.close()
            if server is not None:
                server.close()
            raise
    return server, client


def getfqdn(name=""):
    """getfqdn([name]) -> the fully qualified domain name of a host, by default this one.

    It is the first of the host's names that has a dot in it, or else its own
    name; an unknown host comes back as given.
    """
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        name = gethostname()
    try:
        official, aliases, _ = gethostbyaddr(name)
    except TimeoutError:
        # Of a reactor.deadline(); the look-up itself has no such error.
        raise
    except OSError:
        return name
    return next((known for known in (official, *aliases) if "." in known), official)


def _open_connection(family, type, proto, target, timeout, source_address):
    """Make one socket and connect it; nothing stays open if that fails."""
    sock = socket(family, type, proto)
    try:
        if timeout is not _GLOBAL_DEFAULT_TIMEOUT:
            sock.settimeout(timeout)
        if source_address:
            sock.bind(source_address)
        sock.connect(target)
    except BaseException:
        sock.close()
        raise
    return sock


def create_connection(
    address, timeout=_GLOBAL_DEFAULT_TIMEOUT, source_address=None, *, all_errors=False
):
    """create_connection((host, port), ...) -> a TCP socket connected to that server.

    Every address of the host is tried in turn, each for at most `timeout`
    seconds, which is the new socket's timeout too. `source_address` is the
    (host, port) to connect from. If no address works, the last one's error is
    raised, or with all_errors=True an ExceptionGroup of all of them.
    """
    host, port = address
    failures = []
    try:
        for family, kind, proto, _, target in getaddrinfo(host, port, 0, SOCK_STREAM):
            try:
                return _open_connection(
                    family, kind, proto, target, timeout, source_address
                )
            except OSError as failure:
                if not all_errors:
                    failures.clear()
                failures.append(failure)
        if not failures:
            raise OSError("getaddrinfo returns an empty list")
        if all_errors:
            raise ExceptionGroup("create_connection failed", failures.copy())
        raise failures[0]
    finally:
        # Each failure's traceback holds this frame, and so this list.
        failures.clear()


def has_dualstack_ipv6():
    """has_dualstack_ipv6() -> True if one IPv6 socket can serve IPv4 clients too."""
    if not (has_ipv6 and hasattr(_socket, "IPPROTO_IPV6") and hasattr(_socket, "IPV6_V6ONLY")):
        return False
    try:
        with socket(AF_INET6, SOCK_STREAM) as probe:
            probe.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
    except OSError:
        return False
    return True


def create_server(
    address, *, family=AF_INET, backlog=None, reuse_port=False, dualstack_ipv6=False
):
    """create_server((host, port), ...) -> a TCP socket listening on that address.

    An empty host means all interfaces, port 0 a free port. `family` is AF_INET,
    AF_INET6 or another one with streams; `backlog` is listen()'s. reuse_port
    sets SO_REUSEPORT, so that several servers share the port. dualstack_ipv6
    lets an AF_INET6 server take IPv4 clients too, where has_dualstack_ipv6().
    """
    if reuse_port and not hasattr(_socket, "SO_REUSEPORT"):
        raise ValueError("SO_REUSEPORT not supported on this platform")
    if dualstack_ipv6:
        if not has_dualstack_ipv6():
            raise ValueError("dualstack_ipv6 not supported on this platform")
        if family != AF_INET6:
            raise ValueError("dualstack_ipv6 requires AF_INET6 family")

    server = socket(family, SOCK_STREAM)
    try:
        try:
            # Connections of an earlier server that linger in TIME_WAIT would
            # keep a new one off its port.
            server.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        except OSError:
            pass
        if reuse_port:
            server.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        if has_ipv6 and family == AF_INET6:
            server.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, not dualstack_ipv6)
        try:
            server.bind(address)
        except OSError as why:
            message = f"{why.strerror} (while attempting to bind on address {address!r})"
            raise OSError(why.errno, message) from None
        if backlog is None:
            server.listen()
        else:
            server.listen(backlog)
    except BaseException:
        server.close()
        raise
    return server


# A program may put a function of its own in its place.
_own_getaddrinfo = _socket.getaddrinfo if hasattr(_socket, "_getaddrinfo") else None


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    """getaddrinfo(host, port, ...) -> the addresses to reach a service at, best first.

    Each is a tuple (family, type, proto, canonname, sockaddr). `host` is a name,
    an address or None; `port` a service name, a number or None. `family`, `type`
    and `proto` narrow the choice unless 0; `flags` are AI_* ones. canonname is
    empty unless AI_CANONNAME asks for it.
    """
    if _socket.getaddrinfo is _own_getaddrinfo:
        # The same as below, but without Python code for every address.
        return _socket._getaddrinfo(
            _family_members, _kind_members, host, port, family, type, proto, flags
        )
    return _members(_socket.getaddrinfo(host, port, family, type, proto, flags))


def _members(found):
    # Families and types are numbers to the native module.
    return [
        (_family_members.get(af, af), _kind_members.get(kind, kind), protocol, name, where)
        for af, kind, protocol, name, where in found
    ]


if hasattr(_socket, "_register_face"):
    _socket._register_face(socket, AddressFamily, SocketKind, socket._real_close)


# What a program may have replaced by the time that asyncio is imported.
_unpatched = getaddrinfo, _socket.getaddrinfo


def _watch_for_asyncio(name, path=None, target=None):
    # The last of asyncio's modules that is imported before any loop is made.
    if name == "asyncio.selector_events":
        sys.meta_path.remove(_asyncio_watch)
        _use_resolver_in_asyncio()
    return None


def _use_resolver_in_asyncio():
    import _reactor_asyncio

    _reactor_asyncio.install()


# Most programs never import asyncio.
_asyncio_watch = SimpleNamespace(find_spec=_watch_for_asyncio)
if "asyncio.selector_events" in sys.modules:
    _use_resolver_in_asyncio()
else:
    sys.meta_path.insert(0, _asyncio_watch)
del SimpleNamespace
