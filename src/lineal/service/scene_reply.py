"""What a scene is asked for and answered with, and what its lenses share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from lineal.core.errors import Invalid
from lineal.core.scene import Picture
from lineal.service.scene_marks import Mark

BUDGET = 150  # cards; more than fits on a screen without zooming out
EXACT = 1000  # hidden neighbours are counted up to so many
NAMED = 12  # members of a group that are named
STEPS = 4  # members of a chain whose names are its label
OPENED = 500  # vertices that opening can add
_FARTHEST = 20  # hops of one opening
MESSAGES = 12  # messages of a line that are named
LENSES = ("versions", "logical", "overview")
_SEEN = 4  # vertices walked to for each card: groups and chains take most of them in
_FEWEST_SEEN = 600


class SceneRequest(msgspec.Struct, frozen=True, kw_only=True):
    """ref: what stands in the middle; lens: `versions`, `logical` (artifacts and jobs), `overview` (these, of the whole record when
    nothing stands in the middle); compare: a second one, to see in four colours what their ancestries share.

    direction: `both`, `up` or `down`. budget: cards, 1 to 2000. depth: hops from the middle. as_of: as recorded by then
    (microseconds UTC). valid_at: what had happened by then, whenever it was recorded. expand: ids of groups, chains and
    cycles drawn member by member. fold: false draws every vertex by itself. governing: also code and environment.

    open: `up:ID` or `down:ID` of a card that is one vertex: its neighbours on that side are drawn too, above the budget; in order,
    so that one can be opened that another one brought; with `:HOPS` (1 to 20) behind it, so many hops of them. hide: kinds
    (`dataset`, `run`, `report` ...) that are led through, not drawn. to: a second ref; only what lies on the ways between the
    two is drawn.
    """

    ref: str = ""
    lens: str = "versions"
    compare: str = ""
    direction: str = "both"
    budget: int = BUDGET
    depth: int = 1000
    as_of: int | None = None
    valid_at: int | None = None
    expand: list[str] = []
    fold: bool = True
    governing: bool = False
    open: list[str] = []
    hide: list[str] = []
    to: str = ""


class Beyond(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbours that are not drawn. exact: false when there are more than `count`."""

    count: int
    exact: bool


class SceneMetric(msgspec.Struct, frozen=True, kw_only=True):
    """How one metric came out: the last values of the `count` runs behind a card that have it (of models: of the runs that made
    them). least, greatest: references of the members with these values."""

    key: str
    count: int
    minimum: float
    median: float
    maximum: float
    least: str
    greatest: str


class SceneNode(msgspec.Struct, frozen=True, kw_only=True):
    """A card. shape: `node` (one vertex), `group` (siblings), `chain` (steps in a row), `cycle`.

    id: stays the same between scenes; what `expand` takes. count: vertices behind the card; members: references of the
    first of them. label: its name; of a group what its members have in common, of a chain or cycle the first of their names.
    states: how many runs stand how. lead: the members that lead to what is drawn by itself. up, down: neighbours that are not
    drawn. side: when comparing, `same`, `changed`, `left` or `right`. layer: sources are 0.
    importance: 0 to 1. marks: what to look at, contradictions first (at most 8).

    metrics: of runs and models, the four that most of them have. commit: of the code, where all runs have one and the same.
    essential: everything that the focus was made from came through it. serves: what runs live was made from it (as far as was
    looked). way: it lies on a shortest way to `to`.
    """

    id: str
    shape: str
    type: str
    kind: str
    ref: str
    label: str
    namespace: str
    at: int
    last_at: int
    state: str
    digest: str | None
    level: str
    size: int | None
    names: list[str]
    aliases: list[str]
    focus: bool
    count: int
    members: list[str]
    states: dict[str, int]
    lead: list[str]
    up: Beyond
    down: Beyond
    side: str
    layer: int
    importance: float
    origin_unknown: bool
    deleted_at: int | None
    marks: list[Mark] = []
    metrics: list[SceneMetric] = []
    commit: str = ""
    essential: bool = False
    serves: bool = False
    way: bool = False


class SceneEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A line between two cards, in the direction in which data flows.

    count: edges behind it. evidence: the weakest of them (`inferred` before `declared`, `imported`, `observed`). also: a
    producer that ancestry does not follow. loop: runs against the layers. faint: a longer way says the same.

    marks: what to look at, contradictions first (at most 8). messages: numbers of the messages that brought the edges, which the
    operation `message` gives back (the first 12). vias: what saw them. evidences: how many edges are known how. over: how many
    hidden vertices it leads through, 0 for an edge of the record. way: it lies on a shortest way to `to`. at: when the first of
    them happened; recorded_at: when the first of them was recorded.
    """

    src: str
    dst: str
    kind: str
    roles: list[str]
    evidence: str
    rule: str
    count: int
    at: int
    also: bool
    loop: bool
    faint: bool
    marks: list[Mark] = []
    messages: list[int] = []
    vias: list[str] = []
    evidences: dict[str, int] = {}
    over: int = 0
    way: bool = False
    recorded_at: int = 0


class SceneReply(msgspec.Struct, frozen=True, kw_only=True):
    """The picture. hidden: vertices that were reached and are not drawn. cut: more lies beyond; cut_reason says what."""

    focus: list[str]
    nodes: list[SceneNode]
    edges: list[SceneEdge]
    drawn: int
    hidden: int
    cut: bool
    cut_reason: str
    as_of: int | None
    valid_at: int | None = None
    lens: str = "versions"


def steps(names: Sequence[str]) -> str:
    """The label of a chain or cycle: its members by name."""
    return " → ".join([*names[:STEPS], *(["…"] if len(names) > STEPS else [])])


def to_open(request: SceneRequest) -> list[tuple[int, bool, int]]:
    """What is to be opened: vertices, whether upwards, and how many hops. Raises Invalid: something that is no side and id of a card."""
    found = []
    for text in request.open:
        way, _, rest = text.partition(":")
        number, colon, hops = rest.partition(":")
        good = all(part.isascii() and part.isdigit() and len(part) < 19 for part in (number, hops or "1"))
        if way not in ("up", "down") or not good or (colon and not 1 <= int(hops or 0) <= _FARTHEST):
            raise Invalid(
                f"open {text!r:.100}",
                hint=f"`up:ID` or `down:ID`, with the id of a card of one vertex, and perhaps `:HOPS`, 1 to {_FARTHEST}",
            )
        found.append((int(number), way == "up", int(hops or 1)))
    return found


def seen_for(budget: int) -> int:
    """How many vertices are walked to for that many cards."""
    return max(_FEWEST_SEEN, _SEEN * budget)


def beyond_of(
    picture: Picture,
    before: Mapping[int, list[int]],
    behind: Mapping[int, list[int]],
    besides: AbstractSet[int] = frozenset(),
) -> dict[str, tuple[Beyond, Beyond]]:
    """By card, how many neighbours before and behind it are not drawn; besides: those that were hidden on purpose."""
    drawn = {node for card in picture.cards for node in card.members} | besides
    found = {}
    for card in picture.cards:
        ends = []
        for known in (before, behind):
            others = {other for node in card.members for other in known.get(node, ())} - drawn
            whole = all(node in known and len(known[node]) <= EXACT for node in card.members)
            ends.append(Beyond(count=min(len(others), EXACT), exact=whole and len(others) <= EXACT))
        found[card.id] = (ends[0], ends[1])
    return found


def cut_reason(
    picture: Picture,
    beyond: Mapping[str, tuple[Beyond, Beyond]],
    budget: int,
    *,
    what: str = "vertices",
    told: str = "",
) -> str:
    """What is not drawn, in words; empty when everything is. told: what else limits it."""
    open_ends = sum(bool(up.count) or bool(down.count) for up, down in beyond.values())
    said = [told] if told else []
    said += [f"{len(picture.hidden):,} {what} did not fit into {budget} cards"] if picture.hidden else []
    if open_ends:
        said.append(f"more lies beyond {open_ends:,} cards")
    return "; ".join(said)
