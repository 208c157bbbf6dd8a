"""Results as JSON documents, in the names and forms of the reference (docs/reference/cli.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..core.ledger import Lot, Wallet, left_today
from ..core.money import format_amount
from ..core.paging import Page
from ..core.times import format_time
from ..db.api_tokens import ApiToken
from ..db.audit_log import AuditRow
from ..db.credits import HistoryLine
from ..db.customers import Customer
from ..db.engine import now_us
from ..db.keys import OwnedKey
from ..db.ledger import Posted
from ..db.operator_payouts import NamedPayout
from ..db.vouchers import VoucherRow
from . import documents as doc
from .api_tokens import status_of as token_status
from .credits import CreditBalance
from .keys import KeyUse
from .tenant_supply import Supply
from .tenants import TenantDetail, TenantView
from .vouchers import VoucherState, status_of
from .wholesale import WholesaleBalance

Document = dict[str, Any]


def listing(name: str, page: Page[Any], items: Sequence[Mapping[str, Any]]) -> Document:
    """A page of a list."""
    return {name: items, "next_cursor": page.next_cursor}


def tenant(view: TenantView) -> Document:
    """A tenant in a list."""
    row = view.tenant
    return {
        "slug": row.slug,
        "name": row.name,
        "status": row.status,
        "suspended": row.suspended_at is not None,
        "suspend_reason": row.suspend_reason,
        "hosts": view.hosts,
        "theme": row.theme,
        "timezone": row.timezone,
        "created_at": format_time(row.created_at),
    }


def tenant_detail(detail: TenantDetail) -> Document:
    """A tenant on its own, with its domains and team."""
    return {
        **tenant(detail.view),
        "domains": [
            {"host": domain.host, "role": domain.role, "primary": domain.is_primary, "state": domain.state}
            for domain in detail.view.domains
        ],
        "members": [{"email": member.email, "role": member.role, "status": member.status} for member in detail.members],
        "offboarded_at": optional_time(detail.view.tenant.offboarded_at),
        "erase_at": optional_time(detail.view.tenant.erase_at),
        "erased_at": optional_time(detail.view.tenant.erased_at),
    }


def supply(found: Supply) -> Document:
    """What a tenant is supplied with."""
    return {
        "own_upstreams": found.own_upstreams,
        "groups": msgspec.to_builtins(found.groups),
        "models": [{"model": model, "upstreams": upstreams} for model, upstreams in found.models.items()],
    }


def customer(row: Customer, tenant_slug: str, link: str | None = None) -> doc.Customer:
    """A customer; `link` is known only when it was just created."""
    return {
        "id": row.id,
        "tenant": tenant_slug,
        "email": row.email,
        "name": row.name,
        "status": row.status,
        "suspend_reason": row.suspend_reason,
        "group": row.group_id,
        "verified_at": optional_time(row.verified_at),
        "created_at": format_time(row.created_at),
        "link": link,
    }


def key(owned: OwnedKey, secret: str | None = None, use: KeyUse | None = None) -> doc.Key:
    """An API key; `secret`, the key itself, is known only when it was just created."""
    row = owned.key
    shown: doc.Key = {
        "id": row.id,
        "prefix": row.prefix,
        "name": row.name,
        "customer": owned.email,
        "customer_id": row.customer_id,
        "status": "revoked" if row.revoked_at is not None else "active",
        "limit": None if row.limit_nano is None else format_amount(row.limit_nano),
        "reset": row.limit_reset,
        "spent": None if use is None else format_amount(use.spent),
        "reserved": None if use is None else format_amount(use.reserved),
        "resets_at": None if use is None else optional_time(use.resets_at),
        "models": list(row.models),
        "rpm": row.requests_per_minute,
        "tpm": row.tokens_per_minute,
        "concurrency": row.concurrent_requests,
        "allow_ips": list(row.allow_ips),
        "expires_at": optional_time(row.expires_at),
        "revoked_at": optional_time(row.revoked_at),
        "last_used_at": optional_time(row.last_used_at),
        "created_at": format_time(row.created_at),
    }
    return shown if secret is None else {**shown, "key": secret}


def token(row: ApiToken, now: int, secret: str | None = None) -> Document:
    """A token of the management API at `now` (µs); `secret`, the token itself, only when it was just made."""
    shown: Document = {
        "id": row.id,
        "prefix": row.prefix,
        "name": row.name,
        "scopes": list(row.scopes),
        "status": token_status(row, now),
        "made_by": row.made_by or None,
        "expires_at": optional_time(row.expires_at),
        "revoked_at": optional_time(row.revoked_at),
        "last_used_at": optional_time(row.last_used_at),
        "created_at": format_time(row.created_at),
    }
    return shown if secret is None else {**shown, "token": secret}


def posted(row: Posted) -> doc.Posted:
    """A movement of money."""
    return {"id": row.id, "amount": format_amount(row.amount), "balance": format_amount(row.balance)}


def voucher(row: VoucherRow, now: int, code: str | None = None) -> doc.Voucher:
    """A voucher as it is at `now` (µs); `code` is known only when it was just made."""
    shown: doc.Voucher = {
        "id": row.id,
        "batch": row.batch,
        "prefix": row.prefix,
        "amount": format_amount(row.amount_nano),
        "status": status_of(row, now),
        "redeemed": row.redeemed,
        "max_redemptions": row.max_redemptions,
        "valid_days": row.valid_days,
        "models": list(row.models),
        "expires_at": optional_time(row.expires_at),
        "revoked_at": optional_time(row.revoked_at),
        "created_at": format_time(row.created_at),
    }
    return shown if code is None else {**shown, "code": code}


def voucher_state(state: VoucherState, now: int) -> Document:
    """A voucher with who redeemed it."""
    redeemed = [
        {"customer": one.email, "lot": one.lot_id, "created_at": format_time(one.created_at)}
        for one in state.redemptions
    ]
    return {**voucher(state.row, now), "redemptions": redeemed}


def credit_balance(found: CreditBalance) -> doc.Balance:
    """A customer's credit."""
    return {**_wallet(found.wallet, found.available), "lots": [_lot(lot) for lot in found.lots]}


def wholesale_balance(found: WholesaleBalance) -> Document:
    """The reseller's account that calls draw on, and what of its revenue share may be paid out; it has no lots."""
    return {
        "settlement": found.terms.settlement,
        "currency": "USD",
        "balance": format_amount(found.wallet.balance),
        "held": format_amount(found.wallet.reserved),
        "available": format_amount(found.available),
        "debt": format_amount(found.wallet.debt),
        "overdraft": format_amount(found.overdraft),
        "matured": format_amount(max(0, found.share.matured)),
        "payable": format_amount(found.share.payable),
        "payouts_requested": format_amount(found.share.requested),
        "lots": [],
    }


def payout(named: NamedPayout) -> Document:
    """A payout of a revenue share."""
    row = named.payout
    return {
        "id": row.id,
        "tenant": named.tenant,
        "company": named.company,
        "amount": format_amount(row.amount_nano),
        "currency": "USD",
        "status": row.state,
        "transaction": row.txn_id,
        "reference": row.reference,
        "reject_reason": row.reject_reason,
        "requested_at": format_time(row.requested_at),
        "approved_at": optional_time(row.approved_at),
        "rejected_at": optional_time(row.rejected_at),
        "paid_at": optional_time(row.paid_at),
    }


def history_line(row: HistoryLine) -> doc.Movement:
    """One line of a wallet's history."""
    return {
        "id": row.id,
        "created_at": format_time(row.created_at),
        "code": row.code,
        "amount": format_amount(row.amount),
        "balance_after": None if row.balance_after is None else format_amount(row.balance_after),
        "ref": row.ref,
    }


def change(row: AuditRow) -> Document:
    """One line of the audit log."""
    return {
        "id": row.id,
        "created_at": format_time(row.created_at),
        "tenant": row.tenant,
        "actor": row.actor,
        "action": row.action,
        "kind": row.kind,
        "ref": row.ref,
        "before": row.before,
        "after": row.after,
    }


def short_time(at_us: int | None) -> str:
    """A time as tables show it, in UTC."""
    return "" if at_us is None else format_time(at_us)[:19].replace("T", " ")


def _wallet(row: Wallet, available: int) -> doc.Wallet:
    return {
        "currency": "USD",
        "balance": format_amount(row.balance),
        "held": format_amount(row.reserved),
        "available": format_amount(available),
        "debt": format_amount(row.debt),
    }


def _lot(row: Lot) -> doc.Lot:
    return {
        "id": row.id,
        "kind": row.kind,
        "amount": format_amount(row.amount),
        "remaining": format_amount(row.remaining),
        "reserved": format_amount(row.reserved),
        "expires_at": optional_time(row.expires_at),
        "models": list(row.models),
        "daily_allowance": None if row.daily is None else format_amount(row.daily),
        "left_today": None if row.daily is None else format_amount(_left_today(row)),
        "created_at": format_time(row.created_at),
    }


def _left_today(row: Lot) -> int:
    return min(left_today(row, now_us()), row.remaining - row.reserved)


def optional_time(at_us: int | None) -> str | None:
    """A moment that may not have come."""
    return None if at_us is None else format_time(at_us)
