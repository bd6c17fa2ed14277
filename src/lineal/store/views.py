"""Views of the page that somebody gave a name: where they lead, kept for everybody of a workspace."""

from __future__ import annotations

from lineal.store.base import SavedView
from lineal.store.history import STANDS
from lineal.store.tx import Tx
from lineal.store.words import add_words, find_word, get_words


class Views:
    """ViewStore."""

    def set_view(self, tx: Tx, namespace: str, name: str, address: str, *, actor: str, at: int) -> None:
        """Keep where a name leads; what it led to before remains as history."""
        word = add_words(tx, (namespace, name, address, actor))
        self.drop_view(tx, namespace, name, at=at)
        tx.run(
            "INSERT INTO saved_view (namespace, name, address, actor, recorded_at) "
            "VALUES (:namespace, :name, :address, :actor, :at)",
            namespace=word[namespace],
            name=word[name],
            address=word[address],
            actor=word[actor],
            at=at,
        )

    def drop_view(self, tx: Tx, namespace: str, name: str, *, at: int) -> bool:
        """Take a name away; whether it was there."""
        keys = {"namespace": find_word(tx, namespace), "name": find_word(tx, name)}
        standing = f"namespace = :namespace AND name = :name AND {STANDS}"
        found = tx.value(f"SELECT count(*) FROM saved_view WHERE {standing}", **keys)
        tx.run(f"UPDATE saved_view SET retracted_at = :at WHERE {standing}", at=at, **keys)
        return bool(found)

    def list_views(self, tx: Tx, namespace: str, *, limit: int) -> list[SavedView]:
        """The views of a workspace, the one that was kept last first."""
        rows = tx.rows(
            f"SELECT name, address, actor, recorded_at FROM saved_view WHERE namespace = :namespace AND {STANDS} "
            "ORDER BY recorded_at DESC, id DESC LIMIT :limit",
            namespace=find_word(tx, namespace),
            limit=limit,
        )
        words = get_words(tx, {word for row in rows for word in row[:3]})
        return [
            SavedView(name=words[name], address=words[address], actor=words[actor], recorded_at=at)
            for name, address, actor, at in rows
        ]
