"""Writes the bytes of what comes, and what is parsed of it where that can be."""

import galewire


class Sink(galewire.Bolt):
    memory = False

    def process(self, tup):
        with open("sink.txt", "ab") as file:
            file.write(tup.raw(0) + b" " + tup.raw(1) + b"\n")


@galewire.bolt
def again(n, value):
    """Parses, and writes anew."""
    yield n, value
