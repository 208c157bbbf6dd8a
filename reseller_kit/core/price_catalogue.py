"""What providers charge, by provider and model name, as dated price lists. Reads no file and knows no clock.

Days are ISO texts in UTC, which compare like the days they stand for. Prices are pico-USD per unit.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import Final

from msgspec import Struct

from .catalog import PriceList, Tier

_DATED: Final = re.compile(r"(.+)[-@](\d{4}-\d{2}-\d{2}|\d{8})", re.ASCII)


class DatedPrices(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A price list and the day from which it holds; no day: ever since."""

    effective_from: str = ""
    prices: dict[str, int]
    tiers: tuple[Tier, ...] = ()

    @property
    def price_list(self) -> PriceList:
        """The prices without their day."""
        return PriceList(prices=dict(self.prices), tiers=self.tiers)


class KnownModel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model of a provider, with every price list that it had or will have, oldest first.

    `names` are what a request may call it, in lower case; a day may follow those in `dated_names`, as in
    `claude-sonnet-5-20260301`. `service_tiers`: price lists of batch, flex, priority … calls. `merged`: what the
    provider prices apart and a usage class here holds together with something cheaper. `disputed`: names for which a
    second source gives another price. `refused`: why a known model has no prices.
    """

    id: str
    names: tuple[str, ...]
    dated_names: tuple[str, ...] = ()
    context: int | None = None
    max_output: int | None = None
    prices: tuple[DatedPrices, ...] = ()
    service_tiers: dict[str, tuple[DatedPrices, ...]] = {}
    merged: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()
    refused: str = ""


class Provider(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who charges: its id, other ids that mean it, and the hosts of its API.

    `input_excludes_cache`: those of its APIs whose reported input leaves cached tokens out. Prices here are by usage
    class, in which each token counts once, whatever an API's own sum holds.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    input_excludes_cache: tuple[str, ...] = ()
    models: tuple[KnownModel, ...] = ()


class Source(Struct, frozen=True, kw_only=True):
    """Where data of the catalogue came from, and its licence, which has to go with it."""

    name: str
    version: str
    url: str
    licence: str


class Catalogue(Struct, frozen=True, kw_only=True):
    """All that is known. `version` is the newest day that its data speaks of."""

    version: str = ""
    sources: tuple[Source, ...] = ()
    providers: tuple[Provider, ...] = ()


class CatalogueOn(Struct, frozen=True, kw_only=True):
    """The catalogue as it is to be read on one day."""

    catalogue: Catalogue = Catalogue()
    day: str = ""


NO_CATALOGUE: Final = CatalogueOn()
"""Knows nothing: every cost must be stated."""


def find_provider(catalogue: Catalogue, name: str) -> Provider | None:
    """The provider of this id or alias."""
    wanted = name.lower()
    found = (provider for provider in catalogue.providers if wanted in {provider.id, *provider.aliases})
    return next(found, None)


def provider_at(catalogue: Catalogue, host: str) -> Provider | None:
    """The provider whose API answers at the host."""
    return next((provider for provider in catalogue.providers if host.lower() in provider.hosts), None)


def find_model(provider: Provider, name: str) -> KnownModel | None:
    """The model of this name: an exact name first, else a dated name of a model that has such."""
    wanted = name.lower()
    exact = next((model for model in provider.models if wanted in model.names), None)
    base = _undated(wanted)
    if exact is not None or base is None:
        return exact
    return next((model for model in provider.models if base in model.dated_names), None)


def nearest_names(provider: Provider, name: str) -> list[str]:
    """Up to three names of priced models that look like this one, nearest first."""
    names = [known for model in provider.models if model.prices for known in model.names]
    return difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)


def prices_on(dated: tuple[DatedPrices, ...], day: str) -> DatedPrices | None:
    """The list in force on the day; None before the first."""
    in_force = [prices for prices in dated if prices.effective_from <= day]
    return in_force[-1] if in_force else None


def next_prices(dated: tuple[DatedPrices, ...], day: str) -> DatedPrices | None:
    """The first list that takes effect after the day."""
    return next((prices for prices in dated if prices.effective_from > day), None)


def _undated(name: str) -> str | None:
    """The name before its day, if it ends with one."""
    match = _DATED.fullmatch(name)
    if match is None:
        return None
    try:
        dt.date.fromisoformat(match[2])
    except ValueError:
        return None
    return match[1]
