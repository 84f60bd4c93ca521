"""Keeps the protocol's two descriptors out of the user's reach.

Afterwards fd 0 is /dev/null, fd 1 goes where stderr goes, and ``sys.stdout`` makes log messages.
"""

import io
import os
import sys
import threading
from typing import Any, BinaryIO, Callable, List, Tuple as Tup, cast


def take_over() -> Tup[int, int]:
    """Move stdin and stdout to private descriptors; returns (reading, writing)."""
    reading = os.dup(0)  # not inheritable, so no grandchild can hold them open
    writing = os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return reading, writing


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however often that takes."""
    count = os.write(fd, data)
    while count < len(data):
        data = data[count:]
        count = os.write(fd, data)


#: A longer line is cut into lines of this many bytes.
_LONGEST = 16384


class _Lines(io.RawIOBase):
    """Cuts what is written into lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest: List[bytes] = []
        self._held = 0
        self._lock = threading.RLock()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        data = bytes(data)
        lines: List[bytes] = []
        with self._lock:
            self._rest.append(data)
            self._held += len(data)
            if b"\n" in data or self._held >= _LONGEST:
                *lines, rest = b"".join(self._rest).split(b"\n")
                whole = len(rest) - len(rest) % _LONGEST
                lines += [rest[at : at + _LONGEST] for at in range(0, whole, _LONGEST)]
                self._rest, self._held = [rest[whole:]], len(rest) - whole
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))
        return len(data)

    def finish(self) -> None:
        """Give out a last line that has no newline."""
        with self._lock:
            rest, self._rest, self._held = b"".join(self._rest), [], 0
        if rest:
            self._on_line(rest.decode("utf-8", "replace"))


class PrintedLines:
    """A ``sys.stdout`` whose whole lines go to a function."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._lines = _Lines(on_line)
        self.stream = io.TextIOWrapper(
            cast(BinaryIO, self._lines),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
            write_through=True,
        )

    def install(self) -> None:
        sys.stdout = self.stream

    def finish(self) -> None:
        self.stream.flush()
        self._lines.finish()
