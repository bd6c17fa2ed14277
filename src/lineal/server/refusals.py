"""Errors as answers: every refusal has the same JSON body, and a status by table."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.exceptions import HTTPException

from lineal.core.errors import LinealError
from lineal.doors.problem import STATUS, Problem, Refusal
from lineal.server.writer import BusyError

Headers = list[tuple[bytes, bytes]]
# How a door writes a refusal in its own protocol: status and what is wrong -> body, always JSON.
Shape = Callable[[int, Problem], bytes]
_RETRY_S = b"1"
_ROUTING = {
    404: (
        "not_found",
        "there is nothing at this path",
        "the API is described at /api/lineal/v1/openapi.json",
    ),
    405: (
        "invalid",
        "this path does not know that method",
        "the API is described at /api/lineal/v1/openapi.json",
    ),
}


class RefusedError(Exception):
    """The outer layer says no before any door is asked. headers: further ones for the answer."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", headers: Headers | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.hint = hint
        self.headers = headers or []


def answer(error: BaseException, request_id: str, shape: Shape | None) -> tuple[int, Headers, bytes]:
    """Status, headers and body for an error. What nobody foresaw is a 500 that names only the request."""
    more: Headers = []
    if isinstance(error, RefusedError):
        status, more = error.status, error.headers
        problem = Problem(code=error.code, message=str(error), hint=error.hint, request_id=request_id)
    elif isinstance(error, HTTPException):
        status, more = (
            error.status_code,
            [(k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items()],
        )
        code, said, hint = _ROUTING.get(status, ("invalid", error.detail, ""))
        problem = Problem(code=code, message=said, hint=hint, request_id=request_id)
    elif isinstance(error, LinealError):
        status = STATUS.get(error.code, 500)
        if isinstance(error, BusyError):
            status = 429
        problem = Problem(
            code=error.code,
            message=error.message,
            hint=error.hint,
            subject=error.subject,
            request_id=request_id,
        )
        if status in (429, 503):
            more = [(b"retry-after", _RETRY_S)]
    else:
        status = 500
        problem = Problem(
            code="internal",
            message="an error inside the server",
            hint=f"its log tells more about request {request_id}",
            request_id=request_id,
        )
    body = shape(status, problem) if shape else msgspec.json.encode(Refusal(error=problem))
    return status, [(b"content-type", b"application/json"), *more], body
