"""Words to the preloaded library in this very process, in the shape of paths that cannot exist."""

from __future__ import annotations

import os

_UNDERSTOOD = 33  # EDOM, which no path can cause


def say(word: str) -> bool:
    """Say `word`; whether the library is there and records.

    `audit`: what the interpreter itself opens is told by its audit hook. `off`: nothing of this process is to be recorded.
    """
    try:
        fd = os.open("\x01lineal:" + word, os.O_RDONLY)
    except OSError as error:
        return error.errno == _UNDERSTOOD
    os.close(fd)
    return False
