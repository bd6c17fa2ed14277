"""The operation table: every thing a user can do, declared once.

From it come the in-process client (CLI, SDK), the HTTP routes, the OpenAPI document and the remote client. A verb is one
function `(scope, request) -> reply` with its declaration; `perform` gives it permission and audit, `call` a transaction too.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import msgspec

from lineal.core.errors import Denied, NotFound

if TYPE_CHECKING:
    from lineal.store.blobs import Blobs
    from lineal.store.open import Store
    from lineal.store.tx import Tx

_MODULES = (
    "ingest",
    "importing",
    "mlmd_import",
    "runs",
    "catalog",
    "activity",
    "overview",
    "show",
    "lineage",
    "scene",
    "versions",
    "joining",
    "questions",
    "impact",
    "facets",
    "facet_set",
    "conflicts",
    "messages",
    "columns",
    "file_lineage",
    "openlineage_out",
    "compare",
    "profile",
    "preview",
    "grouping",
    "attention",
    "health",
    "registry",
    "removal",
    "check",
    "access",
)

ALL_PERMISSIONS = frozenset(
    {"record:read", "record:write", "registry:write", "deploy:write", "record:delete", "store:admin"}
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a verb works in: an open transaction, the caller and the time.

    at: UTC microseconds. grants: what the caller may do; nothing by default. door: by which way the call came.
    """

    tx: Tx
    store: Store
    blobs: Blobs | None
    namespace: str
    actor: str
    at: int
    grants: frozenset[str] = frozenset()
    door: str = "native"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. path: below `/api/lineal/v1/`; write: it changes the record and leaves an audit leaf."""

    name: str
    summary: str
    request: type
    reply: Any
    permission: str
    write: bool
    method: str
    path: str
    audited: bool
    function: Callable[[Scope, Any], Any]


_TABLE: dict[str, Operation] = {}
_F = TypeVar("_F", bound=Callable[..., Any])


def operation(
    name: str,
    *,
    permission: str,
    path: str,
    summary: str,
    write: bool = False,
    method: str = "",
    audited: bool = True,
) -> Callable[[_F], _F]:
    """Declare a function as a verb. Its annotations name the request and reply types.

    audited: False for a verb that writes its own audit leaf.
    """

    def declare(function: _F) -> _F:
        hints = get_type_hints(function)
        if permission not in ALL_PERMISSIONS or name in _TABLE:
            raise ValueError(f"operation {name!r}: permission {permission!r} unknown or name taken")
        _TABLE[name] = Operation(
            name=name,
            summary=summary,
            request=hints["request"],
            reply=hints["return"],
            permission=permission,
            write=write,
            method=method or ("POST" if write else "GET"),
            path=path,
            audited=write and audited,
            function=function,
        )
        return function

    return declare


def table() -> dict[str, Operation]:
    """Every operation by its name; loads all service modules."""
    for module in _MODULES:
        importlib.import_module(f"lineal.service.{module}")
    return dict(_TABLE)


def find(name: str, module: str) -> Operation:
    """One operation, loading only the module that declares it.

    Raises NotFound: no verb has that name.
    """
    importlib.import_module(f"lineal.service.{module}")
    if name not in _TABLE:
        raise NotFound(f"there is no operation {name!r}", hint="known: " + ", ".join(sorted(_TABLE)))
    return _TABLE[name]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may do. Deny by default: an operation needs its permission in `grants`.

    namespace: in whose names references are read (empty: the store's own). token: the id of the token shown, if any.
    """

    actor: str
    grants: frozenset[str]
    namespace: str = ""
    door: str = "native"
    token: str = ""


def call(
    found: Operation,
    request: Any,
    *,
    store: Store,
    blobs: Blobs | None,
    caller: Caller,
    namespace: str,
    now: Callable[[], int],
) -> Any:
    """Run one operation in its own transaction and give back its reply.

    Raises Denied: the caller may not do this. Raises what the verb itself raises; then nothing was changed.
    """
    refuse_denied(found, caller.grants, caller.actor)
    with store.write() if found.write else store.read() as tx:
        scope = Scope(
            tx=tx,
            store=store,
            blobs=blobs,
            namespace=caller.namespace or namespace,
            actor=caller.actor,
            at=now(),
            grants=caller.grants,
            door=caller.door,
        )
        return perform(found, request, scope)


def perform(found: Operation, request: Any, scope: Scope) -> Any:
    """Run one operation inside an open transaction: permission, the verb itself, its audit leaf. Its reply.

    Raises Denied: the caller may not do this. Raises what the verb itself raises; the transaction must then be undone.
    """
    refuse_denied(found, scope.grants, scope.actor)
    reply = found.function(scope, request)
    if found.audited:
        add_leaf(
            scope,
            found.name,
            msgspec.json.encode({"operation": found.name, "request": request}, order="sorted"),
        )
    return reply


def add_leaf(scope: Scope, action: str, body: bytes) -> None:
    """Append what was done to the audit log. Last in a transaction."""
    scope.store.audit.add_leaf(
        scope.tx, door=scope.door, actor=scope.actor, action=action, digest="", body=body, at=scope.at
    )


def refuse_denied(found: Operation, grants: frozenset[str], actor: str) -> None:
    """Raises Denied unless the operation's permission is among `grants`."""
    if found.permission not in grants:
        raise Denied(
            f"{actor or 'an anonymous caller'} may not {found.name}: it needs {found.permission!r}",
            hint="ask an owner of this store for that permission",
            permission=found.permission,
        )
