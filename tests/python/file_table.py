"""What file objects over sockets and `sendfile` do, in the form of `behaviour_table`.

Where only the class of an exception stands here, its text is that of the VM's `io` module.
"""

TABLE = r"""
[unix, modes of files]
a.makefile("x")  ->  ! ValueError("invalid mode 'x' (only r, w, b allowed)",)
a.makefile("r+")  ->  ! ValueError("invalid mode 'r+' (only r, w, b allowed)",)
a.makefile("rt")  ->  ! ValueError("invalid mode 'rt' (only r, w, b allowed)",)
a.makefile("U")  ->  ! ValueError("invalid mode 'U' (only r, w, b allowed)",)
a.makefile("r b")  ->  ! ValueError("invalid mode 'r b' (only r, w, b allowed)",)
a.makefile(1)  ->  ! TypeError("'int' object is not iterable",)
a.makefile("r", 0)  ->  ! ValueError('unbuffered streams must be binary',)
a.makefile("", 0)  ->  ! ValueError('unbuffered streams must be binary',)
a.makefile("w", 0)  ->  ! ValueError('unbuffered streams must be binary',)
a.makefile("rb", "1")  ->  ! TypeError("'<' not supported between instances of 'str' and 'int'",)
a.makefile("rb", 1 << 70)  ->  ! OverflowError
a._io_refs  ->  0
[shape(a.makefile(mode)) for mode in ("", "r", "rr")]  ->  ['TextIOWrapper/BufferedReader/SocketIO', 'TextIOWrapper/BufferedReader/SocketIO', 'TextIOWrapper/BufferedReader/SocketIO']
[shape(a.makefile(mode)) for mode in ("w", "rw", "wr")]  ->  ['TextIOWrapper/BufferedWriter/SocketIO', 'TextIOWrapper/BufferedRWPair', 'TextIOWrapper/BufferedRWPair']
[shape(a.makefile(mode)) for mode in ("b", "rb", "br")]  ->  ['BufferedReader/SocketIO', 'BufferedReader/SocketIO', 'BufferedReader/SocketIO']
[shape(a.makefile(mode)) for mode in ("wb", "bw", "rwb", "brw")]  ->  ['BufferedWriter/SocketIO', 'BufferedWriter/SocketIO', 'BufferedRWPair', 'BufferedRWPair']
[shape(a.makefile(mode, 0)) for mode in ("b", "wb", "rwb")]  ->  ['SocketIO', 'SocketIO', 'SocketIO']
[shape(a.makefile("rb", size)) for size in (None, -1, -2, 1, 2, 100)]  ->  ['BufferedReader/SocketIO', 'BufferedReader/SocketIO', 'BufferedReader/SocketIO', 'BufferedReader/SocketIO', 'BufferedReader/SocketIO', 'BufferedReader/SocketIO']
a.makefile("r", encoding="latin-1").encoding  ->  'latin-1'
a.makefile("r", encoding="no-such-codec")  ->  ! LookupError
a.makefile("r", encoding="ascii", errors="ignore").errors  ->  'ignore'
a.makefile("r", newline="x")  ->  ! ValueError('illegal newline value: x',)
a.makefile("r", encoding=1)  ->  ! TypeError
a.makefile("r", newline=1)  ->  ! TypeError
a.makefile("r", 1).line_buffering  ->  False
SocketIO(a, "x")  ->  ! ValueError("invalid mode: 'x'",)
SocketIO(a, "")  ->  ! ValueError("invalid mode: ''",)
SocketIO(a, "b")  ->  ! ValueError("invalid mode: 'b'",)
SocketIO(a, "br")  ->  ! ValueError("invalid mode: 'br'",)
SocketIO(a, 1)  ->  ! ValueError('invalid mode: 1',)
[SocketIO(a, mode).mode for mode in ("r", "w", "rw", "rb", "wb", "rwb")]  ->  ['rb', 'wb', 'rwb', 'rb', 'wb', 'rwb']

[unix, reading lines with a buffer]
b.sendall(b"l1\nl2\r\nl3"); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("rb", 2)  ->  None
f.read(2)  ->  b'l1'
f.read(0)  ->  b''
f.readline()  ->  b'\n'
f.readline(1)  ->  b'l'
f.readline(0)  ->  b''
f.readline(100)  ->  b'2\r\n'
f.readlines()  ->  [b'l3']
f.readline()  ->  b''
f.read()  ->  b''
f.write(b"x")  ->  ! UnsupportedOperation
f.tell()  ->  ! UnsupportedOperation
f.name == f.raw.name == f.fileno() == a.fileno()  ->  True
f.mode, f.raw.mode, f.closed, f.readable(), f.writable(), f.seekable(), f.isatty()  ->  ('rb', 'rb', False, True, False, False, False)
f.close()  ->  None
f.read()  ->  ! ValueError('read of closed file',)
f.raw.name  ->  -1
a._io_refs, a.fileno() > 0  ->  (0, True)

[unix, reading in other ways with a buffer]
b.sendall(b"0123456789abcdef"); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("rb", 4)  ->  None
f.read1(2)  ->  b'01'
f.read1(0)  ->  b''
f.peek(1)[:1]  ->  b'2'
f.readinto(B(3))  ->  3
f.readinto(B(0))  ->  0
f.readinto1(B(1))  ->  1
f.read(5)  ->  b'6789a'
f.read(None)  ->  b'bcdef'
f.read(1)  ->  b''
f.read1()  ->  b''
f.peek()  ->  b''
f.readinto(B(3))  ->  0

[unix, iterating]
b.sendall(b"l1\nl2\r\nl3"); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("rb", 1)  ->  None
next(f)  ->  b'l1\n'
f.readlines(3)  ->  [b'l2\r\n']
list(f)  ->  [b'l3']
list(f)  ->  []
next(f)  ->  ! StopIteration()

[unix, reading without a buffer]
b.sendall(b"l1\nl2\r\nl3"); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("rb", 0)  ->  None
f.read(2)  ->  b'l1'
f.read(0)  ->  b''
f.readline()  ->  b'\n'
f.readinto(B(0))  ->  0
f.readinto(B(2))  ->  2
f.readinto(b"xx")  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not bytes',)
f.readinto(None)  ->  ! TypeError('recv_into() argument 1 must be read-write bytes-like object, not None',)
f.readall()  ->  b'\r\nl3'
f.readall()  ->  b''
f.read()  ->  b''
f.readline()  ->  b''
f.write(b"x")  ->  ! UnsupportedOperation('File or stream is not writable.',)
f.flush()  ->  None
f.close()  ->  None
f.name, f.mode, f.closed  ->  (-1, 'rb', True)
f.fileno()  ->  ! ValueError
f.readable()  ->  ! ValueError('I/O operation on closed socket.',)
f.writable()  ->  ! ValueError('I/O operation on closed socket.',)
f.seekable()  ->  ! ValueError('I/O operation on closed socket.',)
f.readinto(B(1))  ->  ! ValueError
f.write(b"")  ->  ! ValueError
f.close()  ->  None
a._io_refs  ->  0

[unix, reading text]
b.sendall("l1\nl2\r\n\xfc\u20ac\r".encode()); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("r", encoding="utf-8")  ->  None
f.read(1)  ->  'l'
f.readline()  ->  '1\n'
f.newlines  ->  ('\n', '\r\n')
f.readline()  ->  'l2\n'
f.read()  ->  'ü€\n'
f.newlines  ->  ('\r', '\n', '\r\n')
f.read()  ->  ''
f.write("x")  ->  ! UnsupportedOperation('not writable',)

[unix, reading text line by line as it is]
b.sendall(b"l1\nl2\r\nl3"); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("r", 1, newline="")  ->  None
list(f)  ->  ['l1\n', 'l2\r\n', 'l3']

[unix, reading what is not text]
b.sendall(b"\xff\n"); b.shutdown(SHUT_WR)  ->  None
f = a.makefile("r", encoding="ascii")  ->  None
f.read()  ->  ! UnicodeDecodeError('ascii', b'\xff\n', 0, 1, 'ordinal not in range(128)')

[unix, writing with a buffer]
f = a.makefile("wb", 4)  ->  None
f.write(b"abc"), f.write(B(b"abc")), f.write(M(b"abc"))  ->  (3, 3, 3)
f.write("abc")  ->  ! TypeError("a bytes-like object is required, not 'str'",)
f.write(None)  ->  ! TypeError("a bytes-like object is required, not 'NoneType'",)
f.flush()  ->  None
b.recv(100)  ->  b'abcabcabc'
f.writelines([b"a", b"b"])  ->  None
f.read()  ->  ! UnsupportedOperation
f.readline()  ->  ! UnsupportedOperation
f.close()  ->  None
b.recv(100)  ->  b'ab'
f.write(b"x")  ->  ! ValueError('write to closed file',)
f.flush()  ->  ! ValueError('flush of closed file',)
a._io_refs, a.fileno() > 0  ->  (0, True)

[unix, writing text]
f = a.makefile("w", newline="\r\n", encoding="ascii")  ->  None
f.write("abc\n")  ->  4
f.write("\xfc")  ->  ! UnicodeEncodeError('ascii', 'ü', 0, 1, 'ordinal not in range(128)')
f.write(b"x")  ->  ! TypeError
f.flush()  ->  None
b.recv(10)  ->  b'abc\r\n'
f.close()  ->  None
f.write("x")  ->  ! ValueError

[unix, reading and writing]
b.sendall(b"question\n")  ->  None
f = a.makefile("rwb")  ->  None
f.readline()  ->  b'question\n'
f.write(b"answer\n")  ->  7
f.flush()  ->  None
b.recv(100)  ->  b'answer\n'
f.close()  ->  None
f.read()  ->  ! ValueError('read of closed file',)
f.write(b"x")  ->  ! ValueError('write to closed file',)
a._io_refs, a.fileno() > 0  ->  (0, True)

[unix timeout 0.01, a timeout is final]
b.sendall(b"par")  ->  None
f = a.makefile("rb")  ->  None
f.readline()  ->  ! TimeoutError('timed out',)
f.readline()  ->  ! OSError('cannot read from timed out object',)
f.read(1)  ->  ! OSError('cannot read from timed out object',)
f.readinto(B(1))  ->  ! OSError('cannot read from timed out object',)
b.sendall(b"more\n")  ->  None
f.read(3)  ->  ! OSError('cannot read from timed out object',)
f.raw.readinto(B(1))  ->  ! OSError('cannot read from timed out object',)
f.raw.write(b"out")  ->  ! UnsupportedOperation('File or stream is not writable.',)
f.close()  ->  None
a.recv(10)  ->  b'more\n'

[unix timeout 0, files that do not wait]
f = a.makefile("rwb", 0)  ->  None
f.read(5)  ->  None
f.readinto(B(2))  ->  None
b.sendall(b"ab")  ->  None
f.read(5)  ->  b'ab'
f.read(5)  ->  None
a.makefile("rb").read(5)  ->  None
a.makefile("rb").read1(5)  ->  b''
fill(a)  ->  True
f.write(b"x")  ->  None

[unix, the order of closing]
f = a.makefile("rb"); g = a.makefile("wb")  ->  None
a.close()  ->  None
a.fileno() > 0, a._io_refs, a._closed  ->  (True, 2, True)
b.sendall(b"x\n")  ->  None
f.readline()  ->  b'x\n'
g.write(b"pending")  ->  7
f.close(); f.close()  ->  None
a.fileno() > 0, a._io_refs  ->  (True, 1)
g.close()  ->  None
a.fileno(), a._io_refs  ->  (-1, 0)
b.recv(10)  ->  b'pending'
b.recv(10)  ->  b''

[unix, closed below a file]
f = a.makefile("rb")  ->  None
os.close(a.detach())  ->  None
a._io_refs, a._closed  ->  (1, True)
f.read(1)  ->  ! EBADF
f.close()  ->  None
a._io_refs  ->  0
a.makefile("rb", 0).name  ->  -1

[unix, a file that keeps its socket]
with a.makefile("wb", 0) as f: f.write(b"q")  ->  None
f.closed, a.fileno() > 0  ->  (True, True)
b.recv(1)  ->  b'q'
a._decref_socketios()  ->  None
a._io_refs, a.fileno() > 0  ->  (0, True)

[unix, sendfile]
f = file()  ->  None
a.sendfile(f), f.tell(), b.recv(200) == bytes(range(100))  ->  (100, 100, True)
a.sendfile(f, 95), f.tell(), b.recv(200)  ->  (5, 100, b'_`abc')
a.sendfile(f, 0, 3), f.tell(), b.recv(200)  ->  (3, 3, b'\x00\x01\x02')
a.sendfile(f, 10, 3), f.tell(), b.recv(200)  ->  (3, 13, b'\n\x0b\x0c')
a.sendfile(f, 98, 10), f.tell(), b.recv(200)  ->  (2, 100, b'bc')
a.sendfile(f, offset=5, count=2), f.tell(), b.recv(200)  ->  (2, 7, b'\x05\x06')
a.sendfile(f, 0, True), f.tell(), b.recv(200)  ->  (1, 1, b'\x00')
a.sendfile(f, 0, 1 << 70), f.tell(), len(b.recv(200))  ->  (100, 100, 100)
a.sendfile(f, 100), a.sendfile(f, 200, 5), f.tell()  ->  (0, 0, 100)
a.sendfile(f, 0, 0)  ->  ! ValueError('count must be a positive integer (got 0)',)
a.sendfile(f, 0, -1)  ->  ! ValueError('count must be a positive integer (got -1)',)
a.sendfile(f, 0, 1.5)  ->  ! TypeError('count must be a positive integer (got 1.5)',)
a.sendfile(f, 0, "1")  ->  ! TypeError("count must be a positive integer (got '1')",)
a.sendfile(f, 1.5)  ->  ! TypeError("'float' object cannot be interpreted as an integer",)
a.sendfile(f, "1")  ->  ! TypeError("'str' object cannot be interpreted as an integer",)
a.sendfile(f, 1 << 70)  ->  ! OverflowError
a.sendfile()  ->  ! TypeError("socket.sendfile() missing 1 required positional argument: 'file'",)
a.sendfile(f, 0, 1, 2)  ->  ! TypeError
a.sendfile("text")  ->  ! AttributeError("'str' object has no attribute 'read'",)
f.tell()  ->  100
a.sendfile(file(b"")), a.sendfile(file(b""), 5, 5)  ->  (0, 0)
a.sendfile(open(os.devnull, "rb"))  ->  0
a.sendfile(open(os.devnull))  ->  ! ValueError('file should be opened in binary mode',)
a.sendfile(open("/dev/zero", "rb"), 0, 100)  ->  0
f.close()  ->  None
a.sendfile(f)  ->  ! ValueError('I/O operation on closed file',)

[unix, sendfile of what is no regular file]
f = io.BytesIO(b"0123456789")  ->  None
a.sendfile(f), f.tell(), b.recv(20)  ->  (10, 10, b'0123456789')
a.sendfile(f, 3, 4), f.tell(), b.recv(20)  ->  (4, 7, b'3456')
a.sendfile(f, 0, 2), f.tell(), b.recv(20)  ->  (2, 2, b'78')
a.sendfile(f, 20), f.tell()  ->  (0, 20)
a.sendfile(io.BytesIO(b"0123456789"), 0, 20), b.recv(20)  ->  (10, b'0123456789')
a.sendfile(io.BytesIO(b""))  ->  0
a.sendfile(io.StringIO("text"))  ->  ! TypeError("memoryview: a bytes-like object is required, not 'str'",)
a.sendfile(Reader(b"0123456789"), 0, 4), b.recv(20)  ->  (4, b'0123')
a.sendfile(Reader(b"0123456789"), 3)  ->  ! AttributeError("'Reader' object has no attribute 'seek'",)
a._sendfile_use_send(file(), 95), b.recv(20)  ->  (5, b'_`abc')
a._sendfile_use_sendfile(io.BytesIO(b"x"))  ->  ! _GiveupOnSendfile
a._sendfile_use_sendfile(Reader(b"x"))  ->  ! _GiveupOnSendfile(AttributeError("'Reader' object has no attribute 'fileno'"),)

[unix timeout 0, sendfile that must not wait]
f = file()  ->  None
a.sendfile(f)  ->  ! ValueError('non-blocking sockets are not supported',)
a._sendfile_use_send(f)  ->  ! ValueError('non-blocking sockets are not supported',)
f.tell()  ->  0

[unix, sendfile to nobody]
b.close()  ->  None
f = file()  ->  None
a.sendfile(f)  ->  ! EPIPE
f.tell()  ->  100

[new udp, sendfile over datagrams]
a.sendfile(file())  ->  ! ValueError('only SOCK_STREAM type sockets are supported',)

[unix timeout 0.01, sendfile out of time]
f = file(bytes(1 << 24))  ->  None
a.sendfile(f)  ->  ! TimeoutError('timed out',)
f.tell() == drain(b) > 0  ->  True
"""
