"""The tables of tenants.toml that say what a storefront is and sells, field for key; `structs` has all others."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Struct, field

from ..storefront import DEFAULT_RESPONSES_DAYS
from ..tenant import DomainRole
from . import leaves
from .leaves import (
    Amount,
    Day,
    Email,
    Flag,
    Glob,
    Host,
    KeyPrefix,
    Locale,
    Markdown,
    Name,
    PaddleEnvironment,
    SecretRef,
    Sender,
    SettingName,
    SettingValue,
    Text,
    TokenName,
    TokenValue,
)

NOT_EMPTY: Final = "not empty"
"""Marks an array that must hold at least one item."""
RESOURCES: Final = "resources"
"""Marks an array whose items are resources of their own, each with the keys that it states."""


class Table(Struct, frozen=True, kw_only=True):
    """A table of the file: every key that it may hold is a field."""


class Domain(Table, frozen=True, kw_only=True):
    """A host of a tenant; asserted by the operator, so it counts as verified."""

    host: Annotated[Host, "Host name or IP literal, without port."]
    role: Annotated[DomainRole, "storefront: pages and API; api: API only; alias: redirects to the primary host."] = (
        "storefront"
    )
    primary: Annotated[Flag, "The host of absolute URLs; default: the first storefront."] = False


class Legal(Table, frozen=True, kw_only=True):
    """Who stands behind the brand, as legal pages and receipts name it."""

    company: Annotated[Text | None, "Registered name."] = None
    country: Annotated[Text | None, "Country of its seat; its law applies."] = None
    address: Annotated[Text | None, "Postal address."] = None
    registration: Annotated[Text | None, "Register and number."] = None
    vat_id: Annotated[Text | None, "VAT number."] = None
    updated: Annotated[Day | None, "Day of the last change of the legal texts."] = None


class Brand(Table, frozen=True, kw_only=True):
    """What customers see of a tenant beside its name and theme."""

    tokens: Annotated[
        dict[TokenName, TokenValue], "Overrides of the theme's tokens; a string sets light, dark is derived."
    ] = {}
    settings: Annotated[dict[SettingName, SettingValue], "Overrides of the theme's settings."] = {}
    texts: Annotated[dict[TokenName, Markdown], "Texts of the brand's own instead of the theme's."] = {}
    logo: Annotated[Text | None, "Path of a PNG, JPEG or WebP file, relative to this file."] = None
    tagline: Annotated[Text | None, "One sentence under the name."] = None
    support_email: Annotated[Email | None, "Where customers write to."] = None
    key_prefix: Annotated[KeyPrefix, "What API keys begin with."] = "sk"
    locales: Annotated[tuple[Locale, ...], NOT_EMPTY, "Languages of the pages, the default first."] = ("en",)
    legal: Annotated[Legal, "For legal pages and receipts."] = Legal()


class Signup(Table, frozen=True, kw_only=True):
    """Who may become a customer."""

    mode: Annotated[Literal["open", "invite", "closed"], "Who may sign up."] = "open"
    domains: Annotated[tuple[Host, ...], "Only addresses at these domains; left out: any."] = ()
    trial_credit: Annotated[Amount, "Granted once to each verified customer."] = 0


class Package(Table, frozen=True, kw_only=True):
    """Something a customer can buy."""

    id: Annotated[Name, "Name in URLs and reports."]
    title: Annotated[Text, "What the customer reads."]
    kind: Annotated[Literal["topup", "package", "subscription"], "A free amount, a fixed offer or a renewing one."] = (
        "package"
    )
    price: Annotated[Amount | None, "What the customer pays."] = None
    credits: Annotated[Amount | None, "What is credited."] = None
    valid_days: Annotated[
        Annotated[int, leaves.number("days", 1, 36_500)] | None, "Days until the credit expires; left out: never."
    ] = None
    models: Annotated[tuple[Glob, ...], "Patterns of models that the credit can be spent on; left out: all."] = ()
    min: Annotated[Amount | None, "topup: least amount."] = None
    max: Annotated[Amount | None, "topup: most."] = None
    presets: Annotated[tuple[Amount, ...], "topup: amounts to choose from."] = ()
    period: Annotated[Literal["week", "month", "year"] | None, "subscription: how often it renews."] = None
    roll_over: Annotated[Flag, "subscription: unused credit stays."] = False


class Payments(Table, frozen=True, kw_only=True):
    """How customers pay."""

    provider: Annotated[Literal["manual", "paddle"], "manual: an owner approves orders."] = "manual"
    instructions: Annotated[Markdown | None, "manual: how customers pay, on the page of each order."] = None
    api_key: Annotated[SecretRef | None, "paddle: reference to the API key."] = None
    webhook_secret: Annotated[SecretRef | None, "paddle: reference to the webhook secret."] = None
    environment: Annotated[PaddleEnvironment, "paddle: sandbox, live or a loopback URL."] = "sandbox"
    checkout: Annotated[Literal["hosted", "overlay"], "paddle: where the customer pays."] = "hosted"


class Smtp(Table, frozen=True, kw_only=True):
    """A mail server."""

    host: Annotated[Host, "Its host."]
    port: Annotated[Annotated[int, leaves.number("port", 1, 65_535)], "Its port."] = 587
    user: Annotated[Text | None, "Log-in name."] = None
    password: Annotated[SecretRef | None, "Reference to the password."] = None


class Mail(Table, frozen=True, kw_only=True):
    """How this tenant's mails leave."""

    from_: Annotated[Sender | None, "Sender of every mail."] = field(name="from", default=None)
    smtp: Annotated[Smtp | None, "Own mail server; left out: the platform's."] = None


class Retention(Table, frozen=True, kw_only=True):
    """How long what customers sent and got is kept; usage records hold none of it."""

    responses_days: Annotated[
        Annotated[int, leaves.number("days", 0, 365)],
        "Days that /v1/responses can be gone on from by their id; 0: none is kept.",
    ] = DEFAULT_RESPONSES_DAYS
