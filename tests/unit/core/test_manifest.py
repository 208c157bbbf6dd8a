"""tenants.toml: what is valid, and the line, code and fix of everything that is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidManifest
from reseller_kit.core.manifest import (
    CODES,
    Finding,
    as_findings,
    parse_manifest,
    price_book,
)
from reseller_kit.core.manifest.shapes import ArrayOf, MapOf, Shape, TableOf, keys_of
from reseller_kit.core.manifest.shop_structs import Table
from reseller_kit.core.manifest.structs import Document

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "tenants.example.toml").read_text(encoding="utf-8")

SMALL = """\
schema = 1
[platform]
name = "Northwind"
[upstreams.one]
dialect = "openai"
base_url = "https://api.example.com/v1"
api_keys = ["env:KEY"]
[models.m1]
routes = [{ upstream = "one", model = "x" }]
cost = { input = "1.00", output = "2.00" }
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "aurora.example"
"""


def findings_of(text: str) -> list[Finding]:
    """All findings of a text, valid or not."""
    try:
        return list(parse_manifest(text, "t.toml").warnings)
    except InvalidManifest as error:
        return as_findings(error.details)


def short(text: str) -> list[tuple[int, str, str]]:
    return [(finding.line, finding.code, finding.path) for finding in findings_of(text)]


def with_line(old: str, new: str, text: str = SMALL) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_the_example_is_valid_without_warnings() -> None:
    manifest = parse_manifest(EXAMPLE, "tenants.example.toml")
    assert manifest.warnings == ()
    assert [tenant.slug for tenant in manifest.document.tenants] == ["aurora", "nocturne"]
    assert manifest.document.tenants[0].pricing.markup == 400_000
    assert manifest.document.models["gpt-5-mini"].cost is not None


def test_every_line_of_a_key_in_the_example_is_commented_once() -> None:
    """The first appearance of each key explains it, on its line or on the comment line above."""
    seen: set[str] = set()
    previous = ""
    for line in EXAMPLE.splitlines():
        match = re.match(r"\s*(?:# )?([a-z_]+) = ", line)
        if match and match[1] not in seen and not match[1].startswith(("input", "cached", "output")):
            seen.add(match[1])
            is_explained = "#" in line or previous.lstrip().startswith("#")
            assert is_explained or match[1] in {"api_key", "presets", "from", "smtp", "legal"}, line
        previous = line
    assert {"schema", "markup", "webhook_secret", "smtp", "shorten", "public_url"} <= seen


def test_every_key_of_the_format_stands_in_the_example() -> None:
    words = set(re.findall(r"[a-z_0-9]+", EXAMPLE))
    rare = {"input_audio", "output_audio", "input_image", "output_image", "seconds", "characters", "images", "request"}
    rare |= {"tool_call", "registration", "email"}
    assert {name for name in all_keys(Document) if name not in words} <= rare


def all_keys(table: type[Table]) -> set[str]:
    names: set[str] = set()
    for key in keys_of(table).values():
        names.add(key.name)
        shape: Shape = key.shape
        while isinstance(shape, ArrayOf | MapOf):
            shape = shape.item if isinstance(shape, ArrayOf) else shape.value
        if isinstance(shape, TableOf):
            names |= all_keys(shape.table)
    return names


def test_every_key_has_a_line_for_the_reference() -> None:
    def check(table: type[Table]) -> None:
        for key in keys_of(table).values():
            assert key.doc, f"{table.__name__}.{key.name}"
            shape = key.shape.item if isinstance(key.shape, ArrayOf) else key.shape
            shape = shape.value if isinstance(shape, MapOf) else shape
            if isinstance(shape, TableOf):
                check(shape.table)

    check(Document)


def test_values_are_typed_and_canonical() -> None:
    text = with_line('slug = "aurora"', 'slug = "aurora"\nowners = ["Ann@Aurora.EXAMPLE"]')
    text = with_line('"aurora.example"', '"Aurora.Example."', text)
    tenant = parse_manifest(text, "t.toml").document.tenants[0]
    assert tenant.owners == ("ann@aurora.example",)
    assert tenant.domains[0].host == "aurora.example"
    assert tenant.status == "active"
    assert tenant.brand.key_prefix == "sk"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("schema = 1", "schema = ", (1, "RK101", "")),
        ("schema = 1", "schema = 1\nschema = 1", (2, "RK101", "")),
        ("schema = 1", "schema = 2", (1, "RK106", "schema")),
        ("schema = 1", "", (1, "RK103", "schema")),
        ("schema = 1", "schema = 1\nname = 3", (2, "RK102", "name")),
        ('name = "Northwind"', "", (2, "RK103", "platform.name")),
        ('name = "Northwind"', "name = 3", (3, "RK104", "platform.name")),
        ('name = "Northwind"', 'name = " "', (3, "RK211", "platform.name")),
        ('name = "Northwind"', 'name = "a\\nb"', (3, "RK213", "platform.name")),
        ('name = "Northwind"', 'name = "N"\ncurrency = "EUR"', (4, "RK212", "platform.currency")),
        ('name = "Northwind"', 'name = "N"\nhosts = "a"', (4, "RK104", "platform.hosts")),
        ('name = "Northwind"', 'name = "N"\nhosts = [\n"a",\n"b:80"]', (6, "RK206", "platform.hosts[1]")),
        ('name = "Northwind"', 'name = "N"\npublic_url = "https://x"', (4, "RK209", "platform.public_url")),
        ('"openai"', '"opnai"', (5, "RK204", "upstreams.one.dialect")),
        ("https://api", "http://api", (6, "RK209", "upstreams.one.base_url")),
        ("https://api", "ftp://api", (6, "RK209", "upstreams.one.base_url")),
        ("https://api", "https://u:p@api", (6, "RK209", "upstreams.one.base_url")),
        ("/v1", "/v1?key=x", (6, "RK209", "upstreams.one.base_url")),
        ("api.example.com", "api.example.com:99999", (6, "RK209", "upstreams.one.base_url")),
        ("https://api.example.com", "http://192.168.1.2", (6, "RK315", "upstreams.one.base_url")),
        ('["env:KEY"]', '["sk-abc"]', (7, "RK210", "upstreams.one.api_keys[0]")),
        ('["env:KEY"]', '["env:"]', (7, "RK211", "upstreams.one.api_keys[0]")),
        ('["env:KEY"]', "[]", (7, "RK211", "upstreams.one.api_keys")),
        ('["env:KEY"]', '["env:KEY", "env:KEY"]', (7, "RK311", "upstreams.one.api_keys[1]")),
        ('["env:KEY"]', '["env:K"]\nheaders = { "x-api-key" = "v" }', (8, "RK210", "upstreams.one.headers.x-api-key")),
        ('["env:KEY"]', '["env:K"]\ntimeouts = { connect = 0 }', (8, "RK203", "upstreams.one.timeouts.connect")),
        ('["env:KEY"]', '["env:K"]\ntimeouts = { conect = 1 }', (8, "RK102", "upstreams.one.timeouts.conect")),
        ('["env:KEY"]', '["env:K"]\nmax_concurrency = "9"', (8, "RK104", "upstreams.one.max_concurrency")),
        ("[models.m1]", '[models."m 1"]', (8, "RK205", 'models."m 1"')),
        ('upstream = "one"', 'upstream = "on"', (9, "RK306", "models.m1.routes[0].upstream")),
        ('model = "x"', 'model = "x", weight = 0', (9, "RK330", "models.m1.routes")),
        ('model = "x"', 'model = "x", priority = true', (9, "RK104", "models.m1.routes[0].priority")),
        ('model = "x" }', 'model = "x" }, { upstream = "one", model = "x" }', (9, "RK311", "models.m1.routes[1]")),
        ('[{ upstream = "one", model = "x" }]', "[]", (9, "RK211", "models.m1.routes")),
        ('cost = { input = "1.00", output = "2.00" }', "", (9, "RK307", "models.m1.routes[0]")),
        ('input = "1.00"', "input = 1.0", (10, "RK105", "models.m1.cost.input")),
        ('input = "1.00"', 'input = "1e3"', (10, "RK201", "models.m1.cost.input")),
        ('input = "1.00"', 'input = "-1"', (10, "RK201", "models.m1.cost.input")),
        ('cost = { input = "1.00", output = "2.00" }', "cost = {}", (10, "RK405", "models.m1.cost")),
        ('"2.00" }', '"2.00" }\ncontext = 5\nmax_output = 6', (12, "RK203", "models.m1.max_output")),
        ('"2.00" }', '"2.00" }\n[wholesale]\nmarkup = 10', (12, "RK105", "wholesale.markup")),
        ('"2.00" }', '"2.00" }\n[wholesale]\nmarkup = "10"', (12, "RK202", "wholesale.markup")),
        ('"2.00" }', '"2.00" }\n[wholesale]\nmarkup = "-1%"', (12, "RK402", "wholesale.markup")),
        ("[[tenants]]", "[tenants]", (11, "RK104", "tenants")),
        ('slug = "aurora"', 'slug = "platform"', (12, "RK302", "tenants[0].slug")),
        ('slug = "aurora"', 'slug = "A b"', (12, "RK302", "tenants[0].slug")),
        ('slug = "aurora"', "", (11, "RK103", "tenants[0].slug")),
        ('name = "Aurora"', 'name = "A"\nstatus = "open"', (14, "RK204", "tenants[0].status")),
        ('name = "Aurora"', 'name = "A"\ntimezone = "Mars/Base"', (14, "RK208", "tenants[0].timezone")),
        ('name = "Aurora"', 'name = "A"\ntimezone = "../etc"', (14, "RK208", "tenants[0].timezone")),
        ('name = "Aurora"', 'name = "A"\nowners = ["x@y@z"]', (14, "RK207", "tenants[0].owners[0]")),
        ('name = "Aurora"', 'name = "A"\nowners = ["a@b.c", "A@b.c"]', (14, "RK311", "tenants[0].owners[1]")),
        ('host = "aurora.example"', 'host = "a b"', (15, "RK206", "tenants[0].domains[0].host")),
        ('host = "aurora.example"', 'host = "a.b"\ntheme = "x"', (16, "RK102", "tenants[0].domains[0].theme")),
        ('host = "aurora.example"', 'host = "a.b"\nrole = "api"', (11, "RK305", "tenants[0]")),
    ],
)  # fmt: skip
def test_one_thing_wrong(old: str, new: str, expected: tuple[int, str, str]) -> None:
    assert short(with_line(old, new)) == [expected]


def test_an_anthropic_base_url_is_written_without_v1() -> None:
    found = short(with_line('"openai"', '"anthropic"'))
    assert found == [(6, "RK209", "upstreams.one.base_url")]


TENANT_CASES = [
    ('[[tenants.domains]]\nhost = "aurora.example"', (17, "RK303", "domains[1].host")),
    ('[[tenants.domains]]\nhost = "b.c"\nrole = "alias"\nprimary = true', (19, "RK304", "domains[1].primary")),
    ('[tenants.brand]\nkey_prefix = "No"', (17, "RK205", "brand.key_prefix")),
    ('[tenants.brand]\nlocales = ["english"]', (17, "RK214", "brand.locales[0]")),
    ('[tenants.brand]\ntokens = { "color.accent" = { lite = "#fff" } }', (17, "RK104", 'brand.tokens."color.accent"')),
    ('[tenants.brand]\nmenu = [{ to = "javascript:alert(1)", title = "x" }]', (17, "RK209", "brand.menu[0].to")),
    ('[tenants.brand]\nmenu = [{ to = "//evil.example" }]', (17, "RK209", "brand.menu[0].to")),
    ('[tenants.brand]\nfooter = [{ to = "https://a.example/" }]', (17, "RK333", "brand.footer[0]")),
    ('[tenants.brand]\nsocial = { x = "http://x.example" }', (17, "RK209", "brand.social.x")),
    ('[tenants.brand]\nimages = { favicon = "icon.png" }', (17, "RK205", "brand.images.favicon")),
    ('[tenants.brand]\ntranslations = { de = { tagline = "Hallo" } }', (17, "RK334", "brand.translations.de")),
    ("[tenants.pricing]\nmarkup = 40", (17, "RK105", "pricing.markup")),
    ('[tenants.pricing]\nmarkup = "-5%"', (17, "RK401", "pricing.markup")),
    ('[tenants.wholesale]\nmarkup = "-5%"', (17, "RK402", "wholesale.markup")),
    (
        '[tenants.wholesale]\nretail_floor = "5%"\n[tenants.pricing]\nmarkup = "4.9%"\nallow_loss = true',
        (19, "RK406", "pricing.markup"),
    ),
    (
        ('[tenants.wholesale]\nretail_floor = "-9%"\n[[tenants.pricing.rules]]\nmatch = "m*"\nmarkup = "-10%"\n'
        "allow_loss = true"),
        (20, "RK406", "pricing.rules[0].markup"),
    ),
    (
        ('[tenants.wholesale]\nretail_floor = "5%"\n[tenants.pricing]\nmarkup = "5%"\n[[tenants.groups]]\n'
        'id = "g"\nmarkup = "1%"\nallow_loss = true'),
        (22, "RK406", "groups[0].markup"),
    ),
    ('[[tenants.pricing.rules]]\nmatch = "m*"\noutput = "1.99"', (18, "RK401", "pricing.rules[0].output")),
    ('[[tenants.pricing.rules]]\nmatch = "m*"\nmarkup = "-1%"', (18, "RK401", "pricing.rules[0].markup")),
    ('[[tenants.pricing.rules]]\nmatch = "m*"\nimages = "1"', (18, "RK404", "pricing.rules[0].images")),
    ('[[tenants.pricing.rules]]\nmatch = "z*"', (17, "RK310", "pricing.rules[0].match")),
    ('[tenants.catalog]\nallow = ["*", "z"]', (17, "RK310", "catalog.allow[1]")),
    ('[tenants.catalog]\naliases = { m1 = "m1" }', (17, "RK308", "catalog.aliases.m1")),
    ('[tenants.catalog]\naliases = { fast = "m2" }', (17, "RK309", "catalog.aliases.fast")),
    ('[tenants.wholesale]\nnotify_below = ["1.00", "1.0"]', (17, "RK321", "wholesale.notify_below")),
    ('[tenants.wholesale]\nnotify_below = ["1.00", "-5"]', (17, "RK201", "wholesale.notify_below[1]")),
    ("[tenants.wholesale]\nmaturity_days = 366", (17, "RK203", "wholesale.maturity_days")),
    ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nprice = "1.00"', (16, "RK312", "packages[0]")),
    (
        '[[tenants.packages]]\nid = "p"\ntitle = "P"\nprice = "1.00"\ncredits = "1.00"\nmodels = ["a b"]',
        (21, "RK205", "packages[0].models[0]"),
    ),
    ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nprice = "0"\ncredits = "1.00"', (19, "RK312", "packages[0].price")),
    (
        '[[tenants.packages]]\nid = "p"\ntitle = "P"\nprice = "1.00"\ncredits = "1.00"\nperiod = "month"',
        (21, "RK312", "packages[0].period"),
    ),
    ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nkind="topup"\nmin="9"\nmax="8"', (20, "RK312", "packages[0].min")),
    (
        ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nkind = "subscription"\nprice = "1.00"\ncredits = "1.00"\n'
        'period = "week"\nroll_over_periods = 2'),
        (23, "RK312", "packages[0].roll_over_periods"),
    ),
    (
        ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nkind="topup"\nmin="1"\nmax="8"\n'
        'bonus = [{ from = "4", percent = "0%" }]'),
        (22, "RK312", "packages[0].bonus[0].percent"),
    ),
    (
        ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nkind="topup"\nmin="1"\nmax="8"\n'
        'bonus = [{ from = "4", percent = "5%" }, { from = "4", percent = "9%" }]'),
        (22, "RK312", "packages[0].bonus[1].from"),
    ),
    (
        ('[[tenants.packages]]\nid = "p"\ntitle = "P"\nkind="topup"\nmin="1"\nmax="8"\n'
        'bonus = [{ from = "9", percent = "5%" }]'),
        (22, "RK312", "packages[0].bonus[0].from"),
    ),
    ('[tenants.payments]\nprovider = "paddle"', (16, "RK314", "payments")),
    (
        '[tenants.payments]\nprovider = "paddle"\napi_key = "env:A"\nwebhook_secret = "env:B"\ncheckout = "overlay"',
        (16, "RK314", "payments"),
    ),
    ('[tenants.payments]\nprovider = "paddle"\naccount = "platform"', (16, "RK314", "payments")),
    ('[tenants.payments]\nprovider = "paddle"\ncheckout_url = "x"', (18, "RK209", "payments.checkout_url")),
    ('[tenants.payments]\napi_key = "pdl_live"', (17, "RK210", "payments.api_key")),
    ('[tenants.payments]\nenvironment = "http://8.8.8.8"', (17, "RK204", "payments.environment")),
    ('[tenants.email]\nsmtp = { host = "h", user = "u" }', (17, "RK314", "email.smtp")),
    ("[tenants.limits]\nrequests_per_minute = 0", (17, "RK203", "limits.requests_per_minute")),
    ('[[tenants]]\nslug = "aurora"\nname = "B"\n[[tenants.domains]]\nhost = "b.c"', (17, "RK301", "tenants[1].slug")),
    (
        '[[tenants]]\nslug = "b"\nname = "B"\n[[tenants.domains]]\nhost = "AURORA.example"',
        (20, "RK303", "tenants[1].domains[0].host"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("addition", "expected"), TENANT_CASES)
def test_one_thing_wrong_in_a_tenant(addition: str, expected: tuple[int, str, str]) -> None:
    line, code, path = expected
    place = path if path.startswith("tenants[1]") else f"tenants[0].{path}"
    assert short(SMALL + addition) == [(line, code, place)]


def test_a_fallback_host_is_taken() -> None:
    text = with_line('name = "Northwind"', 'name = "N"\nstorefront_suffix = "s.example"\nhosts = ["aurora.s.example"]')
    assert short(text) == [(5, "RK303", "platform.hosts[0]")]


def test_a_suffix_that_names_the_platform_is_a_warning() -> None:
    text = with_line('name = "Northwind"', 'name = "Northwind Platform"\nstorefront_suffix = "north-wind.example"')
    assert short(text) == [(4, "RK313", "platform.storefront_suffix")]
    assert parse_manifest(text, "t.toml").warnings[0].level == "warning"


def test_a_dearer_route_is_a_warning_only_under_an_explicit_cost() -> None:
    route = 'model = "x" }, { upstream = "one", model = "y", cost = { input = "1.50", output = "2.00" } }'
    assert short(with_line('model = "x" }', route)) == [(9, "RK403", "models.m1.routes[1].cost")]
    both = route.replace("x", 'x", cost = { input = "1", output = "9" } }, { upstream = "one", model = "z', 1)
    assert [
        code
        for _, code, _ in short(
            with_line('model = "x" }', both).replace('cost = { input = "1.00", output = "2.00" }\n', "")
        )
    ] == ["RK307"]


@pytest.mark.parametrize("missing", ["input", "output"])
def test_a_route_s_cost_prices_what_the_model_sells(missing: str) -> None:
    named = {"input": 'output = "2.00"', "output": 'input = "1.00"'}[missing]
    route = f'model = "x" }}, {{ upstream = "one", model = "y", cost = {{ {named} }} }}'
    text = with_line('model = "x" }', route)
    assert short(text) == [(9, "RK405", "models.m1.routes[1].cost")]


def test_without_a_model_cost_the_dearest_route_counts() -> None:
    routes = """routes = [
      { upstream = "one", model = "x", cost = { input = "1.00", output = "5.00" } },
      { upstream = "one", model = "y", cost = { input = "3.00", output = "2.00" } },
    ]"""
    text = with_line('routes = [{ upstream = "one", model = "x" }]\ncost = { input = "1.00", output = "2.00" }', routes)
    levels = price_book(parse_manifest(text, "t.toml").document)["aurora", "m1"]
    assert levels.cost.prices["input"] == 3_000_000
    assert levels.cost.prices["output"] == 5_000_000


@pytest.mark.parametrize(
    "place",
    ["[tenants.pricing]\nallow_loss = true", '[[tenants.pricing.rules]]\nmatch = "*"\nallow_loss = true'],
)
def test_a_loss_may_be_allowed(place: str) -> None:
    text = f'{SMALL}  [tenants.wholesale]\n  markup = "-10%"\n{place}\nmarkup = "-20%"\n'
    levels = price_book(parse_manifest(text, "t.toml").document)["aurora", "m1"]
    assert levels.retail.prices["input"] < levels.wholesale.prices["input"] < levels.cost.prices["input"]


def test_a_loss_may_be_allowed_on_the_model() -> None:
    text = with_line('"2.00" }', '"2.00" }\nallow_loss = true\n[wholesale]\nmarkup = "-10%"')
    assert price_book(parse_manifest(text, "t.toml").document)["aurora", "m1"].wholesale.prices["input"] == 900_000


def test_all_errors_come_in_one_report_sorted_by_line() -> None:
    text = (
        with_line('name = "Northwind"', "name = 1").replace('"openai"', '"x"').replace('"env:KEY"', '"sk-secret-value"')
    )
    text = text.replace('input = "1.00"', "inptu = 1.0").replace('slug = "aurora"', 'slug = "Aurora"')
    text = text.replace('host = "aurora.example"', 'hosst = "aurora.example"')
    found = findings_of(text)
    assert [finding.line for finding in found] == [3, 5, 7, 10, 12, 14, 15]
    assert {finding.code for finding in found} == {"RK104", "RK204", "RK210", "RK102", "RK302", "RK103"}
    assert "sk-secret-value" not in "".join(map(str, found))
    assert 'Did you mean "input"?' in str(found[3])
    assert 'Did you mean "host"?' in str(found[6])


def test_a_finding_reads_as_place_reason_and_fix() -> None:
    finding = findings_of(with_line("markup", "markup", SMALL + "[tenants.pricing]\nmarkup = 40"))[0]
    assert str(finding) == (
        "t.toml:17: error RK105 tenants[0].pricing.markup\n"
        "  Expected a quoted string, found a whole number.\n"
        '  Write it as "40%".'
    )


@pytest.mark.parametrize("written", ["0.4", '"0.4"'])
def test_a_share_is_told_both_percentages_that_it_may_mean(written: str) -> None:
    finding = findings_of(SMALL + f"[tenants.pricing]\nmarkup = {written}\n")[0]
    assert str(finding).endswith('"40%", or "0.4%" if you mean less than one per cent.')


def test_a_key_in_the_wrong_table_is_told_its_place() -> None:
    found = findings_of(SMALL + 'theme = "daylight"\n')
    assert "It belongs in [[tenants]]" in found[0].fix


def test_every_code_is_in_the_table_and_the_table_is_used() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "reseller_kit/core/manifest").glob("*.py"))
    used = set(
        re.findall(r'"(RK\d{3})"', sources.replace((ROOT / "reseller_kit/core/manifest/findings.py").read_text(), ""))
    )
    assert used <= set(CODES)
    assert {code for code in CODES if not code.startswith("RK5")} <= used | {"RK101"}


@pytest.mark.parametrize("text", ["[" * 5000, "a = " + "[" * 5000, "a = 1" + "0" * 5000, "\x00", "a = 2000-99-99"])
def test_hostile_text_is_a_syntax_finding(text: str) -> None:
    assert [code for _, code, _ in short(text)] == ["RK101"]


def test_a_number_beyond_all_is_named_in_our_words_and_where_it_stands() -> None:
    (found,) = findings_of("schema = 1\n\na = 1" + "0" * 5000 + "\n[platform]\n")
    assert (found.line, found.code) == (3, "RK101")
    assert "sys." not in found.message


@given(st.text(max_size=200) | st.lists(st.sampled_from(SMALL.split("\n")), max_size=20).map("\n".join))
def test_any_text_is_a_manifest_or_has_findings(text: str) -> None:
    found = findings_of(text)
    assert all(finding.code in CODES and finding.line >= 1 for finding in found)
    assert [f.line for f in found] == sorted(f.line for f in found)


VALUES = st.sampled_from(["1", "true", '"x"', "0.5", "[]", "{}", '["x"]', "[{}]", "1979-05-27", '""', "-1", "nan"])
LINES_WITH_VALUES = [number for number, line in enumerate(EXAMPLE.split("\n")) if re.match(r"\s*[a-z_]+ = ", line)]


@given(st.lists(st.tuples(st.sampled_from(LINES_WITH_VALUES), VALUES), min_size=1, max_size=6))
def test_any_value_at_any_key_is_handled(edits: list[tuple[int, str]]) -> None:
    lines = EXAMPLE.split("\n")
    for number, value in edits:
        lines[number] = re.sub(r"=.*", f"= {value}", lines[number])
    assert all(finding.code in CODES for finding in findings_of("\n".join(lines)))


def test_a_byte_order_mark_is_ignored() -> None:
    assert findings_of("\ufeff" + SMALL) == []
