"""What `doctor --server` finds at a running server: whether it is ready, and whom its certificate gate lets in."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

from ..core.errors import InvalidRequest
from ..db import operator_machine
from ..db.engine import EVERY_TENANT, Database
from .complaint import Complaint, complaint

_SECONDS: Final = 5
_STRANGER: Final = "nobody-has-this-host.invalid"


async def examine_server(db: Database, url: str) -> list[Complaint]:
    """Ask a server, by its own address and not through a proxy, for readiness and for every host that lives here.

    Raises InvalidRequest for what is no URL.
    """
    if not _is_url(url):
        raise InvalidRequest("--server takes the URL of a server.", fix="Such as http://127.0.0.1:8000.")
    async with db.read(EVERY_TENANT) as connection:
        hosts = await operator_machine.live_hosts(connection)
    return await asyncio.to_thread(_look, url, hosts)


def _look(url: str, hosts: Iterable[str]) -> list[Complaint]:
    try:
        ready = _status(url, "/readyz")
    except (OSError, http.client.HTTPException) as error:
        fix = "Start it: reseller-kit serve. Or name the address that it listens on."
        return [complaint("DR131", "server", f"Nothing answers at {url}: {type(error).__name__}.", fix)]
    found = []
    if ready != 200:
        fix = "It is about to end, or none of ours. Look at its log."
        found.append(complaint("DR131", "server", f"{url} is not ready: it answers {ready}.", fix))
    fix = "Look whether this machine is one of RESELLER_KIT_INTERNAL_PEERS, and whether the server has this database."
    for host in hosts:
        if (status := _gate(url, host)) != 200:
            message = f"The certificate gate refuses {host}: it answers {status}, so the host gets no certificate."
            found.append(complaint("DR132", "server", message, fix))
    if _gate(url, _STRANGER) == 200:
        message = "The certificate gate lets hosts in that do not live here: anybody could use up your certificates."
        found.append(complaint("DR133", "server", message, "Ask the server itself, not something in front of it."))
    return found


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _gate(url: str, host: str) -> int:
    return _status(url, f"/internal/tls-allowed?domain={quote(host)}")


def _status(url: str, path: str) -> int:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
