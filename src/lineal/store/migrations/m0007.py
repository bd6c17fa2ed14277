"""What facets must look like, by name and version, and those that do not."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE facet_schema (
        name bigint NOT NULL REFERENCES word (id),
        version integer NOT NULL,
        revision integer NOT NULL,
        body {bytes} NOT NULL,  -- JSON Schema as it was given
        refused smallint NOT NULL,  -- 1: what breaks it is not attached
        actor bigint NOT NULL REFERENCES word (id),
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (name, version, revision)) {clustered}""",
    """CREATE TABLE facet_fault (
        id {id},
        node bigint NOT NULL REFERENCES node (id),
        name bigint NOT NULL REFERENCES word (id),  -- of the facet as it came
        said {text} NOT NULL,
        refused smallint NOT NULL,
        batch bigint NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint)""",
    "CREATE INDEX facet_fault_node ON facet_fault (node, name) WHERE retracted_at IS NULL",
)
