"""A bolt that some numbers kill."""

import ctypes
import os
import signal
import time

import galewire


def take(number, poison, how):
    if number not in poison:
        return
    if how == "leaves":
        os._exit(1)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "crashes":
        ctypes.string_at(0)
    if how == "hangs":
        time.sleep(1000)
    raise ValueError("poison")


class Poisoned(galewire.Bolt):
    memory = False

    def process(self, number):
        take(number, self.config["poison"], self.config["how"])
        self.emit(number)
