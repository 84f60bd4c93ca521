"""Storm's protocol over msgpack, by hand: `first` gives out the value of each number, `again` hands on what it
got and how Python sees it."""

import os
import sys

import msgpack

from values import VALUES

unpacker = msgpack.Unpacker(
    os.fdopen(0, "rb", 0), raw=False, strict_map_key=False, max_buffer_size=64 << 20)
out = os.fdopen(os.dup(1), "wb", 0)


def say(message):
    data = msgpack.packb(message, use_bin_type=True)
    while data:
        data = data[out.write(data):]


hello = unpacker.unpack()
open(os.path.join(hello["pidDir"], str(os.getpid())), "w").close()
say({"pid": os.getpid()})
for given in unpacker:
    if isinstance(given, list):
        continue
    if given.get("stream") == "__heartbeat":
        say({"command": "sync"})
        continue
    values = given["tuple"]
    if sys.argv[1] == "first":
        values = [values[0], VALUES[values[0]]]
    else:
        values = [*values, repr(values[1])]
    say({"command": "emit", "tuple": values, "anchors": [given["id"]], "need_task_ids": False})
    say({"command": "ack", "id": given["id"]})
