"""Having everything delivered: by the process that does so for a place, else here and now."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from lineal.core.errors import Unavailable
from lineal.deliver.drain import Drain, journal_files
from lineal.deliver.lock import store_lock
from lineal.journal.read import read
from lineal.resolve.project import Project
from lineal.sdk.deliverer import Deliverer, Undelivered

Progress = Callable[[str], None]


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery did. problems: one sentence each, naming the file and what is wrong with it."""

    events: int
    runs: int
    problems: list[str]


NOTHING = SyncReport(events=0, runs=0, problems=[])


def sync(project: Project, *, progress: Progress | None = None, wait: float | None = 120.0) -> SyncReport:
    """Deliver everything that is there: of crashed runs, ended programs, and what living ones have recorded until now.

    The process that delivers for this place does it where one is at work, else this one.
    Raises Unavailable: it is not done within `wait` seconds, or the store does not take it.
    """
    if not journal_files(project):
        return NOTHING
    at_work = Deliverer(project)
    if at_work.at_work():
        try:
            answer = at_work.ask(most_s=wait, progress=progress)
            return msgspec.json.decode(answer, type=SyncReport)
        except Undelivered as error:
            raise Unavailable(str(error)) from None
    with store_lock(project, wait=wait, progress=progress) as got:
        if not got:
            return SyncReport(
                events=0, runs=0, problems=["another process writes to the store: nothing was delivered"]
            )
        drain = Drain(project, place=at_work.place, progress=progress)
        try:
            drain.step(final=True)
        finally:
            drain.close()
    return SyncReport(events=drain.events, runs=drain.runs, problems=[*drain.problems, *drain.refused()])


def check_journal(project: Project) -> list[str]:
    """What is broken among the journal files, one sentence each."""
    problems: list[str] = []
    for path in journal_files(project):
        offset = 0
        while True:
            try:
                _, after, damage = read(path, offset)
            except OSError as error:
                problems.append(f"{path}: cannot be read: {error.strerror}")
                break
            if damage is not None:
                if not damage.torn:
                    problems.append(f"{path}: {damage}")
                break
            if after == offset:
                break
            offset = after
    try:
        kept = sorted(name for name in os.listdir(project.journal_dir) if name.endswith(".damaged"))
    except OSError:
        kept = []
    return problems + [
        f"{os.path.join(project.journal_dir, name)}: was damaged when it was delivered" for name in kept
    ]
