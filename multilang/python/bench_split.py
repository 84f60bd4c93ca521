"""Sentences a second through a real child process: ``python3 bench_split.py [seconds]``.

Frames of 500 sentences are piped in; each sentence makes six emits. The answers are only
scanned for the number of the last input done. Run it with GALEWIRE_JSON=json to keep orjson out.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = """
import galewire

@galewire.bolt
def split(line):
    for word in line.split():
        yield word

class Count(galewire.Bolt):
    def open(self):
        self.seen = {}
    def process(self, tup):
        for word in tup.line.split():
            self.emit(word)

@galewire.bolt
async def later(line):
    for word in line.split():
        yield word
"""
SENTENCE = "the cow jumped over the moon"
FRAME = 500


def handshake():
    return {
        "conf": {"galewire.batch": {"version": 1, "max_tuples": FRAME, "max_bytes": 262144}},
        "context": {
            "task->component": {"1": "lines", "2": "split"},
            "taskid": 2,
            "componentid": "split",
            "streams": ["default"],
            "stream->outputfields": {"default": ["word"]},
            "source->stream->fields": {"lines": {"default": ["line"]}},
        },
    }


def measure(name, frames):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "split_bench.py")
        with open(path, "w") as file:
            file.write(SCRIPT)
        child = subprocess.Popen(
            [sys.executable, "-m", "galewire", f"{path}:{name}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": HERE},
            bufsize=0,
        )
        child.stdin.write(json.dumps(handshake()).encode() + b"\nend\n")
        answer = child.stdout.read(1024)
        assert b'"batch":1' in answer, answer
        tuples = json.dumps([[SENTENCE]] * FRAME, separators=(",", ":"))

        def feed():
            for number in range(frames):
                first = 1 + number * FRAME
                head = '[{"comp":"lines","stream":"default","task":1,"first":%d,"tuples":' % first
                child.stdin.write((head + tuples + "}]\nend\n").encode())
            child.stdin.close()

        began = time.perf_counter()
        feeder = threading.Thread(target=feed)
        feeder.start()
        words = 0
        while True:
            data = child.stdout.read(1 << 20)
            if not data:
                break
            words += data.count(b"cow")
        took = time.perf_counter() - began
        feeder.join()
        # A word cut by two reads is not counted, so this is a lower bound.
        assert child.wait() == 0 and words > frames * FRAME * 0.99, (child.returncode, words)
        return frames * FRAME / took


def main():
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    names = sys.argv[2:] or ["split", "Count", "later"]
    for name in names:
        scale = {"split": 1, "Count": 2, "later": 8}[name]
        rates = [measure(name, frames // scale) for _ in range(3)]
        print(f"{name:6} {max(rates):10,.0f} sentences/s  (best of 3)")


if __name__ == "__main__":
    main()
