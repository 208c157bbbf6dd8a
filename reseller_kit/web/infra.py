"""Probes, the certificate gate and metrics: answered before the host is looked at, never with a brand."""

from __future__ import annotations

import asyncio
import re
from typing import Final

import msgspec

from ..core.tenant import split_authority
from ..flows.runtime import Runtime
from .gateway.schema import document
from .hosts import Peers, Scope
from .responses import JSON, NO_STORE, Send, plain, respond

PATHS: Final = frozenset({"/healthz", "/readyz"})
PREFIX: Final = "/internal/"
ROUTES: Final = PATHS | {"/internal/tls-allowed", "/internal/metrics"}
_FORWARDED: Final = re.compile(rb"forwarded|x-forwarded-.*|x-real-ip|via")


def is_infra(path: str) -> bool:
    """Whether a path is infrastructure."""
    return path in PATHS or path.startswith(PREFIX)


async def answer(runtime: Runtime, peers: Peers, scope: Scope, send: Send) -> None:
    """Answer `/healthz`, `/readyz` or `/internal/*`."""
    path = scope["path"]
    head = scope["method"] == "HEAD"
    if scope["method"] not in {"GET", "HEAD"}:
        await plain(send, 405, "method not allowed", (b"allow", b"GET, HEAD"))
    elif path == "/healthz":
        await plain(send, 200, "ok", head=head)
    elif path == "/readyz":
        ready = not (runtime.leaving or runtime.draining)
        await plain(send, 200 if ready else 503, "ready" if ready else "draining", head=head)
    elif path == "/internal/tls-allowed" and is_internal(peers, scope):
        allowed = _tls_allowed(runtime, scope["query_string"])
        await plain(send, 200 if allowed else 403, "yes" if allowed else "no", head=head)
    elif path == "/internal/metrics" and is_internal(peers, scope):
        await metrics(runtime, scope, send)
    else:
        await plain(send, 404, "not found", head=head)


async def metrics(runtime: Runtime, scope: Scope, send: Send) -> None:
    """Answer `/metrics` on an operator's host; at `/internal/metrics` a process tells of itself by its address."""
    await runtime.backlog.look()
    body = await asyncio.to_thread(runtime.metrics.render)
    content_type = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
    await respond(send, 200, (content_type, NO_STORE), body, head=scope["method"] == "HEAD")


async def schema(scope: Scope, send: Send) -> None:
    """Answer `/schema` on an operator's host."""
    body = msgspec.json.encode(document())
    await respond(send, 200, (JSON, NO_STORE), body, head=scope["method"] == "HEAD")


def is_internal(peers: Peers, scope: Scope) -> bool:
    """An internal peer that speaks for itself: a forwarding header means that somebody else is asking."""
    return peers.include(scope) and not any(_FORWARDED.fullmatch(name) for name, _ in scope["headers"])


def _tls_allowed(runtime: Runtime, query: bytes) -> bool:
    """From the snapshot alone: live hosts of storefronts that are not archived, and the operator's own."""
    values = [part[len(b"domain=") :] for part in query.split(b"&") if part.startswith(b"domain=")]
    if len(values) != 1:
        return False
    authority = split_authority(values[0].decode("latin-1"))
    if authority is None or authority[1] is not None:
        return False
    snapshot = runtime.snapshot
    place = snapshot.places.get(authority[0])
    if place is None:
        return authority[0] in snapshot.platform_hosts
    return place.status != "archived"
