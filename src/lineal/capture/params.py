"""Parameters that a program takes from its command line, when it parses them."""

from __future__ import annotations

import os
import sys

from . import files, report, wrapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, ModuleType
    from typing import Any, Optional

parsing = wrapping.Depth()
# Programs that a library starts as its workers: their command line is the library's.
_WORKERS = ("joblib.externals.loky.", "loky.backend.", "ray._private.", "pyspark.")
_first_command: list[int] = []


def argparse(module: ModuleType) -> None:
    """After `argparse`: the namespace that the outermost parsing gives."""
    for name in ("parse_args", "parse_known_args", "parse_intermixed_args", "parse_known_intermixed_args"):
        wrapping.in_class(module.ArgumentParser, name, _parsed, depth=parsing)


def _parsed(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if of_worker():
        return
    caller = sys._getframe(3).f_code.co_filename
    if "-packages/hydra/" in caller or "-packages/traitlets/" in caller:
        return  # its own options; what the program is given is its configuration
    if _below_python() and not _asked_by_program():
        return  # a tool that a program started, and not the program
    words = args[1] if len(args) > 1 else kwargs.get("args")
    # A library that parses a line of its own (a notebook kernel, a configuration file) says nothing about this program.
    if words is not None and not set(words) & set(sys.argv[1:]) and "-packages" in caller:
        return
    namespace = result[0] if isinstance(result, tuple) else result
    values = {key: value for key, value in vars(namespace).items() if not is_code(value)}
    report.params(values, "argparse")


def _below_python() -> bool:
    """Whether it is another Python that started this one."""
    try:
        return os.path.basename(os.readlink("/proc/%d/exe" % os.getppid())).startswith(("python", "pypy"))
    except OSError:
        return False


def _asked_by_program() -> bool:
    """Whether code of the user's own is among the callers."""
    frame: Optional[FrameType] = sys._getframe(4)
    while frame is not None:
        name = frame.f_code.co_filename
        ours = name.startswith(("<frozen", "<lineal"))
        if not ours and "-packages/" not in name and not files.ignored(files.absolute(name)):
            return True
        frame = frame.f_back
    return False


def of_worker() -> bool:
    """Whether this process only serves a program: its command line is that of a library, or of one that joined the run."""
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None) or ""
    if spec is not None and str(spec.name).startswith(_WORKERS):
        return True
    return "-packages/ray/" in file or bool(os.environ.get("LINEAL_JOIN"))


def is_code(value: Any) -> bool:
    """Whether a value is a function, as `set_defaults(func=...)` leaves it in a namespace."""
    return callable(value) and not isinstance(value, (type, os.PathLike))


def click(module: ModuleType) -> None:
    """After `click.core` (or a copy of it): the values of each command on the way to the one that runs."""

    def invoked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if of_worker():
            return
        context = args[1] if len(args) > 1 else kwargs["ctx"]
        root = context.find_root()
        if not _first_command:
            _first_command.append(id(root))
        if _first_command[0] != id(root) or type(root.command).__module__.startswith("lineal."):
            return
        names: list[str] = []
        here = context
        while here is not root:
            names.insert(0, str(here.info_name))
            here = here.parent
        prefix = "".join(name + "." for name in names)
        hidden = {p.name for p in context.command.params if getattr(p, "hide_input", False)}
        values = {
            key: "[REDACTED:password]" if key in hidden and value else value
            for key, value in context.params.items()
            if not is_code(value)
        }
        report.params(values, "click", prefix)

    wrapping.in_class(module.Command, "invoke", None, asked=invoked)
