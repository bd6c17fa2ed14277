"""How something was touched in a run: when, by which layers, by which library calls."""

from __future__ import annotations

from lineal.core import events as ev
from lineal.journal import frames

_NAMES = {
    frames.AUDIT: "audit",
    frames.FUNCTION: "hook",
    frames.SDK: "sdk",
    frames.ARGV: "argv",
    frames.PRELOAD: "preload",
    frames.SUPERVISOR: "supervisor",
    frames.INHERITED: "descriptor",
}
_SAW = sum(
    1 << layer
    for layer in (frames.AUDIT, frames.FUNCTION, frames.PRELOAD, frames.SUPERVISOR, frames.INHERITED)
)
_SDK = 1 << frames.SDK


class Access:
    """Touched from `at` to `last` (UTC microseconds). There are as many as files, so it is small: layers are bits."""

    __slots__ = ("_layers", "at", "digest", "kept", "labels", "last", "libs", "role", "taken", "told")

    def __init__(self, at: int, layer: int, lib: str, role: str = "") -> None:
        self.at = self.last = at
        self._layers = 1 << layer
        self.libs: tuple[str, ...] = (lib,) if lib else ()
        self.role = role
        self.labels: dict[tuple[str, str], None] | None = (
            None  # (scheme, value): what others call it, by a sample
        )
        self.digest = b""  # of the content it met, once that is known
        self.taken = False  # whether the content it met was looked at
        self.told = False  # whether it is handed over already
        self.kept = False  # not read: it went into what the file became

    def join(self, other: Access) -> None:
        """Add what another layer or a later time says of the same."""
        self.at, self.last = min(self.at or other.at, other.at), max(self.last, other.last)
        self._layers |= other._layers
        if other.libs and other.libs != self.libs:
            self.libs = tuple(dict.fromkeys(self.libs + other.libs))
        self.role = self.role or other.role
        self.kept = self.kept and other.kept
        if other.labels:
            self.labels = {**(self.labels or {}), **other.labels}

    def clear(self) -> None:
        """Forget the layer: what is joined from now on is all there is."""
        self._layers, self.libs = 0, ()

    def seen_by(self, layer: int) -> None:
        """One more layer saw it."""
        self._layers |= 1 << layer

    @property
    def declared(self) -> bool:
        """Whether it was only said to have happened."""
        return self._layers == _SDK

    @property
    def said(self) -> bool:
        """Whether the program itself named it."""
        return bool(self._layers & _SDK)

    @property
    def via(self) -> list[str]:
        """The layers and library calls, for the edge."""
        layers = [name for layer, name in sorted(_NAMES.items()) if self._layers >> layer & 1]
        return layers + list(self.libs)

    @property
    def evidence(self) -> ev.Evidence:
        """How we know."""
        if self._layers & _SAW:
            return ev.Evidence.OBSERVED
        return ev.Evidence.DECLARED if self.said else ev.Evidence.INFERRED
