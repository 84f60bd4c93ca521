"""Values that are JSON already and are written as they stand: ``raw_json``.

For what Python would change on the way: ``1e400``, an integer of ten thousand digits, nesting
beyond what ``json`` reads, the order and spelling of another program.
"""

import json
import os
from typing import Any, List, Union

_CONSTANTS = frozenset(("NaN", "Infinity", "-Infinity"))


class RawJson:
    """JSON text that an emit writes byte for byte; made by :func:`raw_json`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"raw_json({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RawJson) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def raw_json(data: Union[str, bytes]) -> RawJson:
    """Wrap JSON text, such as ``tup.raw(0)``, so that an emit writes exactly that.

    Text that is not JSON raises ValueError. What ``json`` cannot read although it is JSON (too
    deep, too many digits) is taken as it is.
    """
    text = data if isinstance(data, str) else bytes(data).decode("utf-8", "surrogatepass")
    if text not in _CONSTANTS:
        try:
            json.loads(text, parse_int=float)
        except RecursionError:
            pass
    # A line break outside of strings would end the frame's line.
    return RawJson(" ".join(text.split("\n")))


class Placed:
    """Stands in for raw texts while ``json`` encodes what is around them."""

    def __init__(self) -> None:
        self.mark = f"galewire-raw-{os.urandom(9).hex()}-"
        self.texts: List[str] = []

    def default(self, value: Any) -> Any:
        """What ``json`` asks for a type that it does not know."""
        if not isinstance(value, RawJson):
            raise TypeError(f"{type(value).__name__} is not JSON")
        self.texts.append(value.text)
        return f"{self.mark}{len(self.texts) - 1}-"

    def fill(self, text: str) -> str:
        """The encoded text with the raw ones in their places."""
        if not self.texts:
            return text
        parts = text.split(f'"{self.mark}')
        filled = [parts[0]]
        for part in parts[1:]:
            index, _, rest = part.partition("-")
            filled.append(self.texts[int(index)])
            filled.append(rest[1:])
        return "".join(filled)
