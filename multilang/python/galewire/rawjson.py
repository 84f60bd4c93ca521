"""Finds the bytes of one value inside a frame, for ``tup.raw(i)``; used only when asked for."""

import json
import re
from typing import Any, Iterator, List, Tuple as Tup

_scan = json.JSONDecoder().raw_decode
_SPACE = " \t\n\r"
_SCALAR = re.compile(r"[^\s,\]}]+")
_BRACKET = re.compile(r'[\[\]{}"]')
Span = Tup[int, int]


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _string_end(text: str, at: int) -> int:
    end = text.index('"', at + 1)
    while True:
        before = end - 1
        while text[before] == "\\":
            before -= 1
        if (end - before) % 2:
            return end + 1
        end = text.index('"', end + 1)


def _value_end(text: str, at: int) -> int:
    """Behind the value that begins at ``at``; it may be nested as deep as it likes."""
    if text[at] == '"':
        return _string_end(text, at)
    if text[at] not in "[{":
        found = _SCALAR.match(text, at)
        if found is None:
            raise ValueError(f"no value at {at}")
        return found.end()
    depth = 0
    while True:
        found = _BRACKET.search(text, at)
        if found is None:
            raise ValueError("a bracket is not closed")
        at = found.end()
        if found[0] == '"':
            at = _string_end(text, at - 1)
        elif found[0] in "[{":
            depth += 1
        else:
            depth -= 1
            if not depth:
                return at


def array_spans(text: str, at: int) -> List[Span]:
    """Start and end of every element of the array that opens at ``at``."""
    spans: List[Span] = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _value_end(text, at)
        spans.append((at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans


def members(text: str, at: int) -> Iterator[Tup[str, Span]]:
    """Name and span of the value of every member of the object that opens at ``at``."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _scan(text, at)
        at = _skip(text, _skip(text, at) + 1)
        end = _value_end(text, at)
        yield name, (at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def member_start(text: str, at: int, name: str) -> int:
    """Where the value of member ``name`` begins in the object that opens at ``at``."""
    found = -1
    for key, span in members(text, at):
        if key == name:
            found = span[0]  # the last one counts, as for any JSON reader
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
        return self.starts()[index]

    def starts(self) -> List[int]:
        """Where every element begins."""
        text = self.text()
        if not self._elements:
            start = _skip(text, 0)
            if text[start] == "[":
                self._elements = [begin for begin, _ in array_spans(text, start)]
            else:
                self._elements = [start]
        return self._elements

    def cut(self, span: Span) -> bytes:
        return self.text()[span[0] : span[1]].encode("utf-8", "surrogatepass")
