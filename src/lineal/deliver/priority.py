"""How much of the processors the delivering process asks for: little while programs run, its share once somebody waits for it.

On Linux a session's processes share one weight against those of other sessions (`sched_autogroup`). The delivering process has a session
of its own, so beside eight busy workers on two processors it would get one of the two, whatever it is worth by itself.
"""

from __future__ import annotations

import contextlib
import os

_LOW, _USUAL = 15, 0  # as `nice` counts: 15 weighs a thirtieth
_GROUP = "/proc/self/autogroup"


class Priority:
    """Of this process and its session. own: nobody else is in that session, so that it may be changed."""

    def __init__(self, *, own: bool) -> None:
        self._own = own
        self._low = False
        self._alone = own and _can_go_back()

    def low(self) -> None:
        """Leave the processors to the programs."""
        self._set(low=True)

    def usual(self) -> None:
        """Somebody waits."""
        self._set(low=False)

    def _set(self, *, low: bool) -> None:
        if not self._own or low is self._low:
            return
        self._low = low
        value = _LOW if low else _USUAL
        with contextlib.suppress(OSError), open(_GROUP, "w", encoding="ascii") as file:
            file.write(f"{value}")
        if self._alone:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, 0, value)


def _can_go_back() -> bool:
    """Whether this process may take back what it gave up; most users' may not."""
    with contextlib.suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, 0) == _USUAL:
            os.setpriority(os.PRIO_PROCESS, 0, 1)
            os.setpriority(os.PRIO_PROCESS, 0, _USUAL)
            return True
    return False
