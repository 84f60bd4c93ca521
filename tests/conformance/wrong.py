"""A child that does all right but for the one thing that its argument names."""

import json
import os
import sys
import time

WRONG = sys.argv[1]
batch = False
out = []


def read():
    lines = []
    for line in sys.stdin:
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)
    return None


def flush():
    frames = [out] if batch and len(out) > 1 else out
    for frame in frames:
        sys.stdout.write(json.dumps(frame) + "\nend\n")
    sys.stdout.flush()
    del out[:]


def say(**message):
    out.append(message)


def emit(values, **more):
    say(command="emit", tuple=values, need_task_ids=False, **more)


def take(tuple_id, values):
    text = values[0]
    if text == "die" or WRONG == "dies":
        flush()
        os._exit(3)
    words = text.split()
    anchors = [tuple_id]
    if WRONG == "loses-anchors":
        anchors = []
    elif WRONG == "numbers-as-anchors":
        anchors = [int(tuple_id)]
    elif WRONG == "unknown-anchors":
        anchors = ["12345"]
    if WRONG == "acks-first":
        say(command="ack", id=tuple_id)
    if WRONG == "other-order":
        words.reverse()
    for word in words:
        word = word.upper() if WRONG == "other-values" else word
        stream = {"stream": "words"} if WRONG == "other-stream" else {}
        emit([word], anchors=anchors, **stream)
    if WRONG == "emits-twice" and words:
        emit([words[-1]], anchors=anchors)
    if WRONG == "unknown-id":
        say(command="ack", id="12345")
    elif WRONG == "number-as-id":
        say(command="ack", id=int(tuple_id))
    elif WRONG == "fails-all":
        say(command="fail", id=tuple_id)
    elif WRONG not in ("never-acks", "acks-first"):
        say(command="ack", id=tuple_id)
    if WRONG == "acks-twice":
        say(command="ack", id=tuple_id)
    if WRONG == "unknown-command":
        say(command="dance")
    if WRONG == "level-of-log":
        say(command="log", msg="x", level="loud")
    if WRONG == "reports-an-error":
        say(command="error", msg="it rains")
    if WRONG == "prints":
        flush()
        sys.stdout.write("split a line\n")
    if WRONG == "no-json":
        flush()
        sys.stdout.write('{"command":"sync",}\nend\n')


def bolt(message):
    if message.get("stream") == "__heartbeat":
        for _ in range({"no-sync": 0, "two-syncs": 2}.get(WRONG, 1)):
            say(command="sync")
    elif message.get("command") == "drain":
        say(command="drained", id="0" if WRONG == "other-mark" else message["id"])
    elif "tuples" in message:
        for number, values in enumerate(message["tuples"], message["first"]):
            take(str(number), values)
    elif "tuple" in message:
        take(message["id"], message["tuple"])


ids = []


def spout(message):
    command = message["command"]
    if command == "next":
        most = message.get("max", 1) + (1 if WRONG == "too-many" else 0)
        for _ in range(most):
            if ids:
                at, id = ids.pop(0)
                emit([at], id=str(id) if WRONG == "text-as-spout-id" else id)
            elif batch:
                say(command="exhausted")
                break
    elif command in ("ack", "fail"):
        for id in message.get("ids", [message.get("id")]):
            word = "acked" if command == "ack" else "failed"
            say(command="log", msg=f"{word} {json.dumps(id, separators=(',', ':'))}")
    elif command in ("activate", "deactivate"):
        say(command="log", msg=f"{command}d")
    answers = 1 if command == "next" or not batch else 0
    if WRONG == "no-sync" or (WRONG == "no-sync-for-acks" and command == "ack"):
        answers = 0
    if WRONG == "syncs-all" and batch:
        answers = 1
    for _ in range(answers):
        say(command="sync")


def main():
    global batch
    hello = read()
    offered = "galewire.batch" in hello["conf"]
    answer = {"pid": str(os.getpid()) if WRONG == "pid-as-text" else os.getpid()}
    if (offered and WRONG != "no-batch") or WRONG == "batch-unasked":
        answer["batch"] = 1
    if WRONG == "mute":
        time.sleep(600)
    if WRONG == "early":
        say(command="log", msg="before the handshake")
        flush()
    say(**answer)
    if WRONG == "pid-twice":
        say(**answer)
    flush()
    batch = "batch" in answer and offered
    ids.extend(enumerate(hello["conf"].get("ids", [])))
    handle = spout if hello["context"]["componentid"] == "messages" else bolt
    while True:
        frame = read()
        if frame is None:
            break
        for message in frame if isinstance(frame, list) else [frame]:
            handle(message)
        flush()
    if WRONG == "stays":
        time.sleep(600)
    if WRONG == "last-words":
        emit(["late"])
        flush()
    sys.exit(1 if WRONG == "status" else 0)


main()
