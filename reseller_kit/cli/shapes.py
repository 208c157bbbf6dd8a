"""Results as JSON documents, in the names and forms of the reference (docs/reference/cli.md). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..core.catalog import USAGE_CLASSES
from ..core.ledger import Lot, Wallet
from ..core.money import format_amount
from ..core.paging import Page
from ..core.times import format_time
from ..db.audit_log import AuditRow
from ..db.credits import HistoryLine
from ..db.customers import Customer
from ..db.keys import OwnedKey
from ..db.ledger import Posted
from ..db.margins import Margin
from ..db.operator_payouts import NamedPayout
from ..db.rollups import Sums
from ..db.usage import UsageRecord
from ..db.vouchers import VoucherRow
from ..flows.credits import CreditBalance
from ..flows.keys import KeyUse
from ..flows.tenant_supply import Supply
from ..flows.tenants import TenantDetail, TenantView
from ..flows.usage_summary import Summary
from ..flows.vouchers import VoucherState, status_of
from ..flows.wholesale import WholesaleBalance

Document = dict[str, Any]


def listing(name: str, page: Page[Any], items: list[Document]) -> Document:
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
    }


def supply(found: Supply) -> Document:
    """What a tenant is supplied with."""
    return {
        "own_upstreams": found.own_upstreams,
        "groups": msgspec.to_builtins(found.groups),
        "models": [{"model": model, "upstreams": upstreams} for model, upstreams in found.models.items()],
    }


def customer(row: Customer, tenant_slug: str, link: str | None = None) -> Document:
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


def key(owned: OwnedKey, secret: str | None = None, use: KeyUse | None = None) -> Document:
    """An API key; `secret`, the key itself, is known only when it was just created."""
    row = owned.key
    shown: Document = {
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


def posted(row: Posted) -> Document:
    """A movement of money."""
    return {"id": row.id, "amount": format_amount(row.amount), "balance": format_amount(row.balance)}


def voucher(row: VoucherRow, now: int, code: str | None = None) -> Document:
    """A voucher as it is at `now` (µs); `code` is known only when it was just made."""
    shown: Document = {
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


def credit_balance(found: CreditBalance) -> Document:
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


def margin(row: Margin) -> Document:
    """What one model earned on one day."""
    return {"day": format_time(row.day_at)[:10], "model": row.model, **_earned([row])}


def margins(tenant_slug: str, rows: Sequence[Margin]) -> Document:
    """Margins by day and model, and their sum."""
    return {"tenant": tenant_slug, "currency": "USD", "margins": [margin(row) for row in rows], "total": _earned(rows)}


def _earned(rows: Sequence[Margin]) -> Document:
    return {
        "calls": sum(row.calls for row in rows),
        "retail": format_amount(sum(row.retail for row in rows)),
        "wholesale": format_amount(sum(row.wholesale for row in rows)),
        "cost": format_amount(sum(row.cost for row in rows)),
        "reseller_margin": format_amount(sum(row.reseller for row in rows)),
        "operator_margin": format_amount(sum(row.operator for row in rows)),
    }


def history_line(row: HistoryLine) -> Document:
    """One line of a wallet's history."""
    return {
        "id": row.id,
        "created_at": format_time(row.created_at),
        "code": row.code,
        "amount": format_amount(row.amount),
        "balance_after": None if row.balance_after is None else format_amount(row.balance_after),
        "ref": row.ref,
    }


def usage(row: UsageRecord) -> Document:
    """One call as the operator sees it."""
    used = row.quantities
    return {
        "id": row.id,
        "created_at": format_time(row.created_at),
        "tenant": row.tenant,
        "customer": row.customer,
        "customer_id": row.customer_id,
        "key": row.key_id,
        "key_prefix": row.key_prefix,
        "model": row.model,
        "public_model": row.public_model,
        "upstream": row.upstream,
        "upstream_model": row.upstream_model,
        "dialect": row.dialect,
        "stream": row.stream,
        "status": row.status,
        "http_status": row.http_status,
        "input_tokens": used.get("input", 0),
        "cached_input_tokens": used.get("cached_input", 0),
        "cache_write_tokens": used.get("cache_write", 0),
        "cache_write_1h_tokens": used.get("cache_write_1h", 0),
        "output_tokens": used.get("output", 0),
        "reasoning_tokens": row.reasoning_tokens,
        "quantities": used,
        "usage_source": row.usage_source,
        "usage_capped": row.usage_capped,
        "retail": format_amount(row.retail_nano),
        "wholesale": format_amount(row.wholesale_nano),
        "cost": format_amount(row.cost_nano),
        "attempts": row.attempts,
        "latency_ms": row.latency_ms,
        "first_byte_ms": row.first_byte_ms,
    }


def summary(found: Summary) -> Document:
    """Totals by day, model or key."""
    return {
        "tenant": found.tenant,
        "customer": found.customer,
        "timezone": found.timezone,
        "since": format_time(found.since),
        "by": found.by,
        "rows": [{found.by: name, **_sums(sums)} for name, sums in found.rows],
        "total": _sums(found.total),
    }


def tokens_read(sums: Sums) -> int:
    """Input tokens of every class."""
    written = sums.cache_write + sums.cache_write_1h
    return sums.input + sums.cached_input + written + sums.input_audio + sums.input_image


def amounts(sums: Sums) -> tuple[int, int, int]:
    """Retail, wholesale and cost in nano-USD."""
    return sums.retail_nano, sums.wholesale_nano, sums.cost_nano


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


def _sums(sums: Sums) -> Document:
    quantities = {name: getattr(sums, name) for name in USAGE_CLASSES if getattr(sums, name)}
    retail, wholesale, cost = map(format_amount, amounts(sums))
    return {
        "calls": sums.calls,
        "input_tokens": sums.input,
        "cached_input_tokens": sums.cached_input,
        "cache_write_tokens": sums.cache_write,
        "cache_write_1h_tokens": sums.cache_write_1h,
        "output_tokens": sums.output,
        "quantities": quantities,
        "retail": retail,
        "wholesale": wholesale,
        "cost": cost,
    }


def _wallet(row: Wallet, available: int) -> Document:
    return {
        "currency": "USD",
        "balance": format_amount(row.balance),
        "held": format_amount(row.reserved),
        "available": format_amount(available),
        "debt": format_amount(row.debt),
    }


def _lot(row: Lot) -> Document:
    return {
        "id": row.id,
        "kind": row.kind,
        "amount": format_amount(row.amount),
        "remaining": format_amount(row.remaining),
        "reserved": format_amount(row.reserved),
        "expires_at": optional_time(row.expires_at),
        "models": list(row.models),
        "created_at": format_time(row.created_at),
    }


def optional_time(at_us: int | None) -> str | None:
    """A moment that may not have come."""
    return None if at_us is None else format_time(at_us)
