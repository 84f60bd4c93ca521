"""The loops of ``storm.py``: what Storm's ``run()`` methods do, over either form of frames.

As with Storm's own client, an exception of a BasicBolt fails its tuple, any other one is reported
and ends the component; here the process then exits with 1.
"""

import sys
import time
from typing import Any, Callable

from .storm_link import Link
from .take import describe

#: Seconds after which a ``next`` is answered with fewer messages than wanted.
_PATIENCE = 0.005


def guarded(link: Link, loop: Callable[[], None]) -> None:
    """Run until the input ends (SystemExit 0) or an exception does it (SystemExit 1)."""
    try:
        loop()
    except BrokenPipeError:
        print("galewire: the engine is gone: nobody reads stdout", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception:
        link.session.report("running", fatal=True)
        raise SystemExit(1) from None


def run_bolt(link: Link, read_tuple: Callable[[], Any], process: Callable[[Any], Any]) -> None:
    """Every tuple to ``process``; acks are the script's."""
    while True:
        tup = read_tuple()
        if tup.is_heartbeat_tuple():
            link.sync()
        else:
            process(tup)


def settling(
    link: Link, hold: Callable[[Any], None], process: Callable[[Any], Any]
) -> Callable[[Any], None]:
    """``process`` of a tuple that is held, with an ack behind it, or a fail where it raised."""

    def process_and_settle(tup: Any) -> None:
        hold(tup)
        try:
            process(tup)
        except Exception as error:
            # A Storm engine takes no reason with a fail, so there it is told before it.
            if not link.session.batch:
                link.session.report("handling a tuple")
            link.fail(tup, *describe(error, None))
        else:
            link.ack(tup)

    return process_and_settle


def run_spout(link: Link, spout: Any) -> None:
    """Every command to its method, and a sync behind it."""
    calls = {"ack": spout.ack, "fail": spout.fail}
    while True:
        message = link.read()
        command = message.get("command")
        if command == "next":
            _next(link, spout.nextTuple, message.get("max", 1))
        elif command in calls:
            calls[command](message.get("id"))
        elif command == "activate":
            spout.activate()
        elif command == "deactivate":
            spout.deactivate()
        link.sync()


def _next(link: Link, next_tuple: Callable[[], Any], most: int) -> None:
    first = link.given
    began = time.monotonic()
    while link.given - first < most:
        before = link.given
        next_tuple()
        if link.given == before or time.monotonic() - began > _PATIENCE:
            return
        if link.inbox.stopping:
            return
