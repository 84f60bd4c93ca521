"""Finds the component that ``FILE.py:NAME`` means and makes an instance of it."""

import difflib
import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, List, Tuple as Tup, Type

from .component import BatchBolt, Bolt, Component, Spout
from .decorators import MARK


class LoadError(Exception):
    """There is no such file, or nothing usable of that name in it."""


def load(target: str) -> Tup[Component, Any]:
    """The component and its handler (None: the component's own method)."""
    file, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    module = _import(file)
    if not name:
        known = _components(module)
        if len(known) != 1:
            listed = ", ".join(known) or "none"
            raise LoadError(f"say which component of {file} to run ({file}:NAME): {listed}")
        name = known[0]
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, [n for n in vars(module) if n[0] != "_"], 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise LoadError(f"{file} has no '{name}'{hint}")
    return instance(getattr(module, name), f"{file}:{name}")


def instance(thing: Any, where: str = "") -> Tup[Component, Any]:
    """A component of a decorated function, a class or an object."""
    marked = getattr(thing, MARK, None)
    if marked is not None:
        component: Component = marked.kind()
        for option, value in marked.options.items():
            setattr(component, option, value)
        return component, thing
    if isinstance(thing, type) and issubclass(thing, Component):
        _has_handler(thing)
        return thing(), None
    if isinstance(thing, Component):
        _has_handler(type(thing))
        return thing, None
    what = where or repr(thing)
    if callable(thing) and not isinstance(thing, type):
        raise LoadError(f"{what} is a plain function: put @galewire.bolt (or spout) above it")
    raise LoadError(f"{what} is a {type(thing).__name__}, neither a bolt nor a spout")


def _has_handler(kind: Type[Component]) -> None:
    """LoadError for a class without the method that everything is about."""
    bases: List[Type[Component]] = [BatchBolt, Bolt, Spout]
    base = next((base for base in bases if issubclass(kind, base)), None)
    if base is None:
        raise LoadError(f"{kind.__name__} derives from neither galewire.Bolt nor galewire.Spout")
    name = "next" if base is Spout else "process"
    if getattr(kind, name) is not getattr(base, name):
        return
    own = [known for known in vars(kind) if known[0] != "_"]
    near = difflib.get_close_matches(name, own, 1)
    hint = f"; is '{near[0]}' meant for it?" if near else ""
    arguments = {BatchBolt: "self, batch", Spout: "self"}.get(base, "self, tup")
    raise LoadError(f"{kind.__name__} has no {name}({arguments}){hint}")


def _import(file: str) -> ModuleType:
    if not file.endswith(".py"):
        return importlib.import_module(file)
    path = os.path.abspath(file)
    if not os.path.exists(path):
        raise LoadError(f"there is no file {path}")
    # The file's neighbours can be imported, as if it had been run itself.
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _components(module: ModuleType) -> List[str]:
    bases = (Component, Bolt, BatchBolt, Spout)
    return [
        name
        for name, thing in vars(module).items()
        if hasattr(thing, MARK)
        or (isinstance(thing, type) and issubclass(thing, Component) and thing not in bases)
    ]
