"""The registry: names under which versions are known, and aliases that point at one and are moved with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import Conflict, NotFound
from lineal.core.model import AliasRecord, NamedVersion
from lineal.store.base import Row, Tx
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.text import give, keep
from lineal.store.words import add_words, find_word, get_words

_NAMED = "SELECT name, number, node, recorded_at, actor FROM named_version"
_ALIASES = (
    "SELECT a.name, a.alias, a.number, v.node, a.revision, a.recorded_at, a.retracted_at, a.actor, a.reason "
    "FROM alias a JOIN named_version v ON v.name = a.name AND v.number = a.number"
)


class Registry:
    """RegistryStore."""

    def register(self, tx: Tx, name: str, node: int, *, actor: str, at: int) -> NamedVersion:
        """Give a version the next number of a name; registered again it keeps the number it has.

        Raises NotFound: the vertex is no version.
        """
        if tx.value("SELECT node FROM version WHERE node = :node", node=node) is None:
            raise NotFound(f"vertex {node} is not a version", hint="only versions can be registered")
        word = add_words(tx, (name, actor))
        # The row of the name is taken first, so that two servers cannot give the same number.
        tx.run(
            "INSERT INTO registered (name, version_count) VALUES (:name, 0) "
            "ON CONFLICT (name) DO UPDATE SET version_count = registered.version_count",
            name=word[name],
        )
        row = tx.row(f"{_NAMED} WHERE name = :name AND node = :node", name=word[name], node=node)
        if row is None:
            number = tx.value(
                "UPDATE registered SET version_count = version_count + 1 WHERE name = :name RETURNING version_count",
                name=word[name],
            )
            row = (word[name], number, node, at, word[actor])
            tx.run(
                "INSERT INTO named_version (name, number, node, recorded_at, actor) "
                "VALUES (:name, :number, :node, :at, :actor)",
                name=word[name],
                number=number,
                node=node,
                at=at,
                actor=word[actor],
            )
        return _named(tx, [row])[0]

    def list_named(self, tx: Tx, name: str | None, *, limit: int = 1000) -> list[NamedVersion]:
        """Versions of a name, or of all names in byte order; by number."""
        where = "WHERE name = :name" if name is not None else ""
        rows = tx.rows(
            f"SELECT v.* FROM ({_NAMED} {where}) v JOIN word w ON w.id = v.name "
            "ORDER BY COALESCE(w.body, w.name), v.number LIMIT :limit",
            limit=limit,
            **({} if name is None else {"name": find_word(tx, name)}),
        )
        return _named(tx, rows)

    def list_names_of(self, tx: Tx, nodes: Sequence[int]) -> list[NamedVersion]:
        """The names and numbers under which versions are known, by vertex, then in order of arrival."""
        if not nodes:
            return []
        rows = tx.rows(
            f"{_NAMED} WHERE node IN ({each(tx, 'nodes')}) ORDER BY node, recorded_at, name",
            nodes=list(nodes),
        )
        return _named(tx, rows)

    def move_alias(
        self,
        tx: Tx,
        name: str,
        alias: str,
        number: int,
        *,
        expect: int | None,
        actor: str,
        reason: str,
        at: int,
    ) -> AliasRecord:
        """Point an alias at `name@number`; where it pointed before remains as history.

        Args:
            expect: the revision the caller decided on (0: the alias does not stand), or None to move it whatever it is.

        Raises:
            Conflict: it was moved meanwhile.
            NotFound: there is no version of that number.
        """
        now, newest = _revision(tx, name, alias)
        if expect is not None and now != expect:
            raise Conflict(
                f"alias {alias!r} of {name!r} is at revision {now}, not {expect}",
                hint="read it again and decide again",
                name=name,
                alias=alias,
            )
        word = add_words(tx, (name, alias, actor))
        key = {"name": word[name], "alias": word[alias]}
        if (
            tx.value(f"{_NAMED} WHERE name = :name AND number = :number", name=word[name], number=number)
            is None
        ):
            raise NotFound(
                f"there is no version {name}@{number}", hint=f"`lineal show {name}` lists its versions"
            )
        tx.run(
            f"UPDATE alias SET retracted_at = :at WHERE name = :name AND alias = :alias AND {STANDS}",
            at=at,
            **key,
        )
        tx.run(
            "INSERT INTO alias (name, alias, revision, number, actor, reason, recorded_at) "
            "VALUES (:name, :alias, :revision, :number, :actor, :reason, :at)",
            revision=newest + 1,
            number=number,
            actor=word[actor],
            reason=keep(reason),
            at=at,
            **key,
        )
        moved = self.get_alias(tx, name, alias)
        assert moved is not None
        return moved

    def get_alias(self, tx: Tx, name: str, alias: str, *, as_of: int | None = None) -> AliasRecord | None:
        """Where an alias points now, or pointed as far as was recorded at `as_of`; None when it does not stand."""
        rows = tx.rows(
            f"{_ALIASES} WHERE a.name = :name AND a.alias = :alias AND {recorded_by(as_of, 'a')}",
            name=find_word(tx, name),
            alias=find_word(tx, alias),
            **values_of(as_of),
        )
        found = _aliases(tx, rows)
        return found[0] if found else None

    def list_aliases(self, tx: Tx, name: str | None, *, history: bool = False) -> list[AliasRecord]:
        """The aliases of a name, or of all names; with their history when asked. By name, alias and revision."""
        where = [*(["a.name = :name"] if name is not None else []), *([] if history else [f"a.{STANDS}"])]
        rows = tx.rows(
            _ALIASES + (" WHERE " + " AND ".join(where) if where else ""),
            **({} if name is None else {"name": find_word(tx, name)}),
        )
        return _aliases(tx, rows)

    def retract_alias(self, tx: Tx, name: str, alias: str, *, at: int, actor: str, reason: str) -> None:
        """Let an alias cease to stand, and keep who did it and why. Made again later, its revisions go on.

        Raises NotFound: it does not stand.
        """
        if not _revision(tx, name, alias)[0]:
            raise NotFound(f"{name!r} has no alias {alias!r}", hint=f"`lineal show {name}` lists its aliases")
        tx.run(
            "UPDATE alias SET retracted_at = :at, retracted_by = :actor, retract_reason = :reason "
            f"WHERE name = :name AND alias = :alias AND {STANDS}",
            at=at,
            actor=add_words(tx, (actor,))[actor],
            reason=keep(reason),
            name=find_word(tx, name),
            alias=find_word(tx, alias),
        )


def _revision(tx: Tx, name: str, alias: str) -> tuple[int, int]:
    """The revision of an alias that stands (0: none does), and the newest there ever was."""
    key = {"name": find_word(tx, name), "alias": find_word(tx, alias)}
    if tx.engine == "postgres":  # reading then moving must not race with another server
        tx.rows("SELECT version_count FROM registered WHERE name = :name FOR UPDATE", name=key["name"])
    row = tx.row(
        "SELECT revision, retracted_at FROM alias WHERE name = :name AND alias = :alias ORDER BY revision DESC LIMIT 1",
        **key,
    )
    if row is None:
        return 0, 0
    return (0 if row[1] is not None else row[0]), row[0]


def _named(tx: Tx, rows: list[Row]) -> list[NamedVersion]:
    words = get_words(tx, {id for row in rows for id in (row[0], row[4])}) if rows else {}
    return [
        NamedVersion(name=words[name], number=number, node=node, recorded_at=at, actor=words[actor])
        for name, number, node, at, actor in rows
    ]


def _aliases(tx: Tx, rows: list[Row]) -> list[AliasRecord]:
    words = get_words(tx, {id for row in rows for id in (row[0], row[1], row[7])}) if rows else {}
    found = [
        AliasRecord(
            name=words[row[0]],
            alias=words[row[1]],
            number=row[2],
            node=row[3],
            revision=row[4],
            recorded_at=row[5],
            retracted_at=row[6],
            actor=words[row[7]],
            reason=give(row[8]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda record: (record.name.encode(), record.alias.encode(), record.revision))
