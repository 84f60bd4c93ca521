"""A tiny engine: starts a real child over pipes, sends it elements and reads its answers."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

SDK = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 20  # seconds after which a condition that does not come true fails the test


def context(fields=("line",), outputs=("word",), **streams):
    declared = {"default": list(outputs), **{name: list(f) for name, f in streams.items()}}
    return {
        "task->component": {"1": "lines", "2": "me"},
        "taskid": 2,
        "componentid": "me",
        "streams": list(declared),
        "stream->outputfields": declared,
        "stream->target->grouping": {},
        "source->stream->grouping": {"lines": {"default": {"type": "SHUFFLE"}}},
        "source->stream->fields": {"lines": {"default": list(fields)}},
    }


class Child:
    """One child process. ``elements`` is everything it has sent so far, frames unpacked.

    Without a name the script is run as it is, as those are that are written for Storm.
    """

    def __init__(self, script, name=None, batch=True, config=None, ctx=None, env=None):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "script.py")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(("import galewire\n" if name else "") + textwrap.dedent(script))
        target = [self.path] if name is None else ["-m", "galewire", f"{self.path}:{name}"]
        self.process = subprocess.Popen(
            [sys.executable, *target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder.name,
            env={**os.environ, "PYTHONPATH": SDK, **(env or {})},
        )
        self.elements = []
        self.frames = []
        self.batch = batch
        self._arrived = queue.Queue()
        self._stderr = []
        self._threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        conf = {"topology.name": "test", **(config or {})}
        if batch:
            conf["galewire.batch"] = {"version": 1, "max_tuples": 500, "max_bytes": 262144}
            conf["galewire.config"] = config or {}
        handshake = {"conf": conf, "pidDir": self.folder.name, "context": ctx or context()}
        self.send_raw(json.dumps(handshake))
        self.answer = self.wait(lambda e: "pid" in e)

    def _read(self):
        lines = []
        for line in self.process.stdout:
            if line == b"end\n":
                self._arrived.put(b"".join(lines))
                lines = []
            else:
                lines.append(line)
        self._arrived.put(None)

    def _read_stderr(self):
        for line in self.process.stderr:
            self._stderr.append(line.decode())

    def send_raw(self, text):
        self.process.stdin.write(text.encode() + b"\nend\n")
        self.process.stdin.flush()

    def send(self, *elements):
        if self.batch:
            self.send_raw(json.dumps(elements))
        else:
            for element in elements:
                self.send_raw(json.dumps(element))

    def rows(self, first, *rows):
        compact = {"comp": "lines", "stream": "default", "task": 1, "first": first}
        self.send({**compact, "tuples": [list(row) for row in rows]})

    def tuple(self, id, *values):
        stream = {"comp": "lines", "stream": "default", "task": 1}
        self.send({"id": id, **stream, "tuple": list(values)})

    def tick(self):
        self.send({"id": "t1", "comp": "__system", "stream": "__tick", "task": -1, "tuple": [1]})

    def heartbeat(self):
        self.send({"id": "h", "comp": None, "stream": "__heartbeat", "task": -1, "tuple": []})

    def more(self):
        """Read one more frame; False at the end of stdout."""
        try:
            text = self._arrived.get(timeout=LIMIT)
        except queue.Empty:
            raise AssertionError(f"nothing more; had {self.elements}; {self.stderr}") from None
        if text is None:
            return False
        value = json.loads(text)
        self.frames.append(text)
        self.elements += value if isinstance(value, list) else [value]
        return True

    def wait(self, condition, count=1):
        """The ``count``-th element for which the condition holds."""
        while True:
            found = [element for element in self.elements if condition(element)]
            if len(found) >= count:
                return found[count - 1]
            if not self.more():
                raise AssertionError(f"child ended; had {self.elements}; stderr: {self.stderr}")

    def command(self, name, count=1):
        return self.wait(lambda e: e.get("command") == name, count)

    def acks(self, count):
        """Ids acked, once there are so many."""
        self.wait_for(lambda: len(self.acked()) >= count)
        return self.acked()

    def wait_for(self, condition):
        while not condition():
            if not self.more():
                raise AssertionError(f"child ended; had {self.elements}; stderr: {self.stderr}")

    def acked(self):
        ids = []
        for element in self.elements:
            if "done" in element:
                count = element.get("count", len(element.get("emits", ())))
                ids += [str(element["done"] + n) for n in range(count)]
            elif element.get("command") == "ack":
                ids.append(element["id"])
        return ids

    def emitted(self):
        """(anchor, values) of the default stream's emits, in order."""
        found = []
        for element in self.elements:
            if "done" in element:
                for at, emits in enumerate(element.get("emits", ())):
                    found += [(str(element["done"] + at), values) for values in emits]
            elif "emit" in element and "stream" not in element:
                found += [(str(element["emit"]), values) for values in element["tuples"]]
            elif element.get("command") == "emit" and "stream" not in element:
                found.append((",".join(element.get("anchors", ())), element["tuple"]))
        return found

    def logs(self):
        return [e["msg"] for e in self.elements if e.get("command") == "log"]

    @property
    def stderr(self):
        return "".join(self._stderr)

    def finish(self):
        """Close stdin, read to the end; returns the exit status."""
        self.process.stdin.close()
        return self.ended()

    def ended(self):
        while self.more():
            pass
        return self.process.wait(LIMIT)

    def release(self):
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self.folder.cleanup()


class ChildCase(unittest.TestCase):
    """A test case that starts children and cleans up after them."""

    maxDiff = None

    def child(self, script, name=None, **options):
        child = Child(script, name, **options)
        self.addCleanup(child.release)
        return child
