"""Amounts of a currency in its minor unit, as payment providers count them (ISO 4217). Converts nothing between two."""

from __future__ import annotations

from typing import Final

from .errors import InvalidRequest
from .money import NANO

_WITHOUT: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def digits(currency: str) -> int:
    """How many decimals an amount of the currency has."""
    return 0 if currency in _WITHOUT else 3 if currency in _THREE else 2


def to_minor(nano: int, currency: str) -> int:
    """10⁻⁹ of the currency in its minor unit. Raises InvalidRequest for a part of one."""
    unit: int = NANO // 10 ** digits(currency)
    minor, rest = divmod(nano, unit)
    if rest:
        raise InvalidRequest(
            f"{currency} has {digits(currency)} decimals.", param="amount", fix="Give an amount that can be paid."
        )
    return minor


def format_minor(minor: int, currency: str) -> str:
    """An amount as people read it, such as `12.34`; without decimals where the currency has none."""
    places = digits(currency)
    sign, amount = ("-" if minor < 0 else ""), abs(minor)
    if not places:
        return f"{sign}{amount}"
    return f"{sign}{amount // 10**places}.{amount % 10**places:0{places}d}"
