"""Sends events with the unmodified openlineage-python client: `client.py URL`. Run by .venv-dbt's Python."""

import sys
import uuid
from datetime import datetime, timezone

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
)
from openlineage.client.facet_v2 import documentation_dataset, parent_run, schema_dataset, sql_job

URL = sys.argv[1]
PRODUCER = "https://example.org/client"
HTTP = {"type": "http", "url": URL, "compression": "gzip"}
TRANSPORTS = {
    "http": HTTP,
    "async_http": {"type": "async_http", "url": URL},
    "composite": {"type": "composite", "transports": [{**HTTP, "name": "a"}, {**HTTP, "name": "b"}]},
}


def now():
    return datetime.now(timezone.utc).isoformat()  # noqa: UP017 - as old Pythons write it


for name, transport in TRANSPORTS.items():
    client = OpenLineageClient(config={"transport": transport})
    run = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=str(uuid.uuid5(uuid.NAMESPACE_URL, "dag"))),
        job=parent_run.Job(namespace="clients", name="dag"),
    )
    fields = [schema_dataset.SchemaDatasetFacetFields(name="a", type="INT")]
    output = OutputDataset(
        "db://x", f"out_{name}", facets={"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}
    )
    job = Job("clients", name, facets={"sql": sql_job.SQLJobFacet(query="select 1")})
    for state, outputs in ((RunState.START, []), (RunState.COMPLETE, [output])):
        client.emit(
            RunEvent(
                eventType=state,
                eventTime=now(),
                run=Run(run, facets={"parent": parent}),
                job=job,
                producer=PRODUCER,
                inputs=[InputDataset("db://x", "source")],
                outputs=outputs,
            )
        )
    client.emit(
        JobEvent(eventTime=now(), job=Job("clients", f"declared_{name}"), producer=PRODUCER, outputs=[output])
    )
    told = StaticDataset(
        namespace="db://x",
        name="source",
        facets={"documentation": documentation_dataset.DocumentationDatasetFacet("where it begins")},
    )
    client.emit(DatasetEvent(eventTime=now(), dataset=told, producer=PRODUCER))
    client.close(timeout=60)
    print(run)
