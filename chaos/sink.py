"""The sink's files: how far they have grown while a run goes on, and when."""

import os
from typing import Dict, List, NamedTuple


class Sample(NamedTuple):
    """How long the sink's files were at some time."""

    time: float
    lengths: Dict[str, int]


class Sink:
    """Counts the numbers in the sink's files as they grow."""

    #: How often a sample is kept.
    EVERY = 0.05

    def __init__(self, paths: List[str]) -> None:
        self._paths = paths
        self._lengths = {path: 0 for path in paths}
        self._counts = {path: 0 for path in paths}
        self.samples: List[Sample] = [Sample(0.0, dict(self._lengths))]

    def look(self, now: float) -> None:
        for path in self._paths:
            try:
                size = os.stat(path).st_size
            except OSError:
                continue
            length = self._lengths[path]
            if size < length:
                # The half line that a killed worker left is cut off.
                self._lengths[path] = size
            elif size > length:
                with open(path, "rb") as file:
                    file.seek(length)
                    text = file.read(size - length)
                self._counts[path] += text.count(b"\n") + text.count(b",")
                self._lengths[path] = length + len(text)
        if now - self.samples[-1].time >= self.EVERY:
            self.samples.append(self.sample(now))

    def sample(self, now: float) -> Sample:
        return Sample(now, dict(self._lengths))

    def before(self, time: float) -> Sample:
        """The last sample that is not younger."""
        for sample in reversed(self.samples):
            if sample.time <= time:
                return sample
        return self.samples[0]

    @property
    def count(self) -> int:
        """How many numbers have been written, repeated ones included."""
        return sum(self._counts.values())

    def half_lines(self) -> Dict[str, int]:
        """Files that end within a line, and where they end."""
        ends = {}
        for path in self._paths:
            try:
                with open(path, "rb") as file:
                    size = file.seek(0, os.SEEK_END)
                    if size and (file.seek(size - 1), file.read(1))[1] != b"\n":
                        ends[path] = size
            except OSError:
                continue
        return ends
