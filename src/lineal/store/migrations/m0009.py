"""What ML Metadata's clients put, as they sent it and under their numbers. Beside it the graph holds what it means.

`kind`: 0 execution, 1 artifact, 2 context.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE mlmd_type (
        id {key},
        kind smallint NOT NULL,
        name {text} NOT NULL,
        version {text} NOT NULL,  -- empty: none
        description {text},
        external_id {text},
        base smallint NOT NULL,  -- number of the base type in the protocol, 0: none
        properties {bytes},  -- msgpack: name -> type
        input {bytes},
        output {bytes},
        UNIQUE (kind, name, version))""",
    # The types that every store of ML Metadata begins with.
    """INSERT INTO mlmd_type (id, kind, name, version, base) VALUES
        (1, 1, 'mlmd.Dataset', '', 0), (2, 1, 'mlmd.Model', '', 0), (3, 1, 'mlmd.Metrics', '', 0),
        (4, 1, 'mlmd.Statistics', '', 0), (5, 0, 'mlmd.Train', '', 0), (6, 0, 'mlmd.Transform', '', 0),
        (7, 0, 'mlmd.Process', '', 0), (8, 0, 'mlmd.Evaluate', '', 0), (9, 0, 'mlmd.Deploy', '', 0)""",
    "CREATE UNIQUE INDEX mlmd_type_external ON mlmd_type (kind, external_id) WHERE external_id IS NOT NULL",
    """CREATE TABLE mlmd_node (
        kind smallint NOT NULL,
        id bigint NOT NULL,
        type bigint NOT NULL REFERENCES mlmd_type (id),
        name {text},
        external_id {text},
        uri {text},
        uri_key bigint,  -- of `uri`, to find it by: a long text fits no index
        state smallint,
        created bigint NOT NULL,  -- milliseconds
        updated bigint NOT NULL,
        vertex bigint NOT NULL,  -- of a context its group
        properties {bytes} NOT NULL,  -- msgpack: properties, custom properties
        PRIMARY KEY (kind, id)) {clustered}""",
    "CREATE UNIQUE INDEX mlmd_node_name ON mlmd_node (type, name) WHERE name IS NOT NULL",
    "CREATE UNIQUE INDEX mlmd_node_external ON mlmd_node (kind, external_id) WHERE external_id IS NOT NULL",
    "CREATE INDEX mlmd_node_type ON mlmd_node (type, id)",
    "CREATE INDEX mlmd_node_uri ON mlmd_node (uri_key) WHERE uri_key IS NOT NULL",
    # ---- properties that can be searched for; `text_key` as `uri_key`
    """CREATE TABLE mlmd_property (
        name bigint NOT NULL REFERENCES word (id),
        kind smallint NOT NULL,
        custom smallint NOT NULL,
        owner bigint NOT NULL,
        int_value bigint,
        double_value double precision,
        text {text},
        text_key bigint,
        bool_value smallint,
        PRIMARY KEY (name, kind, custom, owner)) {clustered}""",
    "CREATE INDEX mlmd_property_int ON mlmd_property (name, int_value, kind, custom, owner) WHERE int_value IS NOT NULL",
    "CREATE INDEX mlmd_property_text ON mlmd_property (name, text_key, kind, custom, owner) WHERE text_key IS NOT NULL",
    """CREATE TABLE mlmd_event (
        id {key},
        artifact bigint NOT NULL,
        execution bigint NOT NULL,
        type smallint NOT NULL,
        at bigint NOT NULL,  -- milliseconds
        path {bytes},  -- msgpack: indexes and keys
        UNIQUE (artifact, execution, type))""",
    "CREATE INDEX mlmd_event_execution ON mlmd_event (execution, artifact)",
    """CREATE TABLE mlmd_member (
        context bigint NOT NULL,
        kind smallint NOT NULL,
        member bigint NOT NULL,
        PRIMARY KEY (context, kind, member)) {clustered}""",
    "CREATE INDEX mlmd_member_of ON mlmd_member (kind, member, context)",
    """CREATE TABLE mlmd_parent (
        child bigint NOT NULL,
        parent bigint NOT NULL,
        PRIMARY KEY (child, parent)) {clustered}""",
    "CREATE INDEX mlmd_parent_of ON mlmd_parent (parent, child)",
    # ---- what was imported from another such store: its number there and here, and when it was updated there
    """CREATE TABLE mlmd_imported (
        source bigint NOT NULL REFERENCES word (id),
        kind smallint NOT NULL,  -- 3: a type
        theirs bigint NOT NULL,
        ours bigint NOT NULL,
        updated bigint NOT NULL,
        PRIMARY KEY (source, kind, theirs)) {clustered}""",
)
