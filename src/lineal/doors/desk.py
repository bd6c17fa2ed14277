"""What a door may ask of the server that it is mounted in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lineal.service.operations import Caller, Scope


class Desk(Protocol):
    """Answers questions and takes changes, each in a transaction; see `lineal.server.writer`."""

    stopping: bool  # the server ends, and takes no more changes

    async def ask(self, name: str, request: Any, *, caller: Caller, key: str = "") -> Any:
        """The reply of an operation of the table. key: an Idempotency-Key; the same key again gives the same reply."""
        ...

    async def read(self, function: Callable[[Scope], Any], caller: Caller) -> Any:
        """What a function gives back that reads in one transaction."""
        ...

    async def write(
        self,
        function: Callable[[Scope], Any],
        caller: Caller,
        *,
        action: str,
        body: bytes,
        key: str = "",
        reply: Any = Any,
    ) -> Any:
        """What a function gives back that changes the record in one transaction, which ends with an audit leaf.

        Args:
            action, body: what the leaf says was done; an empty action leaves none (the function made its own).
            reply: the type of what comes back, by which a repeated call with the same `key` is answered.
        """
        ...
