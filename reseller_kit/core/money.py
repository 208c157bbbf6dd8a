"""Amounts and prices as integers, and their decimal texts. Never a float, never a rounding that nobody asked for.

Amount: int nano-USD (10⁻⁹ USD). Price: int pico-USD for one unit of a usage class, which for tokens is the same
number as micro-USD per million tokens. Markup: int ten-thousandths of a percent (ppm), so "12.5%" is 125_000.
"""

from __future__ import annotations

import re
from typing import Final

from .errors import InvalidAmount

NANO: Final = 1_000_000_000
CENT_NANO: Final = 10_000_000
MAX_AMOUNT_NANO: Final = 10**9 * NANO
"""A billion dollars: far below the 64-bit limit, so sums of many amounts stay within it."""
MAX_PRICE_PICO: Final = 10**6 * 10**12
"""A million dollars for a unit."""
MAX_TOKEN_PRICE_PICO: Final = 10**12
"""A million dollars for a million tokens: no call can cost what 64 bits of nano-USD do not hold."""
PPM: Final = 1_000_000
_MAX_MARKUP_PPM: Final = 1_000 * PPM

_DECIMAL: Final = re.compile(r"(-?)(\d{1,40})(?:\.(\d{1,40}))?", re.ASCII)
_PERCENT: Final = re.compile(r"(-?)(\d{1,6})(?:\.(\d{1,4}))?%", re.ASCII)


def parse_amount(text: object, *, negative: bool = False) -> int:
    """A decimal string such as "12.5" to nano-USD.

    Raises InvalidAmount for anything else: floats, exponents, more than nine decimals, over a billion dollars, or
    a minus sign unless `negative`.
    """
    value = _scaled(text, 9, "amount")
    if value < 0 and not negative:
        raise InvalidAmount(f"Amount {text} is negative.", fix="Leave the minus sign out.")
    if abs(value) > MAX_AMOUNT_NANO:
        raise InvalidAmount(f"Amount {text} is too large.", fix="The largest amount is 1000000000.")
    return value


def format_amount(nano: int) -> str:
    """Nano-USD to the decimal string of every JSON document: 2 to 9 decimals, no further trailing zeros."""
    sign = "-" if nano < 0 else ""
    whole, fraction = divmod(abs(nano), NANO)
    decimals = f"{fraction:09d}".rstrip("0")
    return f"{sign}{whole}.{decimals:0<2}"


def parse_token_price(text: object) -> int:
    """USD per million tokens, as a decimal string with at most six decimals, to pico-USD per token."""
    return _price(text, 6, MAX_TOKEN_PRICE_PICO)


def parse_unit_price(text: object) -> int:
    """USD per unit (image, second, request …), as a decimal string with at most twelve decimals, to pico-USD."""
    return _price(text, 12, MAX_PRICE_PICO)


def format_token_price(pico: int) -> str:
    """Pico-USD per token to USD per million tokens: at least two decimals, no further trailing zeros."""
    return _format_scaled(pico, 6)


def format_unit_price(pico: int) -> str:
    """Pico-USD per unit to USD per unit: at least two decimals, no further trailing zeros."""
    return _format_scaled(pico, 12)


def parse_markup(text: object) -> int:
    """A percentage such as "40%" or "-5.5%" to parts per million (400_000, -55_000). At least -100 %."""
    match = _PERCENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidAmount(f"{text!r} is not a percentage.", fix=_how(text, "40%"))
    sign, whole, decimals = match.groups()
    ppm = int(whole + (decimals or "").ljust(4, "0"))
    ppm = -ppm if sign else ppm
    if not -PPM <= ppm <= _MAX_MARKUP_PPM:
        raise InvalidAmount(f"Markup {text} is out of range.", fix='Give a value from "-100%" to "100000%".')
    return ppm


def parse_fee(text: object) -> int:
    """A percentage of 0 or more, to parts per million."""
    ppm = parse_markup(text)
    if ppm < 0:
        raise InvalidAmount(f"A fee of {text} is negative.", fix='Give a value from "0%" on.')
    return ppm


def format_markup(ppm: int) -> str:
    """Parts per million to a percentage without trailing zeros: 400_000 to "40%"."""
    sign = "-" if ppm < 0 else ""
    whole, rest = divmod(abs(ppm), 10_000)
    decimals = f"{rest:04d}".rstrip("0")
    return f"{sign}{whole}.{decimals}%" if decimals else f"{sign}{whole}%"


def add_markup(price: int, markup_ppm: int) -> int:
    """`price` × (1 + markup), rounded half-up to the integer unit."""
    return (price * (PPM + markup_ppm) * 2 + PPM) // (2 * PPM)


def fee_on(price: int, fee_ppm: int) -> int:
    """`price` × fee, rounded so that price and fee together are `add_markup` of the two."""
    return add_markup(price, fee_ppm) - price


def whole_percent(part: int, whole: int) -> int:
    """How many hundredths of the whole a part is, rounded half-up; 0 of nothing."""
    return (part * 200 + whole) // (whole * 2) if whole else 0


def charge_nano(pico: int) -> int:
    """A sum of quantity × price in pico-USD to nano-USD, rounded up once."""
    return -(-pico // 1000)


def _how(found: object, example: str) -> str:
    """Whoever types into a form or a command writes no quotes; a file or a body needs them."""
    return f"Write it like {example}." if isinstance(found, str) else f'Write it as a string such as "{example}".'


def _price(text: object, decimals: int, largest: int) -> int:
    value = _scaled(text, decimals, "price")
    if value < 0:
        raise InvalidAmount(f"Price {text} is negative.", fix="Give a price of 0 or more.")
    if value > largest:
        raise InvalidAmount(f"Price {text} is too large.", fix="The largest price is 1000000 per unit.")
    return value


def _scaled(text: object, decimals: int, what: str) -> int:
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidAmount(f"{text!r} is not a plain decimal {what}.", fix=_how(text, "0.25"))
    sign, whole, fraction = match.groups()
    fraction = (fraction or "").rstrip("0")
    if len(fraction) > decimals:
        raise InvalidAmount(f"{what.capitalize()} {text} is too precise.", fix=f"At most {decimals} decimals.")
    value = int(whole + fraction.ljust(decimals, "0"))
    return -value if sign else value


def _format_scaled(value: int, decimals: int) -> str:
    whole, fraction = divmod(value, 10**decimals)
    return f"{whole}.{f'{fraction:0{decimals}d}'.rstrip('0'):0<2}"
