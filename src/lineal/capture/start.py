"""What happens when the interpreter of a recorded program starts.

`site/sitecustomize.py` calls `begin`. It is steered by the environment, which children inherit:

- LINEAL_RUN: the run, 32 hex digits; without it nothing is recorded;
- LINEAL_JOURNAL: the folder of journals (else `journal` in LINEAL_DIR);
- LINEAL_ROOT: the project's folder, for telling data from noise (optional);
- LINEAL_PARENT: the pid of `lineal run`, so that its direct command is known (optional).
"""

from __future__ import annotations

import atexit
import os
import sys

from ..journal.append import Journal
from . import control, files, imports
from .current import journal, record_in
from .guard import swallow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Optional

_exit_code: Any = None


def failure() -> Optional[BaseException]:
    """The exception that nobody caught, which is ending this process; None while there is none."""
    return _failure


def begin() -> None:
    """Start recording this process, if the environment asks for it and a journal can be written."""
    run = os.environ.get("LINEAL_RUN", "")
    folder = os.environ.get("LINEAL_JOURNAL", "")
    if not folder and os.environ.get("LINEAL_DIR"):
        folder = os.path.join(os.environ["LINEAL_DIR"], "journal")
    if not run or not folder or journal() is not None:
        return
    main = os.environ.get("LINEAL_PARENT", "") == str(os.getppid())
    found = Journal(folder, run, argv=_redacted(command_line()), main=main)
    if not found.open():
        return
    record_in(found)
    files.seen_below = control.say("audit")
    files.install(found, os.environ.get("LINEAL_ROOT", ""))
    if os.environ.get("LINEAL_CACHE"):
        try:
            from . import listing

            listing.install(found)
        except Exception as error:
            swallow(error)
    imports.install()
    for package in ("readers", "frameworks"):
        try:
            name = __name__.rpartition(".")[0] + "." + package
            __import__(name)
            imports.register(sys.modules[name].MODULES, package)
        except Exception as error:
            swallow(error)
    try:
        from .frameworks import entries

        entries.install(folder)
    except Exception as error:
        swallow(error)
    try:
        from . import console

        console.install(found, failure)
    except Exception as error:
        swallow(error)
    _watch_exit()


def command_line() -> list[str]:
    """The arguments the interpreter was started with, its own options included."""
    found = getattr(sys, "orig_argv", None)  # since 3.10
    if found:
        return list(found)
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return [os.fsdecode(part) for part in file.read().split(b"\0")[:-1]]
    except OSError:
        return list(getattr(sys, "argv", []))


def _redacted(argv: list[str]) -> list[str]:
    # What has neither an assignment nor the length of a secret needs no look, and the look costs an import.
    if not any(len(part) > 12 and not os.path.exists(part) for part in argv[1:]) and "=" not in "".join(argv):
        return argv
    try:
        from . import redact

        return list(redact.argv(argv))
    except Exception as error:
        swallow(error)
        return argv[:1]


def _watch_exit() -> None:
    atexit.register(_ended)
    leave = sys.exit

    def exit(status: Any = None, /) -> NoReturn:
        global _exit_code
        _exit_code = status
        leave(status)

    exit.__doc__, exit.__module__, exit.__qualname__ = leave.__doc__, leave.__module__, leave.__qualname__
    exit.__text_signature__ = leave.__text_signature__  # type: ignore[attr-defined]
    sys.exit = exit
    hook = sys.excepthook

    def excepthook(kind: Any, value: Any, trace: Any) -> Any:
        global _failure
        _failure = value
        _leave_out_ours(value, trace)
        return hook(kind, value, trace)

    excepthook.__doc__, excepthook.__module__ = hook.__doc__, hook.__module__
    sys.excepthook = excepthook


_failure: Optional[BaseException] = None


def _leave_out_ours(value: Any, trace: Any) -> None:
    """Take the calls that went through functions of ours out of what is about to be printed of an exception."""
    try:
        known: set[int] = set()
        while value is not None and id(value) not in known:
            known.add(id(value))
            while trace is not None:
                further = trace.tb_next
                while further is not None and "<lineal" in further.tb_frame.f_code.co_filename:
                    further = further.tb_next
                if further is not trace.tb_next:
                    trace.tb_next = further
                trace = further
            value = value.__cause__ or value.__context__
            trace = getattr(value, "__traceback__", None)
    except Exception as error:
        swallow(error)


def _ended() -> None:
    """Registered first, so called last: the record of how this process ended."""
    try:
        from . import ending

        found = journal()
        if found is not None:
            ending.report(found, _failure, _exit_code)
            if "_lineal.capture.console" in sys.modules:
                sys.modules["_lineal.capture.console"].finish()
    except Exception as error:
        swallow(error)
