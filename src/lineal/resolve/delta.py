"""Delta Lake: which version a table folder is at, told from its log alone.

A log is `_delta_log/NNNNNNNNNNNNNNNNNNNN.json`, one file of JSON lines a version, with checkpoints that replace those before
them (Delta protocol, "Delta Log Entries"). A version number means little alone: a table that was created anew counts from 0
again, and VACUUM and OPTIMIZE make versions that hold the same data. So a state is the table's id with the last version that
changed data, and all version numbers from that one on are names of it.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple
from urllib.parse import unquote

from .found import DECLARED, NATIVE, Name, TableState

LOG = b"_delta_log"
_ENTRY = re.compile(rb"(\d{20})\.(json|checkpoint(?:\.[^/]*)?\.(?:parquet|json))")
_MOST_BACK = 2000  # commits looked through for the last change of data, or for the table's id
_MOST_NAMES = 16
_LARGEST = 256 << 20  # bytes of one commit that are read


class Log(NamedTuple):
    """The files of a log. commits: the versions that have a commit file; checkpoints: those that have a checkpoint."""

    folder: bytes
    commits: Tuple[int, ...]
    checkpoints: Tuple[int, ...]

    @property
    def newest(self) -> int:
        """The newest version, -1 when there is none."""
        return max(self.commits[-1:] + self.checkpoints[-1:], default=-1)


class Unreadable(Exception):
    """A log that does not say what is asked; the text says why."""


def log_of(root: bytes) -> Log:
    """The log of the table at `root`. Raises OSError: it cannot be listed."""
    folder = os.path.join(root, LOG)
    commits: List[int] = []
    checkpoints: Set[int] = set()
    for name in os.listdir(folder):
        if entry := _ENTRY.fullmatch(name):
            version = int(entry[1])
            if entry[2] == b"json":
                commits.append(version)
            else:
                checkpoints.add(version)
    return Log(folder, tuple(sorted(commits)), tuple(sorted(checkpoints)))


def newest(root: bytes) -> int:
    """The newest version of the table at `root`, -1 when there is none."""
    try:
        return log_of(root).newest
    except OSError:
        return -1


def state(
    root: bytes, *, version: Optional[int] = None, by: Optional[int] = None, table: str = ""
) -> TableState:
    """What the table holds.

    version: at that version; else as it was at the time `by` (UTC microseconds), by the times of its commit files, else now.
    table: its id, where a library told it. What cannot be told is said in `gap`, and then `state` is empty.
    """
    try:
        log = log_of(root)
    except OSError as error:
        return _unknown(root, f"its log cannot be listed: {error.strerror}")
    if log.newest < 0:
        return _unknown(root, "its log holds no version")
    at = version if version is not None else log.newest if by is None else _by(log, by)
    id_ = table or ""
    try:
        _whole(log, at)
        id_ = id_ or _id(log, at)
        since = _changed(log, at)
    except (Unreadable, OSError) as error:
        text = error.strerror if isinstance(error, OSError) else str(error)
        told = (Name("delta", f"{id_}@{at}", DECLARED),) if id_ else ()
        return TableState(
            "delta", root, str(at), "", told, {"table": id_, "version": at}, text or "unreadable"
        )
    names = tuple(Name("delta", f"{id_}@{n}", NATIVE) for n in _named(since, at))
    facts: Dict[str, Any] = {"table": id_, "version": at}
    if since != at:
        facts["data_version"] = since
    return TableState("delta", root, str(at), f"delta:{id_}@{since}", names, facts)


def continues(root: bytes, version: int) -> bool:
    """Whether a version was made of the one before it: rows were added, changed or removed, and not all of them replaced."""
    try:
        for action in _actions(_commit(os.path.join(root, LOG), version)):
            info = action.get("commitInfo")
            if isinstance(info, dict):
                said = info.get("operationParameters") or {}
                mode = str(said.get("mode", "")) if isinstance(said, dict) else ""
                return version > 0 and mode.lower() not in {"overwrite", "errorifexists"}
    except (OSError, Unreadable):
        pass
    return False


def made_by(root: bytes, begun: int, ended: int) -> List[int]:
    """The versions whose commit files were written between two times (UTC microseconds)."""
    try:
        log = log_of(root)
    except OSError:
        return []
    return [n for n in log.commits if begun <= _written(log, n) <= ended]


def live_files(root: bytes, version: int) -> Set[str]:
    """The data files of a version, as paths relative to the root (or URIs, for what lies elsewhere).

    Raises Unreadable: the log does not go back to the beginning (a checkpoint stands for what came before, and it is Parquet).
    """
    try:
        log = log_of(root)
        _from_the_beginning(log, version)
        live: Set[str] = set()
        for at in range(version + 1):
            for action in _actions(_commit(log.folder, at)):
                if isinstance(added := action.get("add"), dict) and added.get("path"):
                    live.add(unquote(str(added["path"])))
                elif isinstance(gone := action.get("remove"), dict) and gone.get("path"):
                    live.discard(unquote(str(gone["path"])))
    except OSError as error:
        raise Unreadable(f"its log cannot be read: {error.strerror}") from None
    return live


def version_with(root: bytes, files: Set[str], version: int) -> int:
    """The newest version up to `version` in which all these files are part of the table; `version` when none is, or none can
    be told. files: relative to the root."""
    try:
        log = log_of(root)
        _from_the_beginning(log, version)
        live: Set[str] = set()
        fitting = version
        for at in range(version + 1):
            for action in _actions(_commit(log.folder, at)):
                if isinstance(added := action.get("add"), dict):
                    live.add(unquote(str(added.get("path"))))
                elif isinstance(gone := action.get("remove"), dict):
                    live.discard(unquote(str(gone.get("path"))))
            if files <= live:
                fitting = at
    except (OSError, Unreadable):
        return version
    return fitting


def missing(root: bytes, table: str, version: int) -> str:
    """Why a version can no longer be read, as a sentence; empty when all its files are there. Reads the log, and asks for
    each file of that version.

    Raises Unreadable: it cannot be told.
    """
    try:
        log = log_of(root)
    except OSError:
        return "its log is no longer there"
    if version > log.newest:
        return f"the table there has only {log.newest + 1} versions"
    if table and _id(log, log.newest) != table:
        return "another table stands there now (its id is another one)"
    wanted = [name for name in live_files(root, version) if "://" not in name]
    gone = sum(not os.path.exists(os.path.join(root, os.fsencode(name))) for name in wanted)
    if gone:
        return f"{gone} of the {len(wanted)} data files of version {version} are gone (VACUUM)"
    return ""


def columns(root: bytes, version: int) -> List[Dict[str, str]]:
    """The columns of a version, each with `name` and `type`; none when the log does not say them."""
    try:
        log = log_of(root)
        there = set(log.commits)
        at = version
        while at in there and version - at < _MOST_BACK:
            if said := _metadata_in(_commit(log.folder, at)):
                fields = json.loads(said["schemaString"])["fields"]
                return [{"name": str(field["name"]), "type": _type(field["type"])} for field in fields]
            at -= 1
    except (OSError, Unreadable, ValueError, KeyError, TypeError, RecursionError):
        pass
    return []


def _type(said: Any) -> str:
    return str(said.get("type")) if isinstance(said, dict) else str(said)


# ---- the log ---------------------------------------------------------------------------------------------------------


def _unknown(root: bytes, gap: str) -> TableState:
    return TableState("delta", root, "", "", (), {}, gap)


def _named(since: int, at: int) -> List[int]:
    """The version numbers that name a state: where its data changed, and those after it, as far as they are few."""
    return list(dict.fromkeys([since, *range(max(since, at - _MOST_NAMES + 2), at + 1)]))


def _by(log: Log, at: int) -> int:
    for version in reversed(log.commits):
        if _written(log, version) <= at:
            return version
    return log.newest  # older than any commit file that is left: nothing better is known


def _written(log: Log, version: int) -> int:
    try:
        return os.stat(_path(log.folder, version)).st_mtime_ns // 1000
    except OSError:
        return 1 << 62


def _path(folder: bytes, version: int) -> bytes:
    return os.path.join(folder, b"%020d.json" % version)


def _commit(folder: bytes, version: int) -> bytes:
    with open(_path(folder, version), "rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise Unreadable(f"the log's version {version} is larger than {_LARGEST >> 20} MiB")
    return data


def _actions(data: bytes) -> Iterator[Dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            action = json.loads(line)
        except (ValueError, RecursionError):
            raise Unreadable(f"line {number} of a file of the log is no JSON") from None
        if isinstance(action, dict):
            yield action


def _whole(log: Log, at: int) -> None:
    """Raise Unreadable when a commit is missing that the state at `at` depends on."""
    base = max((n for n in log.checkpoints if n <= at), default=-1)
    there = set(log.commits)
    lost = [n for n in range(base + 1, at + 1) if n not in there]
    if at not in there and at not in log.checkpoints:
        raise Unreadable(f"version {at} is not in its log, which goes up to {log.newest}")
    if lost:
        raise Unreadable(f"its log lacks version {lost[0]}, without which version {at} cannot be told")
    if (said := _last_checkpoint(log)) > log.newest:
        raise Unreadable(
            f"its last checkpoint is said to be of version {said}, and its log ends at {log.newest}"
        )


def _last_checkpoint(log: Log) -> int:
    try:
        with open(os.path.join(log.folder, b"_last_checkpoint"), "rb") as file:
            said = json.loads(file.read(1 << 16))
        return int(said["version"])
    except (OSError, ValueError, OverflowError, KeyError, TypeError, RecursionError):
        return -1  # only a hint, which readers do without


def _from_the_beginning(log: Log, version: int) -> None:
    there = set(log.commits)
    lost = next((n for n in range(version + 1) if n not in there), None)
    if lost is not None:
        raise Unreadable(f"its log no longer holds version {lost} as JSON")


def _changed(log: Log, at: int) -> int:
    """The last version up to `at` that changed the data or its schema; the oldest that is left when none of them did."""
    there = set(log.commits)
    version = at
    while version in there and at - version < _MOST_BACK:
        if _changes(_commit(log.folder, version)):
            return version
        version -= 1
    return min(version + 1, at)


def _changes(data: bytes) -> bool:
    if b'"metaData"' not in data and b'"add"' not in data and b'"remove"' not in data:
        return False
    for action in _actions(data):
        if "metaData" in action:
            return True
        for kind in ("add", "remove"):
            said = action.get(kind)
            if isinstance(said, dict) and said.get("dataChange") is not False:
                return True
    return False


def _id(log: Log, at: int) -> str:
    """The id of the table as of a version. Raises Unreadable: the log does not say it."""
    if id_ := _checksum_id(log, at):
        return id_
    there = set(log.commits)
    version = at
    while version in there and at - version < _MOST_BACK:
        if id_ := _id_in(_commit(log.folder, version)):
            return id_
        version -= 1
    if 0 in there and version > 0:  # what lies between is missing or too much; a table keeps its id
        if id_ := _id_in(_commit(log.folder, 0)):
            return id_
    raise Unreadable("its id stands only in a checkpoint, which is not read here")


def _id_in(data: bytes) -> str:
    """The id that a commit sets, "" when it sets none."""
    return str(_metadata_in(data).get("id") or "")


def _metadata_in(data: bytes) -> Dict[str, Any]:
    """What a commit says of the table itself; empty when it says nothing."""
    if b'"metaData"' in data:
        for action in _actions(data):
            if isinstance(said := action.get("metaData"), dict) and said.get("id"):
                return said
    return {}


def _checksum_id(log: Log, at: int) -> str:
    """The id in the checksum file that some writers put beside a commit, "" when there is none."""
    try:
        with open(os.path.join(log.folder, b"%020d.crc" % at), "rb") as file:
            return str(json.loads(file.read(_LARGEST))["metadata"]["id"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
