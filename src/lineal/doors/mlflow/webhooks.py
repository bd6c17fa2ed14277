"""Webhooks: who wants to hear of what happens in the registry. Told after it was done, in threads of their own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.client
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lineal.core.errors import LinealError
from lineal.doors.desk import Desk
from lineal.doors.mlflow import limits, targets
from lineal.doors.mlflow.errors import EXISTS, MlflowError, invalid, missing
from lineal.doors.mlflow.experiments import DOOR
from lineal.doors.mlflow.wire import (
    OBJECT,
    Field,
    Message,
    Verb,
    checked,
    encode,
    integer,
    items,
    offset_of,
    page_size,
    received,
    replied,
    text,
    token_of,
)
from lineal.service.operations import Scope
from lineal.service.threads import Threads
from lineal.store.records import Record

KIND = "webhook"
ACTIVE, DISABLED = "ACTIVE", "DISABLED"
EVENTS = {
    "REGISTERED_MODEL": ("CREATED",),
    "MODEL_VERSION": ("CREATED",),
    "MODEL_VERSION_TAG": ("SET", "DELETED"),
    "MODEL_VERSION_ALIAS": ("CREATED", "DELETED"),
    "PROMPT": ("CREATED",),
    "PROMPT_VERSION": ("CREATED",),
    "PROMPT_TAG": ("SET", "DELETED"),
    "PROMPT_VERSION_TAG": ("SET", "DELETED"),
    "PROMPT_ALIAS": ("CREATED", "DELETED"),
}
_ENTITIES = (
    "ENTITY_UNSPECIFIED",
    "REGISTERED_MODEL",
    "MODEL_VERSION",
    "MODEL_VERSION_TAG",
    "MODEL_VERSION_ALIAS",
    "PROMPT",
    "PROMPT_VERSION",
    "PROMPT_TAG",
    "PROMPT_VERSION_TAG",
    "PROMPT_ALIAS",
    "BUDGET_POLICY",
)
_ACTIONS = ("ACTION_UNSPECIFIED", "CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED")
_NAME = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
_USUAL, _MOST, _MOST_HOOKS, _SECRET = 100, 1000, 1000, 1000
_TRIES, _PAUSE_S = 3, 1.0
_sending = Threads(4, "webhook")


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of a webhook. events: pairs of entity and action; times in milliseconds."""

    name: str
    url: str
    events: list[tuple[str, str]]
    description: str = ""
    secret: str = ""
    status: str = ACTIVE
    created: int = 0
    updated: int = 0


class Known(NamedTuple):
    """A webhook that was found."""

    id: str
    body: Body
    record: Record


_decode = msgspec.json.Decoder(Body).decode


# ---- telling -------------------------------------------------------------------------------------------------------------


async def announce(desk: Desk, request: Request, entity: str, action: str, payload: Message) -> None:
    """Tell the webhooks that want to hear of it what was done. Nobody waits for them, and nothing fails with them."""
    if not entity:
        return

    def wanting(scope: Scope) -> list[Known]:
        return [
            known
            for known in _every(scope)
            if known.body.status == ACTIVE and (entity, action) in known.body.events
        ]

    own = _own(request)
    for known in await desk.read(wanting, request.state.caller):
        _sending.submit(_tell, known.body, entity, action, payload, own)


def _tell(body: Body, entity: str, action: str, payload: Message, own: frozenset[str]) -> None:
    for attempt in range(_TRIES):
        try:
            answered = _send(body, entity, action, payload, own)
        except LinealError:
            return
        except (OSError, http.client.HTTPException):
            answered = None
        if answered is not None and answered.status not in {429, 500, 502, 503, 504}:
            return
        time.sleep(_PAUSE_S * 2**attempt)


def _send(body: Body, entity: str, action: str, payload: Message, own: frozenset[str]) -> targets.Answered:
    said = {
        "entity": entity.lower(),
        "action": action.lower(),
        "timestamp": datetime.now(UTC).isoformat(),
        "data": payload,
    }
    content = msgspec.json.encode(said)
    delivery, now = str(uuid.uuid4()), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": now,
    }
    if body.secret:
        signed = f"{delivery}.{now}.".encode() + content
        digest = hmac.new(body.secret.encode(), signed, hashlib.sha256).digest()
        headers["X-MLflow-Signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return targets.post(body.url, content, headers, own)


def _own(request: Request) -> frozenset[str]:
    """Hosts that the server's operator allows to be told, wherever they are."""
    found: frozenset[str] = request.app.state.webhook_hosts
    return found


# ---- the verbs -----------------------------------------------------------------------------------------------------------


def create(scope: Scope, message: Message) -> Message:
    """A new webhook."""
    if len(_every(scope)) >= _MOST_HOOKS:
        raise MlflowError("RESOURCE_EXHAUSTED", f"There are {_MOST_HOOKS} webhooks already", status=400)
    now = scope.at // 1000
    body = Body(
        name=_named(message["name"]),
        url=message["url"],
        events=_events(message.get("events", [])),
        description=limits.within(message.get("description", ""), 1000, "description"),
        secret=limits.within(message.get("secret", ""), _SECRET, "secret"),
        status=_status(message.get("status", "")) or ACTIVE,
        created=now,
        updated=now,
    )
    if any(known.body.name == body.name for known in _every(scope)):
        raise MlflowError(EXISTS, f"Webhook (name={body.name}) already exists.")
    id = str(uuid.uuid4())
    record = scope.store.records.add_record(scope.tx, DOOR, KIND, id, encode(body), at=scope.at)
    return {"webhook": shown(Known(id, body, record))}


def list_all(scope: Scope, message: Message) -> Message:
    """Webhooks, newest first, a page of them."""
    size = page_size(message, _USUAL, _MOST)
    start = offset_of(message.get("page_token"))
    found = sorted(_every(scope), key=lambda known: -known.record.created_at)
    more = {"next_page_token": token_of(start + size)} if start + size < len(found) else {}
    return {"webhooks": [shown(known) for known in found[start : start + size]], **more}


def get_one(scope: Scope, message: Message) -> Message:
    """A webhook by its id."""
    return {"webhook": shown(_find(scope, message["webhook_id"]))}


def update(scope: Scope, message: Message) -> Message:
    """Change what is given of a webhook."""
    known = _find(scope, message["webhook_id"])
    changes: dict[str, Any] = {"updated": scope.at // 1000}
    if message.get("name"):
        changes["name"] = _named(message["name"])
    if message.get("url"):
        changes["url"] = message["url"]
    if message.get("events"):
        changes["events"] = _events(message["events"])
    if "description" in message:
        changes["description"] = limits.within(message["description"], 1000, "description")
    if "secret" in message:
        changes["secret"] = limits.within(message["secret"], _SECRET, "secret")
    if status := _status(message.get("status", "")):
        changes["status"] = status
    body = msgspec.structs.replace(known.body, **changes)
    record = scope.store.records.replace_record(scope.tx, known.record, body=encode(body), at=scope.at)
    return {"webhook": shown(Known(known.id, body, record))}


def delete(scope: Scope, message: Message) -> Message:
    """Delete a webhook."""
    known = _find(scope, message["webhook_id"])
    scope.store.records.retract_record(scope.tx, known.record, at=scope.at)
    return {}


async def _changed(
    desk: Desk, request: Request, function: Any, fields: dict[str, Field], action: str
) -> Response:
    """Write, with an audit leaf that does not hold the secret."""
    message = checked(await received(request), fields)
    if message.get("url"):
        targets.checked(message["url"], _own(request))
    told = {name: value for name, value in message.items() if name != "secret"}
    reply = await desk.write(
        lambda scope: function(scope, message),
        request.state.caller,
        action=f"mlflow webhooks/{action}",
        body=encode(told),
    )
    return replied(reply)


async def _create(desk: Desk, request: Request) -> Response:
    return await _changed(desk, request, create, _CREATE, "create")


async def _update(desk: Desk, request: Request) -> Response:
    return await _changed(desk, request, update, {**_ID, **_UPDATE}, "update")


async def _test(desk: Desk, request: Request) -> Response:
    """Send an example; whether it arrived."""
    message = checked(await received(request), {**_ID, "event": Field(OBJECT)})
    known = await desk.read(lambda scope: _find(scope, message["webhook_id"]), request.state.caller)
    entity, action = _event(message["event"]) if message.get("event") else known.body.events[0]
    payload = _example(entity, action)
    result: Message
    try:
        loop = asyncio.get_running_loop()
        answered = await loop.run_in_executor(
            _sending, _send, known.body, entity, action, payload, _own(request)
        )
        result = {
            "success": answered.status < 400,
            "response_status": answered.status,
            "response_body": answered.body,
        }
    except (LinealError, OSError, http.client.HTTPException) as error:
        said = error.message if isinstance(error, LinealError) else f"{type(error).__name__}: {error}"
        result = {"success": False, "error_message": f"Failed to test webhook: {said}"}
    return replied({"result": result})


def _example(entity: str, action: str) -> Message:
    """What a delivery of an event could carry; programs test themselves with just these words of MLflow's."""
    kind = "prompt" if entity.startswith("PROMPT") else "model"
    said: Message = {"name": f"example_{kind}"}
    versioned = "VERSION" in entity or entity == "PROMPT_ALIAS"
    if versioned and not (entity.endswith("ALIAS") and action == "DELETED"):
        said["version"] = "1"
    if entity.endswith("_TAG"):
        return {**said, "key": "example_key", **({"value": "example_value"} if action == "SET" else {})}
    if entity.endswith("_ALIAS"):
        return {**said, "alias": "example_alias"}
    if entity == "MODEL_VERSION":
        said |= {"source": "models:/123", "run_id": "abcd1234abcd5678"}
    if entity == "PROMPT_VERSION":
        said["template"] = "Hello {{name}}!"
    what = entity.replace("_", " ").lower()
    return {**said, "tags": {"example_key": "example_value"}, "description": f"An example {what}"}


# ---- what they need ------------------------------------------------------------------------------------------------------


def _every(scope: Scope) -> list[Known]:
    records = scope.store.records.list_records(scope.tx, DOOR, KIND, limit=_MOST_HOOKS)
    return [Known(record.key, _decode(record.body), record) for record in records]


def _find(scope: Scope, id: str) -> Known:
    record = scope.store.records.get_record(scope.tx, DOOR, KIND, id)
    if record is None:
        raise missing(f"Webhook with ID {id[:100]} not found.")
    return Known(id, _decode(record.body), record)


def shown(known: Known) -> Message:
    """The webhook as the protocol writes it; its secret is never told."""
    body = known.body
    return {
        "webhook_id": known.id,
        "name": body.name,
        "description": body.description,
        "url": body.url,
        "events": [{"entity": entity, "action": action} for entity, action in body.events],
        "status": body.status,
        "creation_timestamp": body.created,
        "last_updated_timestamp": body.updated,
    }


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise invalid(
            f"Webhook name {name[:100]!r} is invalid. It must start and end with a letter or digit, be less than 63 "
            "characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )
    return name


def _events(given: list[Message]) -> list[tuple[str, str]]:
    found = list(dict.fromkeys(_event(item) for item in given))
    if not found:
        raise invalid("Webhook events must be a non-empty list of WebhookEvent objects")
    return found


def _event(item: Message) -> tuple[str, str]:
    entity, action = _choice(item.get("entity"), _ENTITIES), _choice(item.get("action"), _ACTIONS)
    if action not in EVENTS.get(entity, ()):
        raise invalid(
            f"Invalid action '{action.lower()}' for entity '{entity.lower()}'. Valid actions are: "
            f"{sorted(name.lower() for name in EVENTS.get(entity, ()))}"
        )
    return entity, action


def _choice(value: Any, names: tuple[str, ...]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    if isinstance(value, str) and value.upper() in names:
        return value.upper()
    raise invalid(f"Invalid value {value!r:.100}: it is one of {', '.join(names)}")


def _status(value: str) -> str:
    if not value:
        return ""
    return _choice(value, (ACTIVE, DISABLED))


_ID = {"webhook_id": text(required=True)}
_UPDATE = {
    "name": text(),
    "description": text(),
    "url": text(),
    "events": items(),
    "secret": text(),
    "status": text(),
}
_CREATE = {**_UPDATE, "name": text(required=True), "url": text(required=True)}
_ADMIN = "registry:write"
ROUTES = [
    Verb("POST", "/webhooks", handler=_create, writes=True, permission=_ADMIN),
    Verb("GET", "/webhooks", list_all, {"max_results": integer(), "page_token": text()}),
    Verb("GET", "/webhooks/{webhook_id}", get_one, _ID),
    Verb("PATCH", "/webhooks/{webhook_id}", handler=_update, writes=True, permission=_ADMIN),
    Verb("DELETE", "/webhooks/{webhook_id}", delete, _ID, writes=True, permission=_ADMIN),
    Verb("POST", "/webhooks/{webhook_id}/test", handler=_test, writes=True, permission=_ADMIN),
]
