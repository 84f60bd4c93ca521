"""Tracebacks as users want them: without the SDK's own frames in front of theirs."""

import os
import sys
import traceback

_HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep


def current_trace() -> str:
    """The exception in hand with its traceback, from the first frame that is not the SDK's."""
    kind, error, at = sys.exc_info()
    first = at
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_HOME):
        first = first.tb_next
    # An error that the SDK itself found has frames of the SDK alone: then all of them count.
    return "".join(traceback.format_exception(kind, error, first or at)).rstrip()
