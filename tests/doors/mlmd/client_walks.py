"""Filters and lineage as the unmodified client asks for them. Runs in the client's environment."""

from __future__ import annotations

from client_base import (
    STORE,
    artifact_type,
    code,
    context_type,
    execution_type,
    mlmd,
    pb,
    raw,
    said,
    service,
    word,
)

Options = pb.LineageSubgraphQueryOptions


def _found(get: object, filter: str) -> list[int]:
    return [each.id for each in get(list_options=mlmd.ListOptions(filter_query=filter))]


def check_filters_of_a_node_itself() -> None:
    type_id, mark = artifact_type(), word("m")
    name = STORE.get_artifact_types_by_id([type_id])[0].name
    a, b, c = STORE.put_artifacts(
        [
            pb.Artifact(type_id=type_id, name=f"{mark}_A", uri=f"s3://x/{mark}/1", state=pb.Artifact.LIVE),
            pb.Artifact(type_id=type_id, name=f"{mark}_b", uri=f"s3://x/{mark}/2", external_id=mark),
            pb.Artifact(type_id=type_id, name=f"it's {mark}", state=pb.Artifact.DELETED),
        ]
    )
    of_type = f"type = '{name}'"
    for text, wanted in {
        of_type: [a, b, c],
        f"type_id = {type_id} AND name LIKE '{mark}%'": [a, b],
        f'{of_type} AND name LIKE "%\\\\_a"': [],
        f'{of_type} AND name LIKE "%\\\\_A"': [a],
        f"{of_type} AND name LIKE '%_A'": [a],
        f"{of_type} AND NOT name LIKE '{mark}_%'": [c],
        f"name = 'it\\'s {mark}'": [c],
        f"uri = 's3://x/{mark}/2'": [b],
        f"{of_type} AND uri IS NULL": [c],
        f"external_id = '{mark}'": [b],
        f"{of_type} AND state = LIVE": [a],
        f"{of_type} AND state != LIVE": [b, c],
        f"{of_type} AND state IN (LIVE, DELETED)": [a, c],
        f"{of_type} AND state NOT IN (LIVE)": [b, c],
        f"id IN ({a}, {c})": [a, c],
        f"({of_type} AND id > {a}) and (id < {c} or id = -1)": [b],
        f"{of_type} AND create_time_since_epoch > 0 AND last_update_time_since_epoch >= 1": [a, b, c],
        f"{of_type} AND id BETWEEN {a} AND {b}": [a, b],
    }.items():
        assert sorted(_found(STORE.get_artifacts, text)) == wanted, text


def check_filters_of_properties() -> None:
    type_id = execution_type(lr=pb.DOUBLE, deep=pb.BOOLEAN)
    mark = word("p")
    ids = STORE.put_executions(
        [
            pb.Execution(
                type_id=type_id,
                properties={"lr": pb.Value(double_value=n / 10), "deep": pb.Value(bool_value=n == 1)},
                custom_properties={
                    mark: pb.Value(int_value=n),
                    "parent_dag_id": pb.Value(int_value=10**9 + n),
                    "text": pb.Value(string_value=f"{mark} {n} " + "x" * 5000),
                },
            )
            for n in range(3)
        ]
    )
    own = f"custom_properties.`{mark}`.int_value >= 0"
    for text, wanted in {
        f"custom_properties.parent_dag_id.int_value = {10**9 + 1} AND {own}": ids[1:2],
        f"custom_properties.`{mark}`.int_value < 2": ids[:2],
        f"{own} AND properties.lr.double_value < 0.15": ids[:2],
        f"{own} AND properties.lr.double_value = 0": ids[:1],
        f"{own} AND properties.deep.bool_value": ids[1:2],
        f"{own} AND properties.deep.bool_value = FALSE": [ids[0], ids[2]],
        f"custom_properties.text.string_value = '{mark} 2 {'x' * 5000}'": ids[2:],
        f"{own} AND custom_properties.text.string_value LIKE '{mark} 1%'": ids[1:2],
        f"{own} AND NOT custom_properties.`{mark}`.int_value = 1": [ids[0], ids[2]],
        f"{own} AND custom_properties.nobody.int_value = 1": [],
    }.items():
        assert sorted(_found(STORE.get_executions, text)) == wanted, text


def check_filters_of_neighbours() -> None:
    a, e, c, mark = artifact_type(), execution_type(), context_type(), word("n")
    c_name = STORE.get_context_types_by_id([c])[0].name
    execution, [used, made], [inner] = STORE.put_execution(
        pb.Execution(type_id=e, last_known_state=pb.Execution.COMPLETE),
        [
            (
                pb.Artifact(type_id=a, name=f"{mark}-in"),
                pb.Event(type=pb.Event.INPUT, milliseconds_since_epoch=5),
            ),
            (pb.Artifact(type_id=a, name=f"{mark}-out"), pb.Event(type=pb.Event.OUTPUT)),
        ],
        [pb.Context(type_id=c, name=mark)],
    )
    [outer] = STORE.put_contexts([pb.Context(type_id=c, name=f"{mark}-outer")])
    STORE.put_parent_contexts([pb.ParentContext(child_id=inner, parent_id=outer)])
    for get, text, wanted in (
        (STORE.get_artifacts, f"contexts_a.name = '{mark}'", [used, made]),
        (STORE.get_artifacts, f"contexts_a.name = '{mark}' AND contexts_a.type = '{c_name}'", [used, made]),
        (STORE.get_artifacts, f"contexts_a.name = '{mark}' AND contexts_b.id = 0", []),
        (STORE.get_artifacts, f"events_0.execution_id = {execution}", [used, made]),
        (STORE.get_artifacts, f"events_0.execution_id = {execution} AND events_0.type = INPUT", [used]),
        (STORE.get_artifacts, f"events_0.type IN (INPUT, OUTPUT) AND name = '{mark}-out'", [made]),
        (
            STORE.get_executions,
            f"events_x.artifact_id = {used} AND events_x.milliseconds_since_epoch < 6",
            [execution],
        ),
        (
            STORE.get_executions,
            f"last_known_state = COMPLETE AND contexts_1.name LIKE '{mark}%'",
            [execution],
        ),
        (STORE.get_contexts, f"parent_contexts_p.name = '{mark}-outer'", [inner]),
        (STORE.get_contexts, f"child_contexts_p.name = '{mark}'", [outer]),
        (STORE.get_contexts, f"artifacts_1.name = '{mark}-in' AND executions_1.id = {execution}", [inner]),
    ):
        assert sorted(_found(get, text)) == wanted, text


def check_wrong_filters_are_refused_with_the_place() -> None:
    for text in (
        "invalid syntax",
        "name =",
        "name = 3",
        "id = 'x'",
        "nobody = 1",
        "contexts_a.nobody = 1",
        "state = SLEEPING",
        "name = 'x",
        "id = 99999999999999999999",
        "(id = 1",
        "id = 1; DROP TABLE mlmd_node",
        "properties.a.struct_value = 1",
        "NOT " * 100 + "id = 1",
        "(" * 2000 + "id = 1" + ")" * 2000,
        " AND ".join(f"custom_properties.p{n}.int_value = 1" for n in range(70)),
    ):
        options = mlmd.ListOptions(filter_query=text)
        assert code(STORE.get_artifacts, list_options=options) == "INVALID_ARGUMENT", text
    assert "character" in said(STORE.get_artifacts, list_options=mlmd.ListOptions(filter_query="id == 1"))


def _chain(steps: int) -> tuple[list[int], list[int]]:
    """Artifacts and executions, each of which makes the next artifact from the one before."""
    a, e = artifact_type(), execution_type()
    edges = []
    for n in range(steps):
        edges.append((n, n, pb.Event(type=pb.Event.INPUT)))
        edges.append((n, n + 1, pb.Event(type=pb.Event.OUTPUT)))
    executions, artifacts, _ = STORE.put_lineage_subgraph(
        [pb.Execution(type_id=e) for _ in range(steps)],
        [pb.Artifact(type_id=a) for _ in range(steps + 1)],
        [],
        edges,
    )
    return list(artifacts), list(executions)


def _walk(start: int, hops: int | None, direction: int, **more: object) -> pb.LineageGraph:
    options = Options(
        starting_artifacts=Options.StartingNodes(filter_query=f"id = {start}"), direction=direction, **more
    )
    if hops is not None:
        options.max_num_hops = hops
    request = service.GetLineageSubgraphRequest(lineage_subgraph_query_options=options)
    return raw("GetLineageSubgraph", request).lineage_subgraph


def check_walks_go_each_way_as_far_as_asked() -> None:
    artifacts, executions = _chain(4)
    found = _walk(artifacts[2], 2, Options.UPSTREAM)
    assert [each.id for each in found.artifacts] == [artifacts[2], artifacts[1]]
    assert [each.id for each in found.executions] == [executions[1]]
    assert len(found.events) == 2
    found = _walk(artifacts[2], 1, Options.DOWNSTREAM)
    assert [each.id for each in found.executions] == [executions[2]]
    assert len(found.artifacts) == 1
    found = _walk(artifacts[2], None, Options.BIDIRECTIONAL)
    assert sorted(each.id for each in found.artifacts) == artifacts
    assert len(found.events) == 8
    found = _walk(artifacts[2], 0, Options.UPSTREAM)
    assert (len(found.artifacts), len(found.events)) == (1, 0)


def check_walks_are_complete_beyond_a_hundred_hops() -> None:
    artifacts, _executions = _chain(150)
    for hops in (300, 1000, None):
        found = _walk(artifacts[-1], hops, Options.UPSTREAM)
        assert (len(found.artifacts), len(found.executions), len(found.events)) == (151, 150, 300), hops


def check_walks_end_where_they_should() -> None:
    artifacts, executions = _chain(4)
    ending = Options.EndingNodes(filter_query=f"id = {artifacts[1]}")
    found = _walk(artifacts[4], None, Options.UPSTREAM, ending_artifacts=ending)
    assert sorted(each.id for each in found.artifacts) == artifacts[2:]
    ending.include_ending_nodes = True
    found = _walk(artifacts[4], None, Options.UPSTREAM, ending_artifacts=ending)
    assert sorted(each.id for each in found.artifacts) == artifacts[1:]
    assert executions[0] not in [each.id for each in found.executions]


def check_walks_answer_with_what_belongs_to_the_nodes() -> None:
    a, e, c = artifact_type(), execution_type(), context_type()
    execution, [made], [context] = STORE.put_execution(
        pb.Execution(type_id=e),
        [(pb.Artifact(type_id=a, uri=word("u")), pb.Event(type=pb.Event.OUTPUT))],
        [pb.Context(type_id=c, name=word())],
    )
    options = Options(starting_executions=Options.StartingNodes(filter_query=f"id = {execution}"))
    graph = STORE.get_lineage_subgraph(options)
    assert [each.id for each in graph.contexts] == [context]
    assert [(each.artifact_id, each.context_id) for each in graph.attributions] == [(made, context)]
    assert [(each.execution_id, each.context_id) for each in graph.associations] == [(execution, context)]
    assert [each.id for each in graph.artifact_types] == [a]
    only = STORE.get_lineage_subgraph(options, field_mask_paths=["events"])
    assert (len(only.events), len(only.artifacts), len(only.contexts)) == (1, 0, 0)


def check_walks_from_nowhere_are_refused() -> None:
    assert code(STORE.get_lineage_subgraph, Options()) == "INVALID_ARGUMENT"
    nowhere = Options(starting_artifacts=Options.StartingNodes(filter_query="id = 0"))
    assert code(STORE.get_lineage_subgraph, nowhere) == "NOT_FOUND"
    empty = Options(starting_artifacts=Options.StartingNodes())
    assert code(STORE.get_lineage_subgraph, empty) == "INVALID_ARGUMENT"
    assert code(_walk, 1, -1, Options.UPSTREAM) == "INVALID_ARGUMENT"


def check_the_older_question_gives_whole_nodes_up_to_a_limit() -> None:
    artifacts, executions = _chain(6)
    asked = pb.LineageGraphQueryOptions(
        artifacts_options=pb.ListOperationOptions(filter_query=f"id = {artifacts[3]}")
    )
    graph = raw("GetLineageGraph", service.GetLineageGraphRequest(options=asked)).subgraph
    assert sorted(each.id for each in graph.artifacts) == artifacts
    assert all(each.type for each in graph.executions)
    assert len(graph.events) == 12
    asked.max_node_size = 4
    graph = raw("GetLineageGraph", service.GetLineageGraphRequest(options=asked)).subgraph
    assert len(graph.artifacts) + len(graph.executions) == 4
    asked.max_node_size = 100
    asked.stop_conditions.max_num_hops = 1
    graph = raw("GetLineageGraph", service.GetLineageGraphRequest(options=asked)).subgraph
    assert sorted(each.id for each in graph.executions) == executions[2:4]
    assert code(raw, "GetLineageGraph", service.GetLineageGraphRequest()) == "INVALID_ARGUMENT"
