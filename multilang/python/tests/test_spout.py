"""Spouts through a real child process, batch frames."""

import os
import signal
import unittest

try:
    from .engine import ChildCase, context
except ImportError:
    from engine import ChildCase, context

LINES = """
@galewire.spout
def lines(*, self):
    try:
        for n in range(self.config["count"]):
            yield galewire.Message(n, f"line {n}")
    finally:
        self.log.info("closed")
"""


class Spouts(ChildCase):
    def test_generator_gives_what_is_wanted_and_ends_exhausted(self):
        child = self.child(LINES, "lines", config={"count": 5})
        self.assertEqual(child.answer["replay"], "engine")
        child.send({"command": "activate", "id": ""})
        child.send({"command": "next", "max": 3})
        child.command("sync")
        self.assertIn(
            {"messages": [[0, ["line 0"]], [1, ["line 1"]], [2, ["line 2"]]]}, child.elements
        )
        child.send({"command": "next", "max": 3})
        child.command("sync", 2)
        kinds = [e.get("command") or next(iter(e)) for e in child.elements[1:]
                 if e.get("command") != "log"]
        self.assertEqual(kinds, ["messages", "sync", "messages", "exhausted", "sync"])
        child.send({"command": "ack", "ids": [0, 1]}, {"command": "fail", "ids": [2]})
        self.assertEqual(child.finish(), 0)
        self.assertEqual(len([e for e in child.elements if e.get("command") == "sync"]), 2)

    def test_class_form_with_hooks(self):
        script = """
        class S(galewire.Spout):
            def open(self): self.n = 0
            def next(self):
                self.n += 1
                if self.n == 1: self.emit("a", id={"k": 1})
                if self.n == 2: self.emit("side", stream="side", id=2)
                if self.n == 3: return galewire.Message(None, "c")
                if self.n == 4: yield "d"
                if self.n == 5: raise ValueError("five")
                if self.n == 6: self.exhausted()
            def on_ack(self, id): self.log.info("ack %s", id)
            def on_fail(self, id): self.log.info("fail %s", id)
            def activate(self): self.log.info("activate")
            def deactivate(self): self.log.info("deactivate")
            def close(self): self.log.info("close")
        """.replace('return galewire.Message(None, "c")', 'yield galewire.Message(None, "c")')
        child = self.child(script, "S", ctx=context(side=["s"]))
        self.assertNotIn("memory", child.answer)
        child.send({"command": "activate", "id": ""}, {"command": "next", "max": 10})
        child.command("sync")
        self.assertIn("five", child.command("error")["msg"])
        child.send({"command": "next", "max": 10})
        child.command("sync", 2)
        child.command("exhausted")
        child.send({"command": "ack", "ids": [{"k": 1}]}, {"command": "fail", "ids": [2]},
                   {"command": "deactivate", "id": ""})
        self.assertEqual(child.finish(), 0)
        self.assertEqual(
            child.logs(), ["activate", "ack {'k': 1}", "fail 2", "deactivate", "close"])
        self.assertIn({"messages": [[{"k": 1}, ["a"]]]}, child.elements)
        self.assertIn({"messages": [[None, ["c"]], [None, ["d"]]]}, child.elements)
        side = child.command("emit")
        self.assertEqual(side, {"command": "emit", "tuple": ["side"], "id": 2, "stream": "side",
                                "need_task_ids": False})

    def test_next_without_anything_is_answered_by_sync_alone(self):
        script = """
        @galewire.spout
        def lines():
            yield None
            yield "x"
        """
        child = self.child(script, "lines")
        child.send({"command": "next", "max": 10})
        child.command("sync")
        self.assertEqual([e for e in child.elements if "messages" in e], [])
        child.send({"command": "next", "max": 10})
        child.command("sync", 2)
        self.assertIn({"messages": [[None, ["x"]]]}, child.elements)

    def test_slow_generator_is_answered_with_fewer(self):
        script = """
        import time
        @galewire.spout
        def slow():
            for n in range(100):
                time.sleep(0.01)
                yield galewire.Message(n, n)
        """
        child = self.child(script, "slow")
        child.send({"command": "next", "max": 100})
        child.command("sync")
        self.assertEqual(len([e for e in child.elements if "messages" in e]), 1)
        self.assertEqual(len(child.wait(lambda e: "messages" in e)["messages"]), 1)

    def test_async_generator_does_not_make_next_wait(self):
        script = """
        import asyncio, os
        @galewire.spout
        async def lines(*, self):
            yield galewire.Message(1, "a")
            while not os.path.exists(self.config["flag"]):
                await asyncio.sleep(0.001)
            yield galewire.Message(2, "b")
        """
        path = f"/tmp/galewire-test-{os.getpid()}-flag"
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        child = self.child(script, "lines", config={"flag": path})
        child.send({"command": "next", "max": 10})
        child.command("sync")
        self.assertEqual([e["messages"] for e in child.elements if "messages" in e], [[[1, ["a"]]]])
        with open(path, "w"):
            pass
        count = 1
        while not any(e.get("command") == "exhausted" for e in child.elements):
            count += 1
            child.send({"command": "next", "max": 10})
            child.command("sync", count)
        self.assertIn({"messages": [[2, ["b"]]]}, child.elements)
        self.assertEqual(child.finish(), 0)

    def test_generator_that_raises_is_not_taken_for_exhausted(self):
        script = """
        @galewire.spout
        def lines():
            yield galewire.Message(1, "a")
            raise OSError("disk")
        """
        child = self.child(script, "lines")
        child.send({"command": "next", "max": 10})
        self.assertIn("disk", child.command("error")["msg"])
        self.assertEqual(child.ended(), 1)
        self.assertIn({"messages": [[1, ["a"]]]}, child.elements)
        self.assertFalse(any(e.get("command") == "exhausted" for e in child.elements))

    def test_wrong_count_of_values_names_the_line(self):
        script = "@galewire.spout\ndef s():\n    yield galewire.Message(1, 'a', 'b')\n"
        child = self.child(script, "s")
        child.send({"command": "next", "max": 1})
        error = child.command("error")["msg"]
        self.assertIn("'me' emits 2 values, but declares 1 field (word)", error)
        self.assertIn("script.py:4", error)

    def test_sigterm_closes_the_generator(self):
        child = self.child(LINES, "lines", config={"count": 50})
        child.send({"command": "next", "max": 1})
        child.command("sync")
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(child.ended(), 0)
        self.assertEqual(child.logs(), ["closed"])


if __name__ == "__main__":
    unittest.main()
