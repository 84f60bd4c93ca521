"""Timers of a bolt: what is due when. The loops call what is due between two inputs.

Nothing here waits or reads a clock; ``wake`` tells a loop that waits of a timer set by another
thread.
"""

import heapq
import itertools
import threading
from typing import Any, Callable, List, Optional, Tuple as Tup

Call = Callable[..., Any]


class Timer:
    """A call that is due later; ``cancel()`` takes it back."""

    __slots__ = ("call", "arguments", "period", "cancelled")

    def __init__(self, call: Call, arguments: Tup[Any, ...], period: Optional[float]) -> None:
        self.call = call
        self.arguments = arguments
        self.period = period
        self.cancelled = False

    def cancel(self) -> None:
        """It is not called any more; harmless where it was called already."""
        self.cancelled = True


class Timers:
    """All timers of one bolt."""

    def __init__(self) -> None:
        #: Called when a timer was set.
        self.wake: Callable[[], object] = lambda: None
        self._heap: List[Tup[float, int, Timer]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, timer: Timer, due: float) -> None:
        """``timer`` is due at that time."""
        with self._lock:
            heapq.heappush(self._heap, (due, next(self._order), timer))
        self.wake()

    def next_due(self) -> Optional[float]:
        """When the first timer is due; None without one."""
        with self._lock:
            while self._heap and self._heap[0][2].cancelled:
                heapq.heappop(self._heap)
            return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> List[Timer]:
        """The timers that are due, in the order of their times. Periodic ones are set anew, from
        now: one that was late does not try to catch up."""
        due: List[Timer] = []
        with self._lock:
            while self._heap and self._heap[0][0] <= now:
                timer = heapq.heappop(self._heap)[2]
                if not timer.cancelled:
                    due.append(timer)
            for timer in due:
                if timer.period is not None:
                    again = (now + timer.period, next(self._order), timer)
                    heapq.heappush(self._heap, again)
        return due
