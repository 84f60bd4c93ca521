"""``python3 -m galewire FILE.py:NAME``: run one component as a child of the engine."""

import os
import sys
from typing import Any

from .give_way import installed

USAGE = """\
usage: python3 -m galewire FILE.py:NAME

This runs one bolt or spout as a child of the Galewire engine, which talks to it over
stdin and stdout. Do not start it by hand; name it in a topology, and run that:

    [bolts.NAME]
    python = "FILE.py:NAME"

    galewire run topology.toml

To try it alone: echo '{"field": "value"}' | galewire bolt topology.toml NAME
In a test: galewire.testkit.run(handler, [{"field": "value"}])
"""


def main() -> int:
    """Returns the exit status; 2 where it was called wrongly."""
    arguments = sys.argv[1:]
    if len(arguments) != 1 or arguments[0].startswith("-") or os.isatty(0):
        print(USAGE, file=sys.stderr, end="")
        asked = arguments in (["-h"], ["--help"])
        return 0 if asked else 2
    from .run import NoEngine, child  # not above: another galewire may be the one that runs

    try:
        return child(arguments[0])
    except NoEngine:
        print(USAGE, file=sys.stderr, end="")
        return 2


if __name__ == "__main__":
    other: Any = installed()
    sys.exit(other.main() if other else main())
