"""The registry: names under which versions are known, and aliases that point at one and are moved with a reason.

A registered name is a thing with a name, not the name itself: it can be renamed, and deleted. What was deleted stays as
rows that no longer stand, and its name is free for another.
"""

from __future__ import annotations

from collections.abc import Sequence

from lineal.core.errors import Conflict, NotFound
from lineal.core.model import AliasRecord, NamedVersion
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.text import give, keep
from lineal.store.tx import Row, Tx
from lineal.store.words import add_words, find_word, get_words

_RETRACT = "SET retracted_at = :at, retracted_by = :actor, retract_reason = :reason"
_ALIAS = (
    "a.alias, a.number, v.node, a.revision, a.recorded_at, a.retracted_at, a.actor, a.reason "
    "FROM alias a JOIN named_version v ON v.registered = a.registered AND v.number = a.number"
)


class Registry:
    """RegistryStore."""

    def add_name(self, tx: Tx, name: str, *, actor: str, at: int) -> None:
        """Register a name without a version. Raises Conflict: it is taken."""
        if not _add(tx, name, actor, at)[1]:
            raise Conflict(f"{name!r} is registered already", hint="choose another name", name=name)

    def register(
        self, tx: Tx, name: str, node: int, *, actor: str, at: int, again: bool = False
    ) -> NamedVersion:
        """Give a version the next number of a name, which is registered if it is new.

        Args:
            again: give a version that has a number of this name another one; else it keeps the one it has.

        Raises NotFound: the vertex is no version.
        """
        if tx.value("SELECT node FROM version WHERE node = :node", node=node) is None:
            raise NotFound(f"vertex {node} is not a version", hint="only versions can be registered")
        registered, _ = _add(tx, name, actor, at)
        row = None
        if not again:
            row = tx.row(
                "SELECT number, recorded_at, actor FROM named_version "
                f"WHERE registered = :registered AND node = :node AND {STANDS} ORDER BY number LIMIT 1",
                registered=registered,
                node=node,
            )
        if row is not None:
            known = get_words(tx, {row[2]})[row[2]]
            return NamedVersion(name=name, number=row[0], node=node, recorded_at=row[1], actor=known)
        number = tx.value(
            "UPDATE registered SET version_count = version_count + 1 WHERE id = :id RETURNING version_count",
            id=registered,
        )
        tx.run(
            "INSERT INTO named_version (registered, number, node, actor, recorded_at) "
            "VALUES (:registered, :number, :node, :actor, :at)",
            registered=registered,
            number=number,
            node=node,
            actor=add_words(tx, (actor,))[actor],
            at=at,
        )
        return NamedVersion(name=name, number=number, node=node, recorded_at=at, actor=actor)

    def rename(self, tx: Tx, name: str, new: str, *, actor: str, at: int) -> None:
        """Let what is registered as `name` be known as `new`; its numbers and aliases go with it.

        Raises NotFound: nothing is registered so; Conflict: the new name is taken.
        """
        registered = _hold(tx, name)
        if find_registered(tx, new) is not None:
            raise Conflict(f"{new!r} is registered already", hint="choose another name", name=new)
        word = add_words(tx, (new, actor))
        _retract(
            tx, "registered_name", "registered = :registered", actor, "renamed", at, registered=registered
        )
        tx.run(
            "INSERT INTO registered_name (registered, revision, name, actor, recorded_at) "
            "SELECT CAST(:registered AS bigint), max(revision) + 1, :name, :actor, :at FROM registered_name "
            "WHERE registered = :registered",
            registered=registered,
            name=word[new],
            actor=word[actor],
            at=at,
        )

    def retract_named(
        self, tx: Tx, name: str, number: int | None, *, actor: str, reason: str, at: int
    ) -> None:
        """Let a version of a name cease to be one, or (number None) the whole name, which is free again then.

        Aliases that point there cease to stand too. Raises NotFound: it does not stand.
        """
        registered = _hold(tx, name)
        where, key = "registered = :registered", {"registered": registered}
        if number is not None:
            where, key = f"{where} AND number = :number", {**key, "number": number}
            if tx.value(f"SELECT number FROM named_version WHERE {where} AND {STANDS}", **key) is None:
                raise NotFound(
                    f"there is no version {name}@{number}", hint=f"`lineal show {name}` lists its versions"
                )
        for table in ("alias", "named_version", *(["registered_name"] if number is None else [])):
            _retract(tx, table, where, actor, reason, at, **key)
        if number is None:
            tx.run("UPDATE registered SET retracted_at = :at WHERE id = :id", id=registered, at=at)

    def list_names(self, tx: Tx, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """The registered names that stand, with or without versions, in byte order, behind the name `after`."""
        rows = tx.rows(
            "SELECT COALESCE(w.body, w.name) AS name FROM registered_name n JOIN word w ON w.id = n.name "
            f"WHERE n.{STANDS} AND COALESCE(w.body, w.name) >= :prefix AND COALESCE(w.body, w.name) > :after "
            "ORDER BY name LIMIT :limit",
            prefix=keep(prefix),
            after=keep(after),
            limit=limit,
        )
        return [name for name in (give(text) for (text,) in rows) if name.startswith(prefix)]

    def list_named(
        self, tx: Tx, name: str | None, *, limit: int = 1000, as_of: int | None = None
    ) -> list[NamedVersion]:
        """Versions of a name, or of all names in byte order; by number. As they stand, or stood at `as_of`."""
        where = "AND n.name = :name" if name is not None else ""
        rows = tx.rows(
            "SELECT n.name, v.number, v.node, v.recorded_at, v.actor FROM registered_name n "
            "JOIN named_version v ON v.registered = n.registered JOIN word w ON w.id = n.name "
            f"WHERE {recorded_by(as_of, 'n')} AND {recorded_by(as_of, 'v')} {where} "
            "ORDER BY COALESCE(w.body, w.name), v.number LIMIT :limit",
            limit=limit,
            **({} if name is None else {"name": find_word(tx, name)}),
            **values_of(as_of),
        )
        return _named(tx, rows)

    def list_names_of(self, tx: Tx, nodes: Sequence[int]) -> list[NamedVersion]:
        """The names and numbers under which versions are known, by vertex, then in order of arrival."""
        if not nodes:
            return []
        rows = tx.rows(
            "SELECT n.name, v.number, v.node, v.recorded_at, v.actor FROM named_version v "
            f"JOIN registered_name n ON n.registered = v.registered AND n.{STANDS} "
            f"WHERE v.node IN ({each(tx, 'nodes')}) AND v.{STANDS} ORDER BY v.node, v.recorded_at, n.name, v.number",
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
        registered = find_registered(tx, name)
        word = add_words(tx, (alias, actor))
        found = tx.value(
            f"SELECT node FROM named_version WHERE registered = :registered AND number = :number AND {STANDS}",
            registered=registered,
            number=number,
        )
        if found is None:
            raise NotFound(
                f"there is no version {name}@{number}", hint=f"`lineal show {name}` lists its versions"
            )
        key = {"registered": registered, "alias": word[alias]}
        tx.run(
            f"UPDATE alias SET retracted_at = :at WHERE registered = :registered AND alias = :alias AND {STANDS}",
            at=at,
            **key,
        )
        tx.run(
            "INSERT INTO alias (registered, alias, revision, number, actor, reason, recorded_at) "
            "VALUES (:registered, :alias, :revision, :number, :actor, :reason, :at)",
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
            f"SELECT n.name, {_ALIAS} JOIN registered_name n ON n.registered = a.registered "
            f"WHERE n.name = :name AND a.alias = :alias AND {recorded_by(as_of, 'n')} AND {recorded_by(as_of, 'a')}",
            name=find_word(tx, name),
            alias=find_word(tx, alias),
            **values_of(as_of),
        )
        found = _aliases(tx, rows)
        return found[0] if found else None

    def list_aliases(self, tx: Tx, name: str | None, *, history: bool = False) -> list[AliasRecord]:
        """The aliases of a name, or of all names; with their history when asked, that of what had the name before too.
        By name, alias, time and revision."""
        where = [*(["n.name = :name"] if name is not None else [])]
        if not history:
            where += [f"n.{STANDS}", f"a.{STANDS}"]
        elif name is None:  # each under the name it had last
            where.append(
                "n.revision = (SELECT max(l.revision) FROM registered_name l WHERE l.registered = n.registered)"
            )
        rows = tx.rows(
            f"SELECT DISTINCT n.name, {_ALIAS} JOIN registered_name n ON n.registered = a.registered"
            + (" WHERE " + " AND ".join(where) if where else ""),
            **({} if name is None else {"name": find_word(tx, name)}),
        )
        return _aliases(tx, rows)

    def retract_alias(self, tx: Tx, name: str, alias: str, *, at: int, actor: str, reason: str) -> None:
        """Let an alias cease to stand, and keep who did it and why. Made again later, its revisions go on.

        Raises NotFound: it does not stand.
        """
        if not _revision(tx, name, alias)[0]:
            raise NotFound(f"{name!r} has no alias {alias!r}", hint=f"`lineal show {name}` lists its aliases")
        _retract(
            tx,
            "alias",
            "registered = :registered AND alias = :alias",
            actor,
            reason,
            at,
            registered=find_registered(tx, name),
            alias=find_word(tx, alias),
        )


def find_registered(tx: Tx, name: str) -> int | None:
    """What is registered under a name, or None."""
    found = tx.value(
        f"SELECT registered FROM registered_name WHERE name = :name AND {STANDS}", name=find_word(tx, name)
    )
    return None if found is None else int(found)


def _add(tx: Tx, name: str, actor: str, at: int) -> tuple[int, bool]:
    """What is registered under a name, made now if nothing is (then the second is true). It is held until the commit."""
    word = add_words(tx, (name, actor))
    while True:
        known = find_registered(tx, name)
        if known is not None:
            if tx.engine == "sqlite" or _holds(tx, known):
                return known, False
            continue  # deleted while we waited for it
        new = tx.value(
            "INSERT INTO registered (version_count, recorded_at) VALUES (0, :at) RETURNING id", at=at
        )
        added = tx.value(
            "INSERT INTO registered_name (registered, revision, name, actor, recorded_at) "
            "VALUES (:registered, 1, :name, :actor, :at) "
            f"ON CONFLICT (name) WHERE {STANDS} DO NOTHING RETURNING registered",
            registered=new,
            name=word[name],
            actor=word[actor],
            at=at,
        )
        if added is not None:
            return int(new), True
        tx.run("DELETE FROM registered WHERE id = :id", id=new)  # another server was faster


def _hold(tx: Tx, name: str) -> int:
    """What is registered under a name, held until the commit. Raises NotFound."""
    registered = find_registered(tx, name)
    if registered is None or (tx.engine == "postgres" and not _holds(tx, registered)):
        raise NotFound(
            f"nothing is registered under {name!r}", hint="`lineal aliases` lists registered names"
        )
    return registered


def _holds(tx: Tx, registered: int) -> bool:
    return bool(tx.rows(f"SELECT id FROM registered WHERE id = :id AND {STANDS} FOR UPDATE", id=registered))


def _retract(tx: Tx, table: str, where: str, actor: str, reason: str, at: int, **key: int | None) -> None:
    tx.run(
        f"UPDATE {table} {_RETRACT} WHERE {where} AND {STANDS}",
        at=at,
        actor=add_words(tx, (actor,))[actor],
        reason=keep(reason),
        **key,
    )


def _revision(tx: Tx, name: str, alias: str) -> tuple[int, int]:
    """The revision of an alias that stands (0: none does), and the newest there ever was."""
    registered = find_registered(tx, name)
    if tx.engine == "postgres" and registered is not None:
        _holds(tx, registered)  # reading then moving must not race with another server
    row = tx.row(
        "SELECT revision, retracted_at FROM alias WHERE registered = :registered AND alias = :alias "
        "ORDER BY revision DESC LIMIT 1",
        registered=registered,
        alias=find_word(tx, alias),
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
    return sorted(
        found, key=lambda one: (one.name.encode(), one.alias.encode(), one.recorded_at, one.revision)
    )
