"""The tables of tenants.toml as typed values, field for key. Reads and checks nothing; see `reader` and `checks`.

The second part of each annotation is the key's line in the reference. Amounts are nano-USD, prices pico-USD per
unit, percentages parts per million; a key that was left out has its default here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Struct

from ..catalog import TOKEN_CLASSES, USAGE_CLASSES, Strategy
from ..domain import DEFAULT_ISSUERS
from ..price_catalogue import NO_CATALOGUE, CatalogueOn
from ..tenant import TenantStatus
from ..toml_lines import Path
from ..wholesale import DEFAULT_MATURITY_DAYS
from . import leaves
from .findings import Finding
from .leaves import (
    Amount,
    BaseUrl,
    Currency,
    Email,
    Fee,
    Flag,
    Glob,
    HeaderName,
    Host,
    IPv4,
    IPv6,
    Markup,
    ModelName,
    Name,
    PublicUrl,
    SecretRef,
    SettingName,
    Slug,
    Text,
    Timezone,
    TokenPrice,
    UnitPrice,
    UpstreamModel,
)
from .pacing import Count, CustomerLimits, KeyLimits, Limits, Queue, RouteTimeouts, Timeouts
from .shop_structs import (
    NOT_EMPTY,
    RESOURCES,
    Brand,
    Domain,
    Mail,
    Package,
    PaymentAccount,
    Payments,
    Retention,
    Signup,
    Table,
)

DEFAULT_NOTICE_DAYS: Final = 14
Dialect = Literal["openai", "anthropic", "gemini"]
Api = Literal[
    "chat",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "images",
    "speech",
    "transcriptions",
    "moderations",
    "rerank",
    "generate_content",
]


Tokens = Annotated[int, leaves.number("tokens", 1, 100_000_000)]


class Prices(Table, frozen=True, kw_only=True):
    """Prices by usage class, in pico-USD per unit; None where the class is not named."""

    input: Annotated[TokenPrice | None, "Prompt tokens that came from no cache."] = None
    cached_input: Annotated[TokenPrice | None, "Prompt tokens read from the provider's cache."] = None
    cache_write: Annotated[TokenPrice | None, "Prompt tokens written to a cache for five minutes."] = None
    cache_write_1h: Annotated[TokenPrice | None, "Prompt tokens written to a cache for an hour."] = None
    output: Annotated[TokenPrice | None, "Answer tokens, reasoning included."] = None
    input_audio: Annotated[TokenPrice | None, "Audio tokens in the prompt."] = None
    output_audio: Annotated[TokenPrice | None, "Audio tokens in the answer."] = None
    input_image: Annotated[TokenPrice | None, "Image tokens in the prompt."] = None
    output_image: Annotated[TokenPrice | None, "Image tokens in the answer."] = None
    seconds: Annotated[UnitPrice | None, "USD per second of audio."] = None
    characters: Annotated[UnitPrice | None, "USD per character of text."] = None
    images: Annotated[UnitPrice | None, "USD per image."] = None
    request: Annotated[UnitPrice | None, "USD per request."] = None
    tool_call: Annotated[UnitPrice | None, "USD per call of a tool that the provider runs."] = None


class CostTier(Prices, frozen=True, kw_only=True):
    """Prices for requests above a number of input tokens; classes not named keep the base price."""

    above_input: Annotated[Tokens, "Input tokens of all classes beyond which the tier applies."]


class Cost(Prices, frozen=True, kw_only=True):
    """What an upstream charges: USD per million tokens, or per unit."""

    tiers: Annotated[tuple[CostTier, ...], "Long-context prices."] = ()


class Ingress(Table, frozen=True, kw_only=True):
    """Where the domains of resellers have to point, as the console tells them."""

    cname: Annotated[Host | None, "Name that CNAME records lead to; left out: the tenant's fallback host."] = None
    a: Annotated[tuple[IPv4, ...], "IPv4 addresses for A records at an apex."] = ()
    aaaa: Annotated[tuple[IPv6, ...], "IPv6 addresses for AAAA records."] = ()
    issuers: Annotated[
        tuple[Host, ...], "CAA names of whom your certificates come from; left out: Let's Encrypt and ZeroSSL."
    ] = DEFAULT_ISSUERS


class TopUp(Table, frozen=True, kw_only=True):
    """How resellers top their accounts with the operator up."""

    min: Annotated[Amount, "Least amount."] = 10_000_000_000
    max: Annotated[Amount, "Most."] = 100_000_000_000_000


class Platform(Table, frozen=True, kw_only=True):
    """The operator's own identity and hosts; never visible on a storefront."""

    name: Annotated[Text, "The operator's name."]
    hosts: Annotated[tuple[Host, ...], "Hosts of the staff console, metrics and API schema."] = ()
    currency: Annotated[Currency, "The one currency of the ledger."] = "USD"
    storefront_suffix: Annotated[Host | None, "Each tenant also answers at <slug>.<suffix>."] = None
    ingress: Annotated[Ingress, "Where the domains of resellers have to point."] = Ingress()
    public_url: Annotated[PublicUrl | None, "Template of every absolute URL, with {host}."] = None
    private_upstreams: Annotated[
        Flag, "Let resellers' own upstreams lie at private addresses too, and payments at this machine's; for tests."
    ] = False
    review_launch: Annotated[
        Flag,
        "A reseller's team asks for its draft to be opened, and the operator opens it; left out: it opens it itself.",
    ] = False
    alert_emails: Annotated[
        tuple[Email, ...], "Who is told of what needs you: keys of upstreams that stop to work, drafts to be opened."
    ] = ()
    payments: Annotated[PaymentAccount, "How resellers pay the operator; storefronts may be paid through it."] = (
        PaymentAccount()
    )
    topup: Annotated[TopUp, "What resellers may pay at once onto their accounts."] = TopUp()


class Upstream(Table, frozen=True, kw_only=True):
    """A provider endpoint with its credentials."""

    dialect: Annotated[Dialect, "The API that it speaks."]
    base_url: Annotated[BaseUrl, "Where it is; with /v1 for openai, without for anthropic."]
    api_keys: Annotated[tuple[SecretRef, ...], NOT_EMPTY, "A pool of keys, as references."]
    provider: Annotated[Name | None, "The catalogue's provider id; default by the base URL's host."] = None
    api: Annotated[tuple[Api, ...] | None, "What it serves; left out: all of its dialect."] = None
    timeouts: Annotated[Timeouts, "How long to wait for it."] = Timeouts()
    max_concurrency: Annotated[Count | None, "Most requests under way at once, per process; default 1000."] = None
    requests_per_minute: Annotated[Count | None, "Most requests sent to it in a minute; left out: no limit."] = None
    tokens_per_minute: Annotated[Count | None, "Most tokens in a minute; left out: no limit."] = None
    queue: Annotated[Queue, "Who waits while all of max_concurrency is under way."] = Queue()
    key_limits: Annotated[KeyLimits, "What each of its keys may do; one at its limit is passed over."] = KeyLimits()
    headers: Annotated[dict[HeaderName, Text], "Headers to send with each request."] = {}
    plugin: Annotated[
        Name | None, "An installed plugin that asks it instead of the product's own client; it decides how."
    ] = None
    options: Annotated[dict[SettingName, Text], "What its plugin reads."] = {}
    end_user_ids: Annotated[
        Flag, "Tell it a pseudonym of each customer, by which `upstream whois` finds whom it reports."
    ] = False
    breaker: Annotated[Flag, "Stop asking a model here for a while when it keeps failing."] = True


class Route(Table, frozen=True, kw_only=True):
    """One way to serve a model."""

    upstream: Annotated[Name, "An upstream defined in this file."]
    model: Annotated[UpstreamModel, "The model's name there."]
    priority: Annotated[Annotated[int, leaves.number("priority", 0, 1000)], "Lower numbers are tried first."] = 0
    weight: Annotated[
        Annotated[int, leaves.number("weight", 0, 10_000)], "Share within one priority; 0: asked when the others fail."
    ] = 1
    cost: Annotated[Cost | None, "What this route charges; default: the model's, else the catalogue's."] = None
    timeouts: Annotated[RouteTimeouts | None, "Instead of its upstream's."] = None


class Model(Table, frozen=True, kw_only=True):
    """A public model name, how it is served and what it costs."""

    routes: Annotated[tuple[Route, ...], NOT_EMPTY, "Ways to serve it."]
    context: Annotated[Tokens | None, "Tokens of a request and its answer; default: the catalogue's."] = None
    max_output: Annotated[Tokens | None, "Most tokens of an answer; default: the catalogue's."] = None
    cost: Annotated[Cost | None, "What wholesale is derived from; left out: the dearest among the routes."] = None
    allow_loss: Annotated[Flag, "Let wholesale lie below cost."] = False
    strategy: Annotated[
        Strategy, "How a route is chosen: by priority, by weight alone, by cost, or by measured time to the first byte."
    ] = "priority"
    fallbacks: Annotated[
        tuple[ModelName, ...],
        "Public models that answer, in this order, when every route failed; see catalog.fallbacks.",
    ] = ()


class Wholesale(Table, frozen=True, kw_only=True):
    """Operator to reseller: cost × (1 + markup)."""

    markup: Annotated[Markup, "Percentage on cost."] = 0
    own_upstream_fee: Annotated[
        Fee, "Percentage of what a call over a reseller's own upstream costs the reseller there."
    ] = 0
    retail_floor: Annotated[
        Markup | None, "Least markup of retail on what resellers pay, whatever they allow themselves; left out: none."
    ] = None


class TenantWholesale(Table, frozen=True, kw_only=True):
    """This reseller's terms with the operator."""

    markup: Annotated[Markup | None, "Overrides [wholesale]."] = None
    own_upstream_fee: Annotated[Fee | None, "Overrides [wholesale]."] = None
    retail_floor: Annotated[Markup | None, "Overrides [wholesale]."] = None
    settlement: Annotated[Literal["prepaid", "revenue_share"], "Who collects the customers' money."] = "prepaid"
    overdraft: Annotated[Amount, "How far the reseller's balance may go below zero."] = 0
    maturity_days: Annotated[
        Annotated[int, leaves.number("days", 0, 365)], "revenue_share: days until what accrued may be paid out."
    ] = DEFAULT_MATURITY_DAYS
    notify_below: Annotated[tuple[Amount, ...], "Balances under which the owners are told, falling."] = ()


class Rule(Prices, frozen=True, kw_only=True):
    """A pricing rule: the first whose pattern fits the public model name wins. Prices here are retail."""

    match: Annotated[Glob, "Public model name, with * for any text."]
    markup: Annotated[Markup | None, "For the classes that the rule does not name."] = None
    allow_loss: Annotated[Flag, "Let retail lie below wholesale."] = False


class Pricing(Table, frozen=True, kw_only=True):
    """Reseller to customer: wholesale × (1 + markup)."""

    markup: Annotated[Markup, "Percentage on wholesale."] = 0
    allow_loss: Annotated[Flag, "Let retail lie below wholesale."] = False
    notice_days: Annotated[
        Annotated[int, leaves.number("days", 0, 365)], "Days before a scheduled price begins that customers are told."
    ] = DEFAULT_NOTICE_DAYS
    rules: Annotated[tuple[Rule, ...], "Exceptions, first match wins."] = ()


class Catalog(Table, frozen=True, kw_only=True):
    """Which models a tenant offers, and under which names."""

    allow: Annotated[tuple[Glob, ...], "Patterns of models offered."] = ("*",)
    deny: Annotated[tuple[Glob, ...], "Patterns of models held back."] = ()
    aliases: Annotated[dict[ModelName, ModelName], "Branded name = public model name."] = {}
    fallbacks: Annotated[
        tuple[Glob, ...], "Patterns of models that may be answered by their fallbacks; left out: none."
    ] = ()


class ModelRouting(Table, frozen=True, kw_only=True):
    """How a tenant's calls of one model are served, where that differs from the model's own table."""

    routes: Annotated[
        Annotated[tuple[Route, ...], NOT_EMPTY] | None, "Instead of the model's: all the operator's, or all its own."
    ] = None
    strategy: Annotated[Strategy | None, "Instead of the model's."] = None


class Routing(Table, frozen=True, kw_only=True):
    """Which upstreams serve a tenant's calls. Names of its own upstreams go before the operator's."""

    upstreams: Annotated[
        Annotated[tuple[Name, ...], NOT_EMPTY] | None, "Calls go over these alone; left out: over all."
    ] = None
    models: Annotated[dict[ModelName, ModelRouting], "Routes of single models."] = {}


class Group(Table, frozen=True, kw_only=True):
    """Customers who are served apart from the tenant's others."""

    id: Annotated[Name, "Its name in commands."]
    title: Annotated[Text | None, "What people read; left out: its id."] = None
    upstreams: Annotated[
        Annotated[tuple[Name, ...], NOT_EMPTY] | None, "Its calls go over these alone, of the tenant's; left out: all."
    ] = None
    strategy: Annotated[Strategy | None, "How its calls choose among routes, instead of what holds for others."] = None
    limits: Annotated[CustomerLimits | None, "Instead of the tenant's for each customer."] = None
    markup: Annotated[
        Markup | None, "Percentage on wholesale that it pays, instead of the tenant's and of rules' that name no price."
    ] = None
    allow_loss: Annotated[Flag, "Let its retail lie below wholesale."] = False


class Tenant(Table, frozen=True, kw_only=True):
    """One storefront."""

    slug: Annotated[Slug, "Its name in commands and the fallback host."]
    name: Annotated[Text, "The brand's name."]
    status: Annotated[TenantStatus, "draft and archived serve no calls."] = "active"
    theme: Annotated[Name, "An installed theme."] = "daylight"
    owners: Annotated[tuple[Email, ...], "Log-ins of the reseller, invited by mail."] = ()
    timezone: Annotated[Timezone, "For periods and dates on pages."] = "UTC"
    domains: Annotated[tuple[Domain, ...], RESOURCES, "Hosts that it answers at."] = ()
    brand: Annotated[Brand, "How it looks."] = Brand()
    signup: Annotated[Signup, "Who may become a customer."] = Signup()
    wholesale: Annotated[TenantWholesale, "Terms with the operator."] = TenantWholesale()
    pricing: Annotated[Pricing, "Retail prices."] = Pricing()
    catalog: Annotated[Catalog, "Models offered."] = Catalog()
    routing: Annotated[Routing, "Which upstreams serve its calls."] = Routing()
    upstreams: Annotated[
        dict[Name, Upstream], "The reseller's own provider endpoints, which it pays itself, by name."
    ] = {}
    groups: Annotated[tuple[Group, ...], "Customers who are served apart."] = ()
    packages: Annotated[tuple[Package, ...], RESOURCES, "What customers can buy."] = ()
    package_order: Annotated[
        tuple[Name, ...], "Packages by id in the order of pages; others follow as they were first published."
    ] = ()
    payments: Annotated[Payments, "How customers pay."] = Payments()
    email: Annotated[Mail, "How mails leave."] = Mail()
    limits: Annotated[Limits, "Limits of its customers and its own."] = Limits()
    retention: Annotated[Retention, "How long content is kept."] = Retention()


class Document(Table, frozen=True, kw_only=True):
    """The whole file."""

    schema: Annotated[Annotated[int, leaves.number("schema", 1, 1)], "Version of this format."]
    platform: Annotated[Platform, "The operator."]
    upstreams: Annotated[dict[Name, Upstream], "Provider endpoints by name."] = {}
    models: Annotated[dict[ModelName, Model], "Public models by name."] = {}
    wholesale: Annotated[Wholesale, "Operator to reseller."] = Wholesale()
    tenants: Annotated[tuple[Tenant, ...], RESOURCES, "Storefronts."] = ()


class Manifest(Struct, frozen=True, kw_only=True):
    """A valid tenants.toml: its typed content, and `stated`: the keys it states, in canonical JSON spelling.

    `stated` tells a default from a value that the file claims, which the three-way merge needs. `lines` tells where
    each path stands, for what is found out later. `catalogue`: what costs and limits were taken from that the file
    leaves out.
    """

    document: Document
    stated: dict[str, Any]
    file: str
    lines: dict[Path, int]
    warnings: tuple[Finding, ...] = ()
    catalogue: CatalogueOn = NO_CATALOGUE


def class_prices(table: Prices) -> dict[str, int]:
    """The usage classes that the table names, in their fixed order."""
    named = {name: getattr(table, name) for name in USAGE_CLASSES}
    return {name: price for name, price in named.items() if price is not None}


def is_token_class(usage_class: str) -> bool:
    """Whether the class is priced per million tokens, not per unit."""
    return usage_class in TOKEN_CLASSES
