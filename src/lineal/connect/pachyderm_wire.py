"""Pachyderm's messages, as far as they are read here, and the calls that give them.

The table names fields, numbers and types as `pfs_v2`, `pps_v2` and `admin_v2` of Pachyderm 2.12 have them; what is not named
is skipped when a message is parsed. The classes are made by protobuf's compiled parser, which reads some tens of thousands of
commits a second.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "lineal.pachyderm"

# message -> fields as `NUMBER NAME TYPE`, in which TYPE is a scalar, a message of this table, or one of these in `[...]`
# (repeated) or `{}` (a map of text to text)
_MESSAGES: dict[str, str] = {
    "Empty": "",
    "Timestamp": "1 seconds int64, 2 nanos int32",
    "Duration": "1 seconds int64, 2 nanos int32",
    "Project": "1 name string",
    "Repo": "1 name string, 2 type string, 3 project Project",
    "Branch": "1 repo Repo, 2 name string",
    "Commit": "1 branch Branch, 2 id string, 3 repo Repo",
    "File": "1 commit Commit, 2 path string, 3 datum string",
    "RepoInfo": "1 repo Repo, 2 created Timestamp, 4 description string, 5 branches [Branch], 8 metadata {}",
    "Origin": "1 kind int32",
    "CommitDetails": "1 size_bytes int64",
    "CommitInfo": (
        "1 commit Commit, 2 origin Origin, 3 description string, 4 parent_commit Commit, 6 started Timestamp, "
        "7 finishing Timestamp, 8 finished Timestamp, 10 error string, 11 size_bytes_upper_bound int64, "
        "12 details CommitDetails, 13 direct_provenance [Commit], 14 metadata {}, 16 created_by string"
    ),
    "FileInfo": "1 file File, 2 file_type int32, 4 size_bytes int64, 5 hash bytes",
    "ListRepoRequest": "1 type string",
    "ListBranchRequest": "1 repo Repo",
    "BranchInfo": "1 branch Branch, 2 head Commit",
    "ListCommitRequest": "1 repo Repo, 5 reverse bool, 6 all bool, 8 started_time Timestamp",
    "InspectCommitRequest": "1 commit Commit",
    "WalkFileRequest": "1 file File",
    "Pipeline": "1 name string, 2 project Project",
    "Job": "1 pipeline Pipeline, 2 id string",
    "Transform": "1 image string, 2 cmd [string], 4 env {}, 7 stdin [string]",
    "PfsInput": "1 name string, 2 repo string, 3 branch string, 5 glob string, 14 project string, 16 reference bool",
    "CronInput": "1 name string, 2 repo string, 5 spec string, 7 project string",
    "Input": "1 pfs PfsInput, 2 join [Input], 3 group [Input], 4 cross [Input], 5 union [Input], 6 cron CronInput",
    "PipelineDetails": "1 transform Transform, 13 input Input, 14 description string, 16 salt string, 40 created_by string",
    "PipelineInfo": (
        "1 pipeline Pipeline, 2 version uint64, 3 spec_commit Commit, 10 type int32, 12 details PipelineDetails, 15 metadata {}"
    ),
    "Stats": (
        "1 download_time Duration, 2 process_time Duration, 3 upload_time Duration, 4 download_bytes int64, 5 upload_bytes int64"
    ),
    "JobInfo": (
        "1 job Job, 2 pipeline_version uint64, 3 output_commit Commit, 4 restart uint64, 5 data_processed int64, "
        "6 data_skipped int64, 7 data_total int64, 8 data_failed int64, 9 data_recovered int64, 10 stats Stats, "
        "11 state int32, 12 reason string, 13 created Timestamp, 14 started Timestamp, 15 finished Timestamp"
    ),
    "Datum": "1 job Job, 2 id string",
    "DatumInfo": "1 datum Datum, 2 state int32, 5 data [FileInfo], 6 image_id string",
    "ListPipelineRequest": "2 history int64",
    "ListJobRequest": "4 history int64, 8 paginationMarker Timestamp, 10 reverse bool",
    "InspectJobRequest": "1 job Job",
    "ListDatumRequest": "1 job Job",
    "ClusterInfo": "1 id string, 2 deployment_id string",
    "InspectClusterRequest": "",
}

# method -> (path, request, answer, whether answers are streamed)
CALLS: dict[str, tuple[str, str, str, bool]] = {
    "InspectCluster": ("/admin_v2.API/InspectCluster", "InspectClusterRequest", "ClusterInfo", False),
    "ListRepo": ("/pfs_v2.API/ListRepo", "ListRepoRequest", "RepoInfo", True),
    "ListBranch": ("/pfs_v2.API/ListBranch", "ListBranchRequest", "BranchInfo", True),
    "ListCommit": ("/pfs_v2.API/ListCommit", "ListCommitRequest", "CommitInfo", True),
    "InspectCommit": ("/pfs_v2.API/InspectCommit", "InspectCommitRequest", "CommitInfo", False),
    "WalkFile": ("/pfs_v2.API/WalkFile", "WalkFileRequest", "FileInfo", True),
    "ListPipeline": ("/pps_v2.API/ListPipeline", "ListPipelineRequest", "PipelineInfo", True),
    "ListJob": ("/pps_v2.API/ListJob", "ListJobRequest", "JobInfo", True),
    "InspectJob": ("/pps_v2.API/InspectJob", "InspectJobRequest", "JobInfo", False),
    "ListDatum": ("/pps_v2.API/ListDatum", "ListDatumRequest", "DatumInfo", True),
}

ORIGINS = {0: "unknown", 1: "user", 2: "pipeline", 3: "repair"}
JOB_STATES = {
    0: "unknown",
    1: "created",
    2: "starting",
    3: "running",
    4: "failure",
    5: "success",
    6: "killed",
    7: "egressing",
    8: "finishing",
    9: "unrunnable",
}
DATUM_STATES = {0: "unknown", 1: "failed", 2: "success", 3: "skipped", 4: "starting", 5: "recovered"}
FILE = 1  # FileType: a file, not a directory


def _classes() -> dict[str, Any]:
    """The message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name="lineal_pachyderm.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in filter(None, fields.split(", ")):
            number, called, type = field.split(" ")
            _add_field(message, int(number), called, type)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, name: str, type: str) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
    if type == "{}":
        entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "key", "string")
        _add_field(entry, 2, "value", "string")
        field.label = kinds.LABEL_REPEATED
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{message.name}.{entry.name}"
        return
    if type.startswith("["):
        field.label, type = kinds.LABEL_REPEATED, type[1:-1]
    if type in _MESSAGES:
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{type}"
    else:
        field.type = kinds.Type.Value(f"TYPE_{type.upper()}")


MESSAGES = _classes()
