"""The reference components of the conformance suite, by their names. See ../README.md.

    galewire conformance -- python3 -m galewire multilang/conformance/python/components.py:{component}
"""

import asyncio
import json

import galewire
from galewire import Emit, Fail, Message


@galewire.bolt
def split(line):
    for word in line.split():
        yield word


@galewire.bolt
def echo(tup):
    yield [galewire.raw_json(tup.raw(0))]


class act(galewire.Bolt):
    """Does what each tuple says: its verb is the name of a method."""

    def process(self, tup):
        return getattr(self, f"do_{tup.verb}")(tup, tup.value)

    def do_nothing(self, tup, value):
        pass

    def do_emit(self, tup, value):
        self.emit(value)

    def do_other(self, tup, value):
        self.emit(value, stream="other")

    def do_direct(self, tup, value):
        self.emit(value, stream="direct", task=value)

    def do_unanchored(self, tup, value):
        self.emit(value, anchors=[])

    def do_ask(self, tup, value):
        self.emit(self.emit_and_wait(value), stream="other")

    def do_fail(self, tup, value):
        raise Fail(value)

    def do_log(self, tup, value):
        for level in (5, 10, 20, 30, 40):
            self.log.log(level, value)

    def do_error(self, tup, value):
        self.error(value)

    def do_config(self, tup, value):
        self.emit(self.config[value])

    def do_where(self, tup, value):
        self.emit([self.name, self.task, tup.component, tup.stream, tup.task])

    def do_raise(self, tup, value):
        raise ValueError(value)

    def do_late(self, tup, value):
        yield value
        raise ValueError("after an emit")

    def do_touch(self, tup, value):
        self.touch(tup)

    def do_print(self, tup, value):
        print(value)

    def do_count(self, tup, value):
        self.counter("counted").add(value)

    def do_gauge(self, tup, value):
        self.gauge("gauged").set(value)

    def do_observe(self, tup, value):
        self.histogram("observed").add(value)

    def do_wide(self, tup, value):
        self.emit(value, value)

    def do_nowhere(self, tup, value):
        self.emit(value, stream="nowhere")


class hold(galewire.Bolt):
    """Acks and fails by hand."""

    auto_ack = False

    def open(self):
        self.held = []

    def process(self, tup):
        if tup.verb == "hold":
            self.held.append(tup)
            return
        if tup.verb == "release":
            self.emit(tup.value, anchors=[*self.held, tup])
            for held in reversed(self.held):
                held.ack()
        elif tup.verb == "reject":
            for held in self.held:
                held.fail(tup.value)
        self.held = []
        tup.ack()

    def drain(self):
        for held in self.held:
            held.ack()
        self.held = []


class overlap(galewire.Bolt):
    """Has several tuples in hand at once."""

    def open(self):
        self.gates = {}
        self.in_hand = 0

    async def process(self, tup):
        gate = self.gates.setdefault(tup.value, asyncio.Event())
        if tup.verb == "go":
            gate.set()
        elif tup.verb == "wait":
            await gate.wait()
            yield tup.value
        elif tup.verb == "crowd":
            self.in_hand += 1
            await asyncio.sleep(0.01)
            yield self.in_hand
            await asyncio.sleep(0.01)
            self.in_hand -= 1


@galewire.batch_bolt(size=3, within="1s")
def gather(batch):
    for tup in batch:
        if tup.value == "bad":
            tup.fail("a bad one")
    if any(tup.value == "raise" for tup in batch):
        raise ValueError("the whole batch")
    yield len(batch)


class life(galewire.Bolt):
    """Says what happens to it."""

    def open(self):
        self.log.info("opened")

    def process(self, tup):
        self.emit(tup.value)

    def tick(self):
        self.emit("tick")

    def end(self):
        self.emit("end")

    def close(self):
        self.log.info("closed")


class timer(galewire.Bolt):
    """Emits when a timer has run out."""

    def process(self, tup):
        if tup.verb == "after":
            self.after("20ms", self.emit, tup.value)
        elif tup.verb == "cancel":
            self.after("20ms", self.emit, tup.value).cancel()
            self.after("60ms", self.emit, "not cancelled")
        elif tup.verb == "every":
            self.left = tup.value
            self.timer = self.every("10ms", self.count_down)
        elif tup.verb == "raise":
            self.after("20ms", self.fail_late, tup.value)

    def count_down(self):
        self.emit(self.left)
        self.left -= 1
        if self.left == 0:
            self.timer.cancel()

    def fail_late(self, text):
        raise ValueError(text)


class messages(galewire.Spout):
    """Gives one message for each of the ids in its config."""

    def open(self):
        self.left = list(enumerate(self.config["ids"]))

    def next(self):
        if not self.left:
            self.exhausted()
            return
        at, id = self.left.pop(0)
        self.emit(at, id=id, stream=self.config.get("stream", "default"))

    def on_ack(self, id):
        self.log.info("acked %s", json.dumps(id, separators=(",", ":")))

    def on_fail(self, id):
        self.log.info("failed %s", json.dumps(id, separators=(",", ":")))

    def activate(self):
        self.log.info("activated")

    def deactivate(self):
        self.log.info("deactivated")


class stutter(galewire.Spout):
    """Has nothing at its first call, a message at the second, fails at the third, and so on."""

    def open(self):
        self.calls = 0

    def next(self):
        self.calls += 1
        if self.calls % 3 == 2:
            self.emit(self.calls)
        elif self.calls % 3 == 0:
            raise ValueError("no message")
