"""Sums rounds up and prints them."""

import math
import os
from collections import Counter, defaultdict
from typing import Dict, List

from memory import MIB
from outcome import Outcome

#: Seconds, for faults that come alone: until a child's successor is started, until a lost worker's messages are on their way again.
PROMISED = [("recovery", "kill-child", "back", 0.5), ("recovery", "kill-worker", "flow", 1.0),
            ("told", "kill-child", "told", 0.05)]

#: Seconds until a sink that stood still is at full speed again.
FULL_SPEED_WITHIN = 2.0

#: The part of the faults that must have kept their time. The very worst tells of whatever else the machine does.
JUDGED = 0.99


def percentile(values: List[float], part: float) -> float:
    """The least value that is not exceeded by this part of all."""
    return sorted(values)[max(0, math.ceil(len(values) * part) - 1)]


class Report:
    """All rounds of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.outcomes: List[Outcome] = []
        #: Promised times that were not kept.
        self.late: List[str] = []

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        plan, findings = outcome.round, outcome.findings
        print(f"seed {plan.seed} round {plan.number:3} {plan.case.name:8} "
              f"{findings.numbers:>9,} tuples  {sum(outcome.fired.values()):3} faults  "
              f"{findings.lost} lost  {findings.repeated:>6,} repeated  {outcome.replayed:>6,} replays  "
              f"{findings.late:>6,} late  {outcome.peak >> 20:4} MiB  {outcome.seconds:5.1f} s", flush=True)
        for problem in outcome.problems:
            print(f"    {problem}")
        if outcome.problems:
            print(f"    to repeat: {plan.repeat()}\n    what was done, and the files: {outcome.folder}")

    @property
    def failed(self) -> bool:
        return any(outcome.problems for outcome in self.outcomes) or bool(self.late)

    def judge_times(self) -> None:
        """Compares what was felt of faults that came alone with what is promised."""
        for case, kind, name, most in PROMISED:
            values = [value for outcome in self.outcomes if outcome.round.case.name == case
                      for recovery in outcome.recoveries if recovery.kind == kind
                      if (value := getattr(recovery, name)) is not None]
            if values and percentile(values, JUDGED) > most:
                self.late.append(f"{kind}: {percentile(values, JUDGED) * 1000:.0f} ms at p99 until "
                                 f"{name}, promised are {most * 1000:.0f} ms")
        for outcome in self.outcomes:
            if (after := outcome.full_speed) is not None and after > FULL_SPEED_WITHIN:
                self.late.append(f"a stopped sink was at full speed again after {after:.2f} s, promised are {FULL_SPEED_WITHIN:.0f} s")

    def enough(self, tuples: int, faults: int) -> bool:
        return self.tuples() >= tuples and sum(self.fired().values()) >= faults

    def tuples(self) -> int:
        return sum(outcome.findings.numbers for outcome in self.outcomes)

    def fired(self) -> Counter:
        return sum((outcome.fired for outcome in self.outcomes), Counter())

    def print(self) -> None:
        fired = self.fired()
        times: Counter = Counter()
        felt: Dict[str, Dict[str, List[float]]] = defaultdict(lambda: defaultdict(list))
        for outcome in self.outcomes:
            for recovery in outcome.recoveries:
                # Alone: nothing else was wrong at the time.
                alone = " (alone)" if outcome.round.case.pace is not None else ""
                times[recovery.kind + alone] += 1
                for name in ("told", "back", "flow"):
                    if (value := getattr(recovery, name)) is not None:
                        felt[recovery.kind + alone][name].append(value)
        print(f"\n {'fault':20} {'times':>6}   {'told p50':>9} {'p99':>9}   {'back p50':>9} {'p99':>9}   {'flowing p50':>11} {'p99':>9}")
        for kind, count in sorted(times.items()):
            cells = [self._pair(felt[kind][name]) for name in ("told", "back", "flow")]
            print(f" {kind:20} {count:6}   {cells[0]}   {cells[1]}     {cells[2]}")
        self._print_memory()
        for outcome in self.outcomes:
            self._print_stop(outcome)
        kills = sum(count for kind, count in fired.items() if kind.startswith("kill-"))
        findings = [outcome.findings for outcome in self.outcomes]
        total = lambda name: sum(getattr(finding, name) for finding in findings)
        print(f"\nseed {self.seed}: {len(self.outcomes)} rounds, {sum(fired.values()):,} faults ({kills:,} kills), "
              f"{self.tuples():,} tuples in {sum(o.seconds for o in self.outcomes):.0f} s; "
              f"{total('lost')} lost, {total('repeated'):,} repeated and {total('late'):,} late "
              f"with {sum(o.replayed for o in self.outcomes):,} replays; "
              f"peak memory {max((o.peak for o in self.outcomes), default=0) >> 20} MiB")
        if self.late:
            load = os.getloadavg()[1]
            print(f"load of the machine over the last five minutes: {load:.1f} on {os.cpu_count()} processors; times are those of a machine that does nothing else")
        for problem in self.late:
            print(problem)
        print("FAILED" if self.failed else "nothing lost, every repetition explained")

    def _print_memory(self) -> None:
        """The most that any process of a kind has taken."""
        peaks: Dict[str, int] = {}
        for outcome in self.outcomes:
            for role, peak in outcome.peaks.items():
                kind = "worker" if role.startswith("worker") else role.split("(")[-1].rstrip(")")
                peaks[kind] = max(peak, peaks.get(kind, 0))
        print("\nmost memory of one process: " + ", ".join(f"{kind} {peak / MIB:.1f} MiB" for kind, peak in sorted(peaks.items())))

    @staticmethod
    def _print_stop(outcome: Outcome) -> None:
        """What a sink that stood still has shown."""
        for role, (early, late) in sorted(outcome.grown.items()):
            print(f"stopped for {outcome.round.case.stands_still:.0f} s: {role} {early / MIB:.1f} MiB at first, {late / MIB:.1f} MiB at last")
        if outcome.full_speed is not None:
            print(f"stopped for {outcome.round.case.stands_still:.0f} s: {outcome.replayed} replays, "
                  f"at full speed again after {outcome.full_speed:.2f} s")

    @staticmethod
    def _pair(values: List[float]) -> str:
        if not values:
            return f"{'-':>9} {'-':>9}"
        return " ".join(f"{percentile(values, part) * 1000:6.0f} ms" for part in (0.5, 0.99))
