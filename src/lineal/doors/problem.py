"""Errors as doors answer them: a status by table, and Lineal's own body."""

from __future__ import annotations

import msgspec

STATUS = {"invalid": 400, "denied": 403, "not_found": 404, "conflict": 409, "unavailable": 503}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and what was wanted; hint: what to do next; subject: what it is about, for programs."""

    code: str
    message: str
    hint: str = ""
    subject: dict[str, str] = {}
    request_id: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    error: Problem
