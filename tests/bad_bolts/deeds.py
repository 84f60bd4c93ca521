"""What a bolt may do wrong, by name; each does it once in a run, at the tuple 700, where nothing else is said."""

import ctypes
import logging
import os
import signal
import sys
import threading
import time

FRAMES = (
    bytes(range(256)) * 50
    + b'\nend\n{"command":"emit","tuple":[\nend\n[1,2,3]\nend\n{"pid":1}\nend\n'
    + b'{"command":"ack","id":"99999"}\nend\n\x00\xff{"done":\nend\nend\nend\n'
)


def put(fd, data):
    while data:
        data = data[os.write(fd, data):]


def prints():
    for number in range(100_000):
        print("line", number)


def garbage():
    put(1, FRAMES)


def unterminated():
    put(1, b"x" * (40 << 20))


def begins_without_end():
    put(1, b'{"command":"log","msg":"' + b"x" * (80 << 20))


def leaves_a_daemon_behind():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            time.sleep(1000)
    os._exit(0)


def leaves_a_child_behind():
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    os._exit(0)


def closes_stdout():
    os.close(1)


def closes_stdout_and_stays():
    os.close(1)
    time.sleep(1000)


def reads_no_more():
    time.sleep(1000)


def closes_stdin():
    os.close(0)


def closes_stderr():
    os.close(2)


def closes_all():
    os.closerange(0, 64)
    time.sleep(1000)


def will_not_end():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(1000)
    threading.Thread(target=time.sleep, args=(1000,)).start()


def floods_stderr():
    for many in range(200):
        put(2, b"".join(b"complaint %d\n" % (many * 1000 + one) for one in range(1000)))


def floods_stderr_for_seconds():
    end = time.monotonic() + 3
    while time.monotonic() < end:
        put(2, b"complaint\n" * 10_000)
        put(2, b"x" * 100_000)


def logs():
    for number in range(int(os.environ["LOGS"])):
        logging.getLogger("deed").info("log %d", number)


def says_much():
    logging.getLogger("deed").warning("h" * (16 << 20))


def leaves():
    os._exit(0)


def crashes():
    ctypes.string_at(0)


def stops():
    os.kill(os.getpid(), signal.SIGSTOP)


def eats_memory():
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    eaten = []
    while True:
        eaten.append(bytearray(10 << 20))


def do(number):
    name = os.environ["DEED"]
    if name == "prints_without_end":
        print("bare", end="")
    elif number == 700:
        try:
            os.close(os.open("done", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        globals()[name]()
