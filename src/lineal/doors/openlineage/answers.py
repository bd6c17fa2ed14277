"""Answers of this door: JSON, and refusals as Marquez and Lineal write them, in one body."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from lineal.core.errors import LinealError
from lineal.doors.problem import STATUS, Problem

_encode = msgspec.json.Encoder().encode


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(_encode(value), status, media_type="application/json")


def refusal(error: LinealError) -> Response:
    """The answer that tells of an error."""
    status = STATUS.get(error.code, 500)
    if type(error).__name__ == "BusyError":
        status = 429
    return problem(status, error.code, error.message, error.hint)


def problem(status: int, code: str, message: str, hint: str = "") -> Response:
    """A refusal: `code` and `message` as Marquez' clients read them, with what Lineal says beside."""
    body = shaped(status, Problem(code=code, message=message, hint=hint))
    headers = {"retry-after": "1"} if status in {429, 503} else None
    return Response(body, status, headers, media_type="application/json")


def shaped(status: int, said: Problem) -> bytes:
    """The body of a refusal."""
    text = f"{said.message}; {said.hint}" if said.hint else said.message
    return _encode({"code": status, "message": text, "error": said})
