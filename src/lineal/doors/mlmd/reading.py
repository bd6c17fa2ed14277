"""Reads another store of ML Metadata through its own gRPC server, in parts that rely on what came before."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from typing import Any

from lineal.core.errors import Unavailable
from lineal.core.mlmd import BASES, Kind, Part, missing

_PAGE = 100
_SERVICE = "/ml_metadata.MetadataStoreService/"
_NAMES = {Kind.ARTIFACT: "Artifact", Kind.EXECUTION: "Execution", Kind.CONTEXT: "Context"}
_TRIES = 5


class Server:
    """A store behind a server at HOST:PORT. Raises Unavailable: what is needed to ask it is not installed."""

    def __init__(self, address: str) -> None:
        try:
            self._grpc = importlib.import_module("grpc")
            self._pb = importlib.import_module("lineal.doors.mlmd.mlmd_pb2")
            self._wire = importlib.import_module("lineal.doors.mlmd.wire")
        except ImportError as error:
            raise Unavailable(
                f"asking a server of ML Metadata needs {error.name}, which is not installed",
                hint="pip install 'lineal[kubeflow]'",
            ) from error
        self.name = address.removeprefix("grpc://").rstrip("/")
        self._channel = self._grpc.insecure_channel(
            self.name, options=[("grpc.max_receive_message_length", -1)]
        )
        self.left: list[str] = []

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()

    def count(self) -> int:
        """How many things there are: that is not known before they were read."""
        return 0

    def parts(self) -> Iterator[Part]:
        """All of it: types, nodes in order of their numbers, then what lies between them."""
        yield Part(types=sorted((t for kind in Kind for t in self._types(kind)), key=lambda each: each.id))
        contexts: list[int] = []
        for nodes in self._nodes(Kind.CONTEXT):
            contexts += [node.id for node in nodes]
            yield Part(nodes=nodes)
        for nodes in self._nodes(Kind.ARTIFACT):
            yield Part(nodes=nodes)
        for nodes in self._nodes(Kind.EXECUTION):
            yield Part(nodes=nodes)
            found = self._call("GetEventsByExecutionIDs", execution_ids=[node.id for node in nodes])
            yield Part(events=[self._wire.event_in(event) for event in found.events])
        for context in contexts:
            yield self._of_context(context)

    def _types(self, kind: Kind) -> list[Any]:
        """The types of a kind, also those that every store begins with."""
        name, one = _NAMES[kind], missing(kind)
        listed = getattr(self._call(f"Get{name}Types"), f"{one}_types")
        wanted = [(base, "") for base in BASES[kind]] + [(each.name, each.version) for each in listed]
        types = []
        for called, version in wanted:  # one by one, for their list leaves out what others call them
            found = self._call(f"Get{name}Type", type_name=called, type_version=version)
            message = getattr(found, f"{one}_type")
            type = self._wire.type_in(kind, message)
            type.id = message.id
            types.append(type)
        return types

    def _nodes(self, kind: Kind) -> Iterator[list[Any]]:
        name, token = _NAMES[kind], ""
        while True:
            options = self._pb.ListOperationOptions(max_result_size=_PAGE, next_page_token=token)
            found = self._call(f"Get{name}s", options=options)
            nodes = []
            for message in getattr(found, f"{missing(kind)}s"):
                node = self._wire.node_in(kind, message)
                node.created = message.create_time_since_epoch
                nodes.append(node)
            if nodes:
                yield nodes
            token = found.next_page_token
            if not token:
                return

    def _of_context(self, context: int) -> Part:
        members: list[tuple[int, int, int]] = []
        for kind in (Kind.ARTIFACT, Kind.EXECUTION):
            token = ""
            while True:
                options = self._pb.ListOperationOptions(max_result_size=_PAGE, next_page_token=token)
                found = self._call(f"Get{_NAMES[kind]}sByContext", context_id=context, options=options)
                members += [(context, int(kind), each.id) for each in getattr(found, f"{missing(kind)}s")]
                token = found.next_page_token
                if not token:
                    break
        parents = self._call("GetParentContextsByContext", context_id=context).contexts
        return Part(members=members, parents=[(context, parent.id) for parent in parents])

    def _call(self, method: str, **fields: Any) -> Any:
        """The answer to a call, asked again when the connection was lost. Raises Unavailable: it stays lost, or is refused."""
        body = getattr(self._pb, f"{method}Request")(**fields).SerializeToString()
        call = self._channel.unary_unary(_SERVICE + method)
        for left in reversed(range(_TRIES)):
            try:
                answer = call(body, timeout=60)
                return getattr(self._pb, f"{method}Response").FromString(answer)
            except self._grpc.RpcError as error:
                lost = error.code() in {
                    self._grpc.StatusCode.UNAVAILABLE,
                    self._grpc.StatusCode.DEADLINE_EXCEEDED,
                }
                if not lost or not left:
                    raise Unavailable(
                        f"{self.name} does not answer {method}: {error.code().name}: {error.details()}",
                        hint="run the import again: it goes on where it stopped",
                    ) from error
                time.sleep(2.0 ** (_TRIES - left - 2))
        raise AssertionError
