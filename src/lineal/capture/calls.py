"""Puts a record around functions of somebody else's library without changing what they do.

A function is replaced by one that records and then calls it; name, signature, documentation and pickling stay, and so do
its exceptions. A class is never replaced: its methods are. What fails in a record is dropped.
"""

from __future__ import annotations

import functools
import os
import sys
from types import FunctionType

from . import files, places
from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType
    from typing import Any, Union

    Before = Callable[[tuple[Any, ...], dict[str, Any]], Any]
    After = Callable[[Any, tuple[Any, ...], dict[str, Any], Any, bool], object]
    Owner = Union[ModuleType, type]

_MARK = "__lineal_file__"


def around(
    owner: Owner, name: str, before: Before, after: After | None = None, *, as_caller: bool = False
) -> bool:
    """Record calls of `owner.name`; False when there is no such function or it cannot be replaced.

    Args:
        owner: a module or a class.
        before: called with the arguments; its answer is handed to `after`.
        after: called with that answer, the arguments, the result (None after an exception) and whether it failed.
        as_caller: the function looks at the variables of whoever called it, so it must find them.
    """
    kept = _raw(owner, name)
    inner = kept.__func__ if isinstance(kept, (classmethod, staticmethod)) else kept
    if (
        inner is None
        or not callable(inner)
        or isinstance(inner, type)
        or _MARK in getattr(inner, "__dict__", ())
    ):
        return False
    if inner is object.__init__:
        return False  # the class takes its arguments elsewhere, and `object` refuses them
    made: Any = _recorded(inner, before, after, as_caller and not isinstance(inner, FunctionType))
    if isinstance(kept, (classmethod, staticmethod)):
        made = type(kept)(made)
    for home in _homes(owner, name):
        try:
            setattr(home, name, made)
        except (AttributeError, TypeError):
            continue  # a type of C that cannot be changed
        if not isinstance(owner, type):
            _rebind(owner, name, inner, made)
        return True
    return False


def stand_in(owner: ModuleType, name: str, before: Before) -> None:
    """Record the making of objects of a class of C that cannot be changed: its name then stands for a class that makes
    the very same objects, and that `isinstance` and `issubclass` take for the first one."""
    kind: Any = getattr(owner, name, None)
    if not isinstance(kind, type) or _MARK in kind.__dict__:
        return
    about = {"__doc__": kind.__doc__, "__module__": owner.__name__, "__qualname__": name, _MARK: True}
    maker = _maker(kind, before)
    try:
        made = maker(name, (kind,), {**about, "__wrapped__": kind})
    except TypeError:  # not to be inherited from
        made = maker(name, (), {**about, "__wrapped__": kind})
    setattr(owner, name, made)
    _rebind(owner, name, kind, made)


def _maker(kind: Any, before: Before) -> Any:
    """The class of the class that stands in for `kind`."""
    aside, standing = files.aside, "__wrapped__"

    class Maker(type(kind)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                aside(before, args, kwargs)
            except Exception as error:
                swallow(error)
            return kind(*args, **kwargs) if standing in cls.__dict__ else super().__call__(*args, **kwargs)

        def __instancecheck__(cls, item: Any) -> bool:
            return isinstance(item, kind) if standing in cls.__dict__ else super().__instancecheck__(item)

        def __subclasscheck__(cls, item: Any) -> bool:
            return issubclass(item, kind) if standing in cls.__dict__ else super().__subclasscheck__(item)

        def __getattr__(cls, attribute: str) -> Any:
            return getattr(kind, attribute)

    return Maker


def reads(owner: Owner, names: Iterable[str], lib: str, at: int = 0, key: str = "") -> None:
    """Record that these functions read what their argument at position `at`, or of name `key`, names.

    lib: what they are called in the record, without their own name, such as `pandas`.
    """
    for name in names:
        around(owner, name, given(at, key, lib + "." + name))


def writes(
    owner: Owner,
    names: Iterable[str],
    lib: str,
    at: int = 0,
    key: str = "",
    keeps: Callable[[tuple[Any, ...], dict[str, Any]], bool] | None = None,
) -> None:
    """Record that these functions write what their argument names; `keeps` says whether a call leaves what is there in."""
    for name in names:
        _writes_one(owner, name, lib + "." + name, at, key, keeps)


def _writes_one(owner: Owner, name: str, lib: str, at: int, key: str, keeps: Any) -> None:
    inherited = isinstance(owner, type) and name not in owner.__dict__

    def called(args: tuple[Any, ...]) -> str:
        """What the function is called: one that is inherited by several classes, by the class of the object."""
        if not inherited or not args:
            return lib
        return lib.rsplit(".", 2)[0] + "." + type(args[0]).__name__ + "." + name

    def before(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        stays = keeps is not None and bool(keeps(args, kwargs))
        return places.before_write(argument(args, kwargs, at, key), called(args), keeps=stays)

    def after(earlier: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, failed: bool) -> None:
        if earlier:
            places.written(earlier, called(args), failed=failed)

    around(owner, name, before, after)


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], at: int, key: str) -> Any:
    """The argument at position `at`, or of name `key`; None when it was not given."""
    if key and key in kwargs:
        return kwargs[key]
    return args[at] if 0 <= at < len(args) else None


def given(at: int, key: str, lib: str) -> Before:
    """What records the argument at position `at`, or of name `key`, as read by `lib`."""

    def before(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        places.read(argument(args, kwargs, at, key), lib)

    return before


def _homes(owner: Owner, name: str) -> list[Owner]:
    """Where the function is replaced: in the class that defines it, since pickle looks there, if that is the library's."""
    if isinstance(owner, type) and not name.startswith("__"):
        for kind in owner.__mro__:
            if name in kind.__dict__:
                same = kind.__module__.partition(".")[0] == owner.__module__.partition(".")[0]
                return [kind, owner] if same else [owner]
    return [owner]


def _raw(owner: Owner, name: str) -> Any:
    """The attribute as it is stored, not as it is bound."""
    if isinstance(owner, type):
        for kind in owner.__mro__:
            if name in kind.__dict__:
                return kind.__dict__[name]
        return None
    return getattr(owner, name, None)


def _recorded(original: Any, before: Before, after: After | None, as_caller: bool) -> Any:
    """`original` with records around it; every name it uses is its own, so that it can live in the library's module."""
    aside, drop, ours, anything = files.aside, swallow, Exception, BaseException
    run = _in_place_of_caller

    def invoke(*args: Any, **kwargs: Any) -> Any:
        return run(original, args, kwargs)

    act = invoke if as_caller else original

    def call(*args: Any, **kwargs: Any) -> Any:
        token = None
        try:
            token = aside(before, args, kwargs)
        except ours as error:
            drop(error)
        if after is None:
            return act(*args, **kwargs)
        try:
            result = act(*args, **kwargs)
        except anything:
            try:
                aside(after, token, args, kwargs, None, True)
            except ours as error:
                drop(error)
            raise
        try:
            aside(after, token, args, kwargs, result, False)
        except ours as error:
            drop(error)
        return result

    made = call
    if isinstance(original, FunctionType):
        # Libraries find the caller of a warning by walking out of their own folder; this frame must look like theirs.
        folder = os.path.dirname(original.__code__.co_filename)
        code = call.__code__.replace(co_filename=os.path.join(folder, "<lineal>"), co_name=original.__name__)
        made = FunctionType(code, original.__globals__, original.__name__, None, call.__closure__)
    functools.update_wrapper(made, original)
    made.__dict__[_MARK] = True
    return made


_CALL = compile("__lineal__[0](*__lineal__[1], **__lineal__[2])", "<lineal>", "eval")


def _in_place_of_caller(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `function` from a frame that has the variables of the program's own: DuckDB reads data frames out of it."""
    frame = sys._getframe(3)
    return eval(_CALL, frame.f_globals, {**frame.f_locals, "__lineal__": (function, args, kwargs)})  # noqa: S307


def _rebind(owner: ModuleType, name: str, old: Any, new: Any) -> None:
    """Let every module of the library that has `old` under this name have `new`: pickle compares the two."""
    homes = {owner.__name__.partition(".")[0], str(getattr(old, "__module__", None) or "").partition(".")[0]}
    for home, module in list(sys.modules.items()):
        if home.partition(".")[0] in homes and getattr(module, "__dict__", {}).get(name) is old:
            try:
                setattr(module, name, new)
            except (AttributeError, TypeError):
                pass
