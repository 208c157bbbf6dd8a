"""Two tenants with routes of their own, one of them over its own upstream: which keys served whom, and the money."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from hashlib import sha256

import pytest

from tests.support.product import SECRETS, Customer, Shop, eventually

SOON = 10.0
ADDED = """
[[tenants]]
slug = "keeper"
status = "active"
name = "Keeper"
  [[tenants.domains]]
  host = "keeper.localhost"
  [tenants.pricing]
  markup = "40%"
  [tenants.routing]
  upstreams = ["sparewheel"]

[[tenants]]
slug = "bringer"
status = "active"
name = "Bringer"
  [[tenants.domains]]
  host = "bringer.localhost"
  [tenants.pricing]
  markup = "40%"
  [tenants.wholesale]
  own_upstream_fee = "5%"
  # The same name as one of the operator's, at another address and with another key.
  [tenants.upstreams.mainspring]
  dialect = "openai"
  base_url = "OWN_URL"
  api_keys = ["env:RAWFEED_KEY"]
  [tenants.routing.models."gpt-5-mini"]
  routes = [{ upstream = "mainspring", model = "own-mini", cost = { input = "0.70", output = "3.00" } }]
  [[tenants.groups]]
  id = "slow"
  upstreams = ["sparewheel"]
  limits = { requests_per_minute = 1 }
"""


@pytest.fixture
def sets(shop: Shop) -> Iterator[Shop]:
    """The shop with both tenants in it; its own file is in force again afterwards."""
    platform = 'name = "Zephyrline Wholesale"'
    text = shop.text.replace(platform, f"{platform}\nprivate_upstreams = true")
    try:
        shop.apply(text + ADDED.replace("OWN_URL", shop.sparewheel.base_url))
        for slug in ("keeper", "bringer"):
            shop.ask("wholesale", "deposit", "--tenant", slug, "--amount", "10.00", "--reason", "test")
        yield shop
    finally:
        shop.apply(shop.text, "--prune")


def models(shop: Shop, customer: Customer) -> set[str]:
    answer = shop.http.get(f"{customer.origin}/v1/models", headers=customer.headers)
    return {model["id"] for model in answer.json()["data"]} if answer.status_code == 200 else set()


def called(shop: Shop, customer: Customer, model: str) -> tuple[str, str, str]:
    """Where a call went, by the journals: the emulator, the model asked for there, and the key."""
    answer = shop.call(customer, model=model)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model
    (line,) = shop.journal(answer.headers["x-request-id"])
    return line["name"], line["model"], line["key"]


def key_of(name: str) -> str:
    """A key as the journal names it."""
    return "sha256:" + sha256(SECRETS[f"{name.upper()}_KEY"].encode()).hexdigest()[:12]


def test_each_tenant_is_served_over_its_own_routes_with_the_right_key(sets: Shop) -> None:
    keeper, bringer, solaria = sets.customer("keeper"), sets.customer("bringer"), sets.customer("solaria")
    eventually(lambda: models(sets, keeper) == {"two-ways"}, "keeper's route set", SOON)
    eventually(lambda: "gpt-5-mini" in models(sets, bringer), "bringer's models", SOON)
    assert called(sets, keeper, "two-ways") == ("sparewheel", "vendor/two-b", key_of("sparewheel"))
    assert called(sets, bringer, "gpt-5-mini") == ("sparewheel", "own-mini", key_of("rawfeed"))
    assert called(sets, solaria, "gpt-5-mini") == ("mainspring", "gpt-5-mini", key_of("mainspring"))
    refused = sets.call(keeper, model="gpt-5-mini")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")

    (record,) = sets.records(bringer)
    assert (record["upstream"], record["upstream_model"]) == ("bringer/mainspring", "own-mini")
    tokens = Fraction(record["input_tokens"]), Fraction(record["output_tokens"])
    paid = (tokens[0] * Fraction("0.70") + tokens[1] * 3) / 10**6
    nano = Fraction(1, 10**9)
    assert Fraction(record["cost"]) == 0
    assert 0 <= Fraction(record["wholesale"]) - paid / 20 < nano
    assert 0 <= Fraction(record["retail"]) - paid * Fraction("1.05") * Fraction("1.4") < nano
    explained = sets.ask("usage", "explain", record["id"])
    assert explained["matches"]
    (kept,) = sets.records(keeper)
    assert Fraction(kept["wholesale"]) >= Fraction(kept["cost"]) > 0
    (line,) = [
        line
        for line in sets.ask("price", "show", "--tenant", "bringer", "--model", "gpt-5-mini")["prices"]
        if line["class"] == "input"
    ]
    assert (line["cost"], line["provider"], line["wholesale"], line["retail"], line["margin"]) == (
        "0.00", "0.70", "0.035", "1.029", "0.294",
    )  # fmt: skip
    sets.assert_books_are_right()


def test_a_customer_in_a_group_is_served_and_limited_as_the_group_says(sets: Shop) -> None:
    customer = sets.customer("bringer")
    eventually(lambda: "gpt-5-mini" in models(sets, customer), "bringer's models", SOON)
    assert "raw" in models(sets, customer)
    shown = sets.ask("customer", "update", *customer.owner, "--group", "slow")
    assert shown["group"] == "slow"
    # Its own upstream is none of the group's, and only one model is left.
    eventually(lambda: models(sets, customer) == {"two-ways"}, "the group's models", SOON)
    assert sets.call(customer, model="gpt-5-mini").status_code == 404
    assert called(sets, customer, "two-ways")[0] == "sparewheel"
    assert sets.call(customer, model="two-ways").status_code == 429
    assert sets.ask("customer", "update", *customer.owner, "--group", "none")["group"] is None
    eventually(lambda: "gpt-5-mini" in models(sets, customer), "all models again", SOON)
    code, document = sets.try_("customer", "update", *customer.owner, "--group", "fast")
    assert (code, document["error"]["fix"]) == (4, "There is: slow.")
    assert sets.ask("tenant", "show", "bringer")["groups"][0]["customers"] == 0


def test_an_own_upstream_inside_the_network_is_refused_unless_the_operator_permits_it(any_shop: Shop) -> None:
    file = any_shop.installation.folder / "private.toml"
    file.write_text(any_shop.text + ADDED.replace("OWN_URL", any_shop.sparewheel.base_url))
    for command in ("plan", "apply"):
        result = any_shop.installation.run(command, "-f", str(file), *(["--yes"] if command == "apply" else []))
        assert result.code == 3
        line = file.read_text().splitlines().index(f'  base_url = "{any_shop.sparewheel.base_url}"') + 1
        assert f"{file}:{line}: error RK327 tenants[12].upstreams.mainspring.base_url" in result.stderr
        assert "private_upstreams" in result.stderr
