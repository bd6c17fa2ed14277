"""The rows of joins: two that are one and the same, or that somebody holds apart, each with its rule and evidence.

Two tables have this form: `meeting` joins vertices, `name_join` the names of artifacts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from lineal.core.events import Evidence
from lineal.store.edges import BY_CODE, EVIDENCE
from lineal.store.history import STANDS, recorded_by, values_of
from lineal.store.lists import each
from lineal.store.text import give, keep
from lineal.store.tx import Tx
from lineal.store.words import add_words, find_word, get_words

Table = Literal["meeting", "name_join"]


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """Two vertices (or artifacts) that are one, or, `apart`, that somebody decided are two. a is the lesser.

    said: what the rule found, or the reason given. batch: the message that brought it, 0 for none.
    """

    id: int
    a: int
    b: int
    apart: bool
    rule: str
    evidence: Evidence
    said: str
    actor: str
    batch: int
    recorded_at: int
    retracted_at: int | None = None


def add_row(
    tx: Tx,
    table: Table,
    pair: tuple[int, int],
    *,
    rule: str,
    evidence: Evidence,
    said: str,
    actor: str,
    at: int,
    batch: int,
    apart: bool,
) -> bool:
    """Let two be joined, or held apart; False when that stands already by this rule."""
    word = add_words(tx, (rule, actor))
    added = tx.row(
        f"INSERT INTO {table} (a, b, apart, rule, evidence, said, actor, batch, recorded_at) "
        "VALUES (:a, :b, :apart, :rule, :evidence, :said, :actor, :batch, :at) "
        f"ON CONFLICT (a, b, rule, apart) WHERE {STANDS} DO NOTHING RETURNING id",
        a=pair[0],
        b=pair[1],
        apart=int(apart),
        rule=word[rule],
        evidence=EVIDENCE[evidence.value],
        said=keep(said),
        actor=word[actor],
        batch=batch,
        at=at,
    )
    return added is not None


def retract_rows(
    tx: Tx,
    table: Table,
    pair: tuple[int, int],
    *,
    apart: bool,
    actor: str,
    reason: str,
    at: int,
    rule: str | None = None,
) -> int:
    """Let what joins two (or holds them apart) cease to stand; how many rows that were."""
    only = "" if rule is None else " AND rule = :rule"
    rows = tx.rows(
        f"UPDATE {table} SET retracted_at = :at, retracted_by = :actor, retract_reason = :reason "
        f"WHERE a = :a AND b = :b AND apart = :apart AND {STANDS}{only} RETURNING id",
        a=pair[0],
        b=pair[1],
        apart=int(apart),
        actor=add_words(tx, (actor,))[actor],
        reason=keep(reason),
        at=at,
        **({} if rule is None else {"rule": find_word(tx, rule)}),
    )
    return len(rows)


def list_rows(
    tx: Tx, table: Table, ends: Sequence[int], *, as_of: int | None = None, history: bool = False
) -> list[Meeting]:
    """What joins these to others or holds them apart, in order of arrival; with what was retracted, when asked."""
    if not ends:
        return []
    living = "0 = 0" if history else recorded_by(as_of, "m")
    rows = tx.rows(
        "SELECT m.id, m.a, m.b, m.apart, m.rule, m.evidence, m.said, m.actor, m.batch, m.recorded_at, m.retracted_at "
        f"FROM {table} m WHERE (m.a IN ({each(tx, 'ends')}) OR m.b IN ({each(tx, 'ends')})) AND {living} ORDER BY m.id",
        ends=list(ends),
        **({} if history else values_of(as_of)),
    )
    words = get_words(tx, {word for row in rows for word in (row[4], row[7])})
    return [
        Meeting(
            id=row[0],
            a=row[1],
            b=row[2],
            apart=bool(row[3]),
            rule=words[row[4]],
            evidence=BY_CODE[row[5]],
            said=give(row[6]),
            actor=words[row[7]],
            batch=row[8],
            recorded_at=row[9],
            retracted_at=row[10],
        )
        for row in rows
    ]
