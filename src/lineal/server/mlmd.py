"""The gRPC side of the server: who asks, how much, and errors as statuses, for the door of ML Metadata.

What gRPC needs is loaded when a port for it was asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lineal.core.errors import Conflict, Denied, Invalid, LinealError, NotFound, Unavailable
from lineal.core.mlmd import DOOR
from lineal.server.config import Config
from lineal.server.limits import Rate, too_often
from lineal.server.log import Log
from lineal.server.refusals import RefusedError
from lineal.server.tokens import Gate
from lineal.server.writer import BusyError, Desk

if TYPE_CHECKING:
    from lineal.doors.mlmd.app import Door

# By class of error, the nearest one first; an error may say its own status.
_STATUS: tuple[tuple[type[LinealError], str], ...] = (
    (BusyError, "RESOURCE_EXHAUSTED"),
    (Denied, "PERMISSION_DENIED"),
    (Invalid, "INVALID_ARGUMENT"),
    (NotFound, "NOT_FOUND"),
    (Conflict, "ALREADY_EXISTS"),
    (Unavailable, "UNAVAILABLE"),
)
_REFUSED = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    413: "RESOURCE_EXHAUSTED",
}
_LONGEST = 4000  # characters of a message: it travels in a header


class Calls:
    """The running gRPC server. port: where it listens."""

    def __init__(self, server: Any, port: int, grace_s: float) -> None:
        self._server = server
        self.port = port
        self._grace_s = grace_s

    async def end(self) -> None:
        """Answer what was asked, take nothing new."""
        await self._server.stop(self._grace_s)


def load() -> Any:
    """The library that speaks gRPC. Raises Unavailable: it is not installed."""
    try:
        importlib.import_module("google.protobuf")
        import grpc
        import grpc.aio
    except ImportError as error:
        raise Unavailable(
            f"answering clients of ML Metadata needs {error.name}, which is not installed",
            hint="pip install 'lineal[kubeflow]'",
        ) from error
    return grpc


async def begin(desk: Desk, config: Config, gate: Gate, log: Log) -> Calls:
    """Answer on the port. Raises Unavailable: gRPC is not installed, or the port cannot be had."""
    grpc = load()
    from lineal.doors.mlmd.app import METHODS, SERVICE, Door

    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", config.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 1 if config.workers > 1 else 0),
            ("grpc.max_metadata_size", 32 << 10),
        ]
    )
    answering = _Answering(grpc, Door(desk), config, gate, log)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                SERVICE,
                {method: grpc.unary_unary_rpc_method_handler(answering.of(method)) for method in METHODS},
            ),
        )
    )
    host = f"[{config.host}]" if ":" in config.host else config.host
    try:
        port = server.add_insecure_port(f"{host}:{config.mlmd_port}")
    except RuntimeError as error:
        raise Unavailable(
            f"{config.host}:{config.mlmd_port} cannot be used for ML Metadata's clients",
            hint="stop what uses it, or choose another with --mlmd-port",
        ) from error
    await server.start()
    log.tell("mlmd", host=config.host, port=port)
    return Calls(server, port, config.grace_s)


class _Answering:
    def __init__(self, grpc: Any, door: Door, config: Config, gate: Gate, log: Log) -> None:
        self._codes = grpc.StatusCode
        self._door, self._gate, self._log = door, gate, log
        self._rate = Rate(config.requests_per_s, 2 * config.requests_per_s) if config.requests_per_s else None

    def of(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        """What answers one call."""

        async def answer(raw: bytes, context: Any) -> bytes:
            try:
                return await self._answered(method, raw, context)
            except RefusedError as error:
                status, said = _REFUSED.get(error.status, "INVALID_ARGUMENT"), _told(str(error), error.hint)
            except LinealError as error:
                status, said = _status(error), _told(error.message, error.hint)
                if isinstance(error, Unavailable) and not isinstance(error, BusyError):
                    self._log.tell("unavailable", level="warning", call=method, error=str(error)[:1000])
            except Exception as error:  # noqa: BLE001 - nobody foresaw it: its place is in the log, not in the answer
                id = os.urandom(8).hex()
                self._log.failed(error, id=id)
                status = "INTERNAL"
                said = f"an error inside the server; its log tells more about request {id}"
            await context.abort(getattr(self._codes, status), said)
            raise AssertionError  # abort has raised

        return answer

    async def _answered(self, method: str, raw: bytes, context: Any) -> bytes:
        headers = {
            key.encode(): value if isinstance(value, bytes) else value.encode("latin-1", "replace")
            for key, value in context.invocation_metadata() or ()
        }
        address = _address(context.peer())
        caller = await self._gate.caller(headers, address, DOOR, page=False)
        if self._rate and (wait_s := self._rate.wait_s(caller.token or address)):
            raise too_often(wait_s, "requests")
        return await self._door.answer(method, raw, caller)


def _status(error: LinealError) -> str:
    if said := error.subject.get("status"):
        return said
    return next((status for kind, status in _STATUS if isinstance(error, kind)), "INTERNAL")


def _told(message: str, hint: str) -> str:
    return (f"{message} ({hint})" if hint else message)[:_LONGEST]


def _address(peer: str) -> str:
    """The address in `ipv4:127.0.0.1:4711` or `ipv6:%5B::1%5D:4711`."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
