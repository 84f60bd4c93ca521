"""The thread that writes what is older than 5 ms while the handlers are busy.

It sleeps as long as nothing is held, so an idle component costs nothing.
"""

import threading
from typing import Callable

from .outbox import Outbox

#: Seconds; a little under the 5 ms of the protocol, as waking takes time too.
PERIOD = 0.004


class Flusher:
    """Wakes for a period at a time, as long as there is something to write."""

    def __init__(self, outbox: Outbox, on_broken: Callable[[], None]) -> None:
        self._on_broken = on_broken
        self._outbox = outbox
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="galewire-flusher", daemon=True)
        outbox.wake = self._wake

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._awake.set()
        self._thread.join()

    def _wake(self) -> None:
        if not self._awake.is_set():
            self._awake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._awake.wait()
            # Cleared before the pause: whatever is added from here on wakes it once more.
            self._awake.clear()
            if self._stopped.wait(PERIOD):
                return
            try:
                if self._outbox.flush(partial=True) or self._outbox.busy():
                    self._awake.set()
            except BrokenPipeError:
                self._on_broken()  # the main thread leaves, and reports it at its own write
                return
