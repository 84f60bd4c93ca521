"""The process around a component: stdout, logs, imports, usage."""

import os
import pty
import subprocess
import sys
import unittest

try:
    from .engine import SDK, ChildCase
except ImportError:
    from engine import SDK, ChildCase


class StandardStreams(ChildCase):
    def test_prints_are_log_lines_and_cannot_harm_the_protocol(self):
        script = """
        import os, subprocess, sys
        print("at import")
        @galewire.bolt
        def f(line):
            print("half", end=" ")
            print("whole\\nnext \\u00e9")
            sys.stdout.buffer.write(b"bytes\\n")
            subprocess.run(["echo", "grandchild"])
            os.write(1, b"raw\\n")
            assert sys.stdin.read() == ""
            yield line
            print("rest", end="")
        """
        child = self.child(script, "f")
        child.rows(1, ["x"])
        child.acks(1)
        self.assertEqual(child.finish(), 0)
        self.assertEqual(
            child.logs(), ["at import", "half whole", "next \u00e9", "bytes", "rest"])
        levels = {e["level"] for e in child.elements if e.get("command") == "log"}
        self.assertEqual(levels, {2})
        self.assertEqual(child.stderr, "grandchild\nraw\n")
        self.assertEqual(child.emitted(), [("1", ["x"])])

    def test_log_levels_are_kept(self):
        script = """
        import logging, warnings
        class B(galewire.Bolt):
            def process(self, tup):
                self.log.log(5, "trace")
                self.log.debug("debug")
                self.log.info("info %d", 1)
                self.log.warning("warn")
                self.log.error("error")
                self.log.critical("critical")
                logging.getLogger("lib").warning("from lib")
                try:
                    1 / 0
                except ZeroDivisionError:
                    self.log.exception("caught")
        """
        child = self.child(script, "B")
        child.rows(1, ["x"])
        child.acks(1)
        logs = [(e["level"], e["msg"]) for e in child.elements if e.get("command") == "log"]
        self.assertEqual(
            logs[:-1],
            [(0, "trace"), (1, "debug"), (2, "info 1"), (3, "warn"), (4, "error"),
             (4, "critical"), (3, "lib: from lib")],
        )
        self.assertEqual(logs[-1][0], 4)
        self.assertIn("ZeroDivisionError", logs[-1][1])


class Starting(ChildCase):
    def test_failed_import_is_the_components_error(self):
        for script in ("import no_such_module\n", "def f(:\n", "import sys; sys.exit(0)\n"):
            child = self.child(script, "f")
            self.assertEqual(child.answer["batch"], 1)
            self.assertIn("script.py", child.command("error")["msg"])
            self.assertEqual(child.ended(), 1)
            self.assertEqual(child.stderr, "", "said once, as the component's error")

    def test_missing_or_plain_names_are_explained(self):
        script = "@galewire.bolt\ndef split(line): pass\ndef plain(x): pass\nnumber = 3\n"
        for name, text in (
            ("splitt", "has no 'splitt'; did you mean 'split'?"),
            ("plain", "is a plain function: put @galewire.bolt (or spout) above it"),
            ("number", "is a int, neither a bolt nor a spout"),
        ):
            child = self.child(script, name)
            self.assertIn(text, child.command("error")["msg"])
            self.assertEqual(child.ended(), 1)

    def test_neighbours_of_the_script_can_be_imported(self):
        script = """
        import os
        with open(os.path.join(os.path.dirname(__file__), "near.py"), "w") as file:
            file.write("WORD = 'near'")
        import near
        @galewire.bolt
        def f(line): return near.WORD
        """
        child = self.child(script, "f")
        child.rows(1, ["x"])
        child.acks(1)
        self.assertEqual(child.emitted(), [("1", ["near"])])

    def test_stdin_closed_before_the_handshake_is_a_clean_end(self):
        done = subprocess.run(
            [sys.executable, "-m", "galewire", "x.py:f"],
            stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "PYTHONPATH": SDK},
        )
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_text_that_is_no_handshake_explains_how_to_run_it(self):
        for text in ("hello\n", "hello\nend\n", "{}\nend\n"):
            done = subprocess.run(
                [sys.executable, "-m", "galewire", "x.py:f"], input=text, capture_output=True,
                env={**os.environ, "PYTHONPATH": SDK}, text=True,
            )
            self.assertEqual(done.returncode, 2)
            self.assertIn("galewire bolt topology.toml NAME", done.stderr)

    def test_typed_by_hand_it_explains_itself(self):
        master, slave = pty.openpty()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "galewire", "x.py:f"],
                stdin=slave, capture_output=True, env={**os.environ, "PYTHONPATH": SDK}, text=True,
            )
        finally:
            os.close(master)
            os.close(slave)
        self.assertEqual(done.returncode, 2)
        self.assertIn("galewire run topology.toml", done.stderr)


if __name__ == "__main__":
    unittest.main()
