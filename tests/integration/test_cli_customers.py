from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from reseller_kit.core.times import DAY_US
from reseller_kit.db import revisions
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import token_digest
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_platform, make_tenant


@pytest.fixture
def embedded_shop(embedded_cli: Cli) -> Cli:
    embedded_cli.seed(lambda db: make_tenant(db, "aurora"))
    return embedded_cli


@pytest.fixture
def shop(cli: Cli) -> Cli:
    cli.seed(make_platform)
    cli.seed(lambda db: make_tenant(db, "aurora", hosts=["aurora.localhost", "127.0.0.2"]))
    cli.seed(lambda db: make_tenant(db, "boreal", hosts=["boreal.example"]))
    return cli


def test_a_customer_is_created_verified_with_a_link_to_set_a_password(shop: Cli) -> None:
    made = shop.ask("customer", "create", "--tenant", "aurora", "--email", "Kim@Example.COM", "--name", "Kim")
    assert re.fullmatch(r"cus_[0-9A-HJKMNP-TV-Z]{26}", made["id"])
    assert (made["tenant"], made["email"], made["name"], made["status"]) == (
        "aurora",
        "kim@example.com",
        "Kim",
        "active",
    )
    assert made["verified_at"] == made["created_at"]
    url = urlsplit(made["link"])
    assert (url.scheme, url.netloc, url.path) == ("http", "aurora.localhost:8000", "/reset")
    (token,) = parse_qs(url.query)["token"]

    async def stored(db: Database) -> None:
        vault = await unlock(db, SECRET_KEY)
        async with db.read(EVERY_TENANT) as connection:
            link = (await connection.execute(select(t.customer_link))).one()
        assert link.digest == token_digest(vault.pepper, "set_password", token)
        assert token.encode() not in link.digest
        assert (link.customer_id, link.used_at) == (made["id"], None)
        assert 6 * DAY_US < link.expires_at - now_us() <= 7 * DAY_US

    shop.seed(stored)


def test_the_link_of_a_public_host_is_https(shop: Cli) -> None:
    made = shop.ask("customer", "create", "--tenant", "boreal", "--email", "kim@example.com")
    assert made["link"].startswith("https://boreal.example/reset?token=")


def test_the_link_follows_the_platforms_template(cli: Cli) -> None:
    cli.seed(lambda db: make_platform(db, public_url="https://{host}:8443", storefront_suffix="stores.localhost"))
    cli.seed(lambda db: make_tenant(db, "aurora"))
    made = cli.ask("customer", "create", "--tenant", "aurora", "--email", "kim@example.com")
    assert made["link"].startswith("https://aurora.stores.localhost:8443/reset?token=")


def test_a_tenant_without_a_host_has_no_link_to_give(cli: Cli) -> None:
    cli.seed(lambda db: make_tenant(db, "aurora"))
    assert cli.ask("customer", "create", "--tenant", "aurora", "--email", "kim@example.com")["link"] is None


def test_an_address_is_taken_once_per_tenant_in_any_case(shop: Cli) -> None:
    shop.ask("customer", "create", "--tenant", "aurora", "--email", "kim@example.com")
    code, error = shop.refused("customer", "create", "--tenant", "aurora", "--email", "KIM@example.com")
    assert (code, error["code"]) == (5, "conflict")
    assert shop.ask("customer", "create", "--tenant", "boreal", "--email", "kim@example.com")["tenant"] == "boreal"


@pytest.mark.parametrize("email", ["kim", "", "a b@example.com", "kim@exa\nmple.com", "kim@", "\udcff@example.com"])
def test_a_bad_address_is_refused(embedded_shop: Cli, email: str) -> None:
    assert embedded_shop.refused("customer", "create", "--tenant", "aurora", "--email", email)[0] == 2
    assert embedded_shop.ask("customer", "list", "--tenant", "aurora")["customers"] == []


def test_a_customer_is_found_by_address_or_id_within_its_tenant_alone(shop: Cli) -> None:
    made = shop.ask("customer", "create", "--tenant", "aurora", "--email", "kim@example.com")
    by_id = shop.ask("customer", "show", "--tenant", "aurora", "--customer", made["id"])
    assert by_id == {**made, "link": None}
    assert shop.ask("customer", "show", "KIM@example.com", "--tenant", "aurora") == by_id
    foreign = shop.refused("customer", "show", made["id"], "--tenant", "boreal")
    unknown = shop.refused("customer", "show", made["id"][:-1] + "0", "--tenant", "boreal")
    assert foreign[0] == unknown[0] == 4
    assert foreign[1]["message"].replace(made["id"], "X") == unknown[1]["message"].replace(made["id"][:-1] + "0", "X")


@pytest.mark.parametrize("who", ["", "nobody", "' OR 1=1 --", "cus_1", "x@y.z", "\udcff", "a@b\x01", "k" * 5000])
def test_an_unknown_customer_is_not_found(shop: Cli, who: str) -> None:
    assert shop.refused("customer", "show", "--tenant", "aurora", "--customer", who)[0] == 4


def test_customers_are_listed_newest_first_by_pages(shop: Cli) -> None:
    emails = [f"kim{number}@example.com" for number in range(5)]
    for email in emails:
        shop.ask("customer", "create", "--tenant", "aurora", "--email", email)
    seen, cursor = [], None
    while True:
        more = () if cursor is None else ("--cursor", cursor)
        page = shop.ask("customer", "list", "--tenant", "aurora", "--limit", "2", *more)
        seen += [row["email"] for row in page["customers"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(reversed(emails))
    assert shop.ask("customer", "list", "--tenant", "boreal")["customers"] == []


def test_suspending_and_resuming_tell_running_servers(shop: Cli) -> None:
    made = shop.ask("customer", "create", "--tenant", "aurora", "--email", "kim@example.com")

    async def changes(db: Database) -> list[tuple[str, str]]:
        async with db.read(EVERY_TENANT) as connection:
            return [(kind, ref) for _, kind, ref in await revisions.since(connection, 0)]

    before = len(shop.seed(changes))
    on = ("--tenant", "aurora", "--customer", "kim@example.com")
    suspended = shop.ask("customer", "suspend", *on, "--reason", "Chargeback")
    assert (suspended["status"], suspended["suspend_reason"]) == ("suspended", "Chargeback")
    shop.ask("customer", "suspend", *on)
    resumed = shop.ask("customer", "resume", *on)
    assert (resumed["status"], resumed["suspend_reason"]) == ("active", None)
    assert shop.seed(changes)[before:] == [("customer", made["id"])] * 2


def test_a_foreign_tenants_customer_is_not_suspended(shop: Cli) -> None:
    async def seeded(db: Database) -> str:
        return (await make_customer(db, await make_tenant(db, "zeta"), "kim@example.com")).id

    customer_id = shop.seed(seeded)
    assert shop.refused("customer", "suspend", "--tenant", "aurora", "--customer", customer_id)[0] == 4
    assert shop.ask("customer", "show", customer_id, "--tenant", "zeta")["status"] == "active"


def test_names_are_shown_as_they_are(shop: Cli) -> None:
    made = ("customer", "create", "--tenant", "aurora", "--email", "kim@example.com", "--name", "[bold]{{7*7}} :smile:")
    assert shop.run(*made).code == 0
    assert "[bold]{{7*7}} :smile:" in shop.run("customer", "show", "kim@example.com", "--tenant", "aurora").stdout
