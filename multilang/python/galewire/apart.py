"""Encodes elements that cannot be encoded together: each result alone, and what cannot be sent fails.

json refuses integers with too many digits and what is nested too deep, and the engine refuses a
message that is too large. Here that costs the one tuple that emitted it and no other.
"""

from typing import Any, Dict, Iterator, List, Optional, Union

from . import codec

#: What json raises for values that it cannot write.
ENCODING_ERRORS = (RecursionError, ValueError, TypeError)
#: The engine takes no larger message; a little is for what stands around a value.
_LARGEST = (64 << 20) - 4096

Element = Dict[str, Any]


def encode_apart(element: Element) -> Iterator[bytes]:
    """One element as one or more, or as the failure of what cannot be sent."""
    for part in _parts(element):
        try:
            data = codec.dumps(part)
        except ENCODING_ERRORS as error:
            yield from _refused(part, f"{type(error).__name__}: {error}")
            continue
        if len(data) <= _LARGEST:
            yield data
        else:
            yield from _refused(part, f"{len(data)} bytes are more than a message may have")


def _parts(element: Element) -> Iterator[Element]:
    if "emits" in element:
        for id, rows in enumerate(element["emits"], element["done"]):
            yield from _result(id, rows)
    elif "tuples" in element:
        for values in element["tuples"]:
            yield {**element, "tuples": [values]}
    elif "messages" in element:
        for message in element["messages"]:
            yield {"messages": [message]}
    else:
        yield element


def _result(id: int, rows: List[Any]) -> Iterator[Element]:
    try:
        size = len(codec.dumps(rows))
    except ENCODING_ERRORS:
        size = 0  # refused with the first row that cannot be written
    if size <= _LARGEST:
        yield {"done": id, "emits": [rows]}
        return
    for values in rows:
        yield {"emit": id, "tuples": [values]}
    yield {"done": id, "count": 1}


def _refused(part: Element, why: str) -> Iterator[bytes]:
    text = f"what it emitted cannot be sent: {why}"
    ids = _inputs(part)
    if ids is None:
        yield codec.dumps({"command": "error", "msg": text})
        return
    for id in ids:
        yield codec.dumps({"command": "fail", "id": str(id), "msg": text})


def _inputs(part: Element) -> Optional[List[Union[int, str]]]:
    """The inputs that fail where this cannot be sent; None where there are none."""
    if "done" in part:
        return [part["done"]]
    if "emit" in part:
        return [part["emit"]]
    return part.get("anchors") or None
