"""The registry's table of verbs, and what of it is told to webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from lineal.doors.desk import Desk
from lineal.doors.mlflow import registry, registry_search, version_verbs, webhooks
from lineal.doors.mlflow.sources import IS_PROMPT
from lineal.doors.mlflow.wire import (
    BOOL,
    Field,
    Function,
    Handler,
    Message,
    Verb,
    checked,
    encode,
    integer,
    items,
    received,
    replied,
    text,
    texts,
)
from lineal.service.operations import Scope

_NAME = {"name": text(required=True)}
_VERSION = {**_NAME, "version": text(required=True)}
_TAG = {"key": text(required=True), "value": text()}
_KEY = {"key": text(required=True)}
_ALIAS = {**_NAME, "alias": text(required=True)}
_SEARCH = {"filter": text(), "max_results": integer(), "order_by": texts(), "page_token": text()}
_CREATE_MODEL = {**_NAME, "tags": items(), "description": text(), "deployment_job_id": text()}
_CREATE_VERSION = {
    **_NAME,
    "source": text(required=True),
    "run_id": text(),
    "tags": items(),
    "run_link": text(),
    "description": text(),
    "model_id": text(),
}


_PROMPT_TYPE = "_mlflow_prompt_type"


def _announced(
    function: Function,
    fields: Mapping[str, Field],
    entity: str,
    prompt_entity: str,
    action: str,
    payload: Callable[[Message, Message], Message],
) -> Handler:
    """A handler that answers, and then tells webhooks of what was done."""

    async def handler(desk: Desk, request: Request) -> Response:
        caller = request.state.caller
        message = checked(await received(request), fields)

        def written(scope: Scope) -> Any:
            reply = function(scope, message)
            known = registry.look(scope, registry.named(message["name"]))
            return reply, known is not None and registry.is_prompt(known)

        reply, prompt = await desk.write(
            written, caller, action=f"mlflow {entity.lower()} {action.lower()}", body=encode(message)
        )
        await webhooks.announce(
            desk, request, prompt_entity if prompt else entity, action, payload(message, reply)
        )
        return replied(reply)

    return handler


def _told(*names: str) -> Callable[[Message, Message], Message]:
    return lambda message, reply: {name: message.get(name, "") for name in names}


def _model_created(message: Message, reply: Message) -> Message:
    said = reply["registered_model"]
    return {
        "name": said["name"],
        "tags": {tag["key"]: tag["value"] for tag in said["tags"] if tag["key"] != IS_PROMPT},
        "description": said["description"] or None,
    }


def _version_created(message: Message, reply: Message) -> Message:
    said = reply["model_version"]
    tags = {tag["key"]: tag["value"] for tag in said["tags"]}
    told = {"name": said["name"], "version": said["version"], "description": said["description"] or None}
    if tags.pop(IS_PROMPT, "").lower() == "true":
        template = tags.pop(version_verbs.PROMPT_TEXT, None)
        tags.pop(_PROMPT_TYPE, None)
        return {**told, "template": template, "tags": tags}
    return {
        **told,
        "source": said["source"],
        "run_id": said["run_id"] or None,
        "tags": {tag["key"]: tag["value"] for tag in said["tags"]},
    }


def _change(method: str, path: str, function: Function, fields: Mapping[str, Field]) -> Verb:
    return Verb(method, path, function, fields, writes=True, permission="registry:write")


def _told_change(
    method: str,
    path: str,
    function: Function,
    fields: Mapping[str, Field],
    event: tuple[str, str, str],
    payload: Callable[[Message, Message], Message],
) -> Verb:
    handler = _announced(function, fields, *event, payload)
    return Verb(method, path, handler=handler, writes=True, permission="registry:write")


ROUTES = [
    _told_change(
        "POST",
        "/registered-models/create",
        registry.create,
        _CREATE_MODEL,
        ("REGISTERED_MODEL", "PROMPT", "CREATED"),
        _model_created,
    ),
    _change("POST", "/registered-models/rename", registry.rename, {**_NAME, "new_name": text(required=True)}),
    _change("PATCH", "/registered-models/update", registry.update, {**_NAME, "description": text()}),
    _change("DELETE", "/registered-models/delete", registry.delete, _NAME),
    Verb("GET", "/registered-models/get", registry.get_one, _NAME),
    Verb("GET", "/registered-models/search", registry_search.search_models, _SEARCH),
    Verb("GET", "/registered-models/get-latest-versions", registry.get_latest, {**_NAME, "stages": texts()}),
    Verb("POST", "/registered-models/get-latest-versions", registry.get_latest, {**_NAME, "stages": texts()}),
    _told_change(
        "POST",
        "/registered-models/set-tag",
        registry.set_tag,
        {**_NAME, **_TAG},
        ("", "PROMPT_TAG", "SET"),
        _told("name", "key", "value"),
    ),
    _told_change(
        "DELETE",
        "/registered-models/delete-tag",
        registry.delete_tag,
        {**_NAME, **_KEY},
        ("", "PROMPT_TAG", "DELETED"),
        _told("name", "key"),
    ),
    _told_change(
        "POST",
        "/registered-models/alias",
        registry.set_alias,
        {**_ALIAS, "version": text(required=True)},
        ("MODEL_VERSION_ALIAS", "PROMPT_ALIAS", "CREATED"),
        _told("name", "alias", "version"),
    ),
    _told_change(
        "DELETE",
        "/registered-models/alias",
        registry.delete_alias,
        _ALIAS,
        ("MODEL_VERSION_ALIAS", "PROMPT_ALIAS", "DELETED"),
        _told("name", "alias"),
    ),
    Verb("GET", "/registered-models/alias", registry.get_by_alias, _ALIAS),
    _told_change(
        "POST",
        "/model-versions/create",
        version_verbs.create,
        _CREATE_VERSION,
        ("MODEL_VERSION", "PROMPT_VERSION", "CREATED"),
        _version_created,
    ),
    _change("PATCH", "/model-versions/update", version_verbs.update, {**_VERSION, "description": text()}),
    _change(
        "POST",
        "/model-versions/transition-stage",
        version_verbs.transition,
        {**_VERSION, "stage": text(required=True), "archive_existing_versions": Field(BOOL)},
    ),
    _change("DELETE", "/model-versions/delete", version_verbs.delete, _VERSION),
    Verb("GET", "/model-versions/get", version_verbs.get_one, _VERSION),
    Verb("GET", "/model-versions/search", registry_search.search_versions, _SEARCH),
    Verb("GET", "/model-versions/get-download-uri", version_verbs.download_uri, _VERSION),
    _told_change(
        "POST",
        "/model-versions/set-tag",
        version_verbs.set_tag,
        {**_VERSION, **_TAG},
        ("MODEL_VERSION_TAG", "PROMPT_VERSION_TAG", "SET"),
        _told("name", "version", "key", "value"),
    ),
    _told_change(
        "DELETE",
        "/model-versions/delete-tag",
        version_verbs.delete_tag,
        {**_VERSION, **_KEY},
        ("MODEL_VERSION_TAG", "PROMPT_VERSION_TAG", "DELETED"),
        _told("name", "version", "key"),
    ),
]
