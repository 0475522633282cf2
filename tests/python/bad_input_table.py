"""Bad calls and the exception each raises, one a line: `call -> class`, or `call -> OSError ERRNO`.

The classes are what CPython 3.14 raises; `test_bad_input` runs the table on whatever interpreter runs it. Calls of the first four
parts are methods of a socket of that kind (for the rest of the set-up see there), those of the last are of the module.
Left out is where CPython truncates a number or string silently, since no program can mean that.
"""

TCP = r"""
bind(1)  ->  TypeError
bind("name")  ->  TypeError
bind(None)  ->  TypeError
bind(())  ->  TypeError
bind(("127.0.0.1",))  ->  TypeError
bind(("127.0.0.1", 0, 0))  ->  TypeError
bind(["127.0.0.1", 0])  ->  TypeError
bind(("127.0.0.1", "80"))  ->  TypeError
bind(("127.0.0.1", 1.5))  ->  TypeError
bind(("127.0.0.1", None))  ->  TypeError
bind((1, 80))  ->  TypeError
bind((None, 80))  ->  TypeError
bind(("127.0.0.1", -1))  ->  OverflowError
bind(("127.0.0.1", 65536))  ->  OverflowError
bind(("127.0.0.1", 1 << 70))  ->  OverflowError
bind(("127.0.0.1\0", 0))  ->  TypeError
bind(("a" * 300, 0))  ->  socket.gaierror
bind(("192.0.2.1", 0))  ->  OSError EADDRNOTAVAIL
bind()  ->  TypeError
bind(("127.0.0.1", 0), 1)  ->  TypeError
connect(1)  ->  TypeError
connect("name")  ->  TypeError
connect(("127.0.0.1",))  ->  TypeError
connect(("127.0.0.1", "80"))  ->  TypeError
connect(("127.0.0.1", 65536))  ->  OverflowError
connect(("127.0.0.1", -1))  ->  OverflowError
connect(("\0", 80))  ->  TypeError
connect((b"127.0.0.1\0", 80))  ->  TypeError
connect(None)  ->  TypeError
connect()  ->  TypeError
connect_ex(1)  ->  TypeError
connect_ex(("127.0.0.1", 65536))  ->  OverflowError
connect_ex(("127.0.0.1", "80"))  ->  TypeError
connect_ex(("a\0b", 80))  ->  TypeError
connect_ex()  ->  TypeError
listen("1")  ->  TypeError
listen(1.5)  ->  TypeError
listen(None)  ->  TypeError
listen(1 << 40)  ->  OverflowError
listen(1, 2)  ->  TypeError
accept(1)  ->  TypeError
recv()  ->  TypeError
recv("1")  ->  TypeError
recv(1.5)  ->  TypeError
recv(None)  ->  TypeError
recv(-1)  ->  ValueError
recv(1 << 70)  ->  OverflowError
recv(1, 1 << 40)  ->  OverflowError
recv(1, "flag")  ->  TypeError
recv(1, None)  ->  TypeError
recv(1, 0, 0)  ->  TypeError
recv_into()  ->  TypeError
recv_into(None)  ->  TypeError
recv_into(1)  ->  TypeError
recv_into("text")  ->  TypeError
recv_into(b"bytes")  ->  TypeError
recv_into(memoryview(b"bytes"))  ->  TypeError
recv_into(bytearray(4), -1)  ->  ValueError
recv_into(bytearray(4), 5)  ->  ValueError
recv_into(bytearray(4), 1 << 70)  ->  OverflowError
recv_into(bytearray(4), "1")  ->  TypeError
recv_into(bytearray(4), 1.5)  ->  TypeError
recv_into(bytearray(4), 1, 1 << 40)  ->  OverflowError
recv_into(bytearray(4), 1, 0, 0)  ->  TypeError
recv_into(memoryview(bytearray(8))[::2])  ->  TypeError
recvfrom()  ->  TypeError
recvfrom("1")  ->  TypeError
recvfrom(-1)  ->  ValueError
recvfrom(1 << 70)  ->  OverflowError
recvfrom(None)  ->  TypeError
recvfrom(1.5)  ->  TypeError
recvfrom_into()  ->  TypeError
recvfrom_into(b"bytes")  ->  TypeError
recvfrom_into(None)  ->  TypeError
recvfrom_into(bytearray(4), -1)  ->  ValueError
recvfrom_into(bytearray(4), 5)  ->  ValueError
recvfrom_into(bytearray(4), 1 << 70)  ->  OverflowError
recvfrom_into(bytearray(4), "1")  ->  TypeError
recvmsg()  ->  TypeError
recvmsg("1")  ->  TypeError
recvmsg(-1)  ->  ValueError
recvmsg(1 << 70)  ->  OverflowError
recvmsg(1, -1)  ->  ValueError
recvmsg(1, 1 << 70)  ->  OverflowError
recvmsg(1, 1 << 40)  ->  ValueError
recvmsg(1, "1")  ->  TypeError
recvmsg(1, 0, 1 << 40)  ->  OverflowError
recvmsg(1, 0, 0, 0)  ->  TypeError
recvmsg_into()  ->  TypeError
recvmsg_into(bytearray(4))  ->  TypeError
recvmsg_into(1)  ->  TypeError
recvmsg_into(None)  ->  TypeError
recvmsg_into([b"bytes"])  ->  TypeError
recvmsg_into([1])  ->  TypeError
recvmsg_into(["text"])  ->  TypeError
recvmsg_into([bytearray(1), None])  ->  TypeError
recvmsg_into([bytearray(4)], -1)  ->  ValueError
recvmsg_into([bytearray(4)], 1 << 70)  ->  OverflowError
recvmsg_into([bytearray(4)], 1 << 40)  ->  ValueError
recvmsg_into([bytearray(4)], "1")  ->  TypeError
recvmsg_into([bytearray(1)] * 1025)  ->  OSError
send()  ->  TypeError
send("text")  ->  TypeError
send(1)  ->  TypeError
send(None)  ->  TypeError
send([b"x"])  ->  TypeError
send(b"x", "flag")  ->  TypeError
send(b"x", 1 << 40)  ->  OverflowError
send(b"x", 0, 0)  ->  TypeError
send(memoryview(bytearray(8))[::2])  ->  BufferError
sendall()  ->  TypeError
sendall("text")  ->  TypeError
sendall(1)  ->  TypeError
sendall(None)  ->  TypeError
sendall(b"x", 1 << 40)  ->  OverflowError
sendall(b"x", None)  ->  TypeError
sendto()  ->  TypeError
sendto(b"x")  ->  TypeError
sendto("text", ("127.0.0.1", 1))  ->  TypeError
sendto(b"x", 1)  ->  TypeError
sendto(b"x", "name")  ->  TypeError
sendto(b"x", ("127.0.0.1",))  ->  TypeError
sendto(b"x", ("127.0.0.1", 65536))  ->  OverflowError
sendto(b"x", ("127.0.0.1", -1))  ->  OverflowError
sendto(b"x", ("127.0.0.1", "80"))  ->  TypeError
sendto(b"x", "flag", ("127.0.0.1", 80))  ->  TypeError
sendto(b"x", 1 << 40, ("127.0.0.1", 80))  ->  OverflowError
sendto(b"x", 0, ("127.0.0.1", 80), 1)  ->  TypeError
sendto(b"x", 0)  ->  TypeError
sendmsg()  ->  TypeError
sendmsg(1)  ->  TypeError
sendmsg(None)  ->  TypeError
sendmsg(b"bytes")  ->  TypeError
sendmsg("text")  ->  TypeError
sendmsg([1])  ->  TypeError
sendmsg(["text"])  ->  TypeError
sendmsg([None])  ->  TypeError
sendmsg([b"x"] * 1025)  ->  OSError EMSGSIZE
sendmsg([b"x"], 1)  ->  TypeError
sendmsg([b"x"], [1])  ->  TypeError
sendmsg([b"x"], [(1, 2)])  ->  TypeError
sendmsg([b"x"], [(1, 2, 3)])  ->  TypeError
sendmsg([b"x"], [(1, 2, "text")])  ->  TypeError
sendmsg([b"x"], [("1", 2, b"")])  ->  TypeError
sendmsg([b"x"], [(1 << 40, 2, b"")])  ->  OverflowError
sendmsg([b"x"], [(SOL_SOCKET, SCM_RIGHTS, b"", 1)])  ->  TypeError
sendmsg([b"x"], [], "flag")  ->  TypeError
sendmsg([b"x"], [], 1 << 40)  ->  OverflowError
sendmsg([b"x"], [], 0, 1)  ->  TypeError
sendmsg([b"x"], [], 0, ("127.0.0.1", 65536))  ->  OverflowError
sendmsg([b"x"], [], 0, None, 1)  ->  TypeError
setblocking()  ->  TypeError
setblocking("text", 1)  ->  TypeError
settimeout()  ->  TypeError
settimeout("1")  ->  TypeError
settimeout(-1)  ->  ValueError
settimeout(-1e-9)  ->  ValueError
settimeout(-1e-12)  ->  ValueError
settimeout(1 << 70)  ->  OverflowError
settimeout(-(1 << 70))  ->  OverflowError
settimeout(1e300)  ->  OverflowError
settimeout(float("inf"))  ->  OverflowError
settimeout(float("-inf"))  ->  OverflowError
settimeout(float("nan"))  ->  ValueError
settimeout([])  ->  TypeError
settimeout(1j)  ->  TypeError
gettimeout(1)  ->  TypeError
getblocking(1)  ->  TypeError
fileno(1)  ->  TypeError
detach(1)  ->  TypeError
close(1)  ->  TypeError
getpeername(1)  ->  TypeError
getsockname(1)  ->  TypeError
shutdown()  ->  TypeError
shutdown(99)  ->  OSError EINVAL
shutdown(-1)  ->  OSError EINVAL
shutdown("how")  ->  TypeError
shutdown(None)  ->  TypeError
shutdown(1.5)  ->  TypeError
shutdown(1 << 40)  ->  OverflowError
shutdown(1 << 70)  ->  OverflowError
getsockopt()  ->  TypeError
getsockopt(1)  ->  TypeError
getsockopt("1", 1)  ->  TypeError
getsockopt(1, "1")  ->  TypeError
getsockopt(1 << 40, 1)  ->  OverflowError
getsockopt(SOL_SOCKET, 9999)  ->  OSError ENOPROTOOPT
getsockopt(9999, 1)  ->  OSError EOPNOTSUPP
getsockopt(SOL_SOCKET, SO_TYPE, -1)  ->  OSError
getsockopt(SOL_SOCKET, SO_TYPE, 1025)  ->  OSError
getsockopt(SOL_SOCKET, SO_TYPE, 1 << 40)  ->  OverflowError
getsockopt(SOL_SOCKET, SO_TYPE, "1")  ->  TypeError
getsockopt(SOL_SOCKET, SO_TYPE, 4, 4)  ->  TypeError
setsockopt()  ->  TypeError
setsockopt(1, 2)  ->  TypeError
setsockopt("1", 2, 3)  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, "1")  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, 1.5)  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, None)  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, 1 << 40)  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, -(1 << 40))  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, b"")  ->  OSError EINVAL
setsockopt(SOL_SOCKET, SO_REUSEADDR, [])  ->  TypeError
setsockopt(SOL_SOCKET, 9999, 1)  ->  OSError ENOPROTOOPT
setsockopt(9999, 1, 1)  ->  OSError ENOPROTOOPT
setsockopt(1 << 40, 1, 1)  ->  OverflowError
setsockopt(SOL_SOCKET, SO_BINDTODEVICE, 1, 1)  ->  TypeError
setsockopt(SOL_SOCKET, SO_BINDTODEVICE, None)  ->  TypeError
setsockopt(SOL_SOCKET, SO_BINDTODEVICE, None, -1)  ->  OSError EINVAL
setsockopt(SOL_SOCKET, SO_BINDTODEVICE, None, "1")  ->  TypeError
setsockopt(SOL_SOCKET, SO_REUSEADDR, 1, 2, 3)  ->  TypeError
setsockopt(SOL_SOCKET, SO_RCVTIMEO, b"x")  ->  OSError EINVAL
set_inheritable()  ->  TypeError
makefile("x")  ->  ValueError
makefile("r+")  ->  ValueError
makefile(1)  ->  TypeError
makefile("b", buffering="1")  ->  TypeError
makefile("r", buffering=0)  ->  ValueError
sendfile("text")  ->  AttributeError
sendfile(1)  ->  AttributeError
sendfile(open("support.py"))  ->  ValueError
sendfile(open("support.py", "rb"), -1)  ->  OSError EINVAL
sendfile(open("support.py", "rb"), 0, 0)  ->  ValueError
sendfile(open("support.py", "rb"), 0, -1)  ->  ValueError
sendfile(open("support.py", "rb"), 0, "1")  ->  TypeError
sendfile(open("support.py", "rb"), 0, 1.5)  ->  TypeError
family = 1  ->  AttributeError
type = 1  ->  AttributeError
proto = 1  ->  AttributeError
timeout = 1  ->  AttributeError
"""

UDP = r"""
listen()  ->  OSError EOPNOTSUPP
accept()  ->  OSError
sendfile(open("support.py", "rb"))  ->  ValueError
send(b"x")  ->  OSError EDESTADDRREQ
sendto(bytes(70000), ("127.0.0.1", 9))  ->  OSError EMSGSIZE
sendto(b"x", ("127.0.0.1", 9, 0))  ->  TypeError
recv(10, MSG_OOB)  ->  OSError
shutdown(SHUT_RDWR)  ->  OSError ENOTCONN
getpeername()  ->  OSError ENOTCONN
"""

UNIX = r"""
bind(1)  ->  TypeError
bind(("127.0.0.1", 0))  ->  TypeError
bind(None)  ->  TypeError
bind("a" * 108)  ->  OSError
bind("a" * 109)  ->  OSError
bind(b"a" * 200)  ->  OSError
bind("\0" + "a" * 108)  ->  OSError
bind("/nonexistent/folder/socket")  ->  FileNotFoundError
bind("/")  ->  OSError EADDRINUSE
connect("/nonexistent")  ->  FileNotFoundError
connect("a" * 200)  ->  OSError
connect(1)  ->  TypeError
connect("")  ->  OSError EINVAL
connect_ex("a" * 200)  ->  OSError
connect_ex(1)  ->  TypeError
bind(bytearray(b"a" * 200))  ->  OSError
bind("\ud800/x")  ->  UnicodeError
"""

IPV6 = r"""
bind(("::1",))  ->  TypeError
bind("::1")  ->  TypeError
bind(("::1", 0, 0, 0, 0))  ->  TypeError
bind(("::1", 65536))  ->  OverflowError
bind(("::1", -1))  ->  OverflowError
bind(("::1", 0, -1))  ->  OverflowError
bind(("::1", 0, 1 << 20))  ->  OverflowError
bind(("::1", 0, "0"))  ->  TypeError
bind(("::1", "0"))  ->  TypeError
bind(("127.0.0.1", 0))  ->  socket.gaierror
bind((1, 0))  ->  TypeError
bind(("::1%nonexistent", 0))  ->  socket.gaierror
bind((":::1", 0))  ->  socket.gaierror
"""

MODULE = r"""
socket(1 << 40)  ->  OverflowError
socket("2")  ->  TypeError
socket(9999)  ->  OSError EAFNOSUPPORT
socket(AF_INET, 9999)  ->  OSError EINVAL
socket(AF_INET, SOCK_STREAM, 9999)  ->  OSError EINVAL
socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)  ->  OSError EPROTONOSUPPORT
socket(AF_INET, "1")  ->  TypeError
socket(AF_INET, SOCK_STREAM, "0")  ->  TypeError
socket(AF_INET, SOCK_STREAM, 0, "3")  ->  TypeError
socket(AF_INET, SOCK_STREAM, 0, -1)  ->  ValueError
socket(AF_INET, SOCK_STREAM, 0, 1.5)  ->  TypeError
socket(AF_INET, SOCK_STREAM, 0, None, 5)  ->  TypeError
socket(fileno=-1)  ->  ValueError
socket(fileno=-2)  ->  ValueError
socket(fileno=1 << 70)  ->  OverflowError
socket(fileno=9999)  ->  OSError EBADF
socket(fileno="3")  ->  TypeError
socket(fileno=1.5)  ->  TypeError
socket(fileno=pipe[0])  ->  OSError ENOTSOCK
socket(nothing=1)  ->  TypeError
socketpair(9999)  ->  OSError EAFNOSUPPORT
socketpair("1")  ->  TypeError
socketpair(AF_UNIX, 9999)  ->  OSError EINVAL
socketpair(AF_UNIX, SOCK_STREAM, 9999)  ->  OSError EPROTONOSUPPORT
socketpair(AF_INET)  ->  OSError EOPNOTSUPP
socketpair(1, 2, 3, 4)  ->  TypeError
fromfd(-1, AF_INET, SOCK_STREAM)  ->  OSError EBADF
fromfd(9999, AF_INET, SOCK_STREAM)  ->  OSError EBADF
fromfd("1", AF_INET, SOCK_STREAM)  ->  TypeError
fromfd(pipe[0])  ->  TypeError
close(-1)  ->  OSError EBADF
close(9999)  ->  OSError EBADF
close("1")  ->  TypeError
close(1 << 70)  ->  OverflowError
close(None)  ->  TypeError
dup(-1)  ->  OSError EBADF
dup(9999)  ->  OSError EBADF
dup("1")  ->  TypeError
dup(1 << 70)  ->  OverflowError
dup(None)  ->  TypeError
htons(-1)  ->  ValueError
htons(65536)  ->  OverflowError
htons(1 << 70)  ->  OverflowError
htons("1")  ->  TypeError
htons(1.5)  ->  TypeError
htons(None)  ->  TypeError
htons()  ->  TypeError
ntohs(-1)  ->  ValueError
ntohs(65536)  ->  OverflowError
ntohs(1 << 40)  ->  OverflowError
ntohs("1")  ->  TypeError
htonl(-1)  ->  ValueError
htonl(1 << 32)  ->  OverflowError
htonl("1")  ->  TypeError
htonl(None)  ->  TypeError
htonl(1.5)  ->  TypeError
ntohl(-1)  ->  ValueError
ntohl(1 << 32)  ->  OverflowError
ntohl("1")  ->  TypeError
inet_aton("")  ->  OSError
inet_aton("1.2.3.4.5")  ->  OSError
inet_aton("256.1.1.1")  ->  OSError
inet_aton("text")  ->  OSError
inet_aton(1)  ->  TypeError
inet_aton(b"1.2.3.4")  ->  TypeError
inet_aton("1.2.3.4\0")  ->  ValueError
inet_aton(None)  ->  TypeError
inet_ntoa(b"123")  ->  OSError
inet_ntoa(b"12345")  ->  OSError
inet_ntoa("1234")  ->  TypeError
inet_ntoa(1)  ->  TypeError
inet_ntoa(None)  ->  TypeError
inet_pton(AF_INET, "1.2.3")  ->  OSError
inet_pton(AF_INET, "::1")  ->  OSError
inet_pton(AF_INET, "1.2.3.4\0")  ->  ValueError
inet_pton(AF_INET, b"1.2.3.4")  ->  TypeError
inet_pton(AF_INET6, "1.2.3.4")  ->  OSError
inet_pton(AF_INET6, "::1::")  ->  OSError
inet_pton(AF_INET6, "::1%lo")  ->  OSError
inet_pton(AF_UNIX, "x")  ->  OSError EAFNOSUPPORT
inet_pton(-1, "1.2.3.4")  ->  OSError EAFNOSUPPORT
inet_pton("2", "1.2.3.4")  ->  TypeError
inet_pton(AF_INET)  ->  TypeError
inet_ntop(AF_INET, b"123")  ->  ValueError
inet_ntop(AF_INET, b"12345")  ->  ValueError
inet_ntop(AF_INET6, b"1234")  ->  ValueError
inet_ntop(AF_UNIX, b"1234")  ->  ValueError
inet_ntop(-1, b"1234")  ->  ValueError
inet_ntop(AF_INET, "1234")  ->  TypeError
inet_ntop(AF_INET, 1)  ->  TypeError
inet_ntop("2", b"1234")  ->  TypeError
setdefaulttimeout("1")  ->  TypeError
setdefaulttimeout(-1)  ->  ValueError
setdefaulttimeout(1 << 70)  ->  OverflowError
setdefaulttimeout(float("nan"))  ->  ValueError
setdefaulttimeout()  ->  TypeError
getdefaulttimeout(1)  ->  TypeError
getaddrinfo()  ->  TypeError
getaddrinfo("127.0.0.1")  ->  TypeError
getaddrinfo(1, 80)  ->  TypeError
getaddrinfo("127.0.0.1", 1.5)  ->  OSError
getaddrinfo("127.0.0.1", [])  ->  OSError
getaddrinfo("127.0.0.1", "no-such-service-name")  ->  socket.gaierror
getaddrinfo("a" * 300, 80)  ->  UnicodeError
getaddrinfo("a..b", 80)  ->  UnicodeError
getaddrinfo(None, None)  ->  socket.gaierror
getaddrinfo("127.0.0.1", 80, 9999)  ->  socket.gaierror
getaddrinfo("127.0.0.1", 80, "2")  ->  TypeError
getaddrinfo("127.0.0.1", 80, 0, 9999)  ->  socket.gaierror
getaddrinfo("127.0.0.1", 80, flags="x")  ->  TypeError
getaddrinfo("127.0.0.1", 80, AF_INET6)  ->  socket.gaierror
getaddrinfo("::1", 80, AF_INET)  ->  socket.gaierror
getaddrinfo("localhost", 80, flags=AI_NUMERICHOST)  ->  socket.gaierror
getaddrinfo("127.0.0.1", "http", flags=AI_NUMERICSERV)  ->  socket.gaierror
getaddrinfo("127.0.0.1", 80, nothing=1)  ->  TypeError
getaddrinfo("\ud800", 80)  ->  UnicodeError
getnameinfo()  ->  TypeError
getnameinfo(1, 0)  ->  TypeError
getnameinfo("127.0.0.1", 0)  ->  TypeError
getnameinfo(("127.0.0.1",), 0)  ->  TypeError
getnameinfo(("127.0.0.1", 80))  ->  TypeError
getnameinfo(("127.0.0.1", "80"), 0)  ->  TypeError
getnameinfo(("127.0.0.1", 80), "0")  ->  TypeError
getnameinfo((1, 80), 0)  ->  TypeError
getnameinfo(("localhost", 80), 0)  ->  socket.gaierror
getnameinfo(("127.0.0.1", 80, 0, 0, 0), 0)  ->  TypeError
getnameinfo(("127.0.0.1", 80, 1), 0)  ->  OSError
getnameinfo(("::1", 80, 1 << 20), 0)  ->  OverflowError
getnameinfo(("::1", 80, -1), 0)  ->  OverflowError
gethostbyname(1)  ->  TypeError
gethostbyname()  ->  TypeError
gethostbyname(None)  ->  TypeError
gethostbyname("127.0.0.1\0")  ->  TypeError
gethostbyname("::1")  ->  socket.gaierror
gethostbyname("a" * 300)  ->  UnicodeError
gethostbyname_ex(1)  ->  TypeError
gethostbyname_ex("127.0.0.1\0")  ->  TypeError
gethostbyaddr(1)  ->  TypeError
gethostbyaddr("127.0.0.1\0")  ->  TypeError
gethostname(1)  ->  TypeError
getservbyname()  ->  TypeError
getservbyname(1)  ->  TypeError
getservbyname("no-such-service-name")  ->  OSError
getservbyname("http", "no-such-protocol")  ->  OSError
getservbyname("http", 1)  ->  TypeError
getservbyname("http\0")  ->  ValueError
getservbyport("80")  ->  TypeError
getservbyport(-1)  ->  OverflowError
getservbyport(65536)  ->  OverflowError
getservbyport(1 << 70)  ->  OverflowError
getservbyport(80, 1)  ->  TypeError
getservbyport(80, "no-such-protocol")  ->  OSError
getservbyport(1.5)  ->  TypeError
getprotobyname(1)  ->  TypeError
getprotobyname("no-such-protocol")  ->  OSError
getprotobyname("tcp\0")  ->  ValueError
if_nametoindex(1)  ->  TypeError
if_nametoindex("no-such-card")  ->  OSError
if_nametoindex("lo\0")  ->  ValueError
if_nametoindex()  ->  TypeError
if_indextoname(0)  ->  OSError ENXIO
if_indextoname(-1)  ->  ValueError
if_indextoname("1")  ->  TypeError
if_indextoname(1.5)  ->  TypeError
if_nameindex(1)  ->  TypeError
CMSG_LEN(-1)  ->  OverflowError
CMSG_LEN("1")  ->  TypeError
CMSG_LEN(1 << 70)  ->  OverflowError
CMSG_LEN(sys.maxsize)  ->  OverflowError
CMSG_SPACE(-1)  ->  OverflowError
CMSG_SPACE("1")  ->  TypeError
CMSG_SPACE(sys.maxsize)  ->  OverflowError
create_connection(1)  ->  TypeError
create_connection(("127.0.0.1",))  ->  ValueError
create_connection(("127.0.0.1", refused))  ->  ConnectionRefusedError
create_connection(("127.0.0.1", refused), all_errors=True)  ->  ExceptionGroup
create_connection(("127.0.0.1", refused), timeout=-1)  ->  ValueError
create_connection(("127.0.0.1", refused), timeout="1")  ->  TypeError
create_connection(("127.0.0.1", refused), 1, 2, 3)  ->  TypeError
create_server(1)  ->  TypeError
create_server(("127.0.0.1", 65536))  ->  OverflowError
create_server(("127.0.0.1", "x"))  ->  TypeError
create_server(("127.0.0.1", 0), family=AF_UNIX)  ->  TypeError
create_server(("127.0.0.1", 0), dualstack_ipv6=True)  ->  ValueError
create_server(("192.0.2.1", 0))  ->  OSError EADDRNOTAVAIL
create_server(("127.0.0.1", 0), backlog="1")  ->  TypeError
has_dualstack_ipv6(1)  ->  TypeError
getfqdn(1)  ->  AttributeError
send_fds()  ->  TypeError
recv_fds()  ->  TypeError
"""
