"""The four ways in which Lineal says no.

LinealError
 ├── NotFound     nothing is known under that name          (code `not_found`)
 ├── Conflict     it is known, but it stands otherwise      (code `conflict`)
 │    └── Denied  the caller may not do this                (code `denied`)
 ├── Invalid      the request itself cannot be right        (code `invalid`)
 └── Unavailable  the store, disk or network did not answer (code `unavailable`)

A message says what was found and what was wanted; `hint` says what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class LinealError(Exception):
    """Base of every error that crosses a layer."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "", **subject: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.subject = subject

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class NotFound(LinealError):
    """Nothing is known under that name."""

    code = "not_found"


class Conflict(LinealError):
    """It is known, but it stands otherwise than the request assumes, or something living depends on it."""

    code = "conflict"


class Denied(Conflict):
    """The caller may not do this: who they are is not known, or they lack the permission."""

    code = "denied"


class Invalid(LinealError):
    """The request itself cannot be right."""

    code = "invalid"


class Unavailable(LinealError):
    """The store, the disk or the network did not answer, or what it holds is damaged."""

    code = "unavailable"
