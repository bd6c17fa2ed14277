"""The state of things at a glance, finding anything by a word, and who asks."""

from __future__ import annotations

from importlib.metadata import version as installed

import msgspec

from lineal.core import refs
from lineal.core.errors import Invalid
from lineal.core.events import State
from lineal.core.ids import is_hex
from lineal.core.model import AliasRecord
from lineal.core.openlineage_story import STATEMENT
from lineal.service import references
from lineal.service.operations import Scope, operation
from lineal.service.registry import DEPLOYMENT
from lineal.service.runs import RunSummary, summaries
from lineal.store.conditions import Condition, Every, Order, Some, Term, Without

_DAY = 86_400_000_000
_DAYS = 60
_SHOWN = 8
_MOST_HITS = 50
_HASHES, _HASH_LENGTHS = ("dvc-md5", "git", "lfs", "md5"), {32, 40, 64}  # named without saying of which kind


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing needs to be said."""


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, what they may do, and of what server."""

    actor: str
    permissions: list[str]
    namespace: str
    version: str


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """An alias that was moved; before: the number it pointed to, None at first."""

    name: str
    alias: str
    number: int
    before: int | None
    at: int
    actor: str
    reason: str


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and the newest of each sort.

    runs: what the list of runs counts, so without deleted ones and single statements; deployments: how many of them are deployments.
    days: runs started on each of the last 60 days (UTC), the last one is today. failed: newest runs that failed, were
    killed or lost.
    """

    runs: int
    deployments: int
    running: int
    jobs: int
    models: int
    datasets: int
    live: int
    days: list[int]
    now: list[RunSummary]
    failed: list[RunSummary]
    recent: list[RunSummary]
    moves: list[Move]


class FindRequest(msgspec.Struct, frozen=True, kw_only=True):
    """text: part of a name, or the beginning of an id, commit or digest. limit: 1 to 50 of each sort."""

    text: str
    limit: int = 8


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something found. sort: run, job, model or artifact; ref: how to name it; detail: what else is known, for people."""

    sort: str
    kind: str
    ref: str
    label: str
    detail: str
    at: int
    state: str = ""


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, models first."""

    hits: list[Hit]


@operation("whoami", permission="record:read", path="/whoami", summary="Who asks, and what they may do")
def whoami(scope: Scope, request: Nothing) -> Who:
    """The caller as the server knows them."""
    return Who(
        actor=scope.actor,
        permissions=sorted(scope.grants),
        namespace=scope.namespace,
        version=installed("lineal"),
    )


@operation("overview", permission="record:read", path="/overview", summary="The state of things at a glance")
def overview(scope: Scope, request: Nothing) -> Overview:
    """How much there is, what runs, what went wrong, what happened last."""
    store, tx = scope.store, scope.tx
    states = store.catalog.count_states(tx)
    artifacts = store.catalog.count_artifacts(tx)
    today = scope.at // _DAY
    days = store.catalog.count_by_day(tx, since=(today - _DAYS + 1) * _DAY)

    def newest(*terms: Term) -> list[RunSummary]:
        only: list[Condition] = [Without(Term("kind", "=", DEPLOYMENT)), *terms]
        return summaries(scope, store.search.search_runs(tx, only, order=Order(), limit=_SHOWN))

    moves = sorted(
        store.registry.list_aliases(tx, None, history=True), key=lambda a: (-a.recorded_at, a.name, a.alias)
    )
    return Overview(
        runs=sum(count for (kind, _), count in states.items() if kind != STATEMENT),
        deployments=sum(count for (kind, _), count in states.items() if kind == DEPLOYMENT),
        running=sum(
            count for (kind, state), count in states.items() if kind != DEPLOYMENT and state == "running"
        ),
        jobs=store.catalog.count_jobs(tx),
        models=len(store.registry.list_names(tx, limit=100_000)),
        datasets=artifacts.get("dataset", 0) + artifacts.get("features", 0),
        live=states.get((DEPLOYMENT, "running"), 0),
        days=[days.get(day, 0) for day in range(today - _DAYS + 1, today + 1)],
        now=newest(Term("state", "=", State.RUNNING)),
        failed=sorted(
            # One after the other each is led by its index; asked for as one, every run would be looked at.
            (
                run
                for state in (State.FAILED, State.KILLED, State.LOST)
                for run in newest(Term("state", "=", state))
            ),
            key=lambda run: -run.started_at,
        )[:_SHOWN],
        recent=newest(),
        moves=[_move(alias, moves) for alias in moves[:_SHOWN]],
    )


def _move(alias: AliasRecord, history: list[AliasRecord]) -> Move:
    before = [
        other
        for other in history
        if (other.name, other.alias) == (alias.name, alias.alias) and other.revision < alias.revision
    ]
    return Move(
        name=alias.name,
        alias=alias.alias,
        number=alias.number,
        before=max(before, key=lambda other: other.revision).number if before else None,
        at=alias.recorded_at,
        actor=alias.actor,
        reason=alias.reason,
    )


@operation(
    "find", permission="record:read", path="/find", summary="Find anything by a word, an id or a digest"
)
def find(scope: Scope, request: FindRequest) -> Hits:
    """Registered names, artifacts, jobs and runs that a text names. Raises Invalid: the limit is out of range."""
    text = request.text.strip()
    if not 1 <= request.limit <= _MOST_HITS:
        raise Invalid(f"a limit of {request.limit}", hint=f"between 1 and {_MOST_HITS}")
    if not text:
        return Hits(hits=[])
    hits = [
        *_models(scope, text, request.limit),
        *_artifacts(scope, text, request.limit),
        *_jobs(scope, text, request.limit),
        *_runs(scope, text, request.limit),
    ]
    seen: set[str] = set()
    return Hits(hits=[hit for hit in hits if not (hit.ref in seen or seen.add(hit.ref))])  # type: ignore[func-returns-value]


def _models(scope: Scope, text: str, limit: int) -> list[Hit]:
    names = [
        name
        for name in scope.store.registry.list_names(scope.tx, limit=100_000)
        if text.lower() in name.lower()
    ][:limit]
    found = []
    for name in names:
        named = scope.store.registry.list_named(scope.tx, name)
        aliases = ", ".join(alias.alias for alias in scope.store.registry.list_aliases(scope.tx, name))
        found.append(
            Hit(
                sort="model",
                kind="model",
                ref=name,
                label=name,
                detail=f"{len(named)} versions" + (f", {aliases}" if aliases else ""),
                at=named[-1].recorded_at if named else 0,
            )
        )
    return found


def _artifacts(scope: Scope, text: str, limit: int) -> list[Hit]:
    by_name = scope.store.catalog.list_newest(scope.tx, kinds=[], text=text, limit=limit)
    versions = scope.store.artifacts.get_versions(scope.tx, [row.newest for row in by_name])
    prefix = text.removeprefix("sha256:").lower()
    hexadecimal = len(prefix) >= 4 and all(letter in "0123456789abcdef" for letter in prefix)
    by_digest = (
        scope.store.artifacts.list_by_digest(scope.tx, f"sha256:{prefix}", limit) if hexadecimal else []
    )
    found = [
        Hit(
            sort="artifact",
            kind=row.kind,
            ref=references.artifact_ref(versions[row.newest]),
            label=row.name,
            detail=f"{row.versions} versions",
            at=row.recorded_at,
        )
        for row in by_name
    ]
    by_reference = scope.store.artifacts.get_versions(scope.tx, _carrying(scope, text)[:limit])
    return found + [
        Hit(
            sort="artifact",
            kind=version.kind,
            ref=references.artifact_ref(version),
            label=references.artifact_ref(version),
            detail=(version.digest or "")[:24],
            at=version.recorded_at,
        )
        for version in [*by_digest, *by_reference.values()]
    ]


def _carrying(scope: Scope, text: str) -> list[int]:
    """The versions that carry what is asked for as a reference, or as a hash whose kind is not said."""
    if ":" in text and not text.startswith(("run:", "sha256:")):
        parsed = refs.parse(text)
        return references.carrying(scope, parsed) if isinstance(parsed, refs.Named) else []
    if len(text) in _HASH_LENGTHS and is_hex(text.lower()):
        return [
            node
            for scheme in _HASHES
            for node in scope.store.artifacts.list_by_reference(scope.tx, scheme, text.lower())
        ]
    return []


def _jobs(scope: Scope, text: str, limit: int) -> list[Hit]:
    rows = [
        row
        for row in scope.store.catalog.list_jobs(scope.tx, limit=10_000)
        if text.lower() in row.name.lower()
    ]
    return [
        Hit(sort="job", kind="job", ref=row.name, label=row.name, detail=f"{row.runs} runs", at=row.last_at)
        for row in rows[:limit]
    ]


def _runs(scope: Scope, text: str, limit: int) -> list[Hit]:
    prefix = text.removeprefix("run:").lower()
    nodes = (
        [run.node for run in scope.store.runs.list_runs_by_prefix(scope.tx, prefix, limit)]
        if len(prefix) >= 3 and all(letter in "0123456789abcdef" for letter in prefix)
        else []
    )
    like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    named = Every((Some((Term("name", "ILIKE", like), Term("job", "ILIKE", like))),))
    nodes += scope.store.search.search_runs(scope.tx, [named], order=Order(), limit=limit)
    return [
        Hit(
            sort="run",
            kind=run.kind,
            ref=f"run:{run.run_id}",
            label=run.name or run.job,
            detail=run.run_id[:12],
            at=run.started_at,
            state=run.state,
        )
        for run in summaries(scope, list(dict.fromkeys(nodes)))
    ]
