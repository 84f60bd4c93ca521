"""Plays a round: starts the topology, does each fault at its place, waits for the end, has the sink examined."""

import os
import shutil
import tempfile
import time
import traceback
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Set, Tuple

from checks import left_behind
from disks import Disk, mounts_of_its_own
from engine import Engine
from faults import KINDS, LOSES_WORKERS, Fault, Fired, failures
from outcome import Outcome, Recovery
from processes import listening_ports
from proxy import Proxy
from schedule import Round
from sink import Sample, Sink
from verdict import judge

LOOK_EVERY = 0.004
#: A sink that has not grown for so long does not grow at the moment.
FLOWS_WITHIN = 0.05
#: How often processes are looked for while one is to come back.
SEEK_EVERY = 0.01
MEMORY_EVERY = 0.25
#: A run that has not moved for so long is stuck.
STUCK_AFTER = 60.0
ENDS_WITHIN = 300.0
#: The exit code of a run that is complete, but has lost what bolts kept in memory.
FORGOT = 4
#: What was in the sink this long before a loss of the spout was acked, and its position kept.
SETTLED_AFTER = 1.5
#: The replays that a fault brought are reported this long after it was over. A worker reports every 0.2 s; a message may wait 0.5 s.
REPORTED_AFTER = 1.5
#: How often a run tells what was reported; where the supervisor is killed the rest is gone.
TELLS_EVERY = 1.0
#: Bytes of a small disk, and what comes on top for each number of the sink.
DISK, DISK_FOR_EACH = 16 << 20, 64


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

    def __init__(self, plan: Round, binary: str, folder: str, mounts: bool) -> None:
        self.round = plan
        self.case = plan.case
        #: Small file systems by what is on them; none where mounting is not permitted.
        self.disks: Dict[str, Disk] = {}
        if mounts:
            size = DISK + DISK_FOR_EACH * plan.case.expected(plan.lines)
            self.disks = {name: Disk(os.path.join(folder, path), size) for name, path in plan.case.disks.items()}
        self.proxy = Proxy(plan.case.workers, self._port_of) if plan.case.relayed else None
        topology = plan.case.topology(self.proxy and self.proxy.base)
        self.engine = Engine(binary, folder, topology, plan.lines)
        self.slots = self.engine.slots()
        for path in plan.case.disks.values():
            os.makedirs(self.engine.path(path), exist_ok=True)
        self.waiting = self.engine.may_wait()
        self.sink = Sink([self.engine.path(name) for name in plan.case.sink_files()])
        self.outcome = Outcome(plan, folder=folder)
        self._story = open(os.path.join(folder, "story.txt"), "w", encoding="utf-8", buffering=1)
        self._undo: List[Tuple[float, Callable[[], None]]] = []
        self._watches: List[Watch] = []
        #: What the sink held before a loss of the spout and at it, and how often messages may have failed that nobody was told of.
        self.windows: List[Tuple[Sample, Sample, int]] = []
        #: When the spout's own process was lost.
        self._spout_lost: Set[float] = set()
        #: From when to when faults lasted.
        self.faulted: List[Tuple[float, float]] = []
        #: What memory processes took, where the sink stands still.
        self.memory: List[Tuple[float, Dict[str, int]]] = []
        self.half_lines: Dict[str, List[int]] = {path: [] for path in self.sink._paths}
        self._begin = self._calm_since = self._run_started = 0.0
        self._ends: Optional[Fired] = None
        self._seek_at = self._memory_at = 0.0
        #: Whether the end of the input was not waited for.
        self.cut_short = False
        #: When the sink grew last.
        self._grew = 0.0

    def _port_of(self, slot: int) -> Optional[int]:
        """The port that a slot's worker listens on."""
        pid = self.engine.workers().get(slot)
        ports = listening_ports(pid) if pid else []
        return ports[0] if ports else None

    # What faults ask.

    def sink_length(self) -> int:
        return max(os.stat(path).st_size if os.path.exists(path) else 0
                   for path in self.half_lines)

    def flows(self) -> bool:
        """Whether the sink is growing."""
        return time.monotonic() - self._grew < FLOWS_WITHIN

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
            judge(self)
        finally:
            self.engine.close()
            if self.proxy:
                self.proxy.close()
            self._story.close()
            for disk in self.disks.values():
                disk.take_off()
        self.outcome.seconds = time.monotonic() - self._begin
        return self.outcome

    def problem(self, text: str) -> None:
        self.outcome.problems.append(text)
        self.tell("PROBLEM: " + text)

    def tell(self, text: str) -> None:
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
                moved, level, self._grew = now, self.sink.count, now
            elif self._undo:
                moved = now
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
                self.problem(trouble)
                self.cut_short = True
                return
            time.sleep(LOOK_EVERY)

    def _trouble(self, now: float, moved: float) -> Optional[str]:
        """Why it is of no use to wait for the end."""
        if now - moved > STUCK_AFTER:
            return f"stuck: the sink has not grown for {STUCK_AFTER:.0f} s"
        within = ENDS_WITHIN + (self.case.stands_still or 0)
        if now - self._begin > within:
            return f"the round has not ended within {within:.0f} s"
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
        self.tell(f"{fault}: {fired.target}")
        self.outcome.fired[fault.kind] += 1
        self._undo.extend((now + after, undo) for after, undo in fired.undo)
        recovery = Recovery(fault.kind)
        self.outcome.recoveries.append(recovery)
        if fired.back:
            self._watches.append(Watch(recovery, now, fired.back))
        if fired.spout_lost:
            self._note_window(now, self._untold(fired, now))
            self._spout_lost.add(now)
        self.faulted.append((now, now + fault.span))
        self._ends = self._ends or (fired if fired.ends else None)
        return True

    def _untold(self, fired: Fired, now: float) -> int:
        """How often each message may have failed without a count of it: what a killed life had replayed since its last report."""
        if fired.ends and 0 in fired.ends:
            return 0  # A run that is asked to end tells all before.
        within = REPORTED_AFTER + (TELLS_EVERY if fired.ends else 0)
        awaited = {id(watch.recovery) for watch in self._watches if watch.level is None}
        count = 0
        # The one that is done just now is not among them.
        for (begin, end), recovery in zip(self.faulted, self.outcome.recoveries):
            over = now if id(recovery) in awaited else max(end, begin + (recovery.back or 0))
            if begin >= self._run_started and now - over <= within:
                count += failures(recovery.kind, end - begin)
        return count

    def _note_window(self, now: float, untold: int) -> None:
        """What was acked before is not given out again. What an earlier fault held up may be."""
        since = now
        for begin, end in reversed(self.faulted):
            # One that began before others may last longer than they do.
            if since - max(end, self._back_at(begin)) <= SETTLED_AFTER:
                since = min(since, begin)
        before = self.sink.before(since - SETTLED_AFTER)
        # It has grown while the target was looked for.
        self.sink.look(time.monotonic())
        after = self.sink.sample(time.monotonic())
        self.sink.samples.append(after)
        self.windows.append((before, after, untold))

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
            taken, peaks = self.engine.memory(self.case.children), self.outcome.peaks
            self.outcome.peak = max(self.outcome.peak, sum(taken.values()))
            peaks.update((role, max(size, peaks.get(role, 0))) for role, size in taken.items())
            if self.case.stands_still:
                self.memory.append((now, taken))
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
        # Whatever was killed, and whoever started it: the guard ends it.
        for trouble in left_behind(self.engine.left_over()):
            self.problem(trouble)
        for _, undo in self._undo:
            undo()
        self._undo.clear()
        self._watches.clear()
        self.sink.look(time.monotonic())
        reason = str(finished.get("reason") if finished else "; ".join(self.engine.said[-3:]))
        self.tell(f"the run has ended with {code}: {reason}")
        if self._ends and code in self._ends.ends:
            for path, end in self.sink.half_lines().items():
                self.half_lines[path].append(end)
            acked = self.engine.counter("spout", "acked")
            if code == 0 and acked >= self.round.lines and not self._missing():
                return False
            self._start_run()
            return True
        forgot = code == FORGOT and self.case.remembers and any(self.outcome.fired[kind] for kind in LOSES_WORKERS)
        if code != 0 and not forgot:
            self.problem(f"the run ended with exit code {code}: {reason}")
        return False

    def _missing(self) -> bool:
        rejected = len(range(0, self.round.lines, self.case.rejects)) if self.case.rejects else 0
        return self.sink.count < self.case.expected(self.round.lines - rejected)


def play(plan: Round, binary: str, keep: bool = False, mounts: bool = True) -> Outcome:
    """Plays a round in a folder of its own, which stays where something is wrong. This process may get mounts of its own by it."""
    folder = tempfile.mkdtemp(prefix="chaos-")
    stays = keep
    mounts = mounts and bool(plan.case.disks) and mounts_of_its_own()
    try:
        outcome = World(plan, binary, folder, mounts).play()
        stays = keep or bool(outcome.problems)
        return outcome
    except Exception:
        # A defect of the harness; it must not look like a round that went well.
        stays = True
        return Outcome(plan, problems=["the harness has failed: " + traceback.format_exc()], folder=folder)
    finally:
        if not stays:
            shutil.rmtree(folder)
