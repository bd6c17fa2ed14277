"""What the unmodified client puts and gets: every call of the service. Runs in the client's environment."""

from __future__ import annotations

import math

from client_base import (
    CALLED,
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
    step,
    word,
)

INT, DOUBLE, STRING = pb.INT, pb.DOUBLE, pb.STRING


def check_types_grow_only_as_the_caller_allows() -> None:
    name = word()
    first = STORE.put_artifact_type(pb.ArtifactType(name=name, properties={"a": INT, "b": STRING}))
    more = pb.ArtifactType(name=name, properties={"a": INT, "b": STRING, "c": DOUBLE})
    assert code(STORE.put_artifact_type, more) == "ALREADY_EXISTS"
    assert STORE.put_artifact_type(more, can_add_fields=True) == first
    fewer = pb.ArtifactType(name=name, properties={"a": INT})
    assert code(STORE.put_artifact_type, fewer) == "ALREADY_EXISTS"
    assert STORE.put_artifact_type(fewer, can_omit_fields=True) == first
    other = pb.ArtifactType(name=name, properties={"a": STRING})
    refused = said(STORE.put_artifact_type, other, can_add_fields=True, can_omit_fields=True)
    assert "Type already exists with different properties" in refused, refused
    kept = STORE.get_artifact_type(name)
    assert dict(kept.properties) == {"a": INT, "b": STRING, "c": DOUBLE}, kept
    unknown = pb.ArtifactType(name=word(), properties={"a": pb.UNKNOWN})
    assert code(STORE.put_artifact_type, unknown) == "INVALID_ARGUMENT"
    assert code(STORE.put_artifact_type, pb.ArtifactType()) == "INVALID_ARGUMENT"


def check_versions_of_a_type_are_types_of_their_own() -> None:
    name = word()
    ids = {
        STORE.put_execution_type(pb.ExecutionType(name=name, version=version)) for version in ("", "1", "2")
    }
    assert len(ids) == 3
    assert not STORE.get_execution_type(name).HasField("version")
    assert STORE.get_execution_type(name, "2").version == "2"
    assert code(STORE.get_execution_type, name, "3") == "NOT_FOUND"


def check_types_keep_what_they_were_sent() -> None:
    sent = pb.ExecutionType(
        name=word(),
        version="v1",
        description="trains",
        external_id=word("ext"),
        properties={"lr": DOUBLE},
        base_type=pb.ExecutionType.TRAIN,
    )
    sent.input_type.dict.properties["examples"].simple.name = "Examples"
    sent.output_type.none.SetInParent()
    sent.id = STORE.put_execution_type(sent)
    assert STORE.get_execution_type(sent.name, "v1") == sent
    assert STORE.get_execution_types_by_external_ids([sent.external_id])[0] == sent
    assert [kept for kept in STORE.get_execution_types() if kept.id == sent.id] == [sent]
    assert code(STORE.get_execution_types_by_external_ids, [word()]) == "NOT_FOUND"
    twice = pb.ExecutionType(name=word(), external_id=sent.external_id)
    assert code(STORE.put_execution_type, twice) == "ALREADY_EXISTS"
    sent.base_type = pb.ExecutionType.DEPLOY
    assert code(STORE.put_execution_type, sent) == "UNIMPLEMENTED"


def check_every_store_begins_with_the_base_types_and_does_not_list_them() -> None:
    assert STORE.get_artifact_type("mlmd.Model").id
    assert "mlmd.Model" not in [kept.name for kept in STORE.get_artifact_types()]


def check_several_types_are_put_at_once() -> None:
    request = service.PutTypesRequest(
        artifact_types=[pb.ArtifactType(name=word())],
        execution_types=[pb.ExecutionType(name=word()), pb.ExecutionType(name=word())],
        context_types=[pb.ContextType(name=word(), external_id=word())],
    )
    put = raw("PutTypes", request)
    assert [len(put.artifact_type_ids), len(put.execution_type_ids), len(put.context_type_ids)] == [1, 2, 1]
    by_id = raw("GetArtifactTypesByID", service.GetArtifactTypesByIDRequest(type_ids=put.artifact_type_ids))
    assert by_id.artifact_types[0].name == request.artifact_types[0].name
    assert len(STORE.get_execution_types_by_id(put.execution_type_ids)) == 2
    assert len(STORE.get_context_types_by_id(put.context_type_ids)) == 1
    listed = raw("GetContextTypes", service.GetContextTypesRequest())
    assert request.context_types[0].name in [kept.name for kept in listed.context_types]
    external = request.context_types[0].external_id
    assert STORE.get_context_types_by_external_ids([external])[0].id == put.context_type_ids[0]
    request.artifact_types.add(name=request.artifact_types[0].name, properties={"x": INT})
    request.execution_types.add(name=word())
    assert code(raw, "PutTypes", request) == "ALREADY_EXISTS"
    assert code(STORE.get_execution_type, request.execution_types[2].name) == "NOT_FOUND", "it was not whole"


def check_values_come_back_exactly() -> None:
    type_id = STORE.put_artifact_type(
        pb.ArtifactType(
            name=word(),
            external_id=word(),
            properties={"i": INT, "d": DOUBLE, "s": STRING, "b": pb.BOOLEAN, "st": pb.STRUCT, "p": pb.PROTO},
        )
    )
    sent = pb.Artifact(
        type_id=type_id, name=word(), uri="s3://b/ü\x00x", external_id=word(), state=pb.Artifact.LIVE
    )
    sent.properties["i"].int_value = -(2**63)
    sent.properties["d"].double_value = math.inf
    sent.properties["s"].string_value = "a\x00\x01☃" * 1000
    sent.properties["b"].bool_value = True
    sent.properties["st"].struct_value.update({"a": [1, None, {"b": "c"}], "n": 2.5})
    sent.properties["p"].proto_value.Pack(pb.Artifact(id=7))
    sent.custom_properties["nan"].double_value = math.nan
    sent.custom_properties["`odd. name"].string_value = ""
    [id] = STORE.put_artifacts([sent])
    [kept] = STORE.get_artifacts_by_id([id])
    assert math.isnan(kept.custom_properties["nan"].double_value)
    assert kept.create_time_since_epoch == kept.last_update_time_since_epoch > 1_600_000_000_000
    for field in ("create_time_since_epoch", "last_update_time_since_epoch", "id", "type"):
        kept.ClearField(field)
    del kept.custom_properties["nan"], sent.custom_properties["nan"]
    assert kept == sent
    assert [each.id for each in STORE.get_artifacts_by_uri(sent.uri)] == [id]
    assert [each.id for each in STORE.get_artifacts_by_external_ids([sent.external_id])] == [id]
    external = STORE.get_artifact_types_by_id([type_id])[0].external_id
    assert STORE.get_artifact_types_by_external_ids([external])[0].id == type_id


def check_properties_must_be_those_of_the_type() -> None:
    type_id = execution_type(lr=DOUBLE)
    unknown = pb.Execution(type_id=type_id, properties={"lrr": pb.Value(double_value=1)})
    assert "Found unknown property: lrr" in said(STORE.put_executions, [unknown])
    other = pb.Execution(type_id=type_id, properties={"lr": pb.Value(int_value=1)})
    assert "Found unmatched property type: lr" in said(STORE.put_executions, [other])
    assert code(STORE.put_executions, [pb.Execution()]) == "INVALID_ARGUMENT"
    assert code(STORE.put_executions, [pb.Execution(type_id=10**9)]) == "NOT_FOUND"
    assert code(STORE.put_executions, [pb.Execution(type_id=artifact_type())]) == "NOT_FOUND"


def check_a_put_of_several_is_whole_or_not_at_all() -> None:
    type_id, name = artifact_type(), word()
    nodes = [pb.Artifact(type_id=type_id, name=name), pb.Artifact(type_id=type_id, name=name)]
    assert code(STORE.put_artifacts, nodes) == "ALREADY_EXISTS"
    type_name = STORE.get_artifact_types_by_id([type_id])[0].name
    assert STORE.get_artifacts_by_type(type_name) == []
    assert STORE.get_artifact_by_type_and_name(type_name, name) is None
    [id] = STORE.put_artifacts(nodes[:1])
    assert STORE.get_artifact_by_type_and_name(type_name, name).id == id


def check_updates_replace_and_masks_update_parts() -> None:
    type_id = artifact_type(a=INT)
    [id] = STORE.put_artifacts(
        [pb.Artifact(type_id=type_id, uri="u", properties={"a": pb.Value(int_value=1)})]
    )
    [first] = STORE.get_artifacts_by_id([id])
    STORE.put_artifacts([pb.Artifact(id=id, type_id=type_id, state=pb.Artifact.LIVE)])
    [second] = STORE.get_artifacts_by_id([id])
    assert not second.uri
    assert not second.properties
    assert second.state == pb.Artifact.LIVE
    assert second.create_time_since_epoch == first.create_time_since_epoch
    assert second.last_update_time_since_epoch > first.last_update_time_since_epoch
    partly = pb.Artifact(
        id=id, uri="w", custom_properties={"x": pb.Value(string_value="y")}, state=pb.Artifact.DELETED
    )
    STORE.put_artifacts([partly], field_mask_paths=["uri", "custom_properties.x"])
    [third] = STORE.get_artifacts_by_id([id])
    assert (third.uri, third.state) == ("w", pb.Artifact.LIVE)
    assert third.custom_properties["x"].string_value == "y"
    STORE.put_artifacts([third])
    [fourth] = STORE.get_artifacts_by_id([id])
    assert fourth == third, "an update that changes nothing moves no time"
    assert code(STORE.put_artifacts, [pb.Artifact(id=10**9, type_id=type_id)]) == "INVALID_ARGUMENT"
    assert code(STORE.put_artifacts, [pb.Artifact(id=id, type_id=artifact_type())]) == "INVALID_ARGUMENT"


def check_an_update_can_ask_that_nothing_changed_meanwhile() -> None:
    type_id = artifact_type()
    [id] = STORE.put_artifacts([pb.Artifact(type_id=type_id)])
    [mine] = STORE.get_artifacts_by_id([id])
    options = service.PutArtifactsRequest.Options(abort_if_latest_updated_time_changed=True)
    STORE.put_artifacts([pb.Artifact(id=id, type_id=type_id, uri="theirs")])
    mine.uri = "mine"
    request = service.PutArtifactsRequest(artifacts=[mine], options=options)
    assert code(raw, "PutArtifacts", request) == "FAILED_PRECONDITION"
    [theirs] = STORE.get_artifacts_by_id([id])
    theirs.uri = "mine"
    raw("PutArtifacts", service.PutArtifactsRequest(artifacts=[theirs], options=options))
    assert STORE.get_artifacts_by_id([id])[0].uri == "mine"


def check_states_that_nobody_knows_are_refused() -> None:
    request = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=artifact_type())])
    broken = request.SerializeToString().replace(b"\x0a\x02\x10", b"\x0a\x05\x30\xe7\x07\x10")
    from client_base import CHANNEL

    call = CHANNEL.unary_unary("/ml_metadata.MetadataStoreService/PutArtifacts")
    assert code(call, broken) == "INVALID_ARGUMENT"
    assert "999 is no state" in said(call, broken)


def check_executions_and_contexts_are_found_each_way() -> None:
    e, c = execution_type(), context_type()
    names = [word(), word()]
    executions = STORE.put_executions(
        [pb.Execution(type_id=e, name=name, external_id=name) for name in names]
    )
    contexts = STORE.put_contexts([pb.Context(type_id=c, name=name, external_id=name) for name in names])
    e_name, c_name = STORE.get_execution_types_by_id([e])[0].name, STORE.get_context_types_by_id([c])[0].name
    assert [each.id for each in STORE.get_executions_by_type(e_name)] == executions
    assert [each.id for each in STORE.get_contexts_by_type(c_name)] == contexts
    assert STORE.get_execution_by_type_and_name(e_name, names[1]).id == executions[1]
    assert STORE.get_context_by_type_and_name(c_name, names[1]).id == contexts[1]
    assert [each.id for each in STORE.get_executions_by_external_ids(names)] == executions
    assert [each.id for each in STORE.get_contexts_by_external_ids(names)] == contexts
    assert [each.id for each in STORE.get_executions_by_id(executions)] == executions
    assert {each.type for each in STORE.get_contexts_by_id(contexts)} == {c_name}
    assert STORE.get_context_type(c_name).id == c
    assert code(STORE.put_contexts, [pb.Context(type_id=c)]) == "INVALID_ARGUMENT"
    assert code(STORE.put_contexts, [pb.Context(type_id=c, name=names[0])]) == "ALREADY_EXISTS"
    assert code(STORE.put_executions, [pb.Execution(type_id=e, external_id=names[0])]) == "ALREADY_EXISTS"


def check_events_keep_their_paths_and_come_once() -> None:
    execution, [used], [made] = step()
    other = STORE.put_executions([pb.Execution(type_id=execution_type())])[0]
    event = pb.Event(
        artifact_id=made,
        execution_id=other,
        type=pb.Event.DECLARED_INPUT,
        milliseconds_since_epoch=12345,
        path=pb.Event.Path(
            steps=[
                pb.Event.Path.Step(key="examples"),
                pb.Event.Path.Step(index=0),
                pb.Event.Path.Step(key=""),
            ]
        ),
    )
    STORE.put_events([event])
    assert STORE.get_events_by_execution_ids([other]) == [event]
    assert code(STORE.put_events, [event]) == "ALREADY_EXISTS"
    event.type = pb.Event.INPUT
    STORE.put_events([event])
    kinds = [each.type for each in STORE.get_events_by_artifact_ids([made])]
    assert kinds == [pb.Event.OUTPUT, pb.Event.DECLARED_INPUT, pb.Event.INPUT], kinds
    assert [each.artifact_id for each in STORE.get_events_by_execution_ids([execution])] == [used, made]
    assert STORE.get_events_by_artifact_ids([10**9]) == []


def check_events_between_things_that_do_not_exist_are_refused() -> None:
    execution, [used], _ = step()
    for event in (
        pb.Event(artifact_id=10**9, execution_id=execution, type=pb.Event.INPUT),
        pb.Event(artifact_id=used, execution_id=10**9, type=pb.Event.INPUT),
        pb.Event(artifact_id=used, execution_id=execution),
        pb.Event(execution_id=execution, type=pb.Event.INPUT),
        pb.Event(artifact_id=used, type=pb.Event.INPUT),
    ):
        assert code(STORE.put_events, [event]) == "INVALID_ARGUMENT", event
    pair = service.PutExecutionRequest.ArtifactAndEvent(
        event=pb.Event(artifact_id=10**9, type=pb.Event.INPUT)
    )
    request = service.PutExecutionRequest(
        execution=pb.Execution(type_id=execution_type()), artifact_event_pairs=[pair]
    )
    assert code(raw, "PutExecution", request) == "INVALID_ARGUMENT"


def check_a_step_is_put_with_all_that_belongs_to_it() -> None:
    a, e, c = artifact_type(), execution_type(), context_type()
    name = word()
    context = pb.Context(type_id=c, name=name)
    pairs = [
        (pb.Artifact(type_id=a, uri="in"), pb.Event(type=pb.Event.INPUT)),
        (pb.Artifact(type_id=a, uri="out"), pb.Event(type=pb.Event.OUTPUT)),
        (pb.Artifact(type_id=a, uri="alone"), None),
    ]
    execution, artifacts, contexts = STORE.put_execution(pb.Execution(type_id=e), pairs, [context])
    assert [each.id for each in STORE.get_artifacts_by_context(contexts[0])] == artifacts
    assert [each.id for each in STORE.get_executions_by_context(contexts[0])] == [execution]
    assert [each.id for each in STORE.get_contexts_by_artifact(artifacts[2])] == contexts
    assert [each.id for each in STORE.get_contexts_by_execution(execution)] == contexts
    again = (pb.Execution(type_id=e), [], [context])
    assert code(STORE.put_execution, *again) == "ALREADY_EXISTS"
    second, _, same = STORE.put_execution(*again, reuse_context_if_already_exist=True)
    assert same == contexts
    assert len(STORE.get_executions_by_context(contexts[0])) == 2
    assert code(STORE.get_contexts_by_execution, 10**9) == "NOT_FOUND"
    nameless = (pb.Execution(type_id=e), [], [pb.Context(type_id=c)])
    assert code(STORE.put_execution, *nameless) == "INVALID_ARGUMENT"
    assert second


def check_artifacts_can_be_reused_by_their_external_id() -> None:
    a, e, external = artifact_type(), execution_type(), word("ext")
    artifact = pb.Artifact(type_id=a, uri="x", external_id=external)
    named = {"reuse_artifact_if_already_exist_by_external_id": True}
    pairs = [(artifact, pb.Event(type=pb.Event.OUTPUT))]
    _, first, _ = STORE.put_execution(pb.Execution(type_id=e), pairs, [], **named)
    _, second, _ = STORE.put_execution(pb.Execution(type_id=e), pairs, [], **named)
    assert first == second
    assert code(STORE.put_execution, pb.Execution(type_id=e), pairs, []) == "ALREADY_EXISTS"


def check_memberships_and_parents() -> None:
    execution, [artifact], _ = step()
    c = context_type()
    top, child = STORE.put_contexts([pb.Context(type_id=c, name=word()), pb.Context(type_id=c, name=word())])
    links = (
        [pb.Attribution(artifact_id=artifact, context_id=top)],
        [pb.Association(execution_id=execution, context_id=top)],
    )
    STORE.put_attributions_and_associations(*links)
    STORE.put_attributions_and_associations(*links)
    assert [each.id for each in STORE.get_artifacts_by_context(top)] == [artifact]
    wrong = [pb.Association(execution_id=10**9, context_id=top)]
    assert code(STORE.put_attributions_and_associations, [], wrong) == "INVALID_ARGUMENT"
    link = pb.ParentContext(child_id=child, parent_id=top)
    STORE.put_parent_contexts([link])
    assert code(STORE.put_parent_contexts, [link]) == "ALREADY_EXISTS"
    circle = pb.ParentContext(child_id=top, parent_id=child)
    assert code(STORE.put_parent_contexts, [circle]) == "INVALID_ARGUMENT"
    assert [each.id for each in STORE.get_parent_contexts_by_context(child)] == [top]
    assert [each.id for each in STORE.get_children_contexts_by_context(top)] == [child]
    up = raw(
        "GetParentContextsByContexts", service.GetParentContextsByContextsRequest(context_ids=[child, top])
    )
    assert {id: [each.id for each in some.parent_contexts] for id, some in up.contexts.items()} == {
        child: [top]
    }
    down = raw(
        "GetChildrenContextsByContexts",
        service.GetChildrenContextsByContextsRequest(context_ids=[child, top]),
    )
    assert list(down.contexts) == [top]
    assert down.contexts[top].children_contexts[0].id == child


def check_a_subgraph_is_put_at_once() -> None:
    a, e, c = artifact_type(), execution_type(), context_type()
    edges = [(0, 0, pb.Event(type=pb.Event.INPUT)), (0, 1, pb.Event(type=pb.Event.OUTPUT))]
    executions, artifacts, contexts = STORE.put_lineage_subgraph(
        [pb.Execution(type_id=e)],
        [pb.Artifact(type_id=a, uri="in"), pb.Artifact(type_id=a, uri="out")],
        [pb.Context(type_id=c, name=word())],
        [mlmd.LineageSubgraphEdge(*edge) for edge in edges]
        if hasattr(mlmd, "LineageSubgraphEdge")
        else edges,
    )
    assert [each.artifact_id for each in STORE.get_events_by_execution_ids(executions)] == artifacts
    assert [each.id for each in STORE.get_artifacts_by_context(contexts[0])] == artifacts
    beyond = service.PutLineageSubgraphRequest(executions=[pb.Execution(type_id=e)])
    beyond.event_edges.add(execution_index=0, artifact_index=3, event=pb.Event(type=pb.Event.INPUT))
    assert code(raw, "PutLineageSubgraph", beyond) == "OUT_OF_RANGE"
    beyond.event_edges[0].ClearField("artifact_index")
    assert code(raw, "PutLineageSubgraph", beyond) == "INVALID_ARGUMENT"


def check_pages_follow_each_other_in_every_order() -> None:
    type_id = artifact_type()
    name = STORE.get_artifact_types_by_id([type_id])[0].name
    ids = STORE.put_artifacts([pb.Artifact(type_id=type_id, uri=str(n)) for n in range(250)])
    STORE.put_artifacts([pb.Artifact(id=ids[7], type_id=type_id, uri="late")])
    for field in (mlmd.OrderByField.ID, mlmd.OrderByField.CREATE_TIME, mlmd.OrderByField.UPDATE_TIME):
        for ascending in (True, False):
            request = service.GetArtifactsByTypeRequest(type_name=name)
            request.options.max_result_size = 40
            request.options.order_by_field.field = field.value
            request.options.order_by_field.is_asc = ascending
            found: list[int] = []
            while True:
                page = raw("GetArtifactsByType", request)
                assert len(page.artifacts) <= 40
                found += [each.id for each in page.artifacts]
                if not page.next_page_token:
                    break
                request.options.next_page_token = page.next_page_token
            wanted = [*ids[:7], *ids[8:], ids[7]] if field == mlmd.OrderByField.UPDATE_TIME else ids
            assert found == (wanted if ascending else wanted[::-1]), (field, ascending)
    request.options.order_by_field.is_asc = True
    assert code(raw, "GetArtifactsByType", request) == "INVALID_ARGUMENT"
    request.options.next_page_token = "???"
    assert code(raw, "GetArtifactsByType", request) == "INVALID_ARGUMENT"
    request.options.max_result_size = 0
    assert code(raw, "GetArtifactsByType", request) == "INVALID_ARGUMENT"
    large = service.GetArtifactsByTypeRequest(type_name=name)
    large.options.max_result_size = 1000
    page = raw("GetArtifactsByType", large)
    assert len(page.artifacts) == 100
    assert page.next_page_token, "what is more is not passed over in silence"


def check_all_of_a_kind_are_listed() -> None:
    step()
    assert len(raw("GetArtifacts", service.GetArtifactsRequest()).artifacts) >= 2
    assert STORE.get_executions()
    STORE.put_contexts([pb.Context(type_id=context_type(), name=word())])
    assert STORE.get_contexts(list_options=mlmd.ListOptions(limit=1))


def check_every_call_of_the_service_was_made_here() -> None:
    import client_walks

    for name, function in vars(client_walks).items():
        if name.startswith("check_"):
            function()
    known = {method.name for method in service.DESCRIPTOR.services_by_name["MetadataStoreService"].methods}
    assert known - CALLED == set()
    assert len(known) == 52
