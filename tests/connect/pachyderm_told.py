"""What Pachyderm's own unmodified client sees of a cluster: `pachyderm_told.py HOST PORT`, one JSON document."""

from __future__ import annotations

import json
import sys

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

client = Client(host=sys.argv[1], port=int(sys.argv[2]))
edges, files, states = set(), {}, {}
for info in client.pfs.list_commit(repo=pfs.Repo(), all=True):
    name = f"default/{info.commit.repo.name}@{info.commit.id}"
    for source in info.direct_provenance:
        if source.repo.type == "user":
            edges.add((f"default/{source.repo.name}@{source.id}", name))
    if info.finished and not info.error:
        files[name] = sorted(
            (file.file.path, f"pach-blake2b:{file.hash.hex()}")
            for file in client.pfs.walk_file(file=pfs.File(commit=info.commit, path="/"))
            if file.file_type == pfs.FileType.FILE
        )
for job in client.pps.list_job(history=-1):
    states[f"default/{job.job.pipeline.name}@{job.job.id}"] = pps.JobState(job.state).name
print(json.dumps({"edges": sorted(edges), "files": files, "jobs": states}))
