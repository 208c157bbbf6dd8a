"""What an offer comes to: what is paid, what is credited and how long it lasts, by its terms. Moves no money.

Terms are those of a package in tenants.toml: decimal strings of USD, days, percentages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from .money import PPM, parse_amount, parse_markup

CENT_NANO: Final = 10_000_000


class Tier(Struct, frozen=True):
    """From `least` nano-USD on a top-up credits `ppm` parts per million more."""

    least: int
    ppm: int


def terms_digest(code: str, version: int, terms: Mapping[str, Any]) -> str:
    """What is accepted with a version of an offer: the digest of its name and terms."""
    facts = [code, version, dict(sorted(terms.items()))]
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()


def tiers(terms: Mapping[str, Any]) -> tuple[Tier, ...]:
    """The bonus tiers of a top-up, the least amount first; none for what has none."""
    return tuple(Tier(parse_amount(one["from"]), parse_markup(one["percent"])) for one in terms.get("bonus") or ())


def bonus(terms: Mapping[str, Any], amount: int) -> int:
    """What a top-up of `amount` nano-USD credits beyond it: the best tier that it reaches, cut to whole cents."""
    reached = [tier for tier in tiers(terms) if tier.least <= amount]
    if not reached:
        return 0
    best = max(reached, key=lambda tier: tier.least)
    return amount * best.ppm // PPM // CENT_NANO * CENT_NANO


def whole_cents(nano: int) -> int:
    """A part of a payment as it is shown, rounded half up to cents: what moves of a payment moves in cents."""
    return (nano + CENT_NANO // 2) // CENT_NANO * CENT_NANO


def roll_over_of(terms: Mapping[str, Any]) -> int:
    """For how many further periods a subscription's unused credit stays."""
    return int(terms.get("roll_over_periods") or 1) if terms.get("roll_over") else 0


def daily_of(terms: Mapping[str, Any]) -> int | None:
    """How much of an offer's credit may be used in a day, in nano-USD; None for all of it."""
    stated = terms.get("daily_allowance")
    return None if stated is None else parse_amount(stated)


def split(price: int, credits_nano: int) -> tuple[int, int]:
    """(bought, bonus) of what an order credited: up to what was paid it is bought, what is beyond that is a bonus."""
    bought = min(price, credits_nano)
    return bought, credits_nano - bought
