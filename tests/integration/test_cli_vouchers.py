"""`voucher`: codes are shown once, redeemed once by each, and what can't be redeemed looks unknown."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from reseller_kit.core import voucher as codes
from reseller_kit.db.engine import EVERY_TENANT, Database
from tests.support.commands import Cli
from tests.support.factories import make_customer, make_tenant

MAKE = ("voucher", "create", "--tenant", "aurora", "--amount", "5.00")
KIM = ("--tenant", "aurora", "--customer", "kim@example.com")
BO = ("--tenant", "aurora", "--customer", "bo@example.com")


async def _seed(db: Database) -> None:
    aurora = await make_tenant(db, "aurora")
    await make_customer(db, aurora, "kim@example.com")
    await make_customer(db, aurora, "bo@example.com")
    await make_customer(db, await make_tenant(db, "boreal"), "kim@example.com")


@pytest.fixture
def shop(cli: Cli) -> Cli:
    cli.seed(_seed)
    return cli


@pytest.fixture
def embedded_shop(embedded_cli: Cli) -> Cli:
    embedded_cli.seed(_seed)
    return embedded_cli


def test_a_code_is_shown_once_and_becomes_credit(shop: Cli) -> None:
    made = shop.ask(*MAKE, "--count", "3", "--name", "spring", "--valid-days", "30", "--models", "gpt-*")
    assert (made["batch"], len(made["vouchers"])) == ("spring", 3)
    first = made["vouchers"][0]
    assert codes.canonical(first["code"]) == first["code"]
    assert first["code"].startswith(first["prefix"])
    redeemed = shop.ask("voucher", "redeem", *KIM, "--code", first["code"].lower().replace("-", " "))
    assert (redeemed["amount"], redeemed["balance"]) == ("5.00", "5.00")
    (lot,) = shop.ask("credit", "balance", *KIM)["lots"]
    assert (lot["id"], lot["kind"], lot["models"]) == (redeemed["id"], "voucher", ["gpt-*"])
    assert lot["expires_at"] is not None
    listed = shop.ask("voucher", "list", "--tenant", "aurora")["vouchers"]
    assert [row["status"] for row in listed] == ["active", "active", "used"]
    assert not any("code" in row for row in listed)
    text = json.dumps(
        [listed, shop.ask("voucher", "export", "spring", "--tenant", "aurora"), shop.ask("audit", "list")]
    )
    assert not any(row["code"] in text for row in made["vouchers"])
    assert shop.ask("ledger", "audit")["ok"]


def test_a_code_counts_once_for_each_customer_and_as_often_as_it_may(shop: Cli) -> None:
    code = shop.ask(*MAKE, "--max-redemptions", "1")["vouchers"][0]["code"]
    shop.ask("voucher", "redeem", *KIM, "--code", code)
    exit_code, error = shop.refused("voucher", "redeem", *KIM, "--code", code)
    assert (exit_code, error["code"]) == (5, "conflict")
    assert "already" in error["message"]
    assert "used up" in shop.refused("voucher", "redeem", *BO, "--code", code)[1]["message"]
    many = shop.ask(*MAKE, "--max-redemptions", "2")["vouchers"][0]["code"]
    shop.ask("voucher", "redeem", *KIM, "--code", many)
    shop.ask("voucher", "redeem", *BO, "--code", many)
    assert shop.ask("credit", "balance", *KIM)["balance"] == "10.00"
    assert shop.ask("ledger", "audit")["ok"]


def test_what_can_not_be_redeemed_looks_like_an_unknown_code(shop: Cli) -> None:
    revoked, expired, foreign = (
        shop.ask(*MAKE)["vouchers"][0],
        shop.ask(*MAKE, "--expires", "2099-01-01")["vouchers"][0],
        shop.ask("voucher", "create", "--tenant", "boreal", "--amount", "5")["vouchers"][0],
    )
    shown = shop.ask("voucher", "revoke", revoked["id"])
    assert (shown["status"], shop.ask("voucher", "revoke", revoked["id"])) == ("revoked", shown)
    unknown = codes.generate()
    answers = [shop.refused("voucher", "redeem", *KIM, "--code", code) for code in (unknown, "ABCD", revoked["code"])]
    answers.append(shop.refused("voucher", "redeem", *KIM, "--code", foreign["code"]))

    async def expire(db: Database) -> None:
        async with db.write(EVERY_TENANT) as connection:
            await connection.exec_driver_sql(f"UPDATE voucher SET expires_at = 5 WHERE id = '{expired['id']}'")

    shop.seed(expire)
    answers.append(shop.refused("voucher", "redeem", *KIM, "--code", expired["code"]))
    assert [answer for answer in answers if answer != answers[0]] == []
    assert (answers[0][0], answers[0][1]["code"]) == (4, "not_found")
    assert shop.ask("credit", "history", *KIM)["entries"] == []
    assert shop.refused("voucher", "revoke", foreign["id"], "--tenant", "aurora")[0] == 4


def test_only_a_keyed_hash_of_a_code_is_stored(shop: Cli) -> None:
    code = shop.ask(*MAKE)["vouchers"][0]["code"]

    async def stored(db: Database) -> str:
        async with db.read(EVERY_TENANT) as connection:
            rows = (await connection.exec_driver_sql("SELECT * FROM voucher")).all()
            return " ".join(str(value) for row in rows for value in row)

    text = shop.seed(stored)
    assert code not in text
    assert code.replace("-", "") not in text
    assert code.encode().hex() not in text


def test_a_batch_is_exported_with_who_redeemed_it(shop: Cli) -> None:
    made = shop.ask(*MAKE, "--count", "2", "--name", "fair")["vouchers"]
    shop.ask("voucher", "redeem", *BO, "--code", made[1]["code"])
    states = shop.ask("voucher", "export", "fair", "--tenant", "aurora")["vouchers"]
    assert [(state["id"], state["status"]) for state in states] == [(made[0]["id"], "active"), (made[1]["id"], "used")]
    assert [one["customer"] for one in states[1]["redemptions"]] == ["bo@example.com"]
    rows = list(csv.DictReader(io.StringIO(shop.run("voucher", "export", "fair", "--tenant", "aurora").stdout)))
    assert [(row["id"], row["amount"], row["redeemed_by"]) for row in rows] == [
        (made[0]["id"], "5.00", ""),
        (made[1]["id"], "5.00", "bo@example.com"),
    ]
    assert shop.refused("voucher", "export", "fair", "--tenant", "boreal")[0] == 4
    assert shop.refused(*MAKE, "--name", "fair")[0] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("--amount", "0"),
        ("--amount", "-5"),
        ("--amount", "NaN"),
        ("--amount", "0.0000000001"),
        ("--amount", "1000000001"),
        ("--amount", "5 EUR"),
        ("--count", "0"),
        ("--count", "5001"),
        ("--valid-days", "0"),
        ("--valid-days", "36501"),
        ("--max-redemptions", "0"),
        ("--expires", "2020-01-01"),
        ("--models", "a b"),
        ("--name", " "),
    ],
)
def test_bad_terms_are_refused_and_nothing_is_made(embedded_shop: Cli, arguments: tuple[str, str]) -> None:
    given = dict(zip(MAKE[2::2], MAKE[3::2], strict=True)) | {arguments[0]: arguments[1]}
    flat = [text for pair in given.items() for text in pair]
    code, error = embedded_shop.refused("voucher", "create", *flat)
    assert code == 2, error
    assert embedded_shop.ask("voucher", "list", "--tenant", "aurora")["vouchers"] == []


def test_people_read_codes_and_tables(embedded_shop: Cli) -> None:
    shown = embedded_shop.run(*MAKE, "--count", "2").stdout
    assert len(re.findall(r"^[2-9A-Z]{4}(?:-[2-9A-Z]{4}){3}$", shown, re.MULTILINE)) == 2
    table = embedded_shop.run("voucher", "list", "--tenant", "aurora").stdout
    assert max(map(len, table.splitlines())) <= 80
    page = embedded_shop.ask("voucher", "list", "--tenant", "aurora", "--limit", "1")
    assert page["next_cursor"] is not None
    assert (
        len(embedded_shop.ask("voucher", "list", "--tenant", "aurora", "--cursor", page["next_cursor"])["vouchers"])
        == 1
    )


def test_a_redeemed_voucher_is_in_the_audit_log(embedded_shop: Cli) -> None:
    made = embedded_shop.ask(*MAKE)["vouchers"][0]
    embedded_shop.ask("voucher", "redeem", *KIM, "--code", made["code"])
    actions = [event["action"] for event in embedded_shop.ask("audit", "list", "--tenant", "aurora")["events"]]
    assert actions == ["voucher.redeem", "voucher.create"]
