"""What the checks share: the client, its plain stub, and short ways to make things. Runs in the client's environment."""

from __future__ import annotations

import os
import uuid
from typing import Any

import grpc
import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc as stubs

PORT = int(os.environ["MLMD_PORT"])
CALLED: set[str] = set()


def client() -> Any:
    """A client of its own, which notes the calls it makes."""
    store = mlmd.MetadataStore(pb.MetadataStoreClientConfig(host="127.0.0.1", port=PORT))
    inner = store._call

    def noted(method: str, *arguments: Any, **named: Any) -> Any:
        CALLED.add(method)
        return inner(method, *arguments, **named)

    store._call = noted
    return store


STORE = client()
CHANNEL = grpc.insecure_channel(f"127.0.0.1:{PORT}")


def raw(method: str, request: Any, **more: Any) -> Any:
    """The answer to one call, made without the client's convenience."""
    CALLED.add(method)
    return getattr(stubs.MetadataStoreServiceStub(CHANNEL), method)(request, **more)


def code(function: Any, *arguments: Any, **named: Any) -> str:
    """The status with which a call is refused."""
    try:
        function(*arguments, **named)
    except grpc.RpcError as error:
        return error.code().name
    except mlmd.errors.StatusError as error:
        return grpc_name(error.error_code)
    raise AssertionError("it was not refused")


def grpc_name(number: int) -> str:
    return next(status.name for status in grpc.StatusCode if status.value[0] == number)


def said(function: Any, *arguments: Any, **named: Any) -> str:
    """The words with which a call is refused."""
    try:
        function(*arguments, **named)
    except grpc.RpcError as error:
        return str(error.details())
    except mlmd.errors.StatusError as error:
        return str(error)
    raise AssertionError("it was not refused")


def word(prefix: str = "t") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def artifact_type(**properties: int) -> int:
    return STORE.put_artifact_type(pb.ArtifactType(name=word("Data"), properties=properties))


def execution_type(**properties: int) -> int:
    return STORE.put_execution_type(pb.ExecutionType(name=word("Train"), properties=properties))


def context_type(**properties: int) -> int:
    return STORE.put_context_type(pb.ContextType(name=word("Group"), properties=properties))


def step(inputs: int = 1, outputs: int = 1) -> tuple[int, list[int], list[int]]:
    """An execution with new artifacts; its number, those of what it used, of what it made."""
    a, e = artifact_type(), execution_type()
    pairs = [
        (pb.Artifact(type_id=a, uri=word("s3://b/in")), pb.Event(type=pb.Event.INPUT)) for _ in range(inputs)
    ]
    pairs += [
        (pb.Artifact(type_id=a, uri=word("s3://b/out")), pb.Event(type=pb.Event.OUTPUT))
        for _ in range(outputs)
    ]
    execution, artifacts, _ = STORE.put_execution(pb.Execution(type_id=e), pairs, [])
    return execution, artifacts[:inputs], artifacts[inputs:]


__all__ = [
    "CALLED", "PORT", "STORE", "artifact_type", "client", "code", "context_type", "execution_type", "mlmd", "pb", "raw",
    "said", "service", "step", "word",
]  # fmt: skip
