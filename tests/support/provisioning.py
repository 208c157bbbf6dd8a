"""The example manifest, edited and applied: what tests of provisioning share. Asserts nothing of the product."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select

from reseller_kit.core.manifest import Manifest
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows.provision import Plan, apply, plan, read_manifest, resolver
from reseller_kit.flows.unlock import unlock
from reseller_kit.theming.library import Theme, read_themes, themes_dir
from tests.support import factories

EXAMPLE = (Path(__file__).parents[2] / "tenants.example.toml").read_text(encoding="utf-8")
SECRET_KEY = factories.SECRET_KEY
KEYS = {"DEMO_UPSTREAM_KEY": "sk-upstream-1"}


@cache
def installed() -> dict[str, Theme]:
    return read_themes(themes_dir())


def manifest_of(text: str = EXAMPLE) -> Manifest:
    return read_manifest(text, "tenants.toml", installed())


def edited(*edits: tuple[str, str], text: str = EXAMPLE) -> str:
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def without(start: str, end: str, text: str = EXAMPLE) -> str:
    """The text without the part from `start` up to `end`."""
    head, _, tail = text.partition(start)
    assert tail
    return head + end + tail.partition(end)[2] if end else head


ONE_TENANT = without("# The second storefront", "")


async def applied(db: Database, text: str = EXAMPLE, environ: Mapping[str, str] = KEYS, **options: Any) -> Plan:
    vault = await unlock(db, SECRET_KEY)
    return await apply(db, vault, manifest_of(text), resolver(environ, Path()), actor="test", **options)


async def planned(db: Database, text: str = EXAMPLE, environ: Mapping[str, str] = KEYS, **options: Any) -> Plan:
    vault = await unlock(db, SECRET_KEY)
    return await plan(db, vault, manifest_of(text), resolver(environ, Path()), **options)


async def dump(db: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    async with db.read(EVERY_TENANT) as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))]
            for table in t.metadata.sorted_tables
        }


async def rows(db: Database, statement: Any) -> list[Any]:
    async with db.read(EVERY_TENANT) as connection:
        return list(await connection.execute(statement))


def shown(found: Plan) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.id) for change in found.changes]
