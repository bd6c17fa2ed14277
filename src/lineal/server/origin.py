"""Whether a request was meant for this server: its Host, and the web page that sent it. Parsed and compared, never matched."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from lineal.server.config import Config
from lineal.server.refusals import RefusedError

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_REMEMBERED = 100
_HINT = "start the server with --allow-host NAME if that is a name of it"


class Origins:
    """Knows under which names a server is reached, and which pages may call it."""

    def __init__(self, config: Config) -> None:
        self._loopback = config.loopback
        names = {"localhost", *(name.lower().rstrip(".") for name in config.hosts)}
        if not config.loopback:
            names |= {config.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
        self._names = names
        self._pages = {origin.lower().rstrip("/") for origin in config.origins}
        self._good: set[bytes] = set()  # Host headers that were found good; nearly all requests send the same

    def check(self, method: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Raises RefusedError: the request was addressed to another host, or sent by another web site's page."""
        hosts, origins, site, mode = [], [], b"", b""
        for name, value in headers:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"sec-fetch-mode":
                mode = value
        if len(hosts) != 1:
            raise RefusedError(400, "invalid", f"{len(hosts)} Host headers were sent", "send one")
        self._host(hosts[0])
        if not origins and not site:
            return
        self._page(method, hosts[0], origins, site, mode)

    def _host(self, raw: bytes) -> None:
        if raw in self._good:
            return
        self._look_at(raw)
        if len(self._good) < _REMEMBERED:
            self._good.add(raw)

    def _look_at(self, raw: bytes) -> None:
        found = _AUTHORITY.fullmatch(raw.decode("latin-1"))
        if not found or int(found[2] or 0) > 65535:
            raise RefusedError(
                400, "invalid", "the Host header is no host and port", "send HOST or HOST:PORT"
            )
        name = found[1].lower()
        if name.rstrip(".") in self._names:
            return
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            # A name that only resembles a number (octal, short or hexadecimal forms) is a name, and not one of ours.
            raise RefusedError(421, "invalid", f"this server is not {name[:200]!r}", _HINT) from None
        if self._loopback and not address.is_loopback:
            raise RefusedError(421, "invalid", f"this server is not {name!r}", _HINT)

    def _page(self, method: str, host: bytes, origins: list[bytes], site: bytes, mode: bytes) -> None:
        """A page may call its own server only; a link from elsewhere may be followed."""
        if origins:
            if len(origins) == 1 and self._is_ours(origins[0].decode("latin-1"), host.decode("latin-1")):
                return
            shown = b", ".join(origins)[:200].decode("latin-1")
            raise RefusedError(
                403, "denied", f"a page of {shown!r} may not call this server", "see --allow-origin"
            )
        if site in (b"same-origin", b"none"):
            return
        if method in ("GET", "HEAD") and mode == b"navigate":
            return
        raise RefusedError(
            403, "denied", "a page of another site may not call this server", "see --allow-origin"
        )

    def _is_ours(self, origin: str, host: str) -> bool:
        if origin.lower() in self._pages:
            return True
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or parts.path or parts.query or parts.fragment:
            return False
        ordinary = 443 if parts.scheme == "https" else 80
        found = _AUTHORITY.fullmatch(host)
        return (
            found is not None
            and found[1].lower().strip("[]") == (parts.hostname or "")
            and int(found[2] or ordinary) == (port or ordinary)
        )
