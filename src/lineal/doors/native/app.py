"""Routes below `/api/lineal/v1`: one per operation of the table, the OpenAPI document, and kept bytes.

An operation that reads is asked by GET with query parameters or by POST with a JSON body; one that writes by POST.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lineal.core.errors import Invalid
from lineal.doors.desk import Desk
from lineal.doors.native import blobs, live, openapi
from lineal.doors.native.depth import refuse_deep
from lineal.service import operations
from lineal.service.operations import Operation

PREFIX = "/api/lineal/v1"
_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def routes(desk: Desk) -> list[BaseRoute]:
    """Every route of this door."""
    table = operations.table()
    document = _encode(openapi.document(table, PREFIX))

    async def described(request: Request) -> Response:
        return Response(document, media_type=_JSON)

    found: list[BaseRoute] = [
        Route(f"{PREFIX}/openapi.json", described, methods=["GET"], name="openapi"),
        *blobs.routes(PREFIX),
        *live.routes(desk, PREFIX),
    ]
    for operation in table.values():
        path = PREFIX + operation.path
        found.append(Route(path, _posted(desk, operation), methods=["POST"], name=operation.name))
        if not operation.write:
            found.append(
                Route(path, _queried(desk, operation), methods=["GET"], name=f"{operation.name}-get")
            )
    return found


def _posted(desk: Desk, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(operation.request).decode

    async def answer(request: Request) -> Response:
        content = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
        if content != _JSON:
            raise Invalid(f"a body of type {content[:80]!r} was sent", hint=f"send {_JSON}")
        body = await request.body()
        refuse_deep(body)
        wanted = _decoded(decode, body or b"{}")
        key = _key(request) if operation.write else ""
        reply = await desk.ask(operation.name, wanted, caller=request.state.caller, key=key)
        return Response(_encode(reply), media_type=_JSON)

    return answer


def _queried(desk: Desk, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    lists = {field.encode_name: _is_list(field.type) for field in msgspec.structs.fields(operation.request)}

    async def answer(request: Request) -> Response:
        asked: dict[str, Any] = {}
        for name, value in request.query_params.multi_items():
            if name not in lists:
                raise Invalid(
                    f"{operation.name} has no parameter {name[:80]!r}", hint=f"it has: {', '.join(lists)}"
                )
            if lists[name]:
                asked.setdefault(name, []).append(value)
            elif name in asked:
                raise Invalid(f"the parameter {name!r} was given twice", hint="give it once")
            else:
                asked[name] = value
        wanted = _decoded(lambda given: msgspec.convert(given, operation.request, strict=False), asked)
        reply = await desk.ask(operation.name, wanted, caller=request.state.caller)
        return Response(_encode(reply), media_type=_JSON)

    return answer


def _decoded(decode: Callable[[Any], Any], given: Any) -> Any:
    try:
        return decode(given)
    except msgspec.ValidationError as error:
        raise Invalid(f"the request does not fit: {error}", hint=f"see {PREFIX}/openapi.json") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            f"the body is not JSON that can be read: {error}", hint="send one JSON object"
        ) from None


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > 255 or not key.isprintable():
        raise Invalid(
            "the Idempotency-Key is too long or not printable", hint="use up to 255 printable characters"
        )
    return key


def _is_list(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_is_list(part) for part in typing.get_args(kind))
    return origin is list
