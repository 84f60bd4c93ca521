"""Reads frames from the engine, one at a time, and waits only when nothing complete is there.

Before every wait it calls ``before_wait`` (the outbox's flush). Task ids are handed over as soon
as they are seen, everything else waits in ``queue`` in order.
"""

import fcntl
import os
import select
import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple as Tup

from . import codec, unreadable
from .rawjson import Frame

#: An element, its frame and its place in the frame.
Item = Tup[Dict[str, Any], Frame, int]
_MARK = b"\nend\n"
_CHUNK = 1 << 18
_PIPE_SIZE = 1 << 18


class EndOfInput(Exception):
    """The engine closed stdin, or the process was told to leave."""


class Inbox:
    """The reading side of one child process."""

    def __init__(
        self,
        fd: int,
        before_wait: Callable[[], Any],
        on_task_ids: Callable[[List[int]], None],
    ) -> None:
        self.fd = fd
        self.batch = False
        self.ended = False
        self.stopping = False
        self.queue: Deque[Item] = deque()
        #: The inputs being handled; cleared by ``stop`` so that the loop over them ends.
        self.rows: List[Any] = []
        self._before_wait = before_wait
        self._on_task_ids = on_task_ids
        self._reader = threading.get_ident()
        self._buffer = bytearray()
        self._start = 0
        self._scanned = 0
        self._wake_read, self.wake_fd = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self.wake_fd, False)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._wake_read, select.POLLIN)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            try:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            except OSError:
                pass  # not a pipe, or over the user's limit: the default size does as well

    def get(self, timeout: Optional[float] = None) -> Optional[Item]:
        """The next element; None after ``timeout`` seconds or a nudge; EndOfInput at the end."""
        while True:
            if self.stopping:
                raise EndOfInput
            if self.queue:
                return self.queue.popleft()
            if self.parse():
                continue
            if self.ended:
                raise EndOfInput
            if not self._readable(0):
                self._before_wait()
                if not self._readable(timeout) and not self.stopping:
                    return None
            if not self.stopping:
                self.fill()

    def handshake(self) -> Dict[str, Any]:
        """The engine's first message."""
        item = self.get()
        assert item is not None  # there is no time limit
        return item[0]

    def leftover(self) -> bool:
        """Whether bytes are here that are no complete frame."""
        return len(self._buffer) > self._start

    def waiting(self) -> bool:
        """Whether an element is here, or bytes that may be one."""
        return bool(self.queue) or self.parse() or (not self.ended and self._readable(0))

    def pump(self, done: Callable[[], bool]) -> None:
        """Read, queueing all that comes, until ``done``."""
        while not done():
            # parse() is False after a frame of nothing but task ids, so ask again.
            if self.parse() or done():
                continue
            if self.ended or self.stopping:
                raise RuntimeError("the input ended before the task ids came")
            if self._readable(None):
                self.fill()

    def stop(self) -> None:
        """End after the handler in hand; safe in a signal handler."""
        self.stopping = True
        self.rows.clear()
        self._wake()

    def nudge(self) -> None:
        """Let a ``get`` of another thread return None, so that it is called anew."""
        if threading.get_ident() != self._reader:
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self.wake_fd, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of such bytes: it will wake anyway

    def close(self) -> None:
        """Give the wake-up pipe back (a testkit run; a child just exits)."""
        os.close(self._wake_read)
        os.close(self.wake_fd)

    def fill(self) -> None:
        """Read what is there; it blocks if nothing is."""
        data = os.read(self.fd, _CHUNK)
        if not data:
            self.ended = True
            return
        if self._start:
            del self._buffer[: self._start]
            self._scanned -= self._start
            self._start = 0
        self._buffer += data

    def parse(self) -> bool:
        """Queue the elements of the next complete frame; False if there is none."""
        while True:
            # From three bytes back, as the mark may have been cut by a read.
            at = self._buffer.find(_MARK, max(self._start, self._scanned - len(_MARK)))
            if at < 0:
                self._scanned = len(self._buffer)
                return False
            with memoryview(self._buffer) as view:
                data = bytes(view[self._start : at])
            self._start = self._scanned = at + len(_MARK)
            self._take(data)
            if self.queue:
                return True

    def _take(self, data: bytes) -> None:
        frame = Frame(data)
        try:
            value = codec.loads(data)
        except unreadable.REFUSALS:
            value = unreadable.read(frame)
        if isinstance(value, list):
            if (value and not isinstance(value[0], dict)) or not (value or self.batch):
                self._on_task_ids(value)
                return
        else:
            value = [value]
        for at, element in enumerate(value):
            if element.get("command") == "task_ids":
                self._on_task_ids(element["ids"])
            else:
                self.queue.append((element, frame, at))

    def _readable(self, timeout: Optional[float]) -> bool:
        events = self._poll.poll(None if timeout is None else max(0, timeout * 1000))
        ready = False
        for fd, _ in events:
            if fd == self._wake_read:
                os.read(fd, 4096)
            else:
                ready = True
        return ready
