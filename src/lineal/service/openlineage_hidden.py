"""What users of Marquez deleted: hidden from their questions until it runs or is written again. The record keeps everything, and a
question about the time before finds it."""

from __future__ import annotations

import msgspec

from lineal.core.errors import Denied
from lineal.core.ids import sha256
from lineal.core.openlineage import DOOR
from lineal.service.operations import Scope
from lineal.store.base_doors import LinkedName

DATASET, JOB, NAMESPACE = "dataset", "job", "namespace"
_KIND = "hidden"
_ALL = 1_000_000


class _Said(msgspec.Struct, frozen=True):
    """A deletion, or (`hidden` false) that it was taken back. name: empty for a namespace."""

    kind: str
    namespace: str
    name: str
    hidden: bool
    actor: str


_decode = msgspec.json.Decoder(_Said).decode


def hide(scope: Scope, kind: str, namespace: str, name: str = "") -> None:
    """Hide a dataset, a job, or all that is in a namespace. Raises Denied: the caller may not delete."""
    if "record:delete" not in scope.grants:
        raise Denied(
            f"{scope.actor or 'an anonymous caller'} may not do this: it needs 'record:delete'",
            hint="ask an owner of this store for that permission",
            permission="record:delete",
        )
    _say(scope, _Said(kind, namespace, name, True, scope.actor))


def show_again(scope: Scope, kind: str, namespace: str, name: str) -> None:
    """Let what was deleted be found again, for somebody tells of it anew."""
    newest = _newest(scope, None)
    if any(key in newest for key in ((kind, namespace, name), (NAMESPACE, namespace, ""))):
        _say(scope, _Said(kind, namespace, name, False, scope.actor))


def hidden(scope: Scope, kind: str, *, as_of: int | None = None) -> list[int]:
    """The datasets or jobs (`kind`) that are hidden, or were then, by their numbers."""
    newest = _newest(scope, as_of)
    found: dict[int, int] = {}  # and when that was said last
    for (said_of, namespace, name), (at, gone) in newest.items():
        if not gone or said_of not in (kind, NAMESPACE):
            continue
        for named in _named(scope, kind, namespace, name or None, as_of):
            again, shown = newest.get((kind, namespace, named.name), (0, False))
            taken_back = said_of == NAMESPACE and not shown and again >= at
            if named.last_at <= at and not taken_back:
                found[named.id] = max(at, found.get(named.id, at))
    read = scope.store.linked.last_read(scope.tx, list(found), as_of=as_of) if kind == DATASET else {}
    return sorted(id for id, at in found.items() if read.get(id, 0) <= at)


def _say(scope: Scope, said: _Said) -> None:
    key = sha256(f"{said.kind}\0{said.namespace}\0{said.name}".encode(errors="surrogatepass"))
    records, tx = scope.store.records, scope.tx
    count = len(records.list_records(tx, DOOR, _KIND, prefix=f"{key}/", limit=_ALL))
    records.add_record(tx, DOOR, _KIND, f"{key}/{count:09d}", msgspec.json.encode(said), at=scope.at)


def _newest(scope: Scope, as_of: int | None) -> dict[tuple[str, str, str], tuple[int, bool]]:
    """By what was said something of: when that was last, and whether it was hidden then."""
    found: dict[tuple[str, str, str], tuple[int, bool]] = {}
    for record in scope.store.records.list_records(scope.tx, DOOR, _KIND, limit=_ALL):
        if as_of is None or record.recorded_at <= as_of:
            said = _decode(record.body)
            found[said.kind, said.namespace, said.name] = (record.recorded_at, said.hidden)
    return found


def _named(scope: Scope, kind: str, namespace: str, name: str | None, as_of: int | None) -> list[LinkedName]:
    linked = scope.store.linked
    ask = linked.list_linked_datasets if kind == DATASET else linked.list_linked_jobs
    return ask(scope.tx, namespace=namespace, name=name, as_of=as_of, limit=_ALL)[0]
