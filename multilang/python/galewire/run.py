"""The life of one child process: handshake, load, open, run, close; and its exit status.

0: ended in an orderly way. 1: could not start, or broke. 2: called wrongly (see __main__.py).
"""

import asyncio
import inspect
import os
import signal
import sys
from typing import Any, Callable, Dict, Optional, Tuple as Tup

from . import __version__, logs, stacks, stdio
from .binding import BindError
from .component import BatchBolt, Bolt, Component, Spout
from .flusher import Flusher
from .inbox import EndOfInput, Inbox
from .load import LoadError, load
from .message import FAILURES
from .outbox import Outbox
from .run_async import AsyncBoltLoop, new_loop
from .run_batch import BatchBoltLoop
from .run_bolt import SyncBoltLoop
from .run_spout import SpoutLoop
from .session import Session
from .trace import current_trace

Loaded = Tup[Component, Any]


class NoEngine(Exception):
    """There is no engine on the other side of stdin."""


def child(target: str) -> int:
    """Run ``FILE.py:NAME`` on this process's stdin and stdout; returns the exit status."""
    reading, writing = stdio.take_over()
    outbox = Outbox(lambda data: stdio.write_all(writing, data))
    inbox = Inbox(reading, outbox.flush, outbox.task_ids)
    printed = stdio.PrintedLines(lambda line: outbox.note(_log(line)))
    printed.install()
    leave_on_signals(inbox)
    flusher = Flusher(outbox, inbox.stop)
    try:
        session = Session(first_message(inbox), inbox, outbox)
        logs.install(session.name, outbox.note)
        flusher.start()
        status = start(session, lambda: load(target), answer_handshake)
        flusher.stop()
        printed.finish()
        outbox.flush(partial=True)
    except EndOfInput:
        status = 0  # stdin was closed before the handshake
    except BrokenPipeError:
        print("galewire: the engine is gone: nobody reads stdout", file=sys.stderr)
        status = 1
    return status


def first_message(inbox: Inbox) -> Dict[str, Any]:
    """The handshake; NoEngine where what came is none, because somebody else wrote it."""
    try:
        message = inbox.handshake()
    except EndOfInput:
        if inbox.leftover():
            raise NoEngine from None
        raise
    except ValueError:
        raise NoEngine from None
    if not isinstance(message.get("conf"), dict):
        raise NoEngine
    return message


def start(
    session: Session,
    loader: Callable[[], Loaded],
    answer: Callable[[Session, Optional[Component]], None],
) -> int:
    """Load, answer the handshake, and run; returns the exit status."""
    try:
        component, handler = loader()
    except BaseException as error:  # sys.exit() in a script is a failed import too
        answer(session, None)
        text = str(error) if isinstance(error, LoadError) else current_trace()
        return _refuse(session, text)
    component._session = session
    answer(session, component)
    return run_component(session, component, handler)


def answer_handshake(session: Session, component: Optional[Component]) -> None:
    """Write the pid file and send the answer; from here on the engine listens."""
    directory = session.handshake.get("pidDir")
    pid = os.getpid()
    if directory:
        try:
            with open(os.path.join(directory, str(pid)), "w", encoding="ascii"):
                pass
        except OSError as error:
            session.log.warning("could not write the pid file: %s", error)
    reply: Dict[str, Any] = {"pid": pid}
    if session.batch:
        reply["batch"] = 1
        reply["sdk"] = f"python {__version__}"
        if directory and component is not None and stacks.install(directory, lambda: session.loop):
            reply["stacks"] = True
        if isinstance(component, Spout):
            reply["replay"] = "engine"
        # A decorated function runs as an object of the base class, which keeps nothing.
        elif component is not None and type(component) not in (Bolt, BatchBolt):
            if component.memory:
                reply["memory"] = True
        # Tuples come once it is open: what it has not got cannot have killed it.
        session.starting = not isinstance(component, Spout)
        if session.starting:
            reply["starting"] = True
    session.outbox.answer_handshake(reply, session.batch)


def run_component(
    session: Session,
    component: Component,
    handler: Any,
    refuse: Optional[Callable[[Session, str], int]] = None,
) -> int:
    """Open, run until the input ends, close; returns the exit status.

    ``refuse`` is told why where the component cannot be run; it is an error of the topology if not.
    """
    status = 0
    try:
        loop = loop_for(component, handler)
    except (BindError, ValueError) as error:
        return (refuse or _refuse)(session, f"{session.name}: {error}")
    try:
        session.finish(component.open())
        if session.starting:
            session.outbox.note({"command": "started"})
        if isinstance(loop, SpoutLoop):
            loop.start()
    except FAILURES:
        session.report("open()", fatal=True)
        return 1
    try:
        loop.run()
    except EndOfInput:
        pass
    except BrokenPipeError:
        raise
    except FAILURES:
        session.report("running", fatal=True)
        status = 1
    try:
        if isinstance(loop, SpoutLoop):
            loop.stop()
        session.finish(component.close())
    except FAILURES:
        session.report("close()", fatal=True)
        status = 1
    if session.loop is not None:
        session.loop.run_until_complete(session.loop.shutdown_asyncgens())
        session.loop.close()
    session.metrics.send_all()
    return status


def loop_for(component: Component, handler: Any) -> Any:
    """The loop that fits the kind of component and of handler."""
    if isinstance(component, Spout):
        return SpoutLoop(component, handler)
    assert isinstance(component, Bolt)
    function = handler or component.process
    if isinstance(component, BatchBolt):
        return BatchBoltLoop(component, function)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        component._session.loop = new_loop(component._session.inbox.fd)
        asyncio.set_event_loop(component._session.loop)
        return AsyncBoltLoop(component, function)
    return SyncBoltLoop(component, function)


def _refuse(session: Session, text: str) -> int:
    session.outbox.error(text)
    if not session.batch:  # Storm shows what a dying child wrote to stderr
        print(text, file=sys.stderr, flush=True)
    return 1


def _log(line: str) -> Dict[str, Any]:
    return {"command": "log", "msg": line, "level": 2}


def leave_on_signals(inbox: Inbox) -> None:
    """SIGTERM and SIGINT end the reading after the handler in hand."""

    def leave(number: int, frame: Any) -> None:
        inbox.stop()

    signal.set_wakeup_fd(inbox.wake_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
