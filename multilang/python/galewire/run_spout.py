"""Runs a spout: answers ``next`` with messages, tells acks and fails.

Under Galewire the engine replays by itself. A real Storm does not, so there the messages in
flight are kept here and given out again after a fail.
"""

import asyncio
import inspect
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional

from . import codec
from .binding import place
from .component import Spout
from .inbox import Item
from .message import FAILURES, Emit, EmitError, Message
from .session import Session
from .tuples import Tuple
from .values import line_of

#: Seconds after which a ``next`` is answered with fewer messages than wanted.
_PATIENCE = 0.005
_NOTHING = object()
_END = object()


class SpoutLoop:
    """One spout: a generator function or the class form."""

    def __init__(self, component: Spout, handler: Any) -> None:
        self.component = component
        self.session: Session = component._session
        self.outbox = self.session.outbox
        self._handler = handler
        self._produce = component.next
        self._generator: Any = None
        self._pending: Any = None  # of an async generator: the message being waited for
        self._given = 0
        self._told_exhausted = False
        self._in_flight: Dict[bytes, Message] = {}
        self._replays: Deque[Message] = deque()
        component._give = self._give  # type: ignore[method-assign]

    def start(self) -> None:
        """Call a generator function; after ``open``, before the first ``next``."""
        if self._handler is None:
            return
        self._generator = call_with_self(self._handler, self.component)
        if inspect.isasyncgen(self._generator):
            self._produce = self._next_async
        elif hasattr(self._generator, "__next__"):
            self._produce = self._next_of_generator
        else:
            kind = type(self._generator).__name__
            raise TypeError(
                f"{place(self._handler)}: a spout function yields messages, this returned {kind}"
            )

    def stop(self) -> None:
        """Close the generator, so that its ``finally`` blocks run."""
        if self._pending is not None:
            self._pending.cancel()
            self.session.finish(asyncio.wait({self._pending}))
        if inspect.isasyncgen(self._generator):
            self.session.finish(self._generator.aclose())
        elif inspect.isgenerator(self._generator):
            self._generator.close()

    def run(self) -> None:
        """Until EndOfInput."""
        get = self.session.inbox.get
        while True:
            item = get()
            assert item is not None  # there is no time limit
            self.handle(item)

    def handle(self, item: Item) -> None:
        """One command."""
        message = item[0]
        command = message.get("command")
        if command == "next":
            self._next(message.get("max", 1))
        elif command in ("ack", "fail"):
            for id in message["ids"] if "ids" in message else [message.get("id")]:
                self._settled(command, id)
        elif command in ("activate", "deactivate"):
            self._hook(command, getattr(self.component, command))
        elif message.get("stream") != "__heartbeat":
            self.session.log.warning("ignored an unknown message: %s", str(message)[:200])
        if command == "next" or not self.session.batch:
            self.outbox.push({"command": "sync"})
        self.outbox.weigh()

    def _next(self, most: int) -> None:
        given = self._given
        while self._replays and self._given - given < most:
            self._send(self._replays.popleft())
        began = time.monotonic()
        stopped = self.session.inbox
        while self._given - given < most and not self.component._exhausted:
            before = self._given
            try:
                produced = self._produce()
                if type(produced) is Message:
                    self._take(produced, self._generator)
                elif inspect.isgenerator(produced):
                    for one in produced:
                        self._take(one, produced)
                elif inspect.isasyncgen(produced):
                    self.session.finish(self._take_all(produced))
                else:
                    self._take(self.session.finish(produced), self._generator)
            except FAILURES:
                if self._generator is not None:
                    # A generator is dead after an exception; more of it cannot come. The engine
                    # must not take that for the end of the input, so this process ends.
                    raise
                self.session.report("next()")
                break
            idle = self._given == before
            if idle or stopped.stopping or time.monotonic() - began > _PATIENCE:
                break
        if self.component._exhausted and self.session.batch and not self._told_exhausted:
            self._told_exhausted = True
            self.outbox.push({"command": "exhausted"})

    def _next_of_generator(self) -> Any:
        out = next(self._generator, _END)
        if out is _END:
            self.component.exhausted()
            return None
        return _NOTHING if out is None else out

    async def _next_async(self) -> Any:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._generator.__anext__())
        await asyncio.wait({self._pending}, timeout=_PATIENCE)
        if not self._pending.done():
            return None
        pending, self._pending = self._pending, None
        try:
            return pending.result()
        except StopAsyncIteration:
            self.component.exhausted()
            return None

    async def _take_all(self, produced: Any) -> None:
        async for one in produced:
            self._take(one, produced)

    def _take(self, out: Any, generator: Any) -> None:
        if out is None or out is _NOTHING:
            return
        if type(out) is not Message:
            out = as_message(out)
        try:
            self._give(out)
        except EmitError as error:
            at = line_of(generator) or place(self._handler or self.component.next)
            raise EmitError(f"{error}, at {at}") from None

    def _give(self, message: Message) -> None:
        """Check a message and send it; also what ``emit`` of the component comes to."""
        message.values = self.session.streams.checked(tuple(message.values), message.stream)
        if message.id is not None and not self.session.batch:
            self._in_flight[codec.dumps(message.id)] = message
        self._send(message)

    def _send(self, message: Message) -> None:
        self._given += 1
        if self.session.batch and message.stream == "default" and message.task is None:
            self.outbox.message(message.id, message.values)
            return
        element = self.component._message_element(message)
        element["need_task_ids"] = False
        self.outbox.push(element)

    def _settled(self, command: str, id: Any) -> None:
        if not self.session.batch:
            message: Optional[Message]
            key = codec.dumps(id)
            if command == "ack":
                self._in_flight.pop(key, None)
            else:
                message = self._in_flight.get(key)
                if message is not None:
                    self._replays.append(message)
        name = f"on_{command}"
        self._hook(name, getattr(self.component, name), id)

    def _hook(self, name: str, hook: Any, *arguments: Any) -> None:
        try:
            self.session.finish(hook(*arguments))
        except FAILURES:
            self.session.report(f"{name}()")


def as_message(out: Any) -> Message:
    """A value that is not a Message, as one without an id."""
    if isinstance(out, Message):
        return out
    if isinstance(out, Emit):
        return Message(None, *out.values, stream=out.stream, task=out.task)
    if isinstance(out, (tuple, list, Tuple)):
        return Message(None, *out)
    return Message(None, out)


def call_with_self(function: Any, component: Any) -> Any:
    """Call a function that takes nothing, or only ``self``."""
    parameters = inspect.signature(function).parameters
    unknown: List[str] = [
        name for name, p in parameters.items() if name != "self" and p.default is p.empty
    ]
    if unknown:
        raise TypeError(
            f"{place(function)}: a spout function takes only `*, self`, not {', '.join(unknown)}"
        )
    return function(self=component) if "self" in parameters else function()
