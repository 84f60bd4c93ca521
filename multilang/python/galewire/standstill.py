"""Notices that an asynchronous handler holds up the event loop, and says at which line.

A call that blocks (time.sleep, requests, a long computation) stops every other input in hand too.
Nothing else shows it: the component is only slow.
"""

import asyncio
import os
import sys
import threading
from types import FrameType
from typing import Callable, Optional, Set

#: Seconds that the loop may stand still before it is told.
LIMIT = 1.0
_HOME = os.path.dirname(os.path.abspath(__file__))


class Standstill:
    """A thread that asks the loop for a sign of life every second."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[str], None]) -> None:
        self._loop = loop
        self._tell = tell
        self._told: Set[str] = set()
        self._over = threading.Event()
        self._alive = threading.Event()
        self._watched = threading.get_ident()
        threading.Thread(target=self._run, name="galewire-standstill", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(LIMIT):
            self._alive.clear()
            try:
                self._loop.call_soon_threadsafe(self._alive.set)
            except RuntimeError:
                return  # the loop is closed
            if self._alive.wait(LIMIT) or self._over.is_set():
                continue
            place = _user_line(sys._current_frames().get(self._watched))
            # Said once for each line, so that a slow handler does not fill the log.
            if place is not None and place not in self._told:
                self._told.add(place)
                self._tell(
                    f"the event loop stood still for more than {LIMIT:g} s at {place}, and with it "
                    "every input in hand: use an awaitable call, or await asyncio.to_thread(...)"
                )
            self._alive.wait()


def _user_line(frame: Optional[FrameType]) -> Optional[str]:
    """The outermost line that is neither the SDK's nor asyncio's: the handler's own."""
    place = None
    while frame is not None:
        folder = os.path.dirname(os.path.abspath(frame.f_code.co_filename))
        if folder == _HOME:
            return place
        if folder != os.path.dirname(asyncio.__file__):
            place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return None
