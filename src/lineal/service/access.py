"""Who may do what: roles, tokens, and the verbs that make and revoke them.

A token is `lin_<id>_<secret>`. Its secret is made by who asks for it and never leaves them: the store and the server know
its SHA-256 only.
"""

from __future__ import annotations

import hashlib
import re
import secrets

import msgspec

from lineal.core.errors import Conflict, Invalid, NotFound
from lineal.core.ids import is_hex
from lineal.service.operations import ALL_PERMISSIONS, Scope, operation
from lineal.store.tokens import TokenRecord

_READ = frozenset({"record:read"})
_EDIT = _READ | {"record:write"}
ROLES: dict[str, frozenset[str]] = {
    "viewer": _READ,
    "ingest": frozenset({"record:write"}),
    "editor": _EDIT,
    "promoter": _EDIT | {"registry:write", "deploy:write"},
    "admin": ALL_PERMISSIONS,
}
_TOKEN = re.compile(r"lin_([0-9a-z]{1,32})_([0-9A-Za-z_-]{16,200})")
_ID = re.compile(r"[0-9a-z]{8,32}")
_LONGEST_NAME = 128


class TokenCreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A token to be known from now on.

    name: what its changes are signed with. scopes: roles (viewer, ingest, editor, promoter, admin) or permissions.
    id: 8 to 32 of `0-9a-z`, digest: SHA-256 of the secret, 64 hex digits; both made by the asker.
    expires_at: UTC microseconds, None for never.
    """

    name: str
    id: str
    digest: str
    scopes: list[str]
    expires_at: int | None = None


class TokenOut(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret. state: valid, expired or revoked. Times: UTC microseconds, None for never."""

    id: str
    name: str
    scopes: list[str]
    state: str
    actor: str
    recorded_at: int
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None


class TokenListRequest(msgspec.Struct, frozen=True, kw_only=True):
    """all: revoked and expired ones too."""

    all: bool = False


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, the oldest first."""

    tokens: list[TokenOut]


class TokenRevokeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """id: the part between `lin_` and the secret, or the name of exactly one valid token."""

    id: str


@operation(
    "token-create",
    permission="store:admin",
    path="/token-create",
    summary="Let somebody in by a token",
    write=True,
)
def create(scope: Scope, request: TokenCreateRequest) -> TokenOut:
    """The token as it is kept.

    Raises Invalid: a scope is unknown, or the digest is none. Conflict: the id is taken.
    """
    grants_of(request.scopes)
    if not request.scopes:
        raise Invalid("a token without scopes opens nothing", hint=f"give some of: {', '.join(ROLES)}")
    if not request.name.strip() or len(request.name) > _LONGEST_NAME or not request.name.isprintable():
        raise Invalid(
            f"{request.name[:_LONGEST_NAME]!r} cannot name a token",
            hint=f"use 1 to {_LONGEST_NAME} printable characters",
        )
    if not _ID.fullmatch(request.id) or len(request.digest) != 64 or not is_hex(request.digest):
        raise Invalid(
            "a token needs an id of 8 to 32 of 0-9a-z and the SHA-256 of its secret as 64 hex digits",
            hint="`lineal token create` makes both",
        )
    if request.expires_at is not None and request.expires_at <= scope.at:
        raise Invalid("the token would have expired already", hint="choose a time to come")
    record = TokenRecord(
        id=request.id,
        name=request.name,
        digest=request.digest,
        scopes=list(dict.fromkeys(request.scopes)),
        actor=scope.actor,
        recorded_at=scope.at,
        expires_at=request.expires_at,
    )
    if not scope.store.tokens.add_token(scope.tx, record):
        raise Conflict(f"there is a token {request.id} already", hint="make another id")
    return _out(record, scope.at)


@operation("tokens", permission="store:admin", path="/tokens", summary="List tokens")
def list_tokens(scope: Scope, request: TokenListRequest) -> TokenList:
    """The tokens that open something; with `all` also those that no longer do."""
    found = [_out(record, scope.at) for record in scope.store.tokens.list_tokens(scope.tx)]
    return TokenList(tokens=[token for token in found if request.all or token.state == "valid"])


@operation(
    "token-revoke", permission="store:admin", path="/token-revoke", summary="Take a token back", write=True
)
def revoke(scope: Scope, request: TokenRevokeRequest) -> TokenOut:
    """The token, which opens nothing any more. Servers that have it in memory forget it within a second.

    Raises NotFound: no token has that id or name. Conflict: several valid ones have that name.
    """
    found = scope.store.tokens.get_token(scope.tx, request.id) if _ID.fullmatch(request.id) else None
    if found is None:
        named = [
            record
            for record in scope.store.tokens.list_tokens(scope.tx)
            if record.name == request.id and state(record, scope.at) == "valid"
        ]
        if len(named) > 1:
            raise Conflict(
                f"{len(named)} tokens are named {request.id!r}",
                hint="name one by its id: " + ", ".join(record.id for record in named),
            )
        if not named:
            raise NotFound(f"there is no token {request.id[:80]!r}", hint="`lineal token list` lists them")
        found = named[0]
    scope.store.tokens.revoke_token(scope.tx, found.id, at=scope.at)
    revoked = scope.store.tokens.get_token(scope.tx, found.id)
    assert revoked is not None
    return _out(revoked, scope.at)


def grants_of(scopes: list[str]) -> frozenset[str]:
    """What a token with these scopes may do. Raises Invalid: one of them is no role and no permission."""
    granted: set[str] = set()
    for name in scopes:
        if name in ROLES:
            granted |= ROLES[name]
        elif name in ALL_PERMISSIONS:
            granted.add(name)
        else:
            raise Invalid(
                f"there is no scope {name[:80]!r}",
                hint=f"roles: {', '.join(ROLES)}; permissions: {', '.join(sorted(ALL_PERMISSIONS))}",
            )
    return frozenset(granted)


def state(record: TokenRecord, at: int) -> str:
    """`valid`, `expired` or `revoked` at a time (UTC microseconds)."""
    if record.revoked_at is not None and record.revoked_at <= at:
        return "revoked"
    return "expired" if record.expires_at is not None and record.expires_at <= at else "valid"


def new_token() -> tuple[str, str, str]:
    """A fresh token: its text, its id and the digest of its secret."""
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return f"lin_{id}_{secret}", id, digest_of(secret)


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, 64 hex digits. Secrets are long and random: no slow function is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def split(text: str) -> tuple[str, str] | None:
    """Id and secret of a token, None when the text is none."""
    found = _TOKEN.fullmatch(text)
    return (found[1], found[2]) if found else None


def _out(record: TokenRecord, at: int) -> TokenOut:
    return TokenOut(
        id=record.id,
        name=record.name,
        scopes=record.scopes,
        state=state(record, at),
        actor=record.actor,
        recorded_at=record.recorded_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        used_at=record.used_at,
    )
