"""Batch bolts through a real child process."""

import signal
import time
import unittest

try:
    from .engine import ChildCase
except ImportError:
    from engine import ChildCase

SIZES = """
@galewire.batch_bolt(size=3, within={within!r})
def store(batch, *, self):
    self.log.info("%s", [t.line for t in batch])
    for tup in batch:
        if tup.line == "bad": tup.fail("bad row")
        if tup.line == "raise": raise ValueError("all")
"""


class BatchBolts(ChildCase):
    def test_full_batches_are_given_at_once_and_acked_together(self):
        child = self.child(SIZES.format(within="60s"), "store")
        child.rows(1, *[[c] for c in "abcdefg"])
        child.acks(6)
        self.assertEqual(child.logs(), ["['a', 'b', 'c']", "['d', 'e', 'f']"])
        self.assertEqual(child.finish(), 0)
        self.assertEqual(child.acked(), [str(n) for n in range(1, 8)])
        self.assertEqual(child.logs()[-1], "['g']")

    def test_time_limit_gives_a_batch_that_is_not_full(self):
        child = self.child(SIZES.format(within="200ms"), "store")
        began = time.monotonic()
        child.rows(1, ["a"])
        child.heartbeat()
        child.command("sync")
        self.assertEqual(child.acked(), [])
        child.rows(2, ["b"])
        self.assertEqual(child.acks(2), ["1", "2"])
        self.assertGreaterEqual(time.monotonic() - began, 0.2)
        self.assertEqual(child.logs(), ["['a', 'b']"])

    def test_a_tuple_that_comes_alone_waits_for_no_others(self):
        child = self.child(SIZES.format(within="60s"), "store")
        child.rows(1, ["a"])
        last = {"comp": "lines", "stream": "default", "task": 1, "first": 2, "tuples": [["b"]]}
        child.send({**last, "alone": True})
        self.assertEqual(child.acks(2), ["1", "2"])
        self.assertEqual(child.logs(), ["['a', 'b']"])

    def test_single_tuples_fail_alone_and_an_exception_fails_the_rest(self):
        child = self.child(SIZES.format(within="60s"), "store")
        child.rows(1, ["a"], ["bad"], ["c"], ["bad"], ["raise"], ["f"])
        child.command("fail", 4)
        self.assertEqual(child.finish(), 0)
        self.assertEqual(child.acked(), ["1", "3"])
        fails = [(e["id"], e["msg"][:15]) for e in child.elements if e.get("command") == "fail"]
        self.assertEqual(
            fails,
            [("2", "bad row"), ("4", "bad row"),
             ("5", "ValueError: all"), ("6", "ValueError: all")],
        )

    def test_drain_gives_what_is_held_and_later_replays_at_once(self):
        child = self.child(SIZES.format(within="60s"), "store")
        child.rows(1, ["a"], ["b"])
        child.send({"command": "drain", "id": "5"})
        child.command("drained")
        self.assertEqual(child.acked(), ["1", "2"])
        child.rows(3, ["c"])
        self.assertEqual(child.acks(3), ["1", "2", "3"])

    def test_emits_are_anchored_to_the_batch_unless_said_otherwise(self):
        script = """
        @galewire.batch_bolt(size=3)
        async def f(batch):
            batch[2].fail("no")
            yield len(batch)
            yield galewire.Emit("one", anchors=[batch[1]])
        """
        child = self.child(script, "f")
        child.rows(1, ["a"], ["b"], ["c"])
        child.acks(2)
        self.assertEqual(child.emitted(), [("1,2", [3]), ("2", ["one"])])

    def test_class_form_takes_text_ids(self):
        script = """
        class B(galewire.BatchBolt):
            size = 2
            within = 60
            def process(self, batch): return str([t.id for t in batch])
        """
        child = self.child(script, "B", batch=False)
        child.tuple("x", "a")
        child.tuple("y", "b")
        self.assertEqual(child.acks(2), ["x", "y"])
        self.assertEqual(child.emitted(), [("x,y", ["['x', 'y']"])])

    def test_sigterm_gives_back_what_no_handler_has_taken(self):
        child = self.child(SIZES.format(within="60s"), "store")
        child.rows(1, ["a"])
        child.heartbeat()
        child.command("sync")
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(child.ended(), 0)
        self.assertEqual(child.acked(), [])

    def test_end_gives_up_what_is_held(self):
        child = self.child(SIZES.format(within="60s"), "store")
        child.rows(1, ["a"])
        child.send({"command": "end", "id": "2"})
        child.command("ended")
        self.assertEqual(child.acked(), ["1"])

    def test_bad_options_say_what_to_write(self):
        child = self.child("@galewire.batch_bolt(within='soon')\ndef f(batch): pass\n", "f")
        self.assertIn('write "1s", "250ms" or seconds', child.command("error")["msg"])
        self.assertEqual(child.ended(), 1)


if __name__ == "__main__":
    unittest.main()
