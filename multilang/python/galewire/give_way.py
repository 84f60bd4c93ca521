"""Which galewire runs a component: the one that its Python has installed, or else the engine's.

The engine puts its own copy in front of everything that is installed. Where the user's environment
has a galewire too, that one was chosen: the engine's gives way to it, as it does in Node.
"""

import importlib
import os
import sys
from typing import Any, Optional

_HOME = os.path.dirname(os.path.abspath(__file__))
#: Written by the engine beside the copy that it unpacks, and by nobody else.
_MARKER = os.path.join(_HOME, "from_engine")


def installed() -> Optional[Any]:
    """The ``galewire`` package that stands behind this one; None where this one is not to give way."""
    if not os.path.exists(_MARKER):
        return None
    before = list(sys.path)
    _step_back()
    # find_spec of importlib.util would answer with this package, which is loaded already.
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find("galewire", None) if find else None
        # A folder of that name without a package in it has no loader.
        if spec is not None and spec.origin and spec.submodule_search_locations:
            if os.path.dirname(os.path.abspath(spec.origin)) != _HOME:
                for name in [name for name in sys.modules if name.split(".")[0] == "galewire"]:
                    del sys.modules[name]
                return importlib.import_module("galewire.__main__")
    sys.path[:] = before
    return None


def _step_back() -> None:
    """Put the engine's folder, which stands for its module ``storm`` too, behind all others."""
    ours = os.path.dirname(_HOME)
    theirs = [entry for entry in sys.path if os.path.abspath(entry or ".") != ours]
    sys.path[:] = [*theirs, ours]
