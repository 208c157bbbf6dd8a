"""A storefront's published prices as JSON, for programs. Holds no cost, wholesale or upstream."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from ..core.catalog import TOKEN_CLASSES, UNIT_CLASSES, OfferedModel, PriceList
from ..core.money import format_token_price, format_unit_price
from ..core.storefront import Storefront
from ..core.times import SECOND_US
from ..db.engine import now_us
from ..flows.brand import notice_us
from .model_rows import models_of

_UNITS: Final = {
    "seconds": "second",
    "characters": "character",
    "images": "image",
    "request": "request",
    "tool_call": "tool_call",
}


class FeedTier(Struct, frozen=True):
    """Prices of a call with more input tokens than `above_input`."""

    above_input: int
    prices: dict[str, str]


class FeedChange(Struct, frozen=True):
    """Prices that are to hold from a moment on."""

    effective_from: str
    prices: dict[str, str]
    tiers: list[FeedTier]


class FeedModel(Struct, frozen=True, kw_only=True):
    """A model under its public name; `context` and `max_output` are tokens, 0 where they don't apply."""

    name: str
    family: str
    modalities: tuple[str, ...]
    context: int
    max_output: int
    prices: dict[str, str]
    tiers: list[FeedTier]
    scheduled: list[FeedChange]


class Feed(Struct, frozen=True, kw_only=True):
    """The document. Prices are decimal strings of `currency`, each for one of `units` of its class."""

    object: str = "price_list"
    currency: str = "USD"
    units: dict[str, str]
    models: list[FeedModel]


def feed_of(storefront: Storefront) -> Feed:
    """What is charged now, and what is to be charged as far as customers are told of it by now."""
    until = now_us() + notice_us(storefront.settings)
    units = {**dict.fromkeys(TOKEN_CLASSES, "million_tokens"), **{name: _UNITS[name] for name in UNIT_CLASSES}}
    found = []
    for row in models_of(storefront):
        offered = storefront.models[row.name]
        prices = offered.retail.price_list
        found.append(
            FeedModel(
                name=row.name,
                family=row.group,
                modalities=row.modalities,
                context=row.context,
                max_output=row.max_output,
                prices=_decimal(prices.prices),
                tiers=_tiers(prices),
                scheduled=_scheduled(storefront, offered, until),
            )
        )
    return Feed(units=units, models=found)


def _scheduled(storefront: Storefront, offered: OfferedModel, until: int) -> list[FeedChange]:
    return [
        FeedChange(_moment(later.effective_from), _decimal(later.price_list.prices), _tiers(later.price_list))
        for later in storefront.later.get(offered.model, ())
        if later.effective_from <= until
    ]


def _tiers(price_list: PriceList) -> list[FeedTier]:
    return [FeedTier(tier.above_input, _decimal(tier.prices)) for tier in price_list.tiers]


def _decimal(prices: dict[str, int]) -> dict[str, str]:
    return {
        name: format_token_price(pico) if name in TOKEN_CLASSES else format_unit_price(pico)
        for name, pico in prices.items()
    }


def _moment(at_us: int) -> str:
    return dt.datetime.fromtimestamp(at_us // SECOND_US, dt.UTC).isoformat().replace("+00:00", "Z")
