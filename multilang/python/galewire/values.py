"""Checks emitted values against the declared streams, and copies what could change later.

Values are written some time after the emit, so containers are copied at once; plain scalars,
the common case, pass untouched. Nothing is written here.
"""

import inspect
import os
from typing import Any, Dict, List, Optional, Tuple as Tup

from .message import EmitError
from .raw import RawJson

#: Types that need neither a copy nor a check.
PLAIN = frozenset((str, int, bool, type(None)))
_HERE = os.path.dirname(os.path.abspath(__file__))
_KEYS = (str, int, float, type(None))


class NonFinite(float):
    """NaN or an infinity. orjson would write ``null``; it refuses this subclass, json keeps it."""

    __slots__ = ()


def snapshot(value: Any) -> Any:
    """A copy of a JSON value, made of exact types; EmitError where it is not JSON."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, float):
        number = float(value)
        return number if number - number == 0.0 else NonFinite(number)
    if isinstance(value, (list, tuple)):
        return [snapshot(item) for item in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, _KEYS):
                raise EmitError(f"a dict with a key of type {type(key).__name__} is not JSON")
        return {key: snapshot(item) for key, item in value.items()}
    if kind is RawJson:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    raise EmitError(f"a value of type {name} is not JSON{_advice(value)}")


def _advice(value: Any) -> str:
    if inspect.isawaitable(value):
        return " (is an await missing?)"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return " (is it meant: yield from?)"
    if isinstance(value, (set, frozenset)):
        return " (list(...) is)"
    if isinstance(value, (bytes, bytearray)):
        return " (bytes.decode() is)"
    return ""


def freeze(values: Tup[Any, ...]) -> Tup[Any, ...]:
    """The values, safe from later changes by the user's code."""
    for value in values:
        if type(value) not in PLAIN:
            return tuple([snapshot(item) for item in values])
    return values


class Streams:
    """The declared output streams of one component."""

    def __init__(self, component: str, context: Dict[str, Any]) -> None:
        self.component = component
        self.fields: Dict[str, List[str]] = dict(context.get("stream->outputfields") or {})
        names = context.get("streams")
        self._names = set(names) if names else set(self.fields)

    def width(self, stream: str) -> Optional[int]:
        """Number of declared fields, or None where the engine did not say."""
        fields = self.fields.get(stream)
        return None if fields is None else len(fields)

    def checked(self, values: Tup[Any, ...], stream: str) -> Tup[Any, ...]:
        """The frozen values, or an EmitError that says what was declared."""
        fields = self.fields.get(stream)
        if fields is None:
            if self._names and stream not in self._names:
                known = ", ".join(sorted(self._names))
                raise EmitError(
                    f"'{self.component}' has no stream '{stream}' (declared: {known})"
                )
        elif len(values) != len(fields):
            raise EmitError(self._wrong_count(values, stream, fields))
        try:
            return freeze(values)
        except EmitError as error:
            raise EmitError(f"'{self.component}' emits what is not JSON: {error}") from None

    def _wrong_count(self, values: Tup[Any, ...], stream: str, fields: List[str]) -> str:
        place = "" if stream == "default" else f" on '{stream}'"
        shown = repr(list(values))
        if len(shown) > 120:
            shown = shown[:117] + "..."
        return (
            f"'{self.component}' emits {_count(len(values), 'value')}{place}, "
            f"but declares {_count(len(fields), 'field')} ({', '.join(fields)}): {shown}"
        )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def line_of(result: Any) -> Optional[str]:
    """``file:line`` at which a suspended generator stands, or None."""
    place = None
    while result is not None:
        frame = getattr(result, "gi_frame", None) or getattr(result, "ag_frame", None)
        if frame is None:
            break
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        result = getattr(result, "gi_yieldfrom", None)
    return place


def line_of_error(error: BaseException) -> Optional[str]:
    """``file:line`` of the handler's own file where an exception went through it, or None."""
    place = None
    file = None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if file is None and os.path.dirname(os.path.abspath(name)) != _HERE:
            file = name
        if name == file:
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
