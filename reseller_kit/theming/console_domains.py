"""What the console's pages of domains show. Host names and what DNS said are data; the templates escape them."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from msgspec import Struct

from .forms import FormView

DomainLook = Literal["claimed", "verified", "live", "failing", "detached", "tombstone"]


class DomainLine(Struct, frozen=True, kw_only=True):
    """One host of the list. `vouched`: the operator set it up, so DNS proves nothing; `fallback`: it always works."""

    host: str
    role: str
    look: DomainLook
    primary: bool = False
    fallback: bool = False
    vouched: bool = False
    url: str = ""
    checked: dt.datetime | None = None


class DomainsView(Struct, frozen=True, kw_only=True):
    """The list of a storefront's hosts, and the form that adds one."""

    rows: tuple[DomainLine, ...] = ()
    gone: tuple[DomainLine, ...] = ()
    may_edit: bool = False
    form: FormView = FormView()
    done: str = ""


class RecordLine(Struct, frozen=True, kw_only=True):
    """A DNS record to set or to remove. `found`: whether the last check saw it; None before the first one."""

    kind: str
    name: str
    value: str
    found: bool | None = None


class FoundLine(Struct, frozen=True, kw_only=True):
    """What the last check was told of one kind of records; None: no answer."""

    kind: str
    name: str
    values: tuple[str, ...] | None


class DomainPageView(Struct, frozen=True, kw_only=True):
    """One host: how far it is, what to set and to remove, what was found, and what may be changed."""

    line: DomainLine
    proof: RecordLine | None = None
    alias: RecordLine | None = None
    addresses: tuple[RecordLine, ...] = ()
    surplus: tuple[RecordLine, ...] = ()
    found: tuple[FoundLine, ...] = ()
    proven: bool | None = None
    pointed: bool | None = None
    forbidden: bool = False
    """CAA records let nobody sign whom certificates come from."""
    issuers: tuple[str, ...] = ()
    verified: dt.datetime | None = None
    expires: dt.datetime | None = None
    failing: dt.datetime | None = None
    ends: dt.datetime | None = None
    ended: dt.datetime | None = None
    secured: dt.datetime | None = None
    """When the host was first reached over https."""
    message: str = ""
    may_edit: bool = False
    form: FormView = FormView()
    done: str = ""

    @property
    def apex(self) -> bool:
        """Whether it looks like the top of its zone, where there can be no alias."""
        return self.line.host.count(".") == 1

    @property
    def step(self) -> int:
        """How many of the five steps are done."""
        if self.line.look in {"live", "failing"}:
            return 4 if self.secured is None else 5
        if self.line.look == "detached":
            return 0
        return 2 if self.line.look == "verified" else 1
