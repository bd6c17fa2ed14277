"""What Pachyderm's messages mean here, as events: a commit is a version of its repository, what made it a run.

A commit of a user is made by a run of kind `commit`, one of a pipeline by the run of its job, which used the commits that the
commit names as its direct provenance. All that one change caused carries its global id as the tag `cause_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lineal.connect.pachyderm import micros
from lineal.connect.pachyderm_wire import DATUM_STATES, FILE, JOB_STATES, ORIGINS
from lineal.core import events as ev

CAUSE = "cause_id"
CLUSTER = "pachyderm.cluster"
COMMIT = "pachyderm.commit"
JOB = "pachyderm.job"
_MOST_FILES, _MOST_DATUMS = 5_000, 2_000  # of one commit and one job that are kept (count)
_STATES = {4: ev.State.FAILED, 5: ev.State.FINISHED, 6: ev.State.KILLED, 9: ev.State.FAILED}
_USER, _PIPELINE = 1, 2
_VIA = ["pachyderm"]

Message = Any


class Told(msgspec.Struct, frozen=True):
    """What stands beside commits: pipelines by `PROJECT/NAME` and version, repositories by `PROJECT/NAME`."""

    cluster: str
    pipelines: dict[tuple[str, int], Message]
    repos: dict[str, Message]


def path(thing: Message) -> str:
    """`PROJECT/NAME` of a repository or a pipeline."""
    return f"{thing.project.name or 'default'}/{thing.name}"


def key(commit: Message) -> str:
    """`PROJECT/REPO@COMMIT`, the value of the reference `pach:`."""
    return f"{path(commit.repo)}@{commit.id}"


def run_id(cluster: str, commit: str) -> str:
    """The id of the run that made the commit of this key, the same each time."""
    return hashlib.sha256(f"pachyderm\0{cluster}\0{commit}".encode()).hexdigest()[:32]


def is_data(commit: Message) -> bool:
    """Whether the commit lies in a repository of data: not in one that keeps specifications or datums."""
    return commit.repo.type in ("", "user") and bool(commit.id) and bool(commit.repo.name)


def is_open(commit: Message, job: Message | None) -> bool:
    """Whether more is to come: a commit that is not finished, a job that has not ended."""
    return not micros(commit.finished) or (job is not None and job.state not in _STATES)


def events(
    told: Told,
    commit: Message,
    job: Message | None,
    files: Sequence[Message] | None,
    datums: Sequence[Message] | None,
) -> Iterator[ev.Event]:
    """What one commit tells, and the job that made it, if one did; files and datums where they were asked for."""
    made = key(commit.commit)
    run = run_id(told.cluster, made)
    finished = micros(commit.finished)
    began = micros(job.started) or micros(job.created) if job is not None else 0
    began = began or micros(commit.started)
    yield _started(told, run, commit, job, began)
    for name, value in _tags(told, made, commit.commit.id, job):
        yield ev.TagSet(run=run, key=name, value=value, at=began)
    for source in commit.direct_provenance:
        if is_data(source):
            version = _version(told, source, key(source))
            yield ev.VersionUsed(run=run, version=version, at=began, evidence=ev.Evidence.IMPORTED, via=_VIA)
    if job is not None:
        yield ev.FacetSet(run=run, name="pachyderm.job/1", body=_raw(_job(told, job, datums)), at=began)
    if finished:
        yield ev.VersionGenerated(
            run=run,
            version=_version(told, commit.commit, made, commit, files),
            at=finished,
            evidence=ev.Evidence.IMPORTED,
            via=_VIA,
        )
    ended = _ended(run, commit, job)
    if ended is not None:
        yield ended


def _started(told: Told, run: str, commit: Message, job: Message | None, began: int) -> ev.RunStarted:
    made = commit.commit
    by_pipeline = job is not None or commit.origin.kind == _PIPELINE
    name = "" if by_pipeline else commit.description[:200]
    return ev.RunStarted(
        run=run,
        namespace=_namespace(told, made.repo),
        job=made.repo.name,
        at=began,
        kind="run" if by_pipeline else "commit",
        name=name or f"{made.repo.name}@{made.id[:12]}",
        actor=commit.created_by,
    )


def _ended(run: str, commit: Message, job: Message | None) -> ev.RunEnded | None:
    if is_open(commit, job):
        return None
    state, at, reason = ev.State.FINISHED, micros(commit.finished), commit.error
    if job is not None:
        state, at, reason = _STATES[job.state], micros(job.finished) or at, job.reason or reason
    elif commit.error:
        state = ev.State.FAILED
    error = ev.ErrorInfo(type="pachyderm", message=reason) if reason and state != ev.State.FINISHED else None
    return ev.RunEnded(run=run, at=at, state=state, error=error)


def _tags(told: Told, commit: str, cause: str, job: Message | None) -> Iterator[tuple[str, str]]:
    yield CLUSTER, told.cluster
    yield CAUSE, cause
    yield COMMIT, commit
    if job is not None:
        yield JOB, f"{path(job.job.pipeline)}@{job.job.id}"


def _version(
    told: Told,
    commit: Message,
    value: str,
    info: Message | None = None,
    files: Sequence[Message] | None = None,
) -> ev.VersionState:
    """The version that a commit is, of which `value` is the key. Pachyderm's id names it for ever; its file hashes are no digests of bytes."""
    facets = {} if info is None else {"pachyderm.commit/1": _raw(_commit(told, info))}
    if files is not None:
        facets["pachyderm.files/1"] = _raw(_files(files))
    size = None
    if info is not None:
        size = info.details.size_bytes or info.size_bytes_upper_bound or None
    return ev.VersionState(
        namespace=_namespace(told, commit.repo),
        name=commit.repo.name,
        digest=f"pach:{value}",
        level=ev.Level.NATIVE,
        size=size,
        location=f"pfs://{value}",
        references=[ev.Reference(scheme="pach", value=value, level=ev.Level.NATIVE)],
        facets=facets,
    )


def _namespace(told: Told, repo: Message) -> str:
    return f"pachyderm://{told.cluster}/{repo.project.name or 'default'}"


def _commit(told: Told, info: Message) -> dict[str, Any]:
    repo = told.repos.get(path(info.commit.repo)) if told.repos else None
    said = {
        "origin": ORIGINS.get(info.origin.kind, str(info.origin.kind)),
        "branch": info.commit.branch.name,
        "parent": info.parent_commit.id,
        "started_at": micros(info.started),
        "finished_at": micros(info.finished),
        "description": info.description,
        "error": info.error,
        "metadata": dict(info.metadata),
        "provenance": [f"{source.repo.type or 'user'}:{key(source)}" for source in info.direct_provenance],
        "repo": {} if repo is None else _told_of(description=repo.description, metadata=dict(repo.metadata)),
    }
    return _told_of(**said)


def _files(files: Sequence[Message]) -> dict[str, Any]:
    """Every file with its size, Pachyderm's own hash of it, and the datum that wrote it."""
    kept = [file for file in files if file.file_type == FILE]
    return {
        "count": len(kept),
        "size_bytes": sum(file.size_bytes for file in kept),
        "files": [
            _told_of(
                path=file.file.path,
                size_bytes=file.size_bytes,
                hash=f"pach-blake2b:{file.hash.hex()}",
                datum="" if file.file.datum == "default" else file.file.datum,
            )
            for file in kept[:_MOST_FILES]
        ],
    }


def _job(told: Told, job: Message, datums: Sequence[Message] | None) -> dict[str, Any]:
    of = told.pipelines
    pipeline = of.get((path(job.job.pipeline), job.pipeline_version)) if of else None
    said: dict[str, Any] = {
        "state": JOB_STATES.get(job.state, str(job.state)),
        "reason": job.reason,
        "pipeline_version": job.pipeline_version,
        "restarts": job.restart,
        "datums_total": job.data_total,
        "datums_processed": job.data_processed,
        "datums_skipped": job.data_skipped,
        "datums_failed": job.data_failed,
        "datums_recovered": job.data_recovered,
        "download_bytes": job.stats.download_bytes,
        "upload_bytes": job.stats.upload_bytes,
        "process_s": job.stats.process_time.seconds + job.stats.process_time.nanos / 1e9,
    }
    if pipeline is not None:
        transform = pipeline.details.transform
        said["image"] = transform.image
        said["command"] = list(transform.cmd)
        said["stdin"] = list(transform.stdin)
        said["variables"] = sorted(transform.env)  # their names: values may be secrets
        said["salt"] = pipeline.details.salt
        said["inputs"] = list(_inputs(pipeline.details.input))
    if datums is not None:
        said["datums"] = [_datum(datum) for datum in datums[:_MOST_DATUMS]]
    return _told_of(**said)


def _datum(datum: Message) -> dict[str, Any]:
    return {
        "id": datum.datum.id,
        "state": DATUM_STATES.get(datum.state, str(datum.state)),
        "inputs": [f"{key(file.file.commit)}:{file.file.path}" for file in datum.data],
    }


def _inputs(said: Message, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > 20:
        return
    if said.HasField("pfs"):
        pfs = said.pfs
        yield _told_of(
            name=pfs.name,
            repo=f"{pfs.project or 'default'}/{pfs.repo}",
            branch=pfs.branch,
            glob=pfs.glob,
            reference=pfs.reference,
        )
    if said.HasField("cron"):
        yield _told_of(name=said.cron.name, cron=said.cron.spec)
    for inner in (*said.join, *said.group, *said.cross, *said.union):
        yield from _inputs(inner, depth + 1)


def _told_of(**said: Any) -> dict[str, Any]:
    """What was told, without what is empty."""
    return {name: value for name, value in said.items() if value}


def _raw(said: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(said))
