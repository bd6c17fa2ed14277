"""Tells an error of ours from one that a signal handler of the program raised while we ran.

A handler runs wherever the interpreter happens to be, so a time-out of the program may surface inside a call of ours,
even as the OSError that a failed write would be.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_FRAME = type(sys._getframe())


def raise_again(error: BaseException) -> None:
    """Raise `error` if it comes out of a signal handler; else nothing."""
    trace = error.__traceback__
    while trace is not None:
        if _handles_signal(trace.tb_frame):
            raise error
        trace = trace.tb_next


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
