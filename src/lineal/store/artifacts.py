"""Artifacts: named series of versions, each identified by the digest of its content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineal.core.events import Level, Member, Reference, VersionState
from lineal.core.model import VersionRecord
from lineal.store import versions
from lineal.store.bulk import insert
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.nodes import hold_node
from lineal.store.text import above, give, keep
from lineal.store.tx import Row, Tx
from lineal.store.words import add_words, find_word, find_words, get_words

_GREATEST = 2**63 - 1
_MOST_CARRIERS = 1000  # of one reference
_VERSIONS = f"""
SELECT v.node, v.artifact, a.namespace, a.name, v.kind, v.number, v.digest, v.level, v.reason, v.size, v.location,
       v.recorded_at, d.recorded_at
FROM version v
JOIN artifact a ON a.id = v.artifact
LEFT JOIN deletion d ON d.node = v.node AND d.{STANDS}
"""


class Artifacts:
    """ArtifactStore."""

    def add_version(
        self,
        tx: Tx,
        *,
        namespace: str,
        name: str,
        kind: str,
        digest: str | None,
        level: Level,
        reason: str,
        size: int | None,
        location: str,
        recorded_at: int,
    ) -> tuple[int, bool]:
        """The vertex of a version and whether it existed; numbered from 1 per artifact in order of arrival.

        Without a digest it is a new version always. A version known already takes over a size, a location or a telling
        kind that it lacked. Raises Invalid: the digest is longer than 512 characters.
        """
        said = VersionState(
            namespace=namespace,
            name=name,
            kind=kind,
            digest=digest,
            level=level,
            reason=reason,
            size=size,
            location=location,
        )
        return versions.add(tx, [said], recorded_at=recorded_at)[0]

    def add_versions(
        self, tx: Tx, states: Sequence[VersionState], *, recorded_at: int
    ) -> list[tuple[int, bool]]:
        """As `add_version` for one after the other, with their references, and of new ones the files in them.

        Their facets are not kept here. Raises as `add_version`.
        """
        made = versions.add(tx, states, recorded_at=recorded_at)
        named = ((node, s.references) for (node, _), s in zip(made, states, strict=True))
        versions.add_references(tx, named, at=recorded_at)
        files = [
            (node, member)
            for (node, existed), state in zip(made, states, strict=True)
            if not existed
            for member in state.members
        ]
        _add_members(tx, files)
        return made

    def complete_version(
        self, tx: Tx, node: int, *, digest: str, level: Level, size: int, members: Sequence[Member]
    ) -> bool:
        """Give a version that was recorded before its bytes were whole their digest and files; whether it took them.

        It does not when it has a digest already, or when another version of the artifact has this one.
        """
        hold_node(tx, node)
        row = tx.row("SELECT artifact, digest FROM version WHERE node = :node", node=node)
        if row is None or row[1] is not None:
            return False
        tx.run(
            "UPDATE artifact SET version_count = version_count WHERE id = :id", id=row[0]
        )  # held, as by add_version
        taken = tx.value(
            "SELECT node FROM version WHERE artifact = :artifact AND digest = :digest",
            artifact=row[0],
            digest=keep(digest),
        )
        if taken is not None:
            return False
        tx.run(
            "UPDATE version SET digest = :digest, level = :level, reason = '', size = :size WHERE node = :node",
            node=node,
            digest=keep(digest),
            level=str(level),
            size=size,
        )
        self.add_members(tx, node, members)
        return True

    def get_versions(self, tx: Tx, nodes: Sequence[int]) -> dict[int, VersionRecord]:
        """Versions by vertex; vertices that are none are left out."""
        rows = (
            tx.rows(f"{_VERSIONS} WHERE v.node IN ({each(tx, 'nodes')})", nodes=list(nodes)) if nodes else []
        )
        return {record.node: record for record in _records(tx, rows)}

    def list_versions(
        self, tx: Tx, namespace: str | None, name: str, *, limit: int = 1000
    ) -> list[VersionRecord]:
        """The newest versions of an artifact (of every artifact of that name, when `namespace` is None), newest first."""
        words = [find_word(tx, text) for text in (name, namespace) if text is not None]
        if None in words:
            return []
        where = "a.name = :name" if namespace is None else "a.name = :name AND a.namespace = :namespace"
        rows = tx.rows(
            f"{_VERSIONS} WHERE {where} ORDER BY v.recorded_at DESC, v.node DESC LIMIT :limit",
            limit=limit,
            **dict(zip(("name", "namespace"), words, strict=False)),
        )
        return _records(tx, rows)

    def list_by_number(self, tx: Tx, namespace: str | None, name: str, number: int) -> list[VersionRecord]:
        """The version of that number of an artifact, of every artifact of that name when `namespace` is None."""
        words = [find_word(tx, text) for text in (name, namespace) if text is not None]
        if None in words or number > _GREATEST:
            return []
        where = "a.name = :name" if namespace is None else "a.name = :name AND a.namespace = :namespace"
        rows = tx.rows(
            f"{_VERSIONS} WHERE {where} AND v.number = :number ORDER BY v.node",
            number=number,
            **dict(zip(("name", "namespace"), words, strict=False)),
        )
        return _records(tx, rows)

    def list_by_digest(self, tx: Tx, prefix: str, limit: int) -> list[VersionRecord]:
        """Versions whose digest begins so (`sha256:ab12`), in order of the digest, then of arrival. An empty prefix: none."""
        if not prefix:
            return []
        low = keep(prefix)
        rows = tx.rows(
            f"{_VERSIONS} WHERE v.digest >= :low AND v.digest < :high ORDER BY v.digest, v.node LIMIT :limit",
            low=low,
            high=above(low),
            limit=limit,
        )
        return _records(tx, rows)

    def list_shared(self, tx: Tx, digests: Sequence[str]) -> list[str]:
        """Those of the digests that more than one version has, in byte order."""
        if not digests:
            return []
        rows = tx.rows(
            f"SELECT digest FROM version WHERE digest IN ({each(tx, 'digests', 'text')}) GROUP BY digest HAVING count(*) > 1",
            digests=[keep(digest) for digest in digests],
        )
        return sorted(give(digest) for (digest,) in rows)

    def list_artifacts(self, tx: Tx, *, limit: int) -> list[tuple[str, str, str]]:
        """Namespace, name and kind of every artifact, in order of arrival."""
        rows = tx.rows("SELECT namespace, name, kind FROM artifact ORDER BY id LIMIT :limit", limit=limit)
        words = get_words(tx, {word for row in rows for word in row})
        return [(words[a], words[b], words[c]) for a, b, c in rows]

    def add_references(self, tx: Tx, node: int, references: Sequence[Reference], *, at: int) -> None:
        """Names by which the version's data can be found; one that stands already with its level is left as it is."""
        versions.add_references(tx, [(node, references)], at=at)

    def list_by_reference(self, tx: Tx, scheme: str, value: str) -> list[int]:
        """The versions that carry this reference now, in order of their arrival; at most 1,000."""
        words = [find_word(tx, text) for text in (scheme, value)]
        if None in words:
            return []
        rows = tx.rows(
            f"SELECT r.node FROM reference r WHERE r.value = :value AND r.scheme = :scheme AND r.{STANDS} "
            "ORDER BY r.node LIMIT :limit",
            scheme=words[0],
            value=words[1],
            limit=_MOST_CARRIERS,
        )
        return [node for (node,) in rows]

    def list_by_references(
        self, tx: Tx, references: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], list[int]]:
        """By scheme and value, the versions that carry that reference now, as `list_by_reference`."""
        named = set(references)
        word = find_words(tx, {text for pair in named for text in pair})
        wanted = {
            (word[one], word[other]): (one, other) for one, other in named if {one, other} <= word.keys()
        }
        if not wanted:
            return {}
        found: dict[tuple[str, str], list[int]] = {}
        for scheme, value, node in tx.rows(
            f"SELECT r.scheme, r.value, r.node FROM reference r WHERE r.value IN ({each(tx, 'values')}) AND r.{STANDS} "
            "ORDER BY r.node",
            values=sorted({value for _, value in wanted}),
        ):
            if (pair := wanted.get((scheme, value))) is not None:
                found.setdefault(pair, []).append(node)
        return {pair: nodes[:_MOST_CARRIERS] for pair, nodes in found.items()}

    def get_references(
        self, tx: Tx, nodes: Sequence[int], *, as_of: int | None = None
    ) -> dict[int, list[Reference]]:
        """The references of versions by vertex, in order of arrival."""
        rows = (
            tx.rows(
                "SELECT r.node, r.scheme, r.value, r.level FROM reference r "
                f"WHERE r.node IN ({each(tx, 'nodes')}) AND {recorded_by(as_of, 'r')} "
                "ORDER BY r.node, r.recorded_at, r.scheme, r.value",
                nodes=list(nodes),
                **values_of(as_of),
            )
            if nodes
            else []
        )
        words = get_words(tx, {word for row in rows for word in row[1:3]})
        found: dict[int, list[Reference]] = {}
        for node, scheme, value, level in rows:
            reference = Reference(scheme=words[scheme], value=words[value], level=Level(level))
            found.setdefault(node, []).append(reference)
        return found

    def add_members(self, tx: Tx, node: int, members: Sequence[Member]) -> None:
        """The files of a directory's manifest. A path that is known stays as it is: a version never changes."""
        _add_members(tx, [(node, member) for member in members])

    def get_members(self, tx: Tx, node: int) -> list[Member]:
        """The files of a directory's manifest, in byte order of their paths."""
        rows = tx.rows(
            "SELECT COALESCE(w.body, w.name) AS path, m.digest, m.size FROM member m JOIN word w ON w.id = m.path "
            "WHERE m.node = :node ORDER BY path",
            node=node,
        )
        return [Member(path=give(path), digest=give(digest), size=size) for path, digest, size in rows]


def _add_members(tx: Tx, files: Sequence[tuple[int, Member]]) -> None:
    """The files of manifests, each with the vertex it belongs to."""
    word = add_words(tx, {member.path for _, member in files}) if files else {}
    insert(
        tx,
        "member",
        (("node", "bigint"), ("path", "bigint"), ("digest", "text"), ("size", "bigint")),
        [(node, word[m.path], keep(m.digest), m.size) for node, m in files],
    )


def _records(tx: Tx, rows: list[Row]) -> list[VersionRecord]:
    words = get_words(tx, {word for row in rows for word in row[2:5]}) if rows else {}
    return [
        VersionRecord(
            node=row[0],
            artifact=row[1],
            namespace=words[row[2]],
            name=words[row[3]],
            kind=words[row[4]],
            number=row[5],
            digest=None if row[6] is None else give(row[6]),
            level=Level(row[7]),
            reason=give(row[8]),
            size=row[9],
            location=give(row[10]),
            recorded_at=row[11],
            deleted_at=row[12],
        )
        for row in rows
    ]
