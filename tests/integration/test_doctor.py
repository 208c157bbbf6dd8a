"""What doctor finds on the machine, in the mail's DNS and in the way to be paid; with each finding its fix."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.core.times import DAY_US
from reseller_kit.db import hook_endpoints, leases, operator_machine, schema
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from reseller_kit.db.hook_endpoints import HookEndpoint
from reseller_kit.dns import Resolver
from reseller_kit.flows import backup, doctor_machine, doctor_payments, doctor_server
from reseller_kit.flows.doctor import RULES, examine_tenant
from reseller_kit.flows.doctor_machine import about_unread, examine_machine
from reseller_kit.flows.doctor_mail import about_mail
from reseller_kit.flows.payment_setup import Setup, Tried
from reseller_kit.flows.unlock import unlock
from tests.support.dns_double import DnsDouble, dns_double
from tests.support.factories import SECRET_KEY, make_platform, make_tenant

GIB = 1024**3


@pytest.fixture
def dns() -> Iterator[DnsDouble]:
    with dns_double() as double:
        yield double


def codes(found: list[Any]) -> list[str]:
    assert all(each.fix and each.code in RULES for each in found)
    return [each.code for each in found]


async def machine(db: Database, tmp_path: Path, key_file: Path | None = None) -> list[str]:
    return codes(await examine_machine(db, tmp_path, key_file))


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=50 * GIB))


async def test_a_sound_machine_has_no_finding(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.touch(0o600)
    assert await machine(db, tmp_path, file) == []


async def test_a_clock_that_is_behind_what_was_written(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.write(NO_TENANT) as connection:
        await leases.take(connection, "own_other", 1, "x")
    assert await machine(db, tmp_path) == []
    monkeypatch.setattr(doctor_machine, "now_us", lambda: now_us() - 5_000_000)
    assert await machine(db, tmp_path) == ["DR121"]


async def test_little_room(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, level in ((GIB, "warning"), (GIB // 10, "error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder, free=free: SimpleNamespace(free=free))
        found = await examine_machine(db, tmp_path, None)
        assert [(each.code, each.level) for each in found] == [("DR122", level)]


async def test_another_versions_schema(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "head", lambda: "9999")
    assert await machine(db, tmp_path) == ["DR123"]


async def test_a_secret_key_that_others_may_read(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.touch(0o644)
    file.chmod(0o644)
    assert await machine(db, tmp_path, file) == ["DR125"]


def test_a_variable_that_nothing_reads_is_a_warning_with_what_may_be_meant() -> None:
    misspelt, unlike = about_unread([("RESELLER_KIT_LOGS", "RESELLER_KIT_LOG"), ("RESELLER_KIT_PORT", "")])
    assert (misspelt.code, misspelt.level) == ("DR126", "warning")
    assert "RESELLER_KIT_LOGS" in misspelt.message
    assert "Write RESELLER_KIT_LOG if" in misspelt.fix
    assert "Take it out" in unlike.fix


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_file_without_a_backup_once_there_is_something_to_lose(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def long_ago(_connection: Any) -> int:
        return now_us() - 8 * DAY_US

    assert await machine(db, tmp_path) == []
    monkeypatch.setattr(operator_machine, "first_money", long_ago)
    assert await machine(db, tmp_path) == ["DR124"]
    await backup.back_up(db, tmp_path / "copy.db")
    assert await machine(db, tmp_path) == []
    monkeypatch.setattr(doctor_machine, "now_us", lambda: now_us() + 8 * DAY_US)
    assert await machine(db, tmp_path) == ["DR124"]
    async with db.read(EVERY_TENANT) as connection:
        assert now_us() - (await operator_machine.last_backup(connection) or 0) < DAY_US


async def test_records_that_let_mails_arrive(dns: DnsDouble) -> None:
    resolver = Resolver([dns.address])

    async def found() -> list[str]:
        return codes(await about_mail(resolver, "aurora", "ai.aurora.example"))

    dns.set("ai.aurora.example", "A", "192.0.2.1")
    assert await found() == ["DR231", "DR232", "DR233"]
    dns.set("ai.aurora.example", "TXT", "something", "v=spf1 include:mail.example -all")
    dns.set("s1._domainkey.ai.aurora.example", "TXT", "v=DKIM1; p=abc")
    dns.set("_dmarc.ai.aurora.example", "TXT", "v=DMARC1; p=reject")
    assert await found() == []
    dns.set("ai.aurora.example", "TXT", "v=spf1 -all", "v=spf1 include:mail.example -all")
    dns.set("_dmarc.ai.aurora.example", "TXT")
    assert await found() == ["DR231", "DR233"]
    dns.set("_dmarc.aurora.example", "TXT", "v=DMARC1; p=none")
    assert await found() == ["DR231"], "a policy of the domain above counts"


async def test_a_name_server_that_fails_proves_nothing(dns: DnsDouble) -> None:
    dns.failing = {"aurora.example", "_domainkey.aurora.example", "_dmarc.aurora.example"}
    assert await about_mail(Resolver([dns.address]), "aurora", "aurora.example") == []
    assert await about_mail(Resolver([dns.address]), "aurora", "127.0.0.2") == []
    assert await about_mail(Resolver([dns.address]), "aurora", "aurora.localhost") == []


async def test_the_senders_own_domain_is_looked_at(db: Database, dns: DnsDouble) -> None:
    await make_platform(db)
    await make_tenant(db, "aurora", settings={"email": {"from": "Aurora <hi@post.aurora.example>"}})
    _, found = await examine_tenant(db, "aurora", Resolver([dns.address]))
    about = [each for each in found if each.code.startswith("DR23")]
    assert about
    assert all("post.aurora.example" in each.message for each in about)
    _, unasked = await examine_tenant(db, "aurora")
    assert not [each for each in unasked if each.code.startswith("DR23")]


async def test_a_way_to_be_paid_that_lacks_its_secrets(db: Database) -> None:
    await make_platform(db)
    paddle = {"provider": "paddle", "environment": "sandbox"}
    await make_tenant(db, "aurora", settings={"payments": paddle})
    await make_tenant(db, "boreal")
    found = await doctor_payments.examine_payments(db, await unlock(db, SECRET_KEY))
    assert [(each.code, each.where) for each in found] == [("DR241", "aurora")]


def test_a_provider_that_refused_when_it_was_tried() -> None:
    setup = Setup(
        fields={"provider": "paddle"},
        fingerprints={},
        shared=False,
        account="x",
        missing="",
        keeps_catalogue=True,
        tries=True,
        offered=0,
        known=0,
        tried=Tried(at=0, account="x", problem="It said no."),
    )
    (only,) = doctor_payments._found("aurora", setup)
    assert only.code == "DR242"
    assert "It said no." in only.message


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://x", "http://", "http://x:99999", "http://[::1"])
async def test_what_is_no_server_is_refused(db: Database, url: str) -> None:
    with pytest.raises(Exception, match="takes the URL"):
        await doctor_server.examine_server(db, url)


async def test_a_server_that_is_not_there(db: Database) -> None:
    (only,) = await doctor_server.examine_server(db, "http://127.0.0.1:1")
    assert only.code == "DR131"


def test_every_code_is_given_somewhere_and_every_one_given_is_known() -> None:
    source = "".join(path.read_text() for path in (Path(doctor_machine.__file__).parent).rglob("*.py"))
    given = set(re.findall(r'(?:omplaint|Wrong)\(\s*"(DR\d{3})"', source))
    assert given == set(RULES)


async def test_webhook_endpoints_that_fail_or_were_switched_off_for_it(db: Database) -> None:
    tenant = await make_tenant(db, hosts=["shop.localhost"])

    async def found(**values: Any) -> list[str]:
        async with db.write(tenant.id) as connection:
            await hook_endpoints.change(connection, tenant.id, "whe_1", **values)
        _, complaints = await examine_tenant(db, tenant.slug)
        codes(complaints)
        return [one.message for one in complaints if one.code == "DR251" and one.where == f"{tenant.slug}/whe_1"]

    async with db.write(tenant.id) as connection:
        endpoint = HookEndpoint(
            id="whe_1",
            tenant_id=tenant.id,
            url="https://crm.example/hook?token=hidden",
            description="",
            events=("*",),
            sealed_by="dk_1",
            sealed=b"sealed",
            created_at=1,
        )
        await hook_endpoints.add(connection, tenant.id, endpoint)
    assert await found(failing_since=None) == []
    (failing,) = await found(failing_since=1_700_000_000_000_000)
    assert "fail since 2023-11-14" in failing
    for why, says in (("failing", "nothing sent to it arrived"), ("gone", "410")):
        (off,) = await found(disabled_at=1_700_000_000_000_000, disabled_why=why)
        assert says in off
        assert "hidden" not in off
    assert await found(disabled_why="hand") == []
