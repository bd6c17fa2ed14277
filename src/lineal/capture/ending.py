"""How a process ended: finished or failed, with which exception, and which third-party modules it had imported."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from ..journal.append import Journal

_LONGEST = 100_000  # characters of a traceback; the end of it says what happened


def report(journal: Journal, failure: Optional[BaseException], code: Any) -> None:
    """Append the `exit` record. `failure`: the exception nobody caught; `code`: what `sys.exit` was last called with.

    Whoever replaced `sys.excepthook` hid the exception from us, but not from `sys.last_value`. A `SystemExit` that was
    raised without `sys.exit` cannot be seen from inside; the exit code that the parent gets decides.
    """
    if failure is None and not hasattr(sys, "ps1") and not sys.flags.interactive:
        failure = getattr(sys, "last_value", None)
    error: Optional[dict[str, str]] = None
    if failure is not None:
        error = _told(failure)
    elif code not in (None, 0, False):
        error = {"type": "SystemExit", "message": _clean(str(code)), "traceback": ""}
    journal.json("exit", state="failed" if error else "finished", error=error, modules=modules())


def modules() -> list[str]:
    """Top-level names of the imported modules that belong neither to the interpreter nor to us, sorted."""
    standard = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
    try:
        own: tuple[str, ...] = (
            os.path.join(os.environ.get("LINEAL_ROOT") or os.getcwd(), ""),
            os.path.join(os.getcwd(), ""),
        )
    except OSError:
        own = ()
    found = []
    for name, module in list(sys.modules.items()):
        if (
            "." in name
            or name.startswith("_lineal")
            or name in {"__main__", "sitecustomize", "usercustomize"}
        ):
            continue
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or getattr(
            module, "__file__", None
        )
        paths = [origin] if isinstance(origin, str) and os.sep in origin else _folders(module)
        for path in paths:
            inside = path.startswith(standard) or os.path.realpath(path).startswith((standard, *own))
            if "-packages" in path or not inside:
                found.append(name)
                break
    return sorted(found)


def _folders(module: Any) -> list[str]:
    try:
        return [p for p in module.__path__ if isinstance(p, str)]
    except Exception:
        return []


def _told(failure: BaseException) -> dict[str, str]:
    if type(failure) is KeyboardInterrupt:
        return {"type": "KeyboardInterrupt", "message": "", "traceback": _places(failure)}
    import traceback

    kind = type(failure)
    name = (
        kind.__qualname__
        if kind.__module__ in {"builtins", "__main__"}
        else kind.__module__ + "." + kind.__qualname__
    )
    lines = traceback.format_exception(kind, failure, failure.__traceback__)
    try:
        message = str(failure)
    except Exception:
        message = ""
    return {"type": name, "message": _clean(message), "traceback": _clean("".join(lines))[-_LONGEST:]}


def _places(failure: BaseException) -> str:
    """A traceback without its source lines.

    After an interruption nothing may be imported that makes named tuples: the interpreter would forget that it was to
    die of SIGINT, and end with code 1 instead.
    """
    lines = ["Traceback (most recent call last):"]
    trace = failure.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    return "\n".join([*lines, "KeyboardInterrupt", ""])


def _clean(text: str) -> str:
    try:
        from . import redact
    except ImportError:
        return text
    return redact.text(text)[0]
