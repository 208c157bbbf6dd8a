"""Customers hear of prices that change: those concerned, ahead of time, once, and in the brand's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, update

from reseller_kit.core.errors import NoticeTooShort
from reseller_kit.core.times import DAY_US, HOUR_US
from reseller_kit.db import outbox, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.notices import tell
from reseller_kit.flows.schedule import NewChange, cancel_price, schedule_price
from tests.support.factories import deposit, grant, make_call, make_customer, make_key
from tests.support.provisioning import applied, edited, rows


async def tenant_of(db: Database, slug: str) -> Tenant:
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, slug)
    assert tenant is not None
    return tenant


async def make_user(db: Database, tenant: Tenant, email: str, *models: str, **record: Any) -> Customer:
    """A customer who called the models."""
    customer = await make_customer(db, tenant, email)
    await grant(db, customer)
    key = await make_key(db, customer)
    for model in models:
        await make_call(db, customer, key, model, **record)
    return customer


async def mails(db: Database) -> dict[str, list[tuple[str, str, str | None, str | None]]]:
    """Recipient → lines of the announcements that wait."""
    return await _mails_of(db, "price_change")


async def withdrawn(db: Database) -> dict[str, list[tuple[str, str, str | None, str | None]]]:
    """Recipient → lines of what was announced and does not come."""
    return await _mails_of(db, "price_withdrawn")


async def _mails_of(db: Database, kind: str) -> dict[str, list[tuple[str, str, str | None, str | None]]]:
    found: dict[str, list[Any]] = {}
    for row in await rows(db, t.outbox.select().where(t.outbox.c.kind == kind).order_by(t.outbox.c.id)):
        lines = [(line["model"], line["class"], line["old"], line["new"]) for line in row.payload["lines"]]
        found.setdefault(row.recipient, []).extend(lines)
    return found


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The statements that are asked meanwhile, but for what sets whose rows may be seen."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "set_config" not in statement:
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def opened(db: Database) -> Tenant:
    """The example's storefronts, with what the first apply published long told."""
    await applied(db)
    tenant = await tenant_of(db, "aurora")
    await deposit(db, tenant)
    assert await tell(db) == 0
    return tenant


def change(moment: int, **terms: Any) -> NewChange:
    defaults: dict[str, Any] = {"match": None, "markup_ppm": None, "prices": {}, "allow_loss": False}
    return NewChange(effective_from=moment, **{**defaults, **terms})


async def test_who_used_the_model_is_told_in_time_and_once(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5", "gpt-5")
    await make_user(db, tenant, "other@example.com", "gpt-4.1")
    await make_user(db, tenant, "idle@example.com")
    now = now_us()
    moment = now + 30 * DAY_US
    await schedule_price(db, "aurora", change(moment, match="gpt-5", prices={"input": 2_000_000}), "test")
    assert await tell(db, moment - 14 * DAY_US - 1) == 0
    assert await tell(db, moment - 14 * DAY_US) == 1
    assert await tell(db, moment - 13 * DAY_US) == 0
    assert await mails(db) == {"user@example.com": [("gpt-5", "input", "1.925", "2.00")]}
    assert await tell(db, moment) == 0


async def test_each_customer_hears_of_the_models_it_used_under_its_own_names(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "one@example.com", "gpt-5", "gpt-4.1")
    await make_user(db, tenant, "two@example.com", "gpt-4.1")
    async with db.administer() as connection:
        c = t.usage_record.c
        await connection.execute(update(t.usage_record).where(c.public_model == "gpt-4.1").values(model="nimbus"))
    moment = now_us() + DAY_US
    await schedule_price(db, "aurora", change(moment, match="gpt-*", markup_ppm=600_000), "test")
    assert await tell(db) == 2
    found = await mails(db)
    assert {line[0] for line in found["one@example.com"]} == {"gpt-5", "nimbus"}
    assert {line[0] for line in found["two@example.com"]} == {"nimbus"}


async def test_a_price_that_changes_at_once_is_told_at_once(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    await applied(db, edited(('markup = "40%"', 'markup = "45%"')))
    assert await tell(db) == 1
    assert await tell(db) == 0
    lines = (await mails(db))["user@example.com"]
    assert ("gpt-5", "input", "1.925", "1.99375") in lines


async def test_only_verified_and_active_customers_of_late_are_told(db: Database) -> None:
    tenant = await opened(db)
    now = now_us()
    unverified = await make_user(db, tenant, "unverified@example.com", "gpt-5")
    suspended = await make_user(db, tenant, "suspended@example.com", "gpt-5")
    await make_user(db, tenant, "failed@example.com", "gpt-5", status="failed")
    await make_user(db, tenant, "long-ago@example.com", "gpt-5", created_at=now - 100 * DAY_US)
    async with db.write(EVERY_TENANT) as connection:
        c = t.customer.c
        await connection.execute(update(t.customer).where(c.id == unverified.id).values(verified_at=None))
        await connection.execute(update(t.customer).where(c.id == suspended.id).values(status="suspended"))
    await schedule_price(db, "aurora", change(now + DAY_US, match="gpt-5", markup_ppm=600_000), "test")
    assert await tell(db) == 0


async def test_a_change_that_is_cancelled_in_time_is_told_to_nobody(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    moment = now_us() + 30 * DAY_US
    made = await schedule_price(db, "aurora", change(moment, match="gpt-5", markup_ppm=600_000), "test")
    await cancel_price(db, "aurora", made.change.id, "test")
    assert await tell(db, moment - DAY_US) == 0


async def test_other_prices_for_the_same_moment_are_told_as_well(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    moment = now_us() + DAY_US
    made = await schedule_price(db, "aurora", change(moment, match="gpt-5", prices={"input": 2_000_000}), "test")
    assert await tell(db) == 1
    await schedule_price(db, "aurora", change(moment, match="gpt-5", prices={"input": 2_100_000}), "test")
    await cancel_price(db, "aurora", made.change.id, "test")
    assert await tell(db) == 1
    assert (await mails(db))["user@example.com"] == [
        ("gpt-5", "input", "1.925", "2.00"),
        ("gpt-5", "input", "1.925", "2.10"),
    ]
    assert await withdrawn(db) == {}


async def test_who_was_told_of_a_change_that_is_cancelled_is_told_so_once(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    await make_user(db, tenant, "other@example.com", "gpt-4.1")
    moment = now_us() + DAY_US
    terms = change(moment, match="gpt-5", prices={"input": 2_000_000})
    made = await schedule_price(db, "aurora", terms, "test")
    assert await tell(db) == 1
    await cancel_price(db, "aurora", made.change.id, "test")
    assert await tell(db) == 1
    assert await tell(db) == 0
    assert await withdrawn(db) == {"user@example.com": [("gpt-5", "input", "1.925", "2.00")]}
    again = await schedule_price(db, "aurora", terms, "test")
    assert await tell(db) == 1, "what is announced anew is told anew"
    await cancel_price(db, "aurora", again.change.id, "test")
    assert await tell(db) == 1
    assert len((await mails(db))["user@example.com"]) == len((await withdrawn(db))["user@example.com"]) == 2


async def test_of_two_models_the_one_whose_change_is_cancelled_is_named(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5", "gpt-4.1")
    moment = now_us() + DAY_US
    await schedule_price(db, "aurora", change(moment, match="gpt-5", prices={"input": 2_000_000}), "test")
    made = await schedule_price(db, "aurora", change(moment, match="gpt-4.1", prices={"input": 9_000_000}), "test")
    assert await tell(db) == 1
    await cancel_price(db, "aurora", made.change.id, "test")
    await tell(db)
    assert {line[0] for line in (await withdrawn(db))["user@example.com"]} == {"gpt-4.1"}
    assert (await mails(db))["user@example.com"][-1][0] == "gpt-5"


async def test_first_prices_are_passed_over_together(db: Database) -> None:
    await applied(db)
    with counted_statements() as asked:
        assert await tell(db) == 0
    versions = t.price_version.c
    offering = {row.tenant_id for row in await rows(db, t.price_version.select().where(versions.level == "retail"))}
    assert {row.tenant_id for row in await rows(db, t.price_notice.select())} == offering
    assert len(offering) > 1
    assert [one.split()[0] for one in asked if not one.startswith("BEGIN")] == ["SELECT", "INSERT"]
    with counted_statements() as asked:
        assert await tell(db) == 0
    assert len([one for one in asked if not one.startswith("BEGIN")]) == 1


async def test_notice_days_are_the_tenants_own(db: Database) -> None:
    await applied(db, edited(('markup = "40%"  ', 'markup = "40%"\n  notice_days = 2 ')))
    tenant = await tenant_of(db, "aurora")
    await deposit(db, tenant)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    moment = now_us() + 10 * DAY_US
    await schedule_price(db, "aurora", change(moment, match="gpt-5", markup_ppm=600_000), "test")
    assert await tell(db, moment - 2 * DAY_US - 1) == 0
    assert await tell(db, moment - 2 * DAY_US) == 1


async def test_a_repetition_after_a_fault_sends_nothing_twice(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    await schedule_price(db, "aurora", change(now_us() + DAY_US, match="gpt-5", markup_ppm=600_000), "test")
    assert await tell(db) == 1
    async with db.administer() as connection:
        await connection.execute(t.price_notice.delete())
    assert await tell(db) == 0
    async with db.read(EVERY_TENANT) as connection:
        mails = await outbox.page(connection, tenant.id, 10, None)
    assert [mail.kind for mail in mails if mail.kind.startswith("price")] == ["price_change"]


async def test_a_closed_storefront_tells_nobody(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    await schedule_price(db, "aurora", change(now_us() + DAY_US, match="gpt-5", markup_ppm=600_000), "test")
    async with db.write(EVERY_TENANT) as connection:
        await tenants.set_suspended(connection, tenant.id, now_us(), "test")
    assert await tell(db) == 0


async def test_a_team_gives_notice_of_what_rises_for_those_who_use_it(db: Database) -> None:
    tenant = await opened(db)
    await make_user(db, tenant, "user@example.com", "gpt-5")
    now = now_us()
    dearer: dict[str, Any] = {"match": "gpt-5", "prices": {"input": 2_000_000}}
    with pytest.raises(NoticeTooShort, match="use gpt-5 hear of higher prices 14 days ahead") as refused:
        await schedule_price(db, "aurora", change(now + 13 * DAY_US, **dearer), "ada", with_notice=True)
    assert now + 14 * DAY_US <= refused.value.earliest <= now + 14 * DAY_US + 2 * HOUR_US
    assert not await rows(db, t.scheduled_price.select())
    for soon in ({"match": "gpt-5", "prices": {"input": 1_900_000}}, {"match": "gpt-4.1", "markup_ppm": 900_000}):
        made = await schedule_price(db, "aurora", change(now + DAY_US, **soon), "ada", with_notice=True)
        await cancel_price(db, "aurora", made.change.id, "ada")
    for begins, with_notice in ((refused.value.earliest, True), (now + DAY_US, False)):
        made = await schedule_price(db, "aurora", change(begins, **dearer), "ada", with_notice=with_notice)
        await cancel_price(db, "aurora", made.change.id, "ada")
    low: dict[str, Any] = {"match": "gpt-5", "prices": {"input": 1_800_000}}
    await schedule_price(db, "aurora", change(now + DAY_US, **low), "ada", with_notice=True)
    back: dict[str, Any] = {"match": "gpt-5", "prices": {"input": 1_925_000}}
    with pytest.raises(NoticeTooShort):
        await schedule_price(db, "aurora", change(now + 2 * DAY_US, **back), "ada", with_notice=True)
