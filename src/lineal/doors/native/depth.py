"""How deep a JSON text is nested, found without building anything from it."""

from __future__ import annotations

import re

from lineal.core.errors import Invalid

DEEPEST = 64
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OTHER = bytes(set(range(256)) - set(b"[]{}"))


def refuse_deep(body: bytes, deepest: int = DEEPEST) -> None:
    """Raises Invalid: the text opens more than `deepest` brackets inside one another."""
    if body.count(b"[") + body.count(b"{") <= deepest:
        return
    brackets = _STRING.sub(b"", body).translate(None, _OTHER)
    for _ in range(deepest):
        peeled = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if peeled == brackets:
            break
        brackets = peeled
    if brackets:
        raise Invalid(
            f"the body is nested more than {deepest} levels deep, or its brackets do not match",
            hint="send flatter JSON",
        )
