"""Vouchers: made in batches, shown once, redeemed for credit. A code is kept as a keyed hash alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec import Struct

from ..core import voucher as codes
from ..core.errors import Conflict, InvalidRequest, LedgerFault, NotFound
from ..core.ids import is_public_id, new_id
from ..core.ledger import Redemption, unknown_code
from ..core.money import format_amount
from ..core.paging import Page, Window, after, page_of
from ..db import audit_log, operator, vouchers
from ..db.engine import NO_TENANT, Connection, Database, now_us
from ..db.ledger import LedgerWriter, Posted, RedeemVoucher, open_writer
from ..db.tenants import Tenant
from ..db.vouchers import BatchRow, RedemptionRow, VoucherRow
from ..vault import Vault, token_digest
from .credits import find_owner, positive
from .grants import check_models
from .tenants import require_tenant, scope_of

MAX_COUNT: Final = 5_000
MAX_REDEMPTIONS: Final = 1_000_000
MAX_VALID_DAYS: Final = 36_500
_LIST: Final = "vouchers"
_BATCHES: Final = "voucher batches"
_PURPOSE: Final = "voucher"


class VoucherTerms(Struct, frozen=True, kw_only=True):
    """What a voucher is worth and for whom.

    `valid_days` is how long its credit lasts once redeemed, `expires_at` until when it can be redeemed.
    """

    amount: int
    valid_days: int | None = None
    expires_at: int | None = None
    models: tuple[str, ...] = ()
    max_redemptions: int = 1


class NewVoucher(Struct, frozen=True):
    """A voucher just made; nobody can show its code again."""

    row: VoucherRow
    code: str


class VoucherState(Struct, frozen=True):
    """A voucher with who redeemed it."""

    row: VoucherRow
    redemptions: list[RedemptionRow]


async def create_vouchers(
    db: Database, vault: Vault, *, tenant_slug: str, terms: VoucherTerms, count: int, batch: str | None, actor: str
) -> list[NewVoucher]:
    """A batch of vouchers on the same terms. Raises Conflict for a batch that exists already."""
    _check(terms, count)
    name = new_id("vbt") if batch is None else batch
    now = now_us()
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        await vouchers.lock_batches(connection, tenant.id)
        if await vouchers.page(connection, tenant.id, name, 1, None):
            raise Conflict(f"There is a batch {name!r} already.", fix="Choose another name.")
        made = [NewVoucher(_row(tenant, terms, name, code, now), code) for code in _new_codes(count)]
        digests = [_digest(vault.pepper, tenant.id, new.code) for new in made]
        await vouchers.add(connection, tenant.id, [new.row for new in made], digests)
        facts = {**msgspec.to_builtins(terms), "amount": format_amount(terms.amount), "count": count}
        await audit_log.record(connection, tenant.id, actor, "voucher.create", "voucher", name, after=facts)
    return made


async def list_vouchers(db: Database, tenant_slug: str, batch: str | None, window: Window) -> Page[VoucherRow]:
    """A tenant's vouchers, or one batch's, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await vouchers.page(connection, tenant.id, batch, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def list_batches(db: Database, tenant_id: int, window: Window) -> Page[BatchRow]:
    """A tenant's batches, newest first."""
    key = after(window, _BATCHES, (str,))
    before = str(key[0]) if key else None
    async with db.read(tenant_id) as connection:
        rows = await vouchers.batches(connection, tenant_id, now_us(), window.limit + 1, before)
    return page_of(rows, window, _BATCHES, lambda row: (row.last_id,))


async def find_batch(db: Database, tenant_id: int, batch: str) -> BatchRow:
    """One of a tenant's batches. Raises NotFound."""
    async with db.read(tenant_id) as connection:
        rows = await vouchers.batches(connection, tenant_id, now_us(), 1, None, batch)
    if not rows:
        raise NotFound("There is no such batch of vouchers.")
    return rows[0]


async def export_vouchers(db: Database, tenant_slug: str, batch: str) -> list[VoucherState]:
    """Every voucher of a batch with who redeemed it, in the order in which they were made. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = [row async for row in _all(connection, tenant.id, batch)]
        redeemed = await vouchers.redemptions(connection, tenant.id, batch)
    if not rows:
        raise NotFound(
            f"There is no batch {batch[:80]!r} at tenant {tenant.slug}.",
            fix=f"See: reseller-kit voucher list --tenant {tenant.slug}",
        )
    by_voucher: defaultdict[str, list[RedemptionRow]] = defaultdict(list)
    for redemption in redeemed:
        by_voucher[redemption.voucher_id].append(redemption)
    return [VoucherState(row, by_voucher[row.id]) for row in reversed(rows)]


async def _all(connection: Connection, tenant_id: int, batch: str) -> AsyncIterator[VoucherRow]:
    before = None
    while rows := await vouchers.page(connection, tenant_id, batch, MAX_COUNT, before):
        for row in rows:
            yield row
        before = rows[-1].id


async def revoke_voucher(db: Database, voucher_id: str, tenant_slug: str | None, actor: str) -> VoucherRow:
    """Let a voucher be redeemed no longer; what it granted stays. Repeating is harmless."""
    async with db.write(scope_of(tenant_slug)) as connection:
        tenant, row = await _require_voucher(connection, voucher_id, tenant_slug)
        if row.revoked_at is not None:
            return row
        revoked = msgspec.structs.replace(row, revoked_at=now_us())
        await vouchers.revoke(connection, tenant.id, row.id, revoked.revoked_at or 0)
        facts = {"batch": row.batch, "redeemed": row.redeemed}
        await audit_log.record(connection, tenant.id, actor, "voucher.revoke", "voucher", row.id, before=facts)
    return revoked


async def revoke_batch(db: Database, tenant_id: int, batch: str, actor: str) -> int:
    """Let no voucher of a batch be redeemed any longer; how many could have been. What they granted stays."""
    async with db.write(tenant_id) as connection:
        revoked = await vouchers.revoke_batch(connection, tenant_id, batch, now_us())
        if revoked:
            facts = {"revoked": revoked}
            await audit_log.record(connection, tenant_id, actor, "voucher.revoke", "voucher", batch, after=facts)
    return revoked


async def redeem_voucher(
    db: Database, vault: Vault, *, tenant_slug: str, customer: str, code: str, actor: str
) -> Posted:
    """Redeem a code for a customer, on the operator's word."""
    owner = await find_owner(db, tenant_slug, customer)
    writer = open_writer(db)
    await writer.start()
    try:
        return await redeem_code(
            db,
            writer,
            vault,
            tenant_id=owner.tenant.id,
            customer_id=owner.customer.id,
            wallet_id=owner.customer.wallet_id,
            code=code,
            actor=actor,
        )
    finally:
        await writer.close()


async def redeem_code(
    db: Database,
    ledger: LedgerWriter,
    vault: Vault,
    *,
    tenant_id: int,
    customer_id: str,
    wallet_id: int,
    code: str,
    actor: str,
) -> Posted:
    """Redeem a code, however it was typed; its id is that of the new lot.

    Raises NotFound in the same words for a code that is mistyped, unknown, revoked, expired or another tenant's,
    and Conflict when it was redeemed by this customer or as often as it may be.
    """
    written = codes.canonical(code)
    if written is None:
        raise unknown_code()
    async with db.read(tenant_id) as connection:
        voucher_id = await vouchers.find_code(connection, tenant_id, _digest(vault.pepper, tenant_id, written))
    if voucher_id is None:
        raise unknown_code()
    request = Redemption(
        voucher_id=voucher_id,
        customer_id=customer_id,
        tenant_id=tenant_id,
        wallet_id=wallet_id,
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        at=now_us(),
    )
    outcome = await ledger.submit(RedeemVoucher(request))
    if not isinstance(outcome, Posted):
        raise LedgerFault("The ledger did not answer a redemption with what it posted.")
    facts = {"id": outcome.id, "amount": format_amount(outcome.amount), "voucher": voucher_id}
    async with db.write(tenant_id) as connection:
        await audit_log.record(connection, tenant_id, actor, "voucher.redeem", "customer", customer_id, after=facts)
    return outcome


def status_of(row: VoucherRow, now: int) -> str:
    """What a voucher is at `now`: active, used, expired or revoked."""
    if row.revoked_at is not None:
        return "revoked"
    if row.redeemed >= row.max_redemptions:
        return "used"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "active"


async def _require_voucher(
    connection: Connection, voucher_id: str, tenant_slug: str | None
) -> tuple[Tenant, VoucherRow]:
    unknown = NotFound(
        f"There is no voucher {voucher_id[:80]!r}.", fix="See: reseller-kit voucher list --tenant TENANT"
    )
    known = is_public_id(voucher_id, "vch")
    if tenant_slug is not None:
        tenant: Tenant | None = await require_tenant(connection, tenant_slug)
    else:
        tenant_id = await operator.tenant_of_voucher(connection, voucher_id) if known else None
        tenant = None if tenant_id is None else await operator.tenant_by_id(connection, tenant_id)
    row = await vouchers.find(connection, tenant.id, voucher_id) if known and tenant is not None else None
    if tenant is None or row is None:
        raise unknown
    return tenant, row


def _check(terms: VoucherTerms, count: int) -> None:
    positive(terms.amount)
    check_models(terms.models)
    for name, value, most in (
        ("count", count, MAX_COUNT),
        ("max-redemptions", terms.max_redemptions, MAX_REDEMPTIONS),
        ("valid-days", terms.valid_days, MAX_VALID_DAYS),
    ):
        if value is not None and not 1 <= value <= most:
            raise InvalidRequest(
                f"{value} is out of range.", param=name.replace("-", "_"), fix=f"Give --{name} from 1 to {most}."
            )
    if terms.expires_at is not None and terms.expires_at <= now_us():
        raise InvalidRequest("The voucher would be expired at once.", param="expires", fix="Give a time in the future.")


def _new_codes(count: int) -> list[str]:
    made: dict[str, None] = {}
    while len(made) < count:
        made[codes.generate()] = None
    return list(made)


def _row(tenant: Tenant, terms: VoucherTerms, batch: str, code: str, now: int) -> VoucherRow:
    return VoucherRow(
        id=new_id("vch"),
        tenant_id=tenant.id,
        batch=batch,
        prefix=codes.shown_part(code),
        amount_nano=terms.amount,
        models=terms.models,
        valid_days=terms.valid_days,
        expires_at=terms.expires_at,
        max_redemptions=terms.max_redemptions,
        redeemed=0,
        revoked_at=None,
        created_at=now,
    )


def _digest(pepper: bytes, tenant_id: int, code: str) -> bytes:
    """Bound to its tenant: a code has no meaning anywhere else."""
    return token_digest(pepper, f"{_PURPOSE}:{tenant_id}", code)
