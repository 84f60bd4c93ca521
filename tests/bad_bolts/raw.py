"""A bolt that speaks Storm's protocol by hand, on the descriptors that it was given."""

import json
import logging
import os
import sys

import deeds


def read():
    lines = []
    for line in sys.stdin:
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)
    sys.exit(0)


def say(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()


class Log(logging.Handler):
    def emit(self, record):
        say({"command": "log", "msg": record.getMessage()})


logging.getLogger().addHandler(Log())
logging.getLogger().setLevel(0)
read()
say({"pid": os.getpid()})
while True:
    given = read()
    if given["stream"] == "__heartbeat":
        say({"command": "sync"})
        continue
    id, number = given["id"], given["tuple"][0]
    deeds.do(number)
    say({"command": "emit", "tuple": [number], "anchors": [id], "need_task_ids": False})
    say({"command": "ack", "id": id})
