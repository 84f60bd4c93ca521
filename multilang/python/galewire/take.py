"""The inner loops of a synchronous bolt: call the handler, collect its emits, add its result.

This is where the throughput is made: the common emit, one string for one field, is handled in
line, and nothing here takes a lock or reads a clock (outbox.py and flusher.py see to the rest).
"""

from types import GeneratorType
from typing import Any, Callable, Iterable, List, Optional

from .component import Bolt
from .message import FAILURES, Emit, EmitError, Fail, Message
from .outbox import Hand, Id
from .trace import current_trace
from .tuples import Tuple
from .values import PLAIN, line_of, line_of_error

Handler = Callable[..., Any]


class Taker:
    """Calls handlers of one bolt and turns what they give into emits, acks and fails."""

    def __init__(self, component: Bolt, hand: Hand) -> None:
        self.session = component._session
        self._component = component
        self._outbox = self.session.outbox
        self._hand = hand
        self._width = self.session.streams.width("default")

    def generators(self, call: Handler, inputs: Iterable[Any], first: int) -> None:
        """Inputs ``first``, ``first + 1``, ... through a generator function, acked in order."""
        hand, shape, settled = self._hand, self.shape, self.session.settled
        append = self._outbox.done.append
        # One string is a whole tuple only where one field is declared (or none is known of).
        text = str if self._width in (1, None) and self.knows_default() else None
        results: Any = None
        for number, values in enumerate(inputs, first):
            emits: List[Any] = []
            hand.open = (number, emits)
            try:
                results = call(*values)
                for out in results:
                    if type(out) is text:
                        emits.append((out,))
                    else:
                        shape(out, emits)
            except FAILURES as error:
                self.failed(number, error, hand, results)
                continue
            if settled and number in settled:
                settled.discard(number)
                self._outbox.settled(number, emits, hand)
                continue
            append(emits)
        hand.open = None

    def functions(self, call: Handler, inputs: Iterable[Any], first: int) -> None:
        """The same for a plain function, whose value is one emit, or None for none."""
        hand, settled = self._hand, self.session.settled
        append = self._outbox.done.append
        for number, values in enumerate(inputs, first):
            emits: List[Any] = []
            hand.open = (number, emits)
            out: Any = None
            try:
                out = call(*values)
                if out is not None:
                    self.returned(out, emits)
            except FAILURES as error:
                self.failed(number, error, hand, out)
                continue
            if settled and number in settled:
                settled.discard(number)
                self._outbox.settled(number, emits, hand)
                continue
            append(emits)
        hand.open = None

    def one(self, call: Handler, values: Any, id: Id) -> None:
        """One input in any form: text ids, or acked by hand."""
        hand, settled = self._hand, self.session.settled
        emits: List[Any] = []
        hand.open = (id, emits)
        out: Any = None
        try:
            out = call(*values)
            if out is not None:
                self.returned(out, emits)
        except FAILURES as error:
            self.failed(id, error, hand, out)
            return
        if id not in settled and self._component.auto_ack:
            self._outbox.settle(id, emits, hand)
        else:
            settled.discard(id)
            self._outbox.settled(id, emits, hand)

    def knows_default(self) -> bool:
        streams = self.session.streams
        return not streams.fields or "default" in streams.fields

    def returned(self, out: Any, emits: List[Any]) -> None:
        """What a handler returned: a generator's values, or one value."""
        if type(out) is GeneratorType:
            for value in out:
                self.shape(value, emits)
            return
        try:
            self.shape(out, emits)
        except EmitError as error:
            many = type(out) in (list, tuple) and len(out) > 1 and self._width == 1
            hint = " (what is returned is one emit; yield each value to emit several)" if many else ""
            raise EmitError(f"{error}, returned by {self.where}{hint}") from None

    where = "the handler"

    def shape(self, out: Any, emits: List[Any]) -> None:
        """One yielded value as an emit: on the default stream into ``emits``, else pushed."""
        kind = type(out)
        if kind is tuple or kind is list:
            if len(out) == self._width:
                for value in out:
                    if type(value) not in PLAIN:
                        break
                else:
                    emits.append(tuple(out))
                    return
            values = tuple(out)
        elif isinstance(out, Emit):
            values = self.session.streams.checked(out.values, out.stream)
            self._component._emit_checked(values, out.stream, out.task, out.anchors)
            return
        elif isinstance(out, Tuple):
            values = tuple(out.values)
        elif isinstance(out, Message):
            raise EmitError(f"'{self.session.name}' is a bolt, a Message is for spouts: {out!r}")
        elif isinstance(out, tuple):
            values = tuple(out)
        else:
            values = (out,)
        emits.append(self.session.streams.checked(values, "default"))

    def failed(self, id: Id, error: BaseException, hand: Hand, results: Any) -> None:
        """The exception in hand fails the input; its settled ones stay as they are."""
        emits = hand.open[1] if hand.open is not None else []
        settled = self.session.settled
        if id in settled:
            settled.discard(id)
            self._outbox.settled(id, emits, hand)
            self.session.report("handling a tuple that was already settled")
            return
        msg, trace = describe(error, results)
        if hasattr(results, "close"):
            results.close()
        self._outbox.fail(id, emits, hand, msg, trace)


def describe(error: BaseException, results: Any) -> "tuple[str, str]":
    """``msg`` and ``trace`` of a fail."""
    if isinstance(error, Fail):
        return error.reason, ""
    text = str(error)
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])  # str() would quote it
    if not isinstance(error, EmitError):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    # A yielded value is checked while its generator stands at the yield.
    place: Optional[str] = line_of_error(error) or line_of(results)
    return (f"{text}, at {place}" if place else text), current_trace(results)
