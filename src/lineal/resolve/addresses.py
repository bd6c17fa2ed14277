"""Addresses that name a version: which of them pin it, and which name a branch or tag that moves.

`lakefs://REPO/REF/PATH`, `hf://[datasets/]OWNER/NAME@REV/FILE`, `pfs://[PROJECT/]REPO@REF:/PATH`,
`quilt+s3://BUCKET#package=NAME@HASH&path=PATH`, and `?versionId=` (S3), `#GENERATION` (Google), `?versionid=` (Azure).
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import parse_qs, unquote, urlsplit

from .found import DECLARED, NATIVE, Found, Name

LAKEFS_ENDPOINT = ("LAKECTL_SERVER_ENDPOINT_URL", "LAKEFS_ENDPOINT")
_COMMIT = re.compile(r"[0-9a-f]{64}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{12,63}")
_GIT_COMMIT = re.compile(r"[0-9a-f]{40}")
_GLOBAL_ID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{19}")
_HF = re.compile(r"hf://(datasets/|spaces/|models/)?([^/@]+/[^/@]+)(?:@([^/]+))?/?(.*)")
_PFS = re.compile(r"pfs://(?:([^/@]+)/)?([^@/]+)@([^:]+)(?::(.*))?")


def of(address: str) -> Optional[Found]:
    """What an address says of the version it names; None when it is of no kind that has versions in it."""
    reader = _READERS.get(address.partition("://")[0].lower())
    try:
        return reader(address) if reader is not None else None
    except ValueError:
        return None  # no address that can be taken apart


def is_lakefs(endpoint: str, variables: Mapping[str, str]) -> bool:
    """Whether an S3 endpoint is the gateway of the lakeFS server that the environment names, where a bucket is a repository."""
    try:
        named = urlsplit(first_of(variables, LAKEFS_ENDPOINT)).netloc
        return bool(named) and urlsplit(endpoint).netloc == named
    except ValueError:
        return False


def first_of(variables: Mapping[str, str], names: Tuple[str, ...]) -> str:
    """The first of these variables that is set, "" when none is."""
    return next((variables[name] for name in names if variables.get(name)), "")


def lakefs(repository: str, ref: str, path: str) -> Found:
    """A path of a lakeFS repository at a ref: pinned when the ref is a whole commit id."""
    facts: Dict[str, Any] = {"repository": repository, "ref": ref, "path": path}
    value = f"{repository}/{path}@{ref}"
    if _COMMIT.fullmatch(ref):
        return Found("lakefs", (Name("lakefs", value, NATIVE),), {**facts, "commit": ref})
    if _SHORT_COMMIT.fullmatch(ref):
        gap = f"{ref!r} looks like the start of a commit's id, which is not the whole of it"
    else:
        gap = f"{ref!r} is a branch or tag, which moves: the commit that was read is not pinned"
    return Found("lakefs", (Name("lakefs", value, DECLARED),), facts, gap)


def _lakefs(address: str) -> Optional[Found]:
    parts = address[len("lakefs://") :].split("/", 2)
    if len(parts) < 2 or not parts[0] or not parts[1]:
        return None
    return lakefs(parts[0], parts[1], unquote(parts[2]) if len(parts) > 2 else "")


def _hf(address: str) -> Optional[Found]:
    said = _HF.fullmatch(address)
    if said is None:
        return None
    kind = "" if said[1] in (None, "models/") else said[1]
    revision, file = unquote(said[3] or ""), said[4]
    whole = f"{kind}{said[2]}"
    facts = {"repository": whole, "revision": revision or "main", "file": file}
    value = f"{whole}/{file}" if file else whole
    if _GIT_COMMIT.fullmatch(revision):
        return Found("hf", (Name("hf", f"{value}@{revision}", NATIVE),), {**facts, "commit": revision})
    gap = f"{revision or 'main'!r} is a branch or tag, which moves: the commit that was read is not pinned"
    return Found("hf", (Name("hf", f"{value}@{revision or 'main'}", DECLARED),), facts, gap)


def _pfs(address: str) -> Optional[Found]:
    said = _PFS.fullmatch(address)
    if said is None:
        return None
    project, repository, ref, path = said[1] or "default", said[2], said[3], said[4] or "/"
    facts = {"project": project, "repository": repository, "ref": ref, "path": path}
    inside = "" if path == "/" else f":{path}"  # a whole commit is called as the import of a cluster calls it
    value = f"{project}/{repository}{inside}@{ref.rpartition('=')[2]}"
    if _GLOBAL_ID.fullmatch(ref.rpartition("=")[2]):
        return Found("pachyderm", (Name("pach", value, NATIVE),), {**facts, "commit": ref.rpartition("=")[2]})
    gap = f"{ref!r} is a branch, which moves: the commit that was read is not pinned"
    return Found("pachyderm", (Name("pach", value, DECLARED),), facts, gap)


def _quilt(address: str) -> Optional[Found]:
    said = urlsplit(address)
    fields = parse_qs(said.fragment)
    package = (fields.get("package") or [""])[0]
    if not package or not said.netloc:
        return None
    name, mark, version = package.partition("@")
    if not mark:
        name, mark, version = package.partition(":")
    path = (fields.get("path") or [""])[0]
    facts = {"registry": f"s3://{said.netloc}", "package": name, "version": version, "path": path}
    value = f"s3://{said.netloc}/{name}{'/' + path if path else ''}@{version or 'latest'}"
    if mark == "@" and _COMMIT.fullmatch(version):
        return Found("quilt", (Name("quilt", value, NATIVE),), {**facts, "top_hash": version})
    gap = f"{version or 'latest'!r} is a name that moves, or the start of a hash: the package's hash is not pinned"
    return Found("quilt", (Name("quilt", value, DECLARED),), facts, gap)


def _with_query(kind: str, key: str) -> Callable[[str], Optional[Found]]:
    """An object whose address may carry its version in the query."""

    def read(address: str) -> Optional[Found]:
        said = urlsplit(address)
        version = {name.lower(): values for name, values in parse_qs(said.query).items()}.get(key, [""])[0]
        if not version:
            return None
        value = f"{said.netloc}{said.path}@{version}"
        return Found(kind, (Name(kind, value, NATIVE),), {"version": version})

    return read


def _google(address: str) -> Optional[Found]:
    plain, mark, generation = address.rpartition("#")
    if not mark or not generation.isdecimal():
        return None
    return Found(
        "gs", (Name("gs", f"{plain.partition('://')[2]}@{generation}", NATIVE),), {"version": generation}
    )


_READERS: Dict[str, Callable[[str], Optional[Found]]] = {
    "lakefs": _lakefs,
    "hf": _hf,
    "pfs": _pfs,
    "quilt+s3": _quilt,
    "s3": _with_query("s3", "versionid"),
    "s3a": _with_query("s3", "versionid"),
    "gs": _google,
    "gcs": _google,
    "az": _with_query("az", "versionid"),
    "abfs": _with_query("az", "versionid"),
    "abfss": _with_query("az", "versionid"),
}
