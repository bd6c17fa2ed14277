"""What keeps a failure of ours out of the recorded program, and a failure of the program out of our hands."""

from __future__ import annotations

import os
import sys

from ..journal.foreign import raise_again


def swallow(error: BaseException) -> None:
    """Drop an error of our own; one that a signal handler of the program raised while we ran is raised again.

    With LINEAL_DEBUG set, what is dropped is printed.
    """
    raise_again(error)
    if os.environ.get("LINEAL_DEBUG"):
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__, file=sys.__stderr__)
