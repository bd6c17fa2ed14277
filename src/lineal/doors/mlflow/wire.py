"""Words in, words out: request bodies and queries as checked dictionaries, replies as JSON, page tokens.

A request is read as protobuf's JSON is: 64-bit integers as numbers or text, `null` as absent, unknown names ignored, NaN and
the infinities as text and, beyond that, as the bare tokens that many programs write.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lineal.doors.desk import Desk
from lineal.doors.mlflow.errors import MlflowError, invalid
from lineal.service.operations import Scope

Message = dict[str, Any]
Function = Callable[[Scope, Message], Any]
Handler = Callable[[Desk, Request], Awaitable[Response]]

TEXT, INT, FLOAT, BOOL, TEXTS, ITEMS, OBJECT, ANY = (
    "text",
    "int",
    "float",
    "bool",
    "texts",
    "items",
    "object",
    "any",
)
_SEE = " See the API docs for more information about request parameters."
_LIMIT = 2**63

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of a request. kind: TEXT, INT (64 bits), FLOAT, BOOL, TEXTS, ITEMS (a list of objects), OBJECT
    or ANY."""

    kind: str = TEXT
    required: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of a door's table of routes.

    path: below the version's prefix, `{name}` for a part that becomes a value of the message. function: what it means,
    `(scope, message) -> reply`; handler: answers the request itself instead. writes: it changes the record; permission:
    what the caller needs. versions: the API versions it is served under; base: the part before the path; also: whole paths
    beside those.
    """

    method: str
    path: str
    function: Function | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    writes: bool = False
    permission: str = ""
    handler: Handler | None = None
    versions: tuple[str, ...] = ("2.0", "3.0")
    base: str = "mlflow"
    also: tuple[str, ...] = ()

    @property
    def needs(self) -> str:
        """The permission that the caller needs."""
        return self.permission or ("record:write" if self.writes else "record:read")

    @property
    def action(self) -> str:
        """What the audit log calls it."""
        return f"mlflow {self.path.strip('/')}"


def text(*, required: bool = False) -> Field:
    """A text."""
    return Field(TEXT, required)


def integer(*, required: bool = False) -> Field:
    """A whole number of 64 bits."""
    return Field(INT, required)


def items() -> Field:
    """A list of objects."""
    return Field(ITEMS)


def texts() -> Field:
    """A list of texts."""
    return Field(TEXTS)


# ---- reading -----------------------------------------------------------------------------------------------------------


class _Several(list[str]):
    """The values of one name in a query, where any may come more than once."""


async def received(request: Request) -> Message:
    """What a request says: its query for GET, else its body's object; with the parts of its path. Raises MlflowError."""
    said: Message = {}
    if request.method in {"GET", "HEAD"} or (request.method == "DELETE" and request.query_params):
        for name, value in request.query_params.multi_items():
            said.setdefault(name, _Several()).append(value)
    if request.method not in {"GET", "HEAD"}:
        said |= loads(await body_of(request))
    return said | request.path_params


async def body_of(request: Request) -> bytes:
    """The bytes of a JSON body; none are an empty object. Raises MlflowError: it is said to be something else."""
    body = await request.body()
    if not body:
        return b"{}"
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise MlflowError("BAD_REQUEST", "Bad Request. Content-Type must be one of ['application/json'].")
    return body


def loads(body: bytes) -> Message:
    """The object that a body is. Raises MlflowError: it is no JSON, or no object."""
    try:
        said = _loads(body)
        if isinstance(said, str):  # some old clients encode twice
            said = _loads(said.encode())
    except (ValueError, RecursionError, UnicodeError) as error:
        raise MlflowError("BAD_REQUEST", f"The body is not JSON that can be read: {error}") from None
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise MlflowError("BAD_REQUEST", f"The body must be a JSON object, not a {type(said).__name__}")
    return said


def _loads(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        if b"NaN" not in body and b"Infinity" not in body:
            raise
        said = json.loads(body)
        encode(said)  # raises where text is no Unicode
        return said


def checked(said: Message, fields: Mapping[str, Field], path: str = "") -> Message:
    """The named values of a request in their types; those that are absent are left out.

    path: where in the request `said` stands, with a dot behind it. Raises MlflowError: one is missing or of another type.
    """
    found: Message = {}
    for name, wanted in fields.items():
        value = said.get(name)
        if name == "run_id" and value is None:
            value = said.get("run_uuid")
        if type(value) is _Several and wanted.kind not in {TEXTS, ITEMS} and len(value) == 1:
            value = value[0]
        if value is None or (wanted.required and value == ""):
            if wanted.required:
                raise invalid(f"Missing value for required parameter '{path}{name}'.{_SEE}")
            continue
        try:
            found[name] = _READ[wanted.kind](value)
        except (ValueError, TypeError, OverflowError):
            raise invalid(f"{_refusal(path + name, value)}{_SEE}") from None
    return found


def read(said: Any, fields: Mapping[str, Field], path: str) -> Message:
    """One object of a list, checked as `checked`; `path` names it in a refusal."""
    return checked(said, fields, f"{path}.")


def _refusal(name: str, value: Any) -> str:
    try:
        shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        shown = "..."
    if len(shown) > 500:
        shown = shown[:500] + "..."
    return f"Invalid value {shown} for parameter '{name}' supplied:  Hint: Value was of type '{type(value).__name__}'."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(value, str) and (len(value) > 40 or "_" in value):
        raise ValueError
    number = int(value)
    if number != (float(value) if isinstance(value, float) else number) or not -_LIMIT <= number < _LIMIT:
        raise ValueError
    return number


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    if isinstance(value, str) and (len(value) > 400 or "_" in value):
        raise ValueError
    return float(value)


def _truth(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise TypeError
    return value


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in _list(value)]


def _items(value: Any) -> list[Message]:
    return [_object(item) for item in _list(value)]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _object(value: Any) -> Message:
    if not isinstance(value, dict):
        raise TypeError
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    TEXT: _text,
    INT: _integer,
    FLOAT: _number,
    BOOL: _truth,
    TEXTS: _texts,
    ITEMS: _items,
    OBJECT: _object,
    ANY: lambda value: value,
}


# ---- writing -----------------------------------------------------------------------------------------------------------


def encoded(reply: Any) -> bytes:
    """A reply as JSON; bytes are one already."""
    return reply if isinstance(reply, bytes) else encode(reply)


def replied(reply: Any) -> Response:
    """The answer that carries a reply."""
    return Response(encoded(reply), media_type="application/json")


def number_out(value: float) -> float | str:
    """A number as protobuf's JSON writes it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


# ---- pages -------------------------------------------------------------------------------------------------------------


def token_of(offset: int) -> str:
    """The token of the page that begins there."""
    return base64.b64encode(encode({"offset": offset})).decode()


def offset_of(token: str | None) -> int:
    """Where the page of a token begins. Raises MlflowError: it is no token of ours."""
    if not token:
        return 0
    try:
        said = json.loads(base64.b64decode(token, validate=True))
        offset = said["offset"]
        if not isinstance(offset, int) or isinstance(offset, bool) or not 0 < offset < 2**31:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise invalid("Invalid page token, could not base64-decode or read it") from None
    return offset


def page_size(said: Message, usual: int, most: int) -> int:
    """The wanted length of a page. Raises MlflowError: it is not between 1 and `most`."""
    size = int(said.get("max_results", usual))
    if not 1 <= size <= most:
        raise invalid(
            f"Invalid value {size} for parameter 'max_results' supplied: "
            f"It must be a positive integer, at most {most}."
        )
    return size
