"""The tuple as the user sees it, and where it came from.

For every source stream a subclass is made whose properties are the fields, so that ``tup.word``
costs no more than a function call.
"""

import difflib
import keyword
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple as Tup, Type, Union

from . import rawjson


class Source:
    """One input stream: who sends it and its field names (None: the engine did not say)."""

    __slots__ = ("component", "stream", "fields", "index", "owner", "known", "tuple_class")

    def __init__(
        self, component: str, stream: str, fields: Optional[Sequence[str]], owner: Any = None
    ) -> None:
        self.component = component
        self.stream = stream
        self.known = fields is not None
        self.fields = list(fields or ())
        self.index: Dict[str, int] = {name: at for at, name in enumerate(self.fields)}
        self.owner = owner
        self.tuple_class = _tuple_class(self.fields)

    def describe(self) -> str:
        place = "" if self.stream == "default" else f" stream '{self.stream}'"
        return f"'{self.component}'{place} (fields: {', '.join(self.fields) or 'none'})"


class Origin:
    """What the tuples of one element of a frame have in common."""

    __slots__ = ("source", "task", "frame", "element", "first", "_rows")

    def __init__(
        self, source: Source, task: int, frame: rawjson.Frame, element: int, first: Optional[int]
    ) -> None:
        self.source = source
        self.task = task
        self.frame = frame
        self.element = element
        self.first = first
        self._rows: Optional[List[rawjson.Span]] = None

    def raw(self, id: Union[int, str], index: int) -> bytes:
        text = self.frame.text()
        start = self.frame.element(self.element)
        if self.first is None:
            row = rawjson.member_start(text, start, "tuple")
        else:
            if self._rows is None:
                rows = rawjson.member_start(text, start, "tuples")
                self._rows = rawjson.array_spans(text, rows)
            row = self._rows[int(id) - self.first][0]
        return self.frame.cut(rawjson.array_spans(text, row)[index])


class Tuple:
    """One input. Fields are attributes, ``tup["field"]`` and ``tup[0]``.

    A field named like an attribute below (``id``, ``values``, ...) is reached by ``tup["id"]``.
    """

    __slots__ = ("values", "_id", "_origin")

    #: The values, in the order of the source's fields.
    values: List[Any]

    def __init__(self, values: List[Any], id: Union[int, str], origin: Origin) -> None:
        self.values = values
        self._id = id
        self._origin = origin

    @property
    def id(self) -> str:
        """The engine's id of this tuple, as text."""
        return str(self._id)

    @property
    def component(self) -> str:
        """Name of the component that emitted it."""
        return self._origin.source.component

    @property
    def stream(self) -> str:
        """Name of the stream it came on."""
        return self._origin.source.stream

    @property
    def task(self) -> int:
        """Task that emitted it."""
        return self._origin.task

    @property
    def fields(self) -> List[str]:
        """Names of the source's fields."""
        return list(self._origin.source.fields)

    def raw(self, index: Union[int, str]) -> bytes:
        """The JSON bytes of one value exactly as they were sent, by index or field name."""
        at = self._at(index) if isinstance(index, str) else range(len(self.values))[index]
        return self._origin.raw(self._id, at)

    def as_dict(self) -> Dict[str, Any]:
        """Field names to values."""
        return dict(zip(self._origin.source.fields, self.values))

    def ack(self) -> None:
        """Ack this tuple by hand."""
        self._origin.source.owner.ack(self)

    def fail(self, reason: str = "") -> None:
        """Fail this tuple alone, with a reason."""
        self._origin.source.owner.fail(self, reason)

    def touch(self) -> None:
        """Say that it is still being worked on: its time-out starts anew."""
        self._origin.source.owner.touch(self)

    def _at(self, name: str) -> int:
        at = self._origin.source.index.get(name)
        if at is None:
            raise KeyError(no_field(self._origin.source, name))
        return at

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.values[self._at(key)]
        return self.values[key]

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is neither a field nor an attribute.
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(no_field(self._origin.source, name))

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __repr__(self) -> str:
        pairs = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"<Tuple {self._id} of {self.component}: {pairs}>"


def no_field(source: Source, name: str) -> str:
    """The message for a field that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, source.fields, 1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"no field '{name}' in {source.describe()}{hint}"


def _field(at: int) -> property:
    return property(lambda self: self.values[at])


_classes: Dict[Tup[str, ...], Type[Tuple]] = {}


def _tuple_class(fields: Sequence[str]) -> Type[Tuple]:
    key = tuple(fields)
    if key not in _classes:
        members: Dict[str, Any] = {"__slots__": ()}
        for at, name in enumerate(fields):
            taken = hasattr(Tuple, name) or name.startswith("__") or name in Tuple.__slots__
            if name.isidentifier() and not keyword.iskeyword(name) and not taken:
                members[name] = _field(at)
        _classes[key] = type("Tuple", (Tuple,), members)
    return _classes[key]
