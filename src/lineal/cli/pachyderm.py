"""Taking in a Pachyderm cluster's history, once or again and again: `lineal import pachyderm`, `lineal watch pachyderm`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from lineal.connect import pachyderm_story as story
from lineal.connect.pachyderm import Cluster, Message, micros
from lineal.connect.pachyderm_wire import FILE, MESSAGES
from lineal.core import events as ev
from lineal.core.errors import NotFound
from lineal.render.page import Page, clean, styled
from lineal.sdk import times
from lineal.service.ingest import IngestRequest, PositionsRequest
from lineal.service.registry import AliasesRequest, AliasOut, AliasRequest, RegisterRequest
from lineal.service.runs import RunsRequest

if TYPE_CHECKING:
    from rich.text import Text

    from lineal.service.client import AnyClient

DOOR = "pachyderm"
_TOGETHER = 500  # commits of one batch
_OVERLAP_US = 1_000_000  # commits are asked for from that much before the last that was taken
_JOBS_BEFORE_US = 3_600_000_000  # and jobs, which are created beside their commits, from that much before
_MOST_OPEN = 10_000


class Took(msgspec.Struct, kw_only=True):
    """What an import took in. branches: that moved; known: commits that were here already; other: commits that keep specifications or datums and
    hold no data; open: commits and jobs that had not ended, looked at again next time; unreadable: what the cluster does not
    keep any more, or does not show."""

    source: str
    cluster: str
    commits: int = 0
    jobs: int = 0
    files: int = 0
    datums: int = 0
    branches: int = 0
    known: int = 0
    other: int = 0
    open: int = 0
    ended: int = 0
    unreadable: list[str] = []


class History:
    """Takes a cluster's history in, oldest first, in batches of which each is one transaction.

    A batch ends at the time at which its last commit was begun; that is the position of the cluster's stream, where a later
    import goes on. What had not ended is asked for again by its id.
    """

    def __init__(
        self, client: AnyClient, cluster: Cluster, tell: Callable[[str], None], *, files: bool, datums: bool
    ) -> None:
        self._client, self._cluster, self._tell = client, cluster, tell
        self._files, self._datums = files, datums
        self._stream = f"pachyderm:{cluster.id}"
        self._position = 0
        self._seen: set[str] = set()
        self.took = Took(source=cluster.address, cluster=cluster.id)

    def take(self) -> Took:
        """Take what is new, and what has ended since."""
        self._tell(f"asking {self._cluster.address} for pipelines and repositories")
        told = story.Told(
            self._cluster.id,
            {(story.path(p.pipeline), p.version): p for p in self._cluster.pipelines()},
            {story.path(info.repo): info for info in self._cluster.repos()},
        )
        reply = self._client.call("positions", PositionsRequest(door=DOOR, sources=[self._stream]))
        self._position = reply.positions[self._stream]
        self._look_again(told)
        self._tell(f"asking {self._cluster.address} for jobs")
        jobs = {
            f"{story.path(job.job.pipeline)}@{job.job.id}": job
            for job in self._cluster.jobs(max(0, self._position - _JOBS_BEFORE_US))
        }
        known = self._position
        for batch in _ahead(self._cluster.commits(max(0, self._position - _OVERLAP_US))):
            self._take(told, [c for c in batch if self._is_new(c, known)], jobs)
            self._tell(f"{self.took.commits:,} commits taken in")
        self._move_branches([info.repo for info in told.repos.values()])
        return self.took

    def _move_branches(self, repos: list[Message]) -> None:
        """Let an alias of each repository's name stand for each of its branches, as it stands now.

        A head that is not finished has no version yet; then the alias stays where it was. What somebody else moved is left alone.
        """
        reason = f"branch of the Pachyderm cluster {self._cluster.id}"
        listed = self._client.call("aliases", AliasesRequest()).aliases
        known = {(entry.name, entry.alias): entry for entry in listed}
        for repo, branches in zip(repos, self._cluster.branches(repos), strict=True):
            name = story.path(repo)
            if branches is None:
                self.took.unreadable.append(f"the branches of {name}")
                continue
            there = {info.branch.name: info.head for info in branches if info.head.id}
            for alias, head in sorted(there.items()):
                before = known.get((name, alias))
                if before is None or before.reason == reason:
                    self.took.branches += self._move(name, alias, head.id, before, reason)
            for (of, alias), entry in known.items():
                if of == name and alias not in there and entry.reason == reason:
                    self._client.call(
                        "alias", AliasRequest(name=name, alias=alias, version="", reason=reason)
                    )
                    self.took.branches += 1

    def _move(self, name: str, alias: str, head: str, before: AliasOut | None, reason: str) -> bool:
        """Whether the alias was moved."""
        try:
            made = self._client.call("register", RegisterRequest(ref=f"pach:{name}@{head}", name=name))
        except NotFound:
            return False  # not finished yet
        if before is not None and before.number == made.number:
            return False
        expect = before.revision if before is not None else None
        request = AliasRequest(name=name, alias=alias, version=str(made.number), expect=expect, reason=reason)
        self._client.call("alias", request)
        return True

    def _is_new(self, commit: Message, known: int) -> bool:
        if not story.is_data(commit.commit):
            self.took.other += 1
            return False
        name = story.key(commit.commit)
        if name in self._seen:  # it came twice: the connection broke in between
            return False
        self._seen.add(name)
        if known and micros(commit.started) <= known:
            self.took.known += 1
            return micros(commit.started) == known  # others may have begun at that very moment
        self.took.commits += 1
        return True

    def _look_again(self, told: story.Told) -> None:
        """Tell how those stand now that were open when they were taken."""
        where = f"state = 'running' and tags.`{story.CLUSTER}` = '{self._cluster.id}'"
        found = self._client.call("runs", RunsRequest(where=where, limit=_MOST_OPEN)).runs
        batch, jobs = [], {}
        for run in found:
            name, _, id = run.tags[story.COMMIT].rpartition("@")
            project, _, repo = name.partition("/")
            commit = self._cluster.commit(_named("Repo", project, repo, type="user"), id)
            if commit is None:
                self._hand_over(
                    [ev.RunEnded(run=run.run_id, at=times.now(), state=ev.State.LOST)], position=0
                )
                self.took.unreadable.append(f"commit {name}@{id} is not there any more")
                continue
            job = self._cluster.job(_named("Pipeline", project, repo), id)
            if job is not None:
                jobs[f"{name}@{id}"] = job
            if story.is_open(commit, job):
                self.took.open += 1
            else:
                self.took.ended += 1
                batch.append(commit)
        for start in range(0, len(batch), _TOGETHER):
            self._take(told, batch[start : start + _TOGETHER], jobs, again=True)

    def _take(
        self, told: story.Told, commits: list[Message], jobs: dict[str, Message], *, again: bool = False
    ) -> None:
        if not commits:
            return
        keys = [story.key(commit.commit) for commit in commits]
        made = [jobs.get(key) for key in keys]
        files = dict(self._list_files(commits)) if self._files else {}
        told_jobs = [job for job in made if job is not None]
        datums = dict(self._list_datums(told_jobs)) if self._datums else {}
        events: list[ev.Event] = []
        for key, commit, job in zip(keys, commits, made, strict=True):
            of_job = None if job is None else datums.get(key)
            of_commit = files.get(key)
            events.extend(story.events(told, commit, job, of_commit, of_job))
            self.took.jobs += job is not None and not again
            self.took.open += story.is_open(commit, job)
            self.took.files += sum(file.file_type == FILE for file in of_commit or ())
            self.took.datums += len(of_job or ())
        self._hand_over(events, position=0 if again else max(micros(c.started) for c in commits))

    def _list_files(self, commits: list[Message]) -> Iterator[tuple[str, list[Message]]]:
        ended = [commit for commit in commits if micros(commit.finished) and not commit.error]
        for commit, files in zip(ended, self._cluster.files([c.commit for c in ended]), strict=True):
            if files is None:
                self.took.unreadable.append(f"the files of {story.key(commit.commit)}")
            else:
                yield story.key(commit.commit), files

    def _list_datums(self, jobs: list[Message]) -> Iterator[tuple[str, list[Message]]]:
        for job, datums in zip(jobs, self._cluster.datums([j.job for j in jobs]), strict=True):
            name = f"{story.path(job.job.pipeline)}@{job.job.id}"
            if datums is None:
                self.took.unreadable.append(f"the datums of {name}")
            else:
                yield name, datums

    def _hand_over(self, events: list[ev.Event], *, position: int) -> None:
        """One batch, one transaction. One that lies before what is recorded goes without a position: events are known again."""
        after = position if position > self._position else 0
        batch = ev.Batch(
            door=DOOR,
            source=self._stream,
            start=self._position if after else 0,
            position=after,
            digest="",  # no bytes of theirs say all of this: the audit names the events
            actor="",
            events=events,
        )
        self._client.call("ingest", IngestRequest(batches=[batch]))
        self._position = max(self._position, position)


def lines(page: Page, took: Took) -> Iterator[Text]:
    """What was taken, for people."""
    yield styled(("cluster ", "dim"), clean(took.cluster), (f"  at {took.source}", "dim"))
    said = [
        ("commits", took.commits, "a version of its repository each, and the run that made it"),
        ("jobs", took.jobs, "told of those runs"),
        ("files", took.files, ""),
        ("datums", took.datums, ""),
        ("branches", took.branches, "moved: aliases of their repositories' names"),
        ("ended since", took.ended, "open when they were taken before"),
        ("still open", took.open, "looked at again by the next import, or by `lineal watch pachyderm`"),
        ("known", took.known, "here already"),
        ("other commits", took.other, "of specifications and datums: no data"),
    ]
    for name, count, what in said:
        if count or name == "commits":
            yield styled(f"{name:14}{count:>12,}  ", (what, "dim"))
    for left in took.unreadable[:20]:
        yield from page.hang("", "  ", styled(("! ", "bold red"), clean(f"not shown by the cluster: {left}")))
    if len(took.unreadable) > 20:
        yield styled((f"and {len(took.unreadable) - 20:,} more; --json lists them", "dim"))


def _ahead(commits: Iterator[Message]) -> Iterator[list[Message]]:
    """The commits in parts, of which the next is fetched while one is worked on."""
    fetching = ThreadPoolExecutor(1, thread_name_prefix="pachyderm-ahead")
    try:
        coming = fetching.submit(lambda: list(islice(commits, _TOGETHER)))
        while batch := coming.result():
            coming = fetching.submit(lambda: list(islice(commits, _TOGETHER)))
            yield batch
    finally:
        fetching.shutdown(wait=False, cancel_futures=True)  # what is being fetched ends with the connection


def _named(kind: str, project: str, name: str, **more: Any) -> Message:
    return MESSAGES[kind](name=name, project=MESSAGES["Project"](name=project), **more)


@contextlib.contextmanager
def opened(place: str, token: str) -> Iterator[Cluster]:
    """A cluster to be asked, let go of at the end."""
    cluster = Cluster(place, token=token)
    try:
        yield cluster
    finally:
        cluster.close()
