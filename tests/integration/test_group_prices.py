"""Groups with a markup of their own, on both databases: published, charged, scheduled, told of, taken back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from reseller_kit.core.errors import InvalidManifest, InvalidRequest, NotFound
from reseller_kit.core.paging import window
from reseller_kit.core.price_draft import RuleDraft
from reseller_kit.core.pricing import charge
from reseller_kit.core.storefront import Storefront
from reseller_kit.core.times import DAY_US
from reseller_kit.core.usage_file import UsedCall
from reseller_kit.db import audit_log
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import snapshot
from reseller_kit.flows.audit import audit
from reseller_kit.flows.customers import set_customer_group
from reseller_kit.flows.explain import explain
from reseller_kit.flows.group_editor import MOST, groups_of, save_group
from reseller_kit.flows.notices import tell
from reseller_kit.flows.price_editor import effect_of, price_sheet
from reseller_kit.flows.prices import price_history, show_prices
from reseller_kit.flows.schedule import NewChange, begin_due, schedule_price
from reseller_kit.flows.simulate import Period, outlook, simulate
from reseller_kit.flows.unlock import unlock
from tests.integration.test_price_notices import mails, make_user, tenant_of
from tests.support.factories import deposit, make_call, make_key
from tests.support.provisioning import EXAMPLE, SECRET_KEY, applied, edited, planned, rows, shown

PRO = """\
  [[tenants.groups]]
  id = "pro"
  title = "Pro"
  markup = "20%"
  [[tenants.groups]]
  id = "plain"
  limits = { requests_per_minute = 7 }
"""


def text_with(groups: str = PRO, text: str = EXAMPLE) -> str:
    """The example whose first storefront has these groups."""
    return edited(("  [tenants.pricing]\n", f"{groups}  [tenants.pricing]\n"), text=text)


def change(moment: int, **terms: Any) -> NewChange:
    defaults: dict[str, Any] = {"match": None, "markup_ppm": None, "prices": {}, "allow_loss": False}
    return NewChange(effective_from=moment, **{**defaults, **terms})


async def storefront(db: Database) -> Storefront:
    found = await snapshot.load(db, await unlock(db, SECRET_KEY))
    return next(entry.storefront for entry in found.hosts.values() if entry.storefront.slug == "aurora")


async def input_price(db: Database, model: str, group: str | None = None) -> int:
    lines = await show_prices(db, "aurora", model, group)
    return next(line.retail for line in lines if line.usage_class == "input")


async def test_a_groups_markup_makes_prices_of_its_own(db: Database) -> None:
    plan = await applied(db, text_with())
    assert {move.group for move in plan.prices if move.tenant == "aurora"} == {None, "pro"}
    front = await storefront(db)
    pro, plain = front.as_met_by("pro"), front.as_met_by("plain")
    # Cost 1.25, wholesale + 10 %, then the group's 20 % in place of the storefront's markup.
    assert pro.models["gpt-5"].retail.price_list.prices["input"] == 1_650_000
    assert pro.models["gpt-5"].retail.id != front.models["gpt-5"].retail.id
    assert pro.models["gpt-5"].wholesale is front.models["gpt-5"].wholesale
    assert plain.models["gpt-5"].retail is front.models["gpt-5"].retail
    assert await input_price(db, "gpt-5", "pro") == 1_650_000
    assert await input_price(db, "gpt-5", "plain") == await input_price(db, "gpt-5")
    with pytest.raises(NotFound, match="no group"):
        await show_prices(db, "aurora", None, "gold")
    levels = {row.level for row in (await price_history(db, "aurora", "gpt-5", window(100, None))).items}
    assert levels == {"cost", "wholesale", "retail", "retail:pro"}
    assert not (await planned(db, text_with())).pending


async def test_a_model_with_prices_of_its_own_costs_every_group_the_same(db: Database) -> None:
    await applied(db, text_with())
    front = await storefront(db)
    pro = front.as_met_by("pro")
    rules = front.settings["pricing"]["rules"]
    (named,) = [rule["match"] for rule in rules if "input" in rule]
    assert pro.models[named].retail.price_list == front.models[named].retail.price_list
    for name, offered in pro.models.items():
        assert offered.retail.price_list.prices.keys() == front.models[name].retail.price_list.prices.keys()


async def test_only_what_moves_is_published_and_what_is_taken_back_is_everybodys_again(db: Database) -> None:
    await applied(db, text_with())
    count = len(await rows(db, t.price_version.select()))
    await applied(db, text_with(PRO.replace('"20%"', '"30%"')))
    added = (await rows(db, t.price_version.select().order_by(t.price_version.c.created_at)))[count:]
    assert {row.level for row in added} == {"retail:pro"}
    # Models at prices of their own did not move.
    assert len(added) < len({row.model for row in await rows(db, t.price_version.select())})
    plan = await applied(db, text_with(PRO.replace('  markup = "20%"\n', "")))
    assert {move.group for move in plan.prices} == {"pro"}
    front = await storefront(db)
    assert front.as_met_by("pro").models["gpt-5"].retail is front.models["gpt-5"].retail
    await applied(db, text_with())
    assert await input_price(db, "gpt-5", "pro") == 1_650_000


async def test_a_cost_that_rises_reaches_the_group(db: Database) -> None:
    text = text_with()
    await applied(db, text)
    before = await input_price(db, "gpt-5", "pro")
    await applied(db, edited(('[wholesale]\nmarkup = "10%"', '[wholesale]\nmarkup = "20%"'), text=text))
    assert await input_price(db, "gpt-5", "pro") == 1_800_000 > before


async def test_a_group_may_not_be_sold_to_below_wholesale_unseen(db: Database) -> None:
    cheap = PRO.replace('"20%"', '"-5%"')
    with pytest.raises(InvalidManifest) as refused:
        await applied(db, text_with(cheap))
    (detail,) = refused.value.details
    assert (detail["code"], detail["path"]) == ("RK401", "tenants[0].groups[0].markup")
    assert "allow_loss = true on the group" in detail["fix"]
    await applied(db, text_with(cheap.replace('markup = "-5%"', 'markup = "-5%"\n  allow_loss = true')))
    assert (await storefront(db)).as_met_by("pro").models["gpt-5"].retail.price_list.prices["input"] == 1_306_250


async def test_scheduled_prices_reach_groups_as_far_as_they_concern_them(db: Database) -> None:
    await applied(db, text_with())
    moment = now_us() + 20 * DAY_US
    await schedule_price(db, "aurora", change(moment, markup_ppm=900_000), "test")
    front = await storefront(db)
    assert "gpt-5" in front.later
    # A model with prices of its own costs the group what it costs everybody, later as now.
    assert set(front.as_met_by("pro").later) == {"gpt-5-mini"}
    await schedule_price(db, "aurora", change(moment + 1, match="gpt-5", prices={"input": 9_000_000}), "test")
    (later,) = (await storefront(db)).as_met_by("pro").later["gpt-5"]
    assert (later.effective_from, later.price_list.prices["input"]) == (moment + 1, 9_000_000)
    assert await begin_due(db, moment + 2) == 2
    front = await storefront(db)
    assert front.as_met_by("pro").models["gpt-5"].retail.price_list.prices["input"] == 1_650_000


async def test_a_scheduled_change_that_loses_money_with_a_group_is_refused(db: Database) -> None:
    groups = PRO.replace('"20%"', '"-5%"')
    rules = '  [[tenants.pricing.rules]]\n  match = "*"\n  input = "90.00"\n  output = "90.00"\n'
    start = EXAMPLE.index("  [[tenants.pricing.rules]]")
    text = text_with(groups, EXAMPLE[:start] + rules + EXAMPLE[EXAMPLE.index("  [tenants.catalog]", start) :])
    await applied(db, text)
    with pytest.raises(InvalidRequest, match="for the group pro"):
        await schedule_price(db, "aurora", change(now_us() + DAY_US, match="gpt-5", markup_ppm=500_000), "test")


async def test_members_are_told_of_their_own_prices(db: Database) -> None:
    await applied(db, text_with())
    tenant = await tenant_of(db, "aurora")
    await deposit(db, tenant)
    assert await tell(db) == 0
    member = await make_user(db, tenant, "pro@example.com", "gpt-5")
    await make_user(db, tenant, "other@example.com", "gpt-5")
    plain = await make_user(db, tenant, "plain@example.com", "gpt-5")
    await set_customer_group(db, "aurora", member.id, "pro", "test")
    await set_customer_group(db, "aurora", plain.id, "plain", "test")
    moment = now_us() + 20 * DAY_US
    await schedule_price(db, "aurora", change(moment, markup_ppm=900_000), "test")
    assert await tell(db, moment - 1) == 2
    assert set(await mails(db)) == {"other@example.com", "plain@example.com"}
    await schedule_price(db, "aurora", change(moment + 1, match="gpt-5", prices={"input": 9_000_000}), "test")
    assert await tell(db, moment) == 3
    assert ("gpt-5", "input", "1.65", "9.00") in (await mails(db))["pro@example.com"]
    assert ("gpt-5", "input", "1.65", "9.00") not in (await mails(db))["other@example.com"]


async def test_a_group_that_gets_prices_is_told_what_it_paid_before(db: Database) -> None:
    await applied(db, text_with(PRO.replace('  markup = "20%"\n', "")))
    tenant = await tenant_of(db, "aurora")
    await deposit(db, tenant)
    assert await tell(db) == 0
    member = await make_user(db, tenant, "pro@example.com", "gpt-5")
    await make_user(db, tenant, "other@example.com", "gpt-5")
    await set_customer_group(db, "aurora", member.id, "pro", "test")
    before = await input_price(db, "gpt-5")
    await applied(db, text_with())
    assert await tell(db) == 1
    ((recipient, lines),) = (await mails(db)).items()
    assert recipient == "pro@example.com"
    assert ("gpt-5", "input", f"{before / 1_000_000:.3f}".rstrip("0"), "1.65") in lines


async def test_what_past_calls_would_have_earned_is_computed_at_their_groups_prices(db: Database) -> None:
    await applied(db, text_with())
    tenant = await tenant_of(db, "aurora")
    await deposit(db, tenant)
    member = await make_user(db, tenant, "pro@example.com", "gpt-5")
    await set_customer_group(db, "aurora", member.id, "pro", "test")
    period = Period(0, now_us() + DAY_US)
    found = await simulate(db, "aurora", change(0, markup_ppm=900_000), period)
    assert found.total.calls == 1
    assert found.total.retail_then == found.total.retail_now
    others = await simulate(db, "aurora", change(0, markup_ppm=900_000), [UsedCall("gpt-5", {"input": 1_000_000})])
    assert others.total.retail_then > others.total.retail_now
    sheet = await price_sheet(db, "aurora")
    effect = await effect_of(db, "aurora", sheet.draft)
    seen = await outlook(db, "aurora", effect.now, effect.then, period)
    assert seen.total.retail_now == found.total.retail_now
    dearer = await effect_of(db, "aurora", structs.replace(sheet.draft, markup="90%"))
    assert {move.group for move in dearer.moves if move.model == "gpt-5"} == {None}
    named = RuleDraft(match="gpt-5", prices={"input": "9.00"})
    effect = await effect_of(db, "aurora", structs.replace(sheet.draft, rules=(named, *sheet.draft.rules)))
    assert {(move.group, move.new) for move in effect.moves if move.usage_class == "input"} >= {
        (None, 9_000_000),
        ("pro", 9_000_000),
    }


async def test_a_record_names_the_groups_version_for_ever(db: Database) -> None:
    await applied(db, text_with())
    (version,) = await rows(db, t.price_version.select().where(t.price_version.c.level == "retail:pro").limit(1))
    front = await storefront(db)
    pinned = front.as_met_by("pro").models[version.model]
    assert pinned.retail.id == version.id
    tenant = await tenant_of(db, "aurora")
    await deposit(db, tenant)
    member = await make_user(db, tenant, "pro@example.com")
    await set_customer_group(db, "aurora", member.id, "pro", "test")
    used = {"input": 1_000, "output": 500}
    own = {"retail_version": version.id, "retail_nano": charge(pinned.retail.price_list, used)}
    call = await make_call(db, member, await make_key(db, member), version.model, quantities=used, **own)
    told = await explain(db, call)
    assert told["totals"]["retail"]["group"] == "pro"
    assert told["totals"]["wholesale"]["group"] is None
    assert told["matches"]
    assert (await audit(db)).findings == []
    await applied(db, EXAMPLE, reset_drift=True)
    assert (await explain(db, call))["totals"]["retail"]["price_version"] == version.id


async def test_the_console_makes_so_many_groups_and_leaves_what_it_does_not_show(db: Database) -> None:
    kept = 'strategy = "fastest"\n  limits = { requests_per_minute = 7, shorten = true }\n'
    await applied(db, text_with(PRO.replace("limits = { requests_per_minute = 7 }\n", kept)))
    vault = await unlock(db, SECRET_KEY)

    async def save(group_id: str, **fields: Any) -> None:
        mark = (await groups_of(db, "aurora")).mark
        await save_group(db, vault, "aurora", group_id, fields, expected=mark, actor="test")

    await save("plain", title="Plain", limits={"requests_per_minute": None, "tokens_per_minute": 9})
    plain = (await groups_of(db, "aurora")).find("plain").terms
    assert plain["strategy"] == "fastest"
    assert plain["limits"] == {"tokens_per_minute": 9, "shorten": True}
    more = "".join(f'  [[tenants.groups]]\n  id = "g{number}"\n' for number in range(MOST - 2))
    await applied(db, text_with(PRO + more), reset_drift=True)
    with pytest.raises(InvalidRequest, match="50 groups"):
        await save("more", title="More", limits={})
    await save("g1", title="Changed", limits={})
    assert (await groups_of(db, "aurora")).find("g1").terms["title"] == "Changed"
    assert shown(await planned(db, text_with(PRO + more))) == [("drift", "tenant", "aurora")]


async def test_a_groups_own_markup_changes_at_its_moment(db: Database) -> None:
    await applied(db, text_with())
    usual = (await storefront(db)).models["gpt-5"].retail.price_list.prices["input"]
    moment = now_us() + 20 * DAY_US
    await schedule_price(db, "aurora", change(moment, markup_ppm=300_000, group="pro"), "test")
    front = await storefront(db)
    (later,) = front.as_met_by("pro").later["gpt-5"]
    assert (later.effective_from, later.price_list.prices["input"]) == (moment, 1_787_500)
    assert "gpt-5" not in front.later
    assert await begin_due(db, moment + 1) == 1
    tenant = await tenant_of(db, "aurora")
    assert next(one for one in tenant.settings["groups"] if one["id"] == "pro")["markup"] == "30%"
    async with db.read(EVERY_TENANT) as connection:
        (begun,) = await audit_log.touching(connection, tenant.id, ("groups",), 1, None)
    assert begun.action == "price.begun"
    assert (await price_sheet(db, "aurora")).draft.rules
    for terms in (
        {"markup_ppm": 300_000, "group": "nobody"},
        {"markup_ppm": 300_000, "group": "pro", "match": "gpt-5"},
        {"prices": {"input": 1}, "group": "pro"},
    ):
        with pytest.raises(InvalidRequest):
            await schedule_price(db, "aurora", change(now_us() + DAY_US, **terms), "test")
    with pytest.raises(InvalidRequest, match="for the group pro"):
        await schedule_price(db, "aurora", change(now_us() + DAY_US, markup_ppm=-10_000, group="pro"), "test")
    assert usual == (await storefront(db)).models["gpt-5"].retail.price_list.prices["input"]
