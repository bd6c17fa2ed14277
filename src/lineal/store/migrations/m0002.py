"""Tokens by which callers of a server show who they are, and the replies kept for repeated requests."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE token (
        id {text} PRIMARY KEY,
        name {text} NOT NULL,
        digest {text} NOT NULL,  -- SHA-256 of the secret, which is never kept
        scopes {text} NOT NULL,  -- separated by spaces
        actor {text} NOT NULL,  -- who made it
        recorded_at bigint NOT NULL,
        expires_at bigint,
        revoked_at bigint,
        used_at bigint) {clustered}""",
    """CREATE TABLE reply (
        door {text} NOT NULL,
        caller {text} NOT NULL,
        key {text} NOT NULL,
        digest {text} NOT NULL,  -- of the request
        body {bytes} NOT NULL,
        recorded_at bigint NOT NULL,
        PRIMARY KEY (door, caller, key)) {clustered}""",
    "CREATE INDEX reply_age ON reply (recorded_at)",
)
