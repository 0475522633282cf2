"""Sends SIGINT to itself during blocked calls and prints, as JSON, what came of it.

Arguments: number of signals, number of threads that run busy Python loops meanwhile, limit in seconds for one signal.
A helper thread sends; the main thread is inside a socket call or just about to enter it. The result lists every delay from
kill() to the caught KeyboardInterrupt; a signal without an answer ends the program with "lost" set.
"""

import json
import os
import random
import signal
import socket
import sys
import threading
import time
from _thread import allocate_lock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from support import HOST, is_blocked  # noqa: E402

SIGNALS, BUSY, LIMIT = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
MAIN = threading.get_native_id()
# Plain locks: unlike a threading.Event they run no Python code that the KeyboardInterrupt could come into.
go, done = allocate_lock(), allocate_lock()
go.acquire()
done.acquire()
delays, state = [], {"sent": 0.0, "caught": 0.0, "round": 0, "kind": ""}


def report(**extra):
    os.write(1, json.dumps({"delays": delays, **extra}).encode())


def helper():
    spread = random.Random(1)
    while True:
        go.acquire()
        number = state["round"]
        if number < 0:
            return
        # A third of the signals meets a sleeping thread, a third the way into the call, the rest comes at once.
        if number % 3 == 0:
            end = time.monotonic() + 10
            while not is_blocked(MAIN, "self"):
                if time.monotonic() > end:
                    report(lost=f"round {number} of {state['kind']}: the call never slept")
                    os._exit(1)
                time.sleep(0.0002)
        elif number % 3 == 1:
            end = time.perf_counter() + spread.random() * 0.0002
            while time.perf_counter() < end:
                pass
        state["sent"] = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
        if not done.acquire(True, LIMIT):
            report(lost=f"round {number} of {state['kind']}: no KeyboardInterrupt after {LIMIT} s")
            os._exit(1)
        delays.append(state["caught"] - state["sent"])


def main():
    left, right = socket.socketpair()
    full, unread = socket.socketpair()
    full.setblocking(False)
    try:
        while True:
            full.send(bytes(65536))
    except BlockingIOError:
        full.setblocking(True)
    listener = socket.create_server((HOST, 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((HOST, 0))
    crowded = socket.socket()
    crowded.bind((HOST, 0))
    crowded.listen(0)
    filler = socket.create_connection(crowded.getsockname())
    # A socket of its own: a duplicate would share the non-blocking flag that a timeout sets.
    timed, timed_peer = socket.socketpair()
    timed.settimeout(600)

    def connect():
        with socket.socket() as sock:
            sock.connect(crowded.getsockname())

    kinds = [
        ("recv", lambda: left.recv(1)), ("recv with a timeout", lambda: timed.recv(1)),
        ("sendall", lambda: full.sendall(bytes(65536))), ("accept", listener.accept), ("recvfrom", lambda: udp.recvfrom(1)),
        ("recv_into", lambda: left.recv_into(bytearray(1))), ("recvmsg", lambda: left.recvmsg(1)), ("connect", connect),
    ]

    def busy():
        count = 0
        while state["round"] >= 0:
            count += 1
    for _ in range(BUSY):
        threading.Thread(target=busy, daemon=True).start()
    thread = threading.Thread(target=helper, daemon=True)
    thread.start()
    for number in range(SIGNALS):
        state["round"] = number
        state["kind"], call = kinds[number % len(kinds)]
        try:
            go.release()
            call()
        except KeyboardInterrupt:
            state["caught"] = time.monotonic()
            done.release()
        else:
            report(lost=f"round {number} of {state['kind']}: the call returned")
            os._exit(1)
    state["round"] = -1
    go.release()
    thread.join(10)
    right.sendall(b"x")
    usable = left.recv(1) == b"x"
    for sock in left, right, full, unread, listener, udp, crowded, filler, timed, timed_peer:
        sock.close()
    report(lost=None, usable=usable)


main()
