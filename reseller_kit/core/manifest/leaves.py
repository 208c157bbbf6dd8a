"""The kinds of single values in tenants.toml: how each is read, checked and written back. Knows no tables.

A kind reads a TOML value into the form that the product computes with (an amount into nano-USD, a host into its
canonical form) and writes it back in one canonical spelling, so that `"10.0"` and `"10.00"` are the same value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from msgspec import Struct

from .. import money
from ..errors import InvalidRequest
from . import texts
from .findings import Refusal


class Leaf(Struct, frozen=True):
    """A kind of value: its name in docs, its reader, and its canonical spelling as JSON.

    `read` raises Refusal. A `secret` kind never has its value repeated in a message.
    """

    name: str
    read: texts.Reader
    write: Callable[[Any], Any] = lambda value: value
    secret: bool = False
    blank: Any = ""
    """Takes the place of a refused value, so that the checks after it can go on."""


class ColorPair(Struct, frozen=True):
    """A brand token's value for light and dark; `dark` None leaves it to the theme's rule."""

    light: str
    dark: str | None = None


_SECRET_HEADER: Final = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s].*")
STORED: Final = "console:"
"""Stands for a secret that was typed into a page: it is kept sealed and can't be read from anywhere else."""
_REFERENCE_FIX: Final = 'Write "env:NAME" or "file:/path/to/secret" and keep the secret itself there.'


def is_reference(text: str) -> bool:
    """Whether the text is `env:NAME` or `file:PATH`."""
    return _REFERENCE.fullmatch(text) is not None


def _secret(value: object) -> str:
    text = texts.string(value, "a secret reference")
    if text == STORED:
        return text
    if text in {"", "env:", "file:"}:
        raise Refusal("RK211", "The secret reference is empty.", _REFERENCE_FIX)
    if not is_reference(text):
        raise Refusal("RK210", "Secrets are never written into this file.", _REFERENCE_FIX)
    return text


def check_header(name: str, value: str) -> None:
    """Refuses a header whose name speaks of a secret while its value stands in the file."""
    if _SECRET_HEADER.search(name) and not is_reference(value):
        raise Refusal("RK210", f"The header {name} looks like a secret.", _REFERENCE_FIX)


def _token_value(value: object) -> ColorPair:
    if isinstance(value, dict):
        unknown = set(value) - {"light", "dark"}
        if unknown or "light" not in value:
            raise Refusal(
                "RK104", "A token's table holds light and dark only.", 'Write { light = "#ffffff", dark = "#000000" }.'
            )
        return ColorPair(
            texts.read_text(value["light"]), None if value.get("dark") is None else texts.read_text(value["dark"])
        )
    return ColorPair(texts.read_text(value))


def _write_token(value: ColorPair) -> str | dict[str, str]:
    return value.light if value.dark is None else {"light": value.light, "dark": value.dark}


def _money(parse: Callable[[object], int], code: str, example: str) -> texts.Reader:
    def read(value: object) -> int:
        if isinstance(value, bool | int | float) or not isinstance(value, str):
            quoted = _quoted(value, percent=code == "RK202") or example
            raise Refusal(
                "RK105", f"Expected a quoted string, found {texts.toml_type(value)}.", f"Write it as {quoted}."
            )
        try:
            return parse(value)
        except InvalidRequest as error:
            lacks_sign = code == "RK202" and value.replace(".", "", 1).isdecimal()
            raise Refusal(code, error.message, f"Write {_percent(value)}." if lacks_sign else error.fix) from None

    return read


def _quoted(value: object, *, percent: bool) -> str:
    """The number as the string that was probably meant; empty when that can't be told."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return ""
    text = str(value) if isinstance(value, int) else f"{value:.12f}".rstrip("0").rstrip(".")
    return _percent(text) if percent else f'"{text}"'


def _percent(number: str) -> str:
    """A percentage without its sign as it was probably meant; what is below 1 may be a share or per cent."""
    share = Decimal(number)
    if 0 < share < 1:
        return f'"{(share * 100).normalize():f}%", or "{number}%" if you mean less than one per cent'
    return f'"{number}%"'


def number(name: str, low: int, high: int) -> Leaf:
    """A whole number from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refusal(
                "RK104",
                f"Expected a whole number, found {texts.toml_type(value)}.",
                f"Write a number from {low} to {high}, without quotes.",
            )
        if not low <= value <= high:
            raise Refusal("RK203", f"{value} is out of range.", f"Give a number from {low} to {high}.")
        return value

    return Leaf(name, read, blank=low)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refusal(
            "RK104",
            f"Expected seconds as a number, found {texts.toml_type(value)}.",
            "Write it without quotes, such as 30.",
        )
    if not 0.1 <= value <= 3600:
        raise Refusal("RK203", f"{value} seconds are out of range.", "Give 0.1 to 3600 seconds.")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Refusal(
            "RK104", f"Expected true or false, found {texts.toml_type(value)}.", "Write true or false, without quotes."
        )
    return value


def _currency(value: object) -> str:
    if value != "USD":
        raise Refusal("RK212", "Schema 1 knows one currency.", 'Write currency = "USD".')
    return "USD"


_NAME_FIX: Final = "Use letters, digits, hyphen and underscore, at most 63, beginning with a letter or digit."
_MODEL_FIX: Final = "Use letters, digits and . _ : / @ + -, at most 128, beginning with a letter or digit."

Text = Annotated[str, Leaf("text", texts.read_text)]
Name = Annotated[str, Leaf("name", texts.matching(texts.NAME, "a name", _NAME_FIX))]
Slug = Annotated[str, Leaf("slug", texts.read_slug)]
ModelName = Annotated[str, Leaf("model name", texts.matching(texts.MODEL, "a model name", _MODEL_FIX))]
UpstreamModel = Annotated[
    str,
    Leaf(
        "model name at the upstream",
        texts.matching(texts.UPSTREAM_MODEL, "a model name", "Copy it from the provider's documentation."),
    ),
]
Glob = Annotated[
    str, Leaf("pattern", texts.matching(texts.GLOB, "a pattern", 'Write a model name, with * for any text: "gpt-*".'))
]
TokenName = Annotated[
    str, Leaf("token name", texts.matching(texts.TOKEN, "a token name", 'Write it like "color.accent".'))
]
HeaderName = Annotated[
    str, Leaf("header name", texts.matching(texts.HEADER_NAME, "a header name", "Use letters, digits and hyphens."))
]
Host = Annotated[str, Leaf("host", texts.read_host)]
IPv4 = Annotated[str, Leaf("IPv4 address", texts.read_ipv4)]
IPv6 = Annotated[str, Leaf("IPv6 address", texts.read_ipv6)]
SettingName = Annotated[
    str, Leaf("setting name", texts.matching(texts.SETTING, "a setting name", 'Write it like "hero_layout".'))
]
SettingValue = Annotated[str | bool, Leaf("setting value", lambda v: v if isinstance(v, bool) else texts.read_text(v))]
Markdown = Annotated[str, Leaf("Markdown", texts.read_markdown)]
ImageId = Annotated[str, Leaf("id of a picture", texts.read_image_id)]
Link = Annotated[str, Leaf("link", texts.read_link)]
HttpsUrl = Annotated[str, Leaf("https URL", texts.read_https_url)]
Day = Annotated[str, Leaf("day", texts.read_day)]
Email = Annotated[str, Leaf("e-mail address", texts.read_email)]
Sender = Annotated[str, Leaf("sender", texts.read_sender)]
Timezone = Annotated[str, Leaf("time zone", texts.read_timezone)]
Locale = Annotated[str, Leaf("language tag", texts.read_locale)]
KeyPrefix = Annotated[str, Leaf("key prefix", texts.read_key_prefix)]
BaseUrl = Annotated[str, Leaf("URL", texts.read_base_url)]
PublicUrl = Annotated[str, Leaf("URL template", texts.read_public_url)]
PaymentProvider = Annotated[str, Leaf("payment provider", texts.read_payment_provider, blank="manual")]
PaddleEnvironment = Annotated[str, Leaf("environment", texts.read_paddle_environment)]
SecretRef = Annotated[str, Leaf("secret reference", _secret, secret=True)]
Currency = Annotated[Literal["USD"], Leaf("currency", _currency)]
TokenValue = Annotated[ColorPair, Leaf("token value", _token_value, _write_token, blank=ColorPair(""))]
Flag = Annotated[bool, Leaf("flag", _flag, blank=False)]
Seconds = Annotated[
    float, Leaf("seconds", _seconds, lambda value: int(value) if value == int(value) else value, blank=1.0)
]
Amount = Annotated[int, Leaf("amount", _money(money.parse_amount, "RK201", '"10.00"'), money.format_amount, blank=0)]
TokenPrice = Annotated[
    int,
    Leaf(
        "price per million tokens",
        _money(money.parse_token_price, "RK201", '"0.25"'),
        money.format_token_price,
        blank=0,
    ),
]
UnitPrice = Annotated[
    int, Leaf("price per unit", _money(money.parse_unit_price, "RK201", '"0.04"'), money.format_unit_price, blank=0)
]
Markup = Annotated[int, Leaf("percentage", _money(money.parse_markup, "RK202", '"40%"'), money.format_markup, blank=0)]
Fee = Annotated[int, Leaf("percentage", _money(money.parse_fee, "RK202", '"5%"'), money.format_markup, blank=0)]
