"""Events: the immutable messages that `service.ingest` applies. Every door and the delivering process make these; nothing else writes the record.

Times are UTC in integer microseconds (`*_at`). A run is named by its 32 hex digits. An event applied twice has no second effect.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Evidence(StrEnum):
    """How we know."""

    OBSERVED = "observed"
    DECLARED = "declared"
    INFERRED = "inferred"
    IMPORTED = "imported"


class Level(StrEnum):
    """How firmly a reference identifies data; only `native` and `content` may say "the same"."""

    NATIVE = "native"
    CONTENT = "content"
    DECLARED = "declared"
    SAMPLED = "sampled"
    NONE = "none"


class State(StrEnum):
    """Where a run stands. `lost`: its process vanished without an end, or nothing is heard of it any more."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"
    LOST = "lost"


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The exception that ended a run, redacted."""

    type: str
    message: str = ""
    traceback: str = ""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One name by which data can be found again, for example scheme `sha256`, value 64 hex digits."""

    scheme: str
    value: str
    level: Level = Level.CONTENT


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a directory's manifest: `path` relative to it, with `/`; `digest` is `sha256:...`; `size` in bytes."""

    path: str
    digest: str
    size: int


class VersionState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One state of an artifact as an event names it.

    digest: `sha256:...` of the bytes (of the canonical manifest for a directory), `frame1:...` of a frame, or None when
        it is not known; then `reason` says why, and the version stands for itself alone.
    location: the path or URI as it was seen, percent-encoded `file:` URI for files.
    """

    namespace: str
    name: str
    kind: str = "dataset"
    digest: str | None = None
    level: Level = Level.CONTENT
    reason: str = ""
    size: int | None = None
    location: str = ""
    references: list[Reference] = []
    members: list[Member] = []
    facets: dict[str, msgspec.Raw] = {}


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="run_started"):
    """A run began. Arriving again, it fills in what an earlier event about the same run could not say."""

    run: str
    namespace: str
    job: str
    at: int
    kind: str = "run"
    name: str = ""
    parent: str | None = None
    group: str | None = None
    actor: str = ""


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="run_ended"):
    """A run's state changed: to an end, or (state `running`) it came back from `lost`."""

    run: str
    at: int
    state: State
    exit_code: int | None = None
    signal: int | None = None
    error: ErrorInfo | None = None


class ParamSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="param"):
    """A parameter's value as text; `source` says who saw it (`argparse`, `sklearn`, `sdk`, `config:PATH` ...)."""

    run: str
    key: str
    value: str
    at: int
    source: str = ""


class TagSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tag"):
    """A free label on a run; the latest value stands, earlier ones remain as history."""

    run: str
    key: str
    value: str
    at: int


class MetricPoints(msgspec.Struct, frozen=True, kw_only=True, tag="metrics"):
    """Points of one run, column by column, all little endian and of one length n.

    keys: the names; key: u32 x n, index into `keys`; step: i64 x n; at: i64 x n microseconds; value: f64 x n (NaN and
    infinities exact).
    """

    run: str
    keys: list[str]
    key: bytes
    step: bytes
    at: bytes
    value: bytes


class FacetSet(msgspec.Struct, frozen=True, kw_only=True, tag="facet"):
    """A typed attachment to a run; `name` carries its version (`lineal.seeds/1`), `body` is JSON kept as received."""

    run: str
    name: str
    body: msgspec.Raw
    at: int


class VersionUsed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="used"):
    """A run read (or was governed by: environment, code) a version.

    role: what it was to the run (`input`, `model`, `config`, `environment`, `code` ...); via: layers and library calls
    that saw it (`audit`, `pandas.read_csv`).
    """

    run: str
    version: VersionState
    at: int
    role: str = "input"
    evidence: Evidence = Evidence.OBSERVED
    via: list[str] = []


class VersionGenerated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="generated"):
    """A run wrote a version; `at` is when its bytes were complete. name: what somebody called it, to be registered under."""

    run: str
    version: VersionState
    at: int
    role: str = "output"
    name: str = ""
    evidence: Evidence = Evidence.OBSERVED
    via: list[str] = []


class VersionDerived(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="derived"):
    """One version was made from another without a run between them that says so: the checkpoint that became the model.

    role: what `source` was to `version`; via: who said so.
    """

    run: str
    source: VersionState
    version: VersionState
    at: int
    role: str = ""
    evidence: Evidence = Evidence.OBSERVED
    via: list[str] = []


Event = (
    RunStarted
    | RunEnded
    | ParamSet
    | TagSet
    | MetricPoints
    | FacetSet
    | VersionUsed
    | VersionGenerated
    | VersionDerived
)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Events handed over together, applied in one transaction.

    door: by which way they came (`journal`, `mlflow` ...). source: the sender's stream, for example a journal's id;
    position: where in it this batch ends (bytes); a batch that ends at or before the known position is a repeat.
    start: where it begins; it must not lie beyond the known position.
    digest: `sha256:...` of the bytes as received, which the audit leaf commits to; empty: of the events as they are kept.
    """

    door: str
    source: str
    start: int
    position: int
    digest: str
    actor: str
    events: list[Event]
