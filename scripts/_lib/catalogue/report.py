"""Compares the catalogue with the second source, and writes what they disagree on. Decides for neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from reseller_kit.core.catalog import TOKEN_CLASSES
from reseller_kit.core.money import format_token_price
from reseller_kit.core.price_catalogue import Catalogue, DatedPrices, KnownModel, Provider, find_model, prices_on

from .fetch import Sources
from .second import Entry, Place, models_of, prices_of

_SERVICES: Final = ("batch", "flex", "priority")
_LONGEST_LIST: Final = 60


class Difference(Struct, frozen=True):
    """A price that the two sources give differently, in pico-USD."""

    model: str
    place: Place
    ours: int
    theirs: int


class Comparison(Struct, frozen=True, kw_only=True):
    """What the two sources say of one provider."""

    provider: Provider
    agreeing: int
    models: int
    differences: tuple[Difference, ...]
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]
    refused: tuple[KnownModel, ...]
    places_only_ours: Counter[str]
    places_only_theirs: Counter[str]


def compare(catalogue: Catalogue, sources: Sources, others: Mapping[str, Entry]) -> list[Comparison]:
    """Provider by provider, the standard price lists and those of service tiers, as of the day of retrieval."""
    providers = {provider.id: provider for provider in catalogue.providers}
    return [
        _compare(providers[wanted.id], dict(models_of(wanted, others)), sources.prices.retrieved)
        for wanted in sources.providers
        if wanted.second is not None
    ]


def report(catalogue: Catalogue, sources: Sources, comparisons: Sequence[Comparison]) -> str:
    """The page: the sum of it first, then each provider."""
    first, second = catalogue.sources
    rows = [_summary(found) for found in comparisons]
    refused = [(provider, _refused(provider)) for provider in catalogue.providers]
    parts = [
        "# The price catalogue against a second source",
        (
            "Made by `scripts/update_catalogue`; edit the sources, not this page. "
            f"The catalogue holds {first.name} {first.version} (newest day in its data: {catalogue.version}); the "
            f"second source is {second.name} {second.version}. Both were retrieved on {sources.prices.retrieved} and "
            "are read as of that day. Prices are USD per million tokens. Neither source is the provider: where they "
            "differ, look at the provider's own page, and state the `cost` in tenants.toml if the catalogue is wrong. "
            "`plan` warns of such a model."
        ),
        _table(
            ("provider", "models in both", "prices that agree", "that differ", "models only here", "only there"), rows
        ),
        (
            "A price that only one of them names is no disagreement; such prices are counted below. The second "
            "source's models of other kinds than text (images, video, speech, OCR) are left out of the comparison."
        ),
        *(part for found in comparisons for part in _section(found)),
        "## Models without a price",
        "Known to the first source and not offered at the catalogue's price; a route to one of them needs a `cost`.",
        *(_refusals(provider, models) for provider, models in refused if models),
    ]
    return "\n\n".join(parts) + "\n"


def _compare(provider: Provider, others: Mapping[str, Entry], day: str) -> Comparison:
    agreeing, both = 0, 0
    differences: list[Difference] = []
    seen: set[str] = set()
    only_theirs: list[str] = []
    places_ours: Counter[str] = Counter()
    places_theirs: Counter[str] = Counter()
    for name, entry in sorted(others.items()):
        theirs = prices_of(entry)
        model = find_model(provider, name)
        if not theirs:
            seen.update([model.id] if model else [])
            continue
        if model is None:
            only_theirs.append(name)
            continue
        seen.add(model.id)
        ours = _places(model, day)
        if not ours:
            continue
        both += 1
        agreeing += sum(ours[place] == theirs[place] for place in ours.keys() & theirs.keys())
        places_ours.update(place[1] for place in ours.keys() - theirs.keys())
        places_theirs.update(place[1] for place in theirs.keys() - ours.keys())
        differences += [
            Difference(name, place, ours[place], theirs[place])
            for place in sorted(ours.keys() & theirs.keys())
            if ours[place] != theirs[place]
        ]
    return Comparison(
        provider=provider,
        agreeing=agreeing,
        models=both,
        differences=tuple(differences),
        only_ours=tuple(model.id for model in provider.models if model.id not in seen and model.prices),
        only_theirs=tuple(only_theirs),
        refused=_refused(provider),
        places_only_ours=places_ours,
        places_only_theirs=places_theirs,
    )


def _places(model: KnownModel, day: str) -> dict[Place, int]:
    lists = {"": model.prices, **{name: model.service_tiers.get(name, ()) for name in _SERVICES}}
    found: dict[Place, int] = {}
    for service, dated in lists.items():
        in_force = prices_on(dated, day)
        if in_force is not None:
            found.update(_priced(service, in_force))
    return found


def _priced(service: str, prices: DatedPrices) -> Iterator[tuple[Place, int]]:
    for above, listed in ((0, prices.prices), *((tier.above_input, tier.prices) for tier in prices.tiers)):
        for name, price in listed.items():
            if name in TOKEN_CLASSES:
                # "From 200000 tokens" and "above 200000 tokens" are one boundary for this comparison.
                yield (service, name, above + 1 if above % 1000 == 999 else above), price


def _refused(provider: Provider) -> tuple[KnownModel, ...]:
    return tuple(model for model in provider.models if model.refused)


def _summary(found: Comparison) -> tuple[str, ...]:
    figures = (found.models, found.agreeing, len(found.differences), len(found.only_ours), len(found.only_theirs))
    return (found.provider.name, *map(str, figures))


def _section(found: Comparison) -> Iterator[str]:
    yield f"## {found.provider.name}"
    if found.differences:
        rows = [(row.model, _place(row.place), _usd(row.ours), _usd(row.theirs)) for row in found.differences]
        yield _table(("model", "price", "here", "there"), rows)
    else:
        yield "No price differs."
    for words, counted in (("here", found.places_only_ours), ("there", found.places_only_theirs)):
        if counted:
            listed = ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))
            yield f"Prices of shared models that are named only {words}: {listed}."
    for words, names in (("here", found.only_ours), ("there", found.only_theirs)):
        if names:
            yield f"Models only {words}: {_names(names)}."


def _refusals(provider: Provider, models: Sequence[KnownModel]) -> str:
    by_reason: dict[str, list[str]] = {}
    for model in models:
        by_reason.setdefault(model.refused, []).append(model.id)
    lines = [f"- {reason}: {_names(names)}" for reason, names in sorted(by_reason.items())]
    return "\n".join([f"**{provider.name}**", "", *lines])


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_LONGEST_LIST])
    left = len(names) - _LONGEST_LIST
    return shown if left <= 0 else f"{shown} and {left} more"


def _place(place: Place) -> str:
    service, name, above = place
    text = f"{service} {name}".strip()
    return f"{text} above {above}" if above else text


def _usd(pico: int) -> str:
    return format_token_price(pico)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
