"""Frames with a value that Python's json refuses: nested too deep, or an integer with too many digits.

The other values of such a frame are read as ever; the one refuses only when somebody looks at it,
which fails its tuple alone. Nothing here is used for frames that json reads.
"""

from typing import Any, Dict, Iterator, List, Union

from . import codec
from .rawjson import Frame, array_spans, members

#: What json raises for values that are JSON all the same.
REFUSALS = (RecursionError, ValueError)


class UnreadableValue(ValueError):
    """A value that is JSON, and that Python's json refuses."""


class Row(List[Any]):
    """The values of one tuple; those that cannot be read raise when they are looked at."""

    def __init__(self, values: List[Any], refused: Dict[int, str]) -> None:
        super().__init__(values)
        self._refused = refused

    def _refuse(self, at: int) -> None:
        raise UnreadableValue(
            f"value {at} of the tuple is JSON that Python refuses to read "
            f"({self._refused[at]}); tup.raw({at}) has its bytes"
        )

    def __iter__(self) -> Iterator[Any]:
        for at in self._refused:
            self._refuse(at)
        return super().__iter__()

    def __getitem__(self, key: Any) -> Any:
        places = range(len(self))[key]
        for at in [places] if isinstance(places, int) else places:
            if at in self._refused:
                self._refuse(at)
        return super().__getitem__(key)

    def __repr__(self) -> str:
        shown = ["..." if at in self._refused else repr(self[at]) for at in range(len(self))]
        return f"[{', '.join(shown)}]"


def read(frame: Frame) -> Union[Dict[str, Any], List[Any]]:
    """The elements of a frame that json did not read as a whole."""
    text = frame.text()
    starts = frame.starts()
    elements = [_element(text, start) for start in starts]
    return elements if text.lstrip(" \t\r\n").startswith("[") else elements[0]


def _element(text: str, start: int) -> Any:
    element: Dict[str, Any] = {}
    for name, (begin, end) in members(text, start):
        if name == "tuple":
            element[name] = _row(text, begin)
        elif name == "tuples":
            element[name] = [_row(text, row) for row, _ in array_spans(text, begin)]
        else:
            element[name] = _value(text[begin:end])
    return element


def _row(text: str, start: int) -> List[Any]:
    values: List[Any] = []
    refused: Dict[int, str] = {}
    for at, (begin, end) in enumerate(array_spans(text, start)):
        try:
            values.append(_value(text[begin:end]))
        except REFUSALS as error:
            values.append(None)
            refused[at] = f"{type(error).__name__}: {error}"
    return Row(values, refused) if refused else values


def _value(text: str) -> Any:
    return codec.loads(text.encode("utf-8", "surrogatepass"))
