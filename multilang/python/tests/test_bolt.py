"""Bolts through a real child process, batch frames."""

import json
import os
import signal
import unittest

try:
    from .engine import ChildCase, context
except ImportError:  # unittest discover -s tests: not a package then
    from engine import ChildCase, context

SPLIT = """
@galewire.bolt
def split(line):
    for word in line.split():
        yield word
"""


class FunctionBolts(ChildCase):
    def test_generator_answers_with_one_done_for_a_frame(self):
        child = self.child(SPLIT, "split")
        child.rows(1001, ["a b"], [""], ["c"])
        child.acks(3)
        self.assertIn(
            {"done": 1001, "emits": [[["a"], ["b"]], [], [["c"]]]}, child.elements
        )
        self.assertEqual(child.finish(), 0)

    def test_handshake_answer_names_batch_and_sdk(self):
        child = self.child(SPLIT, "split")
        self.assertEqual(child.answer["batch"], 1)
        self.assertTrue(child.answer["sdk"].startswith("python "))
        self.assertNotIn("memory", child.answer)
        self.assertIn(str(child.answer["pid"]), os.listdir(child.folder.name))

    def test_acks_without_emits_are_counted(self):
        child = self.child("@galewire.bolt\ndef sink(line): pass\n", "sink")
        child.rows(5, ["a"], ["b"])
        child.acks(2)
        self.assertIn({"done": 5, "count": 2}, child.elements)

    def test_exception_fails_its_tuple_alone_with_message_trace_and_line(self):
        script = """
        @galewire.bolt
        def half(line):
            yield "before"
            if line == "bad":
                raise ValueError("two\\nlines")
            yield "after"
        """
        child = self.child(script, "half")
        child.rows(1, ["good"], ["bad"], ["good"])
        self.assertEqual(child.acks(2), ["1", "3"])
        fail = child.command("fail")
        self.assertEqual(fail["id"], "2")
        self.assertTrue(fail["msg"].startswith("ValueError: two lines, at "), fail["msg"])
        self.assertIn("script.py:7", fail["msg"])
        self.assertIn("Traceback", fail["trace"])
        self.assertEqual(
            child.emitted(),
            [("1", ["before"]), ("1", ["after"]), ("2", ["before"]),
             ("3", ["before"]), ("3", ["after"])],
        )

    def test_fail_has_a_reason_and_no_trace(self):
        script = "@galewire.bolt\ndef no(line): raise galewire.Fail('no such user')\n"
        child = self.child(script, "no")
        child.rows(1, ["x"])
        fail = child.command("fail")
        self.assertEqual(fail, {"command": "fail", "id": "1", "msg": "no such user"})

    def test_sys_exit_in_a_handler_is_a_failure_like_any_other(self):
        child = self.child("import sys\n@galewire.bolt\ndef no(line): sys.exit(3)\n", "no")
        child.rows(1, ["x"])
        self.assertIn("SystemExit", child.command("fail")["msg"])
        self.assertEqual(child.finish(), 0)

    def test_streams_anchors_and_direct_emits(self):
        script = """
        @galewire.bolt
        def route(line, *, self, tup):
            yield galewire.Emit("e", stream="errors")
            yield galewire.Emit("free", anchors=[])
            yield galewire.Emit("direct", task=7)
            self.emit("also", anchors=[tup])
            yield "plain"
        """
        child = self.child(script, "route", ctx=context(errors=["why"]))
        child.rows(1, ["x"])
        child.acks(1)
        self.assertIn({"emit": 1, "tuples": [["e"]], "stream": "errors"}, child.elements)
        emits = [e for e in child.elements if e.get("command") == "emit"]
        self.assertEqual([e["anchors"] for e in emits], [[], ["1"], ["1"]])
        self.assertEqual([e.get("task") for e in emits], [None, 7, None])
        self.assertTrue(all(e["need_task_ids"] is False for e in emits))
        self.assertEqual(child.emitted()[-1], ("1", ["plain"]))

    def test_emitted_containers_are_copied_at_once(self):
        script = """
        @galewire.bolt
        def reuse(line):
            row = [None, {}]
            for word in line.split():
                row[0] = word
                row[1][word] = 1
                yield row
        """
        child = self.child(script, "reuse", ctx=context(outputs=["word", "seen"]))
        child.rows(1, ["a b"])
        child.acks(1)
        values = [v for _, v in child.emitted()]
        self.assertEqual(values, [["a", {"a": 1}], ["b", {"a": 1, "b": 1}]])

    def test_values_survive_exactly(self):
        for env in ({}, {"GALEWIRE_JSON": "json"}):
            child = self.child("@galewire.bolt\ndef same(v): yield v\n", "same",
                               ctx=context(fields=["v"], outputs=["v"]), env=env)
            values = ["1180591620717411303424", "-0.0", "1.5", '"\\ud800"', "NaN", "-Infinity",
                      "18446744073709551616", '{"a":[1,null,true]}', '"\\u00e9\\n"']
            for number, value in enumerate(values, 1):
                child.send_raw('[{"comp":"lines","stream":"default","task":1,"first":%d,'
                               '"tuples":[[%s]]}]' % (number, value))
            child.acks(len(values))
            got = [json.dumps(v[0], separators=(",", ":")) for _, v in child.emitted()]
            self.assertEqual(got, values)

    def test_wrong_count_of_values_names_component_fields_and_line(self):
        child = self.child("@galewire.bolt\ndef two(line):\n    yield line, 2\n", "two")
        child.rows(1, ["x"])
        msg = child.command("fail")["msg"]
        self.assertIn("'me' emits 2 values, but declares 1 field (word)", msg)
        self.assertIn("script.py:4", msg)

    def test_unknown_stream_names_the_declared_ones(self):
        script = "@galewire.bolt\ndef f(line, *, self):\n    self.emit(1, stream='nope')\n"
        child = self.child(script, "f")
        child.rows(1, ["x"])
        msg = child.command("fail")["msg"]
        self.assertIn("'me' has no stream 'nope' (declared: default)", msg)
        self.assertIn("script.py:4", msg)

    def test_value_that_is_not_json_fails_with_its_type(self):
        child = self.child("@galewire.bolt\ndef f(line):\n    yield {1, 2}\n", "f")
        child.rows(1, ["x"])
        self.assertIn("a value of type set is not JSON (list(...) is)", child.command("fail")["msg"])

    def test_bad_argument_name_ends_the_process_before_any_tuple(self):
        child = self.child("@galewire.bolt\ndef f(lien): pass\n", "f")
        error = child.command("error")["msg"]
        self.assertIn("no field 'lien' in 'lines' (fields: line); did you mean 'line'?", error)
        self.assertIn("script.py:2", error)
        self.assertEqual(child.ended(), 1)

    def test_arguments_bind_by_name_in_any_order(self):
        script = """
        @galewire.bolt
        def f(c, a, *, b, missing=9): yield [c, a, b, missing]
        @galewire.bolt
        def rest(b, *others): return [b, *others, 0]
        @galewire.bolt
        def default(a, x=5, **others): return [a, x, others["b"], others["c"]]
        """
        ctx = context(fields=["a", "b", "c"], outputs=["1", "2", "3", "4"])
        expected = {"f": [3, 1, 2, 9], "rest": [2, 1, 3, 0], "default": [1, 5, 2, 3]}
        for name, values in expected.items():
            child = self.child(script, name, ctx=ctx)
            child.rows(1, [1, 2, 3])
            child.acks(1)
            self.assertEqual(child.emitted(), [("1", values)], name)

    def test_ack_by_hand(self):
        script = """
        held = []
        @galewire.bolt(auto_ack=False)
        def late(tup, *, self):
            self.emit(tup.line)
            held.append(tup)
            if len(held) == 2:
                held[0].touch()
                held[1].ack()
                held[0].fail("why")
        """
        child = self.child(script, "late")
        child.rows(1, ["a"], ["b"])
        self.assertEqual(child.command("fail"), {"command": "fail", "id": "1", "msg": "why"})
        self.assertEqual(child.acked(), ["2"])
        self.assertEqual(child.command("reset_timeout")["id"], "1")
        self.assertEqual(child.emitted(), [("1", ["a"]), ("2", ["b"])])

    def test_settling_by_hand_in_an_auto_ack_bolt_is_not_answered_twice(self):
        script = """
        @galewire.bolt
        def f(tup):
            yield "before"
            if tup.line == "f": tup.fail("x")
            if tup.line == "a": tup.ack()
        """
        child = self.child(script, "f")
        child.rows(1, ["n"], ["f"], ["a"], ["n"])
        self.assertEqual(child.acks(3), ["1", "3", "4"])
        self.assertEqual(child.command("fail")["id"], "2")
        self.assertEqual([a for a, _ in child.emitted()], ["1", "2", "3", "4"])
        self.assertEqual(child.finish(), 0)
        self.assertEqual(child.acked(), ["1", "3", "4"])

    def test_raw_gives_the_bytes_as_sent(self):
        script = """
        @galewire.bolt
        def raw(tup): yield tup.raw(1).decode() + tup.raw("a").decode()
        """
        ctx = context(fields=["a", "b"])
        child = self.child(script, "raw", ctx=ctx)
        child.send_raw('[{"command":"task_ids_not","x":[1]},{"task":1,"comp":"lines",'
                       '"stream":"default","first":1,"tuples":[["x", 1.50],[{"k":[1]},1e400]]}]')
        child.send_raw('{"id":"7","comp":"lines","stream":"default","task":1,'
                       '"tuple":["\\u0061", -0.0]}')
        child.acks(3)
        values = [v for _, v in child.emitted()]
        self.assertEqual(values, [['1.50"x"'], ['1e400{"k":[1]}'], ['-0.0"\\u0061"']])
        self.assertEqual(child.acked(), ["1", "2", "7"])

    def test_result_is_sent_while_the_next_handler_runs(self):
        script = """
        import os, time
        @galewire.bolt
        def wait(line):
            yield "begun"
            while line != "go" and not os.path.exists(line):
                time.sleep(0.001)
        """
        child = self.child(script, "wait")
        flag = os.path.join(child.folder.name, "flag")
        child.rows(1, ["go"], [flag])
        child.wait_for(lambda: ("2", ["begun"]) in child.emitted())
        self.assertEqual(child.acked(), ["1"])
        with open(flag, "w"):
            pass
        self.assertEqual(child.acks(2), ["1", "2"])
        self.assertEqual(child.emitted(), [("1", ["begun"]), ("2", ["begun"])])

    def test_many_frames_keep_every_result_once_and_in_order(self):
        script = """
        @galewire.bolt
        def f(line, *, self):
            if line % 97 == 0: raise galewire.Fail("97")
            if line % 50 == 0: self.log.info("at %s", line)
            yield str(line)
        """
        child = self.child(script, "f")
        for first in range(1, 20001, 500):
            child.rows(first, *[[n] for n in range(first, first + 500)])
        self.assertEqual(child.finish(), 0)
        good = [n for n in range(1, 20001) if n % 97]
        self.assertEqual(child.acked(), [str(n) for n in good])
        self.assertEqual(child.emitted(), [(str(n), [str(n)]) for n in good])
        self.assertEqual(len([e for e in child.elements if e.get("command") == "fail"]), 206)


class ClassBolts(ChildCase):
    COUNT = """
    class Count(galewire.Bolt):
        def open(self):
            self.seen = {}
            self.log.info("open %s", self.config["x"])
        def process(self, tup):
            assert (tup[0], tup["line"], tup.values, tup.component) == (
                tup.line, tup.line, [tup.line], "lines")
            assert (tup.stream, tup.task, tup.fields, tup.id) == ("default", 1, ["line"], tup.id)
            self.seen[tup.line] = self.seen.get(tup.line, 0) + 1
            self.counter("hits").add(2)
            self.gauge("size").set(len(self.seen))
            self.histogram("h").add(1.5)
            self.emit(f"{tup.line}{self.seen[tup.line]}")
        def tick(self): self.emit("tick")
        def drain(self): self.emit("drain")
        def end(self): self.emit("end")
        def close(self): self.log.warning("closed")
    """

    def test_hooks_metrics_and_life_cycle(self):
        child = self.child(self.COUNT, "Count", config={"x": 3})
        self.assertIs(child.answer["memory"], True)
        child.rows(1, ["a"], ["a"])
        child.tick()
        child.heartbeat()
        child.command("sync")
        child.send({"command": "drain", "id": "7"})
        child.command("drained")
        child.send({"command": "end", "id": "8"})
        self.assertEqual(child.command("ended")["id"], "8")
        self.assertEqual(child.finish(), 0)
        self.assertEqual(
            child.emitted(),
            [("1", ["a1"]), ("2", ["a2"]), ("", ["tick"]), ("", ["drain"]), ("", ["end"])],
        )
        order = [e.get("command") or next(iter(e)) for e in child.elements
                 if e.get("command") not in ("log", "metrics", "started")]
        self.assertIs(child.answer["starting"], True)
        self.assertEqual(len([e for e in child.elements if e.get("command") == "started"]), 1)
        self.assertEqual(
            order, ["pid", "done", "emit", "sync", "emit", "drained", "emit", "ended"])
        self.assertEqual(child.logs(), ["open 3", "closed"])
        metrics = {}
        for element in child.elements:
            if element.get("command") == "metrics":
                metrics.setdefault(element["name"], []).append(element["params"])
        self.assertEqual(sum(p["add"] for p in metrics["hits"]), 4)
        self.assertEqual(metrics["size"][-1], {"type": "gauge", "value": 1})
        self.assertEqual(sum((p["values"] for p in metrics["h"]), []), [1.5, 1.5])

    def test_bad_field_name_on_a_tuple_suggests_the_right_one(self):
        script = "class B(galewire.Bolt):\n    def process(self, tup):\n        tup.lin\n"
        child = self.child(script, "B")
        child.rows(1, ["x"])
        msg = child.command("fail")["msg"]
        self.assertIn("no field 'lin' in 'lines' (fields: line); did you mean 'line'?", msg)
        self.assertIn("script.py:4", msg)

    def test_error_in_a_hook_is_reported_and_the_process_goes_on(self):
        script = """
        class B(galewire.Bolt):
            def process(self, tup): pass
            def tick(self): raise KeyError("k")
            def drain(self): raise OSError("d")
        """
        child = self.child(script, "B")
        child.tick()
        self.assertIn("tick() failed", child.command("error")["msg"])
        child.send({"command": "drain", "id": "1"})
        child.command("drained")
        child.rows(1, ["x"])
        child.acks(1)
        self.assertEqual(child.finish(), 0)

    def test_error_in_open_ends_the_process(self):
        script = """
        class B(galewire.Bolt):
            def open(self): raise OSError('no db')
            def process(self, tup): pass
        """
        child = self.child(script, "B")
        self.assertIn("no db", child.command("error")["msg"])
        self.assertEqual(child.ended(), 1)

    def test_emit_and_wait_returns_ids_and_keeps_other_input(self):
        script = """
        class Ask(galewire.Bolt):
            def process(self, line):
                self.emit("first")
                ids = self.emit_and_wait(line)
                self.emit(str(ids))
        """
        child = self.child(script, "Ask")
        child.rows(1, ["x"])
        child.rows(2, ["y"])
        for count, ids in ((1, [3, 4]), (2, [])):
            asked = child.wait(lambda e: e.get("command") == "emit", count)
            self.assertNotIn("need_task_ids", asked)
            child.send({"command": "task_ids", "ids": ids})
        child.acks(2)
        self.assertEqual(
            child.emitted(),
            [("1", ["first"]), ("1", ["x"]), ("1", ["[3, 4]"]),
             ("2", ["first"]), ("2", ["y"]), ("2", ["[]"])],
        )

    def test_emits_from_another_thread_are_unanchored(self):
        script = """
        import threading
        class B(galewire.Bolt):
            def process(self, line):
                thread = threading.Thread(target=lambda: self.emit("other"))
                thread.start()
                thread.join()
                self.emit("own")
        """
        child = self.child(script, "B")
        child.rows(1, ["x"])
        child.acks(1)
        self.assertEqual(sorted(child.emitted()), [("", ["other"]), ("1", ["own"])])


class Leaving(ChildCase):
    def test_sigterm_finishes_the_handler_in_hand_and_closes(self):
        script = """
        import os, time
        class B(galewire.Bolt):
            def process(self, line):
                self.log.info("begun")
                while not os.path.exists(line):
                    time.sleep(0.001)
                self.emit("done")
            def close(self): self.log.info("closed")
        """
        child = self.child(script, "B")
        flag = os.path.join(child.folder.name, "flag")
        child.rows(1, [flag], [flag])
        child.command("log")
        child.process.send_signal(signal.SIGTERM)
        with open(flag, "w"):
            pass
        self.assertEqual(child.ended(), 0)
        self.assertEqual(child.acked(), ["1"])
        self.assertEqual(child.logs(), ["begun", "closed"])

    def test_sigterm_while_idle_ends_at_once(self):
        for body in ("def f(line): pass", "async def f(line): pass"):
            child = self.child(f"@galewire.bolt\n{body}\n", "f")
            child.heartbeat()
            child.command("sync")
            child.process.send_signal(signal.SIGTERM)
            self.assertEqual(child.ended(), 0, body)

    def test_end_of_stdin_finishes_what_was_sent(self):
        child = self.child(SPLIT, "split")
        child.rows(1, *[["a"]] * 400)
        self.assertEqual(child.finish(), 0)
        self.assertEqual(len(child.acked()), 400)


class Traces(ChildCase):
    """A trace shows the user's lines alone, whatever found the mistake."""

    def trace(self, body):
        child = self.child(body, "f", ctx=context(default=["word"]))
        child.rows(1, ["x"])
        return child.command("fail")

    def test_refused_emits_show_the_line_that_made_them(self):
        for body, line in (
            ("yield line, 1", "yield line, 1"),
            ("yield galewire.Emit(line, stream='x')", "yield galewire.Emit("),
            ("self.emit(line, 2)", "self.emit(line, 2)"),
            ("self.counter('a'); self.gauge('a')", "self.gauge('a')"),
        ):
            fail = self.trace(f"@galewire.bolt\ndef f(line, *, self):\n    {body}\n")
            self.assertIn("script.py:4", fail["msg"])
            self.assertIn(line, fail["trace"])
            self.assertNotIn("galewire/", fail["trace"])
            self.assertNotIn("galewire.message", fail["trace"])

    def test_what_is_missing_from_a_mistake_is_said(self):
        for body, words in (
            ("return ['a', 'b']", "yield each value to emit several"),
            ("return asyncio.sleep(0)", "is an await missing?"),
            ("return {line}", "(list(...) is)"),
        ):
            fail = self.trace(f"import asyncio\n@galewire.bolt\ndef f(line):\n    {body}\n")
            self.assertIn(words, fail["msg"])

    def test_a_file_that_does_not_load_shows_no_frames_of_python(self):
        for script, words in (("import nothing_like_it\n", "line 2"), ("def f(:\n", "line 2")):
            text = self.child(script, "f").command("error")["msg"]
            self.assertIn(words, text)
            self.assertNotIn("frozen", text)
            self.assertTrue(text.startswith("Traceback"), text)


if __name__ == "__main__":
    unittest.main()
