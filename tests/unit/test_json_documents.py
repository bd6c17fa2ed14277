"""The documents of `--json` are public interface: each field is written down, and what is written down is there."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from lineal.cli.demo import Seeded
from lineal.cli.store import About, Begun
from lineal.core.conflicts import Claim, Conflict
from lineal.core.diff import Change
from lineal.core.events import ErrorInfo
from lineal.core.health import Check
from lineal.deliver.delivery import SyncReport
from lineal.service import (
    check,
    columns,
    compare,
    conflicts,
    facet_set,
    facets,
    health,
    impact,
    joining,
    joins,
    lineage,
    messages,
    questions,
    registry,
    removal,
    runs,
    scene_marks,
    scene_reply,
    show,
    versions,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"
PARTS = {
    "lineal runs": [runs.RunSummary],
    "lineal versions": [versions.VersionSummary],
    "lineal show run:ID": [
        show.RunDetail, show.RunFile, show.ParamOut, show.MetricOut, show.ReferenceOut, ErrorInfo,
    ],
    "lineal show VERSION": [show.VersionDetail, show.ReferenceOut],
    "lineal trace": [lineage.TraceReply, lineage.GraphNode, lineage.GraphEdge],
    "Scene": [scene_reply.SceneRequest, scene_reply.SceneReply, scene_reply.SceneNode, scene_reply.SceneEdge, scene_reply.Beyond, scene_reply.SceneMetric, scene_marks.Mark],
    "lineal path": [questions.PathReply],
    "lineal impact": [impact.ImpactReply, impact.Affected],
    "lineal common": [questions.CommonReply, questions.Common],
    "lineal why": [questions.WhyReply, questions.Difference],
    "lineal inherited": [questions.InheritedReply, questions.Inherited],
    "lineal columns": [columns.ColumnsReply, columns.ColumnNode, columns.ColumnEdge],
    "lineal conflicts": [conflicts.ConflictsReply, Conflict, Claim, conflicts.Gap, conflicts.Resolved],
    "lineal facet": [facets.FacetDefined, facets.FacetFaultOut, facet_set.FacetWritten],
    "lineal joins": [joining.Joined, joins.Join],
    "lineal message": [messages.MessageReply],
    "lineal diff": [
        compare.DiffReply, compare.Side, compare.RunChange, compare.InputChange, compare.MetricChange,
        compare.UpstreamChange, Change,
    ],
    "lineal health": [health.HealthReply, Check],
    "Changes": [
        registry.Registered, registry.AliasOut, registry.Tagged, registry.Deployed, removal.Deleted, check.FsckReply,
        SyncReport, Begun, Seeded, About,
    ],
}  # fmt: skip
GENERAL = {"type", "NaN"}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("title", PARTS)
def test_every_field_of_a_document_is_written_down(title: str) -> None:
    told = set(re.findall(r"`(\w+)`", sections()[title]))
    fields = {field.encode_name for part in PARTS[title] for field in msgspec.structs.fields(part)}
    assert fields - told == set()


@pytest.mark.parametrize("title", PARTS)
def test_every_field_that_is_written_down_is_there(title: str) -> None:
    first_cells = re.findall(r"^\| (`[^|]+`) \|", sections()[title], re.MULTILINE)
    told = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    fields = {field.encode_name for part in PARTS[title] for field in msgspec.structs.fields(part)}
    assert told - fields - GENERAL == set()


def test_every_part_of_the_page_is_checked() -> None:
    assert set(sections()) == set(PARTS)
