"""Makes a deployment large: storefronts, models, routes and keys like those that are there, by a few statements each.

Every new row is a copy of one of the storefront under load, with names and numbers of its own. Measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reseller_kit.core import apikey
from reseller_kit.db import revisions
from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database
from reseller_kit.vault import key_digest
from scripts._bench.targets import MODEL, TENANT

SLUG: Final = "many"
KNOWN_KEYS: Final = 500
"""So many of the keys are known to whoever measures; of the others there is only a digest."""
_MODELS_OF_OTHERS: Final = 10
_KEYS_OF_CUSTOMER: Final = 10


class Size(Struct, frozen=True, kw_only=True):
    """How large a deployment is in all, and over how many routes the model under load is served."""

    tenants: int
    models: int
    routes: int
    keys: int


async def enlarge(db: Database, pepper: bytes, size: Size) -> list[str]:
    """Make what is missing to that size; the keys of the storefront under load that can be used."""
    async with db.administer() as connection:
        numbers = max(size.tenants, size.models, size.routes, size.keys)
        await connection.execute(text("CREATE TEMP TABLE bench_n (n INTEGER PRIMARY KEY)"))
        await connection.execute(
            text(
                "INSERT INTO bench_n WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < :most)"
                " SELECT n FROM up"
            ),
            {"most": numbers},
        )
        await _models(connection, size)
        await _tenants(connection, size)
        await connection.execute(text(_TOLD))
        keys = await _keys(connection, db, pepper, size)
        await revisions.bump(connection, "config")
        await connection.execute(text("DROP TABLE bench_n"))
    if db.backend == "postgresql":
        async with db.administer() as connection:
            for table in (t.tenant, t.domain, t.account, t.price_version, t.api_key, t.customer, t.model, t.route):
                await connection.execute(text(f"ANALYZE {table.name}"))
    return keys


async def _models(connection: AsyncConnection, size: Size) -> None:
    """Further models with a route and prices each, and further routes of the model under load."""
    told = {"model": MODEL, "most": size.models - 3}
    await _copy(connection, t.model, {"name": "'bench-model-' || n"}, "b.name = :model AND n <= :most", told)
    route = {"model_id": "m.id", "upstream_model": "'bench-' || m.name"}
    source = "route b JOIN model own ON own.id = b.model_id JOIN model m ON m.name LIKE 'bench-model-%'"
    await _copy(connection, t.route, route, "own.name = :model", told, source)
    route = {"upstream_model": "b.upstream_model || '-' || n", "priority": "b.priority + n"}
    source = "route b JOIN model own ON own.id = b.model_id CROSS JOIN bench_n"
    await _copy(
        connection, t.route, route, "own.name = :model AND n < :routes AND b.upstream_model = :model",
        {"model": MODEL, "routes": size.routes}, source,
    )  # fmt: skip
    price = {"id": "b.id || '-' || n", "model": "'bench-model-' || n"}
    await _copy(connection, t.price_version, price, _OWN_PRICES + " AND n <= :most", told | {"slug": TENANT})


_OWN_PRICES: Final = (
    "b.model = :model AND b.level IN ('retail', 'wholesale')"
    " AND b.tenant_id = (SELECT id FROM tenant WHERE slug = :slug)"
)


async def _tenants(connection: AsyncConnection, size: Size) -> None:
    """Further storefronts with a host, the ledger's accounts, and prices of some models."""
    # The platform's own tenant and the one under load are there.
    told = {"slug": TENANT, "most": size.tenants - 1}
    named = f"'{SLUG}' || n"
    await _copy(connection, t.tenant, {"slug": named, "name": named}, "b.slug = :slug AND n <= :most", told)
    of_many = f"JOIN tenant own ON own.id = b.tenant_id AND own.slug = :slug JOIN tenant m ON m.slug LIKE '{SLUG}%'"
    domain = {"tenant_id": "m.id", "host": "m.slug || '.localhost'"}
    await _copy(connection, t.domain, domain, "b.role = 'storefront'", told, f"domain b {of_many}")
    empty = {"balance_nano": "0", "reserved_nano": "0", "debt_nano": "0"}
    account = {"tenant_id": "m.id", **empty}
    await _copy(connection, t.account, account, "b.owner = ''", told, f"account b {of_many}")
    offered = {"model": MODEL, "some": _MODELS_OF_OTHERS}
    price = {"tenant_id": "m.id", "id": "b.id || '-' || m.slug"}
    some = " OR ".join(f"b.model = 'bench-model-{number}'" for number in range(1, _MODELS_OF_OTHERS))
    await _copy(
        connection,
        t.price_version,
        price,
        f"(b.model = :model OR {some})",
        told | offered,
        f"price_version b {of_many}",
    )


_TOLD: Final = (
    "INSERT INTO price_notice (tenant_id, effective_from, newest_version, told_at)"
    " SELECT tenant_id, effective_from, max(id), effective_from FROM price_version"
    " WHERE level = 'retail' OR level LIKE 'retail:%' GROUP BY tenant_id, effective_from"
    " ON CONFLICT (tenant_id, effective_from) DO UPDATE SET newest_version = excluded.newest_version"
)
"""Customers were told of all prices: a deployment of yesterday, not one whose storefronts all opened a moment ago."""


async def _keys(connection: AsyncConnection, db: Database, pepper: bytes, size: Size) -> list[str]:
    """Customers with ten keys each, spread over all storefronts; some more keys that can be used."""
    customers = size.keys // _KEYS_OF_CUSTOMER
    told = {"most": customers, "slug": TENANT}
    spread = f"JOIN tenant m ON m.slug = '{SLUG}' || (1 + n % {max(1, size.tenants - 1)})"
    wallet = {"tenant_id": "m.id", "owner": "'cus_many' || n", **dict.fromkeys(_AMOUNTS, "0")}
    first = "b.kind = 'customer_wallet' AND n <= :most AND b.tenant_id = (SELECT id FROM tenant WHERE slug = :slug)"
    await _copy(connection, t.account, wallet, first, told, f"account b CROSS JOIN bench_n {spread}")
    customer = {
        "id": "w.owner", "tenant_id": "w.tenant_id", "email": "w.owner || '@many.example'", "wallet_id": "w.id",
    }  # fmt: skip
    source = "customer b JOIN account w ON w.owner LIKE 'cus_many%'"
    await _copy(connection, t.customer, customer, _OF_LOAD, told, source)
    digest = "randomblob(32)" if db.backend == "sqlite" else "sha256(CAST(CAST(n AS TEXT) AS BYTEA))"
    key = {
        "id": "'key_many' || n", "digest": digest, "tenant_id": "c.tenant_id", "customer_id": "c.id",
    }  # fmt: skip
    source = f"api_key b CROSS JOIN bench_n JOIN customer c ON c.id = 'cus_many' || (1 + n % {max(1, customers)})"
    told = {"most": size.keys - KNOWN_KEYS, "slug": TENANT}
    await _copy(connection, t.api_key, key, f"{_OF_LOAD} AND n <= :most", told, source)
    return await _known_keys(connection, pepper, min(KNOWN_KEYS, size.keys))


_AMOUNTS: Final = ("balance_nano", "reserved_nano", "debt_nano")
_OF_LOAD: Final = "b.tenant_id = (SELECT id FROM tenant WHERE slug = :slug)"


async def _known_keys(connection: AsyncConnection, pepper: bytes, count: int) -> list[str]:
    """Further keys of the customer under load."""
    keys = [apikey.generate("sk") for _ in range(count)]
    copied = {"id": ":id", "digest": ":digest"}
    names = _columns(t.api_key)
    statement = (
        f"INSERT INTO api_key ({', '.join(names)}) SELECT {_values(names, copied)} FROM api_key b WHERE b.id = :b"  # noqa: S608  # names of ours
    )
    first = await connection.scalar(
        text("SELECT min(k.id) FROM api_key k JOIN tenant m ON m.id = k.tenant_id WHERE m.slug = :slug"),
        {"slug": TENANT},
    )
    rows = [{"id": f"key_known{n}", "digest": key_digest(pepper, key), "b": first} for n, key in enumerate(keys)]
    await connection.execute(text(statement), rows)
    return keys


async def _copy(
    connection: AsyncConnection,
    table: Table,
    changed: Mapping[str, str],
    where: str,
    told: Mapping[str, object],
    source: str = "",
) -> None:
    """Copies of rows `b` of a table, each with some columns `changed` to what an expression says."""
    names = _columns(table)
    statement = (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {_values(names, changed)}"  # noqa: S608  # names of ours
        f" FROM {source or f'{table.name} b CROSS JOIN bench_n'} WHERE {where}"
    )
    used = {name: value for name, value in told.items() if f":{name}" in statement}
    await connection.execute(text(statement), used)


def _columns(table: Table) -> list[str]:
    numbered = {column.name for column in table.columns if column.primary_key and column.autoincrement is True}
    return [column.name for column in table.columns if column.name not in numbered]


def _values(names: Sequence[str], changed: Mapping[str, str]) -> str:
    return ", ".join(changed.get(name, f'b."{name}"') for name in names)
