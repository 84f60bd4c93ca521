"""Spans of time as users write them."""

from typing import Union

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def seconds(span: Union[str, float]) -> float:
    """``"250ms"``, ``"1s"``, ``"2m"`` or a number of seconds, as seconds."""
    if isinstance(span, (int, float)):
        return float(span)
    number = span.rstrip("ms").strip()
    unit = span[len(span.rstrip("ms")) :]
    try:
        return float(number) * _UNITS[unit or "s"]
    except (KeyError, ValueError):
        raise ValueError(f"'{span}' is no time: write \"1s\", \"250ms\" or seconds") from None
