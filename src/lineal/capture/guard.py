"""What keeps a failure of ours out of the recorded program, and a failure of the program out of our hands."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_FRAME = type(sys._getframe())


def swallow(error: BaseException) -> None:
    """Drop an error of our own. One that a signal handler of the program raised while we ran is raised again.

    A handler runs wherever the interpreter happens to be, so a time-out of the program may surface inside a hook. With
    LINEAL_DEBUG set, what is dropped is printed.
    """
    trace = error.__traceback__
    while trace is not None:
        if _handles_signal(trace.tb_frame):
            raise error
        trace = trace.tb_next
    if "LINEAL_DEBUG" in os.environ:
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__, file=sys.__stderr__)


def _handles_signal(frame: FrameType) -> bool:
    """Whether the frame was called as handlers are, with the interrupted frame as an argument."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount + (1 if code.co_flags & 4 else 0)
    values = frame.f_locals
    for name in code.co_varnames[:count]:
        value = values.get(name)
        if isinstance(value, _FRAME) or (
            isinstance(value, tuple) and any(isinstance(v, _FRAME) for v in value)
        ):
            return code.co_filename != __file__
    return False
