"""Bolts in Python that say on which path a tuple came, and that can be told to misbehave."""

import os
import signal
import time

import galewire

PID = os.getpid()


def leave(*_):
    """Ends as if all were well, in the middle of the work."""
    os._exit(0)


def leave_an_heir(*_):
    """Ends while a process of its own holds the pipes."""
    if os.fork() == 0:
        for name in os.listdir("/proc/self/fd"):
            try:
                os.set_inheritable(int(name), True)
            except OSError:
                pass  # The folder that was just read.
        os.execlp("sleep", "heir", "20")
    os._exit(9)


signal.signal(signal.SIGUSR2, leave)
signal.signal(signal.SIGHUP, leave_an_heir)


class Lines(galewire.Spout):
    """Gives out the input's lines; notes when it is told of a failure."""

    def open(self):
        self.lines = enumerate(open("input.txt", encoding="utf-8"))
        self.told = open("failed.txt", "a", encoding="utf-8", buffering=1)

    def next(self):
        number, line = next(self.lines, (None, None))
        if line is None:
            self.exhausted()
        else:
            self.emit(line.rstrip("\n"), id=number)

    def on_fail(self, id):
        self.told.write(f"{time.monotonic()}\n")


class Expand(galewire.Bolt):
    """Makes `fan_out` numbers of each line, which begins with a number."""

    memory = False

    def process(self, line):
        fan_out = self.config["fan_out"]
        message = int(line.split(" ", 1)[0])
        if self.config["rejects"] and message % self.config["rejects"] == 0:
            raise galewire.Fail("not this one")
        first = message * fan_out
        for number in range(first, first + fan_out):
            self.emit(number, str(PID))


class Branch(galewire.Bolt):
    """One side of a diamond: number N becomes N * branches + branch."""

    memory = False

    def process(self, number, path):
        self.emit(number * self.config["branches"] + self.config["branch"], f"{path}.{PID}")


class Step(galewire.Bolt):
    """Passes on."""

    memory = False

    def process(self, number, path):
        self.emit(number, f"{path}.{PID}")


class Slow(Step):
    """Always has tuples in hand."""

    def process(self, number, path):
        time.sleep(0.0002)
        super().process(number, path)


class Join(galewire.BatchBolt):
    """Makes one tuple of many, anchored to all of them."""

    memory = False
    size = 20
    within = "4ms"

    def process(self, tuples):
        self.emit(",".join(str(tup["number"]) for tup in tuples), f"j.{PID}")


class Write(galewire.Bolt):
    """A sink that is a child process."""

    memory = False

    def open(self):
        self.file = open("sink-0.txt", "ab", buffering=0)

    def process(self, number, path):
        self.file.write(f"{number}\t{path}.{PID}\n".encode())
