from __future__ import annotations

import pytest

from reseller_kit.db import revisions
from reseller_kit.db.engine import EVERY_TENANT, Database
from tests.support.commands import Cli
from tests.support.factories import make_platform, make_tenant


async def changes_of(db: Database) -> list[tuple[str, str]]:
    async with db.read(EVERY_TENANT) as connection:
        return [(kind, ref) for _, kind, ref in await revisions.since(connection, 0)]


def test_an_empty_platform_says_what_to_run_first(cli: Cli) -> None:
    assert cli.ask("tenant", "list") == {"tenants": [], "next_cursor": None}
    assert "reseller-kit init" in cli.run("tenant", "list").stdout
    code, error = cli.refused("tenant", "show", "aurora")
    assert (code, error["code"]) == (4, "not_found")
    assert "reseller-kit init" in error["fix"]


def test_a_tenant_is_shown_with_its_hosts_the_primary_first(cli: Cli) -> None:
    cli.seed(lambda db: make_platform(db, storefront_suffix="stores.localhost"))
    cli.seed(lambda db: make_tenant(db, "aurora", hosts=["aurora.localhost", "127.0.0.2"]))
    shown = cli.ask("tenant", "show", "aurora")
    assert {name: shown[name] for name in ("slug", "name", "status", "suspended", "hosts", "theme")} == {
        "slug": "aurora",
        "name": "Aurora",
        "status": "active",
        "suspended": False,
        "hosts": ["aurora.localhost", "127.0.0.2", "aurora.stores.localhost"],
        "theme": "daylight",
    }
    assert cli.ask("tenant", "show", "--tenant", "aurora") == shown
    (listed,) = cli.ask("tenant", "list")["tenants"]
    assert listed.items() <= shown.items()


def test_the_list_is_newest_first_and_goes_on_by_cursor(cli: Cli) -> None:
    for slug in ("one", "two", "three"):
        cli.seed(lambda db, slug=slug: make_tenant(db, slug))  # type: ignore[misc]
    first = cli.ask("tenant", "list", "--limit", "2")
    rest = cli.ask("tenant", "list", "--limit", "2", "--cursor", first["next_cursor"])
    assert [row["slug"] for row in first["tenants"] + rest["tenants"]] == ["three", "two", "one"]
    assert rest["next_cursor"] is None


def test_suspending_keeps_the_reason_and_tells_running_servers(cli: Cli) -> None:
    tenant = cli.seed(lambda db: make_tenant(db, "aurora"))
    before = len(cli.seed(changes_of))
    assert cli.ask("tenant", "suspend", "aurora", "--reason", "Unpaid invoice")["suspended"] is True
    again = cli.ask("tenant", "suspend", "aurora", "--reason", "Another reason")
    assert again["suspend_reason"] == "Unpaid invoice"
    assert again["status"] == "active"
    resumed = cli.ask("tenant", "resume", "aurora")
    assert (resumed["suspended"], resumed["suspend_reason"]) == (False, None)
    cli.ask("tenant", "resume", "aurora")
    assert cli.seed(changes_of)[before:] == [("config", str(tenant.id))] * 2
    events = cli.ask("audit", "list", "--tenant", "aurora")["events"]
    assert [event["action"] for event in events] == ["tenant.resume", "tenant.suspend"]
    assert events[1]["after"] == {"suspended": True, "reason": "Unpaid invoice"}
    assert events[1]["actor"].startswith("cli:")
    assert events[1]["tenant"] == "aurora"
    assert cli.ask("audit", "list")["events"] == events
    assert cli.ask("audit", "list", "--limit", "1")["next_cursor"] is not None


def test_suspending_needs_a_reason(cli: Cli) -> None:
    cli.seed(lambda db: make_tenant(db, "aurora"))
    code, error = cli.refused("tenant", "suspend", "aurora")
    assert (code, error["code"]) == (2, "usage")
    code, _ = cli.refused("tenant", "suspend", "aurora", "--reason", "  ")
    assert code == 2
    assert cli.ask("tenant", "show", "aurora")["suspended"] is False


def test_a_tenant_is_created_with_hosts_owners_and_accounts(cli: Cli) -> None:
    cli.seed(make_platform)
    made = cli.ask(
        *("tenant", "create", "boreal", "--name", "Boreal [AI]", "--host", "Boreal.Localhost", "--host", "127.0.0.9"),
        *("--owner", "Founder@Boreal.example", "--markup", "40%"),
    )
    assert made["hosts"] == ["boreal.localhost", "127.0.0.9"]
    assert [domain["primary"] for domain in made["domains"]] == [True, False]
    assert made["members"] == [{"email": "founder@boreal.example", "role": "owner", "status": "invited"}]
    assert cli.ask("wholesale", "balance", "--tenant", "boreal")["balance"] == "0.00"
    assert "Boreal [AI]" in cli.run("tenant", "list").stdout
    assert cli.seed(changes_of)[-1] == ("config", "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", "aurora"), 5),
        (("create", "boreal", "--host", "aurora.localhost"), 5),
        (("create", "boreal", "--host", "platform.localhost"), 5),
        (("create", "boreal", "--host", "aurora.stores.localhost"), 5),
        (("create", "boreal", "--host", "https://boreal.localhost"), 2),
        (("create", "boreal", "--host", "boreal.localhost:8000"), 2),
        (("create", "platform"), 2),
        (("create", "Boreal"), 2),
        (("create", "boreal", "--owner", "nobody"), 2),
        (("create", "boreal", "--timezone", "Mars/Base"), 2),
        (("create", "boreal", "--markup", "0.4"), 2),
        (("create", "boreal", "--markup=-10%"), 2),
        (("create", "boreal", "--theme", "nothing"), 2),
        (("create", "boreal", "--name", "a\tb"), 2),
        (("create",), 2),
        (("create", "one", "--tenant", "two"), 2),
    ],
)
def test_a_bad_tenant_is_refused_and_nothing_is_made(embedded_cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    cli = embedded_cli
    cli.seed(lambda db: make_platform(db, storefront_suffix="stores.localhost"))
    cli.seed(lambda db: make_tenant(db, "aurora", hosts=["aurora.localhost"]))
    before = cli.seed(changes_of)
    refused, error = cli.refused("tenant", *arguments)
    assert refused == code, error
    assert error["message"]
    assert [row["slug"] for row in cli.ask("tenant", "list")["tenants"]] == ["aurora"]
    assert cli.seed(changes_of) == before


@pytest.mark.parametrize("slug", ["nobody", "AURORA", "aurora'--", "a" * 300, "\udcff", "", "platform"])
def test_an_unknown_tenant_is_not_found_whatever_its_name(embedded_cli: Cli, slug: str) -> None:
    cli = embedded_cli
    cli.seed(lambda db: make_tenant(db, "aurora"))
    code, error = cli.refused("credit", "balance", "--tenant", slug, "--customer", "kim@example.com")
    assert (code, error["code"]) == (4, "not_found")
    assert "aurora" in error["fix"]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "99999999999999999999"])
def test_a_bad_limit_or_cursor_is_refused(embedded_cli: Cli, limit: str) -> None:
    cli = embedded_cli
    assert cli.refused("tenant", "list", "--limit", limit)[0] == 2
    assert cli.refused("tenant", "list", "--cursor", limit)[0] == 2


def test_the_doctor_names_what_keeps_a_tenant_from_selling(cli: Cli) -> None:
    cli.seed(make_platform)
    cli.seed(lambda db: make_tenant(db, "aurora", theme="nothing", settings={"signup": {"mode": "closed"}}))
    result = cli.run("tenant", "doctor", "aurora", "--json")
    assert result.code == 6
    document = result.json()
    assert document["ok"] is False
    assert [finding["code"] for finding in document["findings"]] == [
        "DR203",
        "DR204",
        "DR205",
        "DR207",
        "DR208",
        "DR209",
    ]
    assert all(finding["fix"] for finding in document["findings"])
    whole = cli.run("doctor", "--json").json()
    assert whole["findings"] == document["findings"]


def test_the_doctor_of_an_empty_platform_says_where_to_begin(cli: Cli) -> None:
    result = cli.run("doctor")
    assert result.code == 6
    assert "reseller-kit apply" in result.stdout
