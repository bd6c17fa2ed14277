"""What a server is started with."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from lineal.core.errors import Invalid

PORT = 7070


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one server.

    Args:
        store, blobs: where the record and kept bytes are. namespace: in whose names references are read by default.
        folder: the project's `.lineal` folder, where `server.json` is left; empty: nowhere.
        hosts: further names under which the server is reached. origins: further web pages that may call it.
        webhook_hosts: hosts, or hosts and ports, that webhooks may be sent to although they are not public.
        mlmd_port: where ML Metadata's clients are answered over gRPC, 0: nowhere.
        body_bytes: largest body of a request, as sent and unpacked; ingest_bytes: of one that delivers events;
            upload_bytes: of an upload.
        forward_url: an OpenLineage receiver that is told of our own runs; forward_key: its bearer token.
        lease_s: how long a run may be silent until it counts as lost, 0: for ever.
        failures_per_minute: wrong tokens that one address may show. requests_per_s: of one caller, 0: as many as come.
    """

    store: str
    blobs: str
    namespace: str
    folder: str = ""
    host: str = "127.0.0.1"
    port: int = PORT
    mlmd_port: int = 0
    workers: int = 1
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    body_bytes: int = 64 << 20
    ingest_bytes: int = 256 << 20
    upload_bytes: int = 1 << 40
    failures_per_minute: int = 60
    requests_per_s: float = 0.0
    grace_s: float = 30.0
    lease_s: float = 6 * 3600.0
    forward_url: str = ""
    forward_key: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def embedded(self) -> bool:
        """Whether the store is a file, which one process at a time writes."""
        return not self.store.startswith(("postgresql:", "postgres:"))


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def checked(config: Config) -> Config:
    """The same settings. Raises Invalid: they cannot be together."""
    if not 0 <= config.port <= 65535:
        raise Invalid(f"there is no port {config.port}", hint="choose one from 1024 to 65535")
    if not 0 <= config.mlmd_port <= 65535 or (config.mlmd_port and config.mlmd_port == config.port):
        raise Invalid(
            f"{config.mlmd_port} is no port for ML Metadata beside {config.port}",
            hint="choose another from 1024 to 65535; its clients expect 8080",
        )
    if not 0 <= config.lease_s < float("inf"):
        raise Invalid(
            f"runs cannot be lost after {config.lease_s} s", hint="give a number of seconds, 0 for never"
        )
    if config.workers < 1:
        raise Invalid(f"{config.workers} worker processes were asked for", hint="at least one is needed")
    if config.workers > 1 and config.embedded:
        raise Invalid(
            f"{config.workers} worker processes cannot write one SQLite file",
            hint=f"lineal server --store postgresql://USER@HOST/DATABASE --workers {config.workers}",
        )
    return config
