"""Under RLIMIT_NOFILE 256, with nearly every descriptor used by sockets, no call may fail for want of one.

Prints "all well" at the end. Its own waiting needs no descriptor: nothing here opens /proc or a pipe.
"""

import errno
import os
import resource
import socket
import sys
import threading
import time

LIMIT, PAIRS = 256, 100
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def wait_for(condition, what):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"not within 30 s: {what}")
        time.sleep(0.001)


def main():
    pairs = [socket.socketpair() for _ in range(PAIRS)]
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    spare = []
    # Nothing is left for anybody, the reactor included.
    while True:
        try:
            spare.append(os.dup(0))
        except OSError as error:
            assert error.errno == errno.EMFILE, error
            break
    results, entered = {}, []

    def read(key, sock, timeout):
        sock.settimeout(timeout)
        entered.append(key)
        try:
            results[key] = sock.recv(10)
        except BaseException as error:
            results[key] = error

    # First round: a blocked thread on each of the 200 sockets, half with a far timeout; all get their data.
    threads = []
    for number, pair in enumerate(pairs):
        for side in 0, 1:
            thread = threading.Thread(target=read, args=((number, side), pair[side], 600 if side else None), daemon=True)
            thread.start()
            threads.append(thread)
    wait_for(lambda: len(entered) == 2 * PAIRS, "all threads start")
    # Some run into the sleep before, some after the data comes: both must work.
    for number, pair in enumerate(pairs):
        for side in 0, 1:
            pair[side].sendall(b"to %d" % (1 - side))
    wait_for(lambda: len(results) == 2 * PAIRS, f"all threads get their data; got {len(results)}")
    for (number, side), value in results.items():
        assert value == b"to %d" % side, f"pair {number}, side {side}: {value!r}"
    for thread in threads:
        thread.join(30)

    # Time limits, in this thread and in others.
    begin = time.monotonic()
    pairs[0][0].settimeout(0.1)
    try:
        pairs[0][0].recv(1)
        raise SystemExit("recv returned")
    except TimeoutError:
        assert time.monotonic() - begin >= 0.1
    results.clear()
    threads = [threading.Thread(target=read, args=(number, pairs[number][1], 0.1), daemon=True) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 50 and all(type(value) is TimeoutError for value in results.values()), results

    # What does need a descriptor says so, as ever, and works again once there is one.
    for attempt in lambda: socket.socket(), lambda: socket.socketpair(), lambda: pairs[0][0].dup():
        try:
            attempt()
            raise SystemExit("there was a descriptor left")
        except OSError as error:
            assert error.errno == errno.EMFILE, error
    os.close(spare.pop())
    client = socket.socket()
    client.connect(listener.getsockname())
    listener.settimeout(30)
    try:
        listener.accept()
        raise SystemExit("there was a descriptor left for accept")
    except OSError as error:
        assert error.errno == errno.EMFILE, error
    os.close(spare.pop())
    connection, address = listener.accept()
    assert address == client.getsockname()
    client.settimeout(None)
    thread = threading.Thread(target=read, args=("client", client, None), daemon=True)
    thread.start()
    wait_for(lambda: "client" in entered, "the thread starts")
    connection.sendall(b"hello")
    thread.join(30)
    assert results["client"] == b"hello", results["client"]

    # close() needs none either to wake whom it finds (only ours does that at all).
    if "close" in sys.argv:
        results.clear()
        entered.clear()
        threads = [threading.Thread(target=read, args=(number, pairs[number][0], None), daemon=True) for number in range(PAIRS)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(entered) == PAIRS, "all threads start")
        for left, _right in pairs:
            left.close()
        wait_for(lambda: len(results) == PAIRS, "all threads are woken by close")
        assert all(isinstance(value, OSError) and value.errno == errno.EBADF for value in results.values()), results
    print("all well")


main()
