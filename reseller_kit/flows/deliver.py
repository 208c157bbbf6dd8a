"""Sends the mails that wait in the outbox, each claimed by one process. Decides on no mail itself.

A mail leaves between two transactions: claimed in one, and marked as sent or failed in the next. A process that dies
in between leaves a claim that runs out; the repeated mail bears the same message id.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import logging
from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from ..core.errors import InvalidRequest
from ..core.ids import new_id
from ..core.tenant import PLATFORM_SLUG
from ..core.times import SECOND_US
from ..core.urls import public_url
from ..db import customers, operator, operator_outbox, outbox, secrets, tenants
from ..db.engine import EVERY_TENANT, Connection, Database, TenantScope, now_us
from ..db.operator_outbox import ClaimedMail
from ..db.tenants import Tenant
from ..mail import Letter, Mailbox, MailFailed, MailServer, Outlet, mailbox
from ..telemetry.redaction import redact
from ..theming import Brand, Library, Mail, render_mail
from ..theming.texts import DEFAULT_LANGUAGE
from ..vault import Vault
from .announce import unsubscribe_token
from .brand import brand_of, origin_of, storefront_host
from .identity import letters

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 1
_AT_ONCE: Final = 10
_FINISH_SECONDS: Final = 10

KINDS: Final[Mapping[str, Literal["customer", "member", "team", "operator"]]] = {
    "announcement": "customer",
    "case_answered": "customer",
    "case_opened": "team",
    "case_replied": "team",
    "order_rejected": "customer",
    "order_refunded": "customer",
    "order_requested": "customer",
    "order_to_approve": "team",
    "chargeback": "team",
    "chargeback_ended": "team",
    "chargeback_warning": "team",
    "payment_review": "team",
    "payments_unasked": "team",
    "price_change": "customer",
    "price_withdrawn": "customer",
    "receipt": "customer",
    "key_created": "customer",
    "account_suspended": "customer",
    "account_resumed": "customer",
    "abuse_reported": "team",
    "abuse_appealed": "team",
    "access_restricted": "customer",
    "access_restored": "customer",
    "appeal_upheld": "customer",
    "credit_low": "customer",
    "credit_expiring": "customer",
    "subscription_due": "customer",
    "subscription_renewed": "customer",
    "subscription_failed": "customer",
    "subscription_cancelled": "customer",
    "subscription_ended": "customer",
    "spend_alert": "customer",
    "wholesale_low": "team",
    "wholesale_topped_up": "team",
    "webhook_disabled": "team",
    "domain_failing": "team",
    "domain_detached": "team",
    "verify": "customer",
    "already_registered": "customer",
    "reset": "customer",
    "invite": "customer",
    "password_changed": "customer",
    "email_change": "customer",
    "email_changed": "customer",
    "new_login": "customer",
    "two_factor_changed": "customer",
    "account_deleted": "customer",
    "member_invite": "member",
    "member_reset": "member",
    "member_password": "member",
    "member_new_login": "member",
    "member_two_factor": "member",
    "own_key_parked": "team",
    "upstream_key_parked": "operator",
    "upstream_down": "operator",
    "topup_to_approve": "operator",
    "payments_unasked_at": "operator",
    "launch_review": "operator",
    "storefront_open": "team",
}
"""Kind of mail → who reads it. A customer's mail is the brand's alone, and so is a member's about its own log-in (the
operator's own people hear from the platform); others hear from the platform.

A kind needs `mail/<kind>.txt` and `.html` in `themes/base`, a subject (the text `mail.<kind>.subject`, or what its
`.txt` sets), and a sample in
`theming.sample`.
"""
_OF_THE_BRAND: Final = frozenset({"customer", "member"})


class Post(Struct, frozen=True):
    """What delivery needs beside the database: the themes, the platform's outlet, and the port of loopback URLs."""

    library: Library
    outlet: Outlet
    port: int


class _Sender(Struct, frozen=True, kw_only=True):
    """Who writes: the face, the address, and the way out."""

    brand: Brand
    theme: str
    origin: str
    address: Mailbox
    outlet: Outlet


async def keep(db: Database, vault: Vault, post: Post) -> None:
    """Deliver for ever. A fault is logged and tried again; at the end, mails under way are finished."""
    while True:
        try:
            while await _finished(asyncio.create_task(deliver(db, vault, post))):
                pass
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # a chore goes on whatever happens; the log says what did
            _log.exception("delivering mail failed; trying again")
        await asyncio.sleep(_PAUSE_SECONDS)


async def deliver(db: Database, vault: Vault, post: Post, now: int | None = None) -> int:
    """Claim and send what is due, a few mails at once; how many were tried. `now` in µs."""
    at = now_us() if now is None else now
    async with db.read(EVERY_TENANT) as connection:
        if not await operator_outbox.is_due(connection, at):
            return 0
    async with db.write(EVERY_TENANT) as connection:
        claimed = await operator_outbox.claim(connection, new_id("clm"), at, _AT_ONCE)
    await asyncio.gather(*(_deliver_one(db, vault, post, mail, at) for mail in claimed))
    return len(claimed)


async def _finished(work: asyncio.Task[int]) -> int:
    """The result of `work`, which a cancellation does not cut off: its mails would go out once more."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work}, timeout=_FINISH_SECONDS)
        work.cancel()
        raise


async def _deliver_one(db: Database, vault: Vault, post: Post, mail: ClaimedMail, at: int) -> None:
    error, park = "", False
    try:
        await _send(db, vault, post, mail)
    except MailFailed as failure:
        error, park = failure.reason, failure.permanent
    except InvalidRequest as refusal:
        error, park = refusal.message, True
    except Exception as fault:  # noqa: BLE001  # one bad mail must not hold up the others; the log says what it was
        _log.exception("%s can't be written", mail.id)
        error = f"{type(fault).__name__} while writing the mail."
    async with db.write(_scope(mail)) as connection:
        if not error:
            await outbox.complete(connection, mail.tenant_id, mail.id, mail.claim, at)
            return
        _log.warning("%s was not sent: %s", mail.id, redact(error))
        await outbox.fail(
            connection, mail.tenant_id, mail.id, mail.claim, error=redact(error), park=park, now=max(at, now_us())
        )


async def _send(db: Database, vault: Vault, post: Post, mail: ClaimedMail) -> None:
    async with db.read(_scope(mail)) as connection:
        sender = await _sender(connection, vault, post, mail)
        lang = await _language(connection, mail, sender.brand)
        about = await _about(connection, post, mail)
    opened = letters.opened(vault, mail.tenant_id, mail.payload)
    unsubscribe = _unsubscribe_url(vault, sender.origin, mail, opened)
    base = "" if sender.brand.slug == PLATFORM_SLUG else "/console"
    told = {**opened, "unsubscribe_url": unsubscribe, "base": base, "tenant_origin": about}
    content = Mail(brand=sender.brand, origin=sender.origin, content=told, lang=lang)
    written = render_mail(post.library, sender.theme, mail.kind, content)
    await sender.outlet.send(
        Letter(
            reference=mail.id,
            sender=sender.address,
            recipient=mail.recipient,
            reply_to=sender.brand.support_email,
            subject=written.subject,
            text=written.text,
            html=written.html,
            unsubscribe_url=unsubscribe,
            written_at=dt.datetime.fromtimestamp(mail.created_at // SECOND_US, dt.UTC),
        )
    )


async def _language(connection: Connection, mail: ClaimedMail, brand: Brand) -> str:
    """The language that the customer chose, while the brand offers it; else the brand's first."""
    if KINDS[mail.kind] == "customer" and mail.tenant_id is not None:
        customer = await customers.find(connection, mail.tenant_id, mail.recipient)
        if customer is not None and customer.locale in brand.languages:
            return customer.locale
    return DEFAULT_LANGUAGE if KINDS[mail.kind] == "member" else brand.languages[0]


async def _about(connection: Connection, post: Post, mail: ClaimedMail) -> str:
    """The origin of the storefront that a mail of the platform to its team is about; "" for every other mail."""
    if KINDS[mail.kind] != "team" or mail.tenant_id is None:
        return ""
    tenant = await operator.tenant_by_id(connection, mail.tenant_id)
    return "" if tenant is None else await origin_of(connection, tenant, post.port) or ""


async def _sender(connection: Connection, vault: Vault, post: Post, mail: ClaimedMail) -> _Sender:
    platform = await tenants.platform_settings(connection)
    if KINDS[mail.kind] not in _OF_THE_BRAND or mail.tenant_id is None:
        return _platform(platform, post)
    tenant = await operator.tenant_by_id(connection, mail.tenant_id)
    if tenant is not None and tenant.slug == PLATFORM_SLUG:
        return _platform(platform, post)
    host = None if tenant is None else await storefront_host(connection, tenant, platform)
    if tenant is None or host is None:
        raise MailFailed("The storefront has no host, so the mail has no sender.")
    given = tenant.settings.get("email", {})
    return _Sender(
        brand=brand_of(tenant.name, tenant.slug, tenant.settings),
        theme=tenant.theme,
        origin=public_url(host, platform.get("public_url"), post.port),
        address=mailbox(given["from"]) if given.get("from") else _no_reply(tenant.name, host),
        outlet=await _outlet(connection, vault, tenant, post),
    )


def _scope(mail: ClaimedMail) -> TenantScope:
    """The operator's own mails are no tenant's."""
    return EVERY_TENANT if mail.tenant_id is None else mail.tenant_id


def _unsubscribe_url(vault: Vault, origin: str, mail: ClaimedMail, content: Mapping[str, Any]) -> str:
    """Where the customer ends mails of this kind with one click; "" for mails that tell of a transaction."""
    customer_id = content.get("unsubscribe")
    if customer_id is None or mail.tenant_id is None:
        return ""
    kind = content.get("unsubscribe_kind")
    if kind is None:
        token = unsubscribe_token(vault, mail.tenant_id, customer_id)
        return f"{origin}/unsubscribe?customer={customer_id}&token={token}"
    token = unsubscribe_token(vault, mail.tenant_id, customer_id, kind)
    return f"{origin}/unsubscribe?customer={customer_id}&kind={kind}&token={token}"


def _platform(platform: Mapping[str, Any], post: Post) -> _Sender:
    hosts = platform.get("hosts", ())
    if not hosts:
        raise MailFailed("The platform has no host, so the mail has no sender.")
    name = str(platform["name"])
    return _Sender(
        brand=Brand(name=name, slug="platform"),
        theme="base",
        origin=public_url(hosts[0], platform.get("public_url"), post.port),
        address=_no_reply(name, hosts[0]),
        outlet=post.outlet,
    )


async def _outlet(connection: Connection, vault: Vault, tenant: Tenant, post: Post) -> Outlet:
    """The tenant's own mail server, else the platform's outlet. A server whose password is missing is not used."""
    smtp = tenant.settings.get("email", {}).get("smtp")
    if not smtp:
        return post.outlet
    password = None
    if smtp.get("user") is not None:
        name = f"tenant:{tenant.slug}:email.smtp.password"
        stored = next((found for found in await secrets.fetch(connection, name) if found.name == name), None)
        if stored is None or stored.key_id is None:
            raise MailFailed("The password of the tenant's mail server is not stored; run reseller-kit apply.")
        password = vault.open(name, stored.key_id, stored.ciphertext)
    return MailServer(host=smtp["host"], port=smtp.get("port", 587), user=smtp.get("user"), password=password)


def _no_reply(name: str, host: str) -> Mailbox:
    """An address at the storefront's own host; a host without a name is an address literal (RFC 5321)."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return Mailbox(name, f"no-reply@{host}")
    tag = "IPv6:" if literal.version == 6 else ""
    return Mailbox(name, f"no-reply@[{tag}{host}]")
