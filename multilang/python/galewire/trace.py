"""Tracebacks as users want them: their own lines, without the SDK's and Python's around them."""

import os
import sys
import traceback
from typing import Any, List

from .message import EmitError

_HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STORM = os.path.join(os.path.dirname(os.path.dirname(_HOME)), "storm.py")
_IMPORTING = "<frozen importlib"
#: Where mistakes of the user are found: what led there from the user's line says nothing.
_FINDERS = tuple(_HOME + name for name in ("decorators.py", "metrics.py", "tuples.py", "values.py"))


def current_trace(result: Any = None) -> str:
    """The exception in hand with its traceback, from the first to the last frame of the user's.

    ``result`` is the generator that gave a value which is refused: then the line where it stands.
    """
    kind, error, at = sys.exc_info()
    assert kind is not None and error is not None  # called in an except clause alone
    found = traceback.TracebackException(kind, error, at)
    frames = list(found.stack)
    while frames and _is_ours(frames[0].filename):
        del frames[0]
    if any(not _is_ours(frame.filename) for frame in frames):
        if frames[-1].filename in _FINDERS:
            while _is_ours(frames[-1].filename):
                del frames[-1]
    elif not frames:
        frames = _standing(result)
    if frames:
        found.stack = traceback.StackSummary.from_list(frames)
        return "".join(found.format()).rstrip()
    if isinstance(error, (EmitError, SyntaxError)):  # these say themselves where it is
        lines = ["Traceback (most recent call last):\n", *found.format_exception_only()]
        return "".join(lines).rstrip()
    return "".join(found.format()).rstrip()


def _standing(result: Any) -> List[traceback.FrameSummary]:
    """The line at which a suspended generator stands."""
    frame = None
    while result is not None:
        inner = getattr(result, "gi_frame", None) or getattr(result, "ag_frame", None)
        if inner is None:
            break
        frame, result = inner, getattr(result, "gi_yieldfrom", None)
    return [] if frame is None else list(traceback.extract_stack(frame, limit=1))


def _is_ours(file: str) -> bool:
    return file.startswith((_HOME, _IMPORTING)) or file == _STORM
