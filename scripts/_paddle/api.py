"""What a request of the API is to those who answer it, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scripts._paddle.account import Account, Entity
from scripts._paddle.listing import Listing


@dataclass(frozen=True)
class Call:
    """A request of one account: its query, its JSON body and its URL without the query."""

    account: Account
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def includes(self) -> frozenset[str]:
        """Related objects that the answer is to hold."""
        return frozenset(filter(None, self.query.get("include", "").split(",")))


@dataclass(frozen=True)
class Reply:
    """What is answered: the `data` of the envelope, and `meta.pagination` for a list."""

    data: Any
    status: int = 200
    pagination: dict[str, Any] | None = None


Handler = Callable[..., Reply]


def listed(call: Call, kind: str, listing: Listing, show: Callable[[Call, Entity], Entity]) -> Reply:
    """One page of the objects of a kind."""
    shown, pagination = listing.page(call.account.tables[kind].values(), call.query, call.url)
    return Reply([show(call, entity) for entity in shown], pagination=pagination)
