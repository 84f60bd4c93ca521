"""How fast a sink grows, before and after it stood still. Pure."""

from typing import List, Optional, Tuple

#: Seconds before the stop over which full speed is taken.
BEFORE = 5.0
#: Over how many seconds a speed is taken.
OVER = 1.0
#: The part of full speed that counts as full speed again.
FULL = 0.8


def speed(samples: List[Tuple[float, int]], begin: float, end: float) -> float:
    """Growth for each second."""
    return (length(samples, end) - length(samples, begin)) / (end - begin)


def length(samples: List[Tuple[float, int]], time: float) -> int:
    """The length at a time; samples rise in time."""
    low, high = 0, len(samples)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if samples[middle][0] <= time else (low, middle)
    return samples[low - 1][1] if low else 0


def back_at_full_speed(samples: List[Tuple[float, int]], stopped: float, went_on: float) -> Optional[float]:
    """After how many seconds the sink was as fast as before, for a second; None: never."""
    full = FULL * speed(samples, stopped - BEFORE, stopped)
    for time, _ in samples:
        if time >= went_on and time + OVER <= samples[-1][0] and speed(samples, time, time + OVER) >= full:
            return time - went_on
    return None
