"""What the console's pages of API tokens and of the management API show. A token is shown once, when it is made."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .forms import FormView


class TokenLine(Struct, frozen=True, kw_only=True):
    """A token in the list. `status`: active | expired | revoked; moments are aware datetimes."""

    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    status: str
    by: str
    created: dt.datetime
    used: dt.datetime | None = None
    expires: dt.datetime | None = None

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return {"active": "ok", "expired": "warn"}.get(self.status, "")


class TokensView(Struct, frozen=True, kw_only=True):
    """The page of tokens. `secret`: the token that was just made; `chosen`: the scopes that were ticked."""

    lines: tuple[TokenLine, ...]
    scopes: tuple[str, ...]
    base: str
    form: FormView = FormView()
    chosen: tuple[str, ...] = ()
    secret: str = ""
    done: str = ""
    older_url: str = ""
    newest: bool = True

    def __repr__(self) -> str:
        return f"TokensView({len(self.lines)})"


class EndpointLine(Struct, frozen=True, kw_only=True):
    """One endpoint in the reference. `fields`: (name, kind, whether it is needed) of its body."""

    method: str
    path: str
    scope: str
    summary: str
    query: tuple[str, ...]
    fields: tuple[tuple[str, str, bool], ...]


class EndpointGroup(Struct, frozen=True, kw_only=True):
    """What endpoints of one kind there are."""

    name: str
    lines: tuple[EndpointLine, ...]


class ReferenceView(Struct, frozen=True, kw_only=True):
    """The reference of the management API; `base`: where it is; `rate`: requests that a token may make in a minute."""

    base: str
    rate: int
    groups: tuple[EndpointGroup, ...]
