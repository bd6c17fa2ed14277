"""Which checkpoint became which model: by a framework's word, or because the bytes of the best one are found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lineal.core import events as ev
from lineal.core.lineage import SHORTEST_SAME_BYTES


class Origins:
    """What frameworks said of one run's models."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._said: dict[bytes, tuple[bytes, str]] = {}  # model -> (checkpoint, who said so)

    def said(self, model: bytes, checkpoint: bytes, lib: str) -> None:
        """The model at a path was saved with the weights that `lib` had loaded from a checkpoint."""
        if model != checkpoint:
            self._said[model] = checkpoint, lib

    def moved(self, src: bytes, dst: bytes) -> None:
        """A model was renamed."""
        if src in self._said:
            self._said[dst] = self._said.pop(src)

    def events(
        self,
        made: dict[bytes, ev.VersionGenerated],
        best: set[bytes],
        read: Callable[[bytes], ev.VersionState | None],
    ) -> Iterator[ev.VersionDerived]:
        """An edge from each checkpoint to what it became.

        made: what the run left, by path; best: those that a framework called the best; read: a version that the run
        only read, None when there is none.
        """
        for model, (checkpoint, lib) in self._said.items():
            source = made[checkpoint].version if checkpoint in made else read(checkpoint)
            if model in made and source is not None:
                yield self._edge(source, made[model], ev.Evidence.OBSERVED, lib)
        for checkpoint in best & made.keys():
            source = made[checkpoint].version
            if (source.size or 0) <= SHORTEST_SAME_BYTES or source.level != ev.Level.CONTENT:
                continue
            for model, event in made.items():
                same = model != checkpoint and event.version.digest == source.digest
                if same and model not in self._said and event.at >= made[checkpoint].at:
                    yield self._edge(source, event, ev.Evidence.INFERRED, "same-bytes")

    def _edge(
        self, source: ev.VersionState, event: ev.VersionGenerated, evidence: ev.Evidence, by: str
    ) -> ev.VersionDerived:
        return ev.VersionDerived(
            run=self._run,
            source=source,
            version=event.version,
            at=event.at,
            role="checkpoint",
            evidence=evidence,
            via=[by],
        )
