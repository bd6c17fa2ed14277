"""Runs a function of ours right after a module of the program was imported.

A finder in front of `sys.meta_path` looks the name up in a dictionary; for the few names that somebody waits for it asks
the finders behind it and has the loader they found tell us when the module has run. The loader stays the same object of
the same class, so what looks at `module.__loader__` sees no difference. `importlib.abc` is not imported: it costs more
than all the rest.
"""

from __future__ import annotations

import _imp
import os
import sys
from _frozen_importlib_external import PathFinder, SourceFileLoader

from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Union

    Callback = Callable[[ModuleType], object]

# Of the interpreter's own importer; a later interpreter may have none.
_rename: Any = getattr(_imp, "_fix_co_filename", None)
_PACKAGE = __name__.rpartition(".")[0]
_waiting: dict[str, list[Union[str, Callback]]] = {}


def after(module_name: str, callback: Callback) -> None:
    """Call `callback(module)` once `module_name` has been executed; at once when it has been already.

    A module that is reloaded is given to the callback again, since its functions are new ones. What the callback raises
    is dropped.
    """
    _waiting.setdefault(module_name, []).append(callback)
    _catch_up(module_name, callback)


def register(table: Mapping[str, str], package: str) -> None:
    """Let `table` (module name -> "file:function") name callbacks in files of `capture/<package>/`.

    A file is imported only when its module is. A file name that begins with a dot is relative to `capture` itself.
    """
    for name, target in table.items():
        file, _, function = target.partition(":")
        where = file if file.startswith(".") else "." + package + "." + file
        target = where + ":" + function
        _waiting.setdefault(name, []).append(target)
        if name in sys.modules:
            _catch_up(name, target)


def install() -> None:
    """Put the finder in front of the others."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """See the module's text."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return _own(name, path) if name[:8] == "_lineal." else None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                _watch(spec)
                return spec
        return None


class _OwnLoader(SourceFileLoader):
    """Loads modules of ours as no file of the program's, so that tools that count and show its lines leave them out."""

    def get_code(self, fullname: str) -> Any:
        try:
            code = super().get_code(fullname)
        except (EOFError, ValueError, TypeError):  # a compiled file that a full disk cut off
            code = self.source_to_code(self.get_data(self.path), self.path)
        if _rename is not None:
            _rename(code, "<lineal " + fullname[8:].replace(".", "/") + ">")
        return code

    def set_data(self, path: str, data: Any, *, _mode: int = 0o644) -> None:
        """As the interpreter does, but a compiled file that could not be written whole is not left there."""
        part = f"{path}.{os.getpid()}"
        try:
            if not os.path.isdir(os.path.dirname(path)):
                os.mkdir(os.path.dirname(path))
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _mode & 0o644)
        except OSError:
            return  # the folder is not there, or not ours to write
        try:
            whole = os.write(fd, data) == len(data)
            os.close(fd)
            (os.replace if whole else _drop)(part, path)
        except OSError:
            _drop(part)


def _drop(part: str, _path: str = "") -> None:
    try:
        os.unlink(part)
    except OSError:
        pass


def _own(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    spec: ModuleSpec | None = PathFinder.find_spec(name, path)
    if spec is not None and type(spec.loader) is SourceFileLoader:
        spec.loader = _OwnLoader(name, spec.loader.path)
    return spec


def _watch(spec: ModuleSpec) -> None:
    """Have the loader of `spec` run the callbacks after its `exec_module`."""
    loader: Any = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None or isinstance(loader, type):
        return
    name = spec.name

    def exec_module(module: ModuleType) -> None:
        # A loader may serve several modules (a zip archive); only ours ends the watch.
        if module.__name__ != name and getattr(module.__spec__, "name", None) != name:
            execute(module)
            return
        if loader.__dict__.get("exec_module") is exec_module:
            del loader.exec_module
        execute(module)
        for callback in tuple(_waiting[name]):
            _call(callback, sys.modules.get(name, module))

    try:
        loader.exec_module = exec_module
    except (AttributeError, TypeError):
        pass


def _catch_up(name: str, callback: str | Callback) -> None:
    module = sys.modules.get(name)
    if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        return
    _call(callback, module)


def _call(callback: str | Callback, module: ModuleType) -> None:
    try:
        if isinstance(callback, str):
            file, _, function = callback.partition(":")
            where = _PACKAGE + file
            __import__(where)
            callback = getattr(sys.modules[where], function)
        callback(module)  # type: ignore[operator]
    except Exception as error:
        swallow(error)
