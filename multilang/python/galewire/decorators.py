"""The decorators. They mark a function and return it as it is, so it can be called in a test."""

from typing import Any, Callable, Dict, Optional, Type, TypeVar, Union, overload

from .component import BatchBolt, Bolt, Component, Spout
from .spans import seconds

Handler = TypeVar("Handler", bound=Callable[..., Any])
MARK = "__galewire__"


class Marked:
    """What a decorator says about a function."""

    def __init__(self, kind: Type[Component], options: Dict[str, Any]) -> None:
        self.kind = kind
        self.options = options


def _mark(function: Any, kind: Type[Component], options: Dict[str, Any]) -> Any:
    if isinstance(function, type) or not callable(function):
        raise TypeError(
            f"@galewire.{kind.__name__.lower()} is for functions; "
            f"as a class, derive from galewire.{kind.__name__}"
        )
    setattr(function, MARK, Marked(kind, options))
    return function


@overload
def bolt(function: Handler) -> Handler: ...
@overload
def bolt(*, auto_ack: bool = True) -> Callable[[Handler], Handler]: ...
def bolt(function: Optional[Handler] = None, *, auto_ack: bool = True) -> Any:
    """Make a bolt of a function whose arguments are input fields (``tup``: the whole tuple).

    What it yields or returns is emitted, then the input is acked. A keyword-only ``self`` gives
    the component: config, log, emit. ``auto_ack=False``: ack by hand.
    """
    options = {"auto_ack": auto_ack}
    if function is not None:
        return _mark(function, Bolt, options)
    return lambda handler: _mark(handler, Bolt, options)


@overload
def batch_bolt(function: Handler) -> Handler: ...
@overload
def batch_bolt(
    *, size: int = 500, within: Union[str, float] = "1s", auto_ack: bool = True
) -> Callable[[Handler], Handler]: ...
def batch_bolt(
    function: Optional[Handler] = None,
    *,
    size: int = 500,
    within: Union[str, float] = "1s",
    auto_ack: bool = True,
) -> Any:
    """Make a bolt of a function that gets a list of tuples.

    It is called with ``size`` of them, or with fewer once the oldest waited ``within`` ("250ms",
    "1s", or seconds). They are acked together when it ends; ``tup.fail(reason)`` fails one alone.
    """
    options = {"size": size, "within": seconds(within), "auto_ack": auto_ack}
    if size < 1:
        raise ValueError(f"batch_bolt: size must be at least 1, not {size}")
    if function is not None:
        return _mark(function, BatchBolt, options)
    return lambda handler: _mark(handler, BatchBolt, options)


def spout(function: Handler) -> Handler:
    """Make a spout of a generator function that yields Messages; its end is the input's end.

    Yield None when there is nothing just now; plain values are messages without an id.
    """
    marked: Handler = _mark(function, Spout, {})
    return marked
