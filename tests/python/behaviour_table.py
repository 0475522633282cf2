"""What calls do, one a line: `expression -> outcome`, in blocks of which each has sockets of its own.

The title names the sockets `a` and `b` (see `test_behaviour.Table.sockets`), their timeout if it is not a long one, and the
subject. An outcome is the value's repr, or `! ERRNO` for an OSError with just that number and its text, or `! Class(arguments)`;
a class alone leaves the text open. They are those of CPython 3.14 on Linux.
"""

TABLE = r"""
[tcp, zero bytes]
a.send(b"")  ->  0
a.sendall(b"")  ->  None
b.recv(0)  ->  b''
b.recv_into(B(0))  ->  0
b.recv_into(B())  ->  0
a.sendall(b"abc")  ->  None
b.recv(0)  ->  b''
b.recvfrom(0)  ->  (b'', None)
b.recvfrom_into(B(0))  ->  (0, None)
b.recv_into(B(5), 2)  ->  2
b.recv_into(B(5), 0)  ->  1
b.recv(-1)  ->  ! ValueError('negative buffersize in recv',)
b.recvfrom(-1)  ->  ! ValueError('negative buffersize in recvfrom',)
b.recvmsg(-1)  ->  ! ValueError('negative buffer size in recvmsg()',)
b.recv_into(B(5), 6)  ->  ! ValueError('buffer too small for requested bytes',)
b.recv_into(B(5), -1)  ->  ! ValueError('negative buffersize in recv_into',)
b.recvfrom_into(B(5), 6)  ->  ! ValueError('nbytes is greater than the length of the buffer',)
b.recvfrom_into(B(5), -1)  ->  ! ValueError('negative buffersize in recvfrom_into',)

[tcp timeout 0.01, end of stream against timeout]
b.recv(1)  ->  ! TimeoutError('timed out',)
b.recv_into(B(1))  ->  ! TimeoutError('timed out',)
b.recvfrom(1)  ->  ! TimeoutError('timed out',)
b.recvfrom_into(B(1))  ->  ! TimeoutError('timed out',)
b.recvmsg(1)  ->  ! TimeoutError('timed out',)
b.recvmsg_into([B(1)])  ->  ! TimeoutError('timed out',)
a.shutdown(SHUT_WR)  ->  None
ready(b)  ->  None
b.recv(1)  ->  b''
b.recv(1)  ->  b''
b.recv_into(B(1))  ->  0
b.recvfrom(1)  ->  (b'', None)
b.recvfrom_into(B(1))  ->  (0, None)
b.recvmsg(1)  ->  (b'', [], 0, None)
b.recvmsg_into([B(1)])  ->  (0, [], 0, None)
a.send(b"x")  ->  ! EPIPE
a.sendall(b"x")  ->  ! EPIPE
b.send(b"y")  ->  1
a.recv(1)  ->  b'y'
b.shutdown(SHUT_WR)  ->  None
ready(a)  ->  None
a.recv(1)  ->  b''
a.shutdown(SHUT_RDWR)  ->  ! ENOTCONN
a.close()  ->  None
b.recv(1)  ->  b''
b.shutdown(SHUT_RDWR)  ->  ! ENOTCONN

[unix, shutdown of each side]
a.shutdown(SHUT_RD)  ->  None
a.recv(1)  ->  b''
b.send(b"x")  ->  ! EPIPE
a.shutdown(SHUT_RD)  ->  None
a.shutdown(3)  ->  ! EINVAL
a.shutdown(-1)  ->  ! EINVAL
a.shutdown("how")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
b.getpeername()  ->  ''
a.close()  ->  None
b.recv(1)  ->  b''
b.send(b"x")  ->  ! EPIPE
b.shutdown(SHUT_RDWR)  ->  None
b.recv(1)  ->  b''

[new timeout 0.01, not connected]
a.recv(0)  ->  b''
a.recv(1)  ->  ! ENOTCONN
a.recv_into(B(1))  ->  ! ENOTCONN
a.recvfrom(1)  ->  ! ENOTCONN
a.recvmsg(1)  ->  ! ENOTCONN
a.send(b"x")  ->  ! EPIPE
a.sendall(b"x")  ->  ! EPIPE
a.sendmsg([b"x"])  ->  ! EPIPE
a.shutdown(SHUT_RD)  ->  ! ENOTCONN
a.shutdown(SHUT_RDWR)  ->  ! ENOTCONN
a.getpeername()  ->  ! ENOTCONN
a.accept()  ->  ! EINVAL
a._accept()  ->  ! EINVAL
a.getsockname()  ->  ('0.0.0.0', 0)
a.connect_ex(refused)  ->  111
a.connect_ex(1)  ->  ! TypeError('connect_ex(): AF_INET address must be tuple, not int',)
a.connect_ex((HOST, 65536))  ->  ! OverflowError('connect_ex(): port must be 0-65535.',)

[listener timeout 0.01, not for data]
b.accept()  ->  ! TimeoutError('timed out',)
b.shutdown(SHUT_WR)  ->  None
b.getpeername()  ->  ! ENOTCONN
b.connect(refused)  ->  ! EISCONN
b.connect_ex(refused)  ->  106
b.bind((HOST, 0))  ->  ! EINVAL
b.listen()  ->  None
b.getsockname()[0]  ->  '127.0.0.1'

[listener, connect_ex]
a.settimeout(0)  ->  None
a.connect_ex(b.getsockname())  ->  115
ready(a, write=True)  ->  None
a.connect_ex(b.getsockname())  ->  0
a.connect_ex(b.getsockname())  ->  106
a.connect(b.getsockname())  ->  ! EISCONN

[new, listen]
a.listen(-1)  ->  None
a.listen(0)  ->  None
a.listen()  ->  None
a.listen(1 << 30)  ->  None
a.listen(True)  ->  None
a.listen(Index(3))  ->  None
a.listen(IntSubclass(3))  ->  None
a.listen(1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
a.listen(1 << 63)  ->  ! OverflowError('Python int too large to convert to C long',)
a.listen(-(1 << 31) - 1)  ->  ! OverflowError('signed integer is less than minimum',)
a.listen("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
a.listen(1.0)  ->  ! TypeError("'float' object cannot be interpreted as an integer",)
a.getsockopt(SOL_SOCKET, SO_ACCEPTCONN)  ->  1
a.getsockname()[1] > 0  ->  True

[new udp timeout 0.01, what needs a stream]
a.listen()  ->  ! ENOTSUP
a.accept()  ->  ! TimeoutError('timed out',)
a.sendfile(file())  ->  ! ValueError('only SOCK_STREAM type sockets are supported',)
a.recv(1, MSG_OOB | MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
a.send(b"x")  ->  ! EDESTADDRREQ
a.sendall(b"x")  ->  ! EDESTADDRREQ
a.shutdown(SHUT_WR)  ->  ! ENOTCONN

[udp timeout 0.01, datagrams of no bytes]
a.send(b"")  ->  0
b.recv(10)  ->  b''
b.recv(10)  ->  ! TimeoutError('timed out',)
a.sendall(b"")  ->  None
b.recvfrom(10)[0]  ->  b''
a.sendmsg([])  ->  0
b.recv_into(B(10))  ->  0
a.sendmsg([b"", b""])  ->  0
b.recvmsg(10)[0]  ->  b''
a.send(b"")  ->  0
b.recv(0)  ->  b''
b.recv_into(B(0))  ->  0
b.recvfrom(0)[0]  ->  b''
b.recv(5)  ->  ! TimeoutError('timed out',)

[unix datagram timeout 0.01, datagrams of no bytes]
a.send(b"")  ->  0
b.recv(10)  ->  b''
b.recv(10)  ->  ! TimeoutError('timed out',)
a.sendall(b"")  ->  None
b.recvfrom(10)  ->  (b'', None)
a.send(b"")  ->  0
b.recvfrom_into(B(10))  ->  (0, None)
a.send(b"")  ->  0
b.recv(0)  ->  b''
b.recvfrom(0)  ->  (b'', None)
b.recv(5)  ->  ! TimeoutError('timed out',)

[seqpacket timeout 0.01, datagrams of no bytes]
a.send(b"")  ->  0
b.recv(10)  ->  b''
b.recv(10)  ->  ! TimeoutError('timed out',)
a.send(b"abc")  ->  3
b.recvfrom(0)  ->  (b'', None)
b.recv(5)  ->  ! TimeoutError('timed out',)

[udp timeout 0.01, datagrams larger than the buffer]
a.send(b"abcdef")  ->  6
b.recv(3)  ->  b'abc'
b.recv(5)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recv_into(B(3))  ->  3
b.recv(9)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recv_into(B(10), 3)  ->  3
b.recv(9)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recvfrom_into(B(3))[0]  ->  3
b.recv(9)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recvfrom_into(B(3), 2)[0]  ->  2
b.recv(9)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recv(0)  ->  b''
b.recvfrom(0)[0]  ->  b''
b.recv(9)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recvfrom_into(B(0))[0]  ->  0
b.recv(9)  ->  ! TimeoutError('timed out',)
a.send(b"abcdef")  ->  6
b.recvmsg(3)[:3] == (b"abc", [], MSG_TRUNC)  ->  True
a.send(b"abcdef")  ->  6
b.recvmsg_into([B(2), B(1)])[:3] == (3, [], MSG_TRUNC)  ->  True
a.send(b"abcdef")  ->  6
b.recv_into(B(3), 0, MSG_PEEK | MSG_TRUNC)  ->  6
b.recvfrom_into(B(3), 0, MSG_PEEK | MSG_TRUNC)[0]  ->  6
b.recv(9)  ->  b'abcdef'
a.send(bytes(65508))  ->  ! EMSGSIZE
a.send(bytes(65507))  ->  65507
b.recv(1 << 20) == bytes(65507)  ->  True

[tcp timeout 0.01, flags]
b.recv(1, MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
b.recv_into(B(2), 0, MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
b.recvfrom(1, MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
b.recvfrom_into(B(2), 0, MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
b.recvmsg(1, 0, MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
b.recvmsg_into([B(1)], 0, MSG_DONTWAIT)  ->  ! TimeoutError('timed out',)
a.send(b"hello", MSG_DONTWAIT)  ->  5
ready(b)  ->  None
b.recv(2, MSG_PEEK)  ->  b'he'
b.recv_into(B(10), 0, MSG_PEEK)  ->  5
b.recvfrom(3, MSG_PEEK)  ->  (b'hel', None)
b.recvfrom_into(B(3), 0, MSG_PEEK)  ->  (3, None)
b.recvmsg(3, 0, MSG_PEEK)[0]  ->  b'hel'
b.recvmsg_into([B(3)], 0, MSG_PEEK)[0]  ->  3
b.recv(5, MSG_WAITALL)  ->  b'hello'
a.sendall(b"xy", MSG_MORE | MSG_NOSIGNAL)  ->  None
a.sendmsg([b"z"], [], MSG_EOR)  ->  1
ready(b)  ->  None
b.recv(3, MSG_WAITALL)  ->  b'xyz'
b.recv(1, MSG_ERRQUEUE)  ->  ! TimeoutError('timed out',)
b.recv(1, 1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
b.recv(1, 1 << 63)  ->  ! OverflowError('Python int too large to convert to C long',)
b.recv(1, -(1 << 31) - 1)  ->  ! OverflowError('signed integer is less than minimum',)
a.send(b"", 1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
a.sendall(b"", 1 << 63)  ->  ! OverflowError('Python int too large to convert to C long',)
a.sendto(b"", 1 << 31, refused)  ->  ! OverflowError('signed integer is greater than maximum',)
b.recv_into(B(1), 0, 1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
b.recv(1 << 63)  ->  ! OverflowError('Python int too large to convert to C ssize_t',)
b.recvfrom(1 << 63)  ->  ! OverflowError('Python int too large to convert to C ssize_t',)
b.recv_into(B(1), 1 << 63)  ->  ! OverflowError('Python int too large to convert to C ssize_t',)

[tcp timeout 1, out-of-band data]
a.send(b"xyz", MSG_OOB)  ->  3
ready(b, exceptional=True)  ->  None
b.recv(1, MSG_OOB)  ->  b'z'
b.recv(10)  ->  b'xy'
a.send(b"ab")  ->  2
a.send(b"!", MSG_OOB)  ->  1
a.send(b"cd")  ->  2
ready(b, exceptional=True)  ->  None
b.recv(10)  ->  b'ab'
b.recv(1, MSG_OOB)  ->  b'!'
b.recv(10)  ->  b'cd'

[tcp timeout 1, out-of-band data in line]
b.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1)  ->  None
a.send(b"abc", MSG_OOB)  ->  3
ready(b, exceptional=True)  ->  None
b.recv(1, MSG_OOB)  ->  ! EINVAL
b.recv(10)  ->  b'ab'
b.recv(10)  ->  b'c'

[unix timeout 1, what can be sent]
a.send("text")  ->  ! TypeError("a bytes-like object is required, not 'str'",)
a.sendall("text")  ->  ! TypeError("a bytes-like object is required, not 'str'",)
a.send(5)  ->  ! TypeError("a bytes-like object is required, not 'int'",)
a.send(None)  ->  ! TypeError("a bytes-like object is required, not 'NoneType'",)
a.send([1])  ->  ! TypeError("a bytes-like object is required, not 'list'",)
a.send(M(b"abcd")[::2])  ->  ! BufferError('memoryview: underlying buffer is not C-contiguous',)
a.sendall(M(b"abcd")[::2])  ->  ! BufferError('memoryview: underlying buffer is not C-contiguous',)
a.send(array("H", [1, 2]))  ->  4
a.sendall(bytearray(b"xy"))  ->  None
a.send(M(bytes(16)).cast("B", (4, 4)))  ->  16
b.recv(100) == array("H", [1, 2]).tobytes() + b"xy" + bytes(16)  ->  True

[unix timeout 1, what can be received into]
a.sendall(bytes(range(40)))  ->  None
b.recv_into(None)  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not None',)
b.recv_into(True)  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not bool',)
b.recv_into(1)  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not int',)
b.recv_into("text")  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not str',)
b.recv_into(b"bytes")  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not bytes',)
b.recv_into([])  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not list',)
b.recv_into(M(b"bytes"))  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not memoryview',)
b.recvfrom_into(None)  ->  ! TypeError('recvfrom_into() argument 1 must be read-write bytes-like object, not None',)
b.recvfrom_into(b"bytes")  ->  ! TypeError('recvfrom_into() argument 1 must be read-write bytes-like object, not bytes',)
b.recv_into(array("i", [0]))  ->  4
b.recv_into(M(B(8))[2:6])  ->  4
b.recv_into(M(B(8)).cast("i"))  ->  8
b.recv_into(M(B(4)).cast("B", (2, 2)))  ->  4
b.recv_into(buffer=B(1))  ->  1
b.recv_into(B(9), nbytes=1)  ->  1
b.recv_into(B(9), nbytes=1, flags=MSG_PEEK)  ->  1
b.recvfrom_into(buffer=B(1))  ->  (1, None)
b.recvfrom_into(B(9), flags=MSG_PEEK)  ->  (9, None)

[new udp, forms of sendto]
a.sendto(b"x", refused)  ->  1
a.sendto(b"x", 0, refused)  ->  1
a.sendto(B(b"x"), MSG_DONTWAIT, refused)  ->  1
a.sendto(b"", refused)  ->  0
a.sendto(array("i", [1]), refused)  ->  4
a.sendto()  ->  ! TypeError('sendto() takes 2 or 3 arguments (0 given)',)
a.sendto(b"x")  ->  ! TypeError('sendto() takes 2 or 3 arguments (1 given)',)
a.sendto(b"x", 0)  ->  ! TypeError('sendto(): AF_INET address must be tuple, not int',)
a.sendto(b"x", 0, refused, 1)  ->  ! TypeError('sendto() takes 2 or 3 arguments (4 given)',)
a.sendto(b"x", refused, 0)  ->  ! TypeError("'tuple' object cannot be interpreted as an integer",)
a.sendto(b"x", None, refused)  ->  ! TypeError("'NoneType' object cannot be interpreted as an integer",)
a.sendto("x", refused)  ->  ! TypeError("a bytes-like object is required, not 'str'",)
a.sendto(b"x", 0, None)  ->  ! TypeError('sendto(): AF_INET address must be tuple, not NoneType',)
a.sendto(b"x", address=refused)  ->  ! TypeError('socket.sendto() takes no keyword arguments',)
a.sendto(M(b"xy")[::2], refused)  ->  1
a.sendto(b"x", (HOST, 65536))  ->  ! OverflowError('sendto(): port must be 0-65535.',)
a.sendto(bytes(65508), refused)  ->  ! EMSGSIZE

[new, getsockopt]
a.getsockopt(SOL_SOCKET, SO_TYPE)  ->  1
a.getsockopt(SOL_SOCKET, SO_TYPE, 0)  ->  1
a.getsockopt(SOL_SOCKET, SO_TYPE, 4)  ->  b'\x01\x00\x00\x00'
a.getsockopt(SOL_SOCKET, SO_TYPE, 2)  ->  b'\x01\x00'
a.getsockopt(SOL_SOCKET, SO_TYPE, 1024)  ->  b'\x01\x00\x00\x00'
a.getsockopt(SOL_SOCKET, SO_TYPE, True)  ->  b'\x01'
a.getsockopt(SOL_SOCKET, SO_TYPE, Index(4))  ->  b'\x01\x00\x00\x00'
a.getsockopt(SOL_SOCKET, SO_TYPE, 1025)  ->  ! OSError('getsockopt buflen out of range',)
a.getsockopt(SOL_SOCKET, SO_TYPE, -1)  ->  ! OSError('getsockopt buflen out of range',)
a.getsockopt(SOL_SOCKET, SO_TYPE, 1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
a.getsockopt(SOL_SOCKET, SO_TYPE, None)  ->  ! TypeError("'NoneType' object cannot be interpreted as an integer",)
a.getsockopt(SOL_SOCKET, 9999)  ->  ! ENOPROTOOPT
a.getsockopt(9999, 1)  ->  ! ENOTSUP
a.getsockopt(1 << 31, 1)  ->  ! OverflowError('signed integer is greater than maximum',)
a.getsockopt(1, 1 << 63)  ->  ! OverflowError('Python int too large to convert to C long',)
a.getsockopt(SOL_SOCKET, SO_LINGER, 8)  ->  b'\x00\x00\x00\x00\x00\x00\x00\x00'
a.getsockopt(IPPROTO_TCP, TCP_NODELAY)  ->  0

[new, setsockopt]
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, True)  ->  None
a.getsockopt(SOL_SOCKET, SO_REUSEADDR)  ->  1
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, Index(0))  ->  None
a.getsockopt(SOL_SOCKET, SO_REUSEADDR)  ->  0
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, IntSubclass(1))  ->  None
a.getsockopt(SOL_SOCKET, SO_REUSEADDR)  ->  1
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, bytearray(4))  ->  None
a.getsockopt(SOL_SOCKET, SO_REUSEADDR)  ->  0
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, array("i", [1]))  ->  None
a.getsockopt(SOL_SOCKET, SO_REUSEADDR)  ->  1
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, M(bytes(4)))  ->  None
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, M(bytes(8))[::2])  ->  ! BufferError('memoryview: underlying buffer is not C-contiguous',)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, b"")  ->  ! EINVAL
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, b"x")  ->  ! EINVAL
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, "1")  ->  ! TypeError("a bytes-like object is required, not 'str'",)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1.5)  ->  ! TypeError("a bytes-like object is required, not 'float'",)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1 << 31)  ->  ! TypeError("a bytes-like object is required, not 'int'",)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, -(1 << 70))  ->  ! TypeError("a bytes-like object is required, not 'int'",)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, None)  ->  ! TypeError("a bytes-like object is required, not 'NoneType'",)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, None, 4)  ->  ! EFAULT
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, None, 0)  ->  ! EINVAL
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, None, None)  ->  ! TypeError('setsockopt() takes exactly 3 arguments (4 given)',)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, None, "4")  ->  ! TypeError('setsockopt() takes exactly 3 arguments (4 given)',)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1, 4)  ->  ! TypeError('setsockopt() takes exactly 3 arguments (4 given)',)
a.setsockopt(SOL_SOCKET, SO_REUSEADDR, b"", 4)  ->  ! TypeError('setsockopt() takes exactly 3 arguments (4 given)',)
a.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, None, 0)  ->  None
a.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, None, 1)  ->  ! EFAULT
a.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 3))  ->  None
a.getsockopt(SOL_SOCKET, SO_LINGER, 8) == pack("ii", 1, 3)  ->  True
a.setsockopt(SOL_SOCKET, SO_LINGER, 1)  ->  ! EINVAL
a.setsockopt(SOL_SOCKET, SO_TYPE, 1)  ->  ! ENOPROTOOPT
a.setsockopt(9999, 1, 1)  ->  ! ENOPROTOOPT
a.setsockopt(1 << 31, 1, 1)  ->  ! OverflowError('signed integer is greater than maximum',)
a.setsockopt(1, -(1 << 31) - 1, 1)  ->  ! OverflowError('signed integer is less than minimum',)
a.setsockopt("1", 1, 1)  ->  ! TypeError("'str' object cannot be interpreted as an integer",)

[tcp timeout 1, reset by a linger time of none]
a.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))  ->  None
a.close()  ->  None
ready(b)  ->  None
b.recv(1)  ->  ! ECONNRESET
b.recv(1)  ->  b''
b.send(b"x")  ->  ! EPIPE

[new, timeouts]
a.settimeout(None); a.gettimeout()  ->  None
a.gettimeout()  ->  None
a.settimeout(0)  ->  None
a.gettimeout(), a.timeout, a.getblocking(), os.get_blocking(a.fileno())  ->  (0.0, 0.0, False, False)
a.settimeout(-0.0)  ->  None
a.gettimeout(), a.getblocking()  ->  (0.0, False)
a.settimeout(True)  ->  None
a.gettimeout(), a.timeout, a.getblocking(), os.get_blocking(a.fileno())  ->  (1.0, 1.0, True, False)
a.settimeout(1e-10)  ->  None
a.gettimeout()  ->  1e-09
a.settimeout(2147484)  ->  None
a.gettimeout()  ->  2147484.0
a.settimeout(9223372036)  ->  None
a.gettimeout()  ->  9223372036.0
a.settimeout(9223372037)  ->  ! OverflowError('timestamp out of range for C PyTime_t',)
a.settimeout(9223372036.9)  ->  ! OverflowError('timestamp out of range for C PyTime_t',)
a.settimeout(1e300)  ->  ! OverflowError('timestamp out of range for C PyTime_t',)
a.settimeout(-1)  ->  ! ValueError('Timeout value out of range',)
a.settimeout(-1e-10)  ->  ! ValueError('Timeout value out of range',)
a.settimeout(-(1 << 70))  ->  ! OverflowError('timestamp out of range for C PyTime_t',)
a.settimeout(float("nan"))  ->  ! ValueError('Invalid value NaN (not a number)',)
a.settimeout(float("inf"))  ->  ! OverflowError('timestamp out of range for C PyTime_t',)
a.settimeout("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer or float",)
a.settimeout([])  ->  ! TypeError("'list' object cannot be interpreted as an integer or float",)
a.settimeout(1j)  ->  ! TypeError("'complex' object cannot be interpreted as an integer or float",)
a.settimeout(Index(2))  ->  None
a.gettimeout()  ->  2.0
a.setblocking([])  ->  None
a.gettimeout()  ->  0.0
a.setblocking("yes")  ->  None
a.gettimeout()  ->  None

[none, default timeouts]
setdefaulttimeout(2.5)  ->  None
getdefaulttimeout()  ->  2.5
[socket().gettimeout(), socketpair()[0].gettimeout(), _socket.socket().gettimeout()]  ->  [2.5, 2.5, 2.5]
[os.get_blocking(sock.fileno()) for sock in socketpair()]  ->  [False, False]
socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK).gettimeout()  ->  0.0
setdefaulttimeout(0)  ->  None
[socket().gettimeout(), create_server((HOST, 0)).gettimeout()]  ->  [0.0, 0.0]
setdefaulttimeout(2147484)  ->  None
getdefaulttimeout()  ->  2147484.0
setdefaulttimeout("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer or float",)
setdefaulttimeout(-1)  ->  ! ValueError('Timeout value out of range',)
setdefaulttimeout(1 << 70)  ->  ! OverflowError('timestamp out of range for C PyTime_t',)
setdefaulttimeout(float("nan"))  ->  ! ValueError('Invalid value NaN (not a number)',)
getdefaulttimeout()  ->  2147484.0
setdefaulttimeout(None)  ->  None
socket().gettimeout()  ->  None

[new, inheritance]
a.get_inheritable()  ->  False
a.set_inheritable(True)  ->  None
a.get_inheritable()  ->  True
a.set_inheritable(0)  ->  None
a.get_inheritable()  ->  False
a.set_inheritable(Index(5))  ->  None
a.get_inheritable()  ->  True
a.set_inheritable(None)  ->  ! TypeError("'NoneType' object cannot be interpreted as an integer",)
a.set_inheritable("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
a.set_inheritable(1.5)  ->  ! TypeError("'float' object cannot be interpreted as an integer",)

[new, initialised again]
a.__init__(AF_UNIX, SOCK_DGRAM)  ->  None
a.family, a.type, a.proto  ->  (<AddressFamily.AF_UNIX: 1>, <SocketKind.SOCK_DGRAM: 2>, 0)
a.close()  ->  None
a._closed  ->  True
a.__init__()  ->  None
a._closed, a._io_refs, a.fileno() >= 0  ->  (False, 0, True)
a.makefile("rb")._sock  ->  ! AttributeError("'_io.BufferedReader' object has no attribute '_sock'",)
a.__init__("x")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
a.__init__(fileno=-1)  ->  ! ValueError('negative file descriptor',)
a.fileno() >= 0  ->  True

[none, byte order]
[hex(htons(0x1234)), hex(ntohs(0x1234)), hex(htonl(0x12345678)), hex(ntohl(0x12345678))]  ->  ['0x3412', '0x3412', '0x78563412', '0x78563412']
[f(Index(0)) for f in (htons, ntohs, htonl, ntohl)]  ->  [0, 0, 0, 0]
htons(-1)  ->  ! ValueError('Cannot convert negative int',)
ntohs(-(1 << 70))  ->  ! ValueError('Cannot convert negative int',)
htonl(-1)  ->  ! ValueError('Cannot convert negative int',)
ntohl(-1)  ->  ! ValueError('Cannot convert negative int',)
htons(65536)  ->  ! OverflowError('Python int too large for C uint16_t',)
ntohs(1 << 70)  ->  ! OverflowError('Python int too large for C uint16_t',)
htonl(1 << 32)  ->  ! OverflowError('Python int too large for C uint32_t',)
ntohl(1 << 32)  ->  ! OverflowError('Python int too large for C uint32_t',)
htons(1.5)  ->  ! TypeError("'float' object cannot be interpreted as an integer",)
htonl("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)

[none, addresses as text and bytes]
inet_aton("127.1"), inet_aton("0x7f.1"), inet_aton("1.2.3.4 x"), inet_aton("4294967295")  ->  (b'\x7f\x00\x00\x01', b'\x7f\x00\x00\x01', b'\x01\x02\x03\x04', b'\xff\xff\xff\xff')
inet_aton("4294967296")  ->  ! OSError('illegal IP address string passed to inet_aton',)
inet_aton("")  ->  ! OSError('illegal IP address string passed to inet_aton',)
inet_aton(" 1.2.3.4")  ->  ! OSError('illegal IP address string passed to inet_aton',)
inet_aton(b"1.2.3.4")  ->  ! TypeError('inet_aton() argument must be str, not bytes',)
inet_ntoa(bytearray(b"\1\2\3\4")), inet_ntoa(M(b"\1\2\3\4")), inet_ntoa(array("B", [1, 2, 3, 4]))  ->  ('1.2.3.4', '1.2.3.4', '1.2.3.4')
inet_ntoa(b"123")  ->  ! OSError('packed IP wrong length for inet_ntoa',)
inet_ntoa("1234")  ->  ! TypeError("a bytes-like object is required, not 'str'",)
inet_ntoa(M(bytes(8))[::2])  ->  ! BufferError('memoryview: underlying buffer is not C-contiguous',)
inet_pton(AF_INET, "1.2.3.4"), inet_pton(AF_INET6, "::ffff:1.2.3.4")  ->  (b'\x01\x02\x03\x04', b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04')
inet_pton(AF_INET, "1.2.3")  ->  ! OSError('illegal IP address string passed to inet_pton',)
inet_pton(AF_INET6, "::1%1")  ->  ! OSError('illegal IP address string passed to inet_pton',)
inet_pton(AF_UNIX, "x")  ->  ! EAFNOSUPPORT
inet_pton(1 << 31, "1.2.3.4")  ->  ! OverflowError('signed integer is greater than maximum',)
inet_ntop(AF_INET, bytearray(4)), inet_ntop(AF_INET6, bytes(16)), inet_ntop(AF_INET6, bytes(10) + b"\xff\xff\1\2\3\4")  ->  ('0.0.0.0', '::', '::ffff:1.2.3.4')
inet_ntop(AF_INET, b"123")  ->  ! ValueError('invalid length of packed IP address string',)
inet_ntop(AF_INET6, b"1234")  ->  ! ValueError('invalid length of packed IP address string',)
inet_ntop(AF_UNIX, b"1234")  ->  ! ValueError('unknown address family 1',)
inet_ntop(AF_INET, "1234")  ->  ! TypeError("a bytes-like object is required, not 'str'",)

[none, interfaces, services, descriptors]
if_nametoindex("lo"), if_nametoindex(b"lo"), if_indextoname(1)  ->  (1, 1, 'lo')
(1, "lo") in if_nameindex()  ->  True
if_nametoindex("no-such-card")  ->  ! ENODEV
if_nametoindex("")  ->  ! ENODEV
if_nametoindex(1)  ->  ! TypeError('expected str, bytes or os.PathLike object, not int',)
if_indextoname(-1)  ->  ! ValueError('Cannot convert negative int',)
if_indextoname(0)  ->  ! ENXIO
if_indextoname(1 << 31)  ->  ! ENXIO
if_indextoname("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
getservbyport(-1)  ->  ! OverflowError('getservbyport: port must be 0-65535.',)
getservbyport(65536)  ->  ! OverflowError('getservbyport: port must be 0-65535.',)
getservbyport(80, "no-such-protocol")  ->  ! OSError('port/proto not found',)
getservbyname("no-such-service")  ->  ! OSError('service/proto not found',)
getprotobyname("no-such-protocol")  ->  ! OSError('protocol not found',)
close(-1)  ->  ! EBADF
close(1 << 70)  ->  ! OverflowError('Python int too large to convert to C long',)
close("1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
dup(-1)  ->  ! EBADF
dup(1 << 70)  ->  ! OverflowError('Python int too large to convert to C long',)
CMSG_LEN(0), CMSG_LEN(1), CMSG_SPACE(0), CMSG_SPACE(1)  ->  (16, 17, 16, 24)
CMSG_LEN(-1)  ->  ! OverflowError('CMSG_LEN() argument out of range',)
CMSG_LEN(sys.maxsize)  ->  ! OverflowError('CMSG_LEN() argument out of range',)
CMSG_SPACE(sys.maxsize)  ->  ! OverflowError('CMSG_SPACE() argument out of range',)
CMSG_SPACE(1 << 70)  ->  ! OverflowError('Python int too large to convert to C ssize_t',)

[none, making sockets]
socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC).type  ->  <SocketKind.SOCK_STREAM: 1>
socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK).type  ->  <SocketKind.SOCK_STREAM: 1>
socket(family=AF_INET, type=SOCK_DGRAM, proto=17).proto  ->  17
socket(-1, -1, -1).family  ->  <AddressFamily.AF_INET: 2>
socket(fileno=socket().detach()).proto  ->  6
socket(9999)  ->  ! EAFNOSUPPORT
socket(AF_INET, 99)  ->  ! EINVAL
socket(AF_INET, SOCK_STREAM, 17)  ->  ! EPROTONOSUPPORT
socket(AF_INET, SOCK_STREAM, -2)  ->  ! EINVAL
socket("2")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
socket(None)  ->  ! TypeError("'NoneType' object cannot be interpreted as an integer",)
socket(AF_INET, 1.0)  ->  ! TypeError("'float' object cannot be interpreted as an integer",)
socket(fileno=-1)  ->  ! ValueError('negative file descriptor',)
socket(fileno=9999)  ->  ! EBADF
socket(fileno="3")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
socket(AF_INET, SOCK_STREAM, 0, os.open(os.devnull, os.O_RDONLY))  ->  ! ENOTSOCK
socket(bogus=1)  ->  ! TypeError
socket(2, 1, 0, None, 1)  ->  ! TypeError
[type(sock).__module__ for sock in socketpair() + _socket.socketpair()]  ->  ['socket', 'socket', '_socket', '_socket']
[sock.family for sock in socketpair(None, SOCK_DGRAM, 0)]  ->  [<AddressFamily.AF_UNIX: 1>, <AddressFamily.AF_UNIX: 1>]
[sock.type for sock in socketpair(type=SOCK_SEQPACKET)]  ->  [<SocketKind.SOCK_SEQPACKET: 5>, <SocketKind.SOCK_SEQPACKET: 5>]
socketpair(AF_INET)  ->  ! ENOTSUP
socketpair(9999)  ->  ! EAFNOSUPPORT
socketpair(AF_UNIX, SOCK_STREAM, 99)  ->  ! EPROTONOSUPPORT
_socket.socketpair(None)  ->  ! TypeError("'NoneType' object cannot be interpreted as an integer",)
_socket.socketpair(family=AF_UNIX)  ->  ! TypeError
socketpair(1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
fromfd(9999, AF_INET, SOCK_STREAM)  ->  ! EBADF
fromfd(0, AF_INET)  ->  ! TypeError("fromfd() missing 1 required positional argument: 'type'",)
SocketType is _socket.socket  ->  True
"fromshare" in globals()  ->  False

[none, ready-made sockets]
create_connection(refused)  ->  ! ECONNREFUSED
create_connection(refused, None)  ->  ! ECONNREFUSED
create_connection(refused, timeout=0).fileno()  ->  ! EINPROGRESS
create_connection(refused, -1)  ->  ! ValueError('Timeout value out of range',)
create_connection(refused, "1")  ->  ! TypeError("'str' object cannot be interpreted as an integer or float",)
create_connection(refused, 1, ("192.0.2.1", 0))  ->  ! EADDRNOTAVAIL
create_connection(refused, 1, None, True)  ->  ! TypeError
create_connection((HOST,))  ->  ! ValueError('not enough values to unpack (expected 2, got 1)',)
create_connection((HOST, 1, 2))  ->  ! ValueError('too many values to unpack (expected 2, got 3)',)
create_connection(1)  ->  ! TypeError('cannot unpack non-iterable int object',)
create_server((HOST, 0)).getsockopt(SOL_SOCKET, SO_REUSEADDR)  ->  1
create_server((HOST, 0), reuse_port=True).getsockopt(SOL_SOCKET, SO_REUSEPORT)  ->  1
create_server((HOST, 0), AF_INET)  ->  ! TypeError
create_server((HOST, 0), dualstack_ipv6=True)  ->  ! ValueError('dualstack_ipv6 requires AF_INET6 family',)
create_server((HOST, 0), backlog="1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
create_server((HOST, 0), backlog=1 << 31)  ->  ! OverflowError('signed integer is greater than maximum',)
create_server(("192.0.2.1", 0))  ->  ! OSError(99, "Cannot assign requested address (while attempting to bind on address ('192.0.2.1', 0))")
create_server((HOST, 65536))  ->  ! OverflowError('bind(): port must be 0-65535.',)
create_server(HOST)  ->  ! TypeError('bind(): AF_INET address must be tuple, not str',)
create_server(1)  ->  ! TypeError('bind(): AF_INET address must be tuple, not int',)
create_server((HOST, 0), family=9999)  ->  ! EAFNOSUPPORT
"""
