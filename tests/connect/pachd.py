"""A stand-in for Pachyderm's server: speaks its real wire format with the message classes of its own unmodified client.

`pachd.py STATE_FILE` prints its port. The state file (JSON) is read again at every call, so that a test moves the story on:
sets: how many changes happened; open: whether the last one's training still runs; failed: which change's training failed;
breaks: [N, M]: the next N streams of commits break after M messages; refuse: the token that is wanted; gone: pipelines
whose jobs were deleted.

The story: `raw` and `labels` are filled by people, `features` is made from `raw`, `train` from `features` and `labels`. Every
third change is one of `labels`, the others of `raw`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from pachyderm_sdk.api import admin, pfs, pps

BEGAN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
MADE_FROM = {"raw": [], "labels": [], "features": ["raw"], "train": ["features", "labels"]}
PROJECT = pfs.Project(name="default")
FILES = 4


def id_of(number: int) -> str:
    """A global id, in the form of a UUIDv4, as Pachyderm's client wants it."""
    return f"{number:08x}{number % 65536:04x}4{number % 4096:03x}a{number:015x}"


class Story:
    """What the cluster knows, from the state file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._broken = 0

    def state(self) -> dict[str, Any]:
        return json.loads(self._path.read_text())

    def commits(self) -> list[pfs.CommitInfo]:
        """Every commit, oldest first."""
        state = self.state()
        heads: dict[str, str] = {}
        found = []
        for number in range(state["sets"]):
            last = number == state["sets"] - 1
            changed = ["labels" if number % 3 == 2 else "raw"]
            for repo in ("features", "train"):
                if any(source in changed for source in MADE_FROM[repo]):
                    changed.append(repo)
            for place, repo in enumerate(changed):
                began = BEGAN + dt.timedelta(minutes=number, seconds=place * 10)
                is_open = last and repo == "train" and state.get("open", False)
                is_failed = repo == "train" and number == state.get("failed")
                sources = [
                    commit(r, id_of(number) if r in changed else heads[r])
                    for r in MADE_FROM[repo]
                    if r in changed or r in heads
                ]
                spec = [commit(repo, id_of(9000), "spec")] if MADE_FROM[repo] else []
                found.append(
                    pfs.CommitInfo(
                        commit=commit(repo, id_of(number)),
                        origin=pfs.CommitOrigin(
                            kind=pfs.OriginKind.AUTO if MADE_FROM[repo] else pfs.OriginKind.USER
                        ),
                        description="" if MADE_FROM[repo] else f"change {number}",
                        parent_commit=commit(repo, heads[repo]) if repo in heads else None,
                        started=began,
                        finishing=None if is_open else began + dt.timedelta(seconds=4),
                        finished=None if is_open else began + dt.timedelta(seconds=5),
                        error="datum failed" if is_failed else "",
                        direct_provenance=[*sources, *spec],
                        details=pfs.CommitInfoDetails(size_bytes=100 + number),
                        metadata={"git.commit": f"{number:040x}"} if repo == "raw" else {},
                        created_by="robot:ci" if MADE_FROM[repo] else "ada",
                    )
                )
                heads[repo] = id_of(number)
        return found

    def jobs(self) -> list[pps.JobInfo]:
        state, found = self.state(), []
        for info in self.commits():
            repo = info.commit.repo.name
            if not MADE_FROM[repo] or repo in state.get("gone", []):
                continue
            is_open = not info.finished
            found.append(
                pps.JobInfo(
                    job=job(repo, info.commit.id),
                    pipeline_version=1,
                    output_commit=info.commit,
                    data_total=FILES,
                    data_processed=1,
                    data_skipped=FILES - 1,
                    state=pps.JobState.JOB_RUNNING
                    if is_open
                    else pps.JobState.JOB_FAILURE
                    if info.error
                    else pps.JobState.JOB_SUCCESS,
                    reason=info.error,
                    created=info.started,
                    started=info.started + dt.timedelta(seconds=1),
                    finished=info.finished,
                )
            )
        return found

    def breaks(self) -> int | None:
        """After how many messages the next stream of commits breaks."""
        times, after = self.state().get("breaks", [0, 0])
        with self._lock:
            if self._broken >= times:
                return None
            self._broken += 1
            return after


def given(time: dt.datetime) -> dt.datetime | None:
    """The time, None where none was sent: the client's classes make 1970 of that."""
    return time if time and time.year > 1970 else None


def repo(name: str, type: str = "user") -> pfs.Repo:
    return pfs.Repo(name=name, type=type, project=PROJECT)


def commit(name: str, id: str, type: str = "user") -> pfs.Commit:
    return pfs.Commit(repo=repo(name, type), id=id, branch=pfs.Branch(repo=repo(name, type), name="master"))


def job(name: str, id: str) -> pps.Job:
    return pps.Job(pipeline=pps.Pipeline(project=PROJECT, name=name), id=id)


def files(commit: pfs.Commit) -> Iterator[pfs.FileInfo]:
    """The files of a commit: of each repository some parts, of which one changed."""
    number = int(commit.id[:8], 16)
    name = commit.repo.name
    yield pfs.FileInfo(file=pfs.File(commit=commit, path="/"), file_type=pfs.FileType.DIR)
    for part in range(FILES if name in ("raw", "features") else 1):
        body = f"{name} {part} {number if part == 0 else 0}".encode()
        yield pfs.FileInfo(
            file=pfs.File(
                commit=commit,
                path=f"/part-{part}",
                datum=datum_id(name, part) if MADE_FROM[name] else "default",
            ),
            file_type=pfs.FileType.FILE,
            size_bytes=len(body),
            hash=hashlib.blake2b(body, digest_size=32).digest(),
        )


def datum_id(name: str, part: int) -> str:
    return hashlib.sha256(f"{name} {part}".encode()).hexdigest()


class Service:
    """The calls, each by the name it has."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def inspect_cluster(self, asked: Any, context: Any) -> Any:
        return admin.ClusterInfo(id="c0ffee", deployment_id="test")

    def list_project(self, asked: Any, context: Any) -> Any:
        yield pfs.ProjectInfo(project=PROJECT)

    def list_repo(self, asked: Any, context: Any) -> Any:
        for name in MADE_FROM:
            yield pfs.RepoInfo(
                repo=repo(name), created=BEGAN, metadata={"owner": "data-science"} if name == "raw" else {}
            )

    def list_branch(self, asked: Any, context: Any) -> Any:
        """Its `master` at the newest commit, and what the state says of others: `branches`, from `REPO:BRANCH` to the number of a commit."""
        name = asked.repo.name
        ids = [info.commit.id for info in self._story.commits() if info.commit.repo.name == name]
        heads = {"master": ids[-1]} if ids else {}
        for key, number in self._story.state().get("branches", {}).items():
            of, _, branch = key.partition(":")
            if of == name:
                heads[branch] = ids[number]
        for branch, id in heads.items():
            yield pfs.BranchInfo(branch=pfs.Branch(repo=repo(name), name=branch), head=commit(name, id))

    def list_commit(self, asked: Any, context: Any) -> Any:
        if asked.repo is None:
            context.abort(grpc.StatusCode.UNKNOWN, "repo cannot be nil")
        after, sent = self._story.breaks(), 0
        found = self._story.commits()
        if asked.repo.name:
            found = [info for info in found if info.commit.repo.name == asked.repo.name]
        for info in found if asked.reverse else reversed(found):
            limit = given(asked.started_time)
            if limit and (info.started <= limit if asked.reverse else info.started >= limit):
                continue
            if sent == after:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
            sent += 1
            yield info

    def inspect_commit(self, asked: Any, context: Any) -> Any:
        for info in self._story.commits():
            if info.commit.repo.name == asked.commit.repo.name and info.commit.id == asked.commit.id:
                return info
        context.abort(grpc.StatusCode.NOT_FOUND, "commit not found")
        return None

    def walk_file(self, asked: Any, context: Any) -> Any:
        yield from files(asked.file.commit)

    def list_pipeline(self, asked: Any, context: Any) -> Any:
        for name, sources in MADE_FROM.items():
            if sources:
                yield pps.PipelineInfo(
                    pipeline=pps.Pipeline(project=PROJECT, name=name),
                    version=1,
                    details=pps.PipelineInfoDetails(
                        transform=pps.Transform(
                            image="registry/train:7", cmd=["python", "t.py"], env={"PASSWORD": "hunter2"}
                        ),
                        input=pps.Input(
                            cross=[
                                pps.Input(pfs=pps.PfsInput(name=s, repo=s, branch="master", glob="/*"))
                                for s in sources
                            ]
                        ),
                    ),
                )

    def list_job(self, asked: Any, context: Any) -> Any:
        found = self._story.jobs()
        for info in found if asked.reverse else reversed(found):
            marker = given(asked.pagination_marker)
            if not marker or info.created > marker:
                yield info

    def inspect_job(self, asked: Any, context: Any) -> Any:
        for info in self._story.jobs():
            if info.job.pipeline.name == asked.job.pipeline.name and info.job.id == asked.job.id:
                return info
        context.abort(grpc.StatusCode.NOT_FOUND, "job not found")
        return None

    def list_datum(self, asked: Any, context: Any) -> Any:
        name, id = asked.job.pipeline.name, asked.job.id
        source = next(c for c in self.inputs(name, id))
        for part in range(FILES if name == "features" else 1):
            info = next(f for f in files(source) if f.file.path == f"/part-{part}")
            yield pps.DatumInfo(
                datum=pps.Datum(job=asked.job, id=datum_id(name, part)),
                state=pps.DatumState.SUCCESS if part == 0 else pps.DatumState.SKIPPED,
                data=[info],
            )

    def inputs(self, name: str, id: str) -> list[pfs.Commit]:
        return [
            source
            for info in self._story.commits()
            if info.commit.repo.name == name and info.commit.id == id
            for source in info.direct_provenance
            if source.repo.type == "user"
        ]


def handler(story: Story, call: Callable[..., Any], request: Any, *, streamed: bool) -> grpc.RpcMethodHandler:
    def allowed(context: Any) -> None:
        wanted = story.state().get("refuse")
        if wanted and dict(context.invocation_metadata()).get("authn-token") != wanted:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")

    def one(asked: Any, context: Any) -> Any:
        allowed(context)
        return call(asked, context)

    def many(asked: Any, context: Any) -> Iterator[Any]:
        allowed(context)
        yield from call(asked, context)

    make = grpc.unary_stream_rpc_method_handler if streamed else grpc.unary_unary_rpc_method_handler
    return make(many if streamed else one, request_deserializer=request.FromString, response_serializer=bytes)


def serve(path: str) -> None:
    story = Story(path)
    service = Service(story)
    server = grpc.server(futures.ThreadPoolExecutor(8))
    of_pfs = {
        "ListProject": (service.list_project, pfs.ListProjectRequest, True),
        "ListRepo": (service.list_repo, pfs.ListRepoRequest, True),
        "ListBranch": (service.list_branch, pfs.ListBranchRequest, True),
        "ListCommit": (service.list_commit, pfs.ListCommitRequest, True),
        "InspectCommit": (service.inspect_commit, pfs.InspectCommitRequest, False),
        "WalkFile": (service.walk_file, pfs.WalkFileRequest, True),
    }
    of_pps = {
        "ListPipeline": (service.list_pipeline, pps.ListPipelineRequest, True),
        "ListJob": (service.list_job, pps.ListJobRequest, True),
        "InspectJob": (service.inspect_job, pps.InspectJobRequest, False),
        "ListDatum": (service.list_datum, pps.ListDatumRequest, True),
    }
    of_admin = {"InspectCluster": (service.inspect_cluster, admin.InspectClusterRequest, False)}
    for name, calls in (("pfs_v2.API", of_pfs), ("pps_v2.API", of_pps), ("admin_v2.API", of_admin)):
        handlers = {
            called: handler(story, call, request, streamed=s) for called, (call, request, s) in calls.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
