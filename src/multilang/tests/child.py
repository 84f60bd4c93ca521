import json, os, signal, sys, time

def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()

def read():
    lines = []
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)

def hello(**more):
    handshake = read()
    send(dict(pid=os.getpid(), **more))
    return handshake

def tuples():
    while True:
        message = read()
        if isinstance(message, dict) and message.get("stream") == "__heartbeat":
            send({"command": "sync"})
        else:
            yield message

def ack(message):
    send({"command": "ack", "id": message["id"]})

def emit(message, *values):
    send({"command": "emit", "tuple": list(values), "anchors": [message["id"]], "need_task_ids": False})
