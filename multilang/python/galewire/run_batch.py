"""Runs a batch bolt: collects tuples until there are enough or the oldest waited long enough."""

import inspect
import time
from typing import Any, List

from .binding import BindError, place
from .component import BatchBolt
from .inbox import EndOfInput, Item
from .message import FAILURES
from .outbox import Hand
from .run_bolt import BoltLoop
from .session import current_hand
from .spans import seconds
from .take import Taker, describe
from .tuples import Tuple


class BatchBoltLoop(BoltLoop):
    """Calls the handler with lists of tuples; a coroutine is run to its end, batch by batch."""

    def __init__(self, component: BatchBolt, handler: Any) -> None:
        super().__init__(component, handler)
        self._size = component.size
        self._within = seconds(component.within)
        self._batch: List[Tuple] = []
        self._deadline = 0.0
        self._drained = False
        self._hand = Hand(in_order=True)
        self._taker = Taker(component, self._hand)
        self._taker.where = place(handler)
        self._with_self = _takes_self(handler)
        current_hand.set(self._hand)

    def run(self) -> None:
        inbox = self.session.inbox
        try:
            while True:
                timeout = self.run_timers()
                if self._batch:
                    left = max(0.0, self._deadline - time.monotonic())
                    if not left or (self._drained and not inbox.waiting()):
                        self.give()
                        continue
                    timeout = left if timeout is None else min(left, timeout)
                item = inbox.get(timeout)
                if item is not None:
                    self.handle(item)
        except EndOfInput:
            # At the end of stdin what is held is finished; told to leave, it is given back.
            if not inbox.stopping:
                self.give()
            raise

    def take(self, item: Item) -> None:
        tuples = self.tuples(item)
        if not self._batch and tuples:
            self._deadline = time.monotonic() + self._within
        start = 0
        while start < len(tuples) and not self.session.inbox.stopping:
            room = self._size - len(self._batch)
            self._batch += tuples[start : start + room]
            start += room
            if len(self._batch) >= self._size:
                self.give()
                self._deadline = time.monotonic() + self._within
        if item[0].get("alone"):
            self.give()

    def drain(self) -> None:
        self.give()
        self._drained = True
        self.hook("drain")

    def end(self) -> None:
        self.give()
        self.hook("end")

    def give(self) -> None:
        """Call the handler with what is held, then settle every tuple of it."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        settled = self.session.settled
        self._hand.anchors = [tup._id for tup in batch]
        result: Any = None
        try:
            # The handler gets its own list, so that it may empty or sort it.
            result = self._call(list(batch))
            self._results(result)
        except FAILURES as error:
            msg, trace = describe(error, result)
            for tup in batch:
                if tup._id not in settled:
                    self.outbox.fail(tup._id, [], self._hand, msg, trace)
        else:
            if self.component.auto_ack:
                for tup in batch:
                    if tup._id not in settled:
                        self.outbox.ack(tup._id)
        finally:
            self._hand.anchors = None
        settled.difference_update([tup._id for tup in batch])
        self.outbox.weigh()

    def _call(self, batch: List[Tuple]) -> Any:
        if self._with_self:
            return self.handler(batch, self=self.component)
        return self.handler(batch)

    def _results(self, result: Any) -> None:
        if inspect.isasyncgen(result):
            self.session.finish(self._drain_async(result))
        elif inspect.isgenerator(result):
            for out in result:
                self._emit(out)
        else:
            value = self.session.finish(result)
            if value is not None:
                self._emit(value)

    async def _drain_async(self, result: Any) -> None:
        async for out in result:
            self._emit(out)

    def _emit(self, out: Any) -> None:
        emits: List[Any] = []
        self._taker.shape(out, emits)
        for values in emits:
            self.component._emit_checked(values, "default", None, None)


def _takes_self(handler: Any) -> bool:
    parameters = list(inspect.signature(handler).parameters.values())
    keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    needed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(needed) != 1 or set(keyword) - {"self"}:
        raise BindError(f"{place(handler)}: a batch bolt takes one argument, the list of tuples")
    return "self" in keyword
