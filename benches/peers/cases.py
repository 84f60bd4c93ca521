"""What is run in each case, with which settings, and what it is compared with."""

from typing import NamedTuple, Tuple


class Row(NamedTuple):
    system: str
    how: str
    settings: dict
    #: The rows of Galewire, by `how`, that it is compared with.
    against: Tuple[str, ...] = ()

    @property
    def name(self):
        return f"{self.system}, {self.how}"


CLIENTS = ("storm.py", "streamparse", "storm.js")
#: Messages a second of the case latency.
RATE = 10_000

CASES = {
    "word-count": [
        Row("galewire", "1 worker", {"workers": 1, "parallelism": 1}),
        Row("storm", "1 worker", {"workers": 1, "parallelism": 1}, ("1 worker",)),
        Row("galewire", "2 workers", {"workers": 2, "parallelism": 2}),
        Row("storm", "2 workers", {"workers": 2, "parallelism": 2}, ("2 workers",)),
        Row("flink", "parallelism 1", {"parallelism": 1}, ("1 worker",)),
        Row("flink", "parallelism 2", {"parallelism": 2}, ("2 workers",)),
        Row("bytewax", "1 process", {}, ("1 worker",)),
        Row("awk", "on a file", {}, ("1 worker",)),
    ],
    "pass": [
        Row("galewire", "1 worker", {}),
        Row("storm", "1 worker", {}, ("1 worker",)),
        Row("flink", "unchained", {"checkpoint_ms": 1000}, ("1 worker",)),
    ],
    "latency": [
        Row("galewire", "2 workers", {"workers": 2}),
        Row("storm", "2 workers", {"workers": 2}, ("2 workers",)),
        Row("storm", "2 workers, tuned", {"workers": 2, "low_latency": True}, ("2 workers",)),
        Row("flink", "2 task managers", {"buffer_timeout_ms": 0}, ("2 workers",)),
        Row("bytewax", "2 processes", {"workers": 2}, ("2 workers",)),
    ],
    "child": [
        Row("galewire", "sdk", {"client": "sdk"}),
        *(row for client in CLIENTS for row in (
            Row("galewire", client, {"client": client}),
            Row("storm", client, {"client": client}, (client, "sdk")),
        )),
    ],
}
