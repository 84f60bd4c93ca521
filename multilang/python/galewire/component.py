"""What users subclass: Bolt, BatchBolt, Spout; and what is common to them.

The methods turn words of the SDK into elements for the outbox; when handlers are called is
decided in the run_* modules.
"""

import asyncio
import logging
import threading
import time
from typing import Any, Callable, ClassVar, Dict, Generator, List, Optional, Sequence, Union, cast

from .message import Message
from .metrics import Counter, Gauge, Histogram
from .outbox import Hand
from .session import Session, current_hand
from .spans import seconds
from .timers import Timer
from .tuples import Tuple
from .values import PLAIN


class TaskIds(List[int]):
    """The ids of tasks; awaited in an asynchronous handler, as they are elsewhere."""

    def __await__(self) -> Generator[Any, None, List[int]]:
        """Only an asynchronous handler gets something to wait for."""
        return list(self)
        yield



class Component:
    """Common to bolts and spouts. Attributes are usable from ``open`` on."""

    #: Whether a restart loses state; told to the engine. The class forms say yes.
    memory: ClassVar[bool] = True

    _session: Session

    @property
    def config(self) -> Dict[str, Any]:
        """The component's own config, as written in the topology."""
        return self._session.config

    @property
    def conf(self) -> Dict[str, Any]:
        """The whole conf of the handshake, Storm's keys included."""
        return self._session.conf

    @property
    def context(self) -> Dict[str, Any]:
        """Task ids, fields and groupings of the topology, in Storm's words."""
        return self._session.context

    @property
    def name(self) -> str:
        """The component's name in the topology."""
        return self._session.name

    @property
    def task(self) -> int:
        """This task's id."""
        return int(self._session.context.get("taskid", 0))

    @property
    def log(self) -> logging.Logger:
        """A logger whose records become log lines of the component."""
        return self._session.log

    def counter(self, name: str) -> Counter:
        """The counter of that name: ``self.counter("hits").add(1)``."""
        found: Counter = self._session.metrics.named(name, Counter)
        return found

    def gauge(self, name: str) -> Gauge:
        """The gauge of that name: ``self.gauge("depth").set(7)``."""
        found: Gauge = self._session.metrics.named(name, Gauge)
        return found

    def histogram(self, name: str) -> Histogram:
        """The histogram of that name: ``self.histogram("bytes").add(120)``."""
        found: Histogram = self._session.metrics.named(name, Histogram)
        return found

    def error(self, text: str) -> None:
        """Show a text in the topology's error list, and go on."""
        self._session.outbox.error(text)

    def open(self) -> Any:
        """Called once, before the first input."""

    def close(self) -> Any:
        """Called once, when the process ends in an orderly way."""

    def _asked(self, element: Dict[str, Any]) -> TaskIds:
        session = self._session
        future = session.outbox.ask(element)
        session.outbox.flush()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if threading.current_thread() is threading.main_thread():
                session.inbox.pump(future.done)
            return TaskIds(future.result())
        return cast(TaskIds, asyncio.wrap_future(future, loop=loop))


class Bolt(Component):
    """The class form of a bolt: define ``process``, and what else is needed.

    ``process`` gets ``tup``, or input fields by their names; what it returns or yields is emitted.
    """

    #: False: ack, fail and touch by hand.
    auto_ack: bool = True

    def process(self, *args: Any, **kwargs: Any) -> Any:
        """Called with every input: as ``tup``, or its fields by their names."""
        raise NotImplementedError(f"{type(self).__name__} has no process(self, tup)")

    def tick(self) -> Any:
        """Called at every tick, if the topology asks for ticks."""

    def drain(self) -> Any:
        """No more input is coming (replays may): give up what is held."""

    def end(self) -> Any:
        """Every tuple of the run is done: the last chance to emit."""

    def emit(
        self,
        *values: Any,
        stream: str = "default",
        task: Optional[int] = None,
        anchors: Optional[Sequence[Any]] = None,
    ) -> None:
        """Emit, anchored to the tuple in hand unless ``anchors`` says otherwise.

        ``anchors=[]`` is unanchored; ``task`` sends to that task alone. EmitError if the values
        do not fit the stream. Outside a handler and in other threads no tuple is in hand.
        """
        if stream == "default" and task is None and anchors is None:
            hand = current_hand.get()
            if hand is not None and hand.open is not None and len(values) == self._session.width:
                # The common case, in line.
                for value in values:
                    if type(value) not in PLAIN:
                        break
                else:
                    hand.open[1].append(values)
                    return
        values = self._session.streams.checked(values, stream)
        self._emit_checked(values, stream, task, anchors)

    def emit_and_wait(
        self,
        *values: Any,
        stream: str = "default",
        anchors: Optional[Sequence[Any]] = None,
    ) -> TaskIds:
        """Emit and return the ids of the tasks it went to; await it in an async handler.

        In a thread of your own it waits until the main thread reads its input again.
        """
        values = self._session.streams.checked(values, stream)
        element = self._emit_element(values, stream, anchors)
        return self._asked(element)

    def ack(self, tup: Tuple) -> None:
        """Ack by hand."""
        self._before_settling(tup)
        self._session.outbox.ack(tup._id)

    def fail(self, tup: Tuple, reason: str = "") -> None:
        """Fail by hand, with a reason."""
        hand = current_hand.get()
        self._before_settling(tup)
        element = {"command": "fail", "id": tup.id}
        if reason:
            element["msg"] = " ".join(reason.splitlines())
        self._session.outbox.push(element)
        if hand is not None and hand.open is not None and hand.open[0] == tup._id:
            self._session.outbox.skip(tup._id)

    def touch(self, tup: Tuple) -> None:
        """The tuple is still being worked on: its time-out starts anew."""
        self._session.outbox.push({"command": "reset_timeout", "id": tup.id})

    def after(
        self, delay: Union[str, float], call: Callable[..., Any], *arguments: Any
    ) -> Timer:
        """Call ``call(*arguments)`` once, ``delay`` ("250ms", "1s", or seconds) from now.

        It is called between two inputs, with no tuple in hand; it may be ``async``, and what it
        raises is reported. ``cancel()`` takes it back. Timers end with the input.
        """
        return self._timer(delay, None, call, arguments)

    def every(
        self, period: Union[str, float], call: Callable[..., Any], *arguments: Any
    ) -> Timer:
        """Call ``call(*arguments)`` again and again, as ``after`` does."""
        if seconds(period) <= 0:
            raise ValueError(f"every({period!r}): a period is longer than nothing")
        return self._timer(period, seconds(period), call, arguments)

    def _timer(
        self, delay: Union[str, float], period: Optional[float], call: Any, arguments: Any
    ) -> Timer:
        timer = Timer(call, arguments, period)
        self._session.timers.set(timer, time.monotonic() + seconds(delay))
        return timer

    def _before_settling(self, tup: Tuple) -> None:
        hand = current_hand.get()
        if hand is not None:
            self._session.outbox.spill(hand)
        in_hand = hand is not None and hand.open is not None and hand.open[0] == tup._id
        if self.auto_ack or in_hand:
            self._session.settled.add(tup._id)

    def _emit_checked(
        self, values: Any, stream: str, task: Optional[int], anchors: Optional[Sequence[Any]]
    ) -> None:
        hand = current_hand.get()
        if anchors is None and task is None and hand is not None and hand.open is not None:
            if stream == "default":
                hand.open[1].append(values)
            else:
                self._session.outbox.emit_for(hand.open[0], values, stream)
            return
        element = self._emit_element(values, stream, anchors)
        if task is not None:
            element["task"] = task
        element["need_task_ids"] = False
        self._session.outbox.push(element)

    def _emit_element(
        self, values: Any, stream: str, anchors: Optional[Sequence[Any]]
    ) -> Dict[str, Any]:
        hand = current_hand.get()
        if hand is not None:
            self._session.outbox.spill(hand)  # what was emitted before it goes before it
        element: Dict[str, Any] = {"command": "emit", "tuple": values}
        if stream != "default":
            element["stream"] = stream
        if anchors is None:
            anchors = self._in_hand(hand)
        element["anchors"] = [str(a._id) if isinstance(a, Tuple) else str(a) for a in anchors]
        return element

    def _in_hand(self, hand: Optional[Hand]) -> Sequence[Any]:
        if hand is None:
            return []
        if hand.open is not None:
            return [hand.open[0]]
        settled = self._session.settled
        return [id for id in hand.anchors or () if id not in settled]


class BatchBolt(Bolt):
    """A bolt that gets lists of tuples: when ``size`` are there, or ``within`` has passed.

    What it emits is anchored to all tuples of the batch, unless ``anchors`` says otherwise.
    """

    #: The most tuples in one batch.
    size: int = 500
    #: The longest time a tuple waits for its batch to fill: "1s", "250ms", or seconds.
    within: Union[str, float] = "1s"

    def process(self, batch: List[Tuple]) -> Any:
        """Called with every batch; all not failed in it are acked when it returns."""
        raise NotImplementedError(f"{type(self).__name__} has no process(self, batch)")


class Spout(Component):
    """The class form of a spout: define ``next``; it emits, or returns or yields Messages."""

    _exhausted = False

    def next(self) -> Any:
        """Give out the next message, or none; it must not wait for long."""
        raise NotImplementedError(f"{type(self).__name__} has no next(self)")

    def on_ack(self, id: Any) -> Any:
        """The message was processed completely."""

    def on_fail(self, id: Any) -> Any:
        """The message failed; it is given out again without your doing."""

    def activate(self) -> Any:
        """The topology runs: ``next`` will be called."""

    def deactivate(self) -> Any:
        """The topology pauses or stops: ``next`` will not be called."""

    def emit(
        self,
        *values: Any,
        id: Any = None,
        stream: str = "default",
        task: Optional[int] = None,
    ) -> None:
        """Give out a message; with an id it is acked or replayed."""
        self._give(Message(id, *values, stream=stream, task=task))

    def emit_and_wait(self, *values: Any, id: Any = None, stream: str = "default") -> TaskIds:
        """Give out a message and return the ids of the tasks it went to."""
        message = Message(id, *values, stream=stream)
        message.values = self._session.streams.checked(values, stream)
        return self._asked(self._message_element(message))

    def exhausted(self) -> None:
        """There will be no more input; ``next`` is not called again."""
        self._exhausted = True

    def _give(self, message: Message) -> None:
        raise NotImplementedError  # given by run_spout, which keeps what may be replayed

    @staticmethod
    def _message_element(message: Message) -> Dict[str, Any]:
        element: Dict[str, Any] = {"command": "emit", "tuple": message.values}
        if message.id is not None:
            element["id"] = message.id
        if message.stream != "default":
            element["stream"] = message.stream
        if message.task is not None:
            element["task"] = message.task
        return element

