"""Secrets of an apply: stored sealed, noticed when they change, forgotten when nothing refers to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import InvalidManifest
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows import snapshot
from reseller_kit.flows.provision import Plan, apply, plan, read_manifest, resolver
from reseller_kit.flows.provision.secrets import UnreadableSecret
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import SECRET_KEY, installed

TEXT = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "https://api.example.com/v1"
api_keys = ["env:KEY_1", "env:KEY_2"]
headers = { "x-team-token" = "env:TEAM", "x-plain" = "resale" }
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "aurora.example"
  [tenants.payments]
  provider = "paddle"
  api_key = "file:paddle.key"
  webhook_secret = "env:HOOK"
  [tenants.email]
  smtp = { host = "mail.example", user = "u", password = "env:MAIL" }
"""
ENVIRONMENT = {"KEY_1": "sk-1", "KEY_2": "sk-2", "TEAM": "team-1", "HOOK": "whsec", "MAIL": "mail-1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "paddle.key").write_text("pdl-1\n")
    return tmp_path


async def applied(db: Database, folder: Path, text: str = TEXT, environ: Mapping[str, str] = ENVIRONMENT) -> Plan:
    manifest = read_manifest(text, "tenants.toml", installed())
    vault = await unlock(db, SECRET_KEY)
    return await apply(db, vault, manifest, resolver(environ, folder), actor="test")


async def planned(db: Database, folder: Path, environ: Mapping[str, str]) -> Plan:
    manifest = read_manifest(TEXT, "tenants.toml", installed())
    return await plan(db, await unlock(db, SECRET_KEY), manifest, resolver(environ, folder))


async def stored(db: Database) -> dict[str, str]:
    """Every stored secret opened, but the vault's own."""
    vault = await unlock(db, SECRET_KEY)
    async with db.read(EVERY_TENANT) as connection:
        found = await connection.execute(select(t.secret).where(t.secret.c.fingerprint != ""))
        return {row.name: vault.open(row.name, row.key_id, bytes(row.ciphertext)) for row in found}


async def fingerprints(db: Database) -> list[Any]:
    async with db.read(EVERY_TENANT) as connection:
        statement = select(t.upstream_key.c.reference, t.upstream_key.c.fingerprint).order_by(t.upstream_key.c.position)
        return [tuple(row) for row in await connection.execute(statement)]


async def test_every_reference_is_resolved_and_sealed(db: Database, folder: Path) -> None:
    await applied(db, folder)
    assert await stored(db) == {
        "upstream:one:key:0": "sk-1",
        "upstream:one:key:1": "sk-2",
        "upstream:one:header:x-team-token": "team-1",
        "tenant:aurora:payments.api_key": "pdl-1",
        "tenant:aurora:payments.webhook_secret": "whsec",
        "tenant:aurora:email.smtp.password": "mail-1",
    }
    async with db.read(EVERY_TENANT) as connection:
        settings = await connection.scalar(select(t.tenant.c.settings))
    assert settings is not None
    assert settings["payments"]["api_key"] == "file:paddle.key"


async def test_a_changed_secret_is_noticed_and_shown_as_no_more_than_that(db: Database, folder: Path) -> None:
    await applied(db, folder)
    before = await fingerprints(db)
    changed = {**ENVIRONMENT, "KEY_2": "sk-2-new", "HOOK": "whsec-new"}
    found = await planned(db, folder, changed)
    assert [(change.kind, change.id, change.fields) for change in found.changes] == [
        ("tenant", "aurora", {"secret": "changed"}),
        ("upstream", "one", {"secret": "changed"}),
    ]
    assert found.pending
    await applied(db, folder, environ=changed)
    after = await fingerprints(db)
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert (await stored(db))["tenant:aurora:payments.webhook_secret"] == "whsec-new"
    assert (await applied(db, folder, environ=changed)).changes == ()


async def test_a_missing_secret_refuses_the_first_apply_with_all_places(db: Database, folder: Path) -> None:
    (folder / "paddle.key").unlink()
    with pytest.raises(InvalidManifest) as refused:
        await applied(db, folder, environ={"KEY_1": "sk-1", "TEAM": " ", "MAIL": "m", "HOOK": "h"})
    assert [(finding["line"], finding["code"], finding["path"]) for finding in refused.value.details] == [
        (7, "RK501", "upstreams.one.api_keys[1]"),
        (8, "RK501", "upstreams.one.headers.x-team-token"),
        (16, "RK501", "tenants[0].payments.api_key"),
    ]
    async with db.read(EVERY_TENANT) as connection:
        assert (await connection.execute(select(t.tenant))).first() is None


async def test_a_plan_warns_of_a_missing_secret_that_no_call_needs(db: Database, folder: Path) -> None:
    found = await planned(db, folder, {"KEY_1": "sk-1", "KEY_2": "sk-2"})
    assert {finding.level for finding in found.warnings} == {"warning"}
    assert len(found.warnings) == 3
    assert found.pending


async def test_a_plan_is_refused_with_an_upstream_key_that_is_missing_or_empty(db: Database, folder: Path) -> None:
    for environ in ({"KEY_2": "sk-2"}, {"KEY_1": " ", "KEY_2": "sk-2"}):
        with pytest.raises(InvalidManifest) as refused:
            await planned(db, folder, environ)
        errors = [finding for finding in refused.value.details if finding["level"] == "error"]
        assert [(found["line"], found["path"]) for found in errors] == [(7, "upstreams.one.api_keys[0]")]
        assert "export KEY_1" in errors[0]["fix"]


async def test_a_stored_key_does_not_make_up_for_one_that_is_empty_now(db: Database, folder: Path) -> None:
    await applied(db, folder)
    with pytest.raises(InvalidManifest, match=r"1 error"):
        await planned(db, folder, {**ENVIRONMENT, "KEY_1": ""})


@pytest.mark.parametrize("name", ["KEY_1", "TEAM"])
async def test_a_key_that_no_header_can_carry_is_refused_by_plan_and_apply(
    db: Database, folder: Path, name: str
) -> None:
    """A key pasted with a look-alike letter or a dash of a word processor would fail every call."""
    unusable = {**ENVIRONMENT, name: "sk–ключ"}
    for work in (planned(db, folder, unusable), applied(db, folder, environ=unusable)):
        with pytest.raises(InvalidManifest) as refused:
            await work
        (found,) = [finding for finding in refused.value.details if finding["level"] == "error"]
        assert (found["code"], "no header" in found["message"]) == ("RK501", True)
        assert "ключ" not in str(found)
    await applied(db, folder)
    with pytest.raises(InvalidManifest):
        await applied(db, folder, environ=unusable)


async def test_a_stored_secret_is_kept_where_its_source_is_away(db: Database, folder: Path) -> None:
    await applied(db, folder)
    before = await stored(db)
    done = await applied(db, folder, TEXT.replace('"Aurora"', '"Aurora AI"'), environ={})
    assert [change.id for change in done.changes] == ["aurora"]
    assert "kept" in done.warnings[0].message
    assert await stored(db) == before


async def test_a_kept_secret_does_not_serve_another_reference(db: Database, folder: Path) -> None:
    await applied(db, folder)
    with pytest.raises(InvalidManifest):
        await applied(db, folder, TEXT.replace("env:KEY_1", "env:OTHER"), environ={})


async def test_a_shorter_pool_forgets_the_key_that_left(db: Database, folder: Path) -> None:
    await applied(db, folder)
    text = TEXT.replace('["env:KEY_1", "env:KEY_2"]', '["env:KEY_2"]').replace('"x-team-token" = "env:TEAM", ', "")
    await applied(db, folder, text)
    names = await stored(db)
    assert names["upstream:one:key:0"] == "sk-2"
    assert {name for name in names if name.startswith("upstream:")} == {"upstream:one:key:0"}
    served = await snapshot.load(db, await unlock(db, SECRET_KEY))
    assert [key.secret for key in served.upstreams["one"].api_keys] == ["sk-2"]


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "a\x00b", "x" * 20_000])
def test_what_is_no_secret_is_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(value)
    for reference in ("env:S", "file:s"):
        with pytest.raises(UnreadableSecret) as refused:
            resolver({"S": value}, tmp_path)(reference)
        assert "xxx" not in refused.value.message


def test_a_file_is_read_beside_the_manifest_or_by_its_full_path(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("value\n")
    assert resolver({}, tmp_path)("file:s") == "value"
    assert resolver({}, Path("/nowhere"))(f"file:{tmp_path}/s") == "value"
    with pytest.raises(UnreadableSecret):
        resolver({}, tmp_path)("file:none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableSecret):
        resolver({}, tmp_path)("file:binary")
