"""How reports of different doors meet in one vertex, and what was decided where they contradict each other.

A meeting is a pair of vertices of one kind, `a` the lesser: joined by a rule, or held apart by somebody's decision. `canonical` follows from the
joins that stand. What a run mentions and is not known yet (another system's run) is awaited.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE meeting (
        id {id},
        a bigint NOT NULL REFERENCES node (id),
        b bigint NOT NULL REFERENCES node (id),
        apart smallint NOT NULL,  -- 1: somebody decided that these are two
        rule bigint NOT NULL REFERENCES word (id),
        evidence smallint NOT NULL,  -- as of an edge
        said {text} NOT NULL,  -- what the rule found, or the reason that somebody gave
        actor bigint NOT NULL REFERENCES word (id),
        batch bigint NOT NULL,  -- the message that brought it, 0: none
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        retracted_by bigint REFERENCES word (id),
        retract_reason {text})""",
    "CREATE UNIQUE INDEX meeting_stands ON meeting (a, b, rule, apart) WHERE retracted_at IS NULL",
    "CREATE INDEX meeting_a ON meeting (a, b)",
    "CREATE INDEX meeting_b ON meeting (b, a)",
    "CREATE INDEX canonical_members ON canonical (stands_for, node)",
    """CREATE TABLE awaited (
        run_id {text} NOT NULL,
        node bigint NOT NULL REFERENCES node (id),
        rule bigint NOT NULL REFERENCES word (id),
        said {text} NOT NULL,
        batch bigint NOT NULL,
        recorded_at bigint NOT NULL,
        PRIMARY KEY (run_id, node, rule)) {clustered}""",
    """CREATE TABLE decision (
        id {id},
        subject {text} NOT NULL,  -- which contradiction
        choice {text} NOT NULL,
        actor bigint NOT NULL REFERENCES word (id),
        reason {text} NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint)""",
    "CREATE UNIQUE INDEX decision_stands ON decision (subject) WHERE retracted_at IS NULL",
)
