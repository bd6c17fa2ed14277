"""What doors keep of their own, and the files of runs and versions.

Keys and paths are text that is compared byte by byte and found by prefix; they are limited, not digested.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE door_record (
        id {id},
        door {text} NOT NULL,
        kind {text} NOT NULL,
        key {text} NOT NULL,
        number bigint,
        parent bigint,
        node bigint REFERENCES node (id),
        revision integer NOT NULL,
        body {bytes} NOT NULL,  -- JSON
        created_at bigint NOT NULL,  -- when the first row of this thing was recorded
        recorded_at bigint NOT NULL,
        retracted_at bigint)""",
    "CREATE UNIQUE INDEX door_record_key ON door_record (door, kind, key) WHERE retracted_at IS NULL",
    "CREATE INDEX door_record_number ON door_record (door, kind, number) WHERE retracted_at IS NULL AND number IS NOT NULL",
    "CREATE INDEX door_record_parent ON door_record (door, kind, parent, key) WHERE retracted_at IS NULL AND parent IS NOT NULL",
    "CREATE INDEX door_record_node ON door_record (node, door, kind) WHERE node IS NOT NULL AND retracted_at IS NULL",
    "CREATE INDEX door_record_history ON door_record (door, kind, key, id) WHERE retracted_at IS NOT NULL",
    """CREATE TABLE door_number (
        door {text} NOT NULL,
        kind {text} NOT NULL,
        last bigint NOT NULL,
        PRIMARY KEY (door, kind)) {clustered}""",
    """CREATE TABLE file (
        node bigint NOT NULL REFERENCES node (id),
        path {text} NOT NULL,
        revision integer NOT NULL,
        digest {text} NOT NULL,
        size bigint NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (node, path, revision)) {clustered}""",
    "CREATE INDEX file_digest ON file (digest, node)",
)
