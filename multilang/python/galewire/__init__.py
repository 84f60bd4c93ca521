"""Bolts and spouts in Python for Galewire, and for Apache Storm.

>>> import galewire
>>> @galewire.bolt
... def split(line):
...     for word in line.split():
...         yield word
>>> list(split("a b"))
['a', 'b']
"""

__version__ = "0.1.0"

import importlib
from typing import TYPE_CHECKING, Any

from .component import BatchBolt, Bolt, Spout
from .decorators import batch_bolt, bolt, spout
from .message import Emit, EmitError, Fail, Message
from .metrics import Counter, Gauge, Histogram
from .raw import raw_json
from .timers import Timer
from .tuples import Tuple

if TYPE_CHECKING:
    from . import testkit as testkit

__all__ = [
    "BatchBolt",
    "Bolt",
    "Counter",
    "Emit",
    "EmitError",
    "Fail",
    "Gauge",
    "Histogram",
    "Message",
    "Spout",
    "Timer",
    "Tuple",
    "batch_bolt",
    "bolt",
    "raw_json",
    "spout",
]


if not TYPE_CHECKING:  # a type checker would take every name for one that is here

    def __getattr__(name: str) -> Any:
        # testkit only where it is used: a child process starts faster without it.
        if name == "testkit":
            return importlib.import_module(".testkit", __name__)
        raise AttributeError(f"module 'galewire' has no attribute '{name}'")
