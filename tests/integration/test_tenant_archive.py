"""A tenant as one file, and of that file the same tenant in another deployment, its books and nobody else's rows."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import Conflict, InvalidRequest, NotFound
from reseller_kit.core.money import NANO
from reseller_kit.db import tables as t
from reseller_kit.db import tenant_rows
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows.audit import audit
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.tenant_archive.bring import Brought, Wanted, bring
from reseller_kit.flows.tenant_archive.contents import LEFT_OUT, TABLES
from reseller_kit.flows.tenant_archive.export import Exported, export_tenant
from reseller_kit.flows.tenants import require_tenant, tenant_id_of
from reseller_kit.flows.unlock import unlock
from tests.support.commands import Cli
from tests.support.databases import Databases
from tests.support.factories import deposit, grant, make_call, make_customer, make_key
from tests.support.provisioning import SECRET_KEY, applied, dump, rows


@pytest.fixture
async def other(backend: str, databases: Databases) -> AsyncIterator[Database]:
    """Another deployment, on the other kind of database."""
    async with databases.ready("sqlite" if backend == "postgres" else "postgres") as url:
        elsewhere = Database(url)
        yield elsewhere
        await elsewhere.close()


def silent(_table: str, _rows: int) -> None:
    pass


async def filled(db: Database) -> None:
    """Two storefronts with customers, credit and calls."""
    await applied(db)
    for slug in ("aurora", "nocturne"):
        async with db.read(EVERY_TENANT) as connection:
            tenant = await require_tenant(connection, slug)
        await deposit(db, tenant)
        for number in range(2):
            customer = await make_customer(db, tenant, f"customer{number}@{slug}.example")
            await grant(db, customer, 7 * NANO + number)
            key = await make_key(db, customer)
            for _ in range(3):
                await make_call(db, customer, key)
    await roll_up(db)


async def exported(db: Database, path: Path, *, complete: bool = True, slug: str = "aurora") -> Exported:
    return await export_tenant(db, slug, path, complete=complete, progress=silent)


async def brought(db: Database, path: Path, **wanted: Any) -> Brought:
    vault = await unlock(db, SECRET_KEY)
    return await bring(db, vault, path, Wanted(**wanted), actor="cli:ada", progress=silent)


async def books_of(db: Database, slug: str) -> Any:
    """What every account holds and what is posted on it, and every usage record's money, whatever its numbers here."""
    tenant_id = await tenant_id_of(db, slug)
    a, e, u = t.account.c, t.entry.c, t.usage_record.c
    accounts = select(a.kind, a.owner, a.balance_nano, a.reserved_nano, a.debt_nano).where(a.tenant_id == tenant_id)
    entries = select(e.txn_id, e.line, a.kind, a.owner, e.amount_nano).join(t.account, a.id == e.account_id)
    calls = select(u.id, u.customer_id, u.retail_nano, u.wholesale_nano, u.cost_nano, u.upstream)
    rollups = select(t.usage_rollup.c.customer_id, t.usage_rollup.c.model, t.usage_rollup.c.retail_nano)
    return [
        sorted(tuple(row) for row in await rows(db, statement))
        for statement in (
            accounts,
            entries.where(e.tenant_id == tenant_id),
            calls.where(u.tenant_id == tenant_id),
            rollups.where(t.usage_rollup.c.tenant_id == tenant_id),
        )
    ]


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def rewritten(path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    """The archive with other files in it."""
    other_path = path.with_name("other.tar.gz")
    with tarfile.open(other_path, "w:gz") as tar:
        for name, content in change(members_of(path)).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return other_path


def test_of_every_table_it_is_said_whether_it_travels() -> None:
    scoped = {table.name for table in t.metadata.sorted_tables if "tenant_id" in table.c}
    assert scoped == {*TABLES, *LEFT_OUT}


async def test_the_books_arrive_to_the_nano(db: Database, other: Database, tmp_path: Path) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    await applied(other)
    arrived = await brought(other, done.path, slug="moved", hosts=["moved.localhost"], sha256=done.sha256)
    assert arrived.audit is not None
    assert arrived.audit.ok, arrived.audit.findings
    assert await books_of(other, "moved") == await books_of(db, "aurora")
    await roll_up(other)
    report = await audit(other)
    assert report.ok, report.findings
    assert await books_of(other, "moved") == await books_of(db, "aurora")


async def test_no_hash_of_a_secret_travels_and_what_needs_one_is_off(
    db: Database, other: Database, tmp_path: Path
) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    (digest,) = (await rows(db, select(t.api_key.c.digest).limit(1)))[0]
    assert digest not in b"".join(members_of(done.path).values())
    assert b'"digest"' not in members_of(done.path)["rows/api_key.jsonl"]
    await applied(other)
    await brought(other, done.path, slug="moved", hosts=[])
    tenant_id = await tenant_id_of(other, "moved")
    keys = await rows(other, select(t.api_key.c.revoked_at).where(t.api_key.c.tenant_id == tenant_id))
    assert len(keys) == 2
    assert all(row.revoked_at for row in keys)


async def test_nothing_of_another_tenant_is_inside(db: Database, tmp_path: Path) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    everything = b"".join(members_of(done.path).values()).lower()
    assert b"aurora" in everything
    assert b"nocturne" not in everything
    tenant_id = await tenant_id_of(db, "nocturne")
    for column in (t.customer.c.id, t.api_key.c.id, t.lot.c.id, t.txn.c.id, t.usage_record.c.id):
        for (one,) in await rows(db, select(column).where(column.table.c.tenant_id == tenant_id)):
            assert one.lower().encode() not in everything, column


async def test_a_resellers_copy_tells_nothing_of_costs_and_upstreams(db: Database, tmp_path: Path) -> None:
    await filled(db)
    path = (await exported(db, tmp_path / "copy.tar.gz", complete=False)).path
    found = members_of(path)
    for word in (
        b"cost_nano",
        b'"upstream":',
        b"upstream_model",
        b"upstream_cost",
        b"cli:",
        b'"wholesale.',
        b'"level":"cost"',
    ):
        for name, content in found.items():
            assert name == "manifest.json" or word not in content, (name, word)
    assert "rows/cost_version.jsonl" not in found
    with pytest.raises(InvalidRequest, match="reseller's copy"):
        await brought(db, path, slug="moved")


async def test_what_is_damaged_or_changed_is_refused_and_nothing_is_written(
    db: Database, other: Database, tmp_path: Path
) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    await applied(other)
    before = await dump(other)
    half = tmp_path / "half.tar.gz"
    half.write_bytes(done.path.read_bytes()[: done.path.stat().st_size // 2])
    changed = rewritten(
        done.path,
        lambda found: {**found, "rows/lot.jsonl": found["rows/lot.jsonl"].replace(b"7000000000", b"9000000000")},
    )
    for path, why in ((half, "can't be read"), (changed, "lot"), (tmp_path, "can't be read")):
        with pytest.raises(InvalidRequest, match=why):
            await brought(other, path, slug="moved", hosts=[])
    with pytest.raises(InvalidRequest, match="another SHA-256"):
        await brought(other, done.path, sha256="0" * 64)
    assert await dump(other) == before


async def test_rows_that_no_version_wrote_are_refused(db: Database, other: Database, tmp_path: Path) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    await applied(other)
    before = await dump(other)

    def stranger(found: dict[str, bytes]) -> dict[str, bytes]:
        name, content = "rows/customer.jsonl", found["rows/customer.jsonl"].replace(b'"wallet_id":', b'"wallet_id":9')
        manifest = json.loads(found["manifest.json"])
        for file in manifest["files"]:
            if file["name"] == name:
                file.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        return {**found, name: content, "manifest.json": json.dumps(manifest).encode()}

    with pytest.raises(InvalidRequest, match="not as this version"):
        await brought(other, rewritten(done.path, stranger), slug="moved", hosts=[])
    assert await dump(other) == before


async def test_taken_hosts_slugs_and_rows_are_refused_with_what_to_do(db: Database, tmp_path: Path) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    before = await dump(db)
    with pytest.raises(Conflict, match="aurora already"):
        await brought(db, done.path)
    with pytest.raises(Conflict, match=r"aurora\.localhost"):
        await brought(db, done.path, slug="moved")
    with pytest.raises(Conflict, match="are here already"):
        await brought(db, done.path, slug="moved", hosts=["moved.localhost"])
    assert await dump(db) == before


async def test_an_import_that_ends_in_the_middle_leaves_nothing(
    db: Database, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(db)
    done = await exported(db, tmp_path / "aurora.tar.gz")
    await applied(other)
    before = await dump(other)

    def stop(table: str, _rows: int) -> None:
        if table == "usage_record":
            raise asyncio.CancelledError

    vault = await unlock(other, SECRET_KEY)
    with pytest.raises(asyncio.CancelledError):
        await bring(other, vault, done.path, Wanted(slug="moved", hosts=[]), actor="cli:ada", progress=stop)
    assert await dump(other) == before
    await brought(other, done.path, slug="moved", hosts=[], dry_run=True)
    assert await dump(other) == before
    monkeypatch.setattr(tenant_rows, "money_of", _no_money)
    with pytest.raises(Conflict, match="not the money"):
        await brought(other, done.path, slug="moved", hosts=[])
    assert await dump(other) == before


async def test_books_that_still_move_do_not_travel(db: Database, tmp_path: Path) -> None:
    await filled(db)
    async with db.read(EVERY_TENANT) as connection:
        tenant = await require_tenant(connection, "aurora")
    customer = await make_customer(db, tenant, "late@aurora.example")
    await grant(db, customer)
    await make_call(db, customer, await make_key(db, customer), hold_only=True)
    with pytest.raises(Conflict, match="still holds credit"):
        await exported(db, tmp_path / "aurora.tar.gz")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFound):
        await exported(db, tmp_path / "nobody.tar.gz", slug="nobody")


def test_the_commands(cli: Cli, tmp_path: Path) -> None:
    cli.seed(filled)
    path = tmp_path / "copy.tar.gz"
    done = cli.ask("tenant", "export", "aurora", "--to", str(path), "--operator")
    assert (done["tenant"], done["complete"], done["rows"]["usage_record"]) == ("aurora", True, 6)
    assert done["money"]["customer_wallet"]["accounts"] == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert gzip.decompress(path.read_bytes()).startswith(b"manifest.json")
    assert json.loads(members_of(path)["manifest.json"])["format"] == "reseller-kit tenant"
    assert cli.refused("tenant", "export", "aurora", "--to", str(path))[0] == 5
    assert cli.refused("tenant", "export", "aurora", "--operator")[0] == 2
    assert cli.refused("tenant", "import", str(path), "--dry-run")[0] == 5
    code, missing = cli.refused("tenant", "import", str(tmp_path / "none"))
    assert (code, missing["code"]) == (4, "not_found")
    assert cli.refused("tenant", "import", str(tmp_path))[0] == 2, "a folder is no archive"


async def _no_money(*_: Any) -> dict[str, Any]:
    return {}
