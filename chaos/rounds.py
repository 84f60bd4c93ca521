"""Plays a round: starts the topology, does each fault at its place, waits for the end, has the sink examined."""

import os
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Set, Tuple

from checks import Count, Findings, Window, examine, letters
from engine import Engine
from faults import KINDS, Fault, Fired
from processes import Process, listening_ports
from proxy import Proxy
from schedule import Round
from sink import Sample, Sink

LOOK_EVERY = 0.004
#: How often processes are looked for while one is to come back.
SEEK_EVERY = 0.01
MEMORY_EVERY = 0.25
#: A run that has not moved for so long is stuck.
STUCK_AFTER = 60.0
ENDS_WITHIN = 300.0
#: What a run says that lost a worker when all of its input was done.
LAST_STEP = "while final results were on their way"
#: What was in the sink this long before a loss of the spout was acked, and its position kept.
SETTLED_AFTER = 1.5
#: Faults that end workers.
LOSES_WORKERS = ("kill-worker", "stop-worker", "kill-supervisor")


@dataclass
class Recovery:
    """How long a fault was felt, in seconds."""

    kind: str
    #: Until what was hit was there again.
    back: Optional[float] = None
    #: Until the sink grew after that.
    flow: Optional[float] = None
    #: Until the spout had heard of the last message that failed by it.
    told: Optional[float] = None


@dataclass
class Outcome:
    """What a round has shown."""

    round: Round
    findings: Findings = field(default_factory=Findings)
    fired: Counter = field(default_factory=Counter)
    recoveries: List[Recovery] = field(default_factory=list)
    replayed: int = 0
    peak: int = 0
    #: Processes that bolts had started and that outlived the run.
    orphans: int = 0
    seconds: float = 0.0
    #: What is wrong.
    problems: List[str] = field(default_factory=list)
    #: Where the files are, with `story.txt`: what was done.
    folder: str = ""


@dataclass
class Watch:
    """A fault whose recovery is watched."""

    recovery: Recovery
    start: float
    back: Callable[[], bool]
    #: How much the sink held when it was back.
    level: Optional[int] = None


class World:
    """A round while it is played."""

    def __init__(self, plan: Round, binary: str, folder: str) -> None:
        self.round = plan
        self.case = plan.case
        self.proxy = Proxy(plan.case.workers, self._port_of) if plan.case.relayed else None
        topology = plan.case.topology(self.proxy and self.proxy.base)
        self.engine = Engine(binary, folder, topology, plan.lines)
        self.slots = self.engine.slots()
        self.sink = Sink([self.engine.path(f"sink-{task}.txt") for task in range(plan.case.sinks)])
        self.outcome = Outcome(plan, folder=folder)
        self._story = open(os.path.join(folder, "story.txt"), "w", encoding="utf-8", buffering=1)
        self._undo: List[Tuple[float, Callable[[], None]]] = []
        self._watches: List[Watch] = []
        self._windows: List[Tuple[Sample, Sample]] = []
        #: When the spout's own process was lost.
        self._spout_lost: Set[float] = set()
        #: From when to when faults lasted.
        self._faulted: List[Tuple[float, float]] = []
        self._half_lines: Dict[str, List[int]] = {path: [] for path in self.sink._paths}
        self._begin = self._calm_since = self._run_started = 0.0
        self._ends: Optional[Fired] = None
        self._seek_at = self._memory_at = 0.0

    def _port_of(self, slot: int) -> Optional[int]:
        """The port that a slot's worker listens on."""
        pid = self.engine.workers().get(slot)
        ports = listening_ports(pid) if pid else []
        return ports[0] if ports else None

    # What faults ask.

    def sink_length(self) -> int:
        return max(os.stat(path).st_size if os.path.exists(path) else 0
                   for path in self._half_lines)

    def has_spout(self, slot: int) -> bool:
        return slot in self.slots["lines"]

    def is_at_work(self, slot: int) -> bool:
        """Whether a slot's worker has begun: it has said so since it was lost last."""
        for heard, event in reversed(self.engine.events):
            if heard < self._run_started:
                return False
            kind = event["event"]
            if kind == "worker_replaced" and event["worker"] == slot or kind == "started":
                return True
            if kind == "worker_lost" and event["worker"] == slot:
                return False
        return False

    def replaced(self, slot: int) -> Callable[[], bool]:
        count = self._replacements(slot)
        return lambda: self._replacements(slot) > count

    def _replacements(self, slot: int) -> int:
        return sum(event["event"] == "worker_replaced" and event["worker"] == slot
                   for _, event in self.engine.events)

    # The round.

    def play(self) -> Outcome:
        self._begin = time.monotonic()
        try:
            self._start_run()
            self._drive()
            self._judge()
        finally:
            self.engine.close()
            if self.proxy:
                self.proxy.close()
            self._story.close()
        self.outcome.seconds = time.monotonic() - self._begin
        return self.outcome

    def _problem(self, text: str) -> None:
        self.outcome.problems.append(text)
        self._tell("PROBLEM: " + text)

    def _tell(self, text: str) -> None:
        self._story.write(f"{time.monotonic():.3f} {self.sink.count:>9,} {text}\n")

    def _start_run(self) -> None:
        self._run_started = time.monotonic()
        self._ends = None
        self.engine.start()

    def _drive(self) -> None:
        faults = list(self.round.faults)
        moved, level = time.monotonic(), 0
        while True:
            now = time.monotonic()
            self.sink.look(now)
            if self.sink.count != level:
                moved, level = now, self.sink.count
            self._undo_due(now)
            self._watch(now)
            code = self.engine.code()
            if code is not None:
                if not self._run_ended(code):
                    return
                moved = now
            elif faults and level >= faults[0].at and self._may_fire(now):
                if self._fire(faults[0], now):
                    faults.pop(0)
                    continue
            if trouble := self._trouble(now, moved):
                self._problem(trouble)
                return
            time.sleep(LOOK_EVERY)

    def _trouble(self, now: float, moved: float) -> Optional[str]:
        """Why it is of no use to wait for the end."""
        if now - moved > STUCK_AFTER:
            return f"stuck: the sink has not grown for {STUCK_AFTER:.0f} s"
        if now - self._begin > ENDS_WITHIN:
            return f"the round has not ended within {ENDS_WITHIN:.0f} s"
        if timed_out := self.engine.timed_out():
            return f"{timed_out} messages failed only when their time was up"
        return None

    def _may_fire(self, now: float) -> bool:
        if self._ends:
            return False
        if self.case.pace is None:
            return True
        if self._watches or self._undo:
            self._calm_since = now
        return now - self._calm_since >= self.case.pace

    def _fire(self, fault: Fault, now: float) -> bool:
        fired = KINDS[fault.kind](self, fault)
        if fired is None:
            return False
        self._tell(f"{fault}: {fired.target}")
        self.outcome.fired[fault.kind] += 1
        self._undo.extend((now + after, undo) for after, undo in fired.undo)
        recovery = Recovery(fault.kind)
        self.outcome.recoveries.append(recovery)
        if fired.back:
            self._watches.append(Watch(recovery, now, fired.back))
        if fired.spout_lost:
            self._note_window(now)
            self._spout_lost.add(now)
        self._faulted.append((now, now + fault.span))
        self._ends = self._ends or (fired if fired.ends else None)
        return True

    def _note_window(self, now: float) -> None:
        """What was acked before is not given out again. What an earlier fault held up may be."""
        since = now
        for begin, end in reversed(self._faulted):
            if since - max(end, self._back_at(begin)) > SETTLED_AFTER:
                break
            since = min(since, begin)
        before = self.sink.before(since - SETTLED_AFTER)
        # It has grown while the target was looked for.
        self.sink.look(time.monotonic())
        after = self.sink.sample(time.monotonic())
        self.sink.samples.append(after)
        self._windows.append((before, after))

    def _back_at(self, lost: float) -> float:
        """When workers were at work again after one was lost, or the run: nothing settles before that."""
        if lost not in self._spout_lost:
            return lost
        for heard, event in self.engine.events:
            if heard > lost and event["event"] in ("started", "worker_replaced"):
                return heard
        return time.monotonic()

    def _undo_due(self, now: float) -> None:
        for item in [item for item in self._undo if item[0] <= now]:
            self._undo.remove(item)
            item[1]()

    def _watch(self, now: float) -> None:
        if now >= self._memory_at:
            self._memory_at = now + MEMORY_EVERY
            self.outcome.peak = max(self.outcome.peak, self.engine.resident())
        if not self._watches:
            return
        seek = now >= self._seek_at
        if seek:
            self._seek_at = now + SEEK_EVERY
        for watch in list(self._watches):
            if watch.level is None:
                if seek and watch.back():
                    watch.recovery.back = now - watch.start
                    watch.level = self.sink.count
            elif self.sink.count > watch.level:
                watch.recovery.flow = now - watch.start
                self._watches.remove(watch)

    def _run_ended(self, code: int) -> bool:
        """Whether the topology is to be run again."""
        finished = self.engine.ended()
        self._check_left_over(self.engine.left_over())
        for _, undo in self._undo:
            undo()
        self._undo.clear()
        self._watches.clear()
        self.sink.look(time.monotonic())
        reason = str(finished.get("reason") if finished else "; ".join(self.engine.said[-3:]))
        # It is documented that this fails a run. Nothing may be missing all the same: nothing is final here.
        last_step = code == 1 and LAST_STEP in reason and self.outcome.fired["kill-worker"] > 0
        self._tell(f"the run has ended with {code}: {reason}")
        if self._ends and (code in self._ends.ends or last_step):
            for path, end in self.sink.half_lines().items():
                self._half_lines[path].append(end)
            acked = self.engine.counter("spout", "acked")
            if code == 0 and acked >= self.round.lines and not self._missing():
                return False
            self._start_run()
            return True
        if code != 0 and not last_step:
            self._problem(f"the run ended with exit code {code}: {reason}")
        return False

    def _check_left_over(self, left: List[Process]) -> None:
        """What a bolt started by itself outlives the bolt's worker where that is killed: it is not ours."""
        orphans = [process for process in left if process.command.startswith("heir ")]
        if orphans and any(kind in self.outcome.fired for kind in LOSES_WORKERS):
            self.outcome.orphans += len(orphans)
            left = [process for process in left if process not in orphans]
        if left:
            self._problem(f"{len(left)} processes were left 2 s after the end: "
                          + "; ".join(process.command for process in left))

    def _missing(self) -> bool:
        return self.sink.count < self.case.expected(self.round.lines)

    def _judge(self) -> None:
        windows = [Window(before, after, self.case.pending) for before, after in self._windows]
        count = Count(self.round.lines, self.case.fan_out, self.case.rejects)
        if self.case.rejects:
            count.put_aside, strange = letters(self.engine.path("dead.jsonl"))
            count.strange += strange
            if max(count.put_aside.values(), default=0) > 1 and not self._windows:
                self._problem("a dead letter came again although no spout was lost")
        findings = examine(list(self._half_lines), count, windows, self._half_lines)
        outcome = self.outcome
        outcome.findings = findings
        if self.case.told:
            self._note_told()
        outcome.replayed = replayed = self.engine.counter("spout", "replayed")
        if findings.lost:
            self._problem(f"{findings.lost} lost, first {findings.first_lost}")
        if findings.repeated_by_replay > replayed:
            self._problem(f"{findings.repeated_by_replay} messages came again, "
                          f"but {replayed} replays were recorded")
        if findings.late_by_replay > replayed:
            self._problem(f"{findings.late_by_replay} messages came late on their path, "
                          f"but {replayed} replays were recorded")
        if findings.strange:
            self._problem(f"{len(findings.strange)} lines that nobody sent: "
                          f"{findings.strange[:3]}")
        if not outcome.problems and (timed_out := self.engine.timed_out()):
            self._problem(f"{timed_out} messages failed only when their time was up")
        if self.case.strict and replayed:
            self._problem(f"{replayed} replays where nothing was to be given out again")
        unfired = len(self.round.faults) - sum(outcome.fired.values())
        if unfired and not outcome.problems:
            self._tell(f"{unfired} faults found no target before the end")

    def _note_told(self) -> None:
        """What the spout heard between a fault and the next is the first one's doing."""
        with open(self.engine.path("failed.txt"), encoding="ascii") as file:
            times = [float(line) for line in file]
        begins = [begin for begin, _ in self._faulted]
        for recovery, begin, end in zip(self.outcome.recoveries, begins, [*begins[1:], float("inf")]):
            heard = [time_ for time_ in times if begin < time_ < end]
            recovery.told = max(heard) - begin if heard else None


def play(plan: Round, binary: str, keep: bool = False) -> Outcome:
    """Plays a round in a folder of its own, which stays where something is wrong."""
    folder = tempfile.mkdtemp(prefix="chaos-")
    stays = keep
    try:
        outcome = World(plan, binary, folder).play()
        stays = keep or bool(outcome.problems)
        return outcome
    finally:
        if not stays:
            shutil.rmtree(folder)
