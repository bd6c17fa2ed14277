"""Who asks: from a token in the request to a caller. Tokens are remembered for a second, so that most requests ask no store."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from urllib.parse import unquote

from lineal.server.config import Config
from lineal.server.limits import Rate, too_often
from lineal.server.refusals import RefusedError
from lineal.server.writer import Desk
from lineal.service import access
from lineal.service.client import now_us
from lineal.service.operations import ALL_PERMISSIONS, Caller, Scope
from lineal.store.tokens import TokenRecord

FRESH_S = 1.0
_USED_EVERY_S = 60.0
_MOST = 100_000
_SYSTEM = Caller("server", frozenset())
_CHALLENGE = [(b"www-authenticate", b'Bearer realm="lineal"')]
_ASK_PERSON = [(b"www-authenticate", b'Basic realm="Lineal: any name, a token as password", charset="UTF-8"')]


class Gate:
    """Tells callers apart. local: a token that only those who may read the project's folder know."""

    def __init__(self, config: Config, desk: Desk, *, local: str) -> None:
        self._config, self._desk = config, desk
        self._local = access.split(local)
        self._always = not config.loopback
        self._known: dict[str, TokenRecord] = {}
        self._known_at = -FRESH_S
        self._reading: asyncio.Task[None] | None = None
        self._used: dict[str, float] = {}
        self._failures = Rate(config.failures_per_minute / 60, config.failures_per_minute)

    async def required(self) -> bool:
        """Whether a token must be shown: always off loopback, and as soon as one was ever made."""
        if not self._always and not self._known:
            await self._know(FRESH_S)
        return self._always or bool(self._known)

    async def caller(self, headers: Mapping[bytes, bytes], address: str, door: str, *, page: bool) -> Caller:
        """Who asks. Raises RefusedError: nobody who is known (401), or too many wrong tokens came from there (429)."""
        namespace = _said(headers, b"lineal-project")
        actor = _said(headers, b"lineal-actor")
        shown = _shown(headers.get(b"authorization", b""))
        if shown is None:
            if await self.required():
                raise _unknown("no token was shown", page=page)
            return Caller(actor or "anonymous", ALL_PERMISSIONS, namespace=namespace, door=door)
        parts = access.split(shown)
        if parts is None:
            if (
                not await self.required()
            ):  # a client that must send something, to a server that asks for nothing
                return Caller(actor or "anonymous", ALL_PERMISSIONS, namespace=namespace, door=door)
            self._failed(address)
            raise _unknown("what was shown is no token of Lineal", page=page)
        if self._local is not None and parts[0] == self._local[0]:
            if hmac.compare_digest(parts[1], self._local[1]):
                return Caller(actor or "anonymous", ALL_PERMISSIONS, namespace=namespace, door=door)
            self._failed(address)
            raise _unknown("that token is of another project or another copy of it", page=page)
        record = await self._record(parts[0])
        if record is None or not hmac.compare_digest(access.digest_of(parts[1]), record.digest):
            self._failed(address)
            raise _unknown("that token is not known here", page=page)
        if (state := access.state(record, now_us())) != "valid":
            raise _unknown(f"the token {record.id} ({record.name}) is {state}", page=page)
        self._note(record)
        return Caller(record.name, _grants(record), namespace=namespace, door=door, token=record.id)

    async def _record(self, id: str) -> TokenRecord | None:
        await self._know(FRESH_S if id in self._known else 0.0)  # it may have been made a moment ago
        return self._known.get(id)

    async def _know(self, fresh_s: float) -> None:
        """Know every token as it was at most that long ago. All who come meanwhile wait for the same answer."""
        wanted = time.monotonic() - fresh_s
        while self._known_at < wanted:
            if self._reading is None:
                self._reading = asyncio.ensure_future(self._read())
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            at = time.monotonic()
            found = await self._desk.read(
                lambda scope: scope.store.tokens.list_tokens(scope.tx, limit=_MOST), _SYSTEM
            )
            self._known, self._known_at = {record.id: record for record in found}, at
        finally:
            self._reading = None

    def _failed(self, address: str) -> None:
        if wait_s := self._failures.wait_s(address):
            raise too_often(wait_s, "wrong tokens came from there")

    def _note(self, record: TokenRecord) -> None:
        """Write down, at most once a minute and without waiting for it, that a token was used."""
        now = time.monotonic()
        if now - self._used.get(record.id, -_USED_EVERY_S) < _USED_EVERY_S:
            return
        self._used[record.id] = now
        at = now_us()

        def used(scope: Scope) -> None:
            scope.store.tokens.set_used(scope.tx, record.id, at=at)

        self._desk.write_later(used, _SYSTEM)


def _grants(record: TokenRecord) -> frozenset[str]:
    known = [name for name in record.scopes if name in access.ROLES or name in ALL_PERMISSIONS]
    return access.grants_of(known)  # a scope that only a newer version knows grants nothing here


def _shown(authorization: bytes) -> str | None:
    """The token of an Authorization header: as bearer, or as the password of the basic scheme; None without one."""
    scheme, _, rest = authorization.decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return None if not scheme else ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except binascii.Error:
        return ""


def _said(headers: Mapping[bytes, bytes], name: bytes) -> str:
    text = unquote(headers.get(name, b"").decode("latin-1"), errors="replace")
    if len(text) > 500 or not (text.isprintable() or not text):
        raise RefusedError(400, "invalid", f"the header {name.decode()} is too long or not printable")
    return text


def _unknown(message: str, *, page: bool) -> RefusedError:
    return RefusedError(
        401,
        "denied",
        message,
        "send `Authorization: Bearer lin_...`, or name the token in LINEAL_TOKEN; `lineal token create` makes one",
        headers=_ASK_PERSON if page else _CHALLENGE,
    )
