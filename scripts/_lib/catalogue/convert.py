"""From the two sources to the catalogue. Reads no file; the same sources give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from reseller_kit.core.catalog import price_of
from reseller_kit.core.price_catalogue import Catalogue, DatedPrices, KnownModel, Provider, Source

from .fetch import Fetched, SourceFault, Sources, Wanted
from .names import explicit_names
from .prices import Merge, Unpriceable, dated_prices, service_prices
from .second import Entry, limits_of, models_of, prices_of, read_second
from .source import Node, read_providers

SERVICE_TIERS: Final[Mapping[str, Mapping[str, str]]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast"},
    "fast_mode": {"speed": "fast"},
}
"""Our name of a kind of call → how the first source tells it."""
_APART: Final = frozenset(
    {"cache_write", "cache_write_1h", "input_audio", "output_audio", "input_image", "output_image"}
)
"""Classes that would follow the price of plain text where a list does not name them."""
_SPEAKING: Final = ("audio", "realtime")
_DAY: Final = re.compile(r"20\d{2}-[01]\d-[0-3]\d")


def convert(sources: Sources, first: Fetched, second: Fetched) -> Catalogue:
    """The catalogue. Raises SourceFault when a provider that is wanted is missing or has moved."""
    known = {str(node.get("id")): node for node in read_providers(first.data)}
    others = read_second(second.data)
    return Catalogue(
        version=_newest_day(first),
        sources=tuple(
            Source(name=got.pin.name, version=got.pin.version, url=got.pin.url, licence=_mit(got.licence))
            for got in (first, second)
        ),
        providers=tuple(_provider(wanted, known, others) for wanted in sources.providers),
    )


def written(catalogue: Catalogue) -> str:
    """The catalogue as JSON, a line for each model, so that a change of a price is a change of a line."""
    document = msgspec.to_builtins(catalogue)
    providers = document.pop("providers")
    head = json.dumps(document, ensure_ascii=False, indent=1).removesuffix("\n}")
    lines = ",\n".join(map(_provider_lines, providers))
    return f'{head},\n "providers": [\n{lines}\n ]\n}}\n'


def _provider_lines(provider: dict[str, Any]) -> str:
    models = provider.pop("models", [])
    lines = ",\n".join(f"   {_line(model)}" for model in models)
    return f'  {_line(provider).removesuffix("}")},"models":[\n{lines}\n  ]}}'


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _newest_day(first: Fetched) -> str:
    """The newest day that the data speaks of, the day of its retrieval at most."""
    days: list[str] = _DAY.findall(first.data)
    return max(day for day in days if day <= first.pin.retrieved)


def _mit(licence: str) -> str:
    """The licence text without what stands before it on parts that are not used here."""
    return licence.strip().rpartition("\n---\n")[2]


def _provider(wanted: Wanted, known: Mapping[str, Node], others: Mapping[str, Entry]) -> Provider:
    node = known.get(wanted.id)
    if node is None:
        raise SourceFault(f"the first source has no provider {wanted.id!r}")
    for host in wanted.hosts:
        if not re.match(str(node.get("api_pattern")), f"https://{host}/"):
            raise SourceFault(f"{host} is not among the addresses of {wanted.id!r} in the first source")
    models: Sequence[Node] = node.get("models", [])
    names = explicit_names(models)
    second = dict(models_of(wanted, others))
    found = []
    for model in models:
        own, dated_names = names[str(model.get("id"))]
        found.append(_model(model, own, dated_names, {name: second[name] for name in own if name in second}))
    return Provider(
        id=wanted.id,
        name=str(node.get("name")),
        aliases=wanted.aliases,
        hosts=wanted.hosts,
        input_excludes_cache=tuple(sorted(_excluding(node))),
        models=tuple(sorted((model for model in found if model.names), key=lambda model: model.id)),
    )


def _excluding(provider: Node) -> Iterator[str]:
    """The provider's APIs in which the source adds cached tokens to the input that is reported."""
    for extractor in provider.get("extractors", []):
        mappings = [mapping for mapping in extractor.get("mappings") if mapping.get("dest") == "input_tokens"]
        if any("cache" in str(mapping.get("path")) for mapping in mappings):
            yield str(extractor.get("api_flavor"))


def _model(node: Node, names: tuple[str, ...], dated_names: tuple[str, ...], others: Mapping[str, Entry]) -> KnownModel:
    merges: list[Merge] = []
    services: dict[str, tuple[DatedPrices, ...]] = {}
    refused = ""
    try:
        merges = dated_prices(node.get("prices"))
        for tier, keys in SERVICE_TIERS.items():
            found = service_prices(node, keys)
            if found:
                services[tier] = tuple(merge.prices for merge in found)
        _refuse_what_is_not_told_apart(names, merges[-1].prices, others.values())
    except Unpriceable as fault:
        merges, services, refused = [], {}, str(fault)
    limits = [limits_of(entry) for entry in others.values()]
    contexts = [node.get("context_window"), *(limit.context for limit in limits)]
    return KnownModel(
        id=str(node.get("id")),
        names=names,
        dated_names=dated_names,
        # The larger of two: usage is believed up to the context, and too small a one would cut what was charged.
        context=max((tokens for tokens in contexts if tokens), default=None),
        max_output=max((limit.max_output for limit in limits if limit.max_output), default=None),
        prices=tuple(merge.prices for merge in merges),
        service_tiers=services,
        merged=merges[-1].merged if merges else (),
        disputed=tuple(name for name in names if merges and _differs(merges[-1].prices, others.get(name, {}))),
        refused=refused,
    )


def _differs(ours: DatedPrices, entry: Entry) -> bool:
    """Whether the second source gives a base price otherwise."""
    places = prices_of(entry)
    return any(places.get(("", name, 0), price) != price for name, price in ours.prices.items())


def _refuse_what_is_not_told_apart(names: Sequence[str], ours: DatedPrices, others: Iterable[Entry]) -> None:
    """Refuse a list that would price a class by its cheaper fallback, though it is known to be dearer."""
    speaks = any(word in name for word in _SPEAKING for name in names)
    if speaks and "output" in ours.prices and not {"input_audio", "output_audio"} & ours.prices.keys():
        raise Unpriceable("its name says audio, and the source prices none")
    for entry in others:
        for (service, name, above), price in prices_of(entry).items():
            fallback = price_of(ours.prices, name)
            if not service and not above and name not in ours.prices and name in _APART and price > (fallback or 0):
                raise Unpriceable(f"only the second source says what {name} costs, and it is dearer than the text")
