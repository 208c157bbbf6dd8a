"""`credit grant` of every kind and of packages, `credit reverse`, and what a key has spent of its limit."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.ledger import LotKind
from reseller_kit.core.money import NANO
from reseller_kit.core.periods import period_of
from reseller_kit.core.times import DAY_US, parse_time
from reseller_kit.db import provisioning
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows.grants import LOT_KINDS
from tests.support.commands import Cli
from tests.support.factories import (
    COST,
    deposit,
    make_call,
    make_customer,
    make_key,
    make_model,
    make_tenant,
    make_upstream,
    publish,
)

ON = ("--tenant", "aurora", "--customer", "kim@example.com")
GRANT = ("credit", "grant", *ON, "--reason", "Welcome")
STARTER = {"kind": "package", "title": "Starter", "price": "10.00", "credits": "12.00", "valid_days": 90}
MONTHLY = {"kind": "subscription", "title": "Monthly", "price": "9.00", "credits": "9.00", "period": "month"}
PACKAGES: dict[str, dict[str, Any]] = {
    "starter": {**STARTER, "models": ["gpt-*"]},
    "free": {"kind": "topup", "title": "Free amount", "min": "5.00", "max": "50.00"},
    "monthly": MONTHLY,
    "kept": {**MONTHLY, "period": "week", "roll_over": True},
}


async def _seed(db: Database) -> None:
    aurora = await make_tenant(db, "aurora")
    await make_customer(db, aurora, "kim@example.com")
    boreal = await make_tenant(db, "boreal")
    await make_customer(db, boreal, "kim@example.com")
    async with db.write(EVERY_TENANT) as connection:
        for code, terms in PACKAGES.items():
            await provisioning.publish_package(connection, aurora.id, code, {"id": code, **terms})
        await provisioning.publish_package(connection, aurora.id, "starter", {"id": "starter", **PACKAGES["starter"]})
        await provisioning.publish_package(connection, boreal.id, "theirs", {"id": "theirs", **PACKAGES["starter"]})
        await provisioning.publish_package(connection, aurora.id, "old", {"id": "old", **PACKAGES["starter"]})
        await provisioning.withdraw_package(connection, aurora.id, "old")


@pytest.fixture
def shop(cli: Cli) -> Cli:
    cli.seed(_seed)
    return cli


@pytest.fixture
def embedded_shop(embedded_cli: Cli) -> Cli:
    embedded_cli.seed(_seed)
    return embedded_cli


def newest_lot(cli: Cli) -> tuple[str, int, str, int | None]:
    """(kind, cash, ref, expires_at) as stored."""

    async def read(db: Database) -> tuple[str, int, str, int | None]:
        c = t.lot.c
        async with db.read(EVERY_TENANT) as connection:
            statement = select(c.kind, c.cash_nano, c.ref, c.expires_at).order_by(c.id.desc()).limit(1)
            row = (await connection.execute(statement)).one()
        return row.kind, row.cash_nano, row.ref, row.expires_at

    return cli.seed(read)


def test_every_kind_can_be_granted_with_scope_and_priority(shop: Cli) -> None:
    for kind in LOT_KINDS:
        shop.ask(*GRANT, "--amount", "1", "--kind", kind, "--models", "gpt-*, claude-*", "--priority", "-2")
    lots = shop.ask("credit", "balance", *ON)["lots"]
    assert sorted(lot["kind"] for lot in lots) == sorted(LOT_KINDS)
    assert {tuple(lot["models"]) for lot in lots} == {("gpt-*", "claude-*")}
    assert newest_lot(shop)[1:3] == (0, "")
    assert shop.ask("ledger", "audit")["ok"]


def test_a_package_grants_its_newest_version(shop: Cli) -> None:
    granted = shop.ask(*GRANT, "--package", "starter", "--idempotency-key", "gift")
    assert shop.ask(*GRANT, "--package", "starter", "--idempotency-key", "gift") == granted
    assert (granted["amount"], granted["balance"]) == ("12.00", "12.00")
    (lot,) = shop.ask("credit", "balance", *ON)["lots"]
    assert (lot["kind"], lot["models"]) == ("package", ["gpt-*"])
    kind, cash, ref, expires_at = newest_lot(shop)
    assert (kind, cash, ref) == ("package", 0, "package:starter@2")
    assert expires_at is not None
    assert abs(expires_at - now_us() - 90 * DAY_US) < 60_000_000
    assert shop.refused(*GRANT, "--amount", "12", "--idempotency-key", "gift")[0] == 5


def test_a_topup_is_bounded_and_a_subscription_lasts_its_period(embedded_shop: Cli) -> None:
    assert embedded_shop.ask(*GRANT, "--package", "free", "--amount", "5")["amount"] == "5.00"
    assert newest_lot(embedded_shop)[0] == "topup"
    for amount in ((), ("--amount", "4.99"), ("--amount", "50.01")):
        code, error = embedded_shop.refused(*GRANT, "--package", "free", *amount)
        assert (code, "5.00 to 50.00" in error["message"]) == (2, True)
    embedded_shop.ask(*GRANT, "--package", "monthly")
    kind, _, _, expires_at = newest_lot(embedded_shop)
    assert kind == "subscription"
    assert expires_at is not None
    embedded_shop.ask(*GRANT, "--package", "kept")
    kept_until = newest_lot(embedded_shop)[3]
    assert kept_until is not None
    assert abs(kept_until - now_us() - 14 * DAY_US) < 60_000_000


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--amount", "1", "--kind", "gift"), 2),
        (("--amount", "1", "--models", "a b"), 2),
        (("--amount", "1", "--models", ""), 2),
        (("--amount", "1", "--priority", "1001"), 2),
        (("--amount", "1", "--expires", "2020-01-01"), 2),
        (("--package", "starter", "--amount", "11"), 2),
        (("--package", "starter", "--models", "gpt-*"), 2),
        (("--package", "starter", "--expires", "2099-01-01"), 2),
        (("--package", "starter", "--kind", "promo"), 2),
        (("--package", "old"), 4),
        (("--package", "theirs"), 4),
        (("--package", "x' OR 1=1"), 4),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_moves(
    embedded_shop: Cli, arguments: tuple[str, ...], code: int
) -> None:
    exit_code, error = embedded_shop.refused(*GRANT, *arguments)
    assert (exit_code, bool(error["message"])) == (code, True)
    assert embedded_shop.ask("credit", "history", *ON)["entries"] == []


def test_lot_kinds_are_those_of_the_ledger() -> None:
    assert set(LOT_KINDS) == {"topup", "package", "subscription", "promo", "manual", "voucher", "trial"}
    assert LotKind.__args__ == LOT_KINDS  # type: ignore[attr-defined]  # a Literal carries them


async def _call(db: Database) -> str:
    tenant = await make_tenant(db, "cinder")
    customer = await make_customer(db, tenant, "kim@example.com")
    key = await make_key(db, customer, limit_nano=5 * NANO, limit_reset="monthly")
    await make_model(db, upstream_id=await make_upstream(db))
    await publish(db, tenant, "gpt-5-mini", wholesale=COST, retail=COST)
    await deposit(db, tenant)
    from tests.support.factories import grant

    await grant(db, customer)
    return await make_call(db, customer, key, quantities={"input": 1_000_000})


def test_a_charge_is_reversed_once_and_its_record_stays(cli: Cli) -> None:
    request_id = cli.seed(_call)
    on = ("--tenant", "cinder", "--customer", "kim@example.com")
    assert cli.ask("credit", "balance", *on)["balance"] == "9.75"
    command = ("credit", "reverse", request_id, "--tenant", "cinder", "--reason", "The answer was empty")
    for amount in ("0", "0.26", "-1", "NaN", "0.0000000001"):
        assert cli.refused(*command, "--amount", amount)[0] == 2
    done = cli.ask(*command, "--amount", "0.10")
    assert (done["request_id"], done["amount"], done["charge"], done["balance"]) == (request_id, "0.10", "0.25", "9.85")
    assert cli.refused(*command)[0] == 5
    (record,) = cli.ask("usage", "list", "--tenant", "cinder")["records"]
    assert record["retail"] == "0.25"
    assert cli.ask("wholesale", "balance", "--tenant", "cinder")["balance"] == "99.85"
    newest = cli.ask("credit", "history", *on)["entries"][0]
    assert (newest["code"], newest["amount"], newest["ref"]) == ("reversal", "0.10", request_id)
    event = cli.ask("audit", "list", "--tenant", "cinder")["events"][0]
    assert (event["action"], event["after"]["reason"]) == ("credit.reverse", "The answer was empty")
    assert cli.refused("credit", "reverse", request_id, "--tenant", "nowhere", "--reason", "x")[0] == 4
    assert cli.ask("ledger", "audit")["ok"]


def test_a_key_shows_what_it_has_spent_and_when_that_resets(shop: Cli) -> None:
    key = shop.ask("key", "create", *ON, "--limit", "5", "--reset", "daily")
    assert (key["spent"], key["reserved"]) == ("0.00", "0.00")

    async def spend(db: Database) -> None:
        async with db.write(EVERY_TENANT) as connection:
            tenant_id = await connection.scalar(select(t.tenant.c.id).where(t.tenant.c.slug == "aurora"))
            await connection.execute(update(t.tenant).where(t.tenant.c.id == tenant_id).values(timezone="Asia/Tokyo"))
            today = period_of("daily", "Asia/Tokyo", now_us())
            for started_at, spent in ((today, 2 * NANO), (today - DAY_US, 5 * NANO)):
                await connection.execute(
                    t.key_window.insert().values(
                        key_id=key["id"],
                        started_at=started_at,
                        tenant_id=tenant_id,
                        spent_nano=spent,
                        reserved_nano=NANO if started_at == today else 0,
                    )
                )

    shop.seed(spend)
    shown = shop.ask("key", "show", key["id"])
    assert (shown["spent"], shown["reserved"], shown["limit"]) == ("2.00", "1.00", "5.00")
    resets_at = parse_time(shown["resets_at"])
    assert 0 < resets_at - now_us() <= DAY_US
    assert resets_at % DAY_US == 15 * 3_600 * 1_000_000
    (listed,) = shop.ask("key", "list", *ON)["keys"]
    assert listed == shown
    plain = shop.ask("key", "create", *ON)
    assert (plain["spent"], plain["reserved"], plain["resets_at"]) == (None, None, None)
    for_ever = shop.ask("key", "create", *ON, "--limit", "5")
    assert (for_ever["spent"], for_ever["resets_at"]) == ("0.00", None)
    assert shop.refused("key", "show", key["id"], "--tenant", "boreal")[0] == 4
    assert "Resets" in shop.run("key", "show", key["id"]).stdout
