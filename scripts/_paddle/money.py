"""Minor units, currencies and tax of the double: fixed tables, so that tests know every figure beforehand. No float."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

# What one US dollar buys. Invented, and never changing.
RATES: Final = {
    "USD": Fraction(1),
    "EUR": Fraction(92, 100),
    "GBP": Fraction(79, 100),
    "JPY": Fraction(150),
    "KRW": Fraction(1350),
    "AUD": Fraction(3, 2),
    "CAD": Fraction(136, 100),
    "CHF": Fraction(88, 100),
    "SEK": Fraction(21, 2),
    "DKK": Fraction(69, 10),
    "NOK": Fraction(54, 5),
    "PLN": Fraction(4),
    "INR": Fraction(83),
    "BRL": Fraction(5),
    "CNY": Fraction(36, 5),
    "VND": Fraction(25_000),
    "CLP": Fraction(950),
}
_WITHOUT_MINOR: Final = frozenset({"JPY", "KRW", "VND", "CLP"})
# By country; anything else pays none. Not all of these are the rates of today.
TAX: Final = {
    "DE": "0.19",
    "FR": "0.2",
    "GB": "0.2",
    "ES": "0.21",
    "IT": "0.22",
    "NL": "0.21",
    "PL": "0.23",
    "SE": "0.25",
    "DK": "0.25",
    "CH": "0.081",
    "NO": "0.25",
    "JP": "0.1",
    "KR": "0.1",
    "IN": "0.18",
    "AU": "0.1",
}
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_FEE_RATE: Final = Fraction(5, 100)
_FEE_CENTS: Final = 50


def exponent(currency: str) -> int:
    """How many digits the currency's minor unit has."""
    return 0 if currency in _WITHOUT_MINOR else 2


def rounded(amount: Fraction) -> int:
    """Half up, away from zero."""
    whole = abs(amount) + Fraction(1, 2)
    return (whole.numerator // whole.denominator) * (1 if amount >= 0 else -1)


def converted(minor: int, source: str, target: str) -> int:
    """An amount in another currency at the fixed rates."""
    if source == target:
        return minor
    return rounded(minor * exchange_rate(source, target) * 10 ** exponent(target) / 10 ** exponent(source))


def exchange_rate(source: str, target: str) -> Fraction:
    """How many units of `target` one unit of `source` buys."""
    return RATES[target] / RATES[source]


def tax_rate(country: str | None) -> str:
    """The rate as the API writes it; "0" before the country is known."""
    return TAX.get(country or "", "0")


def split(amount: int, rate: str, *, inclusive: bool) -> tuple[int, int]:
    """(subtotal, tax) of an amount that includes tax, or to which it is added."""
    share = Fraction(rate)
    if inclusive:
        subtotal = rounded(amount / (1 + share))
        return subtotal, amount - subtotal
    return amount, rounded(amount * share)


def fee(total: int, currency: str) -> int:
    """What the service keeps: five per cent and fifty US cents."""
    return 0 if total == 0 else rounded(total * _FEE_RATE) + converted(_FEE_CENTS, "USD", currency)


def formatted(minor: int, currency: str) -> str:
    """An amount as people read it."""
    digits = exponent(currency)
    whole, rest = divmod(abs(minor), 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    sign = "-" if minor < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency}"
