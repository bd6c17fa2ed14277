"""Exit codes, and how errors are told. Every command but `run` (which has its command's own) ends with one of these."""

from __future__ import annotations

import os
import sys

from lineal.core.errors import LinealError

OK = 0
REFUSED = 1  # it stands otherwise (a conflict, something depends on it), or fsck found problems
USAGE = 2  # the command line or a value on it cannot be right
NOT_FOUND = 3
UNAVAILABLE = 4  # the store, disk or network did not answer
INTERNAL = 5  # a fault in Lineal
INTERRUPTED = 130
CLOSED = 141  # who read our output stopped reading

_BY_CODE = {
    "conflict": REFUSED,
    "denied": REFUSED,
    "invalid": USAGE,
    "not_found": NOT_FOUND,
    "unavailable": UNAVAILABLE,
}
_REPORT = "please report it with the output of the same command under LINEAL_DEBUG=1"


def tell(text: str) -> None:
    """A line for people on stderr. What does not print is escaped; a closed stderr is nobody's problem."""
    lines = text.split("\n")
    shown = "\n".join(line if line.isprintable() else _printable(line) for line in lines)
    try:
        sys.stderr.write(f"lineal: {shown}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def warn(text: str) -> None:
    """A warning on stderr."""
    tell(f"warning: {text}")


def refused(error: LinealError) -> int:
    """Tell an error of ours; gives back the exit code of its kind."""
    _debug()
    tell(str(error))
    return _BY_CODE.get(error.code, INTERNAL)


def failed(error: BaseException) -> int:
    """Tell an error that nobody foresaw, in one line; the traceback comes with LINEAL_DEBUG=1."""
    _debug()
    tell(f"internal error: {type(error).__name__}: {' '.join(str(error).split())[:400]}\n  {_REPORT}")
    return INTERNAL


def _debug() -> None:
    if os.environ.get("LINEAL_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exc()


def _printable(line: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in line
    )
