"""Registered names get an identity of their own, so that one can be renamed, and deleted so that its name is free again.

A version may stand under several numbers of one name. What was deleted stays as a row that was retracted.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "ALTER TABLE alias RENAME TO alias_before",
    "ALTER TABLE named_version RENAME TO named_version_before",
    "ALTER TABLE registered RENAME TO registered_before",
    """CREATE TABLE registered (
        id {id},
        version_count bigint NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        origin bigint)""",
    """CREATE TABLE registered_name (
        registered bigint NOT NULL REFERENCES registered (id),
        revision integer NOT NULL,
        name bigint NOT NULL REFERENCES word (id),
        actor bigint NOT NULL REFERENCES word (id),
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        retracted_by bigint REFERENCES word (id),
        retract_reason {text},
        PRIMARY KEY (registered, revision)) {clustered}""",
    # Only the living count: the index is over what stands.
    "CREATE UNIQUE INDEX registered_name_stands ON registered_name (name) WHERE retracted_at IS NULL",
    "CREATE INDEX registered_name_ever ON registered_name (name, registered)",
    """CREATE TABLE named_version (
        registered bigint NOT NULL REFERENCES registered (id),
        number bigint NOT NULL,
        node bigint NOT NULL REFERENCES version (node),
        actor bigint NOT NULL REFERENCES word (id),
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        retracted_by bigint REFERENCES word (id),
        retract_reason {text},
        PRIMARY KEY (registered, number)) {clustered}""",
    "CREATE INDEX named_version_node ON named_version (node, registered)",
    """CREATE TABLE alias (
        registered bigint NOT NULL,
        alias bigint NOT NULL REFERENCES word (id),
        revision bigint NOT NULL,
        number bigint NOT NULL,
        actor bigint NOT NULL REFERENCES word (id),
        reason {text} NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        retracted_by bigint REFERENCES word (id),  -- when nothing took its place
        retract_reason {text},
        PRIMARY KEY (registered, alias, revision),
        FOREIGN KEY (registered, number) REFERENCES named_version (registered, number)) {clustered}""",
    """INSERT INTO registered (version_count, recorded_at, origin)
        SELECT r.version_count,
            COALESCE((SELECT min(v.recorded_at) FROM named_version_before v WHERE v.name = r.name), 0), r.name
        FROM registered_before r ORDER BY r.name""",
    """INSERT INTO registered_name (registered, revision, name, actor, recorded_at)
        SELECT r.id, 1, r.origin,
            (SELECT v.actor FROM named_version_before v WHERE v.name = r.origin ORDER BY v.number LIMIT 1), r.recorded_at
        FROM registered r""",
    """INSERT INTO named_version (registered, number, node, actor, recorded_at)
        SELECT r.id, v.number, v.node, v.actor, v.recorded_at
        FROM named_version_before v JOIN registered r ON r.origin = v.name""",
    """INSERT INTO alias (registered, alias, revision, number, actor, reason, recorded_at, retracted_at,
            retracted_by, retract_reason)
        SELECT r.id, a.alias, a.revision, a.number, a.actor, a.reason, a.recorded_at, a.retracted_at,
            a.retracted_by, a.retract_reason
        FROM alias_before a JOIN registered r ON r.origin = a.name""",
    "ALTER TABLE registered DROP COLUMN origin",
    "DROP TABLE alias_before",
    "DROP TABLE named_version_before",
    "DROP TABLE registered_before",
)
