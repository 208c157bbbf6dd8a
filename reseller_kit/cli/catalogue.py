"""`catalogue`: what the bundled price catalogue says. Shows the provider's prices, never a tenant's."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from ..catalogue import catalogue_today
from ..core.catalog import TOKEN_CLASSES
from ..core.errors import NotFound
from ..core.money import format_token_price, format_unit_price
from ..core.paging import Page, Window, after, page_of
from ..core.price_catalogue import (
    CatalogueOn,
    DatedPrices,
    KnownModel,
    Provider,
    find_model,
    find_provider,
    nearest_names,
    prices_on,
)
from .options import Group, page_options, window_of
from .output import emit, facts, more, table

_LIST = "catalogue"


@click.group(cls=Group)
def catalogue() -> None:
    """The bundled prices of providers."""


@catalogue.command("list")
@click.option("--provider", metavar="P", help="Only this provider, by its id.")
@click.option("--model", "pattern", metavar="GLOB", default="*", help="Only models with a name that fits.")
@page_options
def list_(provider: str | None, pattern: str, limit: int, cursor: str | None) -> None:
    """The catalogue's models with their prices of today, in USD per million tokens."""
    on, window = catalogue_today(), window_of(limit, cursor)
    providers = on.catalogue.providers if provider is None else (_provider(on, provider),)
    found = [
        (owner, model)
        for owner in providers
        for model in owner.models
        if any(fnmatch.fnmatchcase(name, pattern.lower()) for name in (model.id.lower(), *model.names))
    ]
    page = _page(found, window)
    documents = [_brief(owner, model, on) for owner, model in page.items]
    rows = [
        (row["provider"], row["model"], *map(row["prices"].get, ("input", "cached_input", "output")))
        for row in documents
    ]
    emit(
        {"models": documents, "catalogue": on.catalogue.version, "next_cursor": page.next_cursor},
        table(["PROVIDER", "MODEL", "INPUT>", "CACHED>", "OUTPUT>"], rows, empty="The catalogue has no such model."),
        more(page.next_cursor),
    )


@catalogue.command()
@click.argument("provider")
@click.argument("model")
def show(provider: str, model: str) -> None:
    """Everything that the catalogue knows of a model: names, limits, and each price list with its day."""
    on = catalogue_today()
    owner = _provider(on, provider)
    known = find_model(owner, model)
    if known is None:
        near = ", ".join(nearest_names(owner, model))
        fix = f"Did you mean one of {near}?" if near else f"See: reseller-kit catalogue list --provider {owner.id}"
        raise NotFound(f"The price catalogue has no model {model[:80]!r} at {owner.id}.", fix=fix)
    document = _whole(owner, known, on)
    emit(document, facts(_facts(document)), table(["KIND", "FROM", "ABOVE>", "CLASS", "USD>"], _rows(known), empty=""))


def _page(found: Iterable[tuple[Provider, KnownModel]], window: Window) -> Page[tuple[Provider, KnownModel]]:
    """The rows of a page, by provider and model."""
    key = after(window, _LIST, (str, str))
    rows = sorted(found, key=_key)
    rest = rows if key is None else [row for row in rows if _key(row) > key]
    return page_of(rest[: window.limit + 1], window, _LIST, _key)


def _key(row: tuple[Provider, KnownModel]) -> tuple[str, str]:
    return row[0].id, row[1].id


def _provider(on: CatalogueOn, name: str) -> Provider:
    found = find_provider(on.catalogue, name)
    if found is None:
        known = ", ".join(provider.id for provider in on.catalogue.providers)
        raise NotFound(f"The price catalogue has no provider {name[:80]!r}.", fix=f"It knows {known}.")
    return found


def _brief(owner: Provider, model: KnownModel, on: CatalogueOn) -> dict[str, Any]:
    in_force = prices_on(model.prices, on.day)
    return {
        "provider": owner.id,
        "model": model.id,
        "names": list(model.names),
        "context": model.context,
        "max_output": model.max_output,
        "effective_from": in_force.effective_from or None if in_force else None,
        "prices": _prices(in_force.prices) if in_force else {},
        "refused": model.refused or None,
    }


def _whole(owner: Provider, model: KnownModel, on: CatalogueOn) -> dict[str, Any]:
    return {
        **_brief(owner, model, on),
        "catalogue": on.catalogue.version,
        "input_excludes_cache": list(owner.input_excludes_cache),
        "dated_names": list(model.dated_names),
        "history": [_list(prices) for prices in model.prices],
        "service_tiers": {name: [_list(prices) for prices in dated] for name, dated in model.service_tiers.items()},
        "disputed": list(model.disputed),
        "merged": list(model.merged),
    }


def _list(dated: DatedPrices) -> dict[str, Any]:
    return {
        "effective_from": dated.effective_from or None,
        "prices": _prices(dated.prices),
        "tiers": [{"above_input": tier.above_input, "prices": _prices(tier.prices)} for tier in dated.tiers],
    }


def _prices(prices: Mapping[str, int]) -> dict[str, str]:
    return {name: _usd(name, pico) for name, pico in prices.items()}


def _usd(usage_class: str, pico: int) -> str:
    return format_token_price(pico) if usage_class in TOKEN_CLASSES else format_unit_price(pico)


def _facts(document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name in ("provider", "model", "names", "dated_names", "context", "max_output", "disputed", "merged", "refused"):
        if document[name]:
            yield name, document[name]
    yield "catalogue", document["catalogue"]


def _rows(model: KnownModel) -> Iterator[tuple[str, str, str, str, str]]:
    for kind, dated in {"standard": model.prices, **model.service_tiers}.items():
        for listed in dated:
            since = listed.effective_from
            yield from ((kind, since, "", name, _usd(name, pico)) for name, pico in listed.prices.items())
            for tier in listed.tiers:
                above = str(tier.above_input)
                yield from ((kind, since, above, name, _usd(name, pico)) for name, pico in tier.prices.items())
