"""The outermost ASGI application: infrastructure first, then the host, then the API's fast path or the pages."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..core.errors import KitError, ServiceUnavailable, UnknownHost
from ..core.ids import new_id
from ..core.storefront import Storefront
from ..core.tenant import url_host
from ..core.urls import public_url
from ..flows.runtime import Runtime
from ..wire.errors import error_response
from . import infra, management, webhooks
from .access import NO_ROUTE, NOTE_KEY, Visit
from .gateway import Gateway, canonical, dialect_of, is_api
from .hosts import HostTable, Peers, Scope, Site, StorefrontUnread, client_of, is_secure, named_headers
from .responses import Receive, Send, plain, respond

_log = logging.getLogger(__name__)

PageApp = Callable[[Scope, Receive, Send], Awaitable[None]]
STOREFRONT_KEY = "reseller_kit.storefront"
RUNTIME_KEY = "reseller_kit.runtime"
HOST_KEY = "reseller_kit.host"
SECURE_KEY = "reseller_kit.secure"
CLIENT_KEY = "reseller_kit.client"
"""What pages know of their request: the storefront and host it came to, whether by https, and from which address."""


class Dispatcher:
    """Routes each request by path and host. `pages` serves everything that is not the API's."""

    def __init__(
        self,
        runtime: Runtime,
        pages: PageApp,
        platform: PageApp,
        *,
        port: int,
        trusted_proxies: Peers,
        internal_peers: Peers,
    ) -> None:
        self._runtime = runtime
        self._pages = pages
        self._platform_pages = platform
        self._port = port
        self._trusted = trusted_proxies
        self._internal = internal_peers
        self._gateway = Gateway(runtime, port=port, trusted_proxies=trusted_proxies)
        self._hosts = HostTable(runtime.snapshot)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request, and note what it came to."""
        visit = Visit(self._runtime, self._trusted, scope, send)
        try:
            path, send, note = scope["path"], visit.send, visit.note
            if infra.is_infra(path):
                note.surface, note.route = "infra", path if path in infra.ROUTES else NO_ROUTE
                await infra.answer(self._runtime, self._internal, scope, send)
                return
            try:
                site = self._find(scope) or await self._open(scope)
            except (UnknownHost, ServiceUnavailable) as error:
                note.surface = "unknown"
                await _unbranded(scope, send, error)
                return
            note.host, note.tenant = site.host, "" if site.entry is None else site.entry.storefront.slug
            note.surface = "pages"
            if visit.secure and site.entry is not None and not site.entry.secured:
                self._runtime.secured.reached(site.entry.storefront.tenant_id, site.host)
            if not (site.loopback or visit.secure):  # only loopback names and literals are served over http
                await _to_https(site.host, scope, send)
            elif site.entry is None:
                await self._platform(site.host, scope, receive, send)
            elif webhooks.is_webhook(path):
                note.surface, note.route = "webhook", webhooks.ROUTE
                await webhooks.answer(self._runtime, site.entry.storefront, scope, receive, send)
            elif is_api(path, site.entry.role, scope["headers"]):
                note.surface = "api"
                await self._gateway(scope, receive, send, site.entry.storefront)
            elif site.entry.role == "alias":
                await self._to_primary(site.entry.storefront, scope, send)
            elif management.is_management(path):
                note.surface = "management"
                await management.answer(self._runtime, site.entry.storefront, scope, receive, send, port=self._port)
            else:
                self._note(scope, site.entry.storefront, site.host)
                await self._pages(scope, receive, send)
        finally:
            visit.close()

    def _note(self, scope: dict[str, Any], storefront: Storefront, host: str) -> None:
        """What pages find in their request's scope."""
        scope[STOREFRONT_KEY] = storefront
        scope[RUNTIME_KEY] = self._runtime
        scope[HOST_KEY] = host
        scope[SECURE_KEY] = is_secure(scope, self._trusted)
        scope[CLIENT_KEY] = client_of(scope, self._trusted)

    def _find(self, scope: Scope) -> Site | None:
        """Where the request came to; None where that storefront has to be read first. Raises UnknownHost."""
        try:
            return self._table().find(scope["headers"], named_headers(scope))
        except StorefrontUnread:
            return None

    async def _open(self, scope: Scope) -> Site:
        """The same once it is read. Raises UnknownHost, or ServiceUnavailable for a storefront that can't be read."""
        while True:
            try:
                return self._table().find(scope["headers"], named_headers(scope))
            except StorefrontUnread as unread:
                host = unread.host
            await self._runtime.openings.open(host)

    def _table(self) -> HostTable:
        """That of the present snapshot."""
        hosts, snapshot = self._hosts, self._runtime.snapshot
        if hosts.snapshot is not snapshot:
            if hosts.snapshot.revision != snapshot.revision:
                self._runtime.secured.forget()
            hosts = self._hosts = HostTable(snapshot)
        return hosts

    async def _platform(self, host: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """The operator's own hosts: metrics and schema for internal peers, pages for operators."""
        platform, note = self._runtime.snapshot.platform, scope[NOTE_KEY]
        note.surface = "platform"
        reads, internal = scope["method"] in {"GET", "HEAD"}, infra.is_internal(self._internal, scope)
        if scope["path"] == "/metrics" and reads and internal:
            note.route = "/metrics"
            await infra.metrics(self._runtime, scope, send)
        elif scope["path"] == "/schema" and reads and internal:
            note.route = "/schema"
            await infra.schema(scope, send)
        elif platform is None or is_api(scope["path"], "storefront", scope["headers"]):
            await plain(send, 404, "not found", head=scope["method"] == "HEAD")
        elif webhooks.is_webhook(scope["path"]):
            note.surface, note.route = "webhook", webhooks.ROUTE
            await webhooks.answer(self._runtime, platform, scope, receive, send)
        else:
            self._note(scope, platform, host)
            await self._platform_pages(scope, receive, send)

    async def _to_primary(self, storefront: Storefront, scope: Scope, send: Send) -> None:
        snapshot = self._runtime.snapshot
        origin = public_url(storefront.primary_host, snapshot.public_url, self._port)
        await _location(origin, scope, send)


async def _to_https(host: str, scope: Scope, send: Send) -> None:
    await _location(f"https://{url_host(host)}", scope, send)


async def _location(origin: str, scope: Scope, send: Send) -> None:
    target = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    if not target.startswith(b"/"):
        target = b"/" + target
    await plain(send, 308, "moved", (b"location", origin.encode() + target))


async def _unbranded(scope: Scope, send: Send, error: KitError) -> None:
    """An error where no brand is known, as JSON where an API client asks."""
    if is_api(scope["path"], "storefront", scope["headers"]):
        dialect = dialect_of(canonical(scope["path"]), scope["headers"])
        answer = error_response(error, dialect, request_id=new_id("req"))
        await respond(send, answer.status, answer.headers, answer.body, head=scope["method"] == "HEAD")
    else:
        await plain(send, error.status, error.message, head=scope["method"] == "HEAD")
