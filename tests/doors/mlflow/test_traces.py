"""Traces: from OpenTelemetry's programs in both encodings, from MLflow's own client, and what is found of them."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from lineal.core.errors import Invalid
from lineal.doors.mlflow import otlp
from tests.doors.mlflow.asking import Asking, fresh
from tests.doors.mlflow.serving_doors import door as door

RECORDED = Path(__file__).parent / "recorded"
PROTOBUF = (RECORDED / "otlp_export.bin").read_bytes()  # written by opentelemetry-proto 1.45.2
JSON = (RECORDED / "otlp_export.json").read_bytes()
V3 = "/api/3.0/mlflow"
TRACE = "0102030405060708090a0b0c0d0e0f10"


def export(door: Asking, body: bytes, kind: str, **headers: str) -> tuple[int, bytes]:
    found = door.serving.ask("POST", "/v1/traces", body, Content_Type=kind, **headers)
    return found.status, found.body


def another(body: bytes) -> tuple[bytes, str]:
    """The recorded message with a trace id of its own."""
    id = random.randbytes(16)
    return body.replace(bytes.fromhex(TRACE), id).replace(TRACE.encode(), id.hex().encode()), f"tr-{id.hex()}"


def started(door: Asking, experiment: str = "0", **said: Any) -> dict[str, Any]:
    info = {
        "trace_id": f"tr-{random.randbytes(16).hex()}",
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment},
        },
        "request_time": "2026-11-23T10:00:00.123Z",
        "execution_duration": "1.5s",
        "state": "OK",
        **said,
    }
    return door.post(f"{V3}/traces", trace={"trace_info": info})["trace"]["trace_info"]  # type: ignore[no-any-return]


def test_both_encodings_mean_the_same() -> None:
    first, second = otlp.from_protobuf(PROTOBUF), otlp.from_json(json.loads(JSON))
    for said in (first, second):
        for group in said["resource_spans"]:
            for scoped in group["scope_spans"]:
                for span in scoped["spans"]:
                    span.pop("flags", None)
    assert first == second
    span = first["resource_spans"][0]["scope_spans"][0]["spans"][0]
    assert (span["trace_id"], span["name"], span["kind"]) == (TRACE, "änswer", 3)
    values = {item["key"]: otlp.plain(item.get("value", {})) for item in span["attributes"]}
    assert values["list"] == ["x", 1, None]
    assert values["map"] == {"inner": False}
    assert (values["i"], values["big"], values["nan"], values["none"]) == (-5, 2**62, "NaN", None)
    assert base64.b64decode(values["bytes"]) == b"\x00\xff"


def test_a_damaged_message_is_refused_or_read_and_nothing_else() -> None:
    dice = random.Random(1)
    read = 0
    for _ in range(3000):
        body = bytearray(PROTOBUF)
        for _ in range(dice.randrange(1, 6)):
            place = dice.randrange(len(body))
            if dice.random() < 0.5:
                body[place] = dice.randrange(256)
            else:
                del body[place : place + dice.randrange(1, 9)]
        with contextlib.suppress(Invalid):
            otlp.from_protobuf(bytes(body))
            read += 1
    assert 0 < read < 3000


def test_a_message_nested_without_end_is_refused() -> None:
    value = b""
    for _ in range(2000):
        inner = bytes([0x0A]) + length(value) + value
        value = bytes([0x2A]) + length(inner) + inner
    attribute = bytes([0x12]) + length(value) + value
    span = bytes([0x4A]) + length(attribute) + attribute
    for tag in (0x12, 0x12, 0x0A):
        span = bytes([tag]) + length(span) + span
    with pytest.raises(Invalid, match="nested too deeply"):
        otlp.from_protobuf(span)


def length(body: bytes) -> bytes:
    number, said = len(body), b""
    while number > 0x7F:
        said += bytes([number & 0x7F | 0x80])
        number >>= 7
    return said + bytes([number])


@pytest.mark.parametrize(("body", "kind"), [(PROTOBUF, "application/x-protobuf"), (JSON, "application/json")])
def test_spans_make_a_trace_that_can_be_read_back(door: Asking, body: bytes, kind: str) -> None:
    experiment, (sent, id) = door.experiment(), another(body)
    for _ in range(2):  # a repeat adds nothing
        status, answer = export(door, sent, kind, X_Mlflow_Experiment_Id=experiment)
        assert (status, answer) == (200, b"{}" if kind == "application/json" else b"")
    info = door.get(f"{V3}/traces/{id}")["trace"]["trace_info"]
    assert (info["state"], info["request_time"], info["execution_duration"]) == (
        "ERROR",
        "2023-11-14T22:13:20.123Z",
        "0.877s",
    )
    assert (info["request_preview"], info["response_preview"]) == ('{"q": "why?"}', '"because"')
    assert info["trace_location"]["mlflow_experiment"]["experiment_id"] == experiment
    assert info["tags"]["mlflow.traceName"] == "änswer"
    assert info["tags"]["mine"] == "t"
    spans = door.get(f"{V3}/traces/get", trace_id=id)["trace"]["spans"]
    assert [span["name"] for span in spans] == ["änswer", "child"]
    assert spans[0]["trace_id"] == base64.b64encode(bytes.fromhex(id[3:])).decode()
    assert spans[1]["parent_span_id"] == spans[0]["span_id"]
    many = door.get(f"{V3}/traces/batchGet", trace_ids=[id, "tr-none"])["traces"]
    assert [len(trace["spans"]) for trace in many] == [2]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-protobuf"),
        (b"\xff" * 50, "application/x-protobuf"),
        (PROTOBUF[:-7], "application/x-protobuf"),
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b'{"resourceSpans": 1}', "application/json"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}', "application/json"),
        (
            b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "00", "spanId": "00"}]}]}]}',
            "application/json",
        ),
        (b"x", "text/plain"),
        (PROTOBUF, "application/json"),
        (JSON, "application/x-protobuf"),
    ],
)
def test_what_is_no_export_request_is_refused(door: Asking, body: bytes, kind: str) -> None:
    assert 400 <= export(door, body, kind)[0] < 500


def test_spans_for_an_experiment_that_is_not_there_are_refused(door: Asking) -> None:
    sent, id = another(PROTOBUF)
    for experiment in ("999999", "x", "../1"):
        assert 400 <= export(door, sent, "application/x-protobuf", X_Mlflow_Experiment_Id=experiment)[0] < 500
    assert door.refused("GET", f"{V3}/traces/{id}")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_what_a_client_tells_of_a_trace_stands_beside_its_spans(door: Asking) -> None:
    sent, id = another(PROTOBUF)
    model = door.model(name=fresh("agent"))["model_id"]
    told = started(
        door,
        trace_id=id,
        trace_metadata={"mlflow.modelId": model},
        tags={"mlflow.traceName": "told"},
        client_request_id="r-1",
    )
    export(door, sent, "application/x-protobuf", X_Mlflow_Experiment_Id="0")
    info = door.get(f"{V3}/traces/{id}")["trace"]["trace_info"]
    assert {key: info[key] for key in told if key not in {"tags", "request_preview", "response_preview"}} == {
        key: told[key] for key in told if key not in {"tags"}
    }
    assert info["tags"]["mlflow.traceName"] == "told"
    assert (info["state"], info["execution_duration"]) == ("OK", "1.500s")


def test_traces_are_found_by_what_they_say(door: Asking) -> None:
    experiment = door.experiment()
    run, model = door.run(experiment)["run_id"], door.model(experiment, name="agent")["model_id"]
    ids = []
    for number in range(4):
        info = started(
            door,
            experiment,
            request_time=f"2026-11-23T10:00:0{number}Z",
            execution_duration=f"{number}s",
            state="ERROR" if number == 3 else "OK",
            tags={"n": str(number), "mlflow.traceName": f"name{number}"},
            trace_metadata={"mlflow.modelId": model} if number % 2 else {},
        )
        ids.append(info["trace_id"])
    door.post("/traces/link-to-run", trace_ids=[ids[2]], run_id=run)
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}

    def search(filter: str = "", **more: Any) -> list[int]:
        found = door.post(f"{V3}/traces/search", locations=[place], filter=filter, **more).get("traces", [])
        return [ids.index(trace["trace_id"]) for trace in found]

    assert search() == [3, 2, 1, 0]
    assert search("status = 'OK' AND execution_time_ms >= 1000") == [2, 1]
    assert search(f"metadata.`mlflow.modelId` = '{model}'") == [3, 1]
    assert search("tags.n IS NOT NULL AND tags.n != '0'", order_by=["timestamp_ms ASC"]) == [1, 2, 3]
    assert search(f"run_id = '{run}'") == [2]
    assert search("name LIKE 'name%' AND NOT trace.status = 'ERROR'", max_results=2) == [2, 1]
    assert search(f"request_id IN ('{ids[0]}', '{ids[3]}')") == [3, 0]
    page = door.post(f"{V3}/traces/search", locations=[place], max_results=3)
    rest = door.post(
        f"{V3}/traces/search", locations=[place], max_results=3, page_token=page["next_page_token"]
    )
    assert [ids.index(trace["trace_id"]) for trace in rest["traces"]] == [0]
    assert (
        door.refused("POST", f"{V3}/traces/search", {"locations": [place], "filter": "span.colour = 'x'"})[0]
        == 400
    )
    infos = door.post(f"{V3}/traces/batchGetInfos", trace_ids=ids[:2])["trace_infos"]
    assert [info["trace_id"] for info in infos] == ids[:2]


def test_traces_are_deleted_by_id_or_by_age(door: Asking) -> None:
    experiment = door.experiment()
    ids = [started(door, experiment, request_time=f"2020-01-01T00:00:0{n}Z")["trace_id"] for n in range(4)]
    delete = "/traces/delete-traces"
    assert door.post(delete, experiment_id=experiment, request_ids=[ids[3], "tr-none"]) == {
        "traces_deleted": 1
    }
    old = {"experiment_id": experiment, "max_timestamp_millis": 1_577_836_802_000}
    assert door.post(f"{V3}{delete}", **old, max_traces=1) == {"traces_deleted": 1}
    assert door.refused("GET", f"{V3}/traces/{ids[0]}")[0] == 404
    assert door.post(delete, **old) == {"traces_deleted": 2}
    assert door.refused("POST", delete, {"experiment_id": experiment})[0] == 400
    assert door.refused("POST", delete, {**old, "request_ids": ids})[0] == 400


def test_tags_and_assessments_of_a_trace_are_kept(door: Asking) -> None:
    id = started(door)["trace_id"]
    door.ask("PATCH", f"/traces/{id}/tags", {"key": "k", "value": "v"})
    assert door.get(f"{V3}/traces/{id}")["trace"]["trace_info"]["tags"]["k"] == "v"
    door.ask("DELETE", f"{V3}/traces/{id}/tags", {"key": "k"})
    assert door.refused("DELETE", f"{V3}/traces/{id}/tags", {"key": "k"})[0] == 404
    said = {
        "assessment_name": "good",
        "feedback": {"value": True},
        "source": {"source_type": "HUMAN", "source_id": "a"},
    }
    made = door.post(f"{V3}/traces/{id}/assessments", assessment=said)["assessment"]
    path = f"{V3}/traces/{id}/assessments/{made['assessment_id']}"
    assert door.get(path)["assessment"] == made
    changed = door.ask(
        "PATCH", path, {"assessment": {"feedback": {"value": False}}, "update_mask": "feedback"}
    )
    assert (changed["assessment"]["feedback"], changed["assessment"]["create_time"]) == (
        {"value": False},
        made["create_time"],
    )
    door.ask("DELETE", path)
    assert door.refused("GET", path)[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_client_of_mlflow_hears_mlflows_version(door: Asking) -> None:
    assert door.serving.get("/version", User_Agent="mlflow-python-client/3.17.2").body == b"3.17.2"
    assert door.serving.get("/version").json["name"] == "lineal"


def test_a_client_before_the_third_version_tells_of_a_trace_by_beginning_and_end(door: Asking) -> None:
    experiment = door.experiment()
    old = "/api/2.0/mlflow/traces"
    begun = door.post(
        old,
        experiment_id=experiment,
        timestamp_ms=1000,
        request_metadata=[{"key": "a", "value": "1"}],
        tags=[{"key": "t", "value": "x"}],
    )["trace_info"]
    assert (begun["status"], begun["execution_time_ms"]) == ("IN_PROGRESS", 0)
    ended = door.ask(
        "PATCH",
        f"{old}/{begun['request_id']}",
        {
            "timestamp_ms": 3000,
            "status": "OK",
            "request_metadata": [{"key": "b", "value": "2"}],
            "tags": [{"key": "t", "value": "y"}],
        },
    )["trace_info"]
    assert (ended["status"], ended["timestamp_ms"], ended["execution_time_ms"]) == ("OK", 1000, 2000)
    assert ended["request_metadata"] == [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    assert {"key": "t", "value": "y"} in ended["tags"]
    assert door.get(f"{old}/{begun['request_id']}/info")["trace_info"] == ended
    assert door.get(old, experiment_ids=[experiment], filter="tags.t = 'y'")["traces"] == [ended]
    now = door.get(f"/api/3.0/mlflow/traces/{begun['request_id']}")["trace"]["trace_info"]
    assert (now["state"], now["execution_duration"]) == ("OK", "2.000s")
    before = {"timestamp_ms": 1, "status": "OK"}
    assert door.refused("PATCH", f"{old}/{begun['request_id']}", before)[0] == 400
    assert door.refused("POST", old, {"experiment_id": "999999", "timestamp_ms": 1})[0] == 404


def test_how_often_two_filters_hold_together_is_told(door: Asking) -> None:
    experiment = door.experiment()
    for kind, fast in (("tool", 1), ("tool", 1), ("tool", 0), ("chat", 0)):
        tags = [{"key": "kind", "value": kind}, {"key": "fast", "value": str(fast)}]
        door.post("/api/2.0/mlflow/traces", experiment_id=experiment, timestamp_ms=1, tags=tags)

    def told(first: str, second: str) -> Any:
        return door.post(
            "/api/3.0/mlflow/traces/calculate-filter-correlation",
            experiment_ids=[experiment],
            filter_string1=first,
            filter_string2=second,
        )

    found = told("tags.kind = 'tool'", "tags.fast = '1'")
    counts = ("filter1_count", "filter2_count", "joint_count", "total_count")
    assert [found[name] for name in counts] == [3, 2, 2, 4]
    assert found["npmi"] == pytest.approx(math.log(4 / 3) / math.log(2))
    assert 0 < found["npmi_smoothed"] < found["npmi"]
    assert told("tags.kind = 'chat'", "tags.fast = '1'")["npmi"] == -1
    assert told("tags.kind = 'none'", "tags.fast = '1'")["npmi"] == "NaN"
    assert told("tags.kind != 'none'", "tags.fast != '2'")["npmi"] == 1


def test_traces_are_found_by_their_spans_and_by_what_was_thought_of_them(door: Asking) -> None:
    experiment = door.experiment()
    ids = {}
    for name, kind, code, said in (("plan", "AGENT", 1, "red fox"), ("look", "TOOL", 2, "blue bird")):
        trace_id = random.randbytes(16).hex()
        attributes = {
            "mlflow.spanType": kind,
            "note": said,
            "mlflow.spanInputs": "{}",
        }
        span = {
            "traceId": trace_id,
            "spanId": random.randbytes(8).hex(),
            "name": name,
            "startTimeUnixNano": "1000000",
            "endTimeUnixNano": "2000000",
            "status": {"code": code},
            "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items()],
        }
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        status, _ = export(
            door, json.dumps(body).encode(), "application/json", x_mlflow_experiment_id=experiment
        )
        assert status == 200
        ids[name] = f"tr-{trace_id}"
    for kind, name, value in (("feedback", "good", True), ("expectation", "answer", "fox")):
        path = f"{V3}/traces/{ids['plan']}/assessments"
        door.post(path, assessment={"assessment_name": name, kind: {"value": value}})

    def found(filter: str) -> set[str]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        told = door.post(f"{V3}/traces/search", locations=[place], filter=filter)["traces"]
        return {name for name, id in ids.items() if id in {one["trace_id"] for one in told}}

    for filter, wanted in (
        ("span.name = 'plan'", {"plan"}),
        ("span.type = 'TOOL'", {"look"}),
        ("span.status = 'ERROR'", {"look"}),
        ("span.attributes.note LIKE '%fox'", {"plan"}),
        ("span.attributes.note IN ('red fox', 'blue bird')", {"plan", "look"}),
        ("span.content LIKE '%\"note\"%bird%'", {"look"}),
        ("trace.text ILIKE '%BLUE%'", {"look"}),
        ("feedback.good = 'true'", {"plan"}),
        ("feedback.good IS NULL", {"look"}),
        ("expectation.answer IS NOT NULL AND span.type = 'AGENT'", {"plan"}),
        ("expectation.answer = 'bird'", set()),
    ):
        assert found(filter) == wanted, filter


def test_the_spans_of_a_trace_are_a_file_for_those_who_load_one(door: Asking) -> None:
    export(door, JSON, "application/json", x_mlflow_experiment_id="0")
    path = "/ajax-api/2.0/mlflow/get-trace-artifact"
    found = door.answer("GET", f"{path}?request_id=tr-{TRACE}")
    assert found.status == 200
    assert found.headers["content-disposition"] == "attachment; filename=traces.json"
    root = found.json["spans"][0]
    assert root["trace_id"] == base64.b64encode(bytes.fromhex(TRACE)).decode()
    assert root["parent_span_id"] is None
    assert root["status"]["code"].startswith("STATUS_CODE_")
    assert door.refused("GET", f"{path}?request_id=tr-none")[0] == 404
    assert door.refused("GET", path)[0] == 400


def test_an_assessment_that_is_overridden_is_valid_again_when_the_other_is_gone(door: Asking) -> None:
    begun = door.post("/api/2.0/mlflow/traces", experiment_id="0", timestamp_ms=1)["trace_info"]
    path = f"{V3}/traces/{begun['request_id']}/assessments"
    said = {
        "assessment_name": "good",
        "feedback": {"value": 4},
        "metadata": {"a": "1"},
        "source": {"source_type": "HUMAN"},
    }
    first = door.post(path, assessment=said)["assessment"]
    assert first["valid"] is True
    changed = {"feedback": {"value": 5}, "metadata": {"b": "2"}, "source": {"source_type": "CODE"}}
    told = door.ask("PATCH", f"{path}/{first['assessment_id']}", {"assessment": changed})["assessment"]
    assert told["feedback"] == {"value": 5}
    assert told["metadata"] == {"a": "1", "b": "2"}
    assert told["source"] == {"source_type": "HUMAN"}
    assert told["assessment_id"] == first["assessment_id"]
    wrong = {"assessment": {"expectation": {"value": 1}}}
    assert door.refused("PATCH", f"{path}/{first['assessment_id']}", wrong)[0] == 400
    other = door.post(path, assessment={**said, "overrides": first["assessment_id"]})["assessment"]

    def valid() -> bool:
        return bool(door.get(f"{path}/{first['assessment_id']}")["assessment"]["valid"])

    assert not valid()
    door.ask("DELETE", f"{path}/{other['assessment_id']}")
    assert valid()
    assert door.refused("POST", path, {"assessment": {**said, "overrides": "a-none"}})[0] == 404


def test_an_expectation_of_several_values_is_text_that_is_json(door: Asking) -> None:
    begun = door.post("/api/2.0/mlflow/traces", experiment_id="0", timestamp_ms=1)["trace_info"]
    path = f"{V3}/traces/{begun['request_id']}/assessments"
    kept = door.post(path, assessment={"assessment_name": "x", "expectation": {"value": {"ms": 1}}})
    assert json.loads(kept["assessment"]["expectation"]["serialized_value"]["value"]) == {"ms": 1}
    kept = door.post(path, assessment={"assessment_name": "y", "expectation": {"value": "one"}})
    assert kept["assessment"]["expectation"] == {"value": "one"}


def test_spans_without_an_experiment_or_an_id_cannot_be_placed(door: Asking) -> None:
    assert export(door, JSON, "application/json")[0] == 422
    nameless = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "01" * 8}]}]}]}).encode()
    assert export(door, nameless, "application/json", x_mlflow_experiment_id="0")[0] == 422
    status, body = export(door, b"", "application/x-protobuf", x_mlflow_experiment_id="0")
    assert status == 400
    assert b"no spans found" in body
