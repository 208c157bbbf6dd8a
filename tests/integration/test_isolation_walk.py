"""Every query of tenant data, asked in one tenant's name for what is another's: as if it did not exist.

That each query takes its tenant is test_tenant_scoping.py's; here they run. A new query belongs into READS or WRITES,
here or in a `*_walk.py` of tests/support, each of which is one domain.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec import Struct, structs
from sqlalchemy.exc import IntegrityError, NoResultFound

import reseller_kit.db
from reseller_kit.core.days import QUARTER_US
from reseller_kit.core.errors import KitError
from reseller_kit.core.ids import made_at, new_id
from reseller_kit.core.ledger import Grant, Redemption, RefundRequest
from reseller_kit.core.manifest.schedule import ScheduledChange
from reseller_kit.db import (
    accounts,
    audit_log,
    authentication,
    calls,
    credits,  # noqa: A004  # the concept has this name
    customers,
    keys,
    lots,
    margins,
    notices,
    onboarding,
    outbox,
    packages,
    payouts,
    price_notices,
    price_versions,
    prices,
    provisioning,
    responses,
    rollups,
    scheduled_prices,
    spend_alerts,
    tenant_routes,
    tenants,
    usage,
    usage_totals,
    vouchers,
)
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Connection, Database, now_us
from reseller_kit.db.ledger import GrantCredit, HoldRefund, Idempotency, RedeemVoucher
from reseller_kit.db.rollups import SumFilter
from reseller_kit.db.spend_alerts import SpendAlert
from reseller_kit.db.usage import UsageFilter
from reseller_kit.db.usage_totals import Narrowed
from reseller_kit.db.vouchers import VoucherRow
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import key_digest
from tests.support import factories as make
from tests.support.rows import all_rows

SUPPORT = Path(make.__file__).parent
NAMES = sorted((file.stem for file in SUPPORT.glob("*_walk.py")), key=lambda name: (name != "shop_walk", name))
WALKS = [importlib.import_module(f"tests.support.{name}") for name in NAMES]
"""Of each domain its READS and WRITES, and `fill`, which gives a tenant one of everything; the shop's come first."""
NOBODY = 999_999
FAR = 1 << 62


class Things(Struct, frozen=True):
    """What may be asked for by name or number."""

    customer: Customer
    key_id: str
    digest: bytes
    wallet: int
    usage: str
    prices: tuple[str, ...]
    operation: str
    host: str
    package: str
    member: str
    mail: str
    change: ScheduledChange
    lot: str
    refund: str
    voucher: VoucherRow
    payout: str
    response: responses.StoredResponse
    alert: SpendAlert


Read = Callable[[Connection, int, Things], Awaitable[Any]]

READS: dict[str, Read] = {
    "accounts.customer_wallet": lambda c, tenant, x: accounts.customer_wallet(c, tenant, x.customer.id),
    "accounts.drawn_on": lambda c, tenant, _: accounts.drawn_on(c, tenant, "prepaid"),
    "accounts.reseller_accrual": lambda c, tenant, _: accounts.reseller_accrual(c, tenant),
    "accounts.reseller_wallet": lambda c, tenant, _: accounts.reseller_wallet(c, tenant),
    "audit_log.names": lambda c, tenant, _: audit_log.names(c, tenant),
    "audit_log.search": lambda c, tenant, _: audit_log.search(c, tenant, audit_log.AuditFilter(), 100),
    "audit_log.page": lambda c, tenant, _: audit_log.page(c, tenant, 100, None),
    "authentication.find_key": lambda c, tenant, x: authentication.find_key(c, tenant, x.digest),
    "calls.find_call": lambda c, tenant, x: calls.find_call(c, tenant, x.usage),
    "credits.history": lambda c, tenant, x: credits.history(c, tenant, x.wallet, 100, None),
    "credits.wallet_with_lots": lambda c, tenant, x: credits.wallet_with_lots(c, tenant, x.wallet),
    "credits.was_done": lambda c, tenant, x: credits.was_done(c, tenant, "grant", x.operation),
    "customers.find": lambda c, tenant, x: customers.find(c, tenant, x.customer.id),
    "customers.groups": lambda c, tenant, _: customers.groups(c, tenant),
    "customers.members": lambda c, tenant, _: customers.members(c, tenant, ["pro"]),
    "customers.page": lambda c, tenant, _: customers.page(c, tenant, 100, None),
    "keys.find": lambda c, tenant, x: keys.find(c, tenant, x.key_id),
    "keys.page": lambda c, tenant, x: keys.page(c, tenant, x.customer.id, 100, None),
    "keys.count_working": lambda c, tenant, x: keys.count_working(c, tenant, x.customer.id, 5),
    "keys.names": lambda c, tenant, x: keys.names(c, tenant, x.customer.id),
    "onboarding.milestones": lambda c, tenant, x: onboarding.milestones(c, tenant, x.customer.id),
    "outbox.page": lambda c, tenant, _: outbox.page(c, tenant, 100, None),
    "outbox.parked": lambda c, tenant, _: outbox.parked(c, tenant, 0),
    "price_notices.changes_at": lambda c, tenant, x: price_notices.changes_at(c, tenant, x.change.effective_from),
    "price_notices.told": lambda c, tenant, x: price_notices.told(c, tenant, x.change.effective_from),
    "price_notices.users": lambda c, tenant, _: price_notices.users(c, tenant, ["gpt-5-mini"], 0),
    "keys.uses": lambda c, tenant, x: keys.uses(c, tenant, {x.key_id: 0}),
    "lots.find_lot": lambda c, tenant, x: lots.find_lot(c, tenant, x.lot),
    "lots.lot_of_refund": lambda c, tenant, x: lots.lot_of_refund(c, tenant, x.refund),
    "packages.offered": lambda c, tenant, x: packages.offered(c, tenant, x.package),
    "packages.offered_codes": lambda c, tenant, _: packages.offered_codes(c, tenant),
    "margins.by_day": lambda c, tenant, _: margins.by_day(c, tenant, None),
    "margins.losses": lambda c, tenant, _: margins.losses(c, tenant, 0),
    "notices.open_thresholds": lambda c, tenant, _: notices.open_thresholds(c, tenant),
    "payouts.find": lambda c, tenant, x: payouts.find(c, tenant, x.payout),
    "payouts.page": lambda c, tenant, _: payouts.page(c, tenant, 100, None),
    "payouts.share": lambda c, tenant, _: payouts.share(c, tenant, 0),
    "price_versions.lists_of": lambda c, tenant, x: price_versions.lists_of(c, tenant, x.prices),
    "prices.history": lambda c, tenant, _: prices.history(c, tenant, None, 100, None),
    "prices.in_force": lambda c, tenant, _: prices.in_force(c, tenant, FAR),
    "responses.chain": lambda c, tenant, x: responses.chain(c, tenant, x.customer.id, x.response.id, now=5, most=10),
    "responses.fetch": lambda c, tenant, x: responses.fetch(c, tenant, x.customer.id, [x.response.id], 5),
    "rollups.quarters": lambda c, tenant, x: rollups.quarters(c, tenant, SumFilter(x.customer.id, 0), FAR, 9),
    "rollups.sums": lambda c, tenant, x: rollups.sums(c, tenant, SumFilter(x.customer.id, 0), "model"),
    "scheduled_prices.find": lambda c, tenant, x: scheduled_prices.find(c, tenant, x.change.id),
    "scheduled_prices.held": lambda c, tenant, _: scheduled_prices.held(c, tenant, 0),
    "scheduled_prices.page": lambda c, tenant, _: scheduled_prices.page(c, tenant, 100, None),
    "spend_alerts.of_customer": lambda c, tenant, x: spend_alerts.of_customer(c, tenant, x.customer.id),
    "spend_alerts.reached": lambda c, tenant, _: spend_alerts.reached(c, tenant, "day", 0),
    "tenant_routes.own_upstream_names": lambda c, tenant, _: tenant_routes.own_upstream_names(c, tenant),
    "tenant_routes.upstreams_by_model": lambda c, tenant, _: tenant_routes.upstreams_by_model(c, tenant),
    "tenants.domains": lambda c, tenant, _: tenants.domains(c, tenant),
    "tenants.members": lambda c, tenant, _: tenants.members(c, tenant),
    "usage.find": lambda c, tenant, x: usage.find(c, tenant, x.usage),
    "usage.page": lambda c, tenant, x: usage.page(c, tenant, UsageFilter(customer_id=x.customer.id), 100),
    "usage.page_of_quarters": lambda c, tenant, x: usage.page_of_quarters(
        c, tenant, UsageFilter(x.customer.id), [quarter_of(x)], 9
    ),
    "usage_totals.by_name": lambda c, tenant, x: usage_totals.by_name(c, tenant, span_of(x), 0, "model"),
    "usage_totals.over_time": lambda c, tenant, x: usage_totals.over_time(c, tenant, span_of(x), 0, ((0, 0),), 1000),
    "usage.settled_since": lambda c, tenant, x: usage.settled_since(c, tenant, x.customer.id, 0, 9),
    "vouchers.batches": lambda c, tenant, x: vouchers.batches(c, tenant, 0, 100, None, x.voucher.batch),
    "vouchers.find": lambda c, tenant, x: vouchers.find(c, tenant, x.voucher.id),
    "vouchers.find_code": lambda c, tenant, x: vouchers.find_code(c, tenant, x.voucher.id.encode()),
    "vouchers.page": lambda c, tenant, x: vouchers.page(c, tenant, x.voucher.batch, 100, None),
    "vouchers.redemptions": lambda c, tenant, x: vouchers.redemptions(c, tenant, x.voucher.batch),
    **{name: walked for walk in WALKS for name, walked in walk.READS.items()},
}
WRITES: dict[str, Read] = {
    "accounts.create_customer_wallet": lambda c, tenant, x: accounts.create_customer_wallet(c, tenant, x.customer.id),
    "accounts.create_tenant_accounts": lambda c, tenant, _: accounts.create_tenant_accounts(c, tenant),
    "audit_log.record": lambda c, tenant, x: audit_log.record(c, tenant, "test", "grant", "customer", x.customer.id),
    "customers.add": lambda c, tenant, x: customers.add(c, tenant, structs.replace(x.customer, email="new@x.example")),
    "customers.add_link": lambda c, tenant, x: customers.add_link(
        c, tenant, x.customer.id, digest=b"0" * 32, purpose="reset", expires_at=FAR
    ),
    "customers.set_group": lambda c, tenant, x: customers.set_group(c, tenant, x.customer.id, None),
    "customers.set_status": lambda c, tenant, x: customers.set_status(c, tenant, x.customer.id, "suspended", "test"),
    "keys.add": lambda c, tenant, x: keys.add(c, tenant, key_of(x), b"1" * 32),
    "keys.carry_use": lambda c, tenant, x: keys.carry_use(c, tenant, x.key_id, "key_new", 0),
    "keys.change": lambda c, tenant, x: keys.change(c, tenant, structs.replace(key_of(x), id=x.key_id, name="x")),
    "keys.revoke": lambda c, tenant, x: keys.revoke(c, tenant, x.key_id, 5),
    "outbox.add": lambda c, tenant, _: outbox.add(
        c, tenant, kind="price_change", recipient="ada@ours.example", payload={}, dedupe="mail", now=5
    ),
    "outbox.complete": lambda c, tenant, x: outbox.complete(c, tenant, x.mail, "clm", 5),
    "outbox.fail": lambda c, tenant, x: outbox.fail(c, tenant, x.mail, "clm", error="x", park=False, now=5),
    "outbox.retry": lambda c, tenant, x: outbox.retry(c, tenant, x.mail, 5),
    "price_notices.mark_told": lambda c, tenant, x: price_notices.mark_told(
        c, tenant, x.change.effective_from, "prc", 5
    ),
    "notices.lift": lambda c, tenant, _: notices.lift(c, tenant, [5], 6),
    "notices.open_notice": lambda c, tenant, _: notices.open_notice(c, tenant, 5, 1, 6),
    "payouts.add": lambda c, tenant, _: payouts.add(c, tenant, new_id("payout"), 5, 6),
    "payouts.lock_share": lambda c, tenant, _: payouts.lock_share(c, tenant),
    "payouts.mark_paid": lambda c, tenant, x: payouts.mark_paid(c, tenant, x.payout, "x", 6),
    "payouts.reject": lambda c, tenant, x: payouts.reject(c, tenant, x.payout, "x", 6),
    "provisioning.add_cost_version": lambda c, tenant, _: provisioning.add_cost_version(
        c, tenant, "gpt-5-mini", {"prices": {"input": 1}}, 5
    ),
    "provisioning.add_price_version": lambda c, tenant, _: provisioning.add_price_version(
        c, tenant, "retail", "gpt-5-mini", {"prices": {"input": 1}}, 5
    ),
    "provisioning.detach_domain": lambda c, tenant, x: provisioning.detach_domain(c, tenant, x.host),
    "provisioning.publish_package": lambda c, tenant, x: provisioning.publish_package(
        c, tenant, x.package, {"id": "x"}
    ),
    "provisioning.put_owner": lambda c, tenant, x: provisioning.put_owner(c, tenant, x.member),
    "provisioning.update_tenant": lambda c, tenant, _: provisioning.update_tenant(c, tenant, {"name": "Renamed"}),
    "provisioning.withdraw_package": lambda c, tenant, x: provisioning.withdraw_package(c, tenant, x.package),
    "responses.add": lambda c, tenant, x: responses.add(c, tenant, [structs.replace(x.response, sealed=b"other")]),
    "responses.drop_oldest": lambda c, tenant, x: responses.drop_oldest(
        c, tenant, [x.customer.id], keep_bytes=0, limit=10
    ),
    "responses.remove": lambda c, tenant, x: responses.remove(c, tenant, x.customer.id, x.response.id, 5),
    "scheduled_prices.add": lambda c, tenant, x: scheduled_prices.add(c, tenant, x.change, "test", 5),
    "scheduled_prices.end": lambda c, tenant, x: scheduled_prices.end(
        c, tenant, x.change.id, state="cancelled", reason=None, now=5
    ),
    "spend_alerts.add": lambda c, tenant, x: spend_alerts.add(
        c, tenant, structs.replace(x.alert, id="alr_new", customer_id=x.customer.id)
    ),
    "spend_alerts.note_told": lambda c, tenant, x: spend_alerts.note_told(c, tenant, x.alert.id, 7),
    "spend_alerts.remove": lambda c, tenant, x: spend_alerts.remove(c, tenant, x.customer.id, x.alert.id),
    "tenant_routes.put_own_upstream": lambda c, tenant, _: tenant_routes.put_own_upstream(c, tenant, "own", {"x": 1}),
    "tenant_routes.put_tenant_routes": lambda c, tenant, _: tenant_routes.put_tenant_routes(c, tenant, []),
    "tenant_routes.withdraw_own_upstream": lambda c, tenant, _: tenant_routes.withdraw_own_upstream(c, tenant, "own"),
    "tenants.add_domain": lambda c, tenant, x: tenants.add_domain(c, tenant, x.host, "storefront", is_primary=True),
    "tenants.add_member": lambda c, tenant, x: tenants.add_member(c, tenant, x.member, "owner"),
    "tenants.ask_for_review": lambda c, tenant, _: tenants.ask_for_review(c, tenant, 5),
    "tenants.set_suspended": lambda c, tenant, _: tenants.set_suspended(c, tenant, 5, "test"),
    "vouchers.add": lambda c, tenant, x: vouchers.add(c, tenant, [structs.replace(x.voucher, id="vch_new")], [b"2"]),
    "vouchers.lock_batches": lambda c, tenant, _: vouchers.lock_batches(c, tenant),
    "vouchers.revoke": lambda c, tenant, x: vouchers.revoke(c, tenant, x.voucher.id, 5),
    "vouchers.revoke_batch": lambda c, tenant, x: vouchers.revoke_batch(c, tenant, x.voucher.batch, 5),
    **{name: walked for walk in WALKS for name, walked in walk.WRITES.items()},
}
MOVES_ON_PURPOSE = {
    "provisioning.put_domain": "the operator's file gives a host to another tenant; the file is the one truth of hosts",
}


def key_of(x: Things) -> keys.ApiKey:
    """A new key in the name of a customer that may be another tenant's."""
    return keys.ApiKey(
        id=new_id("key"),
        tenant_id=x.customer.tenant_id,
        customer_id=x.customer.id,
        prefix="sk_forged",
        name="",
        limit_nano=None,
        limit_reset=None,
        models=(),
        allow_ips=(),
        requests_per_minute=None,
        tokens_per_minute=None,
        concurrent_requests=None,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        created_at=now_us(),
    )


def span_of(x: Things) -> Narrowed:
    """All that its customer ever used."""
    return Narrowed(customer_id=x.customer.id, since=0, until=FAR)


def quarter_of(x: Things) -> int:
    """The quarter of an hour that its call lies in."""
    return made_at(x.usage) // QUARTER_US * QUARTER_US


def missing(things: Things) -> Things:
    """The like of these, of nobody."""
    customer = structs.replace(things.customer, id=new_id("cus"), email="nobody@x.example", wallet_id=NOBODY)
    return Things(
        customer=customer,
        key_id=new_id("key"),
        digest=b"9" * 32,
        wallet=NOBODY,
        usage=new_id("req"),
        prices=tuple(new_id("prc") for _ in things.prices),
        operation="never",
        host="nowhere.example",
        package="never",
        member="nobody@x.example",
        mail=new_id("mail"),
        change=structs.replace(things.change, id=new_id("sch"), effective_from=1),
        lot=new_id("lot"),
        refund=new_id("rfd"),
        voucher=structs.replace(things.voucher, id=new_id("vch"), batch="never"),
        payout=new_id("payout"),
        response=structs.replace(things.response, id=new_id("resp")),
        alert=structs.replace(things.alert, id=new_id("alr")),
    )


def queries() -> set[str]:
    """Every query of tenant data, by module and name; `operator*` reads across tenants on purpose, `scope` nothing."""
    found = set()
    for info in pkgutil.iter_modules(reseller_kit.db.__path__):
        if info.ispkg or info.name.startswith("operator") or info.name == "scope":
            continue
        module = importlib.import_module(f"reseller_kit.db.{info.name}")
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction):
            parameters = list(inspect.signature(function).parameters)
            if function.__module__ == module.__name__ and parameters[1:2] == ["tenant_id"] and name[0] != "_":
                found.add(f"{info.name}.{name}")
    return found


async def two_tenants(db: Database) -> tuple[int, int, Things]:
    """The id of a tenant with one of everything, that of another one, and the first one's things."""
    await make.make_platform(db)
    ours = await make.make_tenant(db, "ours", hosts=["ours.example"])
    theirs = await make.make_tenant(db, "theirs", hosts=["theirs.example"])
    upstream = await make.make_upstream(db)
    await make.make_model(db, upstream_id=upstream)
    price_ids = await make.publish(db, ours, "gpt-5-mini", wholesale=make.COST, retail=make.COST)
    async with db.write(ours.id) as connection:
        await tenant_routes.put_own_upstream(connection, ours.id, "own", {"dialect": "openai"})
        await tenant_routes.put_tenant_routes(connection, ours.id, [own_route(price_ids[0])])
    customer = await make.make_customer(db, ours, "ada@ours.example")
    async with db.write(ours.id) as connection:
        await customers.set_group(connection, ours.id, customer.id, "pro")
    await make.make_customer(db, theirs, "bob@theirs.example")
    key = await make.make_key(db, customer)
    await make.deposit(db, ours)
    await grant_once(db, customer, "op-1")
    call = await make.make_call(db, customer, key, cost_nano=10**9)
    vault = await unlock(db, make.SECRET_KEY)
    async with db.write(EVERY_TENANT) as connection:
        await audit_log.record(connection, ours.id, "test", "create", "customer", customer.id)
        await provisioning.publish_package(connection, ours.id, "starter", {"id": "starter", "title": "Starter"})
        await tenants.add_member(connection, ours.id, "owner@ours.example", "owner")
        row = {"key_id": key.row.id, "started_at": 0, "tenant_id": ours.id, "spent_nano": 5, "reserved_nano": 0}
        await connection.execute(t.key_window.insert().values(row))
        payout_id = new_id("payout")
        await payouts.add(connection, ours.id, payout_id, 5, 6)
        await notices.open_notice(connection, ours.id, 5, 1, 6)
        response = make.stored_response(customer.id)
        await responses.add(connection, ours.id, [response])
        for walk in WALKS:
            await walk.fill(connection, ours.id, customer)
        alert = SpendAlert(
            id=new_id("alr"), customer_id=customer.id, period="day", threshold_nano=1, created_at=now_us()
        )
        await spend_alerts.add(connection, ours.id, alert)
        grain = {"tenant_id": ours.id, "customer_id": customer.id, "quarter_at": 0, "model": "m", "key_id": "k"}
        await connection.execute(t.usage_rollup.insert().values({**dict.fromkeys(t.SUMMED, 1), **grain}))
    change = await make.make_scheduled_price(db, ours, "gpt-5-mini", {**make.COST, "input": 9_000_000})
    dedupe = f"price_change:{customer.id}:{change.effective_from}:0"
    await make.make_mail(db, ours, kind="price_change", payload={"lines": []}, dedupe=dedupe)
    lot, refund, voucher = await credit_things(db, customer)
    digest = key_digest(vault.pepper, key.secret)
    things = Things(
        customer, key.row.id, digest, customer.wallet_id, call, price_ids, "op-1", "ours.example", "starter",
        "owner@ours.example", await make.make_mail(db, ours, dedupe="mail", claim="clm", parked_at=now_us()), change,
        lot, refund, voucher, payout_id, response, alert,
    )  # fmt: skip
    return ours.id, theirs.id, things


async def grant_once(db: Database, customer: Customer, operation: str) -> None:
    grant = Grant(
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        tenant_id=customer.tenant_id,
        wallet_id=customer.wallet_id,
        amount=10**10,
        kind="manual",
        at=now_us(),
    )
    await make.post(db, GrantCredit(grant, Idempotency(operation="grant", key=operation, request_hash="0" * 64)))


def own_route(version: str) -> tenant_routes.TenantRouteRow:
    """A route of a tenant's own table."""
    return tenant_routes.TenantRouteRow(
        model="gpt-5-mini", upstream="ours/own", upstream_model="x", priority=0, weight=1, cost_version=version
    )


async def credit_things(db: Database, customer: Customer) -> tuple[str, str, VoucherRow]:
    """A lot, a pending refund of it, and a voucher that the customer redeemed."""
    lot_id, refund_id = await make.grant(db, customer), new_id("rfd")
    voucher = VoucherRow(
        id=new_id("vch"),
        tenant_id=customer.tenant_id,
        batch="spring",
        prefix="ABCD",
        amount_nano=5,
        models=(),
        valid_days=None,
        expires_at=None,
        max_redemptions=1,
        redeemed=0,
        revoked_at=None,
        created_at=now_us(),
    )
    async with db.write(customer.tenant_id) as connection:
        reseller = await accounts.reseller_wallet(connection, customer.tenant_id)
        await vouchers.add(connection, customer.tenant_id, [voucher], [voucher.id.encode()])
    common: dict[str, Any] = {
        "customer_id": customer.id,
        "tenant_id": customer.tenant_id,
        "wallet_id": customer.wallet_id,
        "at": now_us(),
    }
    redemption = Redemption(voucher_id=voucher.id, lot_id=new_id("lot"), txn_id=new_id("txn"), **common)
    request = RefundRequest(
        refund_id=refund_id, reseller_wallet_id=reseller.wallet_id, lot_id=lot_id, amount=5, **common
    )
    await make.post(db, RedeemVoucher(redemption), HoldRefund(request))
    return lot_id, refund_id, voucher


async def outcome(db: Database, read: Read, tenant_id: int, things: Things) -> object:
    """What a query says: its result, or the kind of its refusal."""
    try:
        async with db.read(EVERY_TENANT) as connection:
            return await read(connection, tenant_id, things)
    except (KitError, NoResultFound, LookupError) as error:
        return type(error)


def test_every_query_is_walked() -> None:
    assert queries() == {*READS, *WRITES, *MOVES_ON_PURPOSE}


async def test_a_read_finds_nothing_of_another_tenant(db: Database) -> None:
    ours, theirs, things = await two_tenants(db)
    nothing = missing(things)
    for name, read in READS.items():
        own = await outcome(db, read, ours, things)
        foreign = await outcome(db, read, theirs, things)
        assert foreign == await outcome(db, read, theirs, nothing), name
        assert own != foreign, f"{name} finds nothing even for its own tenant"


async def test_a_write_changes_nothing_of_another_tenant(db: Database) -> None:
    ours, theirs, things = await two_tenants(db)
    async with db.read(EVERY_TENANT) as connection:
        before = await all_rows(connection, ours)
    assert sum(bool(rows) for rows in before.values()) > 12
    for name, write in WRITES.items():
        with contextlib.suppress(IntegrityError, KitError):
            async with db.write(EVERY_TENANT) as connection:
                await write(connection, theirs, things)
        async with db.read(EVERY_TENANT) as connection:
            assert await all_rows(connection, ours) == before, name


async def test_a_read_is_one_moment(db: Database) -> None:
    """Two statements of one read see the same state: a snapshot is never half old and half new."""
    _, theirs, _ = await two_tenants(db)
    async with db.read(EVERY_TENANT) as reading:
        first = [tenant.name for tenant in [await tenants.find(reading, "theirs")] if tenant]
        async with db.write(EVERY_TENANT) as writing:
            await provisioning.update_tenant(writing, theirs, {"name": "Renamed"})
        again = await tenants.find(reading, "theirs")
        assert again is not None
        assert [again.name] == first
    async with db.read(EVERY_TENANT) as reading:
        later = await tenants.find(reading, "theirs")
    assert later is not None
    assert later.name == "Renamed"
