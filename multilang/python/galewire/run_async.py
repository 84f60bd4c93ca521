"""Runs an asynchronous bolt: up to ``concurrency`` inputs in hand on one asyncio loop.

Inputs start in order and end in any order. Drain, end and ticks keep their place: drain and end
wait until nothing is in hand.
"""

import asyncio
import inspect
import os
import selectors
import signal
import stat
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Set, Union

from .binding import Call, bind, place
from .component import Bolt
from .inbox import EndOfInput, Item
from .message import FAILURES
from .outbox import Hand
from .run_bolt import HEARTBEAT, TICK, BoltLoop
from .session import current_hand
from .standstill import Standstill
from .take import Taker
from .tuples import Source, Tuple

#: Inputs in hand at once, where the config has no ``concurrency``.
CONCURRENCY = 64
#: Reading pauses while this many elements wait, so that a slow bolt feels back-pressure.
_MOST_WAITING = 1000


def new_loop(fd: int) -> asyncio.AbstractEventLoop:
    """A loop that can watch ``fd``; epoll refuses regular files, poll does not."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return asyncio.SelectorEventLoop(selectors.PollSelector())
    return asyncio.new_event_loop()


class AsyncBoltLoop(BoltLoop):
    """A bolt whose handler is a coroutine function or an async generator function."""

    def __init__(self, component: Bolt, handler: Any) -> None:
        self._calls: Dict[Source, Call] = {}
        super().__init__(component, handler)
        concurrency = self.session.config.get("concurrency", CONCURRENCY)
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError(f"concurrency must be a whole number from 1 on, not {concurrency!r}")
        self._concurrency = concurrency
        self._generator = inspect.isasyncgenfunction(handler)
        self._waiting: Deque[Union[Tuple, Item]] = deque()
        self._in_hand: Set["asyncio.Task[None]"] = set()
        self._reading = False
        self._flush_planned = False
        self._changed: Optional[asyncio.Event] = None
        self._error: Optional[BaseException] = None
        self._taker = Taker(component, Hand())
        self._taker.where = place(handler)

    def add_source(self, source: Source) -> None:
        super().add_source(source)
        self._calls[source] = bind(self.handler, source, self.component)

    def run(self) -> None:
        loop = self.session.loop
        assert loop is not None  # made by run.py before open()
        standstill = Standstill(loop, self.session.log.warning)
        try:
            loop.run_until_complete(self._run(loop))
        finally:
            standstill.stop()
        raise EndOfInput

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        inbox = self.session.inbox
        self._changed = asyncio.Event()
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
        self.session.timers.wake = lambda: loop.call_soon_threadsafe(self._wake)
        self._read()
        while not inbox.stopping and self._error is None:
            self._watch(loop, len(self._waiting) < _MOST_WAITING and not inbox.ended)
            if not self._waiting and inbox.ended and not self._in_hand:
                break
            self._start_timers(loop)
            if not await self._start_next(loop):
                self._plan_flush(loop)
                self._changed.clear()
                alarm = self._alarm(loop)
                await self._changed.wait()
                if alarm is not None:
                    alarm.cancel()
        self._watch(loop, False)
        while self._in_hand:  # after SIGTERM: what is in hand is finished
            await asyncio.wait(self._in_hand)
        if self._error is not None:
            raise self._error

    async def _start_next(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Take the next waiting element; False if it has to wait (or there is none)."""
        if not self._waiting:
            return False
        item = self._waiting[0]
        if isinstance(item, Tuple):
            if len(self._in_hand) >= self._concurrency:
                return False
            self._waiting.popleft()
            task = loop.create_task(self._take_one(item))
            self._in_hand.add(task)
            task.add_done_callback(self._ended)
            return True
        message = item[0]
        final = message.get("command") in ("drain", "end")
        if final and self._in_hand:
            return False
        self._waiting.popleft()
        if final:
            name = message["command"]
            await self._hook(name)
            answer = "drained" if name == "drain" else "ended"
            self.outbox.push({"command": answer, "id": message.get("id")})
        elif message.get("stream") == TICK and message.get("comp") == "__system":
            await self._hook("tick")
        else:
            self.handle(item)
        return True

    async def _take_one(self, tup: Tuple) -> None:
        bound = self._calls[tup._origin.source]
        hand = Hand()
        emits: List[Any] = []
        hand.open = (tup._id, emits)
        current_hand.set(hand)
        self.outbox.hands.add(hand)
        self.outbox.wake()
        settled = self.session.settled
        result: Any = None
        try:
            result = bound.call(tup) if bound.takes_tuple else bound.call(*tup.values)
            if self._generator:
                async for out in result:
                    self._taker.shape(out, emits)
            else:
                out = await result
                if out is not None:
                    self._taker.returned(out, emits)
        except (asyncio.CancelledError, *FAILURES) as error:
            self._taker.failed(tup._id, error, hand, None if not self._generator else result)
        else:
            if tup._id not in settled and self.component.auto_ack:
                self.outbox.settle(tup._id, emits, hand)
            else:
                settled.discard(tup._id)
                self.outbox.settled(tup._id, emits, hand)
        finally:
            self.outbox.hands.discard(hand)
            if self._generator and result is not None:
                await result.aclose()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._in_hand.discard(task)
        assert self._changed is not None  # set before any task
        self._changed.set()
        if not task.cancelled() and task.exception() is not None:
            self._error = task.exception()

    async def _hook(self, name: str) -> None:
        await self._call(getattr(self.component, name), (), f"{name}()")

    async def _call(self, function: Any, arguments: Any, what: str) -> None:
        try:
            result = function(*arguments)
            if inspect.isawaitable(result):
                await result
        except FAILURES:
            self.session.report(what)

    # Timers

    def _start_timers(self, loop: asyncio.AbstractEventLoop) -> None:
        for timer in self.session.timers.take_due(time.monotonic()):
            task = loop.create_task(self._call(timer.call, timer.arguments, "a timer"))
            self._in_hand.add(task)
            task.add_done_callback(self._ended)

    def _alarm(self, loop: asyncio.AbstractEventLoop) -> Optional[asyncio.TimerHandle]:
        due = self.session.timers.next_due()
        if due is None:
            return None
        return loop.call_later(max(0.0, due - time.monotonic()), self._wake)

    def _wake(self) -> None:
        assert self._changed is not None  # set before any timer
        self._changed.set()

    # Reading

    def _watch(self, loop: asyncio.AbstractEventLoop, wanted: bool) -> None:
        if wanted and not self._reading:
            loop.add_reader(self.session.inbox.fd, self._readable)
        elif self._reading and not wanted:
            loop.remove_reader(self.session.inbox.fd)
        self._reading = wanted

    def _readable(self) -> None:
        try:
            self.session.inbox.fill()
            self._read()
        except Exception as error:
            self._error = error  # raised by _run: a broken frame ends the process
        assert self._changed is not None
        self._changed.set()

    def _read(self) -> None:
        inbox = self.session.inbox
        while inbox.queue or inbox.parse():
            while inbox.queue:
                item = inbox.queue.popleft()
                message = item[0]
                special = message.get("stream") in (HEARTBEAT, TICK)
                if not special and ("tuples" in message or "tuple" in message):
                    self._waiting.extend(self.tuples(item))
                else:
                    self._waiting.append(item)

    def _stop(self) -> None:
        self.session.inbox.stop()
        assert self._changed is not None
        self._changed.set()

    def _plan_flush(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._flush_planned:
            self._flush_planned = True
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        self.outbox.flush()
