"""Which runs another place delivers (see `sdk.deliverer`): another machine, container or user, or other settings of where the record is.

Their files cannot be seen from here as they were there, and their record may be kept somewhere else.
"""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

from lineal.deliver import processes
from lineal.journal.read import Record, read
from lineal.resolve.project import Project
from lineal.sdk import deliverer

_COMES_S = 60.0  # the process of another place comes for its runs within so long
_HEAD = 4096


class _Claim(NamedTuple):
    path: str
    place: str
    opened: dict[str, Any]


class Claims:
    """The claims of all places on runs, as seen from one of them."""

    def __init__(self, project: Project, place: str) -> None:
        self._folder = project.dir
        self._place = place
        self._claims: dict[str, _Claim] = {}
        self._answers: dict[str, bool] = {}

    def met(self, path: str) -> str:
        """A journal was met; the run it was begun for, "" when that cannot be told yet."""
        try:
            found, _, _ = read(path, 0, _HEAD)
        except OSError:
            return ""
        if not found or not isinstance(found[0], Record):
            return ""
        opened = found[0].fields
        run = str(opened.get("run") or "")
        if place := opened.get("place"):
            self._claims[run] = _Claim(path, str(place), opened)
        return run

    def ask_again(self) -> None:
        """From here on answers may differ from those before."""
        self._answers.clear()

    def elsewhere(self, run: str) -> bool:
        """Whether another place delivers the run. It does as long as its process or the run's own lives, and a while longer."""
        if run not in self._answers:
            claim = self._claims.get(run)
            self._answers[run] = claim is not None and self._is_elsewhere(claim)
        return self._answers[run]

    def _is_elsewhere(self, claim: _Claim) -> bool:
        if claim.place == self._place:
            return False
        if processes.seen_here(claim.opened) and processes.alive(claim.opened):
            return True
        try:
            if time.time() - os.stat(claim.path).st_mtime < _COMES_S:
                return True
        except OSError:
            return False
        return deliverer.is_held(os.path.join(self._folder, f"deliver-{claim.place}.lock"))
