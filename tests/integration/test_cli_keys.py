from __future__ import annotations

import re

import pytest

from reseller_kit.core import apikey
from reseller_kit.db import revisions
from reseller_kit.db.authentication import KeyAccount, find_key
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import key_digest
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_tenant

ON = ("--tenant", "aurora", "--customer", "kim@example.com")


async def _seed(db: Database) -> None:
    aurora = await make_tenant(db, "aurora", settings={"brand": {"key_prefix": "aur"}})
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


def found(cli: Cli, secret: str) -> KeyAccount | None:
    """What the gateway finds by the key."""

    async def look(db: Database) -> KeyAccount | None:
        digest = key_digest((await unlock(db, SECRET_KEY)).pepper, secret)
        async with db.read(EVERY_TENANT) as connection:
            return await find_key(connection, 1, digest)

    return cli.seed(look)


def changes(cli: Cli) -> list[tuple[str, str]]:
    async def read(db: Database) -> list[tuple[str, str]]:
        async with db.read(EVERY_TENANT) as connection:
            return [(kind, ref) for _, kind, ref in await revisions.since(connection, 0) if kind == "key"]

    return cli.seed(read)


def test_a_key_is_shown_once_and_works(shop: Cli) -> None:
    made = shop.ask("key", "create", *ON, "--name", "laptop")
    assert apikey.is_well_formed(made["key"])
    assert made["key"].startswith(made["prefix"])
    assert re.fullmatch(r"aur_\w{6}", made["prefix"])
    assert (made["name"], made["limit"], made["reset"], made["models"], made["rpm"]) == ("laptop", None, None, [], None)
    account = found(shop, made["key"])
    assert account is not None
    assert account.key_id == made["id"]
    (listed,) = shop.ask("key", "list", "--tenant", "aurora")["keys"]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in shop.run("audit", "list", "--json").stdout
    assert changes(shop) == [("key", made["id"])]


def test_a_keys_terms_are_kept(shop: Cli) -> None:
    made = shop.ask(
        *("key", "create", *ON, "--limit", "5.5", "--reset", "monthly", "--models", "gpt-*, claude-opus-4"),
        *("--expires", "2099-01-31T12:00:00", "--rpm", "60"),
    )
    account = found(shop, made["key"])
    assert account is not None
    assert (account.limit_nano, account.limit_reset, account.requests_per_minute) == (5_500_000_000, "monthly", 60)
    assert account.models == ("gpt-*", "claude-opus-4")
    assert made["expires_at"] == "2099-01-31T12:00:00.000000Z"
    assert (made["limit"], made["reset"], made["models"]) == ("5.50", "monthly", ["gpt-*", "claude-opus-4"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--limit", "-1"),
        ("--limit", "NaN"),
        ("--limit", "1e3"),
        ("--limit", "0.0000000001"),
        ("--limit", "99999999999"),
        ("--reset", "daily"),
        ("--limit", "1", "--reset", "hourly"),
        ("--expires", "2020-01-01"),
        ("--expires", "tomorrow"),
        ("--rpm", "0"),
        ("--rpm", "1000001"),
        ("--models", ""),
        ("--models", "gpt-*,,x"),
        ("--models", "gpt 5"),
        ("--models", ",".join(["x"] * 101)),
        ("--name", ""),
        ("--name", "a\nb"),
    ],
)
def test_bad_terms_are_refused_and_no_key_is_made(embedded_shop: Cli, arguments: tuple[str, ...]) -> None:
    code, error = embedded_shop.refused("key", "create", *ON, *arguments)
    assert code == 2, error
    assert error["message"]
    assert embedded_shop.ask("key", "list", "--tenant", "aurora")["keys"] == []


def test_rotating_gives_a_new_key_with_the_same_terms_and_ends_the_old_one(shop: Cli) -> None:
    old = shop.ask("key", "create", *ON, "--name", "ci", "--limit", "5", "--reset", "daily", "--models", "gpt-*")
    new = shop.ask("key", "rotate", old["id"])
    assert new["id"] != old["id"]
    assert new["key"] != old["key"]
    same = ("name", "customer", "limit", "reset", "models", "expires_at", "rpm")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert found(shop, old["key"]) is None
    assert found(shop, new["key"]) is not None
    assert changes(shop) == [("key", old["id"])] * 2
    code, error = shop.refused("key", "rotate", old["id"])
    assert (code, error["code"]) == (5, "conflict")
    statuses = {row["id"]: row["status"] for row in shop.ask("key", "list", *ON)["keys"]}
    assert statuses == {old["id"]: "revoked", new["id"]: "active"}


def test_a_revoked_key_is_found_no_more_and_revoking_twice_is_harmless(shop: Cli) -> None:
    made = shop.ask("key", "create", *ON)
    revoked = shop.ask("key", "revoke", made["id"])
    assert revoked["status"] == "revoked"
    assert found(shop, made["key"]) is None
    assert shop.ask("key", "revoke", made["id"]) == revoked
    assert changes(shop) == [("key", made["id"])] * 2


def test_a_foreign_key_is_as_unknown_as_none(shop: Cli) -> None:
    made = shop.ask("key", "create", *ON)
    nothing = made["id"][:-1] + ("0" if made["id"][-1] != "0" else "1")
    for verb in ("revoke", "rotate"):
        foreign = shop.refused("key", verb, made["id"], "--tenant", "boreal")
        unknown = shop.refused("key", verb, nothing, "--tenant", "boreal")
        assert foreign[0] == unknown[0] == 4
        assert foreign[1]["message"].replace(made["id"], "") == unknown[1]["message"].replace(nothing, "")
    assert found(shop, made["key"]) is not None


@pytest.mark.parametrize("key_id", ["", "key_1", "' OR 1=1", "\udcff", "key_" + "Z" * 26])
def test_an_unknown_key_is_not_found(embedded_shop: Cli, key_id: str) -> None:
    assert embedded_shop.refused("key", "revoke", key_id)[0] == 4
    assert embedded_shop.refused("key", "rotate", key_id)[0] == 4


def test_keys_are_listed_by_customer_and_by_pages(shop: Cli) -> None:
    mine = [shop.ask("key", "create", *ON)["id"] for _ in range(3)]
    other = shop.ask("key", "create", "--tenant", "aurora", "--customer", "bo@example.com")["id"]
    everything = [row["id"] for row in shop.ask("key", "list", "--tenant", "aurora")["keys"]]
    assert everything == [other, *reversed(mine)]
    first = shop.ask("key", "list", *ON, "--limit", "2")
    rest = shop.ask("key", "list", *ON, "--limit", "2", "--cursor", first["next_cursor"])
    assert [row["id"] for row in first["keys"] + rest["keys"]] == list(reversed(mine))
    assert shop.ask("key", "list", "--tenant", "boreal")["keys"] == []
    assert shop.refused("customer", "list", "--tenant", "aurora", "--cursor", first["next_cursor"])[0] == 2


def test_people_see_the_key_on_a_line_of_its_own(embedded_shop: Cli) -> None:
    shown = embedded_shop.run("key", "create", *ON)
    assert shown.code == 0
    assert apikey.is_well_formed(shown.stdout.splitlines()[-1])
    assert max(map(len, shown.stdout.splitlines())) <= 80
