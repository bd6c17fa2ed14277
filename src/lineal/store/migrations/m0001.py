"""The first schema.

Conventions: `recorded_at` is when the store learnt a row, `retracted_at` when it ceased to stand (NULL: it stands);
`revision` counts the rows of one subject from 1. Columns named after a text (`kind`, `role`, `actor`, `name` ...) hold its
number in `word`, unless their type is text. Where very many rows arrive at once (attributes, edges) the database is spared
the look-up of every reference; `check` looks them up.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    # ---- dictionary: a short text is its own name; a long one (`body`) is named by its digest
    "CREATE TABLE word (id {id}, name {text} NOT NULL UNIQUE, body {text})",
    """CREATE TABLE field (
        id {id},
        scope {text} NOT NULL,  -- params, tags, metrics
        name bigint NOT NULL REFERENCES word (id),
        UNIQUE (name, scope))""",
    # ---- vertices
    "CREATE TABLE node (id {id}, kind smallint NOT NULL)",
    "CREATE TABLE canonical (node {key} REFERENCES node (id), stands_for bigint NOT NULL REFERENCES node (id))",
    """CREATE TABLE deletion (
        node bigint NOT NULL REFERENCES node (id),
        revision integer NOT NULL,
        actor bigint NOT NULL,
        reason {text} NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (node, revision)) {clustered}""",
    # ---- runs
    """CREATE TABLE job (
        id {id},
        namespace bigint NOT NULL REFERENCES word (id),
        name bigint NOT NULL REFERENCES word (id),
        UNIQUE (name, namespace))""",
    """CREATE TABLE run (
        node {key} REFERENCES node (id),
        run_id {text} NOT NULL UNIQUE,
        job bigint NOT NULL REFERENCES job (id),
        name bigint NOT NULL REFERENCES word (id),
        kind bigint NOT NULL REFERENCES word (id),
        actor bigint NOT NULL REFERENCES word (id),
        parent bigint REFERENCES node (id),
        started_at bigint NOT NULL,
        recorded_at bigint NOT NULL,
        -- summary of the newest row of run_state
        state {text} NOT NULL,
        ended_at bigint)""",
    "CREATE INDEX run_started ON run (started_at, node)",
    "CREATE INDEX run_ended ON run (ended_at, node) WHERE ended_at IS NOT NULL",
    "CREATE INDEX run_job ON run (job, started_at, node)",
    "CREATE INDEX run_name ON run (name, started_at, node)",
    "CREATE INDEX run_kind ON run (kind, started_at, node)",
    "CREATE INDEX run_actor ON run (actor, started_at, node)",
    "CREATE INDEX run_state_now ON run (state, started_at, node)",
    "CREATE INDEX run_parent ON run (parent, started_at, node) WHERE parent IS NOT NULL",
    """CREATE TABLE run_state (
        node bigint NOT NULL REFERENCES run (node),
        revision integer NOT NULL,
        state {text} NOT NULL,
        at bigint NOT NULL,
        exit_code bigint,
        signal bigint,
        error {bytes},  -- JSON
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (node, revision)) {clustered}""",
    # ---- parameters and tags; `number` when the whole value spells a finite one
    """CREATE TABLE attribute (
        node bigint NOT NULL REFERENCES node (id),
        field bigint NOT NULL REFERENCES field (id),
        revision integer NOT NULL,
        text bigint NOT NULL,
        number double precision,
        source bigint NOT NULL,
        actor bigint NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (node, field, revision)) {clustered}""",
    "CREATE INDEX attribute_number ON attribute (field, number, node, retracted_at) WHERE retracted_at IS NULL AND number IS NOT NULL",
    # `retracted_at` is always NULL in these two; SQLite reads the table where an index does not have it.
    "CREATE INDEX attribute_text ON attribute (field, text, node, retracted_at) WHERE retracted_at IS NULL",
    """CREATE TABLE facet (
        node bigint NOT NULL REFERENCES node (id),
        name bigint NOT NULL REFERENCES word (id),
        revision integer NOT NULL,
        body {bytes} NOT NULL,
        batch bigint NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (node, name, revision)) {clustered}""",
    # ---- metrics: blocks as they arrived, sealed into chunks per key. A number that may be NaN is NULL then.
    """CREATE TABLE metric_block (
        id {id},
        node bigint NOT NULL REFERENCES node (id),
        count integer NOT NULL,
        body {bytes} NOT NULL)""",
    "CREATE INDEX metric_block_node ON metric_block (node, id, count)",
    """CREATE TABLE metric_chunk (
        id {id},
        node bigint NOT NULL REFERENCES node (id),
        field bigint NOT NULL REFERENCES field (id),
        sequence integer NOT NULL,
        count integer NOT NULL,
        first_step bigint NOT NULL,
        last_step bigint NOT NULL,
        minimum double precision,
        maximum double precision,
        last double precision,
        pyramid {bytes} NOT NULL,
        body {bytes} NOT NULL,
        UNIQUE (node, field, sequence))""",
    """CREATE TABLE metric (
        node bigint NOT NULL REFERENCES node (id),
        field bigint NOT NULL REFERENCES field (id),
        count bigint NOT NULL,
        last double precision,
        last_step bigint NOT NULL,
        last_at bigint NOT NULL,
        minimum double precision,
        maximum double precision,
        PRIMARY KEY (node, field)) {clustered}""",
    "CREATE INDEX metric_last ON metric (field, last, node)",
    # ---- artifacts
    """CREATE TABLE artifact (
        id {id},
        namespace bigint NOT NULL REFERENCES word (id),
        name bigint NOT NULL REFERENCES word (id),
        kind bigint NOT NULL REFERENCES word (id),
        version_count bigint NOT NULL,
        recorded_at bigint NOT NULL,
        UNIQUE (name, namespace))""",
    """CREATE TABLE version (
        node {key} REFERENCES node (id),
        artifact bigint NOT NULL REFERENCES artifact (id),
        number bigint NOT NULL,
        digest {text},
        kind bigint NOT NULL REFERENCES word (id),
        level {text} NOT NULL,
        reason {text} NOT NULL,
        size bigint,
        location {text} NOT NULL,
        recorded_at bigint NOT NULL,
        UNIQUE (artifact, number),
        UNIQUE (artifact, digest))""",
    "CREATE INDEX version_digest ON version (digest, node) WHERE digest IS NOT NULL",
    """CREATE TABLE reference (
        node bigint NOT NULL REFERENCES node (id),
        scheme bigint NOT NULL REFERENCES word (id),
        value bigint NOT NULL REFERENCES word (id),
        revision integer NOT NULL,
        level {text} NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (node, scheme, value, revision)) {clustered}""",
    "CREATE INDEX reference_value ON reference (value, scheme, node)",
    """CREATE TABLE member (
        node bigint NOT NULL REFERENCES node (id),
        path bigint NOT NULL REFERENCES word (id),
        digest {text} NOT NULL,
        size bigint NOT NULL,
        PRIMARY KEY (node, path)) {clustered}""",
    # ---- edges: ends as they were given, beside the canonical ends that a walk follows
    """CREATE TABLE edge_type (
        id {id},
        kind smallint NOT NULL,
        role bigint NOT NULL REFERENCES word (id),
        rule bigint NOT NULL REFERENCES word (id),
        UNIQUE (kind, role, rule))""",
    """CREATE TABLE edge (
        src bigint NOT NULL,
        dst bigint NOT NULL,
        type bigint NOT NULL,
        given_src bigint NOT NULL,
        given_dst bigint NOT NULL,
        revision integer NOT NULL,
        retracted_at bigint,
        recorded_at bigint NOT NULL,
        at bigint NOT NULL,
        evidence smallint NOT NULL,  -- 1 observed, 2 declared, 3 inferred, 4 imported
        via bigint NOT NULL,
        again smallint NOT NULL,
        batch bigint NOT NULL,
        PRIMARY KEY (dst, src, type, given_src, given_dst, revision)) {clustered}""",
    "CREATE INDEX edge_out ON edge (src, dst, retracted_at)",
    # ---- registry
    "CREATE TABLE registered (name bigint PRIMARY KEY REFERENCES word (id), version_count bigint NOT NULL) {clustered}",
    """CREATE TABLE named_version (
        name bigint NOT NULL REFERENCES registered (name),
        number bigint NOT NULL,
        node bigint NOT NULL REFERENCES version (node),
        actor bigint NOT NULL REFERENCES word (id),
        recorded_at bigint NOT NULL,
        PRIMARY KEY (name, number),
        UNIQUE (node, name)) {clustered}""",
    """CREATE TABLE alias (
        name bigint NOT NULL,
        alias bigint NOT NULL REFERENCES word (id),
        revision bigint NOT NULL,
        number bigint NOT NULL,
        actor bigint NOT NULL REFERENCES word (id),
        reason {text} NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        retracted_by bigint REFERENCES word (id),  -- when nothing took its place
        retract_reason {text},
        PRIMARY KEY (name, alias, revision),
        FOREIGN KEY (name, number) REFERENCES named_version (name, number)) {clustered}""",
    # ---- groups; parent 0 is the top, for a NULL would be unequal to itself in the key
    """CREATE TABLE collection (
        id {id},
        name bigint NOT NULL REFERENCES word (id),
        kind bigint NOT NULL REFERENCES word (id),
        parent bigint NOT NULL,
        recorded_at bigint NOT NULL,
        UNIQUE (name, kind, parent))""",
    """CREATE TABLE collection_member (
        collection bigint NOT NULL REFERENCES collection (id),
        node bigint NOT NULL REFERENCES node (id),
        revision integer NOT NULL,
        recorded_at bigint NOT NULL,
        retracted_at bigint,
        PRIMARY KEY (collection, node, revision)) {clustered}""",
    "CREATE INDEX collection_member_node ON collection_member (node, collection)",
    # ---- messages as received, and the audit log
    """CREATE TABLE message (
        id {id},
        door bigint NOT NULL REFERENCES word (id),
        source bigint NOT NULL REFERENCES word (id),
        digest {text} NOT NULL,
        packed smallint NOT NULL,  -- 1: zstandard
        body {bytes} NOT NULL,
        recorded_at bigint NOT NULL)""",
    """CREATE TABLE leaf (
        sequence {key},
        entry {bytes} NOT NULL,
        body {bytes} NOT NULL,
        hash {bytes} NOT NULL)""",
    "CREATE TABLE tree (id integer PRIMARY KEY, size bigint NOT NULL, frontier {bytes} NOT NULL)",
    """CREATE TABLE position (
        door bigint NOT NULL REFERENCES word (id),
        source bigint NOT NULL REFERENCES word (id),
        position bigint NOT NULL,
        PRIMARY KEY (door, source)) {clustered}""",
)
