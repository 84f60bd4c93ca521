"""Compares the sink with the input. Pure, but for reading the sink's files.

- Lost: a number that the sink does not hold.
- A number that comes again needs a recorded reason: a replay that the spout counted, or the loss of the spout's own process, which begins
  again where all was acked. Where that was is taken from the sink itself, as it was a while before the loss.
- What a killed process had replayed since its last report nobody knows. It is no more than what was in flight, for each time that faults
  failed it just before; and none of it is from before the place where the next process begins.
- On one path (the same processes) numbers rise; one that comes late needs the same reason.
"""

import json
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Tuple

from processes import Process
from sink import Sample


class Window(NamedTuple):
    """A loss of the spout's process: what was not acked in `before` may come again."""

    before: Sample
    after: Sample
    #: Lines of the input that were on their way at most: beyond the greatest seen, too.
    pending: int
    #: How often each may have failed, and been given out again, without a report of it.
    untold: int


class Span(NamedTuple):
    """Lines of the input that the spout gave out again by itself."""

    low: int
    high: int
    #: How many more copies of them there may be: replays that were not reported.
    untold: int


@dataclass
class Findings:
    """What the sink shows."""

    numbers: int = 0
    lost: int = 0
    first_lost: List[int] = field(default_factory=list)
    #: Copies of messages beyond the first.
    repeated: int = 0
    #: Those that no loss of the spout's process explains, nor what it had not reported.
    repeated_by_replay: int = 0
    #: Messages that came behind later ones of their path.
    late: int = 0
    late_by_replay: int = 0
    strange: List[str] = field(default_factory=list)


class Count:
    """How often each number was seen. Of the input's lines one in `rejects` must not be seen."""

    def __init__(self, lines: int, fan_out: int, rejects: int) -> None:
        self.rejected = range(0, lines, rejects) if rejects else range(0)
        #: Lines of the input that are dead letters, and how often.
        self.put_aside: Dict[int, int] = {}
        self.fan_out = fan_out
        self.seen = bytearray(lines * fan_out)
        self.greatest = -1
        self.low = 0
        self.late: Dict[int, int] = {}
        self._last: Dict[Tuple[str, bytes], int] = {}
        self.strange: List[str] = []

    def take(self, path: str, text: bytes) -> None:
        """Counts whole lines of a file."""
        seen, last, greatest = self.seen, self._last, self.greatest
        fan_out, late, most = self.fan_out, self.late, len(self.seen)
        for line in text.split(b"\n")[:-1]:
            if line.isspace():
                continue
            numbers, _, way = line.partition(b"\t")
            key = (path, way)
            highest = last.get(key, -1)
            for word in numbers.split(b","):
                try:
                    number = int(word)
                except ValueError:
                    number = -1
                if not 0 <= number < most or not way:
                    self.strange.append(line.decode(errors="replace"))
                    continue
                if seen[number] < 255:
                    seen[number] += 1
                if number > highest:
                    highest = number
                    if number > greatest:
                        greatest = number
                else:
                    message = number // fan_out
                    late[message] = late.get(message, 0) + 1
            last[key] = highest
        self.greatest = greatest

    def low_water(self) -> int:
        """The first line of the input that is not complete yet."""
        width, seen = self.fan_out, self.seen
        lines = len(seen) // width
        while self.low < lines and (self.low in self.rejected
                                    or 0 not in seen[self.low * width:(self.low + 1) * width]):
            self.low += 1
        return self.low


def examine(paths: List[str], count: "Count", windows: List[Window],
            half_lines: Dict[str, List[int]]) -> Findings:
    """Reads the sink's files in the order in which they grew."""
    texts = {path: read(path, half_lines.get(path, [])) for path in paths}
    marks = sorted([sample for window in windows for sample in (window.before, window.after)],
                   key=lambda sample: sample.time)
    taken = {path: 0 for path in paths}
    levels = {}
    for sample in marks:
        for path, text in texts.items():
            end = text.rfind(b"\n", 0, sample.lengths[path]) + 1
            if end > taken[path]:
                count.take(path, text[taken[path]:end])
                taken[path] = end
        levels[id(sample)] = (count.low_water(), count.greatest // count.fan_out)
    for path, text in texts.items():
        count.take(path, text[taken[path]:])
        if text and not text.endswith(b"\n"):
            count.strange.append("half a line at the end of " + path)
    spans = [Span(levels[id(window.before)][0], levels[id(window.after)][1] + window.pending, window.untold * window.pending)
             for window in windows]
    return judge(count, spans)


def read(path: str, half_lines: List[int]) -> bytes:
    """A sink's file. Half lines that a killed run left are blanked, not cut: places stay as they are."""
    try:
        with open(path, "rb") as file:
            text = bytearray(file.read())
    except OSError:
        return b""
    for end in half_lines:
        begin = text.rfind(b"\n", 0, end) + 1
        # Such a line was never acked; the next run's comes behind it.
        text[begin:end] = b" " * (end - begin)
    return bytes(text)


def judge(count: Count, spans: List[Span]) -> Findings:
    """What the counts mean."""
    width = count.fan_out
    findings = Findings(numbers=len(count.seen), strange=count.strange)
    for message in count.rejected:
        if any(count.seen[message * width:(message + 1) * width]):
            findings.strange.append(f"numbers of line {message}, which was to be rejected")
    # What was put aside is not lost, wherever its time was up.
    for message in count.put_aside:
        for number in range(message * width, (message + 1) * width):
            count.seen[number] = count.seen[number] or 1
    findings.lost = count.seen.count(0)
    at = -1
    while len(findings.first_lost) < min(10, findings.lost):
        at = count.seen.index(0, at + 1)
        findings.first_lost.append(at)
    # The one that ends first is used up first: the others reach further.
    spans = sorted(spans, key=lambda span: span.high)
    untold = [span.untold for span in spans]
    around = lambda message: [at for at, span in enumerate(spans) if span.low <= message <= span.high]
    for message in range(len(count.seen) // width):
        part = count.seen[message * width:(message + 1) * width]
        extra = max(part) - 1
        if extra > 0:
            findings.repeated += extra
            near = around(message)
            extra = max(0, extra - len(near))
            for at in near:
                explained = min(extra, untold[at])
                untold[at] -= explained
                extra -= explained
            findings.repeated_by_replay += extra
    findings.late = len(count.late)
    findings.late_by_replay = sum(not around(message) for message in count.late)
    return findings


def letters(path: str) -> Tuple[Dict[int, int], List[str]]:
    """How often each line of the input is a dead letter; and lines that are no dead letter."""
    seen: Dict[int, int] = {}
    strange = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                message = int(json.loads(line)["values"][0].split(" ", 1)[0])
                seen[message] = seen.get(message, 0) + 1
            except (ValueError, KeyError, TypeError):
                strange.append("dead letter " + line.rstrip())
    return seen, strange


def left_behind(left: List[Process]) -> List[str]:
    """What is wrong with the processes that were there two seconds after a run: that they were. Nothing excuses it."""
    if not left:
        return []
    return [f"{len(left)} processes were left 2 s after the end: " + "; ".join(process.command for process in left)]
