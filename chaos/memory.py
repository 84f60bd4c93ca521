"""What memory the processes of a run may take. Pure.

Every queue of a run is bounded, and `galewire plan` prints how much can wait in them. A worker may take what one takes that has nothing to do,
and a few times what can wait: a tuple in memory is larger than its bytes, and an allocator keeps some of what was freed. A child may take what
its interpreter takes, and the tuples that it was sent. Neither depends on how much a run has done: a leak of a kilobyte for each
ack is beyond the bound at the end of a round of 250,000 tuples.
"""

from typing import Dict, List, Tuple

MIB = 1 << 20
#: Resident bytes of a supervisor, and of a worker and children that have nothing to do, half as much again as was seen. Much of the first two is
#: the program itself, of which a debug build is the largest.
SUPERVISOR, WORKER, PYTHON, NODE = 48 * MIB, 80 * MIB, 40 * MIB, 112 * MIB
#: How many times the bytes that can wait a worker may hold.
FOLD = 3

#: While a sink stands still: what a process may grow by once its queues have filled.
GROWTH, SLACK = 1.05, 2 * MIB
#: The part of the stop in which queues fill, at most this many seconds; and how long a stop has to be for its memory to be judged.
FILLS, FILLS_WITHIN = 0.2, 15.0


def most(role: str, waiting: int) -> int:
    """The resident bytes that a process of a role may take where `waiting` bytes can wait in all queues."""
    if role == "supervisor":
        return SUPERVISOR
    if role.startswith("worker"):
        return WORKER + FOLD * waiting
    return NODE if role.endswith("(node)") else PYTHON


def too_much(peaks: Dict[str, int], waiting: int) -> List[str]:
    """Who took more than it may."""
    return [f"{role} took {peak / MIB:.1f} MiB, and may take {most(role, waiting) / MIB:.0f} MiB"
            for role, peak in sorted(peaks.items()) if peak > most(role, waiting)]


def growth(samples: List[Tuple[float, Dict[str, int]]], begin: float, end: float) -> Dict[str, Tuple[int, int]]:
    """For each process the greatest of the first quarter after the queues had filled, and of the last half."""
    full = begin + min(FILLS_WITHIN, FILLS * (end - begin))
    quarter, half = full + (end - full) / 4, full + (end - full) / 2
    early: Dict[str, int] = {}
    late: Dict[str, int] = {}
    for time, sizes in samples:
        part = early if full <= time < quarter else late if half <= time < end else {}
        for role, size in sizes.items():
            part[role] = max(size, part.get(role, 0))
    return {role: (early.get(role, 0), size) for role, size in late.items()}


def not_flat(grown: Dict[str, Tuple[int, int]]) -> List[str]:
    """Which processes grew."""
    return [f"{role} grew from {early / MIB:.1f} to {late / MIB:.1f} MiB while the sink stood still"
            for role, (early, late) in sorted(grown.items()) if late > early * GROWTH + SLACK]
