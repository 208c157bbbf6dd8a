"""Which customer a pseudonym is: found on both databases, told to nobody else."""

from __future__ import annotations

import pytest

from reseller_kit.core.errors import InvalidRequest, NotFound
from reseller_kit.db.engine import Database
from reseller_kit.flows import end_users
from reseller_kit.flows.unlock import unlock
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_tenant


async def test_a_name_leads_to_its_customer_and_to_no_other(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_users, "_PAGE", 2)
    vault = await unlock(db, SECRET_KEY)
    tenants = [await make_tenant(db, slug=slug) for slug in ("aurora", "boreal")]
    made = [(tenant, await make_customer(db, tenant, email=f"c{n}@x.example")) for n, tenant in enumerate(tenants * 3)]
    names = {end_users.pseudonym_of(vault.pepper, tenant.id, customer.id) for tenant, customer in made}
    assert len(names) == len(made)
    for tenant, customer in made:
        name = end_users.pseudonym_of(vault.pepper, tenant.id, customer.id)
        for heard in (name, f"{name}-0123456789abcdef", f" {name}\n"):
            found = await end_users.whois(db, vault, heard)
            assert (found.tenant, found.customer_id, found.email) == (tenant.slug, customer.id, customer.email)
    with pytest.raises(NotFound):
        await end_users.whois(db, vault, "eu_" + "0" * 32)
    for malformed in ("", "eu_", "eu_" + "g" * 32, "user-ada", "eu_" + "0" * 32 + "-1", "\x00", "eu_" + "0" * 4000):
        with pytest.raises(InvalidRequest):
            await end_users.whois(db, vault, malformed)


def test_the_command_says_what_is_wrong(embedded_cli: Cli) -> None:
    code, error = embedded_cli.refused("upstream", "whois", "eu_" + "0" * 32)
    assert (code, error["code"]) == (4, "not_found")
    code, error = embedded_cli.refused("upstream", "whois", "ada")
    assert code == 2
    assert "eu_" in error["fix"]
