"""What an endpoint of the management API is, and what its handler is given. Answers nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, get_type_hints

from msgspec import Struct

from ...core.apitoken import Scope
from ...core.errors import InvalidRequest
from ...core.paging import DEFAULT_LIMIT, Window, window
from ...core.storefront import Storefront
from ...core.times import parse_time
from ...db.api_tokens import ApiToken
from ...db.engine import Database
from ...flows.runtime import Runtime
from ...vault import Vault

Method = Literal["GET", "POST", "PUT", "DELETE"]
PAGE = ("limit", "cursor")
"""What every list may be asked."""


class Call(Struct, frozen=True, kw_only=True):
    """A request that may be carried out.

    `once`: how it is named where it must not happen twice. `port`: of links to pages.
    """

    runtime: Runtime
    storefront: Storefront
    token: ApiToken
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    port: int
    once: str | None

    @property
    def db(self) -> Database:
        """Where the storefront's rows are."""
        return self.runtime.db

    @property
    def vault(self) -> Vault:
        """What seals and digests."""
        return self.runtime.vault

    @property
    def slug(self) -> str:
        """The storefront's."""
        return self.storefront.slug

    @property
    def tenant_id(self) -> int:
        """The storefront's."""
        return self.storefront.tenant_id

    @property
    def actor(self) -> str:
        """As the audit log names the token."""
        return f"token:{self.token.id}"

    def window(self) -> Window:
        """Which page of a list is asked for. Raises InvalidRequest."""
        text = self.query.get("limit", str(DEFAULT_LIMIT))
        if not (text.isascii() and text.isdigit() and len(text) < 6):
            raise InvalidRequest("The limit is no number.", param="limit", fix="Give a number from 1 to 1000.")
        return window(int(text), self.query.get("cursor") or None)

    def since(self) -> int | None:
        """The moment (µs) that the query names, if any. Raises InvalidRequest."""
        return time_of(self.query.get("since"), "since")


Handle = Callable[[Call], Awaitable[Mapping[str, Any]]]
"""What carries a call out. Its return type is what the API says of the answer."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """One method of one path. `body`: the Struct that is sent; `query`: what may be asked; `status`: of success."""

    method: Method
    path: str
    scope: Scope
    summary: str
    handle: Handle
    body: type[Struct] | None = None
    query: tuple[str, ...] = ()
    status: int = 200

    @property
    def answer(self) -> type:
        """The TypedDict that is answered, as the handler itself declares it."""
        found: type = get_type_hints(self.handle)["return"]
        return found

    @property
    def group(self) -> str:
        """What it is about, by its path."""
        return self.path.split("/")[1]

    @property
    def name(self) -> str:
        """An id that is the same for ever."""
        words = self.path.replace("{", "").replace("}", "").strip("/").replace("/", "_")
        return f"{self.method.lower()}_{words}"


def time_of(text: str | None, name: str) -> int | None:
    """A moment (µs) as ISO 8601, or none. Raises InvalidRequest, naming the field."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, param=name, fix=error.fix) from None
