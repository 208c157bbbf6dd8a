"""Route sets, own upstreams and groups from the file to what is served: applied, priced, kept apart, taken back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import InvalidManifest, ModelNotFound, NotFound
from reseller_kit.core.paging import window
from reseller_kit.core.storefront import Snapshot, Storefront, UpstreamConfig
from reseller_kit.core.upstream_keys import KeyState
from reseller_kit.db import operator_manifest, tenants, upstream_keys
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import snapshot
from reseller_kit.flows.customers import set_customer_group
from reseller_kit.flows.doctor import examine, examine_tenant
from reseller_kit.flows.key_alerts import tell_of_parked
from reseller_kit.flows.playground import playground_account
from reseller_kit.flows.prices import price_history, show_prices
from reseller_kit.flows.provision import Plan, apply, plan, read_manifest, resolver
from reseller_kit.flows.provision.timeline import books, stored_document
from reseller_kit.flows.schedule import NewChange, schedule_price
from reseller_kit.flows.tenant_supply import supply_of
from reseller_kit.flows.unlock import unlock
from reseller_kit.flows.upstreams import list_upstreams, unpark
from tests.support.factories import make_customer
from tests.support.provisioning import SECRET_KEY, installed, shown

TEXT = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
api_keys = ["env:ONE"]
[upstreams.two]
dialect = "openai"
base_url = "http://127.0.0.1:9/v2"
api_keys = ["env:TWO"]
[models.m1]
routes = [
  { upstream = "one", model = "x", cost = { input = "1.00", output = "2.00" } },
  { upstream = "two", model = "y", priority = 1, cost = { input = "3.00", output = "1.00" } },
]
[models.m2]
routes = [{ upstream = "two", model = "y2" }]
cost = { input = "1.00", output = "2.00" }
[wholesale]
markup = "10%"
own_upstream_fee = "5%"
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "aurora.example"
  [tenants.pricing]
  markup = "40%"
#aurora
[[tenants]]
slug = "boreal"
name = "Boreal"
  [[tenants.domains]]
  host = "boreal.example"
"""
OWN = """\
  [tenants.upstreams.one]
  dialect = "openai"
  base_url = "https://own.example/v1"
  api_keys = ["env:OWN_1", "env:OWN_2"]
  headers = { "x-team-token" = "env:TEAM", "x-plain" = "yes" }
  [tenants.routing.models.m1]
  routes = [{ upstream = "one", model = "z", cost = { input = "2.00", output = "8.00" } }]
  strategy = "weighted"
"""
GROUPS = """\
  [[tenants.groups]]
  id = "pro"
  title = "Pro"
  upstreams = ["two"]
  strategy = "fastest"
  limits = { requests_per_minute = 7 }
"""
KEYS = {"ONE": "sk-one", "TWO": "sk-two", "OWN_1": "sk-own-1", "OWN_2": "sk-own-2", "TEAM": "team-secret"}
PUBLIC = {"own.example": ["93.184.216.34"]}


def text_with(*added: str) -> str:
    return TEXT.replace("#aurora\n", "".join(added))


async def applied(db: Database, text: str, **options: Any) -> Plan:
    manifest = read_manifest(text, "tenants.toml", installed(), look_up=lambda _: PUBLIC)
    vault = await unlock(db, SECRET_KEY)
    return await apply(db, vault, manifest, resolver(KEYS, Path()), actor="test", **options)


async def planned(db: Database, text: str, **options: Any) -> Plan:
    manifest = read_manifest(text, "tenants.toml", installed(), look_up=lambda _: PUBLIC)
    return await plan(db, await unlock(db, SECRET_KEY), manifest, resolver(KEYS, Path()), **options)


async def served(db: Database) -> Snapshot:
    return await snapshot.load(db, await unlock(db, SECRET_KEY))


def secrets_of(upstream: UpstreamConfig) -> list[str]:
    return [key.secret for key in upstream.api_keys]


async def storefront(db: Database, host: str = "aurora.example") -> Storefront:
    return (await served(db)).hosts[host].storefront


def ways(front: Storefront) -> dict[str, list[str]]:
    return {name: [route.upstream for route in offered.routes] for name, offered in front.models.items()}


async def input_prices(db: Database, slug: str = "aurora", model: str = "m1") -> tuple[int | None, ...]:
    """Cost, provider, wholesale, retail and margin of input tokens."""
    (line,) = [line for line in await show_prices(db, slug, model) if line.usage_class == "input"]
    return line.cost, line.provider, line.wholesale, line.retail, line.margin


async def test_a_tenant_is_served_over_its_list_of_upstreams_alone(db: Database) -> None:
    await applied(db, text_with('  [tenants.routing]\n  upstreams = ["one"]\n'))
    assert ways(await storefront(db)) == {"m1": ["one"]}
    assert ways(await storefront(db, "boreal.example")) == {"m1": ["one", "two"], "m2": ["two"]}
    # The dearest of the routes that are left: 1.00, where the other tenant's is 3.00.
    assert await input_prices(db) == (1_000_000, None, 1_100_000, 1_540_000, 440_000)
    assert await input_prices(db, "boreal") == (3_000_000, None, 3_300_000, 3_300_000, 0)
    with pytest.raises(ModelNotFound):
        await show_prices(db, "aurora", "m2")
    assert (await supply_of(db, "aurora")).models == {"m1": ["one"]}
    assert [
        finding.code
        for finding in (await planned(db, text_with('  [tenants.routing]\n  upstreams = ["one"]\n'))).warnings
    ] == ["RK328"]


async def test_an_own_upstream_serves_its_tenant_with_its_own_keys(db: Database) -> None:
    done = await applied(db, text_with(OWN))
    assert ("create", "own_upstream", "aurora/one") in shown(done)
    found = await served(db)
    own = found.upstreams["aurora/one"]
    assert secrets_of(own) == ["sk-own-1", "sk-own-2"]
    assert set(own.headers) == {("x-team-token", "team-secret"), ("x-plain", "yes")}
    assert (own.base_url, own.public_only) == ("https://own.example/v1", True)
    assert secrets_of(found.upstreams["one"]) == ["sk-one"]
    assert not found.upstreams["one"].public_only
    aurora, boreal = found.hosts["aurora.example"].storefront, found.hosts["boreal.example"].storefront
    assert own.tenant_id == aurora.tenant_id
    assert ways(aurora) == {"m1": ["aurora/one"], "m2": ["two"]}
    assert ways(boreal) == {"m1": ["one", "two"], "m2": ["two"]}
    assert (aurora.models["m1"].strategy, boreal.models["m1"].strategy) == ("weighted", "priority")
    assert "own.example" in found.hidden_words


async def test_over_it_the_operator_pays_nothing_and_is_owed_a_fee(db: Database) -> None:
    await applied(db, text_with(OWN))
    offered = (await storefront(db)).models["m1"]
    (route,) = offered.routes
    assert set(route.cost.price_list.prices.values()) == {0}
    # By this one its own routes are compared, where the cheapest is wanted.
    assert route.paid.price_list.prices["input"] == 2_000_000
    assert offered.wholesale.price_list.prices["input"] == 100_000
    assert offered.retail.price_list.prices["input"] == 2_940_000
    assert await input_prices(db) == (0, 2_000_000, 100_000, 2_940_000, 840_000)
    levels = {row.level for row in (await price_history(db, "aurora", None, window(100, None))).items}
    assert levels == {"cost", "provider", "wholesale", "retail"}
    models = {row.model for row in (await price_history(db, "aurora", None, window(100, None))).items}
    assert models == {"m1", "m2"}


async def test_the_same_file_again_changes_nothing_and_stored_prices_are_what_they_are_derived_from(
    db: Database,
) -> None:
    text = text_with(OWN, '  [tenants.routing]\n  upstreams = ["one", "two"]\n', GROUPS)
    await applied(db, text)
    again = await applied(db, text)
    assert (again.changes, again.prices, again.pending) == ((), (), False)
    async with db.read(EVERY_TENANT) as connection:
        rows = await operator_manifest.read_all(connection, now_us())
    ((_, book),) = books(stored_document(rows), {}, now_us())
    for slug, model in (("aurora", "m1"), ("aurora", "m2"), ("boreal", "m1"), ("boreal", "m2")):
        assert await input_prices(db, slug, model) == (
            book[slug, model].cost.prices["input"],
            None if (provider := book[slug, model].provider) is None else provider.prices["input"],
            book[slug, model].wholesale.prices["input"],
            book[slug, model].retail.prices["input"],
            book[slug, model].retail.prices["input"] - book[slug, model].spent.prices["input"],
        )


async def test_a_model_over_an_own_upstream_falls_back_to_no_call_that_the_operator_pays_for(db: Database) -> None:
    text = text_with(OWN, '  [tenants.catalog]\n  fallbacks = ["*"]\n')
    text = text.replace("[models.m1]", '[models.m1]\nfallbacks = ["m2"]')
    text = text.replace(
        'host = "boreal.example"\n', 'host = "boreal.example"\n  [tenants.catalog]\n  fallbacks = ["m1"]\n'
    )
    done = await applied(db, text)
    assert [(finding.code, finding.path) for finding in done.warnings] == [("RK332", "tenants[0].routing.models.m1")]
    assert (await storefront(db)).models["m1"].fallbacks == ()
    assert (await storefront(db, "boreal.example")).models["m1"].fallbacks == ("m2",)
    both = text.replace(
        "[tenants.routing.models.m1]",
        "[tenants.routing.models.m2]\n" + OWN.splitlines()[6] + "\n  [tenants.routing.models.m1]",
    )
    assert (await applied(db, both)).warnings == ()
    assert (await storefront(db)).models["m1"].fallbacks == ("m2",)


async def test_going_back_to_the_operators_routes_brings_their_prices_back(db: Database) -> None:
    await applied(db, TEXT)
    before = await input_prices(db)
    await applied(db, text_with(OWN))
    moved = await planned(db, TEXT, prune=True)
    assert {move.usage_class for move in moved.prices} >= {"input", "output"}
    done = await applied(db, TEXT, prune=True)
    assert ("archive", "own_upstream", "aurora/one") in shown(done)
    assert await input_prices(db) == before
    found = await served(db)
    assert set(found.upstreams) == {"one", "two"}
    assert ways(found.hosts["aurora.example"].storefront)["m1"] == ["one", "two"]
    async with db.read(EVERY_TENANT) as connection:
        secrets = set(await connection.scalars(select(t.secret.c.name)))
    assert not any(name.startswith("own_upstream:") for name in secrets)
    assert not (await planned(db, TEXT)).pending


async def test_a_tenant_that_was_archived_does_not_hold_up_its_upstreams_end(db: Database) -> None:
    await applied(db, text_with(OWN, '  [tenants.routing]\n  upstreams = ["one", "two"]\n'))
    without, rest = TEXT.partition("[[tenants]]")[0], "[[tenants]]" + TEXT.partition("#aurora\n[[tenants]]")[2]
    done = await applied(db, without + rest, prune=True)
    assert ("archive", "tenant", "aurora") in shown(done)
    shorter = without.replace("two", "three")
    done = await applied(db, shorter.replace("env:TWO", "env:ONE") + rest, prune=True)
    assert ("archive", "upstream", "two") in shown(done)
    assert set((await served(db)).upstreams) == {"one", "three"}


async def test_a_provider_that_becomes_dearer_is_a_pending_price_even_if_retail_is_fixed(db: Database) -> None:
    fixed = '  [[tenants.pricing.rules]]\n  match = "m1"\n  input = "9.00"\n  output = "20.00"\n'
    fee = '  [tenants.wholesale]\n  own_upstream_fee = "0%"\n'
    by_model = OWN.replace('output = "8.00" } }]', 'output = "8.00" } }]')
    await applied(db, text_with(fixed, fee, by_model))
    dearer = by_model.replace('input = "2.00"', 'input = "2.50"')
    done = await applied(db, text_with(fixed, fee, dearer))
    assert done.pending
    assert await input_prices(db) == (0, 2_500_000, 0, 9_000_000, 6_500_000)


async def test_a_scheduled_price_may_not_lie_below_what_the_reseller_spends(db: Database) -> None:
    await applied(db, text_with(OWN))
    moment = now_us() + 3_600_000_000
    low = NewChange(effective_from=moment, match="m1", markup_ppm=None, prices={"input": 2_050_000}, allow_loss=False)
    with pytest.raises(Exception, match=r"2\.05 < 2\.10"):
        await schedule_price(db, "aurora", low, "test")
    high = NewChange(effective_from=moment, match="m1", markup_ppm=100_000, prices={}, allow_loss=False)
    made = await schedule_price(db, "aurora", high, "test")
    assert {line.retail for line in made.lines if line.usage_class == "input"} == {2_310_000}


async def test_a_change_of_a_key_reaches_the_next_snapshot(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await applied(db, text_with(OWN))
    monkeypatch.setitem(KEYS, "OWN_2", "sk-own-new")
    done = await applied(db, text_with(OWN))
    assert [(change.kind, change.id, change.fields) for change in done.changes] == [
        ("own_upstream", "aurora/one", {"secret": "changed"})
    ]
    assert secrets_of((await served(db)).upstreams["aurora/one"]) == ["sk-own-1", "sk-own-new"]


async def test_a_missing_key_of_an_own_upstream_is_refused_at_its_place(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(KEYS, "OWN_2")
    monkeypatch.setitem(KEYS, "TEAM", "")
    with pytest.raises(InvalidManifest) as refused:
        await planned(db, text_with(OWN))
    places = [(finding["level"], finding["path"]) for finding in refused.value.details]
    assert places == [
        ("error", "tenants[0].upstreams.one.api_keys[1]"),
        ("error", "tenants[0].upstreams.one.headers.x-team-token"),
    ]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["10.0.0.1"], ("error", "RK327")),
        (["93.184.216.34", "127.0.0.1"], ("error", "RK327")),
        (["64:ff9b::a9fe:a9fe"], ("error", "RK327")),
        ([], ("warning", "RK506")),
    ],
)
def test_a_host_that_leads_inside_is_refused(answers: list[str], expected: tuple[str, str]) -> None:
    text, line = text_with(OWN), text_with(OWN).splitlines().index('  base_url = "https://own.example/v1"') + 1
    try:
        found = list(read_manifest(text, "t.toml", installed(), look_up=lambda _: {"own.example": answers}).warnings)
        places = [(one.level, one.code, one.line, one.path) for one in found]
    except InvalidManifest as error:
        places = [(one["level"], one["code"], one["line"], one["path"]) for one in error.details]
    assert places == [(*expected, line, "tenants[0].upstreams.one.base_url")]


def test_no_host_is_looked_up_that_need_not_be() -> None:
    asked: list[str] = []

    def look_up(hosts: Iterable[str]) -> dict[str, list[str]]:
        asked.extend(hosts)
        return {}

    read_manifest(TEXT, "t.toml", installed(), look_up=look_up)
    permitted = text_with(OWN).replace('name = "Northwind"', 'name = "Northwind"\nprivate_upstreams = true')
    read_manifest(permitted, "t.toml", installed(), look_up=look_up)
    assert asked == []


async def test_a_group_meets_the_storefront_in_its_own_way(db: Database) -> None:
    await applied(db, text_with(GROUPS))
    front = await storefront(db)
    pro = front.as_met_by("pro")
    assert ways(pro) == {"m1": ["two"], "m2": ["two"]}
    assert {offered.strategy for offered in pro.models.values()} == {"fastest"}
    assert (pro.limits.requests_per_minute, front.limits.requests_per_minute) == (7, None)
    assert pro.models["m1"].retail is front.models["m1"].retail
    assert front.as_met_by(None) is front
    assert front.as_met_by("gone") is front
    assert {row.group for row in (await planned(db, text_with(GROUPS))).servings if row.tenant} == {"pro"}


async def test_a_customer_is_put_into_a_group_of_its_tenant_alone(db: Database) -> None:
    await applied(db, text_with(GROUPS))
    async with db.read(EVERY_TENANT) as connection:
        aurora, boreal = await tenants.find(connection, "aurora"), await tenants.find(connection, "boreal")
    assert aurora is not None
    assert boreal is not None
    ours, theirs = await make_customer(db, aurora), await make_customer(db, boreal)
    assert (await set_customer_group(db, "aurora", ours.id, "pro", "test")).group_id == "pro"
    # What is called without a key, from the customer's own pages, is served as its group is.
    assert (await playground_account(db, await storefront(db), ours.id)).group_id == "pro"
    with pytest.raises(NotFound, match="no group"):
        await set_customer_group(db, "boreal", theirs.id, "pro", "test")
    with pytest.raises(NotFound, match="no customer"):
        await set_customer_group(db, "aurora", theirs.id, "pro", "test")
    groups = (await supply_of(db, "aurora")).groups
    assert [(group.id, group.title, group.customers) for group in groups] == [("pro", "Pro", 1)]
    await applied(db, TEXT)
    codes = [complaint.code for complaint in (await examine_tenant(db, "aurora"))[1]]
    assert "DR213" in codes
    assert (await set_customer_group(db, "aurora", ours.id, None, "test")).group_id is None


async def test_upstreams_are_listed_with_their_owners_and_fingerprints(db: Database) -> None:
    await applied(db, text_with(OWN))
    found = {listed.stored.name: listed.stored for listed in await list_upstreams(db)}
    assert list(found) == ["one", "two", "aurora/one"]
    own = found["aurora/one"]
    assert own.models == ["m1"]
    assert [key.reference for key in own.keys] == ["env:OWN_1", "env:OWN_2"]
    assert len({key.fingerprint for key in own.keys} | {key.fingerprint for key in found["one"].keys}) == 3


async def park(db: Database, secret: str) -> None:
    """A key of the tenant's own upstream is refused, as a serving process notes it."""
    fingerprint = (await unlock(db, SECRET_KEY)).fingerprint(secret)
    state = KeyState(standing="parked", reason="401 invalid_api_key", since=now_us(), until=None)
    async with db.write(EVERY_TENANT) as connection:
        assert await upstream_keys.put(connection, "aurora/one", fingerprint, state)
        await tell_of_parked(connection, "aurora/one", fingerprint, state, now_us())


async def test_a_resellers_owners_are_told_of_its_keys_and_nobody_else(db: Database) -> None:
    text = text_with(OWN).replace('name = "Aurora"', 'name = "Aurora"\nowners = ["ada@aurora.example"]')
    text = text.replace('name = "Northwind"', 'name = "Northwind"\nalert_emails = ["ops@northwind.example"]')
    await applied(db, text)
    await park(db, "sk-own-1")
    await park(db, "sk-own-2")
    async with db.read(EVERY_TENANT) as connection:
        mails = list(
            await connection.execute(select(t.outbox).where(t.outbox.c.kind != "member_invite").order_by(t.outbox.c.id))
        )
    assert [(mail.kind, mail.recipient) for mail in mails] == [("own_key_parked", "ada@aurora.example")] * 2
    assert [mail.payload["last"] for mail in mails] == [False, True]
    assert {mail.payload["upstream"] for mail in mails} == {"one"}
    codes = [complaint.code for complaint in await examine(db)]
    assert codes.count("DR111") == 2
    assert codes.count("DR112") == 1
    listed = {each.stored.name: each for each in await list_upstreams(db)}
    assert len(listed["aurora/one"].states) == 2
    assert listed["one"].states == {}
    assert len(await unpark(db, "aurora/one", None, "test")) == 2
    await park(db, "sk-own-1")
    without = text.replace('["env:OWN_1", "env:OWN_2"]', '["env:OWN_2"]')
    await applied(db, without)
    assert {each.stored.name: each.states for each in await list_upstreams(db)}["aurora/one"] == {}
