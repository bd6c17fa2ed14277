"""Views of the page that have a name."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE saved_view (
        id {id},
        namespace bigint NOT NULL REFERENCES word (id),
        name bigint NOT NULL REFERENCES word (id),
        address bigint NOT NULL REFERENCES word (id),
        actor bigint NOT NULL REFERENCES word (id),
        recorded_at bigint NOT NULL,
        retracted_at bigint)""",
    "CREATE UNIQUE INDEX saved_view_now ON saved_view (namespace, name) WHERE retracted_at IS NULL",
)
