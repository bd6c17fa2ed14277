"""A Pachyderm cluster, asked over gRPC: its history in the order in which it happened. Nothing is changed there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lineal.core.errors import Denied, Invalid, Unavailable

try:
    import grpc
    import grpc.experimental

    from lineal.connect.pachyderm_wire import CALLS, MESSAGES
except ImportError as error:
    raise Unavailable(
        f"reading Pachyderm needs a library that is not here: {error.name}",
        hint="pip install 'lineal[pachyderm]'",
    ) from error

Message = Any
_T = TypeVar("_T")
_PORT = 30650
_TRIES, _PAUSE_S = 4, 0.5
_LARGEST = 64 << 20  # bytes of one message
_AT_ONCE = 8  # calls for files and datums that are open together
_ANSWER_S = 60.0
_GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL}
_FORBIDDEN = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


class Cluster:
    """One cluster. address: `grpc://HOST:PORT`, `grpcs://HOST:PORT` (TLS) or `HOST:PORT`; token: of a user there."""

    def __init__(self, address: str, *, token: str = "", pause_s: float = _PAUSE_S) -> None:
        """Raises Invalid: the address is none; Denied, Unavailable: nobody may, or nobody does, answer there."""
        host, port, secure = _parsed(address)
        self.address = f"{host}:{port}"
        self._metadata = (("authn-token", token),) if token else ()
        self._pause_s = pause_s
        options = [
            ("grpc.max_receive_message_length", _LARGEST),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.enable_retries", 0),
            (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),
        ]
        self._channel = (
            grpc.secure_channel(self.address, grpc.ssl_channel_credentials(), options)
            if secure
            else grpc.insecure_channel(self.address, options)
        )
        self._calls = {name: self._call(*CALLS[name]) for name in CALLS}
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pachyderm")
        self.id = self._identity()

    def close(self) -> None:
        """Let go of the connection."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._channel.close()

    def repos(self) -> list[Message]:
        """Every repository that users fill or pipelines write (RepoInfo)."""
        return self._all("ListRepo", MESSAGES["ListRepoRequest"](type="user"))

    def branches(self, repos: list[Message]) -> list[list[Message] | None]:
        """The branches of each repository (BranchInfo), None where they are not shown."""
        return self._each("ListBranch", [MESSAGES["ListBranchRequest"](repo=repo) for repo in repos])

    def pipelines(self) -> list[Message]:
        """Every pipeline in every version it had (PipelineInfo)."""
        return self._all("ListPipeline", MESSAGES["ListPipelineRequest"](history=-1))

    def jobs(self, after: int) -> Iterator[Message]:
        """Jobs created after that time (microseconds UTC), oldest first (JobInfo)."""
        yield from self._from(
            "ListJob",
            after,
            lambda at: MESSAGES["ListJobRequest"](history=-1, reverse=True, paginationMarker=at),
            lambda job: micros(job.created),
        )

    def commits(self, after: int) -> Iterator[Message]:
        """Commits of all repositories begun after that time (microseconds UTC), oldest first (CommitInfo).

        Where the connection breaks, it is asked again for what follows; a commit may then come twice.
        """
        yield from self._from(
            "ListCommit",
            after,
            lambda at: MESSAGES["ListCommitRequest"](
                repo=MESSAGES["Repo"](), reverse=True, all=True, started_time=at
            ),
            lambda commit: micros(commit.started),
        )

    def commit(self, repo: Message, id: str) -> Message | None:
        """One commit, None when it is not there any more (CommitInfo)."""
        asked = MESSAGES["InspectCommitRequest"](commit=MESSAGES["Commit"](repo=repo, id=id))
        return self._one("InspectCommit", asked)

    def job(self, pipeline: Message, id: str) -> Message | None:
        """One job, None when it is not there any more (JobInfo)."""
        return self._one(
            "InspectJob", MESSAGES["InspectJobRequest"](job=MESSAGES["Job"](pipeline=pipeline, id=id))
        )

    def files(self, commits: list[Message]) -> list[list[Message] | None]:
        """The files of each commit (FileInfo, directories too), None where they are not kept any more."""
        return self._each(
            "WalkFile",
            [MESSAGES["WalkFileRequest"](file=MESSAGES["File"](commit=c, path="/")) for c in commits],
        )

    def datums(self, jobs: list[Message]) -> list[list[Message] | None]:
        """The datums of each job (DatumInfo), None where they are not kept any more."""
        return self._each("ListDatum", [MESSAGES["ListDatumRequest"](job=job) for job in jobs])

    def _identity(self) -> str:
        try:
            found = self._one("InspectCluster", MESSAGES["InspectClusterRequest"]())
        except Invalid:  # one too old to be asked
            found = None
        return (found.id if found is not None else "") or self.address

    def _call(self, path: str, request: str, answer: str, streamed: bool) -> Callable[..., Any]:
        make = self._channel.unary_stream if streamed else self._channel.unary_unary
        call: Callable[..., Any] = make(
            path,
            request_serializer=MESSAGES[request].SerializeToString,
            response_deserializer=MESSAGES[answer].FromString,
        )
        return call

    def _one(self, name: str, request: Message) -> Message | None:
        return self._patiently(lambda: self._unary(name, request))

    def _unary(self, name: str, request: Message) -> Message | None:
        try:
            return self._calls[name](request, metadata=self._metadata, timeout=_ANSWER_S)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def _all(self, name: str, request: Message) -> list[Message]:
        return self._patiently(lambda: list(self._calls[name](request, metadata=self._metadata)))

    def _each(self, name: str, requests: list[Message]) -> list[list[Message] | None]:
        def ask(request: Message) -> list[Message] | None:
            try:
                return self._all(name, request)
            except (Invalid, LookupError):
                return None

        return list(self._workers.map(ask, requests))

    def _from(
        self, name: str, after: int, ask: Callable[[Message], Message], at: Callable[[Message], int]
    ) -> Iterator[Message]:
        """What a call streams in order of time; after a break from where it was, with what began at that very moment."""
        tries = 0
        while True:
            try:
                marker = _timestamp(after) if after > 0 else None
                for message in self._calls[name](ask(marker), metadata=self._metadata):
                    tries = 0
                    after = max(after, at(message) - 1)
                    yield message
                return
            except grpc.RpcError as error:
                tries += 1
                self._pause(error, tries)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        tries = 0
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                tries += 1
                self._pause(error, tries)

    def _pause(self, error: grpc.RpcError, tries: int) -> None:
        """Wait before asking again, where that may help. Raises Denied, Unavailable, Invalid: it does not."""
        code, said = error.code(), error.details() or ""
        if code in _FORBIDDEN:
            raise Denied(
                f"Pachyderm at {self.address} refused: {said}",
                hint="give a token of a user who may read it: PACH_TOKEN, or `pachctl auth get-auth-token`",
            ) from error
        if code in _GONE and tries < _TRIES:
            time.sleep(self._pause_s * 2**tries)
            return
        if code in _GONE or code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise Unavailable(
                f"Pachyderm at {self.address} does not answer: {said or code.name}",
                hint="what was taken so far is kept: import again when it is there",
            ) from error
        raise Invalid(
            f"Pachyderm at {self.address} answered {code.name}: {said}",
            hint="servers of version 2 are read",
        ) from error


def micros(stamp: Message) -> int:
    """A protobuf timestamp in microseconds UTC, 0 for none."""
    return int(stamp.seconds) * 1_000_000 + int(stamp.nanos) // 1000


def _timestamp(at: int) -> Message:
    seconds, rest = divmod(at, 1_000_000)
    return MESSAGES["Timestamp"](seconds=seconds, nanos=rest * 1000)


def _parsed(address: str) -> tuple[str, int, bool]:
    try:
        parts = urlsplit(address if "://" in address else f"grpc://{address}")
        port = parts.port or _PORT
    except ValueError as error:
        raise Invalid(f"{address!r} is no address: {error}", hint="write grpc://HOST:PORT") from error
    if parts.scheme not in {"grpc", "grpcs", "http", "https", "pachd", "pachds"} or not parts.hostname:
        raise Invalid(
            f"{address!r} is no address of Pachyderm", hint="write grpc://HOST:PORT, or grpcs:// for TLS"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host, port, parts.scheme in {"grpcs", "https", "pachds"}
