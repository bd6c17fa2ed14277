"""Where data is, as a URI: how a path becomes one and comes back, and how a URL is named in the record."""

from __future__ import annotations

from typing import Tuple
from urllib.parse import quote, unquote_to_bytes

_SAFE = "/-._~!$&'()*+,;=:@"


def file_uri(path: bytes) -> str:
    """The `file:` URI of an absolute path, percent-encoded, so that any bytes are text that prints."""
    return "file:" + quote(path, safe=_SAFE)


def file_path(uri: str) -> bytes:
    """The path of a `file:` URI. Raises ValueError: it is another URI."""
    if not uri.startswith("file:"):
        raise ValueError(f"{uri!r} is no file: URI")
    rest = uri[5:]
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        if host not in {"", "localhost"}:
            raise ValueError(f"{uri!r} is a file of another host")
        rest = slash + rest
    return unquote_to_bytes(rest)


def url_name(url: str) -> Tuple[str, str]:
    """(namespace, name) of the artifact at a URL: `scheme://host`, and the path with the query. Any text is accepted."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "file", url
    cut = min((at for at in (rest.find(c) for c in "/?#") if at >= 0), default=len(rest))
    name = rest[cut:].partition("#")[0]
    scheme = scheme.lower()
    host = (
        rest[:cut].lower() if scheme in {"http", "https"} else rest[:cut]
    )  # a bucket or an owner may have capitals
    return f"{scheme}://{host}", name.lstrip("/")
