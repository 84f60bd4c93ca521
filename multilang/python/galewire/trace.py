"""Tracebacks as users want them: without the SDK's own frames in front of theirs."""

import os
import sys
import traceback

_HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STORM = os.path.join(os.path.dirname(os.path.dirname(_HOME)), "storm.py")


def current_trace() -> str:
    """The exception in hand with its traceback, from the first frame that is not the SDK's."""
    kind, error, at = sys.exc_info()
    first = at
    while first is not None and _is_ours(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    # An error that the SDK itself found has frames of the SDK alone: then all of them count.
    return "".join(traceback.format_exception(kind, error, first or at)).rstrip()


def _is_ours(file: str) -> bool:
    return file.startswith(_HOME) or file == _STORM
