import base64
import json

import galewire
from values import VALUES


def expected(value):
    """What is left of a value in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [expected(item) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): expected(item) for key, item in value.items()}
    return value


class Sink(galewire.Bolt):
    """Writes for each number whether it is what it was, here and in the child that speaks msgpack."""

    memory = False

    def process(self, number, value, seen):
        wanted = repr(expected(VALUES[number]))
        if repr(value) == seen == wanted:
            verdict = "same"
        else:
            verdict = "%.200r here and %.200s there, not %.200s" % (value, seen, wanted)
        with open("sink.txt", "a") as file:
            file.write("%d %s\n" % (number, verdict))
