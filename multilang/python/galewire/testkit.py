"""Runs a component in the test's own process, through the same loops as under the engine.

    out = galewire.testkit.run(split, [{"line": "a b"}])
    assert out.emitted == ["a", "b"]

Values pass through JSON both ways, so what the engine would refuse fails here too.
"""

import json
import logging
import os
import tempfile
from contextvars import copy_context
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

from . import codec, logs
from .component import Component, Spout
from .inbox import Inbox
from .load import instance
from .message import Emit
from .outbox import Outbox
from .run import run_component
from .session import Session

Input = Union[Dict[str, Any], Sequence[Any]]
_MANY = 1_000_000


class Emitted(Emit):
    """One emit as it went out: ``values``, ``stream``, ``task``, ``anchors`` (ids as text), ``id``.

    It equals another emit, a list of values, or, with one value, that value.
    """

    __slots__ = ("id",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, element: Dict[str, Any], values: Sequence[Any], anchors: List[str]) -> None:
        stream = element.get("stream") or "default"
        super().__init__(*values, stream=stream, task=element.get("task"), anchors=anchors)
        self.id = element.get("id")

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, Emit):
            return list(self.values) == list(other.values) and self.stream == other.stream
        if isinstance(other, (list, tuple)):
            return list(self.values) == list(other)
        return len(self.values) == 1 and bool(self.values[0] == other)

    def __repr__(self) -> str:
        if self.stream != "default":
            return f"Emit({', '.join(map(repr, self.values))}, stream={self.stream!r})"
        return repr(self.values[0] if len(self.values) == 1 else list(self.values))


class Emits(List[Emitted]):
    """A list of emits. Where something went wrong, a failing assertion shows that too."""

    def __init__(self, emits: Iterable[Emitted], out: "Out") -> None:
        super().__init__(emits)
        self._out = out

    # An emit equals more than an Emitted; type checkers look for this.
    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    __hash__ = None

    def __repr__(self) -> str:
        wrong = [f"input {one.id} failed: {one.msg}" for one in self._out.failed]
        wrong += [f"error: {text.splitlines()[0]}" for text in self._out.errors]
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        told = f"  <{'; '.join(wrong[:3])}{more}>" if wrong else ""
        return super().__repr__() + told


class NotStarted(Exception):
    """The component does not fit its inputs, or says nonsense of itself; nothing was run."""


class Failed:
    """A failed input: its ``id``, the reason ``msg`` and the traceback ``trace``."""

    def __init__(self, id: str, msg: str, trace: str) -> None:
        self.id = id
        self.msg = msg
        self.trace = trace

    def __eq__(self, other: Any) -> bool:
        return self.id == (other.id if isinstance(other, Failed) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Failed({self.id!r}, {self.msg!r})"


class Out:
    """What came out of a run. Inputs have the ids "1", "2", ... in the order given."""

    def __init__(self) -> None:
        self.emitted: Emits = Emits([], self)
        self.acked: List[str] = []
        self.failed: List[Failed] = []
        self.logs: List[str] = []
        self.errors: List[str] = []
        self.metrics: List[Dict[str, Any]] = []
        self.touched: List[str] = []
        self.exhausted = False
        #: The component after the run, to look at its state.
        self.component: Optional[Component] = None

    def ok(self) -> "Out":
        """This, where nothing failed and no error was reported; AssertionError with the reasons if not."""
        wrong = [f"input {one.id} failed: {one.trace or one.msg}" for one in self.failed]
        if wrong or self.errors:
            raise AssertionError("\n".join(wrong + self.errors))
        return self

    def on(self, stream: str) -> Emits:
        """The emits of one stream."""
        return Emits([emit for emit in self.emitted if emit.stream == stream], self)

    def __repr__(self) -> str:
        words = ("emitted", "acked", "failed", "errors", "logs")
        return f"Out({', '.join(f'{word}={getattr(self, word)!r}' for word in words)})"

    def take(self, element: Dict[str, Any]) -> None:
        """One element of the child's answer."""
        command = element.get("command")
        if "done" in element:
            rows = element.get("emits") or [[]] * element["count"]
            for id, emits in enumerate(rows, element["done"]):
                self.emitted += [Emitted({}, values, [str(id)]) for values in emits]
                self.acked.append(str(id))
        elif "emit" in element:
            for values in element["tuples"]:
                self.emitted.append(Emitted(element, values, [str(element["emit"])]))
        elif "messages" in element:
            for id, values in element["messages"]:
                self.emitted.append(Emitted({"id": id}, values, []))
        elif command == "emit":
            anchors = element.get("anchors") or []
            self.emitted.append(Emitted(element, element["tuple"], anchors))
        elif command == "ack":
            self.acked.append(element["id"])
        elif command == "fail":
            msg, trace = element.get("msg", ""), element.get("trace", "")
            self.failed.append(Failed(element["id"], msg, trace))
        elif command == "reset_timeout":
            self.touched.append(element["id"])
        elif command == "log":
            self.logs.append(element["msg"])
        elif command == "error":
            self.errors.append(element["msg"])
        elif command == "metrics":
            self.metrics.append(element)
        elif command == "exhausted":
            self.exhausted = True


class _FileInbox(Inbox):
    """A file is always readable, so every read is preceded by the flush of a wait."""

    def fill(self) -> None:
        self._before_wait()
        super().fill()


class _Engine:
    """The other side: a file that the inbox reads, and a sink for what is written."""

    def __init__(self, folder: str, conf: Dict[str, Any], context: Dict[str, Any]) -> None:
        path = os.path.join(folder, "frames")
        self._file = open(path, "wb", buffering=0)
        self._fd = os.open(path, os.O_RDONLY)
        self.out = Out()
        self.answer: Callable[[Dict[str, Any]], None] = lambda element: None
        self.outbox = Outbox(self._take)
        self.inbox = _FileInbox(self._fd, self.outbox.flush, self.outbox.task_ids)
        self.session = Session({"conf": conf, "context": context}, self.inbox, self.outbox)
        self.outbox.answer_handshake({"pid": os.getpid()}, True)

    def send(self, elements: List[Dict[str, Any]]) -> None:
        if elements:
            text = json.dumps(elements, separators=(",", ":"))
            self._file.write(text.encode("ascii") + b"\nend\n")

    def close(self) -> None:
        self._file.close()
        os.close(self._fd)
        self.inbox.close()

    def _take(self, data: bytes) -> None:
        for text in data.split(b"\nend\n")[:-1]:
            value = codec.loads(text)
            for element in value if isinstance(value, list) else [value]:
                self.out.take(element)
                if element.get("command") == "emit" and element.get("need_task_ids", True):
                    self.outbox.task_ids([1])
                self.answer(element)


def run(
    handler: Any,
    inputs: Sequence[Input] = (),
    *,
    config: Optional[Dict[str, Any]] = None,
    fields: Optional[Sequence[str]] = None,
    outputs: Optional[Union[Sequence[str], Dict[str, Sequence[str]]]] = None,
    ticks: int = 0,
    drain: bool = True,
    max: int = _MANY,
    acks: Union[bool, Sequence[Any]] = (),
    fails: Union[bool, Sequence[Any]] = (),
) -> Out:
    """Run a decorated function, a class or an object over ``inputs`` and return what came out.

    ``inputs``: dicts, or lists with their names in ``fields``. ``outputs``: declared fields of the
    default stream, or of each stream; without it nothing is checked. ``ticks`` ticks follow the
    inputs, then (``drain``) drain and end. Spouts: at most ``max`` messages are asked for;
    ``acks`` and ``fails`` are ids told afterwards (True: every id given out).

    NotStarted where the arguments of the handler do not fit the inputs. What a handler raises
    fails its input, as it does under the engine: see ``out.failed``.
    """
    names = _fields(inputs, fields)
    component, function = instance(handler)
    conf = {"galewire.batch": {"version": 1}, "galewire.config": dict(config or {})}
    with tempfile.TemporaryDirectory() as folder:
        engine = _Engine(folder, conf, _context(names, outputs))
        caught = logs.install(engine.session.name, engine.outbox.note)
        try:
            component._session = engine.session
            if isinstance(component, Spout):
                _spout_script(engine, max, acks, fails)
            else:
                _bolt_script(engine, names, inputs, ticks, drain)
            # In a context of its own: the hand of this run is gone afterwards.
            copy_context().run(run_component, engine.session, component, function, _refuse)
            engine.outbox.flush(partial=True)
        finally:
            logging.getLogger().removeHandler(caught)
            engine.close()
    engine.out.component = component
    return engine.out


def _refuse(session: Session, text: str) -> int:
    raise NotStarted(text)


def _fields(inputs: Sequence[Input], fields: Optional[Sequence[str]]) -> List[str]:
    if isinstance(inputs, (dict, str)):
        raise TypeError(f"inputs is a list of inputs, as in [{{'field': 1}}], not {inputs!r}")
    if fields is not None:
        for given in inputs:
            if isinstance(given, (list, tuple)) and len(given) != len(fields):
                raise ValueError(f"an input has {len(fields)} field(s), {list(fields)}: {given!r}")
            if isinstance(given, str):
                raise TypeError(f"an input is a dict or a list of values, not {given!r}")
        return list(fields)
    names: List[str] = []
    for given in inputs:
        if not isinstance(given, dict):
            raise ValueError(f"name the fields of {given!r} with fields=[...], or give a dict")
        names += [name for name in given if name not in names]
    return names


def _context(names: List[str], outputs: Any) -> Dict[str, Any]:
    context: Dict[str, Any] = {
        "task->component": {"1": "source", "2": "component"},
        "taskid": 2,
        "componentid": "component",
    }
    if names:
        context["source->stream->fields"] = {"source": {"default": names}}
    if outputs is not None:
        declared = outputs if isinstance(outputs, dict) else {"default": list(outputs)}
        context["streams"] = list(declared)
        context["stream->outputfields"] = declared
    return context


def _bolt_script(
    engine: _Engine, names: List[str], inputs: Sequence[Input], ticks: int, drain: bool
) -> None:
    rows = [
        [given.get(name) for name in names] if isinstance(given, dict) else list(given)
        for given in inputs
    ]
    source = {"comp": "source", "stream": "default", "task": 1}
    if rows:
        engine.send([{**source, "first": 1, "tuples": rows}])
    tick = {"comp": "__system", "stream": "__tick", "task": -1, "tuple": [1]}
    engine.send([{**tick, "id": f"tick{number}"} for number in range(ticks)])
    if drain:
        engine.send([{"command": "drain", "id": "d"}, {"command": "end", "id": "e"}])


def _spout_script(engine: _Engine, most: int, acks: Any, fails: Any) -> None:
    state = {"told": 0, "over": False}

    def answer(element: Dict[str, Any]) -> None:
        if element.get("command") != "sync" or state["over"]:
            return
        given = len(engine.out.emitted)
        idle = given == state["told"]
        state["told"] = given
        if given < most and not engine.out.exhausted and not idle:
            engine.send([{"command": "next", "max": most - given}])
            return
        state["over"] = True
        ids = [emit.id for emit in engine.out.emitted if emit.id is not None]
        told = [("ack", ids if acks is True else acks), ("fail", ids if fails is True else fails)]
        engine.send([{"command": name, "ids": list(chosen)} for name, chosen in told if chosen])
        engine.send([{"command": "deactivate", "id": ""}])

    engine.answer = answer
    engine.send([{"command": "activate", "id": ""}, {"command": "next", "max": most}])
