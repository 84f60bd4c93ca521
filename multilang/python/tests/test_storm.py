"""On a real Storm, which offers no batch frames: plain messages only."""

import unittest

try:
    from .engine import ChildCase
except ImportError:
    from engine import ChildCase


class StormMode(ChildCase):
    def test_bolt_speaks_plain_messages(self):
        script = """
        @galewire.bolt
        def split(line):
            for word in line.split():
                yield word
            if line == "x": raise ValueError("x")
        """
        child = self.child(script, "split", batch=False)
        self.assertEqual(list(child.answer), ["pid"])
        child.tuple("-42", "a b")
        child.tuple("43", "x")
        child.heartbeat()
        child.tick()
        child.command("sync")
        expected = {"command": "emit", "anchors": ["-42"], "need_task_ids": False}
        self.assertEqual(
            child.elements[1:4],
            [{**expected, "tuple": ["a"]}, {**expected, "tuple": ["b"]},
             {"command": "ack", "id": "-42"}],
        )
        self.assertEqual(child.elements[5]["id"], "43")
        self.assertEqual(child.elements[6], {"command": "sync"})
        self.assertEqual(child.finish(), 0)

    def test_async_bolt_and_ticks(self):
        script = """
        class B(galewire.Bolt):
            async def process(self, tup): self.emit(tup.line, stream="default")
            def tick(self): self.log.info("tick %s", self.config["topology.name"])
        """
        child = self.child(script, "B", batch=False)
        child.tuple("one", "a")
        child.tick()
        child.command("log")
        child.acks(1)
        self.assertEqual(child.logs(), ["tick test"])
        self.assertEqual(child.emitted(), [("one", ["a"])])

    def test_emit_and_wait_reads_a_bare_array(self):
        script = """
        class B(galewire.Bolt):
            def process(self, tup): self.emit(str(self.emit_and_wait(tup.line)))
        """
        child = self.child(script, "B", batch=False)
        for number, ids in enumerate(("[5,6]", "[]"), 1):
            child.tuple(str(number), "a")
            child.wait(lambda e: e.get("tuple") == ["a"], number)
            child.send_raw(ids)
            child.acks(number)
        values = [v for _, v in child.emitted()]
        self.assertEqual(values, [["a"], ["[5, 6]"], ["a"], ["[]"]])

    def test_unknown_fields_bind_in_the_order_of_the_arguments(self):
        ctx = {"task->component": {"2": "me"}, "taskid": 2}
        child = self.child("@galewire.bolt\ndef f(a, b): yield [b, a]\n", "f", batch=False, ctx=ctx)
        child.tuple("1", "x", "y")
        child.acks(1)
        self.assertEqual(child.emitted(), [("1", ["y", "x"])])

    def test_spout_syncs_after_every_command_and_replays_by_itself(self):
        script = """
        @galewire.spout
        def lines():
            yield galewire.Message("m", "a")
            yield "b"
        """
        child = self.child(script, "lines", batch=False)
        commands = ["activate", "next", "next", "fail", "next", "ack", "next", "deactivate"]
        for count, command in enumerate(commands, 1):
            child.send({"command": command, "id": "m" if command in ("ack", "fail") else ""})
            child.command("sync", count)
        emits = [(e["tuple"], e.get("id")) for e in child.elements if e.get("command") == "emit"]
        self.assertEqual(emits, [(["a"], "m"), (["b"], None), (["a"], "m")])
        self.assertTrue(all(not e.get("need_task_ids", True) for e in child.elements
                            if e.get("command") == "emit"))
        self.assertFalse(any(e.get("command") == "exhausted" for e in child.elements))
        self.assertEqual(child.finish(), 0)


if __name__ == "__main__":
    unittest.main()
