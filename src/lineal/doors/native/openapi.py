"""The OpenAPI 3.1 document of this door, made from the operation table."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lineal.core import errors
from lineal.doors.problem import STATUS, Refusal
from lineal.service.operations import Operation

_REF = "#/components/schemas/{name}"


def document(table: dict[str, Operation], prefix: str) -> dict[str, Any]:
    """The whole document as values that JSON can carry."""
    named = sorted(table.values(), key=lambda row: row.name)
    kinds = [kind for row in named for kind in (row.request, row.reply)]
    schemas, components = msgspec.json.schema_components([*kinds, Refusal], ref_template=_REF)
    shapes = dict(zip([*kinds, Refusal], schemas, strict=True))
    paths: dict[str, Any] = {}
    for row in named:
        item = paths.setdefault(prefix + row.path, {})
        item["post"] = _posted(row, shapes)
        if not row.write:
            item["get"] = _queried(row, shapes, components)
    paths[f"{prefix}/blobs/{{digest}}"] = _bytes()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lineal",
            "version": "1",
            "summary": "Records what a model is and where it came from.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token `lin_<id>_<secret>`."},
                "password": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any name, the token as password.",
                },
            },
        },
        "security": [{"token": []}, {"password": []}, {}],
    }


def _common(row: Operation, shapes: dict[Any, Any]) -> dict[str, Any]:
    return {
        "summary": row.summary,
        "description": " ".join((row.function.__doc__ or "").split()),
        "tags": [row.permission],
        "responses": {
            "200": {
                "description": "The reply.",
                "content": {"application/json": {"schema": shapes[row.reply]}},
            },
            **_refusals(),
        },
    }


def _refusals() -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Refusal")}
    said = {
        status: (getattr(errors, code.title().replace("_", "")).__doc__ or "").split("\n", 1)[0]
        for code, status in STATUS.items()
    }
    said |= {401: "No valid token was shown.", 413: "The body is too large.", 429: "Too much at once."}
    return {
        str(status): {"description": text, "content": {"application/json": {"schema": schema}}}
        for status, text in sorted(said.items())
    }


def _posted(row: Operation, shapes: dict[Any, Any]) -> dict[str, Any]:
    made = {
        "operationId": row.name,
        **_common(row, shapes),
        "requestBody": {"required": True, "content": {"application/json": {"schema": shapes[row.request]}}},
    }
    if row.write:
        made["parameters"] = [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key again gives the first answer again, for 24 hours.",
                "schema": {"type": "string", "maxLength": 255},
            }
        ]
    return made


def _queried(row: Operation, shapes: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    schema = components[re.sub(r".*/", "", shapes[row.request]["$ref"])]
    wanted = schema.get("required", [])
    return {
        "operationId": f"{row.name}-get",
        **_common(row, shapes),
        "parameters": [
            {"name": name, "in": "query", "required": name in wanted, "schema": kind}
            for name, kind in schema.get("properties", {}).items()
        ],
    }


def _bytes() -> dict[str, Any]:
    digest = {
        "name": "digest",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    }
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "parameters": [digest],
        "get": {
            "operationId": "blob-get",
            "summary": "Kept bytes",
            "responses": {"200": {"description": "The bytes.", "content": content}, **_refusals()},
        },
        "head": {
            "operationId": "blob-head",
            "summary": "Whether bytes are kept",
            "responses": {
                "200": {"description": "They are."},
                **{status: {"description": told["description"]} for status, told in _refusals().items()},
                "404": {"description": "They are not."},
            },
        },
        "put": {
            "operationId": "blob-put",
            "summary": "Keep bytes under their digest",
            "requestBody": {"required": True, "content": content},
            "responses": {
                "200": {"description": "They were kept already."},
                "201": {"description": "They are kept."},
                **_refusals(),
            },
        },
    }
