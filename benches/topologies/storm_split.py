"""Splits sentences as an old client does: Storm's framing, a message an emit, no SDK."""

import json
import os
import sys


def read():
    lines = []
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)


def send(message):
    sys.stdout.write(json.dumps(message))
    sys.stdout.write("\nend\n")


setup = read()
send({"pid": os.getpid()})
sys.stdout.flush()
while True:
    message = read()
    if isinstance(message, list):
        continue
    if message["stream"] == "__heartbeat":
        send({"command": "sync"})
    else:
        for word in message["tuple"][0].split(" "):
            send({"command": "emit", "tuple": [word], "anchors": [message["id"]], "need_task_ids": False})
        send({"command": "ack", "id": message["id"]})
    sys.stdout.flush()
