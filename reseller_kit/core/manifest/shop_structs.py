"""The tables of tenants.toml that say what a storefront is and sells, field for key; `structs` has all others."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Struct, field

from ..storefront import DEFAULT_RESPONSES_DAYS
from ..tenant import DomainRole
from . import leaves
from .leaves import (
    Amount,
    BaseUrl,
    Day,
    Email,
    Flag,
    Glob,
    Host,
    HttpsUrl,
    ImageId,
    KeyPrefix,
    Link,
    Locale,
    Markdown,
    Markup,
    Name,
    PaddleEnvironment,
    PaymentProvider,
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


class BrandImages(Table, frozen=True, kw_only=True):
    """Pictures that were uploaded in the console, by id."""

    logo_light: Annotated[ImageId | None, "Logo on light grounds, and on dark ones where there is no other."] = None
    logo_dark: Annotated[ImageId | None, "Logo on dark grounds."] = None
    logo_mail: Annotated[ImageId | None, "Logo in mails; left out: logo_light."] = None
    favicon: Annotated[ImageId | None, "Square icon; left out: made from the logo."] = None
    social: Annotated[ImageId | None, "Picture that links show elsewhere; left out: made from name and logo."] = None


class BrandLink(Table, frozen=True, kw_only=True):
    """A link of the brand's own."""

    to: Annotated[Link, "A path of the storefront, or an https URL."]
    title: Annotated[Text | None, "What the link says; pages of the storefront have names of their own."] = None


class BrandSocial(Table, frozen=True, kw_only=True):
    """Where the brand is elsewhere; shown in the foot of each page."""

    github: Annotated[HttpsUrl | None, "GitHub."] = None
    discord: Annotated[HttpsUrl | None, "Discord."] = None
    x: Annotated[HttpsUrl | None, "X."] = None
    linkedin: Annotated[HttpsUrl | None, "LinkedIn."] = None
    youtube: Annotated[HttpsUrl | None, "YouTube."] = None
    mastodon: Annotated[HttpsUrl | None, "Mastodon."] = None
    bluesky: Annotated[HttpsUrl | None, "Bluesky."] = None
    instagram: Annotated[HttpsUrl | None, "Instagram."] = None
    telegram: Annotated[HttpsUrl | None, "Telegram."] = None


class Brand(Table, frozen=True, kw_only=True):
    """What customers see of a tenant beside its name and theme."""

    tokens: Annotated[
        dict[TokenName, TokenValue], "Overrides of the theme's tokens; a string sets light, dark is derived."
    ] = {}
    settings: Annotated[dict[SettingName, SettingValue], "Overrides of the theme's settings."] = {}
    texts: Annotated[dict[TokenName, Markdown], "Texts of the brand's own instead of the theme's."] = {}
    translations: Annotated[
        dict[Locale, dict[TokenName, Markdown]], "Texts of the brand, and `tagline`, in further languages."
    ] = {}
    menu: Annotated[tuple[BrandLink, ...], "Links in the head of each page; left out: the theme's."] = ()
    footer: Annotated[tuple[BrandLink, ...], "Links in the foot beside the theme's."] = ()
    social: Annotated[BrandSocial, "Pages of the brand elsewhere."] = BrandSocial()
    images: Annotated[BrandImages, "Pictures that were uploaded in the console."] = BrandImages()
    logo: Annotated[
        Text | None, "Path of a PNG, JPEG or WebP file, relative to this file; becomes images.logo_light."
    ] = None
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


class BonusTier(Table, frozen=True, kw_only=True):
    """What a top-up credits beyond what is paid, from an amount on; the tier with the largest amount counts."""

    from_: Annotated[Amount, "Least amount that it is for."] = field(name="from")
    percent: Annotated[Markup, "Of the amount paid, cut to whole cents."]


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
    daily_allowance: Annotated[
        Amount | None, "package, subscription: how much of the credit may be used in a day (UTC); left out: all."
    ] = None
    min: Annotated[Amount | None, "topup: least amount."] = None
    max: Annotated[Amount | None, "topup: most."] = None
    presets: Annotated[tuple[Amount, ...], "topup: amounts to choose from."] = ()
    bonus: Annotated[tuple[BonusTier, ...], "topup: what large amounts get beyond what is paid."] = ()
    period: Annotated[Literal["week", "month", "year"] | None, "subscription: how often it renews."] = None
    roll_over: Annotated[Flag, "subscription: unused credit stays for further periods."] = False
    roll_over_periods: Annotated[
        Annotated[int, leaves.number("periods", 1, 24)] | None,
        "With roll_over: for how many; left out: one.",
    ] = None
    refund_days: Annotated[
        Annotated[int, leaves.number("days", 0, 365)] | None,
        "Days from the payment on in which customers may ask for it back; left out: as the refund rules say.",
    ] = None


class PaymentAccount(Table, frozen=True, kw_only=True):
    """How somebody is paid."""

    provider: Annotated[
        PaymentProvider, "manual: an owner approves orders; paddle; or the name of an installed plugin."
    ] = "manual"
    instructions: Annotated[Markdown | None, "manual: how customers pay, on the page of each order."] = None
    api_key: Annotated[SecretRef | None, "paddle, plugins: reference to the API key."] = None
    webhook_secret: Annotated[SecretRef | None, "paddle, plugins: reference to the webhook secret."] = None
    environment: Annotated[PaddleEnvironment, "paddle, plugins: sandbox, live or a loopback URL."] = "sandbox"
    options: Annotated[dict[SettingName, Text], "plugins: what the plugin reads."] = {}
    checkout: Annotated[Literal["hosted", "overlay"], "paddle: where the customer pays."] = "hosted"
    checkout_url: Annotated[
        BaseUrl | None, "paddle: page of an approved domain that opens checkouts; left out: the account's default."
    ] = None
    client_token: Annotated[
        Text | None, "paddle: the client-side token, which is public; needed by overlay and by the page /pay."
    ] = None
    tax_category: Annotated[Name, "paddle: what is sold, for taxes; the account must be approved for it."] = "standard"


class Payments(PaymentAccount, frozen=True, kw_only=True):
    """How customers pay."""

    account: Annotated[
        Literal["own", "platform"], "paddle: the tenant's own account, or the operator's of [platform.payments]."
    ] = "own"


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
