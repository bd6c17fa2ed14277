"""Makes a store of ML Metadata with its own engine, and compares one with what a server answers. Runs in the client's environment.

`client_store.py make FILE STEPS`, `client_store.py change FILE`, `client_store.py compare FILE` (with the server at MLMD_PORT).
"""

from __future__ import annotations

import os
import sys
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb


def at(file: str) -> Any:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = file
    return mlmd.MetadataStore(config)


def make(file: str, steps: int) -> None:
    store = at(file)
    a = store.put_artifact_type(
        pb.ArtifactType(
            name="Model",
            version="2",
            external_id="t1",
            description="what was trained",
            base_type=pb.ArtifactType.MODEL,
            properties={
                "i": pb.INT,
                "d": pb.DOUBLE,
                "s": pb.STRING,
                "st": pb.STRUCT,
                "p": pb.PROTO,
                "b": pb.BOOLEAN,
            },
        )
    )
    e = store.put_execution_type(
        pb.ExecutionType(name="system.ContainerExecution", base_type=pb.ExecutionType.TRAIN)
    )
    c = store.put_context_type(pb.ContextType(name="system.Pipeline"))
    [top] = store.put_contexts([pb.Context(type_id=c, name="all", external_id="c1")])
    dag = store.put_executions([pb.Execution(type_id=e, name="dag")])[0]
    made = None
    for n in range(steps):
        artifact = pb.Artifact(
            type_id=a, name=f"m{n}", uri=f"s3://b/{n}", state=pb.Artifact.LIVE, external_id=f"a{n}"
        )
        artifact.properties["i"].int_value = n
        artifact.properties["d"].double_value = n / 3
        artifact.properties["s"].string_value = "x" * n + "☃"
        artifact.properties["st"].struct_value.update({"n": [n, {"deep": None}]})
        artifact.properties["p"].proto_value.Pack(pb.Value(int_value=n))
        artifact.custom_properties["flag"].bool_value = n % 2 == 0
        path = pb.Event.Path(steps=[pb.Event.Path.Step(key="model"), pb.Event.Path.Step(index=n)])
        pairs = [(artifact, pb.Event(type=pb.Event.OUTPUT, path=path, milliseconds_since_epoch=1000 + n))]
        if made is not None:
            pairs.append((None, pb.Event(type=pb.Event.INPUT, artifact_id=made)))
        execution = pb.Execution(type_id=e, name=f"e{n}", last_known_state=pb.Execution.COMPLETE)
        execution.custom_properties["parent_dag_id"].int_value = dag
        _, [made, *_], [context] = store.put_execution(
            execution, pairs, [pb.Context(type_id=c, name=f"run{n % 7}")], reuse_context_if_already_exist=True
        )
        if n < 7:
            store.put_parent_contexts([pb.ParentContext(child_id=context, parent_id=top)])


def change(file: str) -> None:
    store = at(file)
    [first] = store.get_artifacts_by_id([1])
    first.uri = "s3://b/changed"
    store.put_artifacts([first])


def everything(store: Any) -> dict[str, Any]:
    artifacts, executions, contexts = store.get_artifacts(), store.get_executions(), store.get_contexts()
    by_id = {"key": lambda each: each.id}
    types = store.get_artifact_types()
    for type in types:
        type.ClearField("external_id")  # which their engine leaves out of this one answer
    return {
        "artifact types": sorted(types, **by_id),
        "called by others": [type.id for type in store.get_artifact_types_by_external_ids(["t1"])],
        "execution types": sorted(store.get_execution_types(), **by_id),
        "context types": sorted(store.get_context_types(), **by_id),
        "artifacts": sorted(artifacts, **by_id),
        "executions": sorted(executions, **by_id),
        "contexts": sorted(contexts, **by_id),
        "events": sorted(store.get_events_by_execution_ids([each.id for each in executions]), key=str),
        "members": [
            [
                sorted(each.id for each in get(context.id))
                for get in (store.get_artifacts_by_context, store.get_executions_by_context)
            ]
            for context in contexts
        ],
        "parents": [sorted(each.id for each in store.get_parent_contexts_by_context(c.id)) for c in contexts],
    }


def compare(file: str) -> None:
    theirs = everything(at(file))
    port = int(os.environ["MLMD_PORT"])
    ours = everything(mlmd.MetadataStore(pb.MetadataStoreClientConfig(host="127.0.0.1", port=port)))
    for what in theirs:
        assert theirs[what] == ours[what], f"{what}:\n{theirs[what]}\n\n{ours[what]}"
    print("EQUAL", {what: len(some) for what, some in theirs.items()})


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        {"change": change, "compare": compare}[sys.argv[1]](sys.argv[2])
