"""Many versions at once: a batch of facts costs a few statements, however many files it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lineal.core.errors import Invalid
from lineal.core.events import Reference, VersionState
from lineal.core.model import NodeKind
from lineal.store.bulk import insert, insert_returning, update
from lineal.store.history import STANDS
from lineal.store.lists import each, each_pair, pairs
from lineal.store.nodes import add_nodes, hold_nodes
from lineal.store.text import give, keep
from lineal.store.tx import Tx
from lineal.store.words import add_words

# A kind that says nothing yet, so that a later report may name a better one.
_VAGUE = ("dataset", "other", "")
_LONGEST_DIGEST = 512

_ARTIFACT = (
    ("namespace", "bigint"),
    ("name", "bigint"),
    ("kind", "bigint"),
    ("version_count", "bigint"),
    ("recorded_at", "bigint"),
)
_VERSION = (
    ("node", "bigint"),
    ("artifact", "bigint"),
    ("number", "bigint"),
    ("digest", "text"),
    ("kind", "bigint"),
    ("level", "text"),
    ("reason", "text"),
    ("size", "bigint"),
    ("location", "text"),
    ("recorded_at", "bigint"),
)
_REFERENCE = (
    ("node", "bigint"),
    ("scheme", "bigint"),
    ("value", "bigint"),
    ("revision", "integer"),
    ("level", "text"),
    ("recorded_at", "bigint"),
    ("retracted_at", "bigint"),
)

_Name = tuple[int, int]  # the words of an artifact's namespace and name


@dataclass(slots=True)
class _Artifact:
    id: int
    count: int  # versions it has, numbered so far
    fresh: bool  # made in this very transaction: nobody else adds to it


@dataclass(slots=True)
class _Version:
    """A version as it stands, or (node 0) as it will be inserted."""

    artifact: _Artifact
    node: int
    kind: str
    size: int | None
    location: str
    said: VersionState | None = None  # of one to be inserted
    digest: str | None = None  # likewise, as stored
    number: int = 0
    changed: bool = False  # what stands lacked something that it has now
    better: bool = False  # its kind among that

    def take_over(self, said: VersionState) -> None:
        """A size, a location or a telling kind that it lacked."""
        if self.kind in _VAGUE and said.kind not in _VAGUE:
            self.kind, self.changed, self.better = said.kind, True, True
        if self.size is None and said.size is not None:
            self.size, self.changed = said.size, True
        if not self.location and said.location:
            self.location, self.changed = keep(said.location), True


def add(tx: Tx, states: Sequence[VersionState], *, recorded_at: int) -> list[tuple[int, bool]]:
    """For each state the vertex of its version and whether that existed, as if they had come one after the other.

    Raises Invalid: a digest is longer than 512 characters.
    """
    digests = [_stored(state.digest) for state in states]
    word = add_words(tx, {text for s in states for text in (s.namespace, s.name, s.kind)})
    named = [(word[s.namespace], word[s.name]) for s in states]
    kinds = {name: word[s.kind] for name, s in zip(reversed(named), reversed(states), strict=True)}
    by_name = _artifacts(tx, kinds, _counted(named, digests), recorded_at)
    wanted = [(by_name[name], digest) for name, digest in zip(named, digests, strict=True)]
    known = _known(tx, wanted)
    told: list[tuple[_Version, bool]] = []
    for said, (artifact, digest) in zip(states, wanted, strict=True):
        version = None if digest is None else known.get((artifact.id, digest))
        if version is not None:
            version.take_over(said)
            told.append((version, True))
            continue
        version = _Version(artifact, 0, said.kind, said.size, keep(said.location), said, digest)
        told.append((version, False))
        if digest is not None:
            known[artifact.id, digest] = version
    _insert(tx, [version for version, existed in told if not existed], word, recorded_at)
    _update(tx, [version for version in known.values() if version.changed])
    return [(version.node, existed) for version, existed in told]


def add_references(tx: Tx, named: Iterable[tuple[int, Sequence[Reference]]], *, at: int) -> None:
    """Names by which the data of versions can be found, by vertex; one that stands already with its level stays as it is."""
    wanted = [(node, item) for node, items in named for item in items]
    if not wanted:
        return
    nodes = sorted({node for node, _ in wanted})
    hold_nodes(tx, nodes)
    word = add_words(tx, {text for _, item in wanted for text in (item.scheme, item.value)})
    newest = {
        tuple(row[:3]): row[3:]
        for row in tx.rows(
            "SELECT node, scheme, value, revision, level, retracted_at FROM reference "
            f"WHERE node IN ({each(tx, 'nodes')}) ORDER BY revision",
            nodes=nodes,
        )
    }
    added: dict[tuple[int, ...], list[object]] = {}
    retracted: list[dict[str, object]] = []
    for node, item in wanted:
        key, level = (node, word[item.scheme], word[item.value]), str(item.level)
        revision, standing, ended = newest.get(key, (0, "", 0))
        if ended is None and standing == level:
            continue
        if ended is None and (*key, revision) in added:  # replaced by this very call
            added[(*key, revision)][-1] = at
        elif ended is None:
            retracted.append(dict(zip(("node", "scheme", "value", "at"), (*key, at), strict=True)))
        newest[key] = (revision + 1, level, None)
        added[(*key, revision + 1)] = [*key, revision + 1, level, at, None]
    tx.run_each(
        f"UPDATE reference SET retracted_at = :at WHERE node = :node AND scheme = :scheme AND value = :value AND {STANDS}",
        retracted,
    )
    insert(tx, "reference", _REFERENCE, [tuple(row) for row in added.values()], conflict="")


def _stored(digest: str | None) -> str | None:
    if digest is not None and len(digest) > _LONGEST_DIGEST:
        raise Invalid(
            f"a digest of {len(digest)} characters was given, at most {_LONGEST_DIGEST} are wanted",
            hint="give `sha256:` and 64 hex digits",
        )
    return None if digest is None else keep(digest)


def _counted(named: Sequence[_Name], digests: Sequence[str | None]) -> dict[_Name, int]:
    """How many versions an artifact of each name gets if it has none yet."""
    count: dict[_Name, int] = {}
    told: set[tuple[_Name, str]] = set()
    for name, digest in zip(named, digests, strict=True):
        if digest is None or (name, digest) not in told:
            count[name] = count.get(name, 0) + 1
            if digest is not None:
                told.add((name, digest))
    return count


def _artifacts(
    tx: Tx, kinds: dict[_Name, int], counts: dict[_Name, int], recorded_at: int
) -> dict[_Name, _Artifact]:
    """The artifacts of these names, made now where there is none; of a new one kinds: what it is, counts: how many versions it
    is about to have."""
    found = _find(tx, kinds)
    # In one order, so that two writers never wait for each other in a ring.
    missing = sorted(name for name in kinds if name not in found)
    if missing:
        rows = [(*name, kinds[name], counts[name], recorded_at) for name in missing]
        for namespace, name, id in insert_returning(
            tx, "artifact", _ARTIFACT, rows, ("namespace", "name", "id")
        ):
            found[namespace, name] = _Artifact(id, 0, True)
        if others := [name for name in missing if name not in found]:  # another server was faster with these
            found |= _find(tx, others)
    return found


def _find(tx: Tx, names: Iterable[_Name]) -> dict[_Name, _Artifact]:
    spaces: dict[int, list[int]] = {}
    for namespace, name in names:
        spaces.setdefault(namespace, []).append(name)
    return {
        (namespace, name): _Artifact(id, count, False)
        for namespace, wanted in spaces.items()
        for id, name, count in tx.rows(
            "SELECT id, name, version_count FROM artifact "
            f"WHERE namespace = :namespace AND name IN ({each(tx, 'names')})",
            namespace=namespace,
            names=wanted,
        )
    }


def _known(tx: Tx, wanted: Sequence[tuple[_Artifact, str | None]]) -> dict[tuple[int, str], _Version]:
    """The versions that are there already, by artifact and digest.

    From here to the commit nobody else numbers versions of an artifact that will get a new one.
    """
    old = {artifact.id: artifact for artifact, _ in wanted if not artifact.fresh}
    asked = list(dict.fromkeys((a.id, digest) for a, digest in wanted if digest is not None and not a.fresh))
    found = _find_versions(tx, asked, old)
    if tx.engine == "sqlite":  # one writer at a time
        return found
    growing = {
        a.id for a, digest in wanted if not a.fresh and (digest is None or (a.id, digest) not in found)
    }
    if growing:
        for id, count in tx.rows(
            f"SELECT id, version_count FROM artifact WHERE id IN ({each(tx, 'ids')}) ORDER BY id FOR NO KEY UPDATE",
            ids=sorted(growing),
        ):
            old[id].count = count
        # Another server may have added them while we waited.
        found |= _find_versions(tx, [key for key in asked if key not in found], old)
    return found


def _find_versions(
    tx: Tx, wanted: list[tuple[int, str]], by_id: dict[int, _Artifact]
) -> dict[tuple[int, str], _Version]:
    if not wanted:
        return {}
    rows = tx.rows(
        "SELECT v.artifact, v.digest, v.node, COALESCE(w.body, w.name), v.size, v.location "
        f"FROM ({each_pair(tx, 'wanted', 'bigint', 'text')}) k CROSS JOIN version v CROSS JOIN word w "
        "WHERE v.artifact = k.one AND v.digest = k.other AND w.id = v.kind",
        **pairs(tx, "wanted", wanted),
    )
    return {
        (artifact, digest): _Version(by_id[artifact], node, give(kind), size, location)
        for artifact, digest, node, kind, size, location in rows
    }


def _insert(tx: Tx, new: Sequence[_Version], word: dict[str, int], recorded_at: int) -> None:
    """Number the new versions in their order, and insert them."""
    if not new:
        return
    for version, node in zip(new, add_nodes(tx, NodeKind.VERSION, len(new)), strict=True):
        version.artifact.count += 1
        version.number, version.node = version.artifact.count, node
    counts = {v.artifact.id: v.artifact.count for v in new if not v.artifact.fresh}  # a new one was told it
    update(tx, "artifact", ("id", "bigint"), (("version_count", "bigint"),), sorted(counts.items()))
    rows = []
    for version in new:
        said = version.said
        assert said is not None
        place = (version.node, version.artifact.id, version.number)
        what = (version.digest, word[version.kind], str(said.level), keep(said.reason), version.size)
        rows.append((*place, *what, version.location, recorded_at))
        version.changed = (
            version.changed and version.better
        )  # inserted as it is now; its artifact is told its kind
    insert(tx, "version", _VERSION, rows, conflict="")


def _update(tx: Tx, changed: Sequence[_Version]) -> None:
    """Let versions that stand take over what they lacked; what another server wrote meanwhile is left."""
    word = add_words(tx, {v.kind for v in changed}) if changed else {}
    tx.run_each(
        "UPDATE version SET size = COALESCE(size, :size), "
        "location = CASE WHEN location = '' THEN :location ELSE location END, "
        "kind = CASE WHEN :better = 1 THEN :kind ELSE kind END WHERE node = :node",
        [
            {
                "node": v.node,
                "size": v.size,
                "location": v.location,
                "better": int(v.better),
                "kind": word[v.kind],
            }
            for v in sorted(changed, key=lambda version: version.node)
            if v.said is None
        ],
    )
    better = {v.artifact.id: word[v.kind] for v in changed if v.better}
    update(tx, "artifact", ("id", "bigint"), (("kind", "bigint"),), sorted(better.items()))
