"""What a connection remembers of the dictionary, so that a text that comes again and again is looked up once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

_MOST = 10_000  # numbers of each kind; then it begins anew
_SHORT = 200  # characters of a text that is remembered

Seen = dict[str, dict[Any, Any]]  # numbers by kind and name; texts by number under a kind of their own
_TEXTS = "\0texts"


class Numbers:
    """Numbers of names within one transaction.

    A number is never taken back, so what is committed stays true. What was learnt in this transaction may have been added
    by it: that is handed on when it is committed, and forgotten when it, or a part of it, is undone.
    """

    def __init__(self, committed: Seen) -> None:
        self._committed = committed
        self._learnt: Seen = {}

    def find(
        self, kind: str, names: Iterable[str], ask: Callable[[list[str]], list[tuple[str, int]]]
    ) -> dict[str, int]:
        """Those of the names that have numbers; `ask` gives those of names that are not remembered."""
        committed = self._committed.get(kind, {})
        learnt = self._learnt.setdefault(kind, {})
        found: dict[str, int] = {}
        missing: list[str] = []
        for name in names:
            number = committed.get(name) or learnt.get(name)
            if number is None:
                missing.append(name)
            else:
                found[name] = number
        if missing:
            more = dict(ask(missing))
            found |= more
            learnt |= more
        return found

    def texts(self, ids: list[int], ask: Callable[[list[int]], list[tuple[int, str]]]) -> dict[int, str]:
        """The texts that numbers mean; `ask` gives those of numbers that are not remembered."""
        committed = self._committed.get(_TEXTS, {})
        learnt = self._learnt.get(_TEXTS, {})
        found: dict[int, str] = {}
        missing: list[int] = []
        for id in ids:
            text = committed.get(id)
            if text is None and (text := learnt.get(id)) is None:
                missing.append(id)
            else:
                found[id] = text
        if missing:
            more = dict(ask(missing))
            found |= more
            short = {id: text for id, text in more.items() if len(text) <= _SHORT}
            self._learnt.setdefault(_TEXTS, {}).update(short)
        return found

    def learn(self, kind: str, numbers: dict[str, int]) -> None:
        """Remember what was just added."""
        self._learnt.setdefault(kind, {}).update(numbers)

    def keep(self) -> None:
        """What was learnt is committed."""
        for kind, learnt in self._learnt.items():
            committed = self._committed.setdefault(kind, {})
            if len(committed) + len(learnt) > _MOST:
                committed.clear()
            if len(learnt) <= _MOST:
                committed |= learnt
        self._learnt = {}

    def forget(self) -> None:
        """Some of what was learnt may not be true any more."""
        self._learnt = {}
