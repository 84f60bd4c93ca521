"""From a seed to rounds, and from a round to its faults. The same seed always gives the same plan. Pure."""

import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import Iterator, List

from faults import SHORT, SPANS, Fault
from topologies import Case

#: Faults come between these parts of the way.
FIRST, LAST = 0.04, 0.92
#: Where the sink is stopped that stands still: full rate is known by then, and enough is left to see it again.
STOPPED = 0.4
#: Replacements that a worker's budget allows in five minutes, some kept back.
LOSSES = 7


@dataclass(frozen=True)
class Round:
    """One topology from its start to its end."""

    seed: int
    number: int
    case: Case
    #: Lines of the input.
    lines: int
    faults: List[Fault]

    def repeat(self) -> str:
        """The command that plays this round alone."""
        return (f"python3 chaos --seed {self.seed} --round {self.number} --case {self.case.name} "
                f"--faults {len(self.faults)} --tuples {self.case.expected(self.lines)}")


def plan_round(seed: int, number: int, case: Case, tuples: int, faults: int) -> Round:
    """A round of about this many tuples at the sink and so many faults."""
    random_ = random.Random(f"{seed}/{number}/{case.name}")
    lines = max(1, round(max(case.least_tuples, min(tuples, case.most_tuples)) / case.fan_out))
    expected = case.expected(lines)
    between = (STOPPED, STOPPED) if case.stands_still else (FIRST, LAST)
    places = sorted(random_.uniform(*between) for _ in range(min(faults, case.most_faults)))
    kinds = random_.choices(list(case.faults), list(case.faults.values()), k=len(places))
    planned = [Fault(int(place * expected), kind, random_.randrange(1 << 16),
                     case.stands_still or random_.uniform(*SPANS.get(kind, (0.0, 0.0))))
               for place, kind in zip(places, kinds)]
    return Round(seed, number, case, lines, within_budget(planned, case.workers))


def within_budget(faults: List[Fault], workers: int) -> List[Fault]:
    """Kills a child instead where a worker would be lost more often than it may be replaced."""
    losses: Counter = Counter()
    kept = []
    for fault in faults:
        slot = fault.choice % workers
        if fault.kind == "kill-worker" or fault.kind == "stop-worker" and fault.span > SHORT:
            losses[slot] += 1
            if losses[slot] > LOSSES:
                fault = replace(fault, kind="kill-child")
        kept.append(fault)
    return kept


def rounds(seed: int, cases: List[Case], tuples: int, faults: int) -> Iterator[Round]:
    """Rounds without end, the cases in turn."""
    number = 0
    while True:
        yield plan_round(seed, number, cases[number % len(cases)], tuples, faults)
        number += 1
