"""JSON in and out, exact: what orjson would bend (big integers, NaN, lone surrogates) goes to json.

This module knows nothing of messages; it turns bytes into values and values into bytes.
"""

import json
import os
from typing import Any, Callable

from .raw import Placed, RawJson

_decode = json.JSONDecoder().decode
# Values are checked and copied when they are emitted (values.py), so no circle can get here.
_encode = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, separators=(",", ":")
).encode


def _encode_with_raw(value: Any) -> bytes:
    placed = Placed()
    encode = json.JSONEncoder(check_circular=False, separators=(",", ":"), default=placed.default)
    return placed.fill(encode.encode(value)).encode("utf-8", "surrogatepass")


# orjson reads an integer beyond 64 bits as a float. Such a frame has 19 digits in a row;
# translate and find look for them at about one nanosecond a byte.
_DIGITS = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
_LONG_INTEGER = b"0" * 19


def _std_loads(data: bytes) -> Any:
    return _decode(data.decode("utf-8", "surrogatepass"))


def _std_dumps(value: Any) -> bytes:
    try:
        return _encode(value).encode("ascii")
    except TypeError:  # a raw value is among them
        return _encode_with_raw(value)


def _with_orjson(orjson: Any) -> "tuple[Callable[[bytes], Any], Callable[[Any], bytes]]":
    fast_loads, fast_dumps = orjson.loads, orjson.dumps
    refused_in, refused_out = orjson.JSONDecodeError, orjson.JSONEncodeError

    def loads(data: bytes) -> Any:
        if _LONG_INTEGER in data.translate(_DIGITS):
            return _std_loads(data)
        try:
            return fast_loads(data)
        except refused_in:
            return _std_loads(data)

    def default(value: Any) -> Any:
        if isinstance(value, RawJson):
            return orjson.Fragment(value.text.encode("utf-8", "surrogatepass"))
        raise TypeError

    def dumps(value: Any) -> bytes:
        try:
            return bytes(fast_dumps(value, default))
        except refused_out:
            return _std_dumps(value)

    return loads, dumps


loads: Callable[[bytes], Any] = _std_loads
dumps: Callable[[Any], bytes] = _std_dumps
#: The JSON library in use: ``"json"`` or ``"orjson"``.
library = "json"

# GALEWIRE_JSON=json keeps orjson out, to compare or to rule it out when something looks wrong.
if os.environ.get("GALEWIRE_JSON") != "json":
    try:
        import orjson as _orjson
    except ImportError:
        pass  # orjson is optional; json does everything, only slower
    else:
        loads, dumps = _with_orjson(_orjson)
        library = "orjson"
