"""Everything on its way to the engine: results, emits, logs; packed into frames and written.

Any thread may add. The main thread's own results take a path without a lock: it appends to
``done`` and nothing else; only ``_seal``, under the lock, takes away from the front. When to
write is decided elsewhere (inbox.py before a wait, flusher.py by time); this module reads no clock.
"""

import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, Callable, Deque, Dict, List, Optional, Set, Tuple as Tup, Union

from . import codec
from .apart import ENCODING_ERRORS, encode_apart

#: Write when this many bytes are held.
LIMIT = 65536
#: The longest text of a log line or error; the engine shows less.
LONGEST_NOTE = 65536
#: Packed results and messages are parted into frames of about this size where they are larger.
FRAME = 4 << 20
Id = Union[int, str]
Element = Dict[str, Any]


class Hand:
    """The input that a handler is working on, and its emits so far.

    ``open`` is ``(id, emits)`` while emits may be added. ``in_order`` marks the one hand of a
    synchronous runner, whose result may be in ``Outbox.done`` before ``open`` changes.
    """

    __slots__ = ("open", "anchors", "in_order")

    def __init__(self, in_order: bool = False) -> None:
        self.open: Optional[Tup[Id, List[Any]]] = None
        self.anchors: Optional[List[Id]] = None  # of a batch: the ids of all its tuples
        self.in_order = in_order


class Outbox:
    """What is held for the engine, in order."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.batch = False
        self.done: List[Any] = []
        self.hands: Set[Hand] = set()
        self.wake: Callable[[], None] = lambda: None
        self.before_flush: Callable[[], None] = lambda: None
        self.more_later: Callable[[], bool] = lambda: False
        self._write = write
        #: Held by whoever adds more than one thing that must stand together.
        self.lock = threading.RLock()
        self._first = 0
        self._elements: List[Element] = []
        self._encoded: List[bytes] = []
        self._held = 0
        self._notes: Deque[Element] = deque()
        self._ids_wanted: Deque["Future[List[int]]"] = deque()
        self._answered = False

    def answer_handshake(self, answer: Element, batch: bool) -> None:
        """Send the answer; nothing is written before it."""
        with self.lock:
            self.batch = batch
            self._write(codec.dumps(answer) + b"\nend\n")
            self._answered = True

    def note(self, element: Element) -> None:
        """A log, an error or a metric: its place among the results does not matter.

        It takes no lock, so a print inside a destructor is safe.
        """
        text = element.get("msg")
        if text is not None and len(text) > LONGEST_NOTE:
            text = f"{text[:LONGEST_NOTE]}... ({len(text) - LONGEST_NOTE} characters more)"
            element = {**element, "msg": text}
        self._notes.append(element)
        self.wake()

    def error(self, text: str) -> None:
        """Show the text in the topology's error list."""
        self.note({"command": "error", "msg": text})

    def push(self, element: Element) -> None:
        """An element that stands behind everything added so far."""
        with self.lock:
            self._seal()
            self._elements.append(element)
        self.wake()

    # Results of tuples

    def begin(self, first: int) -> None:
        """The next result appended to ``done`` is that of input ``first``."""
        if self._first + len(self.done) != first:
            with self.lock:
                self._seal()
                self._first = first
        self.wake()

    def settle(self, id: Id, emits: List[Any], hand: Hand) -> None:
        """The input is done: its emits, then its ack."""
        with self.lock:
            hand.open = None
            if isinstance(id, int):
                if self._first + len(self.done) != id:
                    self._seal()
                    self._first = id
                self.done.append(emits)
            else:
                self._add_emits(id, emits, "default")
                self._elements.append({"command": "ack", "id": id})
        self.wake()

    def fail(self, id: Id, emits: List[Any], hand: Hand, msg: str, trace: str = "") -> None:
        """The input failed. What it had emitted before is sent, as Storm's clients do."""
        element: Element = {"command": "fail", "id": str(id)}
        if msg:
            element["msg"] = " ".join(msg.splitlines())
        if trace:
            element["trace"] = trace
        with self.lock:
            hand.open = None
            self._seal()
            self._add_emits(id, emits, "default")
            self._elements.append(element)
            self.skip(id)
        self.wake()

    def settled(self, id: Id, emits: List[Any], hand: Hand) -> None:
        """The handler ended, but the input is acked or failed by hand: send the emits alone."""
        with self.lock:
            hand.open = None
            self._add_emits(id, emits, "default")
        self.wake()

    def skip(self, id: Id) -> None:
        """The input gets no result (settled by hand): the next one follows it."""
        if isinstance(id, int):
            with self.lock:
                self._seal()
                self._first = id + 1

    def ack(self, id: Id) -> None:
        """An ack without emits, at any time."""
        if isinstance(id, int):
            with self.lock:
                if self._first + len(self.done) != id:
                    self._seal()
                    self._first = id
                self.done.append([])
            self.wake()
        else:
            self.push({"command": "ack", "id": id})

    def emit_for(self, id: Id, values: Any, stream: str) -> None:
        """An emit anchored to one input alone, before that input is done."""
        with self.lock:
            self._add_emits(id, [values], stream)
        self.wake()

    def spill(self, hand: Hand) -> None:
        """Give out the emits of an input in hand, so that something may follow them."""
        with self.lock:
            self._seal()
            self._take(hand)

    def message(self, id: Any, values: Any) -> None:
        """A spout's message on the default stream."""
        with self.lock:
            last = self._elements[-1] if self._elements else {}
            if "messages" in last:
                last["messages"].append((id, values))
            else:
                self._elements.append({"messages": [(id, values)]})
        self.wake()

    def ask(self, emit: Element) -> "Future[List[int]]":
        """Push an emit that wants task ids; they come in the order of the emits."""
        future: "Future[List[int]]" = Future()
        with self.lock:
            self._ids_wanted.append(future)
            self.push(emit)
        return future

    def task_ids(self, ids: List[int]) -> None:
        """The engine's answer to the oldest emit that wanted ids."""
        if not self._ids_wanted:
            raise RuntimeError(f"task ids {ids} came, but no emit asked for them")
        self._ids_wanted.popleft().set_result(ids)

    # Packing and writing

    def weigh(self) -> None:
        """Encode what is held and write it if that is much."""
        with self.lock:
            self._encode()
            if self._held >= LIMIT:
                self._send()

    def flush(self, partial: bool = False) -> bool:
        """Write all that is held; ``partial`` takes the emits of inputs in hand too.

        True if something was written.
        """
        if not self._answered:
            return False
        with self.lock:
            self._seal()
            if partial:
                for hand in list(self.hands):
                    self._take(hand)
            self.before_flush()
            while self._notes:
                self._elements.append(self._notes.popleft())
            self._encode()
            return self._send()

    def busy(self) -> bool:
        """Whether something is held, or may be at any moment."""
        held = self.done or self._elements or self._encoded or self._notes
        return bool(held) or any(hand.open for hand in list(self.hands)) or self.more_later()

    def _add_emits(self, id: Id, emits: List[Any], stream: str) -> None:
        if not emits:
            return
        if stream == "default":
            self._seal()
        if isinstance(id, int):
            last = self._elements[-1] if self._elements else {}
            if last.get("emit") == id and last.get("stream", "default") == stream:
                last["tuples"].extend(emits)
                return
            element: Element = {"emit": id, "tuples": emits}
            if stream != "default":
                element["stream"] = stream
            self._elements.append(element)
            return
        for values in emits:
            element = {"command": "emit", "tuple": values, "anchors": [id]}
            if stream != "default":
                element["stream"] = stream
            element["need_task_ids"] = False
            self._elements.append(element)

    def _take(self, hand: Hand) -> None:
        # The owner of the hand may append at any moment, and an in_order owner may also put the
        # very list into `done`; but only a seal takes it from there, and we hold the lock. So the
        # emits taken here stand before the input's own result.
        held = hand.open
        if held is None:
            return
        id, emits = held
        if hand.in_order and isinstance(id, int) and self._first + len(self.done) > id:
            return
        count = len(emits)
        taken = emits[:count]
        del emits[:count]
        self._add_emits(id, taken, "default")

    def _seal(self) -> None:
        count = len(self.done)
        if not count:
            return
        rows = self.done[:count]
        del self.done[:count]
        if any(rows):
            self._elements.append({"done": self._first, "emits": rows})
        else:
            self._elements.append({"done": self._first, "count": count})
        self._first += count

    def _encode(self) -> None:
        self._seal()
        if not self._elements:
            return
        elements, self._elements = self._elements, []
        try:
            if self.batch:
                encoded = [codec.dumps(elements)[1:-1]]
            else:
                encoded = [codec.dumps(element) for element in elements]
            apart = any(len(data) > FRAME for data in encoded)
        except ENCODING_ERRORS:
            apart = True
        if apart:
            encoded = [data for element in elements for data in encode_apart(element)]
        self._encoded += encoded
        self._held += sum(map(len, encoded))

    def _send(self) -> bool:
        if not self._encoded or not self._answered:
            return False
        encoded, self._encoded, self._held = self._encoded, [], 0
        if not self.batch:
            self._write(b"\nend\n".join(encoded) + b"\nend\n")
            return True
        frame: List[bytes] = []
        size = 0
        for data in encoded:
            if frame and size + len(data) > FRAME:
                self._write(b"[" + b",".join(frame) + b"]\nend\n")
                frame, size = [], 0
            frame.append(data)
            size += len(data) + 1
        self._write(b"[" + b",".join(frame) + b"]\nend\n")
        return True
