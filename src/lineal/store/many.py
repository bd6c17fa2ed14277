"""Many runs, versions and facets at once: what the other nouns do one by one, in a number of statements that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from lineal.core.events import ErrorInfo, Level, State
from lineal.core.model import Attribute, NodeKind
from lineal.store.bulk import insert, update
from lineal.store.lists import each
from lineal.store.logical import relink
from lineal.store.text import give, keep, number_of
from lineal.store.tx import Asked, Row, Tx
from lineal.store.words import add_fields, add_words

_NODES = {
    "sqlite": "INSERT INTO node (kind) SELECT :kind FROM carray(:places) RETURNING id",
    "postgres": ("INSERT INTO node (kind) SELECT :kind FROM unnest(CAST(:places AS bigint[])) RETURNING id"),
}
RUN_COLUMNS = (
    ("node", "bigint"),
    ("run_id", "text"),
    ("job", "bigint"),
    ("name", "bigint"),
    ("kind", "bigint"),
    ("actor", "bigint"),
    ("parent", "bigint"),
    ("started_at", "bigint"),
    ("recorded_at", "bigint"),
    ("state", "text"),
    ("ended_at", "bigint"),
)
_STATES = (
    ("node", "bigint"),
    ("revision", "integer"),
    ("state", "text"),
    ("at", "bigint"),
    ("error", "bytea"),
    ("recorded_at", "bigint"),
)
_VERSIONS = (
    ("node", "bigint"),
    ("artifact", "bigint"),
    ("number", "bigint"),
    ("digest", "text"),
    ("kind", "bigint"),
    ("level", "text"),
    ("reason", "text"),
    ("location", "text"),
    ("recorded_at", "bigint"),
)
_FACETS = (
    ("node", "bigint"),
    ("name", "bigint"),
    ("revision", "integer"),
    ("body", "bytea"),
    ("batch", "bigint"),
    ("recorded_at", "bigint"),
)
_PARAMS = (
    ("node", "bigint"),
    ("field", "bigint"),
    ("revision", "integer"),
    ("text", "bigint"),
    ("number", "double precision"),
    ("source", "bigint"),
    ("actor", "bigint"),
    ("recorded_at", "bigint"),
)
_REFERENCES = (
    ("node", "bigint"),
    ("scheme", "bigint"),
    ("value", "bigint"),
    ("revision", "integer"),
    ("level", "text"),
    ("recorded_at", "bigint"),
)


class ManyRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to be added or brought up to date: its job as (namespace, name), the id of its parent.

    state, ended_at: how a run that is added stands; of a known one `set_states` tells.
    """

    run_id: str
    job: tuple[str, str]
    kind: str
    parent: str | None
    started_at: int
    name: str = ""  # of a new one
    state: State = State.RUNNING
    ended_at: int | None = None


class ManyState(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands since `at`."""

    node: int
    state: State
    at: int
    error: ErrorInfo | None = None


class ManyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to be added, identified by its digest alone among all versions. name: its reference, if it has one."""

    artifact: int
    digest: str
    level: Level
    reason: str
    location: str = ""
    name: str = ""


class Many:
    """ManyStore."""

    def find_runs(self, tx: Tx, run_ids: Iterable[str]) -> dict[str, int]:
        """The vertices of those runs that are known."""
        ids = list(run_ids)
        if not ids:
            return {}
        return dict(
            tx.rows(f"SELECT run_id, node FROM run WHERE run_id IN ({each(tx, 'ids', 'text')})", ids=ids)
        )

    def add_runs(
        self, tx: Tx, runs: Sequence[ManyRun], *, known: dict[str, int], actor: str, at: int
    ) -> dict[str, int]:
        """The vertices of new runs; a parent is among them or among the known.

        When another server records one of them at this very moment, the transaction ends with Unavailable.
        """
        if not runs:
            return {}
        word = add_words(tx, {actor, *(text for run in runs for text in (run.name, run.kind))})
        jobs = add_jobs(tx, {run.job for run in runs})
        nodes = _nodes(tx, NodeKind.RUN, len(runs))
        made = {run.run_id: node for node, run in zip(nodes, runs, strict=True)}
        vertices = known | made
        rows = [
            (
                node,
                run.run_id,
                jobs[run.job],
                word[run.name],
                word[run.kind],
                word[actor],
                vertices[run.parent] if run.parent else None,
                run.started_at,
                at,
                str(run.state),
                run.ended_at,
            )
            for node, run in zip(nodes, runs, strict=True)
        ]
        insert(tx, "run", RUN_COLUMNS, rows, conflict="")
        return made

    def update_runs(self, tx: Tx, runs: dict[int, ManyRun], *, known: dict[str, int]) -> None:
        """Bring what is said of known runs up to date; their parents are among the known."""
        if not runs:
            return
        word = add_words(tx, {run.kind for run in runs.values()})
        jobs = add_jobs(tx, {run.job for run in runs.values()})
        before: dict[int, int] = dict(
            tx.rows(f"SELECT node, job FROM run WHERE node IN ({each(tx, 'nodes')})", nodes=sorted(runs))
        )
        update(
            tx,
            "run",
            ("node", "bigint"),
            (("job", "bigint"), ("kind", "bigint"), ("parent", "bigint"), ("started_at", "bigint")),
            [
                (
                    node,
                    jobs[run.job],
                    word[run.kind],
                    known[run.parent] if run.parent else None,
                    run.started_at,
                )
                for node, run in sorted(runs.items())
            ],
        )
        for node, run in sorted(runs.items()):
            if before.get(node) != jobs[run.job]:
                relink(tx, node, recorded_at=run.started_at)

    def clear_parents(self, tx: Tx, nodes: Sequence[int]) -> None:
        """Let runs have no parent."""
        tx.run_each("UPDATE run SET parent = NULL WHERE node = :node", [{"node": node} for node in nodes])

    def get_parents(self, tx: Tx, nodes: Sequence[int]) -> dict[str, str]:
        """By the runs' ids: the parents of these runs, of those in turn, and so on to the last."""
        if not nodes:
            return {}
        rows = tx.rows(
            f"WITH RECURSIVE up (node) AS (SELECT item FROM ({each(tx, 'nodes')}) s UNION "
            "SELECT r.parent FROM up JOIN run r ON r.node = up.node WHERE r.parent IS NOT NULL) "
            "SELECT r.run_id, p.run_id FROM up JOIN run r ON r.node = up.node JOIN run p ON p.node = r.parent",
            nodes=list(nodes),
        )
        return dict(rows)

    def set_states(
        self, tx: Tx, states: Sequence[ManyState], *, fresh: Collection[int] = (), at: int
    ) -> None:
        """Record how runs stand; what was recorded before remains as history.

        Args:
            fresh: runs that were added with this state, and have no history.
        """
        if not states:
            return
        known = [state for state in states if state.node not in fresh]
        newest: dict[int, int] = {}
        if known:
            rows = tx.rows(
                f"SELECT node, max(revision) FROM run_state WHERE node IN ({each(tx, 'nodes')}) GROUP BY node",
                nodes=[state.node for state in known],
            )
            newest = dict(rows)
        tx.run_each(
            "UPDATE run_state SET retracted_at = :at WHERE node = :node AND retracted_at IS NULL",
            [{"node": node, "at": at} for node in newest],
        )
        insert(
            tx,
            "run_state",
            _STATES,
            [
                (
                    state.node,
                    newest.get(state.node, 0) + 1,
                    str(state.state),
                    state.at,
                    None if state.error is None else msgspec.json.encode(state.error),
                    at,
                )
                for state in states
            ],
        )
        update(
            tx,
            "run",
            ("node", "bigint"),
            (("state", "text"), ("ended_at", "bigint")),
            sorted((s.node, str(s.state), None if s.state is State.RUNNING else s.at) for s in known),
        )

    def add_artifacts(
        self, tx: Tx, names: Iterable[tuple[str, str]], *, kind: str, at: int
    ) -> dict[tuple[str, str], int]:
        """The numbers of artifacts by (namespace, name); new ones have no version yet."""
        return _named(tx, "artifact", set(names), kind, at)

    def find_versions(self, tx: Tx, digests: Iterable[str]) -> dict[tuple[int, str], int]:
        """The vertices of versions with these digests, by artifact and digest."""
        return self.ask_versions(tx, digests)()

    def ask_versions(self, tx: Tx, digests: Iterable[str]) -> Asked[dict[tuple[int, str], int]]:
        """As `find_versions`, for who needs them later."""
        wanted = [keep(digest) for digest in digests]
        if not wanted:
            return dict
        rows = tx.ask(
            f"SELECT artifact, digest, node FROM version WHERE digest IN ({each(tx, 'digests', 'text')})",
            digests=wanted,
        )
        return lambda: {(artifact, give(digest)): node for artifact, digest, node in rows()}

    def add_versions(
        self, tx: Tx, versions: Sequence[ManyVersion], *, kind: str, at: int
    ) -> dict[tuple[int, str], int]:
        """The vertices of new versions by artifact and digest, numbered per artifact in the order given."""
        if not versions:
            return {}
        word = add_words(tx, (kind,))[kind]
        grown: dict[int, int] = {}
        for version in versions:
            grown[version.artifact] = grown.get(version.artifact, 0) + 1
        hold = "ORDER BY id FOR NO KEY UPDATE" if tx.engine == "postgres" else ""
        held = tx.ask(
            f"SELECT id, version_count FROM artifact WHERE id IN ({each(tx, 'ids')}) {hold}", ids=list(grown)
        )
        nodes = _nodes(tx, NodeKind.VERSION, len(versions))
        number: dict[int, int] = dict(held())
        counts = sorted((artifact, number[artifact] + n) for artifact, n in grown.items())
        update(tx, "artifact", ("id", "bigint"), (("version_count", "bigint"),), counts)
        rows = []
        for node, version in zip(nodes, versions, strict=True):
            number[version.artifact] += 1
            rows.append(
                (
                    node,
                    version.artifact,
                    number[version.artifact],
                    keep(version.digest),
                    word,
                    str(version.level),
                    keep(version.reason),
                    keep(version.location),
                    at,
                )
            )
        insert(tx, "version", _VERSIONS, rows, conflict="")
        return {
            (version.artifact, version.digest): node for node, version in zip(nodes, versions, strict=True)
        }

    def add_references(
        self, tx: Tx, references: dict[int, str], *, scheme: str, level: Level, at: int
    ) -> None:
        """One name each by which new versions can be found again."""
        if not references:
            return
        word = add_words(tx, {scheme, *references.values()})
        insert(
            tx,
            "reference",
            _REFERENCES,
            [
                (node, word[scheme], word[text], 1, str(level), at)
                for node, text in sorted(references.items())
            ],
        )

    def add_facets(
        self, tx: Tx, facets: Sequence[tuple[int, str, bytes | None]], *, fresh: set[int], batch: int, at: int
    ) -> None:
        """Attach JSON documents to vertices under names (None: let what stands there cease to). What stood is history.

        Args:
            fresh: vertices that had none.
        """
        if not facets:
            return
        word = add_words(tx, {name for _, name, _ in facets})
        known = list({node for node, _, _ in facets} - fresh)
        names = list({word[name] for node, name, _ in facets if node not in fresh})
        newest: dict[tuple[int, int], int] = {}
        if known:
            rows = tx.rows(
                f"SELECT node, name, max(revision) FROM facet WHERE node IN ({each(tx, 'nodes')}) "
                f"AND name IN ({each(tx, 'names')}) GROUP BY node, name",
                nodes=known,
                names=names,
            )
            newest = {(node, name): revision for node, name, revision in rows}
        added = [
            (node, word[name], newest.get((node, word[name]), 0) + 1, body) for node, name, body in facets
        ]
        tx.run_each(
            "UPDATE facet SET retracted_at = :at WHERE node = :node AND name = :name AND retracted_at IS NULL",
            [{"node": node, "name": name, "at": at} for node, name, revision, _ in added if revision > 1],
        )
        insert(tx, "facet", _FACETS, [(*row, batch, at) for row in added if row[3] is not None])

    def add_first_params(self, tx: Tx, params: Sequence[tuple[int, Sequence[Attribute]]], *, at: int) -> None:
        """Parameters of new runs, by vertex; of a key that comes twice the last value is kept."""
        given = {(node, item.key): item for node, items in params for item in items}
        if not given:
            return
        fields = add_fields(tx, "params", {key for _, key in given})
        word = add_words(tx, {"", *(text for item in given.values() for text in (item.value, item.source))})
        rows: list[Row] = [
            (node, fields[key], 1, word[i.value], number_of(i.value), word[i.source], word[""], at)
            for (node, key), i in given.items()
        ]
        insert(tx, "attribute", _PARAMS, rows, conflict="")


def _nodes(tx: Tx, kind: NodeKind, count: int) -> list[int]:
    rows = tx.rows(_NODES[tx.engine], kind=int(kind), places=list(range(count)))
    return sorted(node for (node,) in rows)


def add_jobs(tx: Tx, names: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The numbers of jobs by (namespace, name), given now to those that are new."""
    return _named(tx, "job", names, "", 0)


def _named(tx: Tx, table: str, names: set[tuple[str, str]], kind: str, at: int) -> dict[tuple[str, str], int]:
    """The numbers of jobs or artifacts, given now to those that are new."""
    keys = {f"{len(space)}:{space}{name}": (space, name) for space, name in names}

    def ask(missing: list[str]) -> list[tuple[str, int]]:
        found = _add_named(tx, table, {keys[key] for key in missing}, kind, at)
        return [(key, found[keys[key]]) for key in missing]

    found = tx.numbers.find(table, keys, ask)
    return {name: found[key] for key, name in keys.items()}


def _add_named(
    tx: Tx, table: str, names: set[tuple[str, str]], kind: str, at: int
) -> dict[tuple[str, str], int]:
    word = add_words(tx, {text for name in names for text in name} | ({kind} if kind else set()))
    wanted = {(word[space], word[name]): (space, name) for space, name in names}
    found = _find_named(tx, table, wanted)
    if missing := sorted(key for key in wanted if wanted[key] not in found):
        columns: tuple[tuple[str, str], ...] = (("namespace", "bigint"), ("name", "bigint"))
        rows: list[Row] = list(missing)
        if kind:
            columns += (("kind", "bigint"), ("version_count", "bigint"), ("recorded_at", "bigint"))
            rows = [(*key, word[kind], 0, at) for key in missing]
        insert(tx, table, columns, rows)
        found |= _find_named(tx, table, {key: wanted[key] for key in missing})
    return found


def _find_named(
    tx: Tx, table: str, wanted: dict[tuple[int, int], tuple[str, str]]
) -> dict[tuple[str, str], int]:
    rows = tx.rows(
        f"SELECT id, namespace, name FROM {table} WHERE name IN ({each(tx, 'names')}) "
        f"AND namespace IN ({each(tx, 'spaces')})",
        names=list({name for _, name in wanted}),
        spaces=list({space for space, _ in wanted}),
    )
    return {wanted[space, name]: id for id, space, name in rows if (space, name) in wanted}
