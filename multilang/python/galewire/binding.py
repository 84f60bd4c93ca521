"""Binds a handler's arguments to the fields of an input stream, once, before the first tuple."""

import inspect
from operator import itemgetter
from typing import Any, Callable, Dict, List, Sequence, Tuple as Tup

from .tuples import Source, no_field

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OURS = ("self", "tup")


class BindError(Exception):
    """The handler asks for what the inputs do not have."""


class Call:
    """A handler made ready for one source.

    ``takes_tuple`` False: ``call(*values)``. True: ``call(tup)``.
    """

    __slots__ = ("call", "takes_tuple")

    def __init__(self, call: Callable[..., Any], takes_tuple: bool) -> None:
        self.call = call
        self.takes_tuple = takes_tuple


def place(function: Any) -> str:
    """``name (file:line)`` of a handler, for messages."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


def bind(function: Any, source: Source, component: Any) -> Call:
    """Match parameters and fields by name; BindError lists every one that does not fit."""
    if not source.known:
        # An old Storm does not tell the fields: then the arguments name them, in their order.
        names = [name for name in inspect.signature(function).parameters if name not in _OURS]
        source = Source(source.component, source.stream, names, source.owner)
    by_place: List[str] = []  # positional parameters, in order
    by_name: List[str] = []  # keyword-only ones
    fixed: Dict[str, Any] = {}
    rest = ""
    problems: List[str] = []
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = rest or "values"
        elif parameter.kind is parameter.VAR_KEYWORD:
            rest = "fields"
        elif name == "self" and parameter.kind is parameter.KEYWORD_ONLY:
            fixed["self"] = component
        elif name == "tup" or name in source.index:
            (by_place if parameter.kind in _BY_PLACE else by_name).append(name)
        elif parameter.default is parameter.empty:
            problems.append(no_field(source, name))
            if name == "self":
                problems[-1] = "write `*, self` to get the component"
        elif parameter.kind in _BY_PLACE:
            fixed[name] = parameter.default
    if problems:
        raise BindError(
            f"{place(function)} does not fit its input: " + "; ".join(problems)
        )
    return _call(function, source, by_place, by_name, fixed, rest)


def _call(
    function: Any,
    source: Source,
    by_place: List[str],
    by_name: List[str],
    fixed: Dict[str, Any],
    rest: str,
) -> Call:
    if by_place == source.fields and not by_name and not rest:
        # The common case: the fields as they come. Everything below is a little slower.
        if not fixed:
            return Call(function, False)
        if list(fixed) == ["self"]:
            component = fixed["self"]
            return Call(lambda *values: function(*values, self=component), False)
    if by_place == ["tup"] and not by_name and not fixed and not rest:
        return Call(function, True)
    taken = set(by_place) | set(by_name)
    left = [name for name in source.fields if name not in taken] if rest else []
    if rest == "values":
        if fixed and set(fixed) != {"self"}:
            raise BindError(f"{place(function)}: *values cannot follow a default argument")
        by_place = by_place + left
    elif rest == "fields":
        by_name = by_name + left
    positions = _getter(by_place, source)
    named = _getter(by_name, source)
    # A positional parameter behind a defaulted one must be given by name; `fixed` is by name too.
    if fixed and set(fixed) - {"self"}:
        by_name, named = by_place + by_name, _getter(by_place + by_name, source)
        positions = _getter([], source)

    def call(tup: Any) -> Any:
        return function(*positions(tup), **dict(zip(by_name, named(tup))), **fixed)

    return Call(call, True)


def _getter(names: Sequence[str], source: Source) -> Callable[[Any], Tup[Any, ...]]:
    """From a tuple, the values of these fields (``tup``: itself)."""
    indexes = [-1 if name == "tup" else source.index[name] for name in names]
    if -1 in indexes:
        return lambda tup: tuple([tup if at < 0 else tup.values[at] for at in indexes])
    if len(indexes) > 1:
        get = itemgetter(*indexes)
        return lambda tup: get(tup.values)
    if indexes:
        only = indexes[0]
        return lambda tup: (tup.values[only],)
    return lambda tup: ()
