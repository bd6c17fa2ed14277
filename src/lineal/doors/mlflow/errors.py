"""Errors as the MLflow client expects them: a status and one JSON object with `error_code` and `message`."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from lineal.core.errors import Conflict, Denied, Invalid, LinealError, NotFound, Unavailable
from lineal.doors.problem import Problem

INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "RESOURCE_DOES_NOT_EXIST"
EXISTS = "RESOURCE_ALREADY_EXISTS"
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"

# The client repeats what was answered with 408, 429 and 5xx: what a repetition cannot mend is a 4xx here, INVALID_STATE too.
_STATUS = {
    INVALID: 400,
    EXISTS: 400,
    "BAD_REQUEST": 400,
    "INVALID_STATE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    MISSING: 404,
    "NOT_FOUND": 404,
    NO_ENDPOINT: 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_CONFLICT": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
_CODES: tuple[tuple[type[LinealError], str], ...] = (
    (Denied, "PERMISSION_DENIED"),
    (NotFound, MISSING),
    (Conflict, "RESOURCE_CONFLICT"),
    (Invalid, INVALID),
    (Unavailable, "TEMPORARILY_UNAVAILABLE"),
)


class MlflowError(Invalid):
    """A refusal for which MLflow has a code of its own. status: where it is not the code's usual one."""

    def __init__(self, error_code: str, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error_code = error_code
        self.status = status or _STATUS[error_code]


def invalid(message: str) -> MlflowError:
    """A value that cannot be right."""
    return MlflowError(INVALID, message)


def missing(message: str) -> MlflowError:
    """Something that does not exist."""
    return MlflowError(MISSING, message)


def answer(error: LinealError) -> Response:
    """The answer that tells of an error."""
    if isinstance(error, MlflowError):
        code, status = error.error_code, error.status
    else:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL_ERROR")
        status = _STATUS[code]
        if type(error).__name__ == "BusyError":
            code, status = "REQUEST_LIMIT_EXCEEDED", 429
    body = {"error_code": code, "message": str(error).replace("\n  ", "; ")}
    headers = {"retry-after": "1"} if status in {429, 503} else None
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


# What is refused before this door is asked.
_OUTSIDE = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: NO_ENDPOINT,
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


def refused(status: int, problem: Problem) -> bytes:
    """The body for a refusal of the server's outer layer."""
    said = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return msgspec.json.encode({"error_code": _OUTSIDE.get(status, "BAD_REQUEST"), "message": said})
