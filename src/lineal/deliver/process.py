"""The one process that delivers for a place: started by whoever records first, it goes away when nobody records any more."""

from __future__ import annotations

import contextlib
import os
import time

from lineal.core.errors import LinealError
from lineal.deliver.delivery import SyncReport
from lineal.deliver.drain import Drain, journal_files
from lineal.deliver.lock import store_lock
from lineal.deliver.post import Post
from lineal.deliver.priority import Priority
from lineal.resolve.project import Project
from lineal.sdk import deliverer

IDLE_S = 5.0
_TICK_S = 2.0  # between two looks at all that living programs recorded
_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0  # between tries to reach a server that is away
_OUTAGE_S = 900.0  # how long it goes on trying when nothing is taken and no program lives any more
_LOCK_S = 10.0


def serve(project: Project, *, place: str = "", idle_s: float = IDLE_S) -> None:
    """Deliver for all programs of a place until none of them lives and nobody comes for `idle_s` seconds.

    At most one such process works on a place; another one leaves at once.
    """
    place = place or deliverer.place(project)
    held = _lock(project, place)
    if held < 0:
        return
    try:
        os.ftruncate(held, 0)
        os.write(held, f"{os.getpid()}\n".encode())
        with contextlib.closing(Post(project, place)) as post:
            handed = held == deliverer.LOCK  # by a program that started this process, in a session of its own
            _Work(project, place, post, Priority(own=handed)).go_on(idle_s)
    finally:
        os.close(held)


def _lock(project: Project, place: str) -> int:
    """The place's lock, as it was handed on to this process, or taken now; -1 when another process has it."""
    path = os.path.join(project.dir, f"deliver-{place}.lock")
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(deliverer.LOCK), os.stat(path)):
            os.set_inheritable(deliverer.LOCK, False)
            return deliverer.LOCK
    return deliverer.lock(path)


class _Work:
    def __init__(self, project: Project, place: str, post: Post, priority: Priority) -> None:
        self._project = project
        self._post = post
        self._priority = priority
        self._drain = Drain(project, place=place, progress=self._working)
        self._pause_s = _PAUSE_S
        self._again_at = 0.0
        self._taken = self._moved = time.monotonic()

    def go_on(self, idle_s: float) -> None:
        """Work until there is nothing to do."""
        look_at = 0.0  # when all journals are to be looked at
        heard: set[str] = set()
        try:
            while not self._drain.outdated:
                now = time.monotonic()
                questions = self._post.questions()
                only = None if questions or now >= look_at or "" in heard else heard
                if only is None:
                    look_at = now + _TICK_S
                if (waits := journal_files(self._project)) or questions:
                    self._step(questions, only, waited_for=bool(questions or heard))
                if now - self._moved >= idle_s and not (waits and self._trying()):
                    return
                if not os.path.isdir(self._project.journal_dir):
                    return
                heard = self._post.wait(max(look_at - time.monotonic(), 0.0))
        finally:
            self._drain.close()

    def _working(self, text: str) -> None:
        """Say what is being done; and hurry when somebody waits meanwhile."""
        if self._post.working(text) and self._post.is_heard():
            self._priority.usual()

    def _trying(self) -> bool:
        """Whether something waits that a store which is away may take soon."""
        return self._again_at > 0 and time.monotonic() - self._taken < _OUTAGE_S

    def _step(self, questions: list[str], only: set[str] | None, *, waited_for: bool) -> None:
        """Deliver what is there, or what belongs to the runs that some journals tell of."""
        if time.monotonic() < self._again_at and not questions:
            return
        if waited_for or not self._drain.living():
            self._priority.usual()
        else:
            self._priority.low()  # what is found can wait for those who compute
        drain = self._drain
        events, runs, told = drain.events, drain.runs, len(drain.problems)
        try:
            with store_lock(self._project, wait=_LOCK_S, progress=self._working):
                moved = drain.step(final=True, only=only)
        except LinealError as error:
            self._post.trouble(error.message)
            self._again_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        else:
            self._post.well()
            self._taken, self._again_at, self._pause_s = time.monotonic(), 0.0, _PAUSE_S
            if moved or drain.living():
                self._moved = time.monotonic()
            problems = [*drain.problems[told:], *drain.refused()]
            report = SyncReport(events=drain.events - events, runs=drain.runs - runs, problems=problems)
            for question in questions:
                self._post.answer(question, report)
