"""What is under ``storm.py``: one process's link to the engine, in the words of Storm's module.

Storm's ``emit`` returns the ids of the tasks it went to, so every emit of its own client is a
round trip. Here an emit waits in ``_pending`` until something else is said: by then it is known
whether the caller has thrown the ids away (then they are never asked for) or has kept them (then
they are asked for, and waited for only when they are looked at). Nothing here calls user code.
"""

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Callable, Dict, Iterator, List, Optional

from . import __version__, logs, stdio
from .flusher import Flusher
from .inbox import EndOfInput, Inbox
from .outbox import Hand, Id, Outbox
from .run import leave_on_signals
from .session import Session
from .values import snapshot

#: Commands that batch frames do not answer with a ``sync``.
_UNANSWERED = ("ack", "fail", "activate", "deactivate")


class Emit:
    """One emit that may still be asking for task ids or not."""

    __slots__ = ("values", "stream", "anchors", "id", "wanted", "future")

    def __init__(self, values: Any, stream: str, anchors: Optional[List[Id]], id: Any) -> None:
        self.values = values
        self.stream = stream
        self.anchors = anchors  # None: of a spout
        self.id = id
        self.wanted = True
        self.future: Optional["Future[List[int]]"] = None


class TaskIds(Sequence):  # type: ignore[type-arg]
    """The task ids of one emit: a list that is fetched when it is first looked at."""

    __slots__ = ("_link", "_emit", "_ids")

    def __init__(self, link: "Link", emit: Emit) -> None:
        self._link = link
        self._emit = emit
        self._ids: Optional[List[int]] = None

    def __del__(self) -> None:
        self._emit.wanted = False

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return list  # isinstance(ids, list) holds, as with Storm's own

    def _list(self) -> List[int]:
        if self._ids is None:
            self._ids = self._link.task_ids(self._emit)
        return self._ids

    def __getitem__(self, at: Any) -> Any:
        return self._list()[at]

    def __len__(self) -> int:
        return len(self._list())

    def __iter__(self) -> Iterator[int]:
        return iter(self._list())

    def __eq__(self, other: object) -> bool:
        return self._list() == (other._list() if type(other) is TaskIds else other)

    def __add__(self, other: Any) -> List[Any]:
        return self._list() + list(other)

    def __radd__(self, other: Any) -> List[Any]:
        return list(other) + self._list()

    def __repr__(self) -> str:
        return repr(self._list())

    __hash__ = None  # type: ignore[assignment]


class Link:
    """The engine, as a script that calls Storm's functions sees it."""

    def __init__(self) -> None:
        reading, writing = stdio.take_over()
        sys.stdout.flush()  # printed before; descriptor 1 leads to stderr by now
        self.outbox = outbox = Outbox(lambda data: stdio.write_all(writing, data))
        self.inbox = Inbox(reading, outbox.flush, outbox.task_ids)
        self._printed = stdio.PrintedLines(self.log)
        self._printed.install()
        leave_on_signals(self.inbox)
        self._flusher = Flusher(outbox, self.inbox.stop)
        #: Emits of a spout so far.
        self.given = 0
        #: Whether the handshake has its answer.
        self.answered = False
        self._hand = Hand()
        outbox.hands.add(self._hand)
        self._pending: Optional[Emit] = None
        #: What has been read and not been given to the script, the next one last.
        self._unpacked: List[Dict[str, Any]] = []
        self._owes_sync = True
        self.session = Session(self._orderly(self.inbox.handshake), self.inbox, outbox)
        send_metrics = outbox.before_flush

        def before_flush() -> None:
            self._commit()
            send_metrics()

        outbox.before_flush = before_flush
        logs.install(self.session.name, outbox.note)
        self._flusher.start()
        atexit.register(self._close)

    def _close(self) -> None:
        self._flusher.stop()
        self._printed.finish()
        try:
            self.outbox.flush(partial=True)
        except BrokenPipeError:
            print("galewire: the engine is gone: nobody reads stdout", file=sys.stderr)

    @staticmethod
    def _orderly(read: Callable[[], Any]) -> Any:
        """At the end of the input the script ends, in good order."""
        try:
            return read()
        except EndOfInput:
            raise SystemExit(0) from None

    # What the engine says

    def answer_handshake(self, directory: Optional[str]) -> None:
        """Write the pid file and send the answer; the second time does nothing."""
        if self.answered:
            return
        self.answered = True
        reply: Dict[str, Any] = {"pid": os.getpid()}
        if directory:
            try:
                with open(os.path.join(directory, str(reply["pid"])), "w", encoding="ascii"):
                    pass
            except OSError as error:
                self.session.log.warning("could not write the pid file: %s", error)
        if self.session.batch:
            # Not "replay": a script of Storm's emits a failed message again by itself.
            reply.update({"batch": 1, "sdk": f"python {__version__} storm"})
        self.outbox.answer_handshake(reply, self.session.batch)

    def read(self) -> Dict[str, Any]:
        """The next command or tuple, in Storm's form; SystemExit at the end of the input."""
        self._put_down()
        if not self._unpacked:
            self._orderly(self._unpack)
        message = self._unpacked.pop()
        self._owes_sync = not (self.session.batch and message.get("command") in _UNANSWERED)
        return message

    def _unpack(self) -> None:
        while not self._unpacked:
            self.outbox.weigh()
            item = self.inbox.get()
            assert item is not None  # there is no time limit
            message = item[0]
            command = message.get("command")
            if "tuples" in message:
                self._unpacked = rows(message)
            elif command in ("drain", "end"):
                self.outbox.push({"command": f"{command}ed", "id": message.get("id")})
            elif "ids" in message:
                self._unpacked = [{"command": command, "id": id} for id in message["ids"]][::-1]
            else:
                self._unpacked = [message]
            self.inbox.rows = self._unpacked  # cleared when the process is told to leave

    def take(self, id: str) -> None:
        """The script gets this tuple: emits anchored to it alone are packed with its ack."""
        self._hand.open = (self._wire(id), [])

    # What the script says

    def emit(
        self, values: Any, stream: Optional[str], anchors: Optional[List[Any]], id: Any
    ) -> TaskIds:
        """An emit whose task ids may be asked for; ``anchors`` is None for a spout."""
        emit = self._checked(values, stream, anchors, id)
        with self.outbox.lock:
            self._commit()
            self._pending = emit
        self.outbox.wake()
        return TaskIds(self, emit)

    def emit_unasked(
        self,
        values: Any,
        stream: Optional[str],
        anchors: Optional[List[Any]],
        id: Any,
        task: Optional[int],
    ) -> None:
        """An emit whose task ids are not asked for; ``task`` sends it to that task alone."""
        emit = self._checked(values, stream, anchors, id)
        emit.wanted = False
        with self.outbox.lock:
            self._commit()
            self._send(emit, task)

    def _checked(self, values: Any, stream: Optional[str], anchors: Any, id: Any) -> Emit:
        stream = "default" if stream is None else stream
        checked = self.session.streams.checked(tuple(values), stream)
        self.given += 1
        ids = None if anchors is None else [self._wire(tup.id) for tup in anchors]
        return Emit(checked, stream, ids, snapshot(id))

    def task_ids(self, emit: Emit) -> List[int]:
        """Wait for the ids of an emit."""
        with self.outbox.lock:
            self._commit()
        assert emit.future is not None  # it was wanted when it was committed
        if not emit.future.done():
            self.outbox.flush()
            if threading.current_thread() is threading.main_thread():
                self.inbox.pump(emit.future.done)
        return emit.future.result()

    def ack(self, tup: Any) -> None:
        id = self._wire(tup.id)
        with self.outbox.lock:
            self._commit()
            held = self._hand.open
            if held is not None and held[0] == id:
                self.outbox.settle(id, held[1], self._hand)
            else:
                self.outbox.spill(self._hand)
                self.outbox.ack(id)

    def fail(self, tup: Any, msg: str = "", trace: str = "") -> None:
        id = self._wire(tup.id)
        with self.outbox.lock:
            self._commit()
            held = self._hand.open
            if held is not None and held[0] == id:
                self.outbox.fail(id, held[1], self._hand, msg, trace)
            else:
                self.outbox.spill(self._hand)
                self.outbox.fail(id, [], Hand(), msg, trace)

    def sync(self) -> None:
        """Answers a command, where batch frames answer it."""
        if self._owes_sync:
            self.send({"command": "sync"})

    def send(self, message: Dict[str, Any]) -> None:
        """Any message, behind all that was said so far. No task ids are asked for."""
        with self.outbox.lock:
            self._commit()
            self.outbox.spill(self._hand)
            self.outbox.push(snapshot(message))

    def log(self, text: Any, level: int = 2) -> None:
        self.outbox.note({"command": "log", "msg": str(text), "level": level})

    # How it travels

    def _wire(self, id: Any) -> Id:
        text = str(id)
        return int(text) if self.session.batch and text.isdecimal() else text

    def _put_down(self) -> None:
        """The script asks for more: the tuple in hand, if not settled, is settled later."""
        with self.outbox.lock:
            self._commit()
            held = self._hand.open
            if held is not None:
                self.outbox.settled(held[0], held[1], self._hand)

    def _commit(self) -> None:
        """Decide whether the last emit asks for its task ids. The outbox is locked."""
        emit, self._pending = self._pending, None
        if emit is not None:
            self._send(emit, None)

    def _send(self, emit: Emit, task: Optional[int]) -> None:
        plain = task is None and not emit.wanted
        if emit.anchors is None:
            if plain and self.session.batch and emit.stream == "default":
                self.outbox.message(emit.id, emit.values)
                return
        elif plain and len(emit.anchors) == 1:
            self._emit_for(emit.anchors[0], emit)
            return
        element: Dict[str, Any] = {"command": "emit", "tuple": emit.values}
        if emit.anchors is not None:
            self.outbox.spill(self._hand)
            element["anchors"] = [str(id) for id in emit.anchors]
        elif emit.id is not None:
            element["id"] = emit.id
        if emit.stream != "default":
            element["stream"] = emit.stream
        if task is not None:
            element["task"] = task
        if emit.wanted:
            emit.future = self.outbox.ask(element)
        else:
            element["need_task_ids"] = False
            self.outbox.push(element)

    def _emit_for(self, id: Id, emit: Emit) -> None:
        held = self._hand.open
        if held is not None and held[0] == id and emit.stream == "default":
            held[1].append(emit.values)
            self.outbox.wake()
        else:
            self.outbox.spill(self._hand)
            self.outbox.emit_for(id, emit.values, emit.stream)


def rows(message: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The tuples of a compact element as messages of Storm's, the last one first."""
    comp, stream, task = message.get("comp"), message.get("stream"), message.get("task")
    unpacked = [
        {"id": str(id), "comp": comp, "stream": stream, "task": task, "tuple": values}
        for id, values in enumerate(message["tuples"], message["first"])
    ]
    unpacked.reverse()
    return unpacked
