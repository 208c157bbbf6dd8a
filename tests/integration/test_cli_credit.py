from __future__ import annotations

import pytest

from reseller_kit.core.money import NANO
from reseller_kit.db.accounts import customer_wallet
from reseller_kit.db.customers import find
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from tests.support import factories
from tests.support.commands import Cli
from tests.support.factories import make_customer, make_tenant

ON = ("--tenant", "aurora", "--customer", "kim@example.com")
WHY = ("--reason", "Welcome")


async def _seed(db: Database) -> None:
    await make_customer(db, await make_tenant(db, "aurora"), "kim@example.com")
    await make_customer(db, await make_tenant(db, "boreal"), "bo@example.com")


@pytest.fixture
def shop(cli: Cli) -> Cli:
    cli.seed(_seed)
    return cli


@pytest.fixture
def embedded_shop(embedded_cli: Cli) -> Cli:
    embedded_cli.seed(_seed)
    return embedded_cli


def audited(cli: Cli) -> None:
    """The books are right."""
    assert cli.ask("ledger", "audit")["ok"] is True


def test_a_new_customer_has_nothing(shop: Cli) -> None:
    assert shop.ask("credit", "balance", *ON) == {
        "currency": "USD",
        "balance": "0.00",
        "held": "0.00",
        "available": "0.00",
        "debt": "0.00",
        "lots": [],
    }
    assert shop.ask("credit", "history", *ON) == {"entries": [], "next_cursor": None}


def test_a_grant_becomes_a_lot(shop: Cli) -> None:
    granted = shop.ask("credit", "grant", *ON, "--amount", "10", *WHY)
    assert granted == {"id": granted["id"], "amount": "10.00", "balance": "10.00"}
    second = shop.ask("credit", "grant", *ON, "--amount", "0.000000001", *WHY, "--expires", "2099-01-31T23:59:59Z")
    assert (second["amount"], second["balance"]) == ("0.000000001", "10.000000001")
    balance = shop.ask("credit", "balance", *ON)
    assert (balance["balance"], balance["available"]) == ("10.000000001", "10.000000001")
    newest, oldest = balance["lots"]
    known = {"id", "kind", "amount", "remaining", "reserved", "expires_at", "models", "created_at"}
    assert set(newest) == known | {"daily_allowance", "left_today"}
    assert (newest["daily_allowance"], newest["left_today"]) == (None, None)
    assert (newest["id"], newest["expires_at"]) == (second["id"], "2099-01-31T23:59:59.000000Z")
    assert (oldest["id"], oldest["kind"], oldest["amount"], oldest["remaining"], oldest["reserved"]) == (
        granted["id"],
        "manual",
        "10.00",
        "10.00",
        "0.00",
    )
    assert (oldest["expires_at"], oldest["models"]) == (None, [])
    first, *_ = shop.ask("credit", "history", *ON)["entries"]
    assert (first["code"], first["amount"], first["balance_after"], first["ref"]) == (
        "grant",
        "0.000000001",
        "10.000000001",
        "Welcome",
    )
    audited(shop)


def test_the_same_idempotency_key_grants_once(shop: Cli) -> None:
    command = ("credit", "grant", *ON, "--amount", "10.00", *WHY, "--idempotency-key", "invoice-7")
    first = shop.ask(*command)
    assert shop.ask(*command) == first
    assert shop.ask("credit", "grant", *ON, "--amount", "10", *WHY, "--idempotency-key", "invoice-7") == first
    for other in (("--amount", "10.01", *WHY), ("--amount", "10", "--reason", "Other")):
        code, error = shop.refused("credit", "grant", *ON, *other, "--idempotency-key", "invoice-7")
        assert (code, error["code"]) == (5, "conflict")
    elsewhere = ("--tenant", "boreal", "--customer", "bo@example.com", "--amount", "10", *WHY)
    assert shop.ask("credit", "grant", *elsewhere, "--idempotency-key", "invoice-7")["id"] != first["id"]
    assert shop.ask("credit", "balance", *ON)["balance"] == "10.00"
    assert len(shop.ask("audit", "list", "--tenant", "aurora")["events"]) == 1
    audited(shop)


def test_a_repeated_grant_answers_even_when_its_expiry_has_passed(shop: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("credit", "grant", *ON, "--amount", "1", *WHY, "--expires", "2099-01-01", "--idempotency-key", "k")
    first = shop.ask(*command)
    monkeypatch.setattr("reseller_kit.flows.grants.now_us", lambda: 5 * 10**15)
    assert shop.ask(*command) == first
    assert shop.refused(*command[:-1], "another")[0] == 2


@pytest.mark.parametrize(
    "amount",
    ["0", "0.00", "-5", "NaN", "inf", "1e3", "1,50", "", " 5", "0.0000000001", "1000000001", "٣", "0x10", "+5"],
)
def test_a_bad_amount_is_refused_and_nothing_moves(embedded_shop: Cli, amount: str) -> None:
    code, error = embedded_shop.refused("credit", "grant", *ON, "--amount", amount, *WHY)
    assert code == 2
    assert error["code"] in {"invalid_amount", "invalid_request"}
    assert embedded_shop.refused("wholesale", "deposit", "--tenant", "aurora", "--amount", amount, *WHY)[0] == 2
    assert embedded_shop.ask("credit", "history", *ON)["entries"] == []
    assert embedded_shop.ask("wholesale", "balance", "--tenant", "aurora")["balance"] == "0.00"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--reason", ""),
        ("--reason", "x" * 201),
        ("--reason", "a\x1b[31mb"),
        (*WHY, "--idempotency-key", ""),
        (*WHY, "--idempotency-key", "  "),
        (*WHY, "--expires", "2020-01-01"),
        (*WHY, "--expires", "soon"),
        (),
    ],
)
def test_bad_arguments_are_refused_and_nothing_moves(embedded_shop: Cli, arguments: tuple[str, ...]) -> None:
    code, error = embedded_shop.refused("credit", "grant", *ON, "--amount", "5", *arguments)
    assert code == 2, error
    assert embedded_shop.ask("credit", "history", *ON)["entries"] == []


def test_an_adjustment_goes_both_ways_but_not_below_what_is_free(shop: Cli) -> None:
    assert shop.ask("credit", "adjust", *ON, "--amount", "+10", *WHY)["balance"] == "10.00"
    down = ("credit", "adjust", *ON, "--amount", "-3.5", *WHY, "--idempotency-key", "once")
    taken = shop.ask(*down)
    assert (taken["amount"], taken["balance"]) == ("-3.50", "6.50")
    assert shop.ask(*down) == taken
    code, error = shop.refused("credit", "adjust", *ON, "--amount", "-6.51", *WHY)
    assert (code, error["code"]) == (1, "insufficient_quota")
    assert "6.50" in error["message"]
    assert shop.refused("credit", "adjust", *ON, "--amount", "0", *WHY)[0] == 2
    assert shop.refused("credit", "adjust", *ON, "--amount", "3.5", *WHY, "--idempotency-key", "once")[0] == 5
    assert shop.ask("credit", "balance", *ON)["balance"] == "6.50"
    codes = [entry["code"] for entry in shop.ask("credit", "history", *ON)["entries"]]
    assert codes == ["adjustment", "adjustment"]
    audited(shop)


def test_expired_credit_counts_as_balance_until_it_is_swept_but_is_not_available(shop: Cli) -> None:
    async def grant_for_a_moment(db: Database) -> None:
        async with db.read(EVERY_TENANT) as connection:
            kim = await find(connection, 1, "kim@example.com")
        assert kim is not None
        await factories.grant(db, kim, 3 * NANO, at=now_us() - 9, expires_at=now_us() - 5)

    shop.seed(grant_for_a_moment)
    balance = shop.ask("credit", "balance", *ON)
    assert (balance["balance"], balance["available"]) == ("3.00", "0.00")


def test_history_is_newest_first_and_goes_on_by_cursor(shop: Cli) -> None:
    for amount in ("1", "2", "3", "4", "5"):
        shop.ask("credit", "grant", *ON, "--amount", amount, *WHY)
    seen, cursor = [], None
    while True:
        page = shop.ask("credit", "history", *ON, "--limit", "2", *(() if cursor is None else ("--cursor", cursor)))
        seen += [(entry["amount"], entry["balance_after"]) for entry in page["entries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [("5.00", "15.00"), ("4.00", "10.00"), ("3.00", "6.00"), ("2.00", "3.00"), ("1.00", "1.00")]


def test_a_foreign_customer_gets_no_credit(shop: Cli) -> None:
    code, _ = shop.refused(
        "credit", "grant", "--tenant", "boreal", "--customer", "kim@example.com", "--amount", "5", *WHY
    )
    assert code == 4

    async def wallet(db: Database) -> int:
        async with db.read(EVERY_TENANT) as connection:
            kim = await find(connection, 1, "kim@example.com")
            assert kim is not None
            return (await customer_wallet(connection, 1, kim.id)).balance

    assert shop.seed(wallet) == 0


def test_a_resellers_balance_opens_at_zero_and_takes_deposits_once(shop: Cli) -> None:
    on = ("--tenant", "aurora")
    opened = shop.ask("wholesale", "balance", *on)
    assert {name: opened[name] for name in ("currency", "balance", "held", "available", "debt", "lots")} == {
        "currency": "USD",
        "balance": "0.00",
        "held": "0.00",
        "available": "0.00",
        "debt": "0.00",
        "lots": [],
    }
    command = ("wholesale", "deposit", *on, "--amount", "250", "--reason", "Bank transfer", "--idempotency-key", "b1")
    first = shop.ask(*command)
    assert first == {"id": first["id"], "amount": "250.00", "balance": "250.00"}
    assert shop.ask(*command) == first
    assert shop.refused(*command[:5], "251", *command[6:])[0] == 5
    assert shop.ask("wholesale", "balance", *on)["available"] == "250.00"
    assert shop.ask("wholesale", "balance", "--tenant", "boreal")["balance"] == "0.00"
    audited(shop)


def test_an_overdraft_is_available_to_calls(cli: Cli) -> None:
    cli.seed(lambda db: make_tenant(db, "aurora", settings={"wholesale": {"overdraft": "5.00"}}))
    cli.ask("wholesale", "deposit", "--tenant", "aurora", "--amount", "1", *WHY)
    balance = cli.ask("wholesale", "balance", "--tenant", "aurora")
    assert (balance["balance"], balance["available"], balance["overdraft"]) == ("1.00", "6.00", "5.00")


def test_people_read_amounts_in_tables_of_eighty_columns(embedded_shop: Cli) -> None:
    embedded_shop.ask("credit", "grant", *ON, "--amount", "10", *WHY)
    for verb in ("balance", "history"):
        shown = embedded_shop.run("credit", verb, *ON).stdout
        assert "10.00" in shown
        assert "\x1b" not in shown
        assert max(map(len, shown.splitlines())) <= 80
