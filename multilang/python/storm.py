"""Apache Storm's ``storm`` module, for scripts that bring none of their own.

A script written for Storm's storm.py runs unchanged: the same names, classes and loops, over
Galewire's batch frames where the engine offers them and Storm's messages where it does not.
Differences: task ids of an emit are fetched when they are looked at (not at all where the value
of ``emit`` is thrown away); prints become log lines; at the end of the input the script exits
with 0 and without an error. A storm.py beside the script comes before this one.
"""

from typing import Any, Dict, List, Optional, Sequence

from galewire import storm_run
from galewire.storm_link import Link, TaskIds

#: The class whose ``run`` is running; ``emit`` goes by it.
MODE: Any = None
#: The tuple in a BasicBolt's hands, which all its emits are anchored to.
ANCHOR_TUPLE: Optional["Tuple"] = None

_made: Optional[Link] = None


def _link() -> Link:
    # Made when it is first needed: to import this module changes nothing, so tests may.
    global _made
    if _made is None:
        _made = Link()
    return _made


class Tuple:
    """One input of a bolt."""

    def __init__(self, id: str, component: str, stream: str, task: int, values: List[Any]) -> None:
        self.id = id
        self.component = component
        self.stream = stream
        self.task = task
        self.values = values

    def __repr__(self) -> str:
        pairs = "".join(f" {name}={value!r}" for name, value in sorted(self.__dict__.items()))
        return f"<{type(self).__name__}{pairs}>"

    def is_heartbeat_tuple(self) -> bool:
        """Whether the engine only asks if the bolt is alive; the answer is ``sync()``."""
        return self.task == -1 and self.stream == "__heartbeat"

    def is_tick_tuple(self) -> bool:
        """Whether the engine only says that time passes."""
        return self.task == -1 and self.stream == "__tick"


# Reading


def initComponent() -> List[Dict[str, Any]]:
    """The handshake: ``[conf, context]``."""
    setup = _link().session.handshake
    sendpid(setup.get("pidDir"))
    return [setup["conf"], setup["context"]]


def readMsg() -> Dict[str, Any]:
    """The handshake, where it was not answered yet; then the next command or tuple."""
    link = _link()
    return link.read() if link.answered else link.session.handshake


def readCommand() -> Dict[str, Any]:
    """The next command or tuple as a dict. Exits at the end of the input."""
    return _link().read()


def readTuple() -> Tuple:
    """The next tuple of a bolt; heartbeats are among them."""
    link = _link()
    message = link.read()
    tup = Tuple(
        message["id"], message["comp"], message["stream"], message["task"], message["tuple"]
    )
    if not tup.is_heartbeat_tuple():
        link.take(tup.id)
    return tup


# Saying


def sendMsgToParent(msg: Dict[str, Any]) -> None:
    """Any message of the protocol. An emit made by hand gets no task ids."""
    if "pid" in msg:
        sendpid(None)
    elif msg.get("command") == "sync":
        sync()
    elif msg.get("command") == "emit":
        _link().send({**msg, "need_task_ids": False})
    else:
        _link().send(msg)


def sendpid(heartbeatdir: Optional[str]) -> None:
    """Answers the handshake; ``heartbeatdir`` is where the pid file goes."""
    _link().answer_handshake(heartbeatdir)


def sync() -> None:
    """Answers a command or a heartbeat."""
    _link().sync()


def emit(*args: Any, **kwargs: Any) -> TaskIds:
    """``emit(tup, stream=None, anchors=[])`` in a bolt, ``emit(tup, stream=None, id=None)`` in a
    spout. Returns the ids of the tasks it went to, which are fetched when they are looked at.
    """
    if _mode() is Spout:
        return _link().emit(*_spout_emit(*args, **kwargs))
    return _link().emit(*_bolt_emit(*args, **kwargs))


def emitDirect(task: int, *args: Any, **kwargs: Any) -> None:
    """The same to one task, on a direct stream."""
    shaped = _spout_emit if _mode() is Spout else _bolt_emit
    _link().emit_unasked(*shaped(*args, **kwargs), task)


def emitBolt(
    tup: Sequence[Any],
    stream: Optional[str] = None,
    anchors: Sequence[Tuple] = (),
    directTask: Optional[int] = None,
) -> None:
    """An emit of a bolt, without task ids."""
    _link().emit_unasked(*_bolt_emit(tup, stream, anchors), directTask)


def emitSpout(
    tup: Sequence[Any],
    stream: Optional[str] = None,
    id: Any = None,
    directTask: Optional[int] = None,
) -> None:
    """An emit of a spout, without task ids."""
    _link().emit_unasked(*_spout_emit(tup, stream, id), directTask)


def _mode() -> Any:
    if MODE is None:
        raise RuntimeError(
            "storm.emit() before run(): in a loop of your own use emitBolt() or emitSpout()"
        )
    return MODE


def _bolt_emit(
    tup: Sequence[Any],
    stream: Optional[str] = None,
    anchors: Sequence[Tuple] = (),
    id: Any = None,
) -> "tuple[Any, ...]":
    # Storm's bolts take no id; emitDirect is documented with one, which means nothing here.
    return tup, stream, [ANCHOR_TUPLE] if ANCHOR_TUPLE is not None else anchors, None


def _spout_emit(
    tup: Sequence[Any], stream: Optional[str] = None, id: Any = None, anchors: Any = None
) -> "tuple[Any, ...]":
    return tup, stream, None, id


def ack(tup: Tuple) -> None:
    """The tuple is done."""
    _link().ack(tup)


def fail(tup: Tuple) -> None:
    """The tuple is to be given out again."""
    _link().fail(tup)


def reportError(msg: str) -> None:
    """Shows the text in the topology's error list."""
    _link().outbox.error(str(msg))


def log(msg: Any, level: int = 2) -> None:
    """A log line; 0 trace, 1 debug, 2 info, 3 warn, 4 error."""
    _link().log(msg, level)


def logTrace(msg: Any) -> None:
    log(msg, 0)


def logDebug(msg: Any) -> None:
    log(msg, 1)


def logInfo(msg: Any) -> None:
    log(msg, 2)


def logWarn(msg: Any) -> None:
    log(msg, 3)


def logError(msg: Any) -> None:
    log(msg, 4)


def rpcMetrics(name: str, params: Any) -> None:
    """A value for the metric of that name."""
    _link().send({"command": "metrics", "name": name, "params": params})


# Components


class Bolt:
    """A bolt by hand: ``storm.emit([word], anchors=[tup])``, then ``storm.ack(tup)``."""

    def initialize(self, stormconf: Dict[str, Any], context: Dict[str, Any]) -> None:
        """Called once, before the first tuple."""

    def process(self, tuple: Tuple) -> None:
        """Called with every tuple, ticks too."""

    def run(self) -> None:
        """Runs until the engine ends the input."""
        self._run(self.process)

    def _run(self, process: Any) -> None:
        global MODE
        MODE = Bolt
        conf, context = initComponent()

        def loop() -> None:
            self.initialize(conf, context)
            storm_run.run_bolt(_link(), readTuple, process)

        storm_run.guarded(_link(), loop)


class BasicBolt(Bolt):
    """A bolt whose emits are anchored to the tuple in hand, which is acked behind ``process``."""

    def run(self) -> None:
        def hold(tup: Tuple) -> None:
            global ANCHOR_TUPLE
            ANCHOR_TUPLE = tup

        self._run(storm_run.settling(_link(), hold, self.process))


class Spout:
    """A source of messages. One that fails is told to ``fail``, which may emit it again."""

    def initialize(self, conf: Dict[str, Any], context: Dict[str, Any]) -> None:
        """Called once, before everything else."""

    def activate(self) -> None:
        """The topology runs."""

    def deactivate(self) -> None:
        """The topology pauses or stops."""

    def ack(self, id: Any) -> None:
        """The message of that id is done."""

    def fail(self, id: Any) -> None:
        """The message of that id failed."""

    def nextTuple(self) -> None:
        """Emits a message, or none where there is nothing now."""

    def run(self) -> None:
        """Runs until the engine ends the input."""
        global MODE
        MODE = Spout
        conf, context = initComponent()

        def loop() -> None:
            self.initialize(conf, context)
            storm_run.run_spout(_link(), self)

        storm_run.guarded(_link(), loop)
