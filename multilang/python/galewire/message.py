"""What a handler gives back besides plain values: Emit, Message and Fail."""

from typing import Any, Optional, Sequence


class Emit:
    """Values for one emit that is more than a plain value: a stream, anchors or one task.

    ``anchors`` is a list of tuples (or ids); None means the tuple in hand, ``[]`` unanchored.
    ``task`` sends to that one task (a direct stream).
    """

    __slots__ = ("values", "stream", "task", "anchors")

    def __init__(
        self,
        *values: Any,
        stream: str = "default",
        task: Optional[int] = None,
        anchors: Optional[Sequence[Any]] = None,
    ) -> None:
        self.values = values
        self.stream = stream
        self.task = task
        self.anchors = anchors

    def __repr__(self) -> str:
        return f"Emit{self.values!r} on {self.stream!r}"


class Message:
    """One message of a spout. With an id it is acked or replayed; ``None`` is not tracked.

    The id is any JSON value; ``on_ack`` and ``on_fail`` are called with it.
    """

    __slots__ = ("id", "values", "stream", "task")

    def __init__(
        self, id: Any, *values: Any, stream: str = "default", task: Optional[int] = None
    ) -> None:
        self.id = id
        self.values = values
        self.stream = stream
        self.task = task

    def __repr__(self) -> str:
        return f"Message({self.id!r}, {self.values!r}) on {self.stream!r}"


class Fail(Exception):
    """Raise it in a handler to fail the tuple in hand with a reason and without a traceback."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


#: What fails a tuple. A library's sys.exit() in a handler must not end the process.
FAILURES = (Exception, SystemExit)


class EmitError(ValueError):
    """An emit that cannot be sent: wrong number of values, unknown stream, not JSON."""


# Tracebacks name them as users do.
Fail.__module__ = EmitError.__module__ = "galewire"
