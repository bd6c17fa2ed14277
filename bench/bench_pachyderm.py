"""Importing the history of a Pachyderm cluster: commits a second, from a server in its own process that replays answers
which were encoded beforehand, so that what is measured is ours."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent import futures
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc

from bench.figures import Figure, report_parts
from lineal.connect.pachyderm_wire import CALLS, MESSAGES

COMMITS = int(os.environ.get("LINEAL_COMMITS", "20000"))
PARTS = ("raw", "labels", "features", "train", "report")  # every change makes a commit in each
_MADE_FROM = {"features": ["raw"], "train": ["features", "labels"], "report": ["train"]}
_BEGAN = 1_780_000_000


def _commit(repo: str, id: str) -> Any:
    where = MESSAGES["Repo"](name=repo, type="user", project=MESSAGES["Project"](name="default"))
    return MESSAGES["Commit"](repo=where, id=id, branch=MESSAGES["Branch"](repo=where, name="master"))


def _encoded(count: int) -> tuple[list[bytes], list[bytes]]:
    """Commits and jobs, oldest first."""
    stamp, commits, jobs = MESSAGES["Timestamp"], [], []
    for number in range(count // len(PARTS)):
        id = f"{number:08x}00004000a000{number:012x}"
        for place, repo in enumerate(PARTS):
            began = _BEGAN + number * 10 + place
            sources = _MADE_FROM.get(repo, [])
            commits.append(
                MESSAGES["CommitInfo"](
                    commit=_commit(repo, id),
                    origin=MESSAGES["Origin"](kind=2 if sources else 1),
                    description="" if sources else "nightly load",
                    started=stamp(seconds=began),
                    finishing=stamp(seconds=began),
                    finished=stamp(seconds=began, nanos=500_000_000),
                    direct_provenance=[_commit(source, id) for source in sources],
                    details=MESSAGES["CommitDetails"](size_bytes=1000 + number),
                    metadata={"git.commit": f"{number:040x}"},
                    created_by="robot:ci",
                ).SerializeToString()
            )
            if sources:
                pipeline = MESSAGES["Pipeline"](name=repo, project=MESSAGES["Project"](name="default"))
                jobs.append(
                    MESSAGES["JobInfo"](
                        job=MESSAGES["Job"](pipeline=pipeline, id=id),
                        pipeline_version=1,
                        output_commit=_commit(repo, id),
                        data_total=5,
                        data_processed=1,
                        data_skipped=4,
                        state=5,
                        created=stamp(seconds=began),
                        started=stamp(seconds=began),
                        finished=stamp(seconds=began + 1),
                    ).SerializeToString()
                )
    return commits, jobs


def _serve(count: int, pipe: Connection) -> None:
    commits, jobs = _encoded(count)
    answers = {
        "InspectCluster": [MESSAGES["ClusterInfo"](id="bench").SerializeToString()],
        "ListCommit": commits,
        "ListJob": jobs,
    }
    server = grpc.server(futures.ThreadPoolExecutor(4))
    for name, (path, _, _, streamed) in CALLS.items():
        service, _, method = path.strip("/").partition("/")
        said = answers.get(name, [])

        def many(_: bytes, context: Any, said: list[bytes] = said) -> Iterator[bytes]:
            yield from said

        def one(_: bytes, context: Any, said: list[bytes] = said) -> bytes:
            return said[0]

        made = (
            grpc.unary_stream_rpc_method_handler(many)
            if streamed
            else grpc.unary_unary_rpc_method_handler(one)
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: made}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    pipe.send(port)
    server.wait_for_termination()


def _imported() -> list[Figure]:
    from lineal.cli import pachyderm
    from lineal.resolve import project as projects
    from lineal.service.client import connect

    here, there = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_serve, args=(COMMITS, there), daemon=True)
    child.start()
    port = here.recv()
    try:
        with tempfile.TemporaryDirectory(prefix="lineal-bench-") as folder:
            os.chdir(folder)
            projects.ensure()
            with (
                connect(projects.find(Path(folder))) as client,
                pachyderm.opened(f"grpc://127.0.0.1:{port}", "") as cluster,
            ):
                before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
                took = pachyderm.History(client, cluster, lambda _: None, files=False, datums=False).take()
                wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF)
                again = time.monotonic()
                pachyderm.History(client, cluster, lambda _: None, files=False, datums=False).take()
                again = time.monotonic() - again
            os.chdir("/")
    finally:
        child.terminate()
        child.join()
    if took.commits != COMMITS:
        raise RuntimeError(f"{took.commits} of {COMMITS} commits were taken in")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [
        Figure(f"{COMMITS:,} commits, durable", COMMITS / wall, "commits/s", 2000, higher=True),
        Figure("processor time of a commit", cpu / COMMITS * 1e6, "us"),
        Figure("the same again, all of it listed and known", again, "s"),
        Figure("memory at its highest", after.ru_maxrss / 1024, "MB"),
    ]


if __name__ == "__main__":
    sys.exit(report_parts("pachyderm", [("a cluster's history", _imported)]))
