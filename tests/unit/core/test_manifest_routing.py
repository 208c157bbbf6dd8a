"""Routes in tenants.toml: whose they are, what they make of prices, and the line of everything that can't work."""

from __future__ import annotations

import pytest

from reseller_kit.core.errors import InvalidManifest
from reseller_kit.core.manifest import (
    Document,
    Finding,
    Levels,
    Report,
    as_findings,
    document_of,
    group_routes,
    parse_manifest,
    price_book,
    resources,
    route_set,
    servings,
)
from reseller_kit.core.pricing import charge, losses

TEXT = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "https://one.example/v1"
api_keys = ["env:ONE"]
[upstreams.two]
dialect = "openai"
base_url = "https://two.example/v1"
api_keys = ["env:TWO"]
[models.m1]
routes = [{ upstream = "one", model = "x" }, { upstream = "two", model = "y", priority = 1 }]
cost = { input = "1.00", output = "2.00" }
[models.m2]
routes = [
  { upstream = "one", model = "x2", cost = { input = "1.00", output = "4.00" } },
  { upstream = "two", model = "y2", cost = { input = "3.00", output = "2.00" } },
]
[models.m3]
routes = [{ upstream = "two", model = "y3" }]
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
"""
OWN = """\
  [tenants.upstreams.one]
  dialect = "openai"
  base_url = "https://own.example/v1"
  api_keys = ["env:OWN"]
  [tenants.routing.models.m1]
  routes = [{ upstream = "one", model = "z", cost = { input = "2.00", cached_input = "0.333333", output = "8.00" } }]
"""
END = TEXT.count("\n")


def findings_of(text: str) -> list[Finding]:
    try:
        return list(parse_manifest(text, "t.toml").warnings)
    except InvalidManifest as error:
        return as_findings(error.details)


def document(text: str) -> Document:
    return parse_manifest(text, "t.toml").document


def levels(text: str, model: str) -> Levels:
    return price_book(document(text))["aurora", model]


def test_the_text_and_an_own_upstream_are_in_order() -> None:
    assert findings_of(TEXT) == []
    assert findings_of(TEXT + OWN) == []


E = END
ROUTING = "  [tenants.routing]\n"
M1 = "  [tenants.routing.models.m1]\n"
X = '{ upstream = "one", model = "x" }'


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (ROUTING + '  upstreams = ["ones", "two"]\n', [(E + 2, "RK324", "tenants[0].routing.upstreams[0]")]),
        (ROUTING + '  upstreams = ["two", "two"]\n', [(E + 2, "RK311", "tenants[0].routing.upstreams[1]")]),
        (ROUTING + "  upstreams = []\n", [(E + 2, "RK211", "tenants[0].routing.upstreams")]),
        (ROUTING + '  upstreams = ["one"]\n', [(E + 1, "RK328", "tenants[0].routing")]),
        (ROUTING + '  upstreams = ["aurora/one"]\n', [(E + 2, "RK205", "tenants[0].routing.upstreams[0]")]),
        ('  [tenants.routing.models.m9]\n  strategy = "weighted"\n', [
            (E + 1, "RK324", "tenants[0].routing.models.m9")]),
        ('  [tenants.routing.models.m1]\n  strategy = "fast"\n', [
            (E + 2, "RK204", "tenants[0].routing.models.m1.strategy")]),
        ('  [tenants.routing.models.m1]\n  routes = [{ upstream = "three", model = "x" }]\n', [
            (E + 2, "RK306", "tenants[0].routing.models.m1.routes[0].upstream")]),
        ("  [tenants.routing.models.m1]\n  routes = []\n", [(E + 2, "RK211", "tenants[0].routing.models.m1.routes")]),
        ('  [tenants.routing.models.m1]\n  routes = [{ upstream = "one", model = "x", weight = 0 }]\n', [
            (E + 2, "RK330", "tenants[0].routing.models.m1.routes")]),
        (f"{M1}  routes = [{X}, {X}]\n", [(E + 2, "RK311", "tenants[0].routing.models.m1.routes[1]")]),
        (f'{ROUTING}  upstreams = ["two"]\n{M1}  routes = [{X}]\n',
         [(E + 4, "RK326", "tenants[0].routing.models.m1.routes[0].upstream")]),
        ('  [[tenants.groups]]\n  id = "pro"\n  upstreams = ["three"]\n', [
            (E + 3, "RK324", "tenants[0].groups[0].upstreams[0]")]),
        ('  [[tenants.groups]]\n  id = "pro"\n  upstreams = ["one"]\n', [
            (E + 3, "RK328", "tenants[0].groups[0].upstreams")]),
        ('  [[tenants.groups]]\n  id = "pro"\n  [[tenants.groups]]\n  id = "pro"\n', [
            (E + 4, "RK311", "tenants[0].groups[1].id")]),
        ('  [[tenants.groups]]\n  id = "none"\n', [(E + 2, "RK331", "tenants[0].groups[0].id")]),
        (ROUTING + '  upstreams = ["two"]\n  [[tenants.groups]]\n  id = "pro"\n  upstreams = ["one"]\n', [
            (E + 5, "RK326", "tenants[0].groups[0].upstreams[0]")]),
        ('  [tenants.catalog]\n  fallbacks = ["m*", "gpt-*"]\n', [
            (E + 2, "RK310", "tenants[0].catalog.fallbacks[0]"), (E + 2, "RK310", "tenants[0].catalog.fallbacks[1]")]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_tenants_routing(added: str, expected: list[tuple[int, str, str]]) -> None:
    found = findings_of(TEXT + added)
    assert [(finding.line, finding.code, finding.path) for finding in found] == expected
    assert all(finding.fix for finding in found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('model = "y3" }]', 'model = "y3" }]\nfallbacks = ["m4"]', [(22, "RK322", "models.m3.fallbacks[0]")]),
        ('model = "y3" }]', 'model = "y3" }]\nfallbacks = ["m3"]', [(22, "RK323", "models.m3.fallbacks[0]")]),
        ('model = "y3" }]', 'model = "y3" }]\nfallbacks = ["m1", "m1"]', [(22, "RK311", "models.m3.fallbacks[1]")]),
        ('model = "y3" }]', 'model = "y3" }]\nstrategy = "cheapest"', [(22, "RK204", "models.m3.strategy")]),
        ('upstream = "two", model = "y3"', 'upstream = "tow", model = "y3"',
         [(21, "RK306", "models.m3.routes[0].upstream")]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_models_routes(old: str, new: str, expected: list[tuple[int, str, str]]) -> None:
    found = findings_of(TEXT.replace(old, new))
    assert [(finding.line, finding.code, finding.path) for finding in found] == expected


def test_a_longer_cycle_of_fallbacks_is_told_once_with_its_way() -> None:
    text = TEXT.replace("[models.m2]", '[models.m2]\nfallbacks = ["m3"]').replace(
        "[models.m3]", '[models.m3]\nfallbacks = ["m1"]'
    )
    text = text.replace("[models.m1]", '[models.m1]\nfallbacks = ["m2"]')
    (found,) = findings_of(text)
    assert found.code == "RK323"
    assert "m1 → m2 → m3 → m1" in found.message
    assert findings_of(text.replace('fallbacks = ["m1"]', "")) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"https://own.example/v1"', '"https://127.0.0.1/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://localhost/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://api.localhost:8443/v1"', "RK327"),
        ('"https://own.example/v1"', '"http://10.0.0.8/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://169.254.169.254/latest"', "RK327"),
        ('"https://own.example/v1"', '"https://[::1]/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://[::ffff:7f00:1]/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://[64:ff9b::7f00:1]/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://[2002:7f00:1::]/v1"', "RK327"),
        ('"https://own.example/v1"', '"https://0x7f000001/v1"', "RK206"),
        ('"https://own.example/v1"', '"https://127.1/v1"', "RK206"),
        ('"https://own.example/v1"', '"https://2130706433/v1"', "RK206"),
        ('"https://own.example/v1"', '"http://own.example/v1"', "RK209"),
        ('"https://own.example/v1"', '"https://u:p@own.example/v1"', "RK209"),
        ('"https://own.example/v1"', '"https://own.example/v1?x=1"', "RK209"),
        ('"https://own.example/v1"', '"https://own.example/v1#x"', "RK209"),
        ('["env:OWN"]', '["env:"]', "RK211"),
        ('["env:OWN"]', '[""]', "RK211"),
        ('["env:OWN"]', "[]", "RK211"),
        ('["env:OWN"]', '["sk-123"]', "RK210"),
        ("[tenants.routing.models.m1]\n", '[tenants.routing.models.m1]\nstrategy = "weighted"\n[tenants.x]\n', "RK102"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_own_upstream(old: str, new: str, expected: str) -> None:
    assert old in OWN
    found = [finding for finding in findings_of(TEXT + OWN.replace(old, new)) if finding.level == "error"]
    assert expected in {finding.code for finding in found}
    assert all(finding.line > END and "u:p" not in str(finding) for finding in found)


def test_an_own_upstream_at_a_private_address_is_the_operators_to_permit() -> None:
    private = TEXT + OWN.replace("https://own.example", "http://127.0.0.1:9")
    assert [finding.code for finding in findings_of(private)] == ["RK327"]
    permitted = private.replace('name = "Northwind"', 'name = "Northwind"\nprivate_upstreams = true')
    assert findings_of(permitted) == []
    operators = TEXT.replace("https://one.example", "http://127.0.0.1:9")
    assert findings_of(operators) == []


def test_own_and_operators_routes_of_one_model_are_not_mixed() -> None:
    mixed = OWN.replace("routes = [", 'routes = [{ upstream = "two", model = "y" }, ')
    (found,) = findings_of(TEXT + mixed)
    assert (found.code, found.line, found.path) == ("RK325", END + 6, "tenants[0].routing.models.m1.routes")


def test_an_own_route_needs_a_cost_of_its_own() -> None:
    priceless = OWN.replace(', cost = { input = "2.00", cached_input = "0.333333", output = "8.00" }', "")
    (found,) = findings_of(TEXT + priceless)
    assert (found.code, found.line) == ("RK307", END + 6)
    halved = OWN.replace(', output = "8.00"', "")
    (found,) = findings_of(TEXT + halved)
    assert (found.code, found.path) == ("RK405", "tenants[0].routing.models.m1.routes[0].cost")


def test_nobody_else_reaches_an_own_upstream() -> None:
    second = '[[tenants]]\nslug = "boreal"\nname = "Boreal"\n  [[tenants.domains]]\n  host = "boreal.example"\n'
    first = TEXT + OWN.replace("upstreams.one", "upstreams.own").replace('upstream = "one"', 'upstream = "own"')
    for name, code in (("own", "RK306"), ("aurora/own", "RK205")):
        other = f'  [tenants.routing.models.m1]\n  routes = [{{ upstream = "{name}", model = "z" }}]\n'
        (found,) = findings_of(first + second + other)
        assert (found.code, found.path) == (code, "tenants[1].routing.models.m1.routes[0].upstream")
    (found,) = findings_of(first.replace('upstream = "two", model = "y3"', 'upstream = "own", model = "y3"'))
    assert found.code == "RK306"
    assert "tenants.routing" in found.fix


def test_an_unused_own_upstream_is_warned_of() -> None:
    unused = OWN.partition("  [tenants.routing")[0]
    (found,) = findings_of(TEXT + unused)
    assert (found.code, found.level, found.line) == ("RK329", "warning", END + 1)


def test_the_tenants_name_goes_before_the_operators() -> None:
    made = document(TEXT + OWN)
    (tenant,) = made.tenants
    assert [route.upstream for route in route_set(made, tenant, "m1").routes] == ["aurora/one"]
    assert route_set(made, tenant, "m1").own
    assert [route.upstream for route in route_set(made, tenant, "m2").routes] == ["one", "two"]
    narrowed = document(TEXT + OWN + '  [tenants.routing]\n  upstreams = ["one"]\n')
    assert [name for _, name in price_book(narrowed)] == ["m1"]


def test_prices_follow_the_routes_that_serve_the_tenant() -> None:
    assert levels(TEXT, "m2").wholesale.prices["input"] == 3_300_000
    assert levels(TEXT, "m2").wholesale.prices["output"] == 4_400_000
    only_one = levels(TEXT + '  [tenants.routing]\n  upstreams = ["one"]\n', "m2")
    assert only_one.wholesale.prices == {**only_one.wholesale.prices, "input": 1_100_000, "output": 4_400_000}
    assert only_one.cost.prices["input"] == 1_000_000
    assert not only_one.shared_cost
    assert levels(TEXT, "m2").shared_cost


def test_a_stated_route_costs_what_the_models_route_there_does() -> None:
    same = TEXT + '  [tenants.routing.models.m2]\n  routes = [{ upstream = "two", model = "y2" }]\n'
    assert levels(same, "m2").cost.prices["input"] == 3_000_000
    other = TEXT + '  [tenants.routing.models.m2]\n  routes = [{ upstream = "two", model = "y9" }]\n'
    assert [finding.code for finding in findings_of(other)] == ["RK307"]


def test_over_an_own_upstream_the_operator_takes_a_fee_and_retail_is_on_all_that_is_spent() -> None:
    found = levels(TEXT + OWN, "m1")
    assert found.provider is not None
    assert found.provider.prices["input"] == 2_000_000
    assert set(found.cost.prices.values()) == {0}
    assert found.wholesale.prices["input"] == 100_000
    assert found.wholesale.prices["output"] == 400_000
    # 0.333333 × 5 % is 0.01666665: half goes up, as with every markup.
    assert found.wholesale.prices["cached_input"] == 16_667
    assert found.retail.prices["input"] == 2_940_000
    assert found.retail.prices["cached_input"] == (333_333 + 16_667) * 14 // 10
    assert losses(found.spent, found.retail) == []
    quantities = {"input": 7, "cached_input": 11, "output": 13}
    retail, wholesale, cost = (charge(each, quantities) for each in (found.retail, found.wholesale, found.cost))
    assert retail > wholesale > cost == 0


def test_the_tenants_own_fee_goes_before_the_platforms() -> None:
    free = TEXT + OWN + '  [tenants.wholesale]\n  own_upstream_fee = "0%"\n'
    assert set(levels(free, "m1").wholesale.prices.values()) == {0}
    (found,) = findings_of(TEXT + OWN + '  [tenants.wholesale]\n  own_upstream_fee = "-1%"\n')
    assert found.code == "RK202"


def test_retail_below_what_the_reseller_spends_is_refused() -> None:
    cheap = '  [[tenants.pricing.rules]]\n  match = "m1"\n  input = "2.05"\n'
    (found,) = findings_of(TEXT + cheap + OWN)
    assert found.code == "RK401"
    assert "m1 input 2.05 < 2.10" in found.message


def test_groups_narrow_what_the_tenant_has_and_are_shown() -> None:
    made = document(TEXT + '  [[tenants.groups]]\n  id = "pro"\n  upstreams = ["two"]\n  strategy = "fastest"\n')
    (tenant,) = made.tenants
    served = route_set(made, tenant, "m1")
    assert [route.upstream for route in group_routes(tenant, tenant.groups[0], served)] == ["two"]
    lines = [(row.model, row.group, row.strategy, [way.upstream for way in row.routes]) for row in servings(made)]
    assert ("m1", None, "priority", ["one", "two"]) in lines
    assert ("m1", "pro", "fastest", ["two"]) in lines


def test_what_is_stated_comes_back_from_its_resources() -> None:
    manifest = parse_manifest(TEXT + OWN + '  [tenants.routing]\n  upstreams = ["one", "two"]\n', "t.toml")
    found = resources(manifest)
    assert found["own_upstream", "aurora/one"]["api_keys"] == ["env:OWN"]
    assert found["tenant", "aurora"]["routing.upstreams"] == ["one", "two"]
    again = document_of(found, Report("t.toml", {}))
    assert again.tenants[0].upstreams == manifest.document.tenants[0].upstreams
    assert again.tenants[0].routing == manifest.document.tenants[0].routing
