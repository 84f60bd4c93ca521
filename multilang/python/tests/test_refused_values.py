"""Values that Python cannot read or write: they cost the tuple that they are in, and no other."""

import sys
import unittest

try:
    from .engine import ChildCase, context
except ImportError:  # unittest discover -s tests: not a package then
    from engine import ChildCase, context

DEEP = "[" * 100_000 + "]" * 100_000
#: orjson reads deeper.
JSON = {"GALEWIRE_JSON": "json"}
LONG = "7" * 100_000


def frame(first, *rows):
    tuples = ",".join(f"[{row}]" for row in rows)
    return (
        '[{"comp":"lines","stream":"default","task":1,'
        f'"first":{first},"tuples":[{tuples}]}}]'
    )


class Refused(ChildCase):
    def fails(self, child):
        return {e["id"]: e["msg"] for e in child.elements if e.get("command") == "fail"}

    def test_a_value_that_json_refuses_fails_its_tuple_alone(self):
        script = "@galewire.bolt\ndef same(line): yield line\n"
        for script in (script, "@galewire.bolt\nasync def same(line): yield line\n"):
            child = self.child(script, "same", env=JSON)
            child.send_raw(frame(1, '"a"', DEEP, '{"k":[1.0, "\\"]"]}'))
            child.wait_for(lambda c=child: len(c.acked()) >= 2 and self.fails(c))
            self.assertEqual(sorted(int(id) for id in child.acked()), [1, 3])
            self.assertEqual(list(self.fails(child)), ["2"])
            self.assertIn("UnreadableValue: value 0", self.fails(child)["2"])
            self.assertEqual(child.finish(), 0)

    @unittest.skipUnless(hasattr(sys, "set_int_max_str_digits"), "this Python has no such limit")
    def test_an_integer_beyond_pythons_limit_fails_its_tuple_alone(self):
        script = """
        @galewire.bolt
        def square(line):
            yield line if line == "a" else 10 ** 5000
        """
        child = self.child(script, "square", env=JSON)
        child.send_raw(frame(1, '"a"', LONG, '"big"', '"a"'))
        child.wait_for(lambda: len(child.acked()) >= 2 and len(self.fails(child)) >= 2)
        self.assertEqual(sorted(int(id) for id in child.acked()), [1, 4])
        self.assertIn("cannot be sent: ValueError", self.fails(child)["3"])
        self.assertEqual(child.finish(), 0)

    def test_the_bytes_of_a_refused_value_can_be_handed_on(self):
        script = """
        @galewire.bolt
        def size(tup): yield len(tup.raw(0)), tup.raw(1).decode()
        """
        ctx = {"fields": ("line", "n"), "outputs": ("size", "n")}
        child = self.child(script, "size", env=JSON, ctx=context(**ctx))
        child.send_raw(frame(1, f'{DEEP},1E5', '"\\ud800\\\\", -0'))
        child.acks(2)
        self.assertEqual(child.emitted(), [("1", [len(DEEP), "1E5"]), ("2", [10, "-0"])])
        self.assertEqual(child.finish(), 0)

    def test_a_batch_and_a_script_of_storm_fail_the_tuple_alone_too(self):
        batch = """
        @galewire.batch_bolt(size=2, within="1s")
        def store(batch):
            for tup in batch:
                try: tup.values[0]
                except ValueError as error: tup.fail(str(error))
        """
        storm = """
        import storm
        class Same(storm.BasicBolt):
            def process(self, tup): storm.emit([tup.values[0]])
        Same().run()
        """
        for script, name in ((batch, "store"), (storm, None)):
            child = self.child(script, name, env=JSON)
            child.send_raw(frame(1, '"a"', DEEP))
            child.wait_for(lambda c=child: c.acked() and self.fails(c))
            self.assertEqual([int(id) for id in child.acked()], [1])
            self.assertEqual(list(self.fails(child)), ["2"])
            self.assertEqual(child.finish(), 0)

    def test_what_is_too_large_for_a_message_fails_and_the_rest_is_parted_into_frames(self):
        script = """
        @galewire.bolt
        def grow(line):
            yield "x" * (65 << 20) if line == "huge" else "y" * (1 << 20)
        """
        child = self.child(script, "grow")
        child.rows(1, *[["a"]] * 40, ["huge"], ["a"])
        child.wait_for(lambda: len(child.acked()) >= 41 and self.fails(child))
        self.assertIn("more than a message may have", self.fails(child)["41"])
        self.assertLess(max(len(str(one)) for one in child.frames), 10 << 20)
        self.assertEqual(child.finish(), 0)


class Prints(ChildCase):
    def test_a_line_without_an_end_and_a_long_log_line_are_cut(self):
        script = """
        import logging
        @galewire.bolt
        def f(line):
            for _ in range(40_000):
                print("z" * 100, end="")
            logging.warning("w" * (80 << 20))
        """
        child = self.child(script, "f")
        child.rows(1, ["x"])
        child.acks(1)
        self.assertEqual(child.finish(), 0)
        cut = [line for line in child.logs() if line.startswith("z")]
        self.assertEqual((sum(map(len, cut)), max(map(len, cut))), (4_000_000, 16384))
        self.assertTrue(any(line.endswith("characters more)") for line in child.logs()))


if __name__ == "__main__":
    unittest.main()
