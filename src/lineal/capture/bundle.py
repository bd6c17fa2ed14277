"""The modules that every start needs, read from one file: looking for twenty files costs more than what is in them.

The file stands where the interpreter keeps compiled files, is made at the first start and again when a source has changed, and is
left out where it cannot be: then each module is imported as any other. Its modules lack the import of `__future__`, which is a
module of its own to be loaded.
"""

import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, cache_from_source
from marshal import dumps, loads

# In the order in which they need each other; a dot at the end marks a package. What is missing here is imported as usual.
PROGRAM = (
    "capture.", "journal.", "journal/foreign", "journal/frames", "journal/append", "capture/control", "capture/noise",
    "capture/guard", "capture/overwrite", "capture/relative", "capture/files", "capture/imports", "capture/current", "capture/start", "capture/readers.",
    "capture/frameworks.", "capture/frameworks/entries", "journal/console", "capture/console", "capture/ending",
)  # fmt: skip
WRAPPER = (
    "journal.", "journal/variables", "journal/frames", "journal/ids", "capture/programs", "capture/child", "capture/command_name",
    "capture/control", "capture/joining", "capture/noise", "capture/below", "capture/layers", "capture/redact_names",
    "capture/redact_shapes", "capture/redact", "capture/launch", "resolve.", "resolve/project", "journal/foreign", "journal/append",
    "sdk.", "sdk/deliverer", "server.", "server/local", "server/offer",
)  # fmt: skip
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ANNOTATIONS = 0x1000000  # to the compiler what `from __future__ import annotations` is
_ONLY_TREE = 0x400
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load(kind: str, package: str) -> None:
    """Load the modules of a bundle (`program` or `wrapper`) below `package`; where there is none, each is imported when it is needed."""
    path = cache_from_source(os.path.join(_ROOT, "capture", kind + ".bundle.py"))
    held = _read(path)
    if held is None:
        _make(path, PROGRAM if kind == "program" else WRAPPER)
        held = _read(path) or ()
    for name, _, _, code in held:
        _execute(package, name, code)


def _read(path: str) -> "Any":
    """(name, size, time of change, code) of each module; None when there is no bundle, or a source has changed since."""
    try:
        with open(path, "rb", 0) as file:
            magic, root, held = loads(file.read())  # noqa: S302 - trusted as compiled files are, and no more than they
        if magic != MAGIC_NUMBER or root != _ROOT:
            return None
        stat = os.stat
        for name, size, time, _ in held:
            found = stat(_source(name))
            if found.st_mtime_ns != time or found.st_size != size:
                return None
    except (OSError, ValueError, TypeError, EOFError):
        return None
    return held


def _make(path: str, names: tuple[str, ...]) -> None:
    """Compile the modules into a bundle, if one can be written there."""
    folder = os.path.dirname(path)
    temporary = f"{path}.{os.getpid()}"
    try:
        if not os.path.isdir(folder) and os.access(os.path.dirname(folder), os.W_OK):
            os.mkdir(folder)
        if not os.access(folder, os.W_OK):
            return
        made = dumps((MAGIC_NUMBER, _ROOT, tuple([_compiled(name) for name in names])))
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, made)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except (OSError, ValueError, SyntaxError):
        return


def _compiled(name: str) -> tuple[str, int, int, "Any"]:
    source = _source(name)
    found = os.stat(source)
    with open(source, "rb") as file:
        tree: "Any" = compile(file.read(), source, "exec", _ONLY_TREE, dont_inherit=True)
    tree.body = [part for part in tree.body if getattr(part, "module", None) != "__future__"]
    # No file of the program's, to tools that count and show its lines.
    code = compile(tree, f"<lineal {name}>", "exec", _ANNOTATIONS, dont_inherit=True, optimize=2)
    return name, found.st_size, found.st_mtime_ns, code


def _execute(package: str, name: str, code: "Any") -> None:
    """Make a module of `code`, as the interpreter would of its file."""
    full = package + "." + name.rstrip(".").replace("/", ".")
    if full in sys.modules:
        return
    path = _source(name)
    module = type(sys)(full)
    spec: "Any" = ModuleSpec(full, SourceFileLoader(full, path), origin=path, is_package=name[-1] == ".")
    spec._set_fileattr = True
    parent, _, last = full.rpartition(".")
    names = module.__dict__
    names.update(__file__=path, __loader__=spec.loader, __package__=spec.parent, __spec__=spec)
    if name[-1] == ".":
        names["__path__"] = spec.submodule_search_locations
        spec.submodule_search_locations.append(os.path.dirname(path))
    sys.modules[full] = module
    try:
        exec(code, names)  # noqa: S102
    except BaseException:
        del sys.modules[full]
        raise
    setattr(sys.modules[parent], last, module)


def _source(name: str) -> str:
    return f"{_ROOT}/{name[:-1]}/__init__.py" if name[-1] == "." else f"{_ROOT}/{name}.py"
