"""What a running component is connected to: conf, context, inbox, outbox, metrics, streams."""

import asyncio
import inspect
import logging
import sys
from contextvars import ContextVar
from typing import Any, Dict, List, Optional, Set

from .inbox import Inbox
from .metrics import Metrics
from .outbox import Hand, Id, Outbox
from .timers import Timers
from .trace import current_trace
from .tuples import Source
from .values import Streams

#: The input in hand of this thread or asyncio task. Other threads have none.
current_hand: "ContextVar[Optional[Hand]]" = ContextVar("galewire_hand", default=None)


class Session:
    """One component in one process (or in one testkit run)."""

    def __init__(self, handshake: Dict[str, Any], inbox: Inbox, outbox: Outbox) -> None:
        self.handshake = handshake
        self.conf: Dict[str, Any] = handshake.get("conf") or {}
        self.context: Dict[str, Any] = handshake.get("context") or {}
        self.batch = "galewire.batch" in self.conf
        # A real Storm has no galewire.config; there the component's settings are in conf.
        self.config: Dict[str, Any] = self.conf.get("galewire.config", self.conf)
        names = self.context.get("task->component") or {}
        task = self.context.get("taskid")
        self.name: str = self.context.get("componentid") or names.get(str(task)) or "component"
        #: The engine waits until the component is open.
        self.starting = False
        self.inbox = inbox
        self.outbox = outbox
        self.streams = Streams(self.name, self.context)
        #: Number of fields of the default stream, if declared.
        self.width = self.streams.width("default")
        self.metrics = Metrics(outbox.note)
        self.log = logging.getLogger(self.name)
        self.timers = Timers()
        #: Ids settled by hand while their handler runs; their runner then leaves them alone.
        self.settled: Set[Id] = set()
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        inbox.batch = self.batch
        self.timers.wake = inbox.nudge
        outbox.before_flush = self.metrics.send_due
        outbox.more_later = lambda: self.metrics.dirty

    def sources(self, owner: Any) -> List[Source]:
        """The declared input streams, Storm's own (``__...``) left out."""
        declared = self.context.get("source->stream->fields") or {}
        return [
            Source(component, stream, fields, owner)
            for component, streams in declared.items()
            if not component.startswith("__")
            for stream, fields in streams.items()
        ]

    def report(self, doing: str, fatal: bool = False) -> None:
        """The exception in hand becomes an error of the topology, with its traceback.

        Where it ends the process and nobody but Storm listens, it goes to stderr as well.
        """
        text = f"{self.name}: {doing} failed\n{current_trace()}"
        self.outbox.error(text)
        if fatal and not self.batch:
            print(text, file=sys.stderr, flush=True)

    def finish(self, result: Any) -> Any:
        """The value of an awaitable, run to its end on a loop of our own."""
        if not inspect.isawaitable(result):
            return result
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
        return self.loop.run_until_complete(_value(result))


async def _value(awaitable: Any) -> Any:
    return await awaitable
