"""The API of kept responses: read, list, delete. Source: OpenAI API reference, "Responses"."""

from __future__ import annotations

from typing import Final

import msgspec

from ...core.errors import InvalidRequest, NotFound
from ...db.authentication import KeyAccount
from ...flows import responses
from ...flows.runtime import Runtime
from ...wire.openai_responses.kept import page
from .query import last_of, number_of
from .request import Request, send_json

_PATH: Final = "/v1/responses/"
_ITEMS: Final = "/input_items"
_DEFAULT_PAGE: Final = 20
_MAX_PAGE: Final = 100
_ORDERS: Final = frozenset({"asc", "desc"})
_encode = msgspec.json.Encoder().encode


class Kept:
    """Handlers of one runtime's kept responses."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def read(self, request: Request, account: KeyAccount) -> int:
        """A response as it was answered, or the items that it was made from."""
        name = request.path[len(_PATH) :]
        if name.endswith(_ITEMS):
            return await self._items(request, account, name.removesuffix(_ITEMS))
        given = last_of(request.scope["query_string"], "stream")
        if given["stream"] not in {None, "false"}:
            raise InvalidRequest("A kept response can't be streamed again. Read it whole.", param="stream")
        found = await responses.find(self._runtime, account, name)
        return await send_json(request, bytes(found.response))

    async def remove(self, request: Request, account: KeyAccount) -> int:
        """Delete a response."""
        name = request.path[len(_PATH) :]
        if "/" in name:
            raise NotFound(f"There is nothing at DELETE {request.path[:200]}.")
        await responses.remove(self._runtime, account, name)
        return await send_json(request, _encode({"id": name, "object": "response", "deleted": True}))

    async def _items(self, request: Request, account: KeyAccount, name: str) -> int:
        given = last_of(request.scope["query_string"], "limit", "order", "after")
        limit = number_of(given["limit"], "limit", default=_DEFAULT_PAGE, most=_MAX_PAGE)
        order = given["order"] or "desc"
        if order not in _ORDERS:
            raise InvalidRequest('order is "asc" or "desc".', param="order")
        items = await responses.input_of(self._runtime, account, name)
        return await send_json(
            request, page(items if order == "asc" else items[::-1], after=given["after"], limit=limit)
        )
