"""The graph without versions, kept as edges come, and the edges in the order of their coming, for snapshots to be brought up to date by.

A logical vertex is twice the number of an artifact, or twice the number of a job and one.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE logical_edge (
        src bigint NOT NULL,
        dst bigint NOT NULL,
        kind smallint NOT NULL,  -- as of an edge
        count bigint NOT NULL,  -- how many were reported, also those that ceased to stand
        first_at bigint NOT NULL,
        last_at bigint NOT NULL,
        recorded_at bigint NOT NULL,  -- of the first
        PRIMARY KEY (dst, src, kind)) {clustered}""",
    "CREATE INDEX logical_edge_out ON logical_edge (src, dst, recorded_at)",
    """INSERT INTO logical_edge (src, dst, kind, count, first_at, last_at, recorded_at)
        SELECT s.series, d.series, t.kind, count(*), min(e.at), max(e.at), min(e.recorded_at)
        FROM edge e JOIN edge_type t ON t.id = e.type
        JOIN (SELECT node, artifact * 2 AS series FROM version UNION ALL SELECT node, job * 2 + 1 FROM run) s ON s.node = e.given_src
        JOIN (SELECT node, artifact * 2 AS series FROM version UNION ALL SELECT node, job * 2 + 1 FROM run) d ON d.node = e.given_dst
        WHERE NOT (t.kind = 1 AND t.role IN (SELECT id FROM word WHERE name IN ('code', 'environment')))
        GROUP BY s.series, d.series, t.kind""",
    """CREATE TABLE edge_part (
        id {id},
        gone smallint NOT NULL,  -- 1: these ceased to stand
        body {bytes} NOT NULL)  -- src, dst, src, dst ... as signed 64-bit numbers, little endian""",
)
