"""Async bolts through a real child process."""

import os
import signal
import unittest

try:
    from .engine import ChildCase, context
except ImportError:
    from engine import ChildCase, context

# Waits until a file of that name exists: the test says when a handler goes on.
GATE = """
import asyncio, os
async def gate(path):
    while not os.path.exists(path):
        await asyncio.sleep(0.001)
"""


def touch(path):
    with open(path, "w"):
        pass


class AsyncBolts(ChildCase):
    def path(self, child, name):
        return os.path.join(child.folder.name, name)

    def test_handlers_finish_out_of_order(self):
        script = GATE + """
@galewire.bolt
async def f(line):
    yield "begun"
    await gate(line)
    yield line
"""
        child = self.child(script, "f")
        one, two = self.path(child, "one"), self.path(child, "two")
        child.rows(1, [one], [two])
        child.wait_for(lambda: len(child.emitted()) == 2)  # both are in hand
        touch(two)
        self.assertEqual(child.acks(1), ["2"])
        self.assertEqual(child.emitted()[-1], ("2", [two]))
        child.heartbeat()
        child.command("sync")
        touch(one)
        self.assertEqual(child.acks(2), ["2", "1"])
        self.assertIn(("1", [one]), child.emitted())
        self.assertEqual(child.finish(), 0)

    def test_concurrency_limits_the_tuples_in_hand_and_delays_sync_and_drained(self):
        script = GATE + """
@galewire.bolt
async def f(line, *, self):
    self.log.info(os.path.basename(line))
    await gate(line)
"""
        child = self.child(script, "f", config={"concurrency": 1})
        one, two = self.path(child, "one"), self.path(child, "two")
        child.rows(1, [one], [two])
        child.heartbeat()
        child.send({"command": "drain", "id": "3"})
        child.command("log")
        self.assertEqual(child.logs(), ["one"])
        touch(one)
        child.command("sync")
        child.wait_for(lambda: child.logs() == ["one", "two"])
        self.assertEqual(child.acked(), ["1"])
        touch(two)
        child.command("drained")
        self.assertEqual(child.acked(), ["1", "2"])

    def test_async_class_with_async_hooks_failures_and_self_emit(self):
        script = GATE + """
class B(galewire.Bolt):
    async def open(self):
        await asyncio.sleep(0)
        self.emit("open")
    async def process(self, tup):
        await asyncio.sleep(0)
        if tup.line == "bad": raise ValueError("bad")
        if tup.line == "cancel": raise asyncio.CancelledError()
        self.emit(tup.line, stream="side")
        self.emit(tup.line)
        return "returned"
    async def tick(self): self.emit("tick")
    async def end(self): self.emit("end")
    async def close(self): self.log.info("closed")
"""
        child = self.child(script, "B", ctx=context(side=["s"]))
        child.rows(1, ["a"], ["bad"], ["cancel"])
        child.tick()
        child.send({"command": "drain", "id": "3"}, {"command": "end", "id": "4"})
        child.command("ended")
        self.assertEqual(child.finish(), 0)
        fails = [e for e in child.elements if e.get("command") == "fail"]
        self.assertEqual([f["id"] for f in fails], ["2", "3"])
        self.assertIn("ValueError: bad, at ", fails[0]["msg"])
        self.assertEqual(child.acked(), ["1"])
        self.assertIn({"emit": 1, "tuples": [["a"]], "stream": "side"}, child.elements)
        emitted = child.emitted()
        self.assertEqual(
            sorted(emitted),
            [("", ["end"]), ("", ["open"]), ("", ["tick"]), ("1", ["a"]), ("1", ["returned"])],
        )
        self.assertEqual(child.logs(), ["closed"])

    def test_emit_and_wait_is_awaited(self):
        script = """
        class Ask(galewire.Bolt):
            async def process(self, line):
                ids = await self.emit_and_wait(line)
                self.emit(str(ids))
        """
        child = self.child(script, "Ask")
        child.rows(1, ["x"])
        child.command("emit")
        child.send({"command": "task_ids", "ids": [9]})
        child.acks(1)
        self.assertEqual(child.emitted(), [("1", ["x"]), ("1", ["[9]"])])

    def test_bad_value_in_an_async_generator_names_its_line(self):
        child = self.child("@galewire.bolt\nasync def f(line):\n    yield 1, 2\n", "f")
        child.rows(1, ["x"])
        self.assertIn("script.py:4", child.command("fail")["msg"])

    def test_many_inputs_are_each_answered_once(self):
        script = """
        import asyncio
        @galewire.bolt
        async def f(line):
            if line % 3 == 0: await asyncio.sleep(0.001)
            return str(line)
        """
        child = self.child(script, "f")
        for first in range(1, 5001, 500):
            child.rows(first, *[[n] for n in range(first, first + 500)])
        self.assertEqual(child.finish(), 0)
        expected = sorted(str(n) for n in range(1, 5001))
        self.assertEqual(sorted(child.acked()), expected)
        self.assertEqual(sorted(child.emitted()), [(n, [n]) for n in expected])

    def test_sigterm_finishes_what_is_in_hand(self):
        script = GATE + """
@galewire.bolt
async def f(line, *, self):
    self.log.info("begun")
    await gate(line)
"""
        child = self.child(script, "f", config={"concurrency": 1})
        one = self.path(child, "one")
        child.rows(1, [one], [one])
        child.command("log")
        child.process.send_signal(signal.SIGTERM)
        touch(one)
        self.assertEqual(child.ended(), 0)
        self.assertIn(child.acked(), (["1"], ["1", "2"]))

    def test_concurrency_that_is_no_number_is_refused(self):
        child = self.child("@galewire.bolt\nasync def f(line): pass\n", "f",
                           config={"concurrency": "many"})
        self.assertIn("concurrency must be", child.command("error")["msg"])
        self.assertEqual(child.ended(), 1)


class Blocking(ChildCase):
    def test_a_blocking_call_is_named_with_its_line(self):
        script = """
        import time
        @galewire.bolt
        async def f(line):
            time.sleep(2.5)
        """
        child = self.child(script, "f")
        child.rows(1, ["x"])
        child.acks(1)
        self.assertEqual(child.finish(), 0)
        self.assertIn("script.py:6 in f, and with it every input in hand", child.logs()[0])


if __name__ == "__main__":
    unittest.main()
