"""Runs a synchronous bolt: reads elements in order and calls its handler and its hooks."""

import inspect
import time
from typing import Any, Dict, List, Optional, Tuple as Tup

from .binding import Call, bind, place
from .component import Bolt
from .inbox import Item
from .message import FAILURES
from .outbox import Hand
from .session import Session, current_hand
from .take import Taker
from .tuples import Origin, Source, Tuple

HEARTBEAT = "__heartbeat"
TICK = "__tick"


class BoltLoop:
    """The order of things in a bolt. Subclasses say how tuples are taken."""

    def __init__(self, component: Bolt, handler: Any) -> None:
        self.component = component
        self.handler = handler
        self.session: Session = component._session
        self.outbox = self.session.outbox
        self._sources: Dict[Tup[str, str], Source] = {}
        for source in self.session.sources(component):
            self.add_source(source)

    def add_source(self, source: Source) -> None:
        self._sources[(source.component, source.stream)] = source

    def source(self, message: Dict[str, Any]) -> Source:
        """The declared source of a message, or one without field names."""
        component = message.get("comp") or ""
        stream = message.get("stream") or "default"
        found = self._sources.get((component, stream))
        if found is None:
            self.add_source(Source(component, stream, None, self.component))
            found = self._sources[(component, stream)]
        return found

    def tuples(self, item: Item) -> List[Tuple]:
        """The inputs of an element in either form."""
        message, frame, at = item
        source = self.source(message)
        make, task = source.tuple_class, message.get("task") or 0
        if "tuples" in message:
            first = message["first"]
            origin = Origin(source, task, frame, at, first)
            return [make(row, id, origin) for id, row in enumerate(message["tuples"], first)]
        origin = Origin(source, task, frame, at, None)
        return [make(message["tuple"], message["id"], origin)]

    def run(self) -> None:
        """Until EndOfInput."""
        get, handle, timers = self.session.inbox.get, self.handle, self.session.timers
        while True:
            item = get(self.run_timers() if timers else None)
            if item is not None:
                handle(item)

    def run_timers(self) -> Optional[float]:
        """Call the timers that are due; returns the seconds until the next one, None without one."""
        timers = self.session.timers
        for timer in timers.take_due(time.monotonic()):
            if not timer.cancelled and not self.session.inbox.stopping:
                self.call(timer.call, timer.arguments, "a timer")
        due = timers.next_due()
        return None if due is None else max(0.0, due - time.monotonic())

    def handle(self, item: Item) -> None:
        """One element, whatever it is."""
        message = item[0]
        stream = message.get("stream")
        if stream == HEARTBEAT:
            self.outbox.push({"command": "sync"})
        elif stream == TICK and message.get("comp") == "__system":
            self.hook("tick")
        elif "tuples" in message or "tuple" in message:
            self.take(item)
            self.outbox.weigh()
        elif message.get("command") == "drain":
            self.drain()
            self.outbox.push({"command": "drained", "id": message.get("id")})
        elif message.get("command") == "end":
            self.end()
            self.outbox.push({"command": "ended", "id": message.get("id")})
        else:
            self.session.log.warning("ignored an unknown message: %s", str(message)[:200])

    def take(self, item: Item) -> None:
        raise NotImplementedError

    def drain(self) -> None:
        self.hook("drain")

    def end(self) -> None:
        self.hook("end")

    def hook(self, name: str) -> None:
        """Call tick, drain or end; an exception is reported and the component goes on."""
        self.call(getattr(self.component, name), (), f"{name}()")

    def call(self, function: Any, arguments: Any, what: str) -> None:
        """Call what belongs to no input; an exception is reported and the component goes on."""
        try:
            self.session.finish(function(*arguments))
        except FAILURES:
            self.session.report(what)


class SyncBoltLoop(BoltLoop):
    """A bolt whose handler is a plain or a generator function."""

    def __init__(self, component: Bolt, handler: Any) -> None:
        self._calls: Dict[Source, Call] = {}
        super().__init__(component, handler)
        self._hand = Hand(in_order=True)
        self._taker = Taker(component, self._hand)
        self._taker.where = place(handler)
        current_hand.set(self._hand)
        self.outbox.hands.add(self._hand)
        generator = inspect.isgeneratorfunction(handler)
        self._many = self._taker.generators if generator else self._taker.functions

    def add_source(self, source: Source) -> None:
        super().add_source(source)
        self._calls[source] = bind(self.handler, source, self.component)

    def take(self, item: Item) -> None:
        message = item[0]
        if "tuples" not in message or not self.component.auto_ack:
            self._take_singly(item)
            return
        rows, first = message["tuples"], message["first"]
        bound = self._calls[self.source(message)]
        self.outbox.begin(first)
        if bound.takes_tuple:
            rows = [(tup,) for tup in self.tuples(item)]
        self.session.inbox.rows = rows
        self._many(bound.call, rows, first)

    def _take_singly(self, item: Item) -> None:
        bound = self._calls[self.source(item[0])]
        rows = self.session.inbox.rows = self.tuples(item)
        for tup in rows:
            self.outbox.wake()
            self._taker.one(bound.call, (tup,) if bound.takes_tuple else tup.values, tup._id)
