"""The outbox and its delivery: once each, in the brand's name, again after a failure, and never for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.db import customers, operator_outbox, outbox, secrets
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.deliver import KINDS, Post, deliver
from reseller_kit.flows.unlock import unlock
from reseller_kit.mail import Folder, Letter, MailFailed
from reseller_kit.theming import load
from reseller_kit.theming.sample import MAILS
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_platform, make_tenant
from tests.support.mail_server import mail_server, self_signed

LIBRARY = load()
HOUR_US = 3_600_000_000


class Recorder:
    """An outlet that fails as often as it is told, and keeps what it sent."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.sent: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(letter)


async def queue(db: Database, tenant: Tenant, dedupe: str = "one", now: int | None = None, **changes: Any) -> bool:
    fields: dict[str, Any] = {
        "kind": "price_change",
        "recipient": "jane@example.com",
        "payload": MAILS["price_change"],
        "dedupe": dedupe,
        "now": now_us() if now is None else now,
        **changes,
    }
    async with db.write(tenant.id) as connection:
        return await outbox.add(connection, tenant.id, **fields)


async def row(db: Database) -> Any:
    async with db.read(EVERY_TENANT) as connection:
        return (await connection.execute(select(t.outbox))).one()


async def run(db: Database, outlet: Any, now: int | None = None) -> int:
    return await deliver(db, await unlock(db, SECRET_KEY), Post(LIBRARY, outlet, 8000), now)


async def make_shop(db: Database, **settings: Any) -> Tenant:
    await make_platform(db)
    return await make_tenant(db, "aurora", hosts=["aurora.example"], settings=settings)


async def test_a_mail_is_sent_once_in_the_brands_name(db: Database, tmp_path: Path) -> None:
    tenant = await make_shop(db, brand={"support_email": "help@aurora.example", "tokens": {"color.accent": "#aa0033"}})
    assert await queue(db, tenant)
    assert await run(db, Folder(tmp_path)) == 1
    assert await run(db, Folder(tmp_path)) == 0
    (file,) = tmp_path.iterdir()
    message: Any = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert message["From"] == "Aurora <no-reply@aurora.example>"
    assert message["Reply-To"] == "help@aurora.example"
    assert message["To"] == "jane@example.com"
    assert message["Subject"] == "Aurora: prices change"
    html, text = message.get_body(("html",)).get_content(), message.get_body(("plain",)).get_content()
    for body in (html, text):
        assert "gpt-5-mini" in body
        assert "$0.44" in body
        assert "https://aurora.example/pricing" in body
    assert "#aa0033" in html
    assert "northwind" not in file.read_text().lower()
    stored = await row(db)
    assert (stored.attempts, stored.last_error) == (1, None)
    assert stored.sent_at is not None


@pytest.mark.parametrize(
    ("locales", "chosen", "subject"),
    [
        (["en", "de"], "de", "Aurora: Preise ändern sich"),
        (["en", "de"], None, "Aurora: prices change"),
        (["en", "ar"], "de", "Aurora: prices change"),  # a language that the brand does not offer any more
        (["es", "de"], None, "Aurora: cambian los precios"),
    ],
)
async def test_a_customers_mail_is_in_the_customers_language(
    db: Database, locales: list[str], chosen: str | None, subject: str
) -> None:
    tenant = await make_shop(db, brand={"locales": locales})
    other = await make_tenant(db, "borealis", hosts=["borealis.example"], settings={"brand": {"locales": ["ar", "zh"]}})
    for shop, locale in ((tenant, chosen), (other, "zh")):  # the same address is another customer elsewhere
        customer = await make_customer(db, shop, email="jane@example.com")
        async with db.write(shop.id) as connection:
            await customers.set_profile(connection, shop.id, customer.id, name="", locale=locale, timezone=None)
    await queue(db, tenant)
    recorder = Recorder()
    await run(db, recorder)
    assert [letter.subject for letter in recorder.sent] == [subject]


async def test_a_teams_mail_is_not_in_a_customers_language(db: Database) -> None:
    tenant = await make_shop(db, brand={"locales": ["de"]})
    await queue(db, tenant, kind="wholesale_low", payload=MAILS["wholesale_low"])
    recorder = Recorder()
    await run(db, recorder)
    assert recorder.sent[0].subject.endswith("your wholesale balance is low")


async def test_the_same_fact_is_told_once(db: Database) -> None:
    tenant, other = await make_shop(db), await make_tenant(db, "borealis", hosts=["borealis.example"])
    assert await queue(db, tenant)
    assert not await queue(db, tenant)
    assert await queue(db, other)
    assert await queue(db, tenant, "two")
    recorder = Recorder()
    assert await run(db, recorder) == 3
    assert await run(db, recorder) == 0
    assert Counter(letter.sender.address for letter in recorder.sent) == {
        "no-reply@aurora.example": 2,
        "no-reply@borealis.example": 1,
    }


async def test_a_mail_belongs_to_its_transaction(db: Database) -> None:
    tenant = await make_shop(db)

    async def undone() -> None:
        async with db.write(tenant.id) as connection:
            fields: dict[str, Any] = {"kind": "price_change", "recipient": "jane@example.com", "payload": {}}
            await outbox.add(connection, tenant.id, **fields, dedupe="one", now=1)
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await undone()
    assert await run(db, Recorder()) == 0


@pytest.mark.parametrize("changes", [{"kind": ""}, {"dedupe": ""}, {"dedupe": "a\nb"}, {"recipient": "a@b\nBcc: c@d"}])
async def test_a_mail_without_a_name_or_address_is_refused(db: Database, changes: dict[str, Any]) -> None:
    tenant = await make_shop(db)
    with pytest.raises(InvalidRequest):
        await queue(db, tenant, **changes)
    assert await run(db, Recorder()) == 0


async def test_several_processes_send_each_mail_once(db: Database) -> None:
    tenant = await make_shop(db)
    for number in range(25):
        await queue(db, tenant, f"mail {number}")
    other = Database(db.url.render_as_string(hide_password=False))
    recorder, vault = Recorder(), await unlock(db, SECRET_KEY)
    post = Post(LIBRARY, recorder, 8000)
    try:
        while sum(await asyncio.gather(*(deliver(one, vault, post) for one in (db, other, db)))):
            pass
    finally:
        await other.close()
    assert len(recorder.sent) == 25
    assert len({letter.reference for letter in recorder.sent}) == 25


async def test_a_failure_is_tried_again_after_growing_delays_and_then_parked(db: Database) -> None:
    tenant = await make_shop(db)
    await queue(db, tenant)
    recorder = Recorder(*[MailFailed("451 try later")] * 100)
    waits = []
    for attempt in range(1, outbox.MAX_ATTEMPTS + 1):
        due = (await row(db)).due_at
        assert await run(db, recorder, due - 1) == 0
        assert await run(db, recorder, due) == 1
        stored = await row(db)
        assert (stored.attempts, stored.last_error, stored.sent_at) == (attempt, "451 try later", None)
        waits.append(stored.due_at - due)
    assert waits == sorted(waits)
    assert waits[0] >= 30_000_000
    assert (await row(db)).parked_at is not None
    assert await run(db, recorder, now_us() + 1000 * HOUR_US) == 0
    async with db.read(tenant.id) as connection:
        found = await outbox.parked(connection, tenant.id, 0)
    assert (found.count, found.last_error) == (1, "451 try later")


async def test_an_address_that_is_refused_for_good_is_parked_at_once(db: Database) -> None:
    await queue(db, await make_shop(db))
    await run(db, Recorder(MailFailed("550 no such user", permanent=True)))
    assert (await row(db)).parked_at is not None


async def test_a_mail_that_cannot_be_written_does_not_hold_up_others(db: Database) -> None:
    tenant = await make_shop(db)
    await queue(db, tenant, "poison", payload={})
    await queue(db, tenant, "unknown kind", kind="nothing")
    await queue(db, tenant, "good")
    recorder = Recorder()
    assert await run(db, recorder) == 3
    assert len(recorder.sent) == 1


async def test_a_claim_runs_out_with_its_process_and_the_mail_keeps_its_name(db: Database) -> None:
    tenant = await make_shop(db)
    await queue(db, tenant)
    now = now_us()
    async with db.write(EVERY_TENANT) as connection:
        (dead,) = await operator_outbox.claim(connection, "clm_dead", now, 10)
    recorder = Recorder()
    assert await run(db, recorder, now + operator_outbox.CLAIM_US - 1) == 0
    assert await run(db, recorder, now + operator_outbox.CLAIM_US) == 1
    assert [letter.reference for letter in recorder.sent] == [dead.id]
    async with db.write(tenant.id) as connection:
        assert not await outbox.complete(connection, tenant.id, dead.id, dead.claim, now)
        assert not await outbox.fail(connection, tenant.id, dead.id, dead.claim, error="late", park=True, now=now)
    assert (await row(db)).parked_at is None


async def test_a_mail_that_kills_its_process_each_time_is_parked(db: Database) -> None:
    tenant = await make_shop(db)
    await queue(db, tenant)
    async with db.write(tenant.id) as connection:
        await connection.execute(update(t.outbox).values(attempts=outbox.MAX_ATTEMPTS))
    assert await run(db, Recorder()) == 0
    assert (await row(db)).parked_at is not None


async def test_an_own_mail_server_goes_first(db: Database, tmp_path: Path) -> None:
    async with mail_server(user="aurora", password="its password", tls=self_signed(tmp_path)) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "user": "aurora", "password": "env:SMTP"}
        tenant = await make_shop(db, email={"from": "Aurora AI <hi@aurora.example>", "smtp": smtp})
        await queue(db, tenant)
        recorder = Recorder()
        await run(db, recorder)
        stored = await row(db)
        assert stored.sent_at is None
        assert "not stored" in stored.last_error
        vault, name = await unlock(db, SECRET_KEY), "tenant:aurora:email.smtp.password"
        key_id, sealed = vault.seal(name, "its password")
        async with db.write(NO_TENANT) as connection:
            await secrets.put(connection, secrets.StoredSecret(name, key_id, sealed, "…"))
        await run(db, recorder, stored.due_at)
    (message,) = server.taken
    assert message["From"] == "Aurora AI <hi@aurora.example>"
    assert recorder.sent == []


async def test_a_storefront_without_a_host_waits_for_one(db: Database) -> None:
    await make_platform(db)
    await queue(db, await make_tenant(db, "aurora"))
    await run(db, Recorder())
    stored = await row(db)
    assert "no host" in stored.last_error
    assert stored.parked_at is None


async def test_a_resellers_team_hears_from_the_platform(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "price_change", "team")
    tenant = await make_shop(
        db, email={"from": "Aurora AI <hi@aurora.example>"}, brand={"support_email": "a@b.example"}
    )
    await queue(db, tenant)
    recorder = Recorder()
    await run(db, recorder)
    (letter,) = recorder.sent
    assert (letter.sender.name, letter.sender.address) == ("Northwind Platform", "no-reply@platform.localhost")
    assert letter.reply_to == ""
    assert "Aurora" not in letter.html + letter.text + letter.subject


def test_every_kind_has_a_sample_and_every_sample_a_kind() -> None:
    assert KINDS.keys() == MAILS.keys()


def test_parked_mails_are_shown_and_taken_up_again(cli: Cli) -> None:
    tenant = cli.seed(make_shop)
    cli.seed(lambda db: queue(db, tenant))
    cli.seed(lambda db: run(db, Recorder(MailFailed("550 no such user", permanent=True))))
    (mail,) = cli.ask("mail", "list", "--tenant", "aurora")["mails"]
    assert (mail["status"], mail["kind"], mail["recipient"]) == ("parked", "price_change", "jane@example.com")
    assert mail["last_error"] == "550 no such user"
    found = cli.run("tenant", "doctor", "aurora", "--json").json()["findings"]
    (complaint,) = [finding for finding in found if finding["code"] == "DR210"]
    assert "550 no such user" in complaint["message"]
    assert cli.refused("mail", "retry", "--tenant", "aurora", "mail_nothing")[0] == 4
    assert cli.ask("mail", "retry", "--tenant", "aurora") == {"retried": [mail["id"]]}
    recorder = Recorder()
    cli.seed(lambda db: run(db, recorder))
    assert len(recorder.sent) == 1
    (mail,) = cli.ask("mail", "list", "--tenant", "aurora")["mails"]
    assert mail["status"] == "sent"
    assert cli.ask("mail", "retry", "--tenant", "aurora") == {"retried": []}
