"""What a page needs to know, as values that the web layer fills. Reads nothing itself and holds no wholesale or cost.

Amounts are nano-USD, prices pico-USD per unit (for tokens: micro-USD per million). Every text that a reseller or
customer gave is plain text here; the templates escape it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from reseller_kit.core import money, pricing
from reseller_kit.core.catalog import TOKEN_CLASSES, PriceList, Tier

from . import locale
from .brand import Brand
from .console import Frame
from .support import AnnouncementRow

_MOST_FIELDS: Final = 100
"""No page has more fields in its address."""
_FIRST_WORD: Final = re.compile(r"[A-Za-z]+")
_TELLING: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"output"}),
    "image": frozenset({"images", "input_image", "output_image"}),
    "audio": frozenset({"seconds", "characters", "input_audio", "output_audio"}),
    "embedding": frozenset({"input"}),
}
"""Modality → the usage classes that tell it. Input alone, with nothing that comes out, is an embedding."""
MODALITIES: Final = tuple(_TELLING)


class PriceRow(Struct, frozen=True, kw_only=True):
    """One published retail price. With `above_input`, it holds for calls with more input tokens than that."""

    class_name: str
    pico: int
    above_input: int = 0

    @property
    def price(self) -> str:
        """USD per million tokens, or per unit, as a decimal string."""
        return money.format_token_price(self.pico) if self.per_token else money.format_unit_price(self.pico)

    @property
    def per_token(self) -> bool:
        """Whether the price is shown per million tokens."""
        return self.class_name in TOKEN_CLASSES


class LaterRow(Struct, frozen=True):
    """Prices of a model that are to change, and from when, by the clocks of the storefront's time zone."""

    begins: dt.datetime
    prices: tuple[PriceRow, ...]


class ReceiptLine(Struct, frozen=True):
    """One line of an example charge: quantity × price = amount, in USD."""

    price: PriceRow
    quantity: int
    amount: str


class Receipt(Struct, frozen=True):
    """What one call comes to. `total` is rounded up once, as calls are charged; the lines are exact."""

    lines: tuple[ReceiptLine, ...]
    total: str


class ModelRow(Struct, frozen=True, kw_only=True):
    """A model on offer, under its public name. `context` and `max_output` are tokens, 0 where they don't apply."""

    name: str
    prices: tuple[PriceRow, ...]
    title: str = ""
    family: str = ""
    context: int = 0
    max_output: int = 0
    later: tuple[LaterRow, ...] = ()

    def price_of(self, class_name: str, above_input: int = 0) -> PriceRow | None:
        """The price of a usage class for calls with more input tokens than that; None where the model has none."""
        reached = max((above for above in self.boundaries if above <= above_input), default=0)
        rows = [row for row in self.prices if row.class_name == class_name and row.above_input in {0, reached}]
        return max(rows, key=lambda row: row.above_input, default=None)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The usage classes with a price, each once."""
        return tuple(dict.fromkeys(row.class_name for row in self.prices))

    @property
    def per_unit_only(self) -> bool:
        """Whether neither input nor output tokens have a price: images, seconds and the like."""
        return self.price_of("input") is None and self.price_of("output") is None

    @property
    def others(self) -> tuple[PriceRow, ...]:
        """The prices beside input, cached input and output."""
        shown = {"input", "cached_input", "output"}
        return tuple(row for row in self.prices if row.above_input or row.class_name not in shown)

    @property
    def group(self) -> str:
        """The family, or the first word of the name where none is given."""
        found = _FIRST_WORD.search(self.name.rpartition("/")[2])
        return self.family or (found[0].lower() if found else "")

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it works with, as far as its prices tell."""
        classes = {row.class_name for row in self.prices if row.pico} or {row.class_name for row in self.prices}
        told = tuple(name for name, telling in _TELLING.items() if classes & telling)
        return told if told in ((), ("embedding",)) else tuple(name for name in told if name != "embedding")

    @property
    def boundaries(self) -> tuple[int, ...]:
        """The numbers of input tokens beyond which other prices hold, rising."""
        return tuple(sorted({row.above_input for row in self.prices if row.above_input}))

    @property
    def price_list(self) -> PriceList:
        """The shown prices as calls are charged by them; a class that a tier does not name keeps its base price."""
        base = {row.class_name: row.pico for row in self.prices if not row.above_input}
        tiers = tuple(
            Tier(
                above_input=above,
                prices=base | {row.class_name: row.pico for row in self.prices if row.above_input == above},
            )
            for above in self.boundaries
        )
        return PriceList(prices=base, tiers=tiers)

    def chat_nano(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int | None:
        """The charge of one call in nano-USD, `cached_tokens` being part of the input; None without both prices."""
        if self.price_of("input") is None or self.price_of("output") is None:
            return None
        quantities = {"input": input_tokens - cached_tokens, "cached_input": cached_tokens, "output": output_tokens}
        return pricing.charge(self.price_list, {**quantities, "request": 1})

    def receipt(self, input_tokens: int, output_tokens: int) -> Receipt | None:
        """The charge of one call of that size, line by line; None without both prices."""
        total = self.chat_nano(input_tokens, output_tokens)
        if total is None:
            return None
        quantities = {"input": input_tokens, "output": output_tokens, "request": 1}
        lines = tuple(
            ReceiptLine(PriceRow(class_name=name, pico=pico), quantity, money.format_unit_price(exact))
            for name, quantity, pico, exact in pricing.charge_lines(self.price_list, quantities)
        )
        return Receipt(lines, money.format_amount(total))


class BonusRow(Struct, frozen=True):
    """What a top-up gets beyond what is paid, from an amount on; `percent` as in "10%"."""

    from_nano: int
    percent: str


class PackageRow(Struct, frozen=True, kw_only=True):
    """Credit on offer. A top-up has `min_nano`, `max_nano`, `presets_nano`; the others a price and its credits.

    `models`: patterns of those it can be spent on, empty for all; `daily_nano`: how much of it may be used in a day, 0
    for all; `refund_days`: until when the payment can be asked back.
    """

    id: str
    kind: Literal["topup", "package", "subscription"]
    title: str
    price_nano: int = 0
    credits_nano: int = 0
    daily_nano: int = 0
    valid_days: int | None = None
    min_nano: int = 0
    max_nano: int = 0
    presets_nano: tuple[int, ...] = ()
    period: str = ""
    roll_over: bool = False
    roll_over_periods: int = 1
    bonus: tuple[BonusRow, ...] = ()
    refund_days: int | None = None
    models: tuple[str, ...] = ()


class StatusRow(Struct, frozen=True, kw_only=True):
    """One thing that works or does not, named as customers know it."""

    name: str
    state: Literal["operational", "degraded", "down", "unknown"]
    note: str = ""


class Links(Struct, frozen=True, kw_only=True):
    """Paths of pages that are not on every storefront; None leaves their links out."""

    login: str | None = None
    signup: str | None = None
    account: str | None = None


class Visitor(Struct, frozen=True, kw_only=True):
    """The customer who looks at the page. `delete_on`: when the account is to be deleted, if it is.

    `restricted`: why its calls are refused, None while they are not.
    """

    email: str
    name: str
    verified: bool
    delete_on: dt.date | None = None
    suspended: bool = False
    restricted: str | None = None


class Viewing(Struct, frozen=True, kw_only=True):
    """A member of the team looks at the portal as a customer sees it. `csrf`: what the form that ends it carries."""

    email: str
    customer_id: str
    until: dt.datetime
    csrf: str


class ErrorInfo(Struct, frozen=True, kw_only=True):
    """What an error page tells. `kind` picks its words."""

    status: int
    kind: Literal[
        "not_found",
        "method",
        "fault",
        "draft",
        "suspended",
        "archived",
        "forbidden",
        "invalid",
        "account_suspended",
        "limited",
        "stale_form",
        "not_permitted",
        "view_only",
    ]
    request_id: str = ""


class Page(Struct, frozen=True, kw_only=True):
    """One request's page. `origin` is that of the tenant's primary domain, never taken from the request.

    `view` is what this page alone shows: a Struct that its template knows. `visitor`: who is logged in; `csrf`: what
    each form on the page carries. `desk`: the frame of a page of the console. `viewing`: the page is shown to
    a member of the team as a customer sees it. `query`: what stands behind the path's question mark.
    """

    path: str
    origin: str
    base_url: str
    nonce: str
    now: dt.datetime
    brand: Brand
    lang: str = "en"
    models: tuple[ModelRow, ...] = ()
    packages: tuple[PackageRow, ...] = ()
    status: tuple[StatusRow, ...] = ()
    announcements: tuple[AnnouncementRow, ...] = ()
    links: Links = Links()
    error: ErrorInfo | None = None
    view: Any = None
    noindex: bool = False
    visitor: Visitor | None = None
    csrf: str = ""
    desk: Frame | None = None
    viewing: Viewing | None = None
    query: str = ""

    @property
    def canonical_url(self) -> str:
        """The page's one address."""
        return self.origin + self.path

    @property
    def news(self) -> AnnouncementRow | None:
        """What stands on every page: the latest announcement that is current."""
        return next((row for row in self.announcements if row.current), None)

    @property
    def languages(self) -> tuple[tuple[str, str], ...]:
        """The languages of the storefront's pages, each with its name in itself."""
        return tuple((code, locale.language_name(code)) for code in self.brand.languages)

    def in_language(self, code: str) -> str:
        """The link to this very page in another language: nothing else that it was asked for is lost."""
        try:
            asked = parse_qsl(self.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            asked = []
        return "?" + urlencode([*(pair for pair in asked if pair[0] != "lang"), ("lang", code)])

    @property
    def dir(self) -> Literal["ltr", "rtl"]:
        """The direction in which the language is written."""
        return locale.direction(self.lang)

    @property
    def sample(self) -> ModelRow | None:
        """The model that examples use: the first that takes and gives text."""
        return next((model for model in self.models if model.price_of("input") and model.price_of("output")), None)

    @property
    def sample_model(self) -> str:
        """The public model name in snippets."""
        return self.sample.name if self.sample else "MODEL"

    @property
    def lowest_input(self) -> PriceRow | None:
        """The lowest base price of input among the models on offer."""
        rows = [row for model in self.models if (row := model.price_of("input")) is not None]
        return min(rows, key=lambda row: row.pico) if rows else None

    @property
    def longest_context(self) -> int:
        """The longest context among the models on offer, in tokens."""
        return max((model.context for model in self.models), default=0)

    @property
    def overall(self) -> Literal["operational", "degraded", "down", "unknown"]:
        """All components taken together: down only when all are."""
        states = {row.state for row in self.status}
        if not states or states == {"unknown"}:
            return "unknown"
        if states <= {"operational", "unknown"}:
            return "operational"
        return "down" if states == {"down"} else "degraded"
