"""Amounts, numbers and moments as a language writes them. Knows no text and no page.

Formats come from the CLDR by Babel. Digits are the European ones in every language, so that prices compare.
"""

from __future__ import annotations

import datetime as dt
import functools
from contextlib import suppress
from decimal import Decimal
from typing import Final, Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_datetime_format
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

from reseller_kit.core import money

_NO_COUNTRIES: Final = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"})
"""Codes of the CLDR that are no country."""
_THOUSAND: Final = 1_000
_MILLION: Final = 1_000_000
_LONG_FIGURE: Final = 100_000
_FIGURES: Final = 4
_CACHED: Final = 16_384
_RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})


def amount(lang: str, value: int | str) -> str:
    """An amount's digits without its currency, all of them: nano-USD, or a decimal string of USD."""
    return _decimal(lang, _nano(value) if isinstance(value, int) else value)


def currency(lang: str, value: int | str) -> str:
    """An amount with its currency, to the last digit: nano-USD, or a decimal string of USD."""
    return _currency(lang, _nano(value) if isinstance(value, int) else value)


@functools.lru_cache(maxsize=_CACHED)
def short_currency(lang: str, nano: int, *, down: bool = False) -> str:
    """An amount as people read it: cents from a dollar on, below that four figures that say something; half up.

    `down`: cut instead, for what somebody has and must not be told more of.
    """
    step = money.NANO // 100 if abs(nano) >= money.NANO else 10 ** max(0, len(str(abs(nano))) - _FIGURES)
    steps = abs(nano) // step if down else (2 * abs(nano) + step) // (2 * step)
    return currency(lang, -steps * step if nano < 0 else steps * step)


def minor(lang: str, value: int, code: str) -> str:
    """An amount in minor units of a currency by its code (ISO 4217), with the digits that the currency has."""
    digits = get_currency_precision(code)
    locale = Locale.parse("en_US") if lang == "en" else _locale(lang)
    shown = Decimal(value).scaleb(-digits)
    return _whole(lang, str(format_currency(shown, code, locale=locale, currency_digits=True)))


@functools.lru_cache(maxsize=32)
def countries(lang: str) -> tuple[tuple[str, str], ...]:
    """Countries by their code (ISO 3166, two letters) with their names, in the order of these."""
    names = _locale(lang).territories
    found = [(code, str(name)) for code, name in names.items() if len(code) == 2 and code not in _NO_COUNTRIES]
    return tuple(sorted(found, key=lambda pair: pair[1].casefold()))


def number(lang: str, value: int) -> str:
    """A whole number with its separators."""
    return _decimal(lang, str(value))


def percent(lang: str, share: float) -> str:
    """A share between 0 and 1 as a percentage with at most one decimal."""
    return str(format_percent(round(share, 3), format="#,##0.#%", locale=_locale(lang)))


def tokens(lang: str, value: int) -> str:
    """A number of tokens as people say it: 400000 as "400K", 1047576 as "1.04M"; cut, never rounded up."""
    if value >= _MILLION:
        return _decimal(lang, f"{value // 10_000 / 100:.2f}".rstrip("0").rstrip(".")) + "M"
    if value >= _THOUSAND:
        return f"{value // _THOUSAND}K"
    return str(value)


def figure(lang: str, value: int) -> str:
    """A number in full as long as it is read at a glance, else as `tokens` says it."""
    return number(lang, value) if value < _LONG_FIGURE else tokens(lang, value)


def duration(lang: str, milliseconds: int) -> str:
    """A time that something took."""
    if milliseconds < _THOUSAND:
        return f"{number(lang, milliseconds)} ms"
    return f"{_decimal(lang, f'{milliseconds // 100 / 10:.1f}')} s"


def day(lang: str, value: dt.date) -> str:
    """A day, such as 3 March 2026."""
    return _date(lang, value.year, value.month, value.day, "long")


def short_day(lang: str, value: dt.date) -> str:
    """A day without its year, for axes and lists: 3 Mar."""
    return _date(lang, value.year, value.month, value.day, "d MMM" if lang != "zh" else "M月d日")


def local_moment(lang: str, value: dt.datetime) -> str:
    """A moment to the minute, by the clocks of its own time zone, such as 3 Mar 2026, 14:05."""
    # Moments of two zones may be equal and read differently: what is kept is by what the clocks show.
    return _clocks(lang, value.replace(tzinfo=None, second=0, microsecond=0))


def day_or_moment(lang: str, value: dt.datetime) -> str:
    """A day where it is midnight in the moment's own time zone, else with the time and the zone's name."""
    if (value.hour, value.minute, value.second) == (0, 0, 0):
        return day(lang, value)
    return f"{day(lang, value)}, {clock(lang, value)} ({value.tzinfo})"


def clock(lang: str, value: dt.datetime) -> str:
    """The time of day, by the clocks of its own time zone."""
    return str(format_time(value, "short", tzinfo=value.tzinfo, locale=_locale(lang)))


def month(lang: str, value: dt.date) -> str:
    """A month with its year."""
    return str(format_skeleton("yMMMM", value, locale=_locale(lang)))


def short_month(lang: str, value: dt.date) -> str:
    """A month without its year, for axes."""
    return str(format_date(value, "LLL", _locale(lang)))


@functools.lru_cache(maxsize=64)
def language_name(lang: str) -> str:
    """A language in its own words, such as Deutsch."""
    known = _nearest(lang)
    if known is None:
        return lang
    name = known.get_display_name() or lang
    return name[:1].upper() + name[1:]


def direction(lang: str) -> Literal["ltr", "rtl"]:
    """The direction in which a language is written."""
    return "rtl" if lang.split("-", maxsplit=1)[0] in _RIGHT_TO_LEFT else "ltr"


@functools.lru_cache(maxsize=64)
def _locale(lang: str) -> Locale:
    return (None if lang == "en" else _nearest(lang)) or Locale.parse("en_GB")


def _nearest(lang: str) -> Locale | None:
    """What the CLDR knows of a language, if need be without the last parts of its tag: a brand may name any."""
    parts = lang.split("-")
    for count in range(len(parts), 0, -1):
        with suppress(UnknownLocaleError):
            return Locale.parse("_".join(parts[:count]))
    return None


@functools.lru_cache(maxsize=_CACHED)
def _date(lang: str, year: int, month: int, day: int, form: str) -> str:
    return str(format_date(dt.date(year, month, day), form, _locale(lang)))


@functools.lru_cache(maxsize=_CACHED)
def _clocks(lang: str, value: dt.datetime) -> str:
    # CLDR's "medium" date and "short" time, joined as the language joins them; Babel has no form of both.
    joined = str(get_datetime_format("medium", locale=_locale(lang))).replace("'", "")
    time, date = format_time(value, "short", locale=_locale(lang)), format_date(value, "medium", _locale(lang))
    return joined.replace("{0}", str(time)).replace("{1}", str(date))


@functools.lru_cache(maxsize=_CACHED)
def _nano(value: int) -> str:
    return money.format_amount(value)


@functools.lru_cache(maxsize=_CACHED)
def _decimal(lang: str, text: str) -> str:
    decimals = len(text.partition(".")[2])
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return str(format_decimal(Decimal(text), format=pattern, locale=_locale(lang)))


@functools.lru_cache(maxsize=_CACHED)
def _currency(lang: str, text: str) -> str:
    locale = Locale.parse("en_US") if lang == "en" else _locale(lang)
    shown = format_currency(Decimal(text), "USD", locale=locale, currency_digits=False, decimal_quantization=False)
    return _whole(lang, str(shown))


def _whole(lang: str, amount: str) -> str:
    """An amount whose symbol stays as it is written: between letters from the right, `US$` would be read as `$US`."""
    return f"{amount}\N{LEFT-TO-RIGHT MARK}" if direction(lang) == "rtl" else amount
