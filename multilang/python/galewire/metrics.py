"""Counters, gauges and histograms: summed up here, sent at most ten times a second."""

import threading
import time
from typing import Any, Callable, Dict, List, Optional

from .values import snapshot

#: Seconds between two reports of the same component.
PERIOD = 0.1
#: A histogram keeps this many values between two reports; then it reports at once.
_MOST = 1000


class Counter:
    """Counts up; the engine adds what is reported."""

    def __init__(self, owner: "Metrics") -> None:
        self._owner = owner
        self._sum: float = 0

    def add(self, amount: float = 1) -> None:
        amount = snapshot(amount)
        with self._owner.lock:
            self._sum += amount
            self._owner.dirty = True

    def take(self) -> Optional[Dict[str, Any]]:
        amount, self._sum = self._sum, 0
        return {"type": "counter", "add": amount} if amount else None


class Gauge:
    """A value that is as it is now."""

    def __init__(self, owner: "Metrics") -> None:
        self._owner = owner
        self._value: Optional[float] = None

    def set(self, value: float) -> None:
        value = snapshot(value)
        with self._owner.lock:
            self._value = value
            self._owner.dirty = True

    def take(self) -> Optional[Dict[str, Any]]:
        value, self._value = self._value, None
        return None if value is None else {"type": "gauge", "value": value}


class Histogram:
    """Single measurements; the engine makes the distribution."""

    def __init__(self, owner: "Metrics") -> None:
        self._owner = owner
        self._values: List[float] = []

    def add(self, value: float) -> None:
        value = snapshot(value)
        with self._owner.lock:
            self._values.append(value)
            self._owner.dirty = True
            if len(self._values) >= _MOST:
                self._owner.send_all()

    def take(self) -> Optional[Dict[str, Any]]:
        values, self._values = self._values, []
        return {"type": "histogram", "values": values} if values else None


class Metrics:
    """All metrics of one component."""

    def __init__(self, send: Callable[[Dict[str, Any]], None]) -> None:
        self.lock = threading.RLock()
        self.dirty = False
        self._send = send
        self._named: Dict[str, Any] = {}
        self._sent = float("-inf")

    def named(self, name: str, kind: Any) -> Any:
        """The metric of that name, made at its first use."""
        with self.lock:
            found = self._named.setdefault(name, None) or kind(self)
            if not isinstance(found, kind):
                was = type(found).__name__.lower()
                raise ValueError(f"'{name}' is a {was}, not a {kind.__name__.lower()}")
            self._named[name] = found
            return found

    def send_due(self) -> None:
        """Report if the last report is old enough."""
        if self.dirty and time.monotonic() - self._sent >= PERIOD:
            self.send_all()

    def send_all(self) -> None:
        """Report what has changed."""
        with self.lock:
            self.dirty = False
            self._sent = time.monotonic()
            for name, metric in self._named.items():
                params = metric.take()
                if params is not None:
                    self._send({"command": "metrics", "name": name, "params": params})
