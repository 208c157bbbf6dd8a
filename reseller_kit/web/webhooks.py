"""`POST /webhooks/{provider}`: what payment providers deliver, on every host of a tenant that is not gone.

Raw ASGI, outside sessions and forms: a signature over the raw bytes is all that counts. Says nothing of why a delivery
is refused; whoever signs it rightly is not told so.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec

from ..core.errors import InvalidRequest, KitError, MethodNotAllowed, NotFound, ServiceUnavailable
from ..core.ids import new_id
from ..core.payment import PROVIDER_NAME
from ..core.storefront import Storefront
from ..flows.patience import limited_wait
from ..flows.payments import receive
from ..flows.runtime import Runtime
from .gateway.body import ClientGone, read_body
from .hosts import named_headers
from .responses import JSON, NO_STORE, Receive, Send, respond

_log = logging.getLogger(__name__)
_PREFIX: Final = "/webhooks/"
ROUTE: Final = "/webhooks/{provider}"
_MAX_BODY: Final = 1024 * 1024
_WAIT_SECONDS: Final = 4.0
"""Below what providers wait: a delivery that is not kept by then is made again."""


def is_webhook(path: str) -> bool:
    """Whether a path is a provider's to deliver to."""
    return path.startswith(_PREFIX)


async def answer(
    runtime: Runtime, storefront: Storefront, scope: dict[str, Any], receive_: Receive, send: Send
) -> None:
    """Keep one delivery and say so; what it means is worked out behind the answer."""
    request_id = new_id("req")
    try:
        await _keep(runtime, storefront, scope, receive_)
    except ClientGone:
        return
    except KitError as error:
        await _refuse(send, error, request_id, head=scope["method"] == "HEAD")
    except Exception as fault:  # noqa: BLE001  # the last line: the provider delivers again, and the log says why
        _log.error("%s: a delivery could not be kept (%r)", request_id, fault)
        await _refuse(send, ServiceUnavailable("Something went wrong here. Please try again."), request_id)
    else:
        headers = (JSON, NO_STORE, (b"x-request-id", request_id.encode()))
        await respond(send, 200, headers, b'{"received":true}')


async def _keep(runtime: Runtime, storefront: Storefront, scope: dict[str, Any], receive_: Receive) -> None:
    name = scope["path"].removeprefix(_PREFIX)
    if not PROVIDER_NAME.fullmatch(name):
        raise NotFound("There is nothing here.")
    async with limited_wait(_WAIT_SECONDS):
        try:
            provider = (await runtime.providers.named(storefront.tenant_id, name)).provider
        except InvalidRequest:
            raise NotFound("There is nothing here.") from None
    if provider.name != name:
        raise NotFound("There is nothing here.")
    if scope["method"] != "POST":
        raise MethodNotAllowed("Deliveries are sent by POST.", allow="POST")
    body = await read_body(receive_, scope["headers"], named_headers(scope), _MAX_BODY)
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
    async with limited_wait(_WAIT_SECONDS):
        try:
            await receive(
                runtime.db,
                runtime.vault,
                provider,
                tenant_id=storefront.tenant_id,
                name=name,
                body=body,
                headers=headers,
            )
        except InvalidRequest as error:
            _log.warning("a delivery to %s of tenant %s is refused: %s", name, storefront.slug, error.message)
            raise InvalidRequest("The delivery is not acceptable.") from None
    runtime.inbox.wake()


async def _refuse(send: Send, error: KitError, request_id: str, *, head: bool = False) -> None:
    body = {"error": {"code": error.code, "message": error.message}}
    allow = ((b"allow", error.allow.encode()),) if isinstance(error, MethodNotAllowed) else ()
    headers = (JSON, NO_STORE, (b"x-request-id", request_id.encode()), *allow)
    await respond(send, error.status, headers, msgspec.json.encode(body), head=head)
