"""Sending to addresses that clients named: only over HTTPS and only to hosts on the public internet, unless whoever runs the
server named a host of their own, which is then asked over plain HTTP too.

The address is looked up once, every answer must be public, and the connection is made to just that answer: a name that
means another host a moment later gains nothing. No proxy is used and no redirect followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Set as AbstractSet
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from lineal.core.errors import Invalid

LONGEST = 2000
_TIMEOUT_S = 10.0
_MOST_BACK = 4096  # bytes of an answer that are read
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL = ("localhost", "local", "internal", "localdomain", "home.arpa", "onion")
_HINT = "give the https:// address of a host on the public internet"


class Answered(NamedTuple):
    """What came back: the status and the beginning of the body."""

    status: int
    body: str


class _Pinned(http.client.HTTPSConnection):
    """Connects to one address, and asks it for the certificate of the name."""

    def __init__(self, host: str, address: str, port: int) -> None:
        self._context = ssl.create_default_context()
        super().__init__(host, port, timeout=_TIMEOUT_S, context=self._context)
        self._address = address

    def connect(self) -> None:
        """Connect to the address that was found public."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


def checked(url: str, own: AbstractSet[str] = frozenset()) -> str:
    """The address itself, without asking anybody. Raises Invalid: it can only be somewhere that is not public.

    own: hosts that are allowed all the same, as `HOST` or `HOST:PORT`.
    """
    if _is_own(url, own):
        return url
    parts = _parts(url)
    host = (parts.hostname or "").rstrip(".").lower()
    address = _literal(host)
    if address is not None:
        if not is_public(address):
            raise Invalid(f"{url[:200]!r} leads to {host}, which is not public", hint=_HINT)
    elif host in _LOCAL or host.endswith(tuple(f".{name}" for name in _LOCAL)) or "." not in host:
        raise Invalid(f"{url[:200]!r} leads to {host!r}, which is not public", hint=_HINT)
    return url


def post(url: str, body: bytes, headers: dict[str, str], own: AbstractSet[str] = frozenset()) -> Answered:
    """Send a body; what came back. own: as for `checked`.

    Raises Invalid: the address is not public now; OSError, http.client.HTTPException: it did not answer.
    """
    parts = _parts(checked(url, own), own)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme.lower() == "http":
        connection = http.client.HTTPConnection(host, port or 80, timeout=_TIMEOUT_S)
    elif _is_own(url, own):
        connection = http.client.HTTPSConnection(
            host, port or 443, timeout=_TIMEOUT_S, context=ssl.create_default_context()
        )
    else:
        connection = _Pinned(host, _public_address(host, port or 443), port or 443)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return Answered(answer.status, answer.read(_MOST_BACK).decode("utf-8", "replace"))
    finally:
        connection.close()


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is on the public internet, also when it is an IPv4 address in the clothes of IPv6."""
    inner: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def _is_own(url: str, own: AbstractSet[str]) -> bool:
    """Whether the server's operator named the host of an address. Raises Invalid: it is no address."""
    if not own:
        return False
    parts = _parts(url, own)
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or (80 if parts.scheme.lower() == "http" else 443)
    return host in own or f"{host}:{port}" in own


def _parts(url: str, own: AbstractSet[str] = frozenset()) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"{url[:200]!r} is no address: {error}", hint=_HINT) from None
    if len(url) > LONGEST or not url.isprintable() or " " in url or "\\" in url:
        raise Invalid(f"{url[:200]!r} is no address", hint=_HINT)
    host = (parts.hostname or "").rstrip(".").lower()
    plain = parts.scheme.lower() == "http" and (host in own or f"{host}:{port or 80}" in own)
    if parts.scheme.lower() != "https" and not plain:
        raise Invalid(f"Invalid scheme {parts.scheme[:20]!r}: only https is allowed", hint=_HINT)
    if not parts.hostname or parts.username is not None or parts.password is not None or port == 0:
        raise Invalid(f"{url[:200]!r} names no host alone", hint=_HINT)
    return parts


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as. Raises Invalid: it is a number that programs read differently."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    last = host.rpartition(".")[2]
    if ":" in host or last.isdecimal() or last.lower().startswith("0x"):
        raise Invalid(f"{host!r} is no plain address of a host", hint=_HINT)
    return None


def _public_address(host: str, port: int) -> str:
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    for text in found:
        if not is_public(ipaddress.ip_address(text.partition("%")[0])):
            raise Invalid(f"{host!r} leads to {text}, which is not public", hint=_HINT)
    return min(found)
