"""A spout that writes the values of values.txt as they stand, and stops where there are no more."""

import json
import os
import sys


def read():
    lines = []
    for line in sys.stdin:
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)
    sys.exit(0)


def put(text):
    sys.stdout.write(text + "\nend\n")
    sys.stdout.flush()


read()
put('{"pid":%d,"batch":1,"replay":"engine"}' % os.getpid())
with open("values.txt", encoding="utf-8", newline="\n") as file:
    values = file.read().split("\n")
given = False
while True:
    elements = read()
    if any(element.get("command") == "next" for element in elements):
        parts = [] if given else ['{"messages":[[%d,[%d,%s]]]}' % (n, n, v) for n, v in enumerate(values)]
        given = True
        for part in parts:
            put("[" + part + "]")
        put('[{"command":"exhausted"},{"command":"sync"}]')
