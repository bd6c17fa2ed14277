"""What is put becomes part of the one graph: runs, versions, edges with evidence, groups, and the history of changes."""

from __future__ import annotations

import json
import uuid

import pytest

from lineal.core.events import Evidence, Level, State
from lineal.core.mlmd import Kind
from lineal.doors.mlmd import mlmd_pb2 as pb
from lineal.store.open import Store
from tests.doors.mlmd.asking import Asking, value
from tests.doors.mlmd.conftest import Door


@pytest.fixture
def ask(door: Door) -> Asking:
    return Asking(door.port)


def vertex(store: Store, kind: Kind, id: int) -> int:
    with store.read() as tx:
        return store.mlmd.get_nodes(tx, kind, [id])[id].vertex


def step(ask: Asking, name: str, uri: str, **more: object) -> pb.PutExecutionResponse:
    """A step of the pipeline `churn` that reads data and writes a model."""
    a, e, c = ask.types()
    pair = pb.PutExecutionRequest.ArtifactAndEvent
    path = pb.Event.Path(steps=[pb.Event.Path.Step(key="examples")])
    found: pb.PutExecutionResponse = ask(
        "PutExecution",
        execution=pb.Execution(
            type_id=e,
            name=name,
            last_known_state=pb.Execution.COMPLETE,
            custom_properties={"task_name": value("train"), "epochs": value(3), "lr": value(0.5)},
        ),
        artifact_event_pairs=[
            pair(
                artifact=pb.Artifact(type_id=a, uri=f"{uri}/in"),
                event=pb.Event(type=pb.Event.INPUT, path=path),
            ),
            pair(artifact=pb.Artifact(type_id=a, uri=f"{uri}/out"), event=pb.Event(type=pb.Event.OUTPUT)),
        ],
        contexts=[pb.Context(type_id=c, name="churn")],
        options=pb.PutExecutionRequest.Options(reuse_context_if_already_exist=True),
        **more,
    )
    return found


def test_an_execution_is_a_run_with_its_state_its_parameters_and_its_pipelines_name(
    ask: Asking, door: Door, opened: Store
) -> None:
    put = step(ask, "first", "s3://bucket/first")
    node = vertex(opened, Kind.EXECUTION, put.execution_id)
    with opened.read() as tx:
        run = opened.runs.get_runs(tx, [node])[node]
        params = {p.key: p.value for p in opened.attributes.get_params(tx, [node])[node]}
    assert (run.job, run.name, run.kind, run.state) == ("churn.train", "first", "step", State.FINISHED)
    assert params == {"task_name": "train", "epochs": "3", "lr": "0.5"}


def test_artifacts_are_versions_whose_content_is_not_known_and_events_are_edges(
    ask: Asking, door: Door, opened: Store
) -> None:
    put = step(ask, "second", "s3://bucket/second")
    read, made = (vertex(opened, Kind.ARTIFACT, id) for id in put.artifact_ids)
    run = vertex(opened, Kind.EXECUTION, put.execution_id)
    with opened.read() as tx:
        versions = opened.artifacts.get_versions(tx, [read, made])
        [used] = opened.edges.get_in(tx, [run])
        [generated] = opened.edges.get_out(tx, [run])
    assert (versions[made].namespace, versions[made].name) == ("s3://bucket", "second/out")
    assert (versions[made].kind, versions[made].level, versions[made].digest) == (
        "model",
        Level.DECLARED,
        None,
    )
    assert (used.src, used.role, used.evidence, used.via) == (read, "examples", Evidence.DECLARED, "mlmd")
    assert (generated.dst, generated.role, generated.again) == (made, "output", False)
    with opened.read() as tx:  # the message that brought an edge is kept as it came
        assert b"s3://bucket/second/out" in opened.audit.get_message(tx, generated.batch)


def test_contexts_are_groups_of_what_is_in_them_and_stand_below_their_parents(
    ask: Asking, door: Door, opened: Store
) -> None:
    put = step(ask, "third", "s3://bucket/third")
    _a, _e, c = ask.types()
    above = ask("PutContexts", contexts=[pb.Context(type_id=c, name="all of them")]).context_ids[0]
    ask("PutParentContexts", parent_contexts=[pb.ParentContext(child_id=put.context_ids[0], parent_id=above)])
    group = vertex(opened, Kind.CONTEXT, put.context_ids[0])
    run = vertex(opened, Kind.EXECUTION, put.execution_id)
    with opened.read() as tx:
        assert run in opened.groups.list_members(tx, group, limit=1000)
        assert (run, "churn") in opened.groups.list_groups_of(tx, [run])
        parent = tx.value("SELECT parent FROM collection WHERE id = :id", id=group)
    assert parent == vertex(opened, Kind.CONTEXT, above)


def test_what_is_changed_in_place_remains_as_history(ask: Asking, door: Door, opened: Store) -> None:
    a, _, _ = ask.types()
    [id] = ask(
        "PutArtifacts", artifacts=[pb.Artifact(type_id=a, uri="s3://b/x", properties={"n": value(1)})]
    ).artifact_ids
    node = vertex(opened, Kind.ARTIFACT, id)
    with opened.read() as tx:
        [first] = opened.attributes.get_facets(tx, node)
    ask("PutArtifacts", artifacts=[pb.Artifact(id=id, type_id=a, uri="s3://b/x", properties={"n": value(2)})])
    with opened.read() as tx:
        [now] = opened.attributes.get_facets(tx, node)
        [then] = opened.attributes.get_facets(tx, node, as_of=first.recorded_at)
    assert json.loads(bytes(now.body))["properties"] == {"n": 2}
    assert json.loads(bytes(then.body))["properties"] == {"n": 1}


def test_the_numbers_of_a_metrics_artifact_are_metrics_of_the_run_that_made_it(
    ask: Asking, door: Door, opened: Store
) -> None:
    _, e, _ = ask.types()
    of = ask("PutArtifactType", artifact_type=pb.ArtifactType(name="system.Metrics")).type_id
    pair = pb.PutExecutionRequest.ArtifactAndEvent
    said = {"accuracy": value(0.75), "rows": value(20), "display_name": value("metrics")}
    artifact = pb.Artifact(type_id=of, uri="s3://b/metrics", custom_properties=said)
    put = ask(
        "PutExecution",
        execution=pb.Execution(type_id=e),
        artifact_event_pairs=[pair(artifact=artifact, event=pb.Event(type=pb.Event.OUTPUT))],
    )
    run = vertex(opened, Kind.EXECUTION, put.execution_id)

    def metrics() -> dict[str, tuple[int, float]]:
        with opened.read() as tx:
            return {m.key: (m.count, m.last) for m in opened.metrics.get_summaries(tx, [run])[run]}

    assert metrics() == {"accuracy": (1, 0.75), "rows": (1, 20.0)}
    artifact.id = put.artifact_ids[0]
    artifact.custom_properties["accuracy"].double_value = 0.5
    ask("PutArtifacts", artifacts=[artifact])
    assert metrics() == {"accuracy": (2, 0.5), "rows": (1, 20.0)}


def test_what_breaks_a_schema_of_the_workspace_is_kept_and_flagged(
    ask: Asking, door: Door, opened: Store
) -> None:
    with opened.write() as tx:
        schema = b'{"properties": {"name": {"type": "integer"}}}'
        opened.facet_schemas.put_schema(tx, "mlmd.execution", 1, schema, refused=False, actor="", at=1)
    put = step(ask, "held against it", "s3://bucket/held")
    node = vertex(opened, Kind.EXECUTION, put.execution_id)
    with opened.read() as tx:
        faults = opened.facet_schemas.list_faults(tx, [node])
        kept = [facet.name for facet in opened.attributes.get_facets(tx, node)]
    assert [(fault.name, fault.refused) for fault in faults] == [("mlmd.execution/1", False)]
    assert "mlmd.execution/1" in kept


def test_a_state_that_changes_ends_the_run(ask: Asking, door: Door, opened: Store) -> None:
    _, e, _ = ask.types()
    execution = pb.Execution(type_id=e, last_known_state=pb.Execution.RUNNING)
    [id] = ask("PutExecutions", executions=[execution]).execution_ids
    node = vertex(opened, Kind.EXECUTION, id)
    with opened.read() as tx:
        assert opened.runs.get_runs(tx, [node])[node].state is State.RUNNING
    ask("PutExecutions", executions=[pb.Execution(id=id, type_id=e, last_known_state=pb.Execution.FAILED)])
    with opened.read() as tx:
        run = opened.runs.get_runs(tx, [node])[node]
    assert run.state is State.FAILED
    assert run.ended_at


def test_steps_of_kubeflows_graph_are_children_of_it(ask: Asking, door: Door, opened: Store) -> None:
    _, e, _ = ask.types()
    [dag] = ask("PutExecutions", executions=[pb.Execution(type_id=e)]).execution_ids
    child = pb.Execution(type_id=e, custom_properties={"parent_dag_id": value(dag)})
    [id] = ask("PutExecutions", executions=[child]).execution_ids
    node = vertex(opened, Kind.EXECUTION, id)
    with opened.read() as tx:
        assert opened.runs.get_runs(tx, [node])[node].parent == vertex(opened, Kind.EXECUTION, dag)


def test_a_run_is_called_after_the_pipeline_that_it_turns_out_to_belong_to(
    ask: Asking, door: Door, opened: Store
) -> None:
    _, e, c = ask.types()
    early = pb.Execution(type_id=e, custom_properties={"task_name": value("evaluate")})
    [id] = ask("PutExecutions", executions=[early]).execution_ids
    [context] = ask("PutContexts", contexts=[pb.Context(type_id=c, name="late")]).context_ids
    member = pb.Association(execution_id=id, context_id=context)
    ask("PutAttributionsAndAssociations", associations=[member])
    node = vertex(opened, Kind.EXECUTION, id)
    with opened.read() as tx:
        assert opened.runs.get_runs(tx, [node])[node].job == "late.evaluate"


def test_an_artifact_that_a_cached_step_gives_again_is_marked_so(
    ask: Asking, door: Door, opened: Store
) -> None:
    put = step(ask, "fourth", "s3://bucket/fourth")
    _, e, _ = ask.types()
    event = pb.Event(artifact_id=put.artifact_ids[1], type=pb.Event.OUTPUT)
    cached = ask(
        "PutExecution",
        execution=pb.Execution(type_id=e, last_known_state=pb.Execution.CACHED),
        artifact_event_pairs=[pb.PutExecutionRequest.ArtifactAndEvent(event=event)],
    )
    with opened.read() as tx:
        [edge] = opened.edges.get_out(tx, [vertex(opened, Kind.EXECUTION, cached.execution_id)])
    assert edge.again


def test_the_record_and_its_log_are_sound_afterwards(ask: Asking, door: Door, opened: Store) -> None:
    step(ask, "last", "s3://bucket/last")
    assert opened.check() == []
    with opened.read() as tx:
        assert opened.audit.verify(tx) == []


def test_a_row_that_lost_its_place_in_the_graph_is_found(store: Store) -> None:
    with store.write() as tx:
        tx.run(
            "INSERT INTO mlmd_node (kind, id, type, created, updated, vertex, properties) VALUES (1, 1, 1, 1, 1, 99, :none)",
            none=b"",
        )
    assert store.check() == ["1 things that clients of ML Metadata put are not in the graph"]


def test_lineage_is_answered_by_the_commands_that_answer_it_for_everything(ask: Asking, door: Door) -> None:
    put = step(ask, "asked", "s3://bucket/asked")
    found = door.serving.get(f"/api/lineal/v1/trace?ref=mlmd:{put.artifact_ids[1]}")
    assert found.status == 200, found.body
    assert b"asked/in" in found.body
    shown = door.serving.get(f"/api/lineal/v1/show?ref=mlmd:execution/{put.execution_id}")
    assert shown.status == 200, shown.body
    assert door.serving.get("/api/lineal/v1/trace?ref=mlmd:999999999").status == 404
    assert door.serving.get("/api/lineal/v1/trace?ref=mlmd:x").status == 404


def kubeflow(ask: Asking, run: str) -> int:
    """The execution that stands for a whole run of Kubeflow Pipelines, as its driver puts it."""
    put = ask(
        "PutTypes",
        execution_types=[pb.ExecutionType(name="system.DAGExecution")],
        context_types=[pb.ContextType(name="system.PipelineRun")],
    )
    found: pb.PutExecutionResponse = ask(
        "PutExecution",
        execution=pb.Execution(type_id=put.execution_type_ids[0], name=f"run/{run}"),
        contexts=[pb.Context(type_id=put.context_type_ids[0], name=run)],
    )
    return int(found.execution_id)


def logged(door: Door, run: str) -> str:
    """An MLflow run as Kubeflow's API server begins it for one of its own; its id."""
    api = "/api/2.0/mlflow"
    name = f"kfp {run}"
    experiment = door.serving.post(f"{api}/experiments/create", {"name": name}).json["experiment_id"]
    tags = [{"key": "kfp.pipeline_run_id", "value": run}]
    made = door.serving.post(f"{api}/runs/create", {"experiment_id": experiment, "tags": tags})
    return str(made.json["run"]["info"]["run_id"])


@pytest.mark.parametrize("mlflow_first", [True, False])
def test_the_mlflow_run_that_kubeflow_writes_is_one_with_the_execution_of_the_same_run(
    ask: Asking, door: Door, opened: Store, *, mlflow_first: bool
) -> None:
    run = str(uuid.uuid4())
    steps = [lambda: logged(door, run), lambda: kubeflow(ask, run)]
    done = [step() for step in (steps if mlflow_first else steps[::-1])]
    theirs, execution = done if mlflow_first else done[::-1]
    node = vertex(opened, Kind.EXECUTION, int(execution))
    with opened.read() as tx:
        other = opened.runs.find_run(tx, str(theirs))
        assert other is not None
        assert set(opened.joins.members(tx, node)) == {node, other}
        [join] = opened.joins.list_meetings(tx, [node])
        assert opened.runs.get_runs(tx, [node])[node].run_id == run.replace("-", "")
    assert (join.rule, join.evidence) == ("kfp-run-id", Evidence.DECLARED)
    assert "kfp.pipeline_run_id" in join.said
