"""Messages: what was received, word for word; every edge names the one that brought it."""

from __future__ import annotations

import hashlib

import msgspec

from lineal.core.errors import Invalid
from lineal.service.operations import Scope, operation

_SHOWN = 1_000_000  # characters of one answer
_LARGEST = 2**63 - 1


class MessageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """number: as edges, joins and lines of a scene name it. offset: characters of its text to leave out before."""

    number: int
    offset: int = 0


class MessageReply(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was received.

    door: by which way it came; source: the sender's stream. digest: of its bytes, `sha256:...`; size: of them. text: up to
    1,000,000 characters from `offset` on; bytes that are no UTF-8 stand as `\\xNN`. cut: there is more.
    """

    number: int
    door: str
    source: str
    digest: str
    size: int
    recorded_at: int
    text: str
    cut: bool


@operation("message", permission="record:read", path="/messages/of", summary="A message as it was received")
def message(scope: Scope, request: MessageRequest) -> MessageReply:
    """The message that brought an edge or a join, word for word.

    Raises NotFound: there is no message of that number. Invalid: the number or offset is out of range.
    """
    if not 0 <= request.number <= _LARGEST or request.offset < 0:
        raise Invalid(f"message {request.number} from character {request.offset}", hint="both count upwards")
    audit, tx = scope.store.audit, scope.tx
    told, body = audit.describe_message(tx, request.number), audit.get_message(tx, request.number)
    text = body.decode("utf-8", "backslashreplace")
    end = request.offset + _SHOWN
    return MessageReply(
        number=told.number,
        door=told.door,
        source=told.source,
        digest=told.digest or f"sha256:{hashlib.sha256(body).hexdigest()}",
        size=len(body),
        recorded_at=told.recorded_at,
        text=text[request.offset : end],
        cut=len(text) > end,
    )
