"""Names of one dataset are joins with a rule and evidence, from which the series follow; so they can be shown and taken back.

Of series that were made before only that they are one is known, not by which message.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE name_join (
        id {id},
        a bigint NOT NULL REFERENCES artifact (id),
        b bigint NOT NULL REFERENCES artifact (id),
        apart smallint NOT NULL,  -- 1: somebody decided that these are two
        rule bigint NOT NULL REFERENCES word (id),
        evidence smallint NOT NULL,  -- as of an edge
        said {text} NOT NULL,
        actor bigint NOT NULL REFERENCES word (id),
        batch bigint NOT NULL,  -- the message that brought it, 0: not known
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        retracted_by bigint REFERENCES word (id),
        retract_reason {text})""",
    "CREATE UNIQUE INDEX name_join_stands ON name_join (a, b, rule, apart) WHERE retracted_at IS NULL",
    "CREATE INDEX name_join_a ON name_join (a, b)",
    "CREATE INDEX name_join_b ON name_join (b, a)",
    """INSERT INTO word (name) SELECT k.name FROM (SELECT 'symlink' AS name UNION ALL SELECT '') k
        WHERE EXISTS (SELECT 1 FROM dataset_series) AND NOT EXISTS (SELECT 1 FROM word w WHERE w.name = k.name)""",
    """INSERT INTO name_join (a, b, apart, rule, evidence, said, actor, batch, recorded_at)
        SELECT s.series, s.artifact, 0, (SELECT id FROM word WHERE name = 'symlink'), 2, 'declared in an event of before',
            (SELECT id FROM word WHERE name = ''), 0, a.recorded_at
        FROM dataset_series s JOIN artifact a ON a.id = s.artifact WHERE s.series <> s.artifact""",
)
