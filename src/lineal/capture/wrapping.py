"""Replaces a function of a library by one that also tells us, without anybody else noticing.

Name, text, signature and attributes stay. The replacement of a module's function says it lives in the module it was put into, so that it is
pickled by a name under which it is found; without Lineal that name gives the original.
"""

from __future__ import annotations

import copy
import functools
from _thread import _local

from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Told = Callable[[Any, tuple[Any, ...], dict[str, Any]], object]
    Asked = Callable[[tuple[Any, ...], dict[str, Any]], object]


class Depth(_local):
    """How many calls that share this object are running in a thread; only the outermost is told about."""

    running = 0


def observing(
    original: Callable[..., Any], told: Told | None, *, asked: Asked | None = None, depth: Depth | None = None
) -> Callable[..., Any]:
    """A function that calls `original` and `asked(args, kwargs)` before, `told(result, args, kwargs)` after it.

    With a `depth`, only the outermost call of those that share it asks and tells.

    What these two raise is dropped; what `original` raises is not, and then `told` is not called.
    """

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if depth is not None:
            if depth.running:
                return original(*args, **kwargs)
            depth.running = 1
        try:
            if asked is not None:
                _safely(asked, args, kwargs)
            result = original(*args, **kwargs)
            if told is not None:
                _safely(told, result, args, kwargs)
            return result
        finally:
            if depth is not None:
                depth.running = 0

    call.__lineal__ = True  # type: ignore[attr-defined]
    return call


def _safely(ours: Callable[..., object], *args: Any) -> None:
    try:
        ours(*args)
    except Exception as error:
        swallow(error)


def in_module(
    module: ModuleType,
    name: str,
    told: Told | None,
    *,
    asked: Asked | None = None,
    depth: Depth | None = None,
) -> None:
    """Observe the function `name` of a module; nothing happens when it has none of that name."""
    original = getattr(module, name, None)
    if callable(original) and not isinstance(original, type) and not hasattr(original, "__lineal__"):
        call = observing(original, told, asked=asked, depth=depth)
        call.__module__ = module.__name__  # where it is found, which is not always where it was defined
        call.__qualname__ = name
        setattr(module, name, call)


def in_class(
    owner: Any, name: str, told: Told | None, *, asked: Asked | None = None, depth: Depth | None = None
) -> None:
    """Observe the method `name` that a class itself defines as a plain function; the class must be one that is pickled by name."""
    original = getattr(owner, "__dict__", {}).get(name)
    if callable(original) and not hasattr(original, "__lineal__"):
        setattr(owner, name, observing(original, told, asked=asked, depth=depth))


class Method:
    """A method observed on instances only: on the class it is the original function, and so it is to every way of pickling.

    A class that is pickled by value (defined in a notebook or in the main script) takes its methods along; those must not need us.
    """

    def __init__(self, original: Callable[..., Any], observed: Callable[..., Any]) -> None:
        self._original = original
        self._observed = observed

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self._original if instance is None else self._observed.__get__(instance, owner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_original"):
            raise AttributeError(name)
        return getattr(self._original, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._original(*args, **kwargs)

    def __reduce_ex__(self, protocol: object) -> Any:
        # Copying a function gives the function, so this is the original again wherever it is read.
        return copy.copy, (self._original,)
