"""An echo server that can misbehave. Arguments: a file for what happens, then what to do."""

import os
import signal
import socket
import sys
import threading

events, behaviour = sys.argv[1], sys.argv[2:]


def tell(what):
    with open(events, "a") as file:
        file.write(what + "\n")


def listener():
    if path := os.environ.get("SOCKET_PATH"):
        assert "PORT" not in os.environ
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
    else:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((os.environ["HOST"], int(os.environ["PORT"])))
    listening.listen(1000)
    return listening


echoed = 0


def echo(connection):
    global echoed
    with connection:
        while data := connection.recv(65536):
            if "lose" in behaviour and echoed >= 100:
                return
            connection.sendall(data)
            echoed += 1
            if echoed == 100:
                tell("echoed")
                if "exit" in behaviour:
                    print("out of luck", flush=True)
                    os._exit(3)
                if "crash" in behaviour:
                    os.kill(os.getpid(), signal.SIGKILL)


def serve(listening):
    while True:
        try:
            connection, _ = listening.accept()
            threading.Thread(target=echo, args=(connection,), daemon=True).start()
        except OSError:
            pass


def forked(run):
    """Before any thread is started."""
    if os.fork() == 0:
        run()
        os._exit(0)


def stay():
    tell(f"process {os.getpid()}")
    while True:
        signal.pause()


def leave():
    os.setsid()
    forked(stay)


assert os.environ["REACTOR_LOAD"] == "1"
assert not sys.stdin.read()
tell(f"process {os.getpid()}")
if "ignore" in behaviour:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "talk" in behaviour:
    for _ in range(10_000):
        print("x" * 1000)
listening = listener()
if "fork" in behaviour:
    forked(stay)
    forked(stay)
if "leave" in behaviour:
    forked(leave)
serve(listening)
