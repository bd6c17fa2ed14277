"""Data that is not a file here: URLs that were read or written, without their credentials."""

from __future__ import annotations

from . import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..journal.append import Journal

_LOCAL = frozenset(("file", "local"))
_SIGNING = frozenset(
    (
        "sig",
        "signature",
        "token",
        "access_token",
        "auth",
        "key",
        "apikey",
        "api_key",
        "awsaccesskeyid",
        "expires",
        "googleaccessid",
        "policy",
        "key-pair-id",
    )
)
_seen: set[tuple[str, str, str]] = set()


def scheme(text: str) -> str:
    """The scheme of a URL in lower case; "" when `text` is a path (or a URL of a local file)."""
    head, separator, _ = text.partition("://")
    found = head.rpartition("::")[2].lower()
    if not separator or not found or not found.replace("+", "").replace("-", "").replace(".", "").isalnum():
        return ""
    return "" if found in _LOCAL else found


def clean(url: str) -> str:
    """`url` without user and password, and with what signs it replaced by `[REDACTED:signature]`."""
    head, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, tail = rest.partition("/")
    if not slash:
        host, mark, tail = rest.partition("?")
        slash = mark
    url = head + "://" + host.rpartition("@")[2] + slash + tail
    base, mark, query = url.partition("?")
    if mark:
        query, hash_, fragment = query.partition("#")
        url = base + "?" + "&".join([_masked(part) for part in query.split("&")]) + hash_ + fragment
    try:
        from . import redact
    except ImportError:
        return url
    return redact.text(url)[0]


def _masked(part: str) -> str:
    name, equals, value = part.partition("=")
    lowered = name.lower()
    if equals and value and (lowered in _SIGNING or lowered.startswith(("x-amz-", "x-goog-"))):
        return name + "=[REDACTED:signature]"
    return part


def forget() -> None:
    """Tell again what is read and written from now on: it belongs to another run."""
    _seen.clear()


def report(url: str, op: str, lib: str, **more: Any) -> None:
    """Report that `url` was read or written (`op`), once for each process and version of it."""
    journal = current.journal()
    text = clean(url)
    key = (text, op, more.get("version") or more.get("etag") or "")
    if journal is not None and key not in _seen:
        _seen.add(key)
        journal.json("url", url=text, op=op, lib=lib, **more)


def requested(journal: Journal, args: tuple[Any, ...]) -> None:
    """`urllib.request.urlopen(url, data, headers, method)`: what is fetched without sending anything is an input."""
    url, data = args[0], args[1]
    method = args[3] if len(args) > 3 else None
    if isinstance(url, str) and data is None and method in (None, "GET") and scheme(url):
        report(url, "read", "urllib")
