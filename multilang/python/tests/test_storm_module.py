"""Scripts written for Storm's storm.py, run as they are, over batch frames and over Storm's."""

import subprocess
import sys
import unittest

try:
    from .engine import SDK, ChildCase, context
except ImportError:
    from engine import SDK, ChildCase, context

SPLIT = """
import storm

class SplitSentenceBolt(storm.BasicBolt):
    def initialize(self, conf, context):
        storm.logInfo("task %d of %s" % (context["taskid"], conf["topology.name"]))

    def process(self, tup):
        print("a stray print")
        words = tup.values[0].split(" ")
        for word in words:
            storm.emit([word])

SplitSentenceBolt().run()
"""

BY_HAND = """
import storm

class ByHand(storm.Bolt):
    def process(self, tup):
        word = tup.values[0]
        if word == "ids":
            ids = storm.emit([word], anchors=[tup])
            storm.log("%d ids %s %s" % (len(ids), ids, [0] + ids))
            assert isinstance(ids, list) and ids == [5, 6] and ids[0] == 5 and 6 in ids
        elif word == "kept":
            self.ids = storm.emit([word], anchors=[tup])
        elif word == "late":
            storm.log(",".join(map(str, self.ids)))
        elif word == "direct":
            assert storm.emitDirect(6, [word], stream="other", anchors=[tup]) is None
        elif word == "free":
            storm.emit([word])
        elif word == "hold":
            self.held = tup
            storm.emit(["held"], anchors=[tup])
            return
        elif word == "release":
            storm.emit(["both"], anchors=[self.held, tup])
            storm.ack(self.held)
        elif word == "bad":
            storm.fail(tup)
            return
        storm.ack(tup)

ByHand().run()
"""

SPOUT = """
import storm

class Numbers(storm.Spout):
    def initialize(self, conf, context):
        self.next_id = 0

    def nextTuple(self):
        if self.next_id < 3:
            self.next_id += 1
            storm.emit(["n%d" % self.next_id], id=self.next_id)

    def ack(self, id):
        storm.logInfo("acked %r" % id)

    def fail(self, id):
        storm.emit(["again"], id=id)

    def activate(self):
        storm.logWarn("activated")

    def deactivate(self):
        storm.logError("deactivated")

Numbers().run()
"""


def sync(element):
    return element.get("command") == "sync"


class Batch(ChildCase):
    def test_basic_bolt_travels_in_the_compact_form(self):
        child = self.child(SPLIT)
        self.assertEqual(child.answer["batch"], 1)
        self.assertNotIn("replay", child.answer)
        child.rows(1, ["a b"], ["c"])
        child.acks(2)
        self.assertEqual(child.emitted(), [("1", ["a"]), ("1", ["b"]), ("2", ["c"])])
        self.assertFalse([e for e in child.elements if e.get("command") in ("emit", "ack")])
        self.assertEqual(child.finish(), 0)
        logs = ["task 2 of test", "a stray print", "a stray print"]
        self.assertEqual(sorted(child.logs()), sorted(logs))
        self.assertEqual(child.stderr, "")

    def test_an_exception_fails_its_tuple_alone_and_names_the_line(self):
        child = self.child(SPLIT)
        child.rows(1, ["a"], [42], ["c"])
        child.acks(2)
        fail = child.command("fail")
        self.assertEqual((fail["id"], child.acked()), ("2", ["1", "3"]))
        self.assertIn("AttributeError", fail["msg"])
        self.assertIn("script.py:10", fail["msg"])
        self.assertNotIn("storm_run", fail["trace"])
        self.assertNotIn("storm.py", fail["trace"])

    def test_ids_are_asked_for_only_where_they_are_kept(self):
        child = self.child(BY_HAND, ctx=context(other=["word"]))
        child.rows(1, ["free"], ["ids"], ["kept"])
        asked = child.command("emit", 2)
        self.assertEqual((asked["tuple"], asked["anchors"]), (["ids"], ["2"]))
        self.assertNotIn("need_task_ids", asked)
        child.send({"command": "task_ids", "ids": [5, 6]})
        child.acks(3)
        child.rows(4, ["late"])
        child.send({"command": "task_ids", "ids": [7]})
        child.acks(4)
        child.wait(lambda e: e.get("msg") == "7")
        self.assertIn("2 ids [5, 6] [0, 5, 6]", child.logs())
        unasked = [e for e in child.elements if e.get("need_task_ids") is False]
        self.assertEqual([e["tuple"] for e in unasked], [["free"]])

    def test_bolt_acks_fails_and_anchors_by_hand(self):
        child = self.child(BY_HAND, ctx=context(other=["word"]))
        child.rows(1, ["hold"], ["plain"], ["bad"], ["direct"], ["release"])
        child.acks(4)
        self.assertEqual(child.acked(), ["2", "4", "1", "5"])
        self.assertEqual(child.command("fail")["id"], "3")
        self.assertIn({"emit": 1, "tuples": [["held"]]}, child.elements)
        emits = [e for e in child.elements if e.get("command") == "emit"]
        self.assertEqual(emits, [
            {"command": "emit", "tuple": ["direct"], "anchors": ["4"], "stream": "other",
             "task": 6, "need_task_ids": False},
            {"command": "emit", "tuple": ["both"], "anchors": ["1", "5"],
             "need_task_ids": False},
        ])

    def test_emits_of_a_tuple_that_stays_open_are_sent_while_the_bolt_waits(self):
        child = self.child(BY_HAND)
        child.rows(1, ["hold"])
        child.wait(lambda e: e.get("emit") == 1)
        self.assertEqual(child.acked(), [])

    def test_kept_ids_do_not_hold_an_emit_back_while_the_handler_is_busy(self):
        script = """
        import storm, time
        class Slow(storm.BasicBolt):
            def process(self, tup):
                ids = storm.emit(["first"])
                while not storm.ended: time.sleep(0.01)
        import signal
        storm.ended = False
        def end(*_): storm.ended = True
        signal.signal(signal.SIGUSR1, end)
        Slow().run()
        """
        import signal
        child = self.child(script)
        child.rows(1, ["x"])
        self.assertEqual(child.command("emit")["tuple"], ["first"])
        child.process.send_signal(signal.SIGUSR1)
        child.send({"command": "task_ids", "ids": [5]})
        child.acks(1)

    def test_heartbeats_ticks_and_marks_are_answered_behind_the_tuples(self):
        script = """
        import storm
        class B(storm.BasicBolt):
            def process(self, tup):
                storm.log("%s %s" % (tup.stream, tup.values))
        B().run()
        """
        child = self.child(script)
        child.rows(1, ["x"])
        child.tick()
        child.heartbeat()
        child.send({"command": "drain", "id": "7"}, {"command": "end", "id": "8"})
        child.command("ended")
        said = [e.get("command", e) for e in child.elements[1:] if e.get("command") != "log"]
        self.assertEqual(said, [{"done": 1, "count": 1}, "ack", "sync", "drained", "ended"])
        self.assertEqual(child.logs(), ["default ['x']", "__tick [1]"])

    def test_spout_answers_next_with_as_many_as_it_has(self):
        child = self.child(SPOUT)
        child.send({"command": "activate", "id": ""}, {"command": "next", "max": 256})
        child.wait(sync)
        messages = [m for e in child.elements for m in e.get("messages", ())]
        self.assertEqual(messages, [[1, ["n1"]], [2, ["n2"]], [3, ["n3"]]])
        child.send({"command": "ack", "ids": [1, 3]}, {"command": "fail", "ids": [2]})
        child.send({"command": "deactivate", "id": ""}, {"command": "next", "max": 1})
        child.wait(sync, 2)
        messages = [m for e in child.elements for m in e.get("messages", ())]
        self.assertEqual(messages[3:], [[2, ["again"]]])
        self.assertEqual(child.finish(), 0)
        self.assertEqual(len([e for e in child.elements if sync(e)]), 2)
        self.assertEqual(child.logs(), ["activated", "acked 1", "acked 3", "deactivated"])

    def test_spout_gives_one_message_for_each_one_wanted(self):
        child = self.child(SPOUT)
        child.send({"command": "next", "max": 2})
        child.wait(sync)
        self.assertEqual(child.elements[1], {"messages": [[1, ["n1"]], [2, ["n2"]]]})

    def test_an_exception_of_a_bolt_by_hand_is_reported_and_ends_it(self):
        child = self.child("import storm\nclass B(storm.Bolt):\n"
                           "    def process(self, tup): 1 / 0\nB().run()\n")
        child.rows(1, ["x"])
        self.assertEqual(child.ended(), 1)
        error = child.command("error")["msg"]
        self.assertIn("ZeroDivisionError", error)
        self.assertNotIn("storm_run", error)


class OwnLoop(ChildCase):
    SCRIPT = """
    import storm
    conf, context = storm.initComponent()
    while True:
        tup = storm.readTuple()
        if tup.is_heartbeat_tuple():
            storm.sync()
            continue
        storm.emitBolt([tup.values[0] + "!"], anchors=[tup])
        storm.sendMsgToParent({"command": "ack", "id": tup.id})
    """

    def test_a_script_may_read_and_answer_by_itself(self):
        for batch in (True, False):
            child = self.child(self.SCRIPT, batch=batch)
            if batch:
                child.rows(1, ["x"])
            else:
                child.tuple("1", "x")
            child.heartbeat()
            child.command("sync")
            self.assertEqual(child.acked(), ["1"])
            self.assertEqual(child.emitted(), [("1", ["x!"])])
            self.assertEqual(child.finish(), 0)
            self.assertEqual(child.stderr, "")

    def test_commands_of_a_spout_come_singly_and_syncs_answer_next_alone(self):
        script = """
        import storm
        storm.initComponent()
        while True:
            command = storm.readCommand()
            storm.log("%s %s" % (command["command"], command.get("id")))
            if command["command"] == "next":
                storm.emitSpout(["x"], id="m")
            storm.sync()
        """
        child = self.child(script)
        child.send({"command": "ack", "ids": [1, 2]}, {"command": "next", "max": 9})
        child.wait(sync)
        self.assertEqual(child.finish(), 0)
        self.assertEqual(child.logs(), ["ack 1", "ack 2", "next None"])
        self.assertEqual(len([e for e in child.elements if sync(e)]), 1)

    def test_emit_before_run_says_what_to_use(self):
        child = self.child("import storm\nstorm.initComponent()\nstorm.emit(['x'])\n")
        self.assertEqual(child.ended(), 1)
        self.assertIn("emitBolt", child.stderr)


class Storm(ChildCase):
    """An engine that offers no batch frames."""

    def test_basic_bolt(self):
        child = self.child(SPLIT, batch=False)
        self.assertEqual(list(child.answer), ["pid"])
        child.tuple("-42", "a b")
        child.tuple("43", 42)
        child.heartbeat()
        child.command("sync")
        said = [e for e in child.elements[1:] if e.get("command") != "log"]
        emit = {"command": "emit", "anchors": ["-42"], "need_task_ids": False}
        self.assertEqual(said[:3], [{**emit, "tuple": ["a"]}, {**emit, "tuple": ["b"]},
                                    {"command": "ack", "id": "-42"}])
        self.assertEqual(child.command("fail")["id"], "43")
        self.assertIn("AttributeError", child.command("error")["msg"])
        self.assertEqual(child.finish(), 0)

    def test_task_ids_come_as_a_bare_array(self):
        child = self.child(BY_HAND, batch=False)
        child.tuple("1", "ids")
        child.command("emit")
        child.tuple("2", "bad")
        child.send_raw("[5,6]")
        child.command("fail")
        self.assertEqual(child.acked(), ["1"])
        child.wait(lambda e: e.get("msg") == "2 ids [5, 6] [0, 5, 6]")

    def test_spout_syncs_after_every_command(self):
        child = self.child(SPOUT, batch=False)
        for count, command in enumerate(["activate", "next", "fail", "ack", "next"], 1):
            child.send({"command": command, "id": 1 if command in ("ack", "fail") else ""})
            child.wait(sync, count)
        emits = [e for e in child.elements if e.get("command") == "emit"]
        self.assertEqual([(e["tuple"], e["id"]) for e in emits],
                         [(["n1"], 1), (["again"], 1), (["n2"], 2)])
        self.assertEqual(child.finish(), 0)


class Importing(ChildCase):
    def test_a_storm_module_beside_the_script_comes_first(self):
        child = self.child("import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n"
                           "open('storm.py', 'w').write('mine = 1')\n"
                           "import storm\nassert storm.mine == 1\n"
                           "print('{\"pid\": 1}\\nend')\n")
        self.assertEqual(child.ended(), 0)

    def test_importing_changes_nothing(self):
        run = subprocess.run([sys.executable, "-c", "import storm; print('out')"],
                             env={"PYTHONPATH": SDK}, capture_output=True, text=True)
        self.assertEqual((run.stdout, run.stderr), ("out\n", ""))

    def test_what_was_printed_before_does_not_stand_before_the_handshake(self):
        child = self.child("print('early')\n" + SPLIT, env={"PYTHONUNBUFFERED": ""})
        self.assertEqual(child.finish(), 0)
        self.assertEqual(child.stderr, "early\n")


if __name__ == "__main__":
    unittest.main()
