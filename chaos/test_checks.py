"""What the checks find, and what they let pass; that plans follow from their seed."""

import os
import tempfile
import time
import unittest
from types import SimpleNamespace
from typing import List

from checks import Count, Findings, Window, examine, left_behind
from engine import LEFTOVERS_WITHIN, Engine
from faults import SHORT, WAITED_FOR, Fired
from outcome import Recovery
from rounds import Watch, World
from schedule import plan_round
from sink import Sample
from topologies import CASES, named

LINES, FAN_OUT = 100, 2


def whole() -> List[str]:
    return [f"{number}\t7.8" for number in range(LINES * FAN_OUT)]


class Checks(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "sink")

    def tearDown(self) -> None:
        self.folder.cleanup()

    def examine(self, lines: List[str], windows=(), half_lines=(), rejects=0) -> Findings:
        text = "".join(line + "\n" for line in lines)
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)
        count = Count(LINES, FAN_OUT, rejects)
        return examine([self.path], count, list(windows), {self.path: list(half_lines)})

    def window(self, before: int, after: int, lines: List[str], pending: int = 1, untold: int = 0) -> Window:
        length = lambda count: sum(len(line) + 1 for line in lines[:count])
        return Window(Sample(1.0, {self.path: length(before)}), Sample(2.0, {self.path: length(after)}),
                      pending, untold)

    def test_a_whole_sink_shows_nothing(self) -> None:
        findings = self.examine(whole())
        self.assertEqual(findings, Findings(numbers=LINES * FAN_OUT))

    def test_what_is_missing_is_lost(self) -> None:
        lines = whole()
        del lines[50]
        findings = self.examine(lines)
        self.assertEqual((findings.lost, findings.first_lost), (1, [50]))

    def test_what_comes_again_needs_a_replay(self) -> None:
        lines = whole()
        findings = self.examine(lines + [lines[10], lines[11]])
        self.assertEqual((findings.repeated, findings.repeated_by_replay), (1, 1))
        self.assertEqual((findings.late, findings.late_by_replay), (1, 1))

    def test_what_the_spout_had_not_finished_may_come_again_when_it_is_lost(self) -> None:
        lines = whole()[:100] + whole()[90:]
        window = self.window(80, 100, lines)
        findings = self.examine(lines, [window])
        self.assertEqual((findings.repeated, findings.repeated_by_replay), (5, 0))
        self.assertEqual((findings.late, findings.late_by_replay), (5, 0))

    def test_what_it_had_finished_may_not(self) -> None:
        lines = whole()[:100] + whole()[70:]
        findings = self.examine(lines, [self.window(80, 100, lines)])
        self.assertEqual((findings.repeated, findings.repeated_by_replay), (15, 5))

    def test_what_it_had_not_finished_comes_again_once(self) -> None:
        lines = whole()[:100] + whole()[90:100] + whole()[90:]
        findings = self.examine(lines, [self.window(80, 100, lines)])
        self.assertEqual((findings.repeated, findings.repeated_by_replay), (10, 5))

    def test_what_it_had_not_reported_is_no_more_than_was_in_flight_at_each_failure(self) -> None:
        lines = whole()[:100] + 2 * whole()[90:100] + whole()[90:]
        for untold, pending, unexplained in [(0, 5, 10), (1, 5, 5), (2, 5, 0), (2, 4, 2)]:
            findings = self.examine(lines, [self.window(80, 100, lines, pending, untold)])
            self.assertEqual((findings.repeated, findings.repeated_by_replay), (15, unexplained))

    def test_what_it_had_finished_it_cannot_have_failed_to_report(self) -> None:
        lines = whole()[:100] + whole()[70:]
        findings = self.examine(lines, [self.window(80, 100, lines, 50, 9)])
        self.assertEqual(findings.repeated_by_replay, 5)

    def test_a_loss_explains_only_what_is_around_it(self) -> None:
        lines = whole()[:100] + 2 * whole()[90:100] + whole()[90:]
        windows = [self.window(80, 100, lines, 5, 0), self.window(160, 180, lines, 5, 9)]
        self.assertEqual(self.examine(lines, windows).repeated_by_replay, 10)

    def test_what_overtakes_on_a_path_is_late(self) -> None:
        lines = whole()
        lines[10], lines[12] = lines[12], lines[10]
        self.assertEqual(self.examine(lines).late_by_replay, 1)
        lines[12] = lines[12].replace("7.8", "7.9")
        lines[11] = lines[11].replace("7.8", "7.9")
        self.assertEqual(self.examine(lines).late, 1)

    def test_a_line_that_nobody_sent_is_strange(self) -> None:
        for strange in ["200\t7", "x\t7", "1", "-1\t7"]:
            self.assertEqual(self.examine(whole() + [strange]).strange, [strange])

    def test_half_a_line_of_a_killed_run_is_passed_over(self) -> None:
        lines = whole()
        end = sum(len(line) + 1 for line in lines[:20]) + 3
        findings = self.examine([*lines[:20], "999", *lines[20:]], half_lines=[end])
        self.assertEqual((findings.lost, findings.strange), (0, []))

    def test_what_is_to_be_rejected_may_not_arrive(self) -> None:
        findings = self.examine(whole(), rejects=50)
        self.assertEqual(len(findings.strange), 2)


#: In place of the real binary: it ends at once, and leaves a process in a session of its own.
LEAVES = "#!/bin/sh\nsetsid sleep {} 2> /dev/null &\n"


class LeftBehind(unittest.TestCase):
    def left_of(self, script: str) -> List[str]:
        with tempfile.TemporaryDirectory() as folder:
            binary = os.path.join(folder, "binary")
            with open(binary, "w", encoding="utf-8") as file:
                file.write(script)
            os.chmod(binary, 0o700)
            engine = Engine(binary, folder, "", 1)
            try:
                engine.start()
                while engine.code() is None:
                    time.sleep(0.01)
                return left_behind(engine.left_over())
            finally:
                engine.close()

    def test_one_that_stays_is_wrong_whoever_started_it(self) -> None:
        found = self.left_of(LEAVES.format(60))
        self.assertEqual(found, ["1 processes were left 2 s after the end: sleep 60 "])

    def test_one_that_goes_in_time_is_not(self) -> None:
        self.assertEqual(self.left_of(LEAVES.format(LEFTOVERS_WITHIN / 4)), [])


class Failures(unittest.TestCase):
    """How often what is in flight may have failed before the spout's worker is killed."""

    def untold(self, *faults, lost: Fired = Fired("worker 0", spout_lost=True), run_started: float = 0.0, awaited=()) -> int:
        world = World.__new__(World)
        world._run_started = run_started
        recoveries = [Recovery(kind, back) for kind, _, _, back in faults]
        world.outcome = SimpleNamespace(recoveries=[*recoveries, Recovery("kill-worker")])
        world._watches = [Watch(recoveries[at], 0.0, lambda: False) for at in awaited]
        world.faulted = [(begin, end) for _, begin, end, _ in faults]
        return world._untold(lost, 10.0)

    def test_a_fault_just_before_counts(self) -> None:
        self.assertEqual(self.untold(("kill-child", 9.0, 9.0, None)), 1)
        self.assertEqual(self.untold(("kill-child", 9.0, 9.0, None), ("kill-worker", 9.5, 9.5, None)), 3)

    def test_what_was_over_and_reported_does_not(self) -> None:
        self.assertEqual(self.untold(("kill-child", 8.0, 8.0, 0.1)), 0)
        self.assertEqual(self.untold(("kill-worker", 9.0, 9.0, None), run_started=9.5), 0)

    def test_it_counts_for_as_long_as_it_lasts(self) -> None:
        self.assertEqual(self.untold(("full-disk", 8.0, 9.0, None), ("kill-child", 7.0, 7.0, 2.0)), 2)
        self.assertEqual(self.untold(("kill-child", 7.0, 7.0, None), ("kill-child", 7.0, 7.0, None), awaited=[1]), 1)

    def test_nothing_fails_of_what_is_waited_for(self) -> None:
        for kind in WAITED_FOR:
            self.assertEqual(self.untold((kind, 9.0, 9.5, None)), 0)
        self.assertEqual(self.untold(("stop-worker", 9.0, 9.0 + SHORT, None)), 0)
        self.assertEqual(self.untold(("stop-worker", 8.0, 9.5, None)), 2)

    def test_a_killed_run_has_not_told_for_longer_and_one_that_is_asked_to_end_tells_all(self) -> None:
        for ends, untold in [((-9,), 1), ((0,), 0)]:
            lost = Fired("supervisor", spout_lost=True, ends=ends)
            self.assertEqual(self.untold(("kill-child", 8.0, 8.0, None), lost=lost), untold)


class Plans(unittest.TestCase):
    def test_a_seed_gives_one_plan(self) -> None:
        for case in CASES:
            plans = [plan_round(seed, 3, case, 10_000, 20) for seed in (1, 1, 2)]
            self.assertEqual(plans[0], plans[1])
            self.assertNotEqual(plans[0].faults, plans[2].faults)
            self.assertEqual(plans[0].faults, sorted(plans[0].faults, key=lambda fault: fault.at))

    def test_no_worker_is_lost_more_often_than_it_is_replaced(self) -> None:
        plan = plan_round(1, 0, named("chain"), 250_000, 200)
        for slot in range(plan.case.workers):
            lost = [fault for fault in plan.faults if fault.choice % plan.case.workers == slot
                    and (fault.kind == "kill-worker" or fault.kind == "stop-worker" and fault.span > 1)]
            self.assertEqual(len(lost), 7)

    def test_a_plan_can_be_repeated_by_its_command(self) -> None:
        plan = plan_round(5, 7, named("diamond"), 250_000, 25)
        again = plan_round(5, 7, named("diamond"), plan.case.expected(plan.lines), len(plan.faults))
        self.assertEqual(plan, again)


if __name__ == "__main__":
    unittest.main()
