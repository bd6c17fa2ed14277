"""Events of OpenLineage as they came, what they add up to for each run, and when datasets were written and read.

A series is an artifact, or several that were declared to be the same one (then the least number among them stands for all).
`tie` orders writes of one moment alike wherever and in whatever order they are recorded. What a story, a write or a read
says can be worked out again from the messages, so these rows are kept up to date in place.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE lineage_event (
        digest {text} PRIMARY KEY,  -- the first half of the SHA-256 of its bytes, in hex
        at bigint NOT NULL,
        message bigint NOT NULL REFERENCES message (id),
        start bigint NOT NULL,  -- where in the message it begins, in bytes
        length bigint NOT NULL,
        node bigint,  -- the run it is about
        recorded_at bigint NOT NULL) {clustered}""",
    "CREATE INDEX lineage_event_at ON lineage_event (at, digest)",
    "CREATE INDEX lineage_event_recorded ON lineage_event (recorded_at, digest)",
    "CREATE TABLE lineage_story (node {key} REFERENCES node (id), body {bytes} NOT NULL)",
    """CREATE TABLE dataset_series (
        artifact {key} REFERENCES artifact (id),
        series bigint NOT NULL REFERENCES artifact (id))""",
    "CREATE INDEX dataset_series_members ON dataset_series (series, artifact)",
    """CREATE TABLE dataset_write (
        series bigint NOT NULL,
        at bigint NOT NULL,
        tie bigint NOT NULL,
        node bigint NOT NULL,
        run bigint NOT NULL,
        PRIMARY KEY (series, at, tie, node, run)) {clustered}""",
    """CREATE TABLE dataset_read (
        series bigint NOT NULL,
        at bigint NOT NULL,
        run bigint NOT NULL,
        PRIMARY KEY (series, at, run)) {clustered}""",
)
