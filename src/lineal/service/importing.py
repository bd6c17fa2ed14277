"""Taking in what another system recorded: items in batches, each known again by its own id, so that a repeat adds nothing."""

from __future__ import annotations

import unicodedata

import msgspec

from lineal.connect import items as found
from lineal.connect.items import Left
from lineal.core.errors import Denied, Invalid, LinealError
from lineal.core.ids import sha256
from lineal.service import import_models, import_runs
from lineal.service.import_runs import DOOR, STAMP, Taking
from lineal.service.operations import Scope, operation
from lineal.store.tx import undoable

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LONGEST_NAME = 500
_REGISTRY = (found.Registered, found.Version)
_APPLY = {
    found.Experiment: import_runs.experiment,
    found.Run: import_runs.run,
    found.Points: import_runs.points,
    found.Taken: import_runs.taken,
    found.Link: import_models.link,
    found.Model: import_models.model,
    found.File: import_models.file,
    found.Whole: import_models.whole,
    found.Registered: import_models.registered,
    found.Version: import_models.version,
}


class ImportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Items to take in together, in the order in which they rely on each other.

    system: where they come from (`mlflow`, `wandb` ...). source: its address, without a password. bytes: whether the
    files of runs and models are handed over too, so that their addresses lead here.
    """

    system: str
    source: str
    items: list[found.Item]
    bytes: bool = False


class ImportReply(msgspec.Struct, frozen=True, kw_only=True):
    """left: what was not taken, and why."""

    left: list[Left]


class ImportStampsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Runs whose stamps are wanted."""

    runs: list[str]


class ImportStamps(msgspec.Struct, frozen=True, kw_only=True):
    """By run, what it looked like when all of it had been taken in. Runs of which not all was are left out."""

    stamps: dict[str, str]


class ImportCountRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be counted: by names of experiments and registered models, and ids of runs and logged models."""

    experiments: list[str] = []
    runs: list[str] = []
    models: list[str] = []
    names: list[str] = []


class ImportCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each kind are recorded of what was named."""

    counts: dict[str, int]


@operation(
    "import",
    permission="record:write",
    path="/import",
    summary="Take in what another system recorded; a repeat has no second effect",
    write=True,
    audited=False,
)
def take(scope: Scope, request: ImportRequest) -> ImportReply:
    """Apply items in one transaction; one that cannot be taken is left out and named, the others stand.

    Raises Denied: it names registered models, and the caller may not change the registry.
    """
    if "registry:write" not in scope.grants and any(isinstance(item, _REGISTRY) for item in request.items):
        raise Denied(
            f"{scope.actor or 'an anonymous caller'} may not import registered models: it needs 'registry:write'",
            hint="use a token of the role promoter or admin",
            permission="registry:write",
        )
    said = msgspec.json.encode([item for item in request.items if not isinstance(item, found.Points)])
    message = scope.store.audit.add_message(
        scope.tx, door="import", source=request.source, body=said, digest=sha256(said), at=scope.at
    )
    taking = Taking(scope=scope, system=request.system, message=message, bytes=request.bytes)
    left = [failure for item in request.items if (failure := _apply(taking, item))]
    entry = {
        "source": request.source,
        "system": request.system,
        "items": len(request.items),
        "left": len(left),
        "message": message,
        "body": sha256(msgspec.json.encode(request)),
    }
    scope.store.audit.add_leaf(
        scope.tx,
        door=scope.door,
        actor=scope.actor,
        action="import",
        digest=sha256(said),
        body=msgspec.json.encode(entry, order="sorted"),
        at=scope.at,
    )
    return ImportReply(left=left)


def _apply(taking: Taking, item: found.Item) -> Left | None:
    """Apply one item, all of it or nothing; why it was left, if it was."""
    kind, name = _named(item)
    try:
        with undoable(taking.scope.tx):
            _check(name, kind)
            _APPLY[type(item)](taking, item)  # type: ignore[operator]
    except LinealError as error:
        return Left(kind=kind, name=name[:200], reason=error.message)
    return None


def _named(item: found.Item) -> tuple[str, str]:
    """The kind of an item as counts have it, and its name."""
    match item:
        case found.Experiment():
            return "experiments", item.name
        case found.Run():
            return "runs", item.id
        case found.Points() | found.Taken():
            return "metric points", item.run
        case found.Link():
            return "model inputs and outputs", f"{item.run} {item.model}"
        case found.Model():
            return "logged models", item.id
        case found.File():
            return "files", f"{item.owner}: {item.path}"
        case found.Whole():
            return "logged models", item.model
        case found.Registered():
            return "registered models", item.name
        case found.Version():
            return "model versions", f"{item.name} {item.number}"


def _check(name: str, kind: str) -> None:
    """Raises Invalid: the name holds characters that are not seen or that reorder it, or is too long."""
    bad = [char for char in name if char in _BIDI or unicodedata.category(char) in {"Cc", "Zl", "Zp"}]
    if bad or not name.strip() or (kind != "files" and len(name) > _LONGEST_NAME):
        why = f"holds the invisible character U+{ord(bad[0]):04X}" if bad else "is empty or too long"
        raise Invalid(f"its name {why}", hint="give it another name where it comes from")


@operation(
    "import-stamps",
    permission="record:write",
    path="/import/stamps",
    summary="Which runs were taken in whole",
)
def stamps(scope: Scope, request: ImportStampsRequest) -> ImportStamps:
    """The stamps of those runs that were taken in whole."""
    found = {}
    for run in request.runs:
        record = scope.store.records.get_record(scope.tx, "import", STAMP, run) if run else None
        if record is not None:
            found[run] = record.body.decode()
    return ImportStamps(stamps=found)


@operation(
    "import-count",
    permission="record:read",
    path="/import/count",
    summary="How much of what was imported is recorded",
    method="POST",
)
def count(scope: Scope, request: ImportCountRequest) -> ImportCount:
    """By kind, how many of the named things and of what belongs to them are recorded."""
    tx, store = scope.tx, scope.store
    find = store.records.get_record
    records = [record for id in request.runs if (record := find(tx, DOOR, "run", id))]
    nodes = [record.node for record in records if record.node is not None]
    kinds = dict.fromkeys(found.KINDS, 0)
    kinds["experiments"] = sum(find(tx, DOOR, "experiment", name) is not None for name in request.experiments)
    kinds["runs"] = len(nodes)
    kinds["params"] = sum(map(len, store.attributes.get_params(tx, nodes).values()))
    kinds["tags"] = sum(map(len, store.attributes.get_tags(tx, nodes).values()))
    kinds["metric points"] = sum(
        summary.count
        for summaries in store.metrics.get_summaries(tx, nodes).values()
        for summary in summaries
    )
    links = {
        kind: len(store.records.list_records(tx, DOOR, kind, parents=nodes, limit=10_000_000)) if nodes else 0
        for kind in ("input", "model_input", "model_output")
    }
    kinds["dataset inputs"] = links["input"]
    kinds["model inputs and outputs"] = links["model_input"] + links["model_output"]
    kinds["logged models"] = sum(find(tx, DOOR, "logged_model", id) is not None for id in request.models)
    for name in request.names:
        kinds["registered models"] += find(tx, DOOR, "registered_model", name) is not None
        kinds["model versions"] += len(store.registry.list_named(tx, name, limit=1_000_000))
        kinds["aliases"] += len(store.registry.list_aliases(tx, name))
    return ImportCount(counts=kinds)
