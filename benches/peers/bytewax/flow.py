"""The work as a Bytewax dataflow; PEERS_CASE says which. Sinks tell PEERS_DIR/tap-PID.txt."""

import os
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import (DynamicSource, FixedPartitionedSource, StatefulSourcePartition,
                            StatelessSourcePartition)
from bytewax.outputs import DynamicSink, StatelessSinkPartition

CASE = os.environ["PEERS_CASE"]
RATE = int(os.environ["PEERS_RATE"])
BATCH = 100
TAP_EVERY = 0.1

with open(os.environ["PEERS_SENTENCES"], encoding="ascii") as file:
    SENTENCES = file.read().splitlines()


class Sentences(DynamicSource):
    class Partition(StatelessSourcePartition):
        def __init__(self):
            self.at = 0

        def next_batch(self):
            begin = self.at
            self.at = (begin + BATCH) % len(SENTENCES)
            return SENTENCES[begin:begin + BATCH]

    def build(self, step_id, worker_index, worker_count):
        return self.Partition()


class DueTimes(FixedPartitionedSource):
    """(nanoseconds of the monotonic clock at which a message is due, process), at a rate."""

    class Partition(StatefulSourcePartition):
        def __init__(self):
            self.start, self.sent = time.monotonic_ns(), 0

        def due(self, number):
            return self.start + number * 1_000_000_000 // RATE

        def next_batch(self):
            begin = self.sent
            self.sent = max(begin, (time.monotonic_ns() - self.start) * RATE // 1_000_000_000 + 1)
            return [(self.due(number), os.getpid()) for number in range(begin, self.sent)]

        def next_awake(self):
            ahead = (self.due(self.sent) - time.monotonic_ns()) / 1e9
            return datetime.now(timezone.utc) + timedelta(seconds=max(0.0, ahead))

        def snapshot(self):
            return None

    def list_parts(self):
        return ["the only one"]

    def build_part(self, step_id, part, resume_state):
        return self.Partition()


class Sink(DynamicSink):
    class Partition(StatelessSinkPartition):
        def __init__(self):
            path = os.path.join(os.environ["PEERS_DIR"], f"tap-{os.getpid()}.txt")
            self.out = open(path, "w", encoding="ascii")
            self.total, self.told, self.latencies = 0, 0.0, Counter()

        def write_batch(self, items):
            if CASE == "latency":
                self.take_crossed(items)
            else:
                self.total += len(items)
            now = time.monotonic()
            if self.total and now - self.told >= TAP_EVERY:
                self.told = now
                buckets = ",".join(f"{nanos}:{count}" for nanos, count in self.latencies.items())
                self.out.write(f"{time.monotonic_ns()} {self.total} {buckets}\n")
                self.out.flush()

        def take_crossed(self, items):
            """Counts what came from another process; buckets are a 64th wide or less."""
            for due, process in items:
                if process != os.getpid():
                    self.total += 1
                    late = max(time.monotonic_ns() - due, 1)
                    shift = max(0, late.bit_length() - 7)
                    self.latencies[((late >> shift) + 1) << shift] += 1

    def build(self, step_id, worker_index, worker_count):
        return self.Partition()


def counted(seen, _):
    seen = (seen or 0) + 1
    return seen, seen


flow = Dataflow("peers")
if CASE == "latency":
    stream = op.redistribute("spread", op.input("source", flow, DueTimes()))
else:
    words = op.flat_map("split", op.input("source", flow, Sentences()), str.split)
    stream = op.stateful_map("count", op.key_on("by_word", words, lambda word: word), counted)
op.output("sink", stream, Sink())
