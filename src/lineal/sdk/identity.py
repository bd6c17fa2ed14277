"""What a call of a step depends on besides the files it will touch: its code, its arguments, what it refers to, the environment.

Each part is a digest, or, where something cannot be compared exactly, the reason for it. What a function refers to is followed through the
functions and classes of the project: their names are looked up where they would look them up.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import time
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from lineal.journal.append import started
from lineal.resolve.content import sha256_of
from lineal.sdk import exact, frame
from lineal.sdk.exact import NotExact

_WORDS = frozenset({"argv", "orig_argv", "parse_args", "parse_known_args", "ArgumentParser"})
_NOTHING_HELD = (logging.Logger, types.ModuleType, types.BuiltinFunctionType, types.MethodWrapperType)
_TICK_S = 0.02


def digest(text: str) -> str:
    """The digest of a text, short enough to be shown and long enough to say the same."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# --- code ------------------------------------------------------------------------------------------------------------


def modules(root: str) -> dict[str, str]:
    """The files of the project's and the user's own code that were imported until now, with their digests; of one that cannot be told, why.

    The digest is that of the file, which is what was imported only where it did not change since this process began.
    """
    found: dict[str, str] = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or (path := os.path.realpath(path)) in found or not is_own(path):
            continue
        try:
            changed = os.stat(path).st_ctime
            same = changed < _began() - _TICK_S
            found[path] = sha256_of(os.fsencode(path)) if same else "it changed after the program had begun"
        except OSError as error:
            found[path] = f"it cannot be read: {error.strerror}"
    inside = os.path.join(os.path.realpath(root), "")
    return {path.removeprefix(inside): known for path, known in sorted(found.items())}


def is_own(path: str) -> bool:
    """Whether a real path is code of the user's rather than installed or of the interpreter."""
    if "-packages" + os.sep in path or path.startswith((_OURS, _STANDARD)) or "/_lineal/" in path:
        return False
    return os.path.basename(path) != "sitecustomize.py"


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = os.path.dirname(os.path.realpath(os.__file__)) + os.sep


def _began() -> float:
    """When this process began, in seconds since 1970."""
    if not _began_at:
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - started() / os.sysconf("SC_CLK_TCK")
        _began_at.append(time.time() - age)
    return _began_at[0]


_began_at: list[float] = []


# --- values ----------------------------------------------------------------------------------------------------------


def value(found: Any) -> str:
    """The digest of a value: exactly, or a frame's by its content. Raises NotExact."""
    if frame.is_frame(found):
        known = frame.digest(found)
        if known.digest is None:
            raise NotExact(f"a {type(found).__name__} that has no digest: {known.reason}")
        return f"{type(found).__name__} {known.digest}"
    return digest(exact.write(found))


def arguments(given: dict[str, Any]) -> dict[str, str]:
    """The digest of each argument. Raises NotExact: one has none, with its name."""
    found = {}
    for name, item in given.items():
        try:
            found[name] = value(item)
        except NotExact as error:
            raise NotExact(f"the argument {name} is {error}") from None
    return found


class References:
    """What a function refers to. values: by name, the digest; unknown: what cannot be compared."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._seen: set[Any] = set()
        self.values: dict[str, str] = {}
        self.unknown: list[str] = []
        code = getattr(function, "__code__", None)
        if code is None or not is_own(os.path.realpath(code.co_filename)):
            self.unknown.append("the step is no function of the project's own code")
        self._object("", function)
        self.unknown.sort()

    def _function(self, function: types.FunctionType) -> None:
        label = f"{function.__module__}.{function.__qualname__}"
        for name, item in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            try:
                self._object(f"{label}.{name}", item.cell_contents)
            except ValueError:
                continue  # not set yet
        for number, item in enumerate(function.__defaults__ or ()):
            self._object(f"{label}({number})", item)
        for name, item in (function.__kwdefaults__ or {}).items():
            self._object(f"{label}({name})", item)
        for code in _codes(function.__code__):
            if _WORDS.intersection(code.co_names):
                self.values["sys.argv"] = digest(exact.write(sys.argv))
            for name in code.co_names:
                if name in function.__globals__:
                    self._named(function.__module__ or "", name, function.__globals__[name], code.co_names)

    def _named(self, module: str, name: str, item: Any, beside: tuple[str, ...]) -> None:
        """A global, and of a module of the project what the code takes out of it."""
        if not isinstance(item, types.ModuleType):
            self._object(f"{module}.{name}", item)
            return
        path = getattr(item, "__file__", None) or next(iter(getattr(item, "__path__", [])), "")
        if (id(item), beside) in self._seen or not path or not is_own(os.path.realpath(path)):
            return
        self._seen.add((id(item), beside))
        for inner in beside:
            if inner in vars(item):
                self._named(item.__name__, inner, vars(item)[inner], beside)

    def _object(self, label: str, item: Any) -> None:
        if isinstance(item, types.FunctionType):
            self._function_of(label, item)
        elif isinstance(item, type):
            self._class(item)
        elif isinstance(item, types.MethodType):
            self._object(label, item.__func__)
            self._object(f"{label}.self", item.__self__)
        elif isinstance(item, partial):
            self._object(label, item.func)
            self._object(f"{label}(partial)", [*item.args, *item.keywords.items()])
        elif isinstance(item, (staticmethod, classmethod)):
            self._object(label, item.__func__)
        elif isinstance(item, property):
            for part in (item.fget, item.fset, item.fdel):
                self._object(label, part)
        elif isinstance(item, re.Pattern):
            self.values[label] = digest(repr((item.pattern, item.flags)))
        elif isinstance(item, _NOTHING_HELD) or type(item).__module__ == "typing":
            return
        else:
            self._value(label, item)

    def _function_of(self, label: str, function: types.FunctionType) -> None:
        place = function.__code__.co_filename
        if id(function) in self._seen or place.startswith("<frozen ") or not is_own(os.path.realpath(place)):
            return
        self._seen.add(id(function))
        if not os.path.isfile(place):
            self.unknown.append(f"the code of {label or function.__qualname__} is in no file")
        self._function(function)

    def _value(self, label: str, item: Any) -> None:
        try:
            self.values[label] = value(item)
        except NotExact as error:
            if callable(item) and hasattr(item, "__wrapped__"):
                self._object(label, item.__wrapped__)  # such as what `functools.cache` made
            self.unknown.append(f"{label} is {error}")

    def _class(self, kind: type) -> None:
        path = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if id(kind) in self._seen or not path or not is_own(os.path.realpath(path)):
            return
        self._seen.add(id(kind))
        for base in kind.__mro__[1:]:
            self._class(base)
        for name, item in vars(kind).items():
            if not (name.startswith("__") and name.endswith("__")) or isinstance(item, types.FunctionType):
                if isinstance(item, (types.MemberDescriptorType, types.GetSetDescriptorType)):
                    continue
                if isinstance(item, types.FunctionType) and item.__code__.co_filename.startswith("<"):
                    continue  # made out of the fields, as `dataclass` and `NamedTuple` do
                self._object(f"{kind.__module__}.{kind.__qualname__}.{name}", item)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
