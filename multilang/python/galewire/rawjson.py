"""Finds the bytes of one value inside a frame, for ``tup.raw(i)``; used only when asked for."""

import json
from typing import Any, List, Tuple as Tup

_scan = json.JSONDecoder().raw_decode
_SPACE = " \t\n\r"
Span = Tup[int, int]


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def array_spans(text: str, at: int) -> List[Span]:
    """Start and end of every element of the array that opens at ``at``."""
    spans: List[Span] = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _scan(text, at)[1]
        spans.append((at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans


def member_start(text: str, at: int, name: str) -> int:
    """Where the value of member ``name`` begins in the object that opens at ``at``."""
    found = -1
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _scan(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            found = at  # the last one counts, as for any JSON reader
        at = _skip(text, _scan(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
    if found < 0:
        raise KeyError(name)
    return found


class Frame:
    """The bytes of one frame, and lazily where its elements are."""

    __slots__ = ("data", "_text", "_elements")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._text: Any = None
        self._elements: List[int] = []

    def text(self) -> str:
        if self._text is None:
            self._text = self.data.decode("utf-8", "surrogatepass")
        text: str = self._text
        return text

    def element(self, index: int) -> int:
        """Where element ``index`` begins; a frame without an array is its own element."""
        text = self.text()
        if not self._elements:
            start = _skip(text, 0)
            if text[start] == "[":
                self._elements = [begin for begin, _ in array_spans(text, start)]
            else:
                self._elements = [start]
        return self._elements[index]

    def cut(self, span: Span) -> bytes:
        return self.text()[span[0] : span[1]].encode("utf-8", "surrogatepass")
