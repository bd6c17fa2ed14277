"""Asks the door with our own messages, over real gRPC."""

from __future__ import annotations

from typing import Any

import grpc

from lineal.doors.mlmd import mlmd_pb2 as pb

SERVICE = "/ml_metadata.MetadataStoreService/"


class Asking:
    """One channel to a door."""

    def __init__(self, port: int, token: str = "", **options: Any) -> None:
        named = [(f"grpc.{name}", value) for name, value in options.items()]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=named)
        self._metadata = [("authorization", f"Bearer {token}")] if token else []

    def __call__(self, method: str, request: Any = None, **fields: Any) -> Any:
        """The answer to a call. Raises grpc.RpcError."""
        asked = request if request is not None else getattr(pb, f"{method}Request")(**fields)
        answer = self.raw(method, asked if isinstance(asked, bytes) else asked.SerializeToString())
        return getattr(pb, f"{method}Response").FromString(answer)

    def raw(self, method: str, body: bytes, **more: Any) -> bytes:
        """The same with bytes, sent whole."""
        call = self.channel.unary_unary(SERVICE + method)
        found: bytes = call(body, metadata=self._metadata, timeout=60, **more)
        return found

    def refused(self, method: str, request: Any = None, **fields: Any) -> tuple[str, str]:
        """Status and words of a call that must be refused."""
        try:
            self(method, request, **fields)
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
        raise AssertionError(f"{method} was not refused")

    def types(self) -> tuple[int, int, int]:
        """Types of an artifact, an execution, a context, made now."""
        put = self(
            "PutTypes",
            artifact_types=[pb.ArtifactType(name="system.Model", properties={"n": pb.INT})],
            execution_types=[pb.ExecutionType(name="system.ContainerExecution")],
            context_types=[pb.ContextType(name="system.Pipeline"), pb.ContextType(name="system.PipelineRun")],
            can_add_fields=True,
            can_omit_fields=True,
        )
        return put.artifact_type_ids[0], put.execution_type_ids[0], put.context_type_ids[0]


def value(of: Any) -> pb.Value:
    """A value of the kind that its Python type says."""
    if isinstance(of, bool):
        return pb.Value(bool_value=of)
    if isinstance(of, int):
        return pb.Value(int_value=of)
    if isinstance(of, float):
        return pb.Value(double_value=of)
    return pb.Value(string_value=of)
