"""Odd, hostile and simultaneous calls: each is refused in words or kept whole, and the server goes on."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from lineal.core.mlmd import Kind
from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.store.open import Store, open_store
from tests.doors.mlmd.asking import SERVICE, Asking, value
from tests.doors.mlmd.clients import free_port
from tests.doors.mlmd.conftest import Door
from tests.e2e.cli import LINEAL, environment
from tests.server.serving import Serving, begun


@pytest.fixture
def ask(door: Door) -> Asking:
    return Asking(door.port)


def test_bytes_that_are_no_message_are_refused(ask: Asking, door: Door) -> None:
    for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x03\x0a\x01\xff"):
        assert ask.refused("PutArtifacts", body)[0] == "INVALID_ARGUMENT", body


def test_a_message_nested_without_end_is_refused(ask: Asking, door: Door) -> None:
    body = b""
    for _ in range(5000):  # ArtifactStructType.list.element, once in another
        body = _field(4, _field(1, body))
    deep = _field(1, _field(4, body))
    status, said = ask.refused("PutExecutionType", deep)
    assert status == "INVALID_ARGUMENT"
    assert "nested" in said


def _field(number: int, body: bytes) -> bytes:
    size, count = b"", len(body)
    while True:
        size += bytes([count & 0x7F | (0x80 if count > 0x7F else 0)])
        count >>= 7
        if not count:
            return bytes([number << 3 | 2]) + size + body


def test_a_value_nested_deeper_than_is_kept_is_refused_or_kept_whole(ask: Asking, door: Door) -> None:
    a, _, _ = ask.types()
    artifact = pb.Artifact(type_id=a)
    inner = artifact.custom_properties["x"].struct_value
    for _ in range(20):
        inner = inner.fields["a"].struct_value
    inner.fields["end"].string_value = "here"
    [id] = ask("PutArtifacts", artifacts=[artifact]).artifact_ids
    [kept] = ask("GetArtifactsByID", artifact_ids=[id]).artifacts
    assert kept.custom_properties == artifact.custom_properties


def test_a_message_larger_than_the_limit_is_refused(ask: Asking, door: Door) -> None:
    large = pb.PutArtifactsRequest(artifacts=[pb.Artifact(uri="x" * (70 << 20))])
    assert ask.refused("PutArtifacts", large)[0] == "RESOURCE_EXHAUSTED"


def test_a_message_that_unpacks_to_more_than_the_limit_is_refused(ask: Asking, door: Door) -> None:
    bomb = pb.PutArtifactsRequest(artifacts=[pb.Artifact(uri="\0" * (90 << 20))]).SerializeToString()
    with pytest.raises(grpc.RpcError) as refused:
        ask.raw("PutArtifacts", bomb, compression=grpc.Compression.Gzip)
    assert refused.value.code().name == "RESOURCE_EXHAUSTED"


def test_a_call_that_the_service_does_not_have_is_refused(ask: Asking, door: Door) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        ask.raw("DropEverything", b"")
    assert refused.value.code().name == "UNIMPLEMENTED"


def test_unknown_enumeration_values_are_refused_in_words(ask: Asking, door: Door) -> None:
    a, e, _ = ask.types()
    [artifact] = ask("PutArtifacts", artifacts=[pb.Artifact(type_id=a)]).artifact_ids
    [execution] = ask("PutExecutions", executions=[pb.Execution(type_id=e)]).execution_ids
    event = pb.Event(artifact_id=artifact, execution_id=execution, type=99)
    assert "99 is no type of event" in ask.refused("PutEvents", events=[event])[1]
    assert (
        "77 is no state"
        in ask.refused("PutExecutions", executions=[pb.Execution(type_id=e, last_known_state=77)])[1]
    )
    odd = pb.ArtifactType(name="odd", properties={"x": 42})
    assert "42" in ask.refused("PutArtifactType", artifact_type=odd)[1]
    assert (
        ask.refused("PutArtifactType", artifact_type=pb.ArtifactType(name="odd", base_type=9))[0]
        == "INVALID_ARGUMENT"
    )


def test_names_that_no_index_holds_are_refused_and_long_values_kept(ask: Asking, door: Door) -> None:
    a, _, _ = ask.types()
    assert (
        ask.refused("PutArtifacts", artifacts=[pb.Artifact(type_id=a, name="n" * 1001)])[0]
        == "INVALID_ARGUMENT"
    )
    long = pb.Artifact(type_id=a, uri="u" * 100_000, custom_properties={"x": value("v" * 1_000_000)})
    [id] = ask("PutArtifacts", artifacts=[long]).artifact_ids
    [kept] = ask("GetArtifactsByURI", uris=[long.uri]).artifacts
    assert (kept.id, kept.custom_properties["x"].string_value) == (id, "v" * 1_000_000)


def test_numbers_beyond_all_that_were_given_are_nobodys(ask: Asking, door: Door) -> None:
    for id in (-1, 1 << 62, (1 << 63) - 1, -(1 << 63)):
        assert list(ask("GetArtifactsByID", artifact_ids=[id]).artifacts) == []
        assert ask.refused("PutArtifacts", artifacts=[pb.Artifact(id=id)])[0] == "INVALID_ARGUMENT"
        assert list(ask("GetArtifactsByContext", context_id=id).artifacts) == []


def test_eight_clients_at_once_lose_nothing_and_share_no_number(
    ask: Asking, door: Door, opened: Store
) -> None:
    a, e, c = ask.types()
    pair = pb.PutExecutionRequest.ArtifactAndEvent

    def work(client: int) -> list[tuple[int, ...]]:
        own, found = Asking(door.port), []
        for n in range(25):
            put = own(
                "PutExecution",
                execution=pb.Execution(type_id=e, name=f"{client}.{n}"),
                artifact_event_pairs=[
                    pair(artifact=pb.Artifact(type_id=a), event=pb.Event(type=pb.Event.INPUT)),
                    pair(artifact=pb.Artifact(type_id=a), event=pb.Event(type=pb.Event.OUTPUT)),
                ],
                contexts=[pb.Context(type_id=c, name="crowd")],
                options=pb.PutExecutionRequest.Options(reuse_context_if_already_exist=True),
            )
            found.append((put.execution_id, *put.artifact_ids, *put.context_ids))
        return found

    with ThreadPoolExecutor(8) as pool:
        put = [row for rows in pool.map(work, range(8)) for row in rows]
    assert len({row[0] for row in put}) == 200
    assert len({id for row in put for id in row[1:3]}) == 400
    assert len({row[3] for row in put}) == 1, "one context, however many wanted to make it"
    members = ask("GetExecutionsByContext", context_id=put[0][3]).executions
    assert len(members) == 200
    with opened.read() as tx:
        nodes = opened.mlmd.get_nodes(tx, Kind.EXECUTION, [row[0] for row in put])
        runs = opened.runs.get_runs(tx, [node.vertex for node in nodes.values()])
        edges = opened.edges.get_in(tx, list(runs))
    assert (len(runs), len(edges)) == (200, 200)


def test_of_eight_that_put_the_same_name_one_succeeds(ask: Asking, door: Door) -> None:
    a, _, _ = ask.types()

    def put(client: int) -> str:
        own = Asking(door.port)
        try:
            own(
                "PutArtifacts",
                artifacts=[pb.Artifact(type_id=a, name="the only one"), pb.Artifact(type_id=a)],
            )
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    with ThreadPoolExecutor(8) as pool:
        ended = sorted(pool.map(put, range(8)))
    assert ended == ["ALREADY_EXISTS"] * 7 + ["OK"]


def test_a_client_that_does_not_wait_for_its_answer_disturbs_nobody(ask: Asking, door: Door) -> None:
    a, _, _ = ask.types()
    request = pb.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=a)] * 200).SerializeToString()
    calls = [ask.channel.unary_unary(SERVICE + "PutArtifacts").future(request) for _ in range(6)]
    for call in calls[::2]:
        call.cancel()
    assert [
        len(pb.PutArtifactsResponse.FromString(call.result(60)).artifact_ids) for call in calls[1::2]
    ] == [200] * 3


def test_nothing_of_this_was_an_error_inside_the_server(door: Door) -> None:
    assert [line for line in door.serving.log.splitlines() if '"level":"error"' in line] == []


# ---- servers of their own --------------------------------------------------------------------------------------------------


def test_as_soon_as_there_is_a_token_only_its_holder_is_answered(tmp_path: Path) -> None:
    folder, port = begun(tmp_path / "kept"), free_port()

    def token(scope: str) -> str:
        words = [LINEAL, "token", "create", scope, "--scope", scope]
        return subprocess.run(
            words, cwd=folder, env=environment(), capture_output=True, text=True, check=True
        ).stdout.strip()

    writer, reader = token("record:write"), token("viewer")
    serving = Serving(folder, "--mlmd-port", str(port)).start()
    try:
        put = pb.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="x"))
        assert Asking(port).refused("GetArtifactTypes")[0] == "UNAUTHENTICATED"
        assert Asking(port, "lin_wrong_token").refused("GetArtifactTypes")[0] == "UNAUTHENTICATED"
        assert Asking(port, reader).refused("PutArtifactType", put)[0] == "PERMISSION_DENIED"
        assert Asking(port, writer).refused("GetArtifactTypes")[0] == "PERMISSION_DENIED"
        assert Asking(port, writer)("PutArtifactType", put).type_id
        assert len(Asking(port, reader)("GetArtifactTypes").artifact_types) == 1
    finally:
        serving.close()


def test_what_was_acknowledged_is_there_after_the_server_was_killed(tmp_path: Path) -> None:
    folder, port = begun(tmp_path / "killed"), free_port()
    serving = Serving(folder, "--mlmd-port", str(port)).start()
    ask = Asking(port)
    a, _, _ = ask.types()
    acknowledged: list[int] = []
    with ThreadPoolExecutor(4) as pool:

        def put(_: int) -> None:
            own = Asking(port)
            try:
                while True:
                    acknowledged.extend(
                        own("PutArtifacts", artifacts=[pb.Artifact(type_id=a)] * 3).artifact_ids
                    )
                    if len(acknowledged) > 200:
                        serving.kill()
            except grpc.RpcError:
                return

        list(pool.map(put, range(4)))
    with open_store(str(next((folder / ".lineal").glob("*.db")))).read() as tx:
        kept = {id for (id,) in tx.rows("SELECT id FROM mlmd_node")}
        lost = tx.value(
            "SELECT count(*) FROM mlmd_node n LEFT JOIN version v ON v.node = n.vertex WHERE v.node IS NULL"
        )
    assert set(acknowledged) <= kept
    assert lost == 0


def test_a_port_that_is_taken_is_said_before_anything_is_served(door: Door, tmp_path: Path) -> None:
    folder = begun(tmp_path / "second")
    done = subprocess.run(
        [LINEAL, "server", "--port", "0", "--mlmd-port", str(door.port)],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "--mlmd-port" in done.stdout + done.stderr, done.stdout + done.stderr


def test_without_the_library_the_server_says_what_to_install(tmp_path: Path) -> None:
    folder = begun(tmp_path / "bare")
    Path(folder, "grpc.py").write_text("raise ImportError('none', name='grpc')")
    done = subprocess.run(
        [LINEAL, "server", "--port", "0", "--mlmd-port", str(free_port())],
        cwd=folder, env=environment(PYTHONPATH=os.fspath(folder)), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "lineal[kubeflow]" in done.stdout + done.stderr
