"""Which project a folder belongs to, and how its files are named in the record.

A project's `.lineal` folder stands at the git root, else in the working directory, and is found upwards like `.git`.
LINEAL_DIR names it directly. `config.toml` in it holds `[project] name`, `[store] url` and `[blobs] url`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # `typing` costs milliseconds that every `lineal run` would pay
if TYPE_CHECKING:
    from typing import Dict, Optional, Tuple

    _Pair = Tuple[str, str]
else:
    _Pair = tuple

FOLDER = ".lineal"


class Project(_Pair):
    """A project. root: its folder; dir: its `.lineal` folder; both absolute."""

    __slots__ = ()

    def __new__(cls, root: str, dir: str) -> Project:  # noqa: PYI034 - `Self` is younger than Python 3.9
        """The project with this root and this `.lineal` folder."""
        return tuple.__new__(cls, (root, dir))

    if TYPE_CHECKING:

        @property
        def root(self) -> str:
            """Its folder."""

        @property
        def dir(self) -> str:
            """Its `.lineal` folder."""
    else:
        root, dir = (
            property(lambda self: self[0]),
            property(lambda self: self[1]),
        )  # `operator` costs as much as all of this

    def __getnewargs__(self) -> Tuple[str, str]:
        return self.root, self.dir

    def __repr__(self) -> str:
        return f"Project(root={self.root!r}, dir={self.dir!r})"

    @property
    def journal_dir(self) -> str:
        """Where journals are written."""
        return os.path.join(self.dir, "journal")

    @property
    def name(self) -> str:
        """The namespace of the project's artifacts: as configured, else the git remote, else the folder's name."""
        return (
            _settings(self).get("project.name")
            or _remote_name(self.root)
            or os.path.basename(self.root)
            or "root"
        )

    @property
    def store_url(self) -> str:
        """Where the record is: LINEAL_STORE, else as configured, else the SQLite file in `dir`."""
        return (
            os.environ.get("LINEAL_STORE")
            or _settings(self).get("store.url")
            or os.path.join(self.dir, "lineal.db")
        )

    @property
    def blobs_url(self) -> str:
        """Where kept bytes are: LINEAL_BLOBS, else as configured, else the folder `blobs` in `dir`."""
        return (
            os.environ.get("LINEAL_BLOBS")
            or _settings(self).get("blobs.url")
            or os.path.join(self.dir, "blobs")
        )


def find(start: Optional[str] = None) -> Optional[Project]:
    """The project that a folder (the working directory) belongs to; None when none was begun there or above."""
    named = os.environ.get("LINEAL_DIR")
    if named:
        folder = os.path.abspath(named)
        return Project(_root_of(folder), folder)
    folder = os.path.abspath(start or os.getcwd())
    while True:
        candidate = os.path.join(folder, FOLDER)
        if os.path.isdir(candidate):
            return Project(folder, candidate)
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def ensure(start: Optional[str] = None) -> Project:
    """The project that a folder belongs to, begun at the git root (else in the folder itself) when there is none.

    Raises OSError: its folder cannot be made.
    """
    found = find(start)
    if found is None:
        folder = os.path.abspath(start or os.getcwd())
        found = Project(root := _git_root(folder) or folder, os.path.join(root, FOLDER))
    os.makedirs(found.journal_dir, exist_ok=True)
    ignore = os.path.join(found.dir, ".gitignore")
    if not os.path.exists(ignore):
        with open(ignore, "w", encoding="ascii") as file:
            file.write("*\n")
    return found


def artifact_name(project: Project, path: bytes) -> Tuple[str, str]:
    """(namespace, name) of the artifact at an absolute path: inside the project relative to its root, else `file`.

    Bytes that are no UTF-8, control characters, and a `%` before two hex digits are percent-encoded, so that every path
    has a name of its own.
    """
    path = os.path.normpath(b"/" + path.lstrip(b"/"))
    root = os.fsencode(project.root.rstrip("/")) + b"/"
    if path.startswith(root):
        return project.name, _name(path[len(root) :])
    return "file", _name(path)


def _name(path: bytes) -> str:
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "%" not in text:
        return text
    parts = []
    for index, character in enumerate(text):
        if character == "%" and _is_hex(text[index + 1 : index + 3]):
            parts.append("%25")
        elif character.isprintable():
            parts.append(character)
        else:
            parts.extend("%%%02X" % byte for byte in character.encode("utf-8", "surrogateescape"))
    return "".join(parts)


def _is_hex(text: str) -> bool:
    return len(text) == 2 and all(character in "0123456789abcdefABCDEF" for character in text)


def _root_of(folder: str) -> str:
    return (
        os.path.dirname(folder)
        if os.path.basename(folder) == FOLDER
        else os.environ.get("LINEAL_ROOT") or folder
    )


def _git_root(folder: str) -> Optional[str]:
    while True:
        if os.path.exists(os.path.join(folder, ".git")):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


_cached: Dict[str, Tuple[int, Dict[str, str]]] = {}


def _settings(project: Project) -> Dict[str, str]:
    """`section.key` -> text of the project's config.toml; only `key = "text"` lines are understood."""
    path = os.path.join(project.dir, "config.toml")
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError:
        return {}
    if path not in _cached or _cached[path][0] != changed:
        _cached[path] = (changed, _read_settings(path))
    return _cached[path][1]


def _read_settings(path: str) -> Dict[str, str]:
    found: Dict[str, str] = {}
    section = ""
    try:
        with open(path, encoding="utf-8") as file:
            for raw in file:
                line = raw.strip()
                if line.startswith("[") and line.endswith("]"):
                    section = line[1:-1].strip()
                elif "=" in line and not line.startswith("#"):
                    key, _, value = line.partition("=")
                    found[f"{section}.{key.strip()}"] = _value(value.strip())
    except (OSError, UnicodeDecodeError):
        return {}
    return found


def _value(text: str) -> str:
    """What stands between the quotes, or before a comment."""
    if text[:1] in {'"', "'"}:
        return text[1:].partition(text[0])[0]
    return text.partition("#")[0].strip()


_remotes: Dict[str, str] = {}


def _remote_name(root: str) -> str:
    """`host/org/repo` of the checkout's remote `origin`, read from its configuration; empty when there is none."""
    if root not in _remotes:
        _remotes[root] = _short_remote(_origin(os.path.join(root, ".git", "config")))
    return _remotes[root]


def _origin(path: str) -> str:
    inside = False
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for raw in file:
                line = raw.strip()
                if line.startswith("["):
                    inside = line.replace(" ", "") == '[remote"origin"]'
                elif inside and line.partition("=")[0].strip() == "url":
                    return line.partition("=")[2].strip()
    except OSError:
        pass
    return ""


def _short_remote(url: str) -> str:
    """The remote without scheme, credentials, port and `.git`; empty for a path on this machine."""
    rest = url
    if "://" in url:
        scheme, _, rest = url.partition("://")
        if scheme == "file":
            return ""
    elif "@" in url.partition(":")[0]:
        rest = url.replace(":", "/", 1)
    else:
        return ""
    host, _, path = rest.partition("/")
    host = host.rpartition("@")[2].partition(":")[0]
    path = path.strip("/")
    if path.endswith(".git"):
        path = path[:-4]
    return f"{host}/{path}" if host and path else ""
