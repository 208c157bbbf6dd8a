"""Plain factories for tests on a database: each inserts what its name says and returns values. Asserts nothing.

Amounts are nano-USD and prices pico-USD per unit, as in the product.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import insert, select, update

from reseller_kit.core import apikey
from reseller_kit.core.catalog import PriceList
from reseller_kit.core.ids import new_id
from reseller_kit.core.ledger import Capture, Grant, Hold, HoldRequest, HoldTerms, WholesaleMove
from reseller_kit.core.manifest.schedule import ScheduledChange
from reseller_kit.core.money import NANO
from reseller_kit.core.pricing import charge, complete
from reseller_kit.db import customers, keys, revisions, scheduled_prices, secrets, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.accounts import create_customer_wallet, create_tenant_accounts, reseller_wallet
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.keys import ApiKey
from reseller_kit.db.ledger import GrantCredit, Item, MoveWholesale, Outcome, PlaceHold, Settle, UsageRow, open_writer
from reseller_kit.db.responses import StoredResponse
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import key_digest

SECRET_KEY = "a-secret-key-for-tests-of-more-than-32-characters"
COST = {"input": 250_000, "cached_input": 25_000, "output": 2_000_000}
"""USD 0.25, 0.025 and 2.00 per million tokens."""
_numbers = itertools.count(1)


class Key(Struct, frozen=True):
    """An API key with its secret."""

    row: ApiKey
    secret: str


class Model(Struct, frozen=True):
    """A public model with one route."""

    id: int
    name: str
    route_id: int
    cost_version: str


async def make_platform(db: Database, **settings: Any) -> None:
    """`[platform]` as applied."""
    values = {"name": "Northwind Platform", "hosts": ["platform.localhost"], "currency": "USD", **settings}
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(insert(t.platform).values(id=1, settings=values, updated_at=now_us()))


async def make_tenant(
    db: Database,
    slug: str = "",
    *,
    hosts: Sequence[str] = (),
    status: str = "active",
    theme: str = "daylight",
    settings: Mapping[str, Any] | None = None,
) -> Tenant:
    """A tenant with its ledger accounts; the first host is its primary storefront."""
    slug = slug or f"tenant{next(_numbers)}"
    async with db.write(EVERY_TENANT) as connection:
        tenant_id = await tenants.add(
            connection,
            slug=slug,
            name=slug.title(),
            status=status,
            theme=theme,
            timezone="UTC",
            settings=dict(settings or {}),
        )
        await create_tenant_accounts(connection, tenant_id)
        for position, host in enumerate(hosts):
            await tenants.add_domain(connection, tenant_id, host, "storefront", is_primary=position == 0)
        await revisions.bump(connection, "config")
        tenant = await tenants.find(connection, slug)
    assert tenant is not None
    return tenant


async def make_customer(db: Database, tenant: Tenant, email: str = "", *, status: str = "active") -> Customer:
    """A verified customer with an empty wallet."""
    customer_id, now = new_id("cus"), now_us()
    async with db.write(EVERY_TENANT) as connection:
        customer = Customer(
            id=customer_id,
            tenant_id=tenant.id,
            email=email or f"customer{next(_numbers)}@example.com",
            name="",
            status=status,
            suspend_reason=None,
            verified_at=now,
            wallet_id=await create_customer_wallet(connection, tenant.id, customer_id),
            created_at=now,
        )
        await customers.add(connection, tenant.id, customer)
    return customer


async def make_key(db: Database, customer: Customer, *, prefix: str = "sk", **terms: Any) -> Key:
    """An API key of a customer; `terms` are fields of `db.keys.ApiKey`."""
    vault = await unlock(db, SECRET_KEY)
    secret = apikey.generate(prefix)
    defaults: dict[str, Any] = {
        "name": "",
        "limit_nano": None,
        "limit_reset": None,
        "models": (),
        "allow_ips": (),
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "concurrent_requests": None,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    row = ApiKey(
        id=new_id("key"),
        tenant_id=customer.tenant_id,
        customer_id=customer.id,
        prefix=apikey.shown_part(secret),
        created_at=now_us(),
        **{**defaults, **terms},
    )
    async with db.write(EVERY_TENANT) as connection:
        await keys.add(connection, customer.tenant_id, row, key_digest(vault.pepper, secret))
        await revisions.bump(connection, "key", row.id)
    return Key(row, secret)


async def make_mail(db: Database, tenant: Tenant, *, dedupe: str, **columns: Any) -> str:
    """A mail in the outbox, due at once; its id."""
    now = now_us()
    row = {
        "id": new_id("mail"),
        "tenant_id": tenant.id,
        "kind": "price_change",
        "recipient": "jane@example.com",
        "payload": {},
        "dedupe": dedupe,
        "created_at": now,
        "due_at": now,
        **columns,
    }
    async with db.write(tenant.id) as connection:
        await connection.execute(insert(t.outbox).values(row))
    return str(row["id"])


def stored_response(customer_id: str, **columns: Any) -> StoredResponse:
    """A sealed response, not inserted yet."""
    values: dict[str, Any] = {
        "id": new_id("resp"),
        "customer_id": customer_id,
        "previous_id": None,
        "key_id": "dk_1",
        "sealed": b"sealed",
        "size": 6,
        "created_at": now_us(),
        "expires_at": now_us() + 86_400_000_000,
    }
    return StoredResponse(**{**values, **columns})


async def make_scheduled_price(
    db: Database, tenant: Tenant, model: str, prices: Mapping[str, int], *, state: str = "held"
) -> ScheduledChange:
    """A change of a model's retail prices in an hour, with the version that was published for then."""
    moment = now_us() + 3_600_000_000
    change = ScheduledChange(id=new_id("sch"), effective_from=moment, match=model, prices=dict(prices))
    async with db.write(tenant.id) as connection:
        await scheduled_prices.add(connection, tenant.id, change, "test", now_us())
        if state != "waiting":
            await scheduled_prices.end(connection, tenant.id, change.id, state=state, reason="test", now=now_us())
    await make_price_version(db, "retail", model, prices, tenant=tenant, at=moment)
    return change


async def make_upstream(
    db: Database, name: str = "openai", base_url: str = "http://127.0.0.1:9/v1", *, api_key: str = "sk-upstream"
) -> int:
    """An upstream with one stored credential; its id."""
    vault = await unlock(db, SECRET_KEY)
    secret_name = f"upstream:{name}:key:0"
    key_id, ciphertext = vault.seal(secret_name, api_key)
    fingerprint = vault.fingerprint(api_key)
    values = {"name": name, "dialect": "openai", "base_url": base_url, "settings": {"provider": "openai"}}
    async with db.write(EVERY_TENANT) as connection:
        statement = insert(t.upstream).values(**values, created_at=now_us())
        upstream_id = await connection.scalar(statement.returning(t.upstream.c.id))
        await secrets.put(connection, secrets.StoredSecret(secret_name, key_id, ciphertext, fingerprint))
        key = {"reference": "env:UPSTREAM_KEY", "secret_name": secret_name, "fingerprint": fingerprint, "position": 0}
        await connection.execute(insert(t.upstream_key).values(**key, upstream_id=upstream_id))
        await revisions.bump(connection, "config")
    return int(upstream_id or 0)


async def make_price_version(
    db: Database, level: str, model: str, prices: Mapping[str, int], *, tenant: Tenant | None = None, at: int = 0
) -> str:
    """A price version in force from `at` on (0: now); its id."""
    version, now = new_id("prc"), now_us()
    values = {
        "id": version,
        "tenant_id": None if tenant is None else tenant.id,
        "level": level,
        "model": model,
        "prices": msgspec.to_builtins(complete(PriceList(prices=dict(prices)))),
        "effective_from": at or now,
        "created_at": now,
    }
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(insert(t.price_version).values(values))
        await revisions.bump(connection, "config")
    return version


async def make_model(
    db: Database,
    name: str = "gpt-5-mini",
    *,
    upstream_id: int,
    upstream_model: str = "",
    cost: Mapping[str, int] | None = None,
) -> Model:
    """A public model with one route and its cost versions; nothing is published yet."""
    target = upstream_model or name
    cost = COST if cost is None else cost
    model_cost = await make_price_version(db, "cost", name, cost)
    route_cost = await make_price_version(db, "cost", f"{name}@upstream/{target}", cost)
    async with db.write(EVERY_TENANT) as connection:
        model = {"name": name, "context": 128_000, "max_output": 8_192, "settings": {}, "cost_version": model_cost}
        statement = insert(t.model).values(**model, created_at=now_us()).returning(t.model.c.id)
        model_id = await connection.scalar(statement)
        route = {"upstream_model": target, "priority": 0, "weight": 1, "cost_version": route_cost}
        route_statement = insert(t.route).values(**route, model_id=model_id, upstream_id=upstream_id)
        route_id = await connection.scalar(route_statement.returning(t.route.c.id))
        await revisions.bump(connection, "config")
    assert model_id is not None
    assert route_id is not None
    return Model(model_id, name, route_id, model_cost)


async def publish(
    db: Database, tenant: Tenant, model: str, *, wholesale: Mapping[str, int], retail: Mapping[str, int]
) -> tuple[str, str]:
    """A tenant's published prices of a model; the ids of the wholesale and the retail version."""
    return (
        await make_price_version(db, "wholesale", model, wholesale, tenant=tenant),
        await make_price_version(db, "retail", model, retail, tenant=tenant),
    )


async def post(db: Database, *items: Item) -> list[Outcome]:
    """Have the ledger carry out items, one after the other."""
    writer = open_writer(db)
    await writer.start()
    try:
        return [await writer.submit(item) for item in items]
    finally:
        await writer.close()


async def grant(db: Database, customer: Customer, amount: int = 10 * NANO, **fields: Any) -> str:
    """Credit a customer; the lot's id. `fields` are fields of `core.ledger.Grant`."""
    request = Grant(
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        tenant_id=customer.tenant_id,
        wallet_id=customer.wallet_id,
        amount=amount,
        **{"kind": "manual", "at": now_us(), **fields},
    )
    await post(db, GrantCredit(request))
    return request.lot_id


async def deposit(db: Database, tenant: Tenant, amount: int = 100 * NANO) -> None:
    """Fill a reseller's wallet."""
    async with db.read(EVERY_TENANT) as connection:
        wallet = await reseller_wallet(connection, tenant.id)
    move = WholesaleMove(
        txn_id=new_id("txn"), tenant_id=tenant.id, wallet_id=wallet.wallet_id, amount=amount, at=now_us()
    )
    await post(db, MoveWholesale(move))


async def make_call(
    db: Database,
    customer: Customer,
    key: Key,
    model: str = "gpt-5-mini",
    *,
    quantities: Mapping[str, int] | None = None,
    hold_only: bool = False,
    **usage: Any,
) -> str:
    """A call that was held and, unless `hold_only`, settled at the published prices; its request id.

    The model must be published. `usage` replaces fields of its usage record.
    """
    request_id, now = new_id("req"), now_us()
    used = {"input": 1_000, "output": 500} if quantities is None else dict(quantities)
    prices = await _pinned(db, customer.tenant_id, model)
    async with db.read(EVERY_TENANT) as connection:
        reseller = await reseller_wallet(connection, customer.tenant_id)
    amounts = {level: charge(price_list, used) for level, (_, price_list) in prices.items()}
    terms = HoldTerms(
        retail_fixed=amounts["retail"] * 1000,
        retail_per_output=0,
        wholesale_fixed=amounts["wholesale"] * 1000,
        wholesale_per_output=0,
        output_limit=8_192,
    )
    window = None if key.row.limit_nano is None else (key.row.id, 0)
    request = HoldRequest(
        request_id=request_id,
        tenant_id=customer.tenant_id,
        customer_id=customer.id,
        wallet_id=customer.wallet_id,
        reseller_wallet_id=reseller.wallet_id,
        key_id=key.row.id,
        key_limit=key.row.limit_nano,
        window_started_at=0,
        overdraft=0,
        model=model,
        retail_version=prices["retail"][0],
        wholesale_version=prices["wholesale"][0],
        terms=terms,
        created_at=now,
    )
    (held,) = await post(db, PlaceHold(request, "{}"))
    assert isinstance(held, Hold), held
    if hold_only:
        return request_id
    record: dict[str, Any] = {
        "id": request_id,
        "tenant_id": customer.tenant_id,
        "customer_id": customer.id,
        "key_id": key.row.id,
        "model": model,
        "public_model": model,
        "upstream": "openai",
        "upstream_model": model,
        "dialect": "openai",
        "stream": False,
        "status": "ok",
        "http_status": 200,
        "quantities": msgspec.json.encode(used).decode(),
        "reasoning_tokens": 0,
        "usage_source": "upstream",
        "usage_capped": False,
        "retail_nano": amounts["retail"],
        "wholesale_nano": amounts["wholesale"],
        "cost_nano": amounts["cost"],
        "retail_version": prices["retail"][0],
        "wholesale_version": prices["wholesale"][0],
        "cost_version": prices["cost"][0],
        "attempts": 1,
        "latency_ms": 120,
        "first_byte_ms": 40,
        "delivered_characters": None,
        "tokenizer": None,
        "created_at": now,
    }
    row = UsageRow(**{**record, **usage})
    capture = Capture(
        request_id=request_id, retail=row.retail_nano, wholesale=row.wholesale_nano, cost=row.cost_nano, at=now_us()
    )
    settle = Settle(
        capture=capture,
        usage=row,
        wallet_id=customer.wallet_id,
        reseller_wallet_id=reseller.wallet_id,
        window=window,
    )
    await post(db, settle)
    return request_id


async def suspend(db: Database, tenant: Tenant) -> None:
    """A suspended tenant, without a trace in the audit log."""
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.tenant).where(t.tenant.c.id == tenant.id).values(suspended_at=now_us()))
        await revisions.bump(connection, "config")


async def _pinned(db: Database, tenant_id: int, model: str) -> dict[str, tuple[str, PriceList]]:
    """The newest version and list of each level for a model, the route's cost for `cost`."""
    c = t.price_version.c
    statement = select(t.price_version).where((c.model == model) | c.model.startswith(f"{model}@"))
    found: dict[str, tuple[str, PriceList]] = {}
    async with db.read(EVERY_TENANT) as connection:
        for row in await connection.execute(statement.order_by(c.id)):
            if row.tenant_id in {None, tenant_id}:
                found[row.level] = (row.id, msgspec.convert(row.prices, PriceList))
    return found
