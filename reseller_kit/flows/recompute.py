"""Recomputes a usage record's charge from the price versions that it pins. Reads nothing, corrects nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from ..core.catalog import PriceList, group_of_level
from ..core.money import charge_nano
from ..core.pricing import charge_lines, input_tokens
from ..db.operator_audit import StoredPrices, UsageFacts

LevelName = Literal["retail", "wholesale", "cost"]
LEVELS: Final[tuple[LevelName, ...]] = ("retail", "wholesale", "cost")

_quantities = msgspec.json.Decoder(dict[str, int]).decode


class PinnedPrices(Struct, frozen=True, kw_only=True):
    """A price version, decoded."""

    id: str
    tenant_id: int | None
    level: str
    model: str
    price_list: PriceList
    effective_from: int


class Line(Struct, frozen=True):
    """One line of a charge: quantity × price = amount. Price in pico-USD per unit, amount in pico-USD."""

    usage_class: str
    quantity: int
    price: int
    amount: int


class Level(Struct, frozen=True, kw_only=True):
    """A charge at one level. `pico` is the exact sum, `nano` what it rounds up to, `stored` what the record says.

    `fault` says why it could not be recomputed; then there are no lines. `tier` is the long-context boundary that
    the prices are those of, 0 for the list's own.
    """

    level: LevelName
    version: PinnedPrices | None
    lines: tuple[Line, ...]
    stored: int
    tier: int = 0
    fault: str | None = None

    @property
    def pico(self) -> int:
        """The exact sum in pico-USD."""
        return sum(line.amount for line in self.lines)

    @property
    def nano(self) -> int:
        """The sum in nano-USD, rounded up once."""
        return charge_nano(self.pico)

    @property
    def matches(self) -> bool:
        """Whether the record's amount is what its prices and quantities give."""
        return self.fault is None and self.nano == self.stored


def pinned_prices(stored: StoredPrices) -> PinnedPrices:
    """A stored price version, decoded."""
    return PinnedPrices(
        id=stored.id,
        tenant_id=stored.tenant_id,
        level=stored.level,
        model=stored.model,
        price_list=msgspec.convert(stored.prices, PriceList),
        effective_from=stored.effective_from,
    )


def version_ids(record: UsageFacts) -> tuple[str | None, str | None, str | None]:
    """The price versions that the record names at retail, wholesale and cost."""
    return record.retail_version, record.wholesale_version, record.cost_version


def recompute(record: UsageFacts, versions: Mapping[str, PinnedPrices]) -> list[Level]:
    """The record's charge at each level of `LEVELS`, from its quantities and the versions it names.

    A call that no upstream served has no cost version, and then no cost.
    """
    stored = (record.retail_nano, record.wholesale_nano, record.cost_nano)
    try:
        quantities = _quantities(record.quantities)
    except msgspec.DecodeError:
        quantities = None
    return [
        _level(name, record.tenant_id, quantities, version_id, versions, amount)
        for name, version_id, amount in zip(LEVELS, version_ids(record), stored, strict=True)
    ]


def _level(
    name: LevelName,
    tenant_id: int,
    quantities: Mapping[str, int] | None,
    version_id: str | None,
    versions: Mapping[str, PinnedPrices],
    stored: int,
) -> Level:
    version = None if version_id is None else versions.get(version_id)
    fault = _fault(name, tenant_id, quantities, version_id, version)
    if fault is not None or version is None or quantities is None:
        return Level(level=name, version=version, lines=(), stored=stored, fault=fault)
    try:
        lines = tuple(Line(*line) for line in charge_lines(version.price_list, quantities))
    except KeyError as error:
        fault = f"{version.id} has no price for {error.args[0]}"
        return Level(level=name, version=version, lines=(), stored=stored, fault=fault)
    return Level(level=name, version=version, lines=lines, stored=stored, tier=_tier(version.price_list, quantities))


def _fault(
    name: LevelName,
    tenant_id: int,
    quantities: Mapping[str, int] | None,
    version_id: str | None,
    version: PinnedPrices | None,
) -> str | None:
    if quantities is None or min(quantities.values(), default=0) < 0:
        return "its quantities are not whole numbers of 0 or more"
    return version_fault(name, tenant_id, version_id, version)


def version_fault(name: LevelName, tenant_id: int, version_id: str | None, version: PinnedPrices | None) -> str | None:
    """Why a record of this tenant can't have been charged at this level with the version; None if it can.

    A record names no version where nothing was charged for want of an upstream.
    """
    if version_id is None:
        return None
    if version is None:
        return f"the price version {version_id} does not exist"
    if name != ("retail" if group_of_level(version.level) else version.level):
        return f"{version.id} is a {version.level} price"
    return None if version.tenant_id in {None, tenant_id} else f"{version.id} is another tenant's price"


def _tier(price_list: PriceList, quantities: Mapping[str, int]) -> int:
    total = input_tokens(quantities)
    return max((tier.above_input for tier in price_list.tiers if total > tier.above_input), default=0)
