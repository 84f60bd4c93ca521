"""Judges a round that has ended: the sink against the input, memory, and what a stop has shown. It disturbs nothing."""

from typing import TYPE_CHECKING

import memory
import speed
from checks import Count, Window, examine, letters

if TYPE_CHECKING:
    from rounds import World

#: The least time for which a sink has to stand still so that memory is judged.
LONG_ENOUGH = 8.0


def judge(world: "World") -> None:
    """Fills the outcome in."""
    windows = [Window(before, after, world.case.pending, untold) for before, after, untold in world.windows]
    count = Count(world.round.lines, world.case.fan_out, world.case.rejects)
    if world.case.rejects:
        count.put_aside, strange = letters(world.engine.path(world.case.letters()))
        count.strange += strange
        if max(count.put_aside.values(), default=0) > 1 and not world.windows:
            world.problem("a dead letter came again although no spout was lost")
    findings = examine(list(world.half_lines), count, windows, world.half_lines)
    outcome = world.outcome
    outcome.findings = findings
    if world.case.told:
        note_told(world)
    outcome.replayed = replayed = world.engine.counter("spout", "replayed")
    if world.cut_short:
        findings.lost = 0  # What has not come yet is not lost.
    if findings.lost:
        world.problem(f"{findings.lost} lost, first {findings.first_lost}")
    if findings.repeated_by_replay > replayed:
        world.problem(f"{findings.repeated_by_replay} messages came again, "
                      f"but {replayed} replays were recorded")
    if findings.late_by_replay > replayed:
        world.problem(f"{findings.late_by_replay} messages came late on their path, "
                      f"but {replayed} replays were recorded")
    if findings.strange:
        world.problem(f"{len(findings.strange)} lines that nobody sent: "
                      f"{findings.strange[:3]}")
    if not outcome.problems and (timed_out := world.engine.timed_out()):
        world.problem(f"{timed_out} messages failed only when their time was up")
    if world.case.strict and replayed:
        world.problem(f"{replayed} replays where nothing was to be given out again")
    outcome.problems.extend(memory.too_much(outcome.peaks, world.waiting))
    if world.case.stands_still:
        judge_stop(world)
    unfired = len(world.round.faults) - sum(outcome.fired.values())
    if unfired and not outcome.problems:
        world.tell(f"{unfired} faults found no target before the end")


def judge_stop(world: "World") -> None:
    """Memory while the sink stood still, and its speed afterwards."""
    if not world.faulted:
        world.problem("the sink was never stopped")
        return
    (stopped, went_on), = world.faulted
    outcome = world.outcome
    if went_on - stopped >= LONG_ENOUGH:
        outcome.grown = memory.growth(world.memory, stopped, went_on)
        outcome.problems.extend(memory.not_flat(outcome.grown))
    lengths = [(sample.time, sum(sample.lengths.values())) for sample in world.sink.samples]
    if speed.speed(lengths, stopped + 1, went_on) > 0:
        world.problem("the sink grew while it was stopped")
    outcome.full_speed = speed.back_at_full_speed(lengths, stopped, went_on)
    if outcome.full_speed is None:
        world.problem("the sink was never at full speed again")


def note_told(world: "World") -> None:
    """What the spout heard between a fault and the next is the first one's doing."""
    with open(world.engine.path("failed.txt"), encoding="ascii") as file:
        times = [float(line) for line in file]
    begins = [begin for begin, _ in world.faulted]
    for recovery, begin, end in zip(world.outcome.recoveries, begins, [*begins[1:], float("inf")]):
        heard = [time_ for time_ in times if begin < time_ < end]
        recovery.told = max(heard) - begin if heard else None
