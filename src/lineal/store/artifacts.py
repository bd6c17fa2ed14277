"""Artifacts: named series of versions, each identified by the digest of its content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineal.core.errors import Invalid
from lineal.core.events import Level, Member, Reference
from lineal.core.model import NodeKind, VersionRecord
from lineal.store.base import Row, Tx
from lineal.store.bulk import insert
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.nodes import add_node, hold_node
from lineal.store.text import above, give, keep
from lineal.store.words import add_words, find_word, get_words

# A kind that says nothing yet, so that a later report may name a better one.
_VAGUE = ("dataset", "other", "")
_LONGEST_DIGEST = 512

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
        if digest is not None and len(digest) > _LONGEST_DIGEST:
            raise Invalid(
                f"a digest of {len(digest)} characters was given, at most {_LONGEST_DIGEST} are wanted",
                hint="give `sha256:` and 64 hex digits",
            )
        word = add_words(tx, (namespace, name, kind))
        said = {"kind": word[kind], "size": size, "location": keep(location)}
        artifact, fresh = _artifact(tx, word[namespace], word[name], word[kind], recorded_at)
        number = 1
        if not fresh:
            if digest is not None and (known := _fill_in(tx, artifact, keep(digest), kind, said)):
                return known, True
            count = "UPDATE artifact SET version_count = version_count + {} WHERE id = :artifact RETURNING version_count"
            number = tx.value(count.format(1), artifact=artifact)
            again = digest is not None and tx.engine == "postgres"
            if again and (known := _fill_in(tx, artifact, keep(digest or ""), kind, said)):
                # Another server added it while we waited for the artifact's row.
                tx.value(count.format(-1), artifact=artifact)
                return known, True
        node = add_node(tx, NodeKind.VERSION)
        tx.run(
            "INSERT INTO version (node, artifact, number, digest, kind, level, reason, size, location, recorded_at) "
            "VALUES (:node, :artifact, :number, :digest, :kind, :level, :reason, :size, :location, :recorded_at)",
            node=node,
            artifact=artifact,
            number=number,
            digest=None if digest is None else keep(digest),
            level=str(level),
            reason=keep(reason),
            recorded_at=recorded_at,
            **said,
        )
        return node, False

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
        if not references:
            return
        hold_node(tx, node)
        word = add_words(tx, {text for item in references for text in (item.scheme, item.value)})
        for item in references:
            key = {"node": node, "scheme": word[item.scheme], "value": word[item.value]}
            now = tx.row(
                "SELECT revision, level, retracted_at FROM reference "
                "WHERE node = :node AND scheme = :scheme AND value = :value ORDER BY revision DESC LIMIT 1",
                **key,
            )
            if now is not None and now[2] is None:
                if now[1] == str(item.level):
                    continue
                tx.run(
                    "UPDATE reference SET retracted_at = :at "
                    f"WHERE node = :node AND scheme = :scheme AND value = :value AND {STANDS}",
                    at=at,
                    **key,
                )
            tx.run(
                "INSERT INTO reference (node, scheme, value, revision, level, recorded_at) "
                "VALUES (:node, :scheme, :value, :revision, :level, :at)",
                revision=1 if now is None else now[0] + 1,
                level=str(item.level),
                at=at,
                **key,
            )

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
        word = add_words(tx, {member.path for member in members}) if members else {}
        insert(
            tx,
            "member",
            (("node", "bigint"), ("path", "bigint"), ("digest", "text"), ("size", "bigint")),
            [(node, word[m.path], keep(m.digest), m.size) for m in members],
        )

    def get_members(self, tx: Tx, node: int) -> list[Member]:
        """The files of a directory's manifest, in byte order of their paths."""
        rows = tx.rows(
            "SELECT COALESCE(w.body, w.name) AS path, m.digest, m.size FROM member m JOIN word w ON w.id = m.path "
            "WHERE m.node = :node ORDER BY path",
            node=node,
        )
        return [Member(path=give(path), digest=give(digest), size=size) for path, digest, size in rows]


def _artifact(tx: Tx, namespace: int, name: int, kind: int, recorded_at: int) -> tuple[int, bool]:
    """The number of an artifact, and whether it was made just now, with one version counted."""
    find = "SELECT id FROM artifact WHERE name = :name AND namespace = :namespace"
    found = tx.value(find, namespace=namespace, name=name)
    if found is not None:
        return int(found), False
    made = tx.value(
        "INSERT INTO artifact (namespace, name, kind, version_count, recorded_at) "
        "VALUES (:namespace, :name, :kind, 1, :recorded_at) ON CONFLICT DO NOTHING RETURNING id",
        namespace=namespace,
        name=name,
        kind=kind,
        recorded_at=recorded_at,
    )
    if made is not None:
        return int(made), True
    return int(tx.value(find, namespace=namespace, name=name)), False  # another server was faster


def _fill_in(tx: Tx, artifact: int, digest: str, kind: str, said: dict[str, Any]) -> int | None:
    """The vertex of a version known by its digest, after it has taken over what it lacked; None when there is none."""
    row = tx.row(
        "SELECT v.node, w.name, v.size, v.location FROM version v JOIN word w ON w.id = v.kind "
        "WHERE v.artifact = :artifact AND v.digest = :digest",
        artifact=artifact,
        digest=digest,
    )
    if row is None:
        return None
    node, known_kind, size, location = row
    better = known_kind in _VAGUE and kind not in _VAGUE
    if better or (size is None and said["size"] is not None) or (not location and said["location"]):
        tx.run(
            "UPDATE version SET size = COALESCE(size, :size), "
            "location = CASE WHEN location = '' THEN :location ELSE location END"
            + (", kind = :kind" if better else "")
            + " WHERE node = :node",
            node=node,
            size=said["size"],
            location=said["location"],
            **({"kind": said["kind"]} if better else {}),
        )
    if better:
        tx.run("UPDATE artifact SET kind = :kind WHERE id = :artifact", kind=said["kind"], artifact=artifact)
    return int(node)


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
