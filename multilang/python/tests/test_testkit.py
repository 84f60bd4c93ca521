"""The testkit: handlers without an engine."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import galewire  # noqa: E402 - the path comes first
from galewire import testkit  # noqa: E402
from galewire.load import LoadError  # noqa: E402


@galewire.bolt
def split(line):
    for word in line.split():
        yield word


class Count(galewire.Bolt):
    def open(self):
        self.seen = {}

    def process(self, tup):
        self.seen[tup.word] = self.seen.get(tup.word, 0) + 1
        self.emit(tup.word, self.seen[tup.word])
        self.log.info("saw %s", tup.word)

    def tick(self):
        self.emit("tick", 0, stream="ticks")

    def end(self):
        self.emit("end", len(self.seen))


@galewire.spout
def numbers(*, self):
    for n in range(self.config.get("count", 4)):
        yield galewire.Message(n, n * 10)


class Testkit(unittest.TestCase):
    def test_decorated_functions_stay_plain_functions(self):
        self.assertEqual(list(split("a b")), ["a", "b"])

    def test_function_with_dicts(self):
        out = testkit.run(split, [{"line": "a b"}, {"line": 3}])
        self.assertEqual(out.emitted, ["a", "b"])
        self.assertEqual(out.emitted[0].anchors, ["1"])
        self.assertEqual(out.acked, ["1"])
        self.assertEqual(out.failed, ["2"])
        self.assertIn("AttributeError", out.failed[0].msg)

    def test_lists_need_the_names_of_their_fields(self):
        self.assertEqual(testkit.run(split, [["a"]], fields=["line"]).emitted, ["a"])
        with self.assertRaisesRegex(ValueError, "fields="):
            testkit.run(split, [["a"]])

    def test_class_with_ticks_drain_and_end(self):
        out = testkit.run(Count, [{"word": "a"}, {"word": "a"}], ticks=2)
        self.assertEqual(out.on("default"), [["a", 1], ["a", 2], ["end", 1]])
        self.assertEqual(len(out.on("ticks")), 2)
        self.assertEqual(out.logs, ["saw a", "saw a"])
        self.assertEqual(out.component.seen, {"a": 2})
        self.assertEqual(len(testkit.run(Count, [{"word": "a"}], drain=False).emitted), 1)

    def test_outputs_are_checked_when_given(self):
        out = testkit.run(Count, [{"word": "a"}], outputs=["word"])
        self.assertIn("emits 2 values, but declares 1 field (word)", out.failed[0].msg)

    def test_config_async_and_batch(self):
        @galewire.bolt
        async def add(n, *, self):
            ids = await self.emit_and_wait(n)
            yield n + self.config["more"] + len(ids)

        out = testkit.run(add, [{"n": 1}], config={"more": 5})
        self.assertEqual(out.emitted, [1, 7])

        @galewire.batch_bolt(size=2)
        def store(batch):
            batch[0].fail("first")
            return len(batch)

        out = testkit.run(store, [{"n": n} for n in range(3)])
        self.assertEqual(out.emitted, [2, 1])
        self.assertEqual((out.acked, out.failed), (["2"], ["1", "3"]))

    def test_spouts(self):
        out = testkit.run(numbers, max=3)
        self.assertEqual(out.emitted, [0, 10, 20])
        self.assertEqual([emit.id for emit in out.emitted], [0, 1, 2])
        self.assertFalse(out.exhausted)
        self.assertTrue(testkit.run(numbers).exhausted)

        class Told(galewire.Spout):
            def open(self):
                self.told = []

            def next(self):
                self.emit("x", id=len(self.told))

            def on_ack(self, id):
                self.told.append(("ack", id))

            def on_fail(self, id):
                self.told.append(("fail", id))

        out = testkit.run(Told, max=2, acks=True, fails=[7])
        self.assertEqual(out.component.told, [("ack", 0), ("ack", 0), ("fail", 7)])

    def test_wrong_argument_names_are_told_at_once(self):
        with self.assertRaises(testkit.NotStarted) as caught:
            testkit.run(split, [{"text": "a"}])
        for words in ("split (", "test_testkit.py:", "no field 'line'", "(fields: text)"):
            self.assertIn(words, str(caught.exception))

    def test_a_class_without_its_method_is_told_at_once(self):
        class Misspelt(galewire.Bolt):
            def proces(self, tup):
                pass

        with self.assertRaises(LoadError) as caught:
            testkit.run(Misspelt, [{"line": "a"}])
        self.assertIn("Misspelt has no process(self, tup); is 'proces' meant", str(caught.exception))

    def test_a_failing_assertion_shows_why_an_input_failed(self):
        @galewire.bolt
        def broken(line):
            raise ValueError("not like this")

        with self.assertRaises(AssertionError) as caught:
            self.assertEqual(testkit.run(broken, [{"line": "a"}]).emitted, ["a"])
        self.assertIn("input 1 failed: ValueError: not like", str(caught.exception))
        with self.assertRaises(AssertionError) as caught:
            testkit.run(broken, [{"line": "a"}]).ok()
        self.assertIn('raise ValueError("not like this")', str(caught.exception))
        self.assertEqual(repr(testkit.run(split, [{"line": "a b"}]).ok().emitted), "['a', 'b']")

    def test_inputs_of_the_wrong_shape_are_told(self):
        for inputs, fields, words in [
            ({"line": "a"}, None, "inputs is a list"),
            (["a"], ["line"], "not 'a'"),
            ([["a", "b"]], ["line"], "1 field"),
            ([["a"]], None, "fields=[...]"),
        ]:
            with self.assertRaises((TypeError, ValueError)) as caught:
                testkit.run(split, inputs, fields=fields)
            self.assertIn(words, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
