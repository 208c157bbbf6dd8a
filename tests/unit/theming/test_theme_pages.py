from __future__ import annotations

import ast
import gzip
import html as html_module
import json
import re
import shlex
import tomllib
from html.parser import HTMLParser
from urllib.parse import parse_qsl

import msgspec
import pytest
import yaml

from reseller_kit import theming
from reseller_kit.core.catalog import USAGE_CLASSES
from reseller_kit.theming import guides, legal, model_code, snippets
from reseller_kit.theming.mail_scheme import kept_to
from reseller_kit.theming.sample import (
    ERROR_TEMPLATE,
    ERRORS,
    MAILS,
    PAGES,
    VIEWED,
    sample_brand,
    sample_mail,
    sample_page,
)

LIBRARY = theming.load()
THEMES = sorted(LIBRARY.themes)
TRICK = '{{7*7}}{%if 1%}<script>alert(1)</script>" onload="x'


def render(theme: str, path: str, **changes: object) -> str:
    page = msgspec.structs.replace(sample_page(path), **changes)
    return theming.render(LIBRARY, theme, PAGES[path], page)


def text_of(html: str) -> str:
    return html_module.unescape(re.sub(r"<[^>]+>", "", html))


class Outline(HTMLParser):
    """Collects ids, in-page references and headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.headings: list[int] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in values if name.startswith("on") or name == "style"]
        if "id" in values:
            self.ids.append(values["id"])
        self.references += values.get("aria-labelledby", "").split()
        for name in ("for", "popovertarget"):
            self.references += [values[name]] if name in values else []
        if tag == "a":
            self.links.append(values.get("href", ""))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole(theme: str, path: str) -> None:
    html = render(theme, path)
    outline = Outline(html)
    assert outline.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip([1, *outline.headings], outline.headings, strict=False))
    assert all(f"<{landmark}" in html for landmark in ("header", "nav", "main", "footer"))
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.references) <= set(outline.ids)
    assert '<html lang="en" dir="ltr">' in html
    assert f'<link rel="canonical" href="https://aurora.example{path}">' in html
    assert re.search(r"<title>[^<]*Aurora AI[^<]*</title>", html)
    assert re.search(r'<meta name="description" content="[^"]{10,}">', html)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_no_page_needs_what_the_policy_blocks(theme: str, path: str) -> None:
    html = render(theme, path)
    assert re.search(r"<style|\sstyle=|\son[a-z]+=\"", html) is None
    scripts = re.findall(r"<script\b[^>]*>", html)
    assert scripts
    assert all('nonce="c2FtcGxlLW5vbmNl"' in script and 'src="/theme/static/' in script for script in scripts)
    loaded = re.findall(r'<(?:link|script|img)\b[^>]*(?:href|src)="([^"]*)"', html)
    assert all(url.startswith(("/theme/", "https://aurora.example/")) for url in loaded)


@pytest.mark.parametrize("theme", THEMES)
def test_every_link_leads_to_a_page_that_there_is(theme: str) -> None:
    for path in PAGES:
        for link in Outline(render(theme, path)).links:
            target, _, anchor = link.partition("#")
            known = {"", *PAGES, *(viewed.path for viewed in VIEWED)}
            assert target in known or target.startswith("mailto:help@aurora.example"), (path, link)
            if anchor and target in {"", *PAGES}:
                assert anchor in Outline(render(theme, target or path)).ids


@pytest.mark.parametrize("theme", THEMES)
def test_pages_of_accounts_are_linked_only_where_there_are_any(theme: str) -> None:
    assert "/login" not in render(theme, "/")
    html = render(theme, "/", links=theming.Links(login="/login", signup="/signup"))
    assert 'href="/login"' in html
    assert 'href="/signup"' in html


def test_the_first_step_is_one_that_the_reader_can_take() -> None:
    stranger, customer = theming.Links(login="/login", signup="/signup"), theming.Links(account="/account")
    assert "Create an account" in render("base", "/", links=stranger)
    assert "Ask support for an account" in render("base", "/", links=theming.Links(login="/login"))
    told = text_of(render("base", "/", links=customer))
    assert "make a key in your account" in told
    assert "Ask support for an account" not in told


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", ["/", "/pricing", "/models"])
def test_the_published_price_is_shown_to_the_last_digit(theme: str, path: str) -> None:
    text = text_of(render(theme, path))
    for price in ("$0.385", "$0.0385", "$3.08", "$0.8624", "$2.5872"):
        assert price in text
    assert "gpt-5-mini" in text


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", ["/pricing", "/models"])
def test_long_context_and_unit_prices_are_shown_too(theme: str, path: str) -> None:
    text = text_of(render(theme, path))
    assert "above 200K input tokens" in text
    assert "$8.25" in text
    assert "$61.60" in text or "$0.0616" in text or "$61.6" in text


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PAGES)
def test_what_a_reseller_gives_stays_text(theme: str, path: str) -> None:
    brand = theming.Brand(
        name=TRICK,
        slug="aurora",
        tagline=TRICK,
        support_email=TRICK,
        legal=theming.Legal(company=TRICK, address=TRICK, country=TRICK),
        texts=dict.fromkeys(("home.title", "home.lead", "home.more", "faq.more", "legal.refunds"), TRICK),
    )
    models = (theming.ModelRow(name=TRICK, title=TRICK, family=TRICK, prices=sample_page().models[0].prices),)
    html = render(theme, path, brand=brand, models=models, status=(theming.StatusRow(name=TRICK, state="down"),))
    assert "<script>" not in html
    assert Outline(html).handlers == []
    assert "{{7*7}}" in text_of(html)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.kind)
def test_error_pages_say_what_is_wrong(theme: str, error: theming.ErrorInfo) -> None:
    html = theming.render(LIBRARY, theme, ERROR_TEMPLATE, sample_page("/missing", error=error))
    assert (str(error.status) in text_of(html)) is (error.kind != "draft"), "a draft is no fault, and has no number"
    assert error.request_id in html
    assert '<meta name="robots" content="noindex">' in html
    assert Outline(html).headings.count(1) == 1
    closed = error.kind in {"draft", "suspended", "archived"}
    assert ('href="/pricing"' not in html) is closed


@pytest.mark.parametrize("theme", THEMES)
def test_a_storefront_with_nothing_to_sell_yet_still_has_its_pages(theme: str) -> None:
    brand = theming.Brand(name="Plain", slug="plain")
    for path in PAGES:
        html = render(theme, path, brand=brand, models=(), packages=(), status=())
        assert "Plain" in html
        assert "mailto:" not in html


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_on_a_page_names_the_product_behind_it(theme: str) -> None:
    for path in PAGES:
        html = render(theme, path).lower()
        assert "reseller" not in html
        assert "wholesale" not in html


@pytest.mark.parametrize("theme", THEMES)
def test_the_first_load_is_below_a_hundred_kilobytes(theme: str) -> None:
    html = render(theme, "/")
    css = theming.stylesheet(LIBRARY, theme, sample_brand()).css
    fonts = set(re.findall(r'url\("/theme/static/([^"]+)"\)', css.decode()))
    scripts = set(re.findall(r'<script[^>]*src="/theme/static/([^"]+)"', html))
    bodies = [file.body for path in fonts | scripts if (file := theming.asset(LIBRARY, theme, path)) is not None]
    assert len(bodies) == len(fonts | scripts)
    compressed = [body if body[:4] == b"wOF2" else gzip.compress(body) for body in (*bodies, css, html.encode())]
    assert sum(map(len, compressed)) < 100_000


def legal_page(brand: theming.Brand, document: str) -> str:
    text = legal.legal_text(LIBRARY, "daylight", brand, "en", document)
    page = msgspec.structs.replace(sample_page("/legal/terms"), brand=brand, view=legal.LegalView(text=text))
    return theming.render(LIBRARY, "daylight", "storefront/legal.html", page)


@pytest.mark.parametrize("document", legal.DOCUMENTS)
def test_what_a_seller_gives_stays_text_in_legal_pages(document: str) -> None:
    given = theming.Legal(company=TRICK, address=TRICK, country=TRICK)
    brand = theming.Brand(name=TRICK, slug="aurora", support_email=TRICK, legal=given)
    html = legal_page(brand, document)
    assert "<script>alert" not in html
    assert "{{7*7}}" in text_of(html)
    assert legal.legal_text(LIBRARY, "daylight", brand, "en", document).version != (
        legal.legal_text(LIBRARY, "daylight", sample_brand(), "en", document).version
    )


def test_another_language_of_a_page_is_the_same_page() -> None:
    asked = "token=a%2Bb%26c&lang=en&since=2026-11-01&empty="
    languages = ("en", "de", "ar")
    brand = msgspec.structs.replace(sample_page("/faq").brand, languages=languages)
    html = render("daylight", "/faq", brand=brand, query=asked)
    links = [html_module.unescape(link) for link in re.findall(r'href="(\?[^"]*)" lang="', html)]
    assert len(links) == len(languages)
    for link, code in zip(links, languages, strict=True):
        assert parse_qsl(link[1:], keep_blank_values=True) == [
            ("token", "a+b&c"), ("since", "2026-11-01"), ("empty", ""), ("lang", code),
        ]  # fmt: skip
    assert 'href="?lang=' in render("daylight", "/faq", brand=brand, query="&".join(["a=1"] * 5_000))
    assert "<script>" not in render("daylight", "/faq", brand=brand, query='"><script>=1')


def test_a_legal_text_of_the_brand_replaces_the_themes() -> None:
    brand = msgspec.structs.replace(
        sample_brand(), texts={"legal.terms": "# Ours\n\nOnly [this](javascript:alert(1))."}
    )
    html = legal_page(brand, "terms")
    assert "<h2>Ours</h2>" in html
    assert "Fair use" not in html
    assert not any(link.startswith("javascript") for link in Outline(html).links)


def test_the_seller_stands_in_the_terms() -> None:
    text = text_of(legal_page(sample_brand(), "terms"))
    assert "Aurora Compute Ltd" in text
    assert "the law of Ireland" in text
    assert "help@aurora.example" in text


def test_snippets_hold_the_storefronts_own_address_and_a_real_model() -> None:
    page = sample_page()
    words = shlex.split(snippets.curl(page).code.replace("\\\n", " "))
    assert words[1] == "https://aurora.example/v1/chat/completions"
    assert json.loads(words[-1])["model"] == "aurora-fast"
    compile(snippets.python(page).code, "snippet", "exec")
    assert '"https://aurora.example/v1"' in snippets.node(page).code
    shown = text_of(render("midnight", "/docs/quickstart"))
    assert all(snippet.code in shown for snippet in (snippets.export_key(page), *snippets.calls(page)))


def test_guides_hold_the_storefronts_own_address_and_real_models() -> None:
    found = {path: guides.steps(sample_page(path)) for path in guides.PATHS}
    page = {path.rpartition("/")[2]: "\n".join(step.code for step in steps) for path, steps in found.items()}
    codex = tomllib.loads(found["/docs/codex"][1].code)
    provider = codex["model_providers"][codex["model_provider"]]
    assert codex["model_provider"] == "aurora"
    assert (provider["base_url"], provider["wire_api"]) == ("https://aurora.example/v1", "responses")
    assert f"export {provider['env_key']}=" in page["codex"]
    variables = dict(re.findall(r"^export (\w+)=(.*)$", page["claude-code"], re.MULTILINE))
    assert variables["ANTHROPIC_BASE_URL"] == '"https://aurora.example"'
    assert variables["ANTHROPIC_MODEL"] == '"claude-sonnet-4-5"'
    assert "unset ANTHROPIC_API_KEY" in page["claude-code"]
    assert page["anthropic-sdk"].count('"https://aurora.example"') == 2
    for guide in (
        "openai-sdk",
        "librechat",
        "vscode",
        "continue",
        "cline",
        "aider",
        "langchain",
        "vercel-ai-sdk",
        "curl",
    ):
        assert "https://aurora.example/v1" in page[guide]
    (model,) = json.loads("{" + found["/docs/vscode"][0].code + "}")["models"]
    assert (model["id"], model["maxInputTokens"]) == ("aurora-fast", 400_000)
    for path, steps in found.items():
        assert all(step.code in text_of(render("midnight", path)) for step in steps), path


def test_the_further_guides_are_read_as_their_clients_read_them() -> None:
    def code(guide: str) -> dict[str, str]:
        return {step.id: step.code for step in guides.steps(sample_page(f"/docs/{guide}"))}

    def fields(text: str) -> dict[str, str]:
        return {name: value.strip('"') for name, value in re.findall(r"^[ -]*([\w ]+): (.+)$", text, re.MULTILINE)}

    (custom,) = yaml.safe_load(code("librechat")["config"])["endpoints"]["custom"]
    assert (custom["name"], custom["baseURL"]) == ("Aurora AI", "https://aurora.example/v1")
    assert custom["apiKey"] == "${" + code("librechat")["env"].partition("=")[0] + "}"
    assert (custom["models"]["default"], custom["titleModel"]) == (["aurora-fast"], "aurora-fast")
    entry = fields(code("continue")["continue"])
    assert (entry["provider"], entry["model"]) == ("openai", "aurora-fast")
    assert (entry["apiBase"], entry["schema"]) == ("https://aurora.example/v1", "v1")
    assert fields(code("cline")["cline"])["Model ID"] == "aurora-fast"
    assert fields(code("cline")["cline"])["Base URL"] == "https://aurora.example/v1"
    exported = dict(word.split("=", 1) for word in shlex.split(code("aider")["environment"]) if "=" in word)
    assert exported == {"OPENAI_API_BASE": "https://aurora.example/v1", "OPENAI_API_KEY": "sk_your_key"}
    assert shlex.split(code("aider")["start"]) == ["aider", "--model", "openai/aurora-fast"]
    (call,) = [
        node
        for node in ast.walk(ast.parse(code("langchain")["python"]))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ChatOpenAI"
    ]
    assert {word.arg for word in call.keywords} == {"model", "base_url", "api_key"}
    for name in ("chat", "stream"):
        words = shlex.split(code("curl")[name].replace("\\\n", " "))
        body = json.loads(words[-1])
        assert (words[0], body["model"], body.get("stream", False)) == ("curl", "aurora-fast", name == "stream")


@pytest.mark.parametrize(
    ("prices", "modalities", "labels"),
    [
        ({"input": 1, "output": 2}, ("text",), ["curl", "Python", "Node", "Responses", "Anthropic", "Gemini"]),
        ({"input": 1, "output": 2, "input_audio": 3}, ("text", "audio"), ["curl", "Python", "Node"]),
        ({"input": 1, "output": 0}, ("embedding",), ["curl", "Python"]),
        ({"images": 5}, ("image",), ["curl", "Python"]),
        ({"characters": 5}, ("audio",), ["curl"]),
        ({"seconds": 5}, ("audio",), ["curl"]),
        ({"request": 5}, (), []),
    ],
)
def test_a_models_code_asks_for_what_its_prices_tell(
    prices: dict[str, int], modalities: tuple[str, ...], labels: list[str]
) -> None:
    rows = tuple(theming.PriceRow(class_name=name, pico=pico) for name, pico in prices.items())
    model = theming.ModelRow(name="lab/the-one", prices=rows)
    assert model.modalities == modalities
    code = model_code.of_model(sample_page(), model)
    assert [snippet.title for snippet in code][: len(labels)] == labels
    assert bool(code) is bool(labels)
    for snippet in code:
        assert "the-one" in snippet.code
        assert "aurora.example" in snippet.code
        if snippet.language == "python":
            compile(snippet.code, "snippet", "exec")
        elif snippet.language == "shell":
            assert shlex.split(snippet.code.replace("\\\n", " "))[0] == "curl"


def test_what_a_tier_does_not_name_keeps_its_price() -> None:
    rows = (
        theming.PriceRow(class_name="input", pico=1_000_000),
        theming.PriceRow(class_name="output", pico=4_000_000),
        theming.PriceRow(class_name="request", pico=2_000_000_000),
        theming.PriceRow(class_name="input", pico=2_000_000, above_input=1000),
    )
    model = theming.ModelRow(name="m", prices=rows)
    # Cached input has no price of its own, so it costs what input costs; each call is one request.
    assert model.chat_nano(1000, 10, 400) == 1_000_000 + 40_000 + 2_000_000
    assert model.chat_nano(1001, 10, 400) == 2_002_000 + 40_000 + 2_000_000
    assert model.price_of("output", 1000) == rows[1]
    assert [model.price_of("input", above) for above in (0, 999, 1000, 5000)] == [rows[0], rows[0], rows[3], rows[3]]
    receipt = model.receipt(1000, 10)
    assert receipt is not None
    assert [(line.price.class_name, line.amount) for line in receipt.lines][-1] == ("request", "0.002")


def test_example_costs_are_exact() -> None:
    model = theming.ModelRow(
        name="m",
        prices=(
            theming.PriceRow(class_name="input", pico=385_001),
            theming.PriceRow(class_name="output", pico=3_080_000),
        ),
    )
    # 500 × 385001 + 300 × 3080000 = 1_116_500_500 pico; 1_116_501 nano when rounded up.
    assert model.chat_nano(500, 300) == 1_116_501
    receipt = model.receipt(500, 300)
    assert receipt is not None
    assert [line.amount for line in receipt.lines] == ["0.0001925005", "0.000924"]
    assert receipt.total == "0.001116501"


@pytest.mark.parametrize("theme", THEMES)
def test_every_usage_class_has_a_label(theme: str) -> None:
    rows = tuple(theming.PriceRow(class_name=name, pico=1_000_000) for name in USAGE_CLASSES)
    models = (theming.ModelRow(name="all", prices=rows),)
    for path in ("/pricing", "/models"):
        text = text_of(render(theme, path, models=models))
        assert all(label in text for label in ("Cache write, 1 hour", "Audio output", "Tool call", "Character"))


def test_a_model_without_output_has_no_example() -> None:
    model = theming.ModelRow(name="m", prices=(theming.PriceRow(class_name="input", pico=1),))
    assert model.chat_nano(500, 300) is None
    assert model.receipt(500, 300) is None


@pytest.mark.parametrize(
    ("states", "overall"),
    [
        ((), "unknown"),
        (("operational", "unknown"), "operational"),
        (("down", "operational"), "degraded"),
        (("down",), "down"),
    ],
)
def test_the_overall_state(states: tuple[str, ...], overall: str) -> None:
    rows = tuple(msgspec.convert({"name": "x", "state": state}, theming.StatusRow) for state in states)
    assert msgspec.structs.replace(sample_page(), status=rows).overall == overall


def test_the_direction_follows_the_language() -> None:
    assert msgspec.structs.replace(sample_page(), lang="ar-EG").dir == "rtl"
    assert '<html lang="de" dir="ltr">' in render("base", "/faq", lang="de")


@pytest.mark.parametrize("theme", THEMES)
def test_prices_that_are_to_change_are_announced(theme: str) -> None:
    html = render(theme, "/pricing")
    announced = text_of(html.partition("data-later>")[2].partition("</dl>")[0])
    assert "From 1 March 2026" in announced
    assert "$0.44" in announced


@pytest.mark.parametrize(("kind", "amounts"), [("credit_low", ("4,87", "5,00")), ("credit_expiring", ("7,50",))])
def test_amounts_of_a_mail_are_written_as_in_its_language(kind: str, amounts: tuple[str, ...]) -> None:
    mail = theming.render_mail(LIBRARY, "base", kind, msgspec.structs.replace(sample_mail(kind), lang="de"))
    assert amounts[-1] in mail.subject
    for amount in amounts:
        assert amount in mail.text
        assert amount in mail.html
        assert amount.replace(",", ".") not in mail.subject + mail.text + mail.html


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", MAILS)
def test_every_mail_is_whole_and_takes_nothing_as_markup(theme: str, kind: str) -> None:
    brand = msgspec.structs.replace(sample_brand(), name=TRICK, support_email="help@aurora.example")
    mail = theming.render_mail(LIBRARY, theme, kind, sample_mail(kind, brand=brand))
    assert "\n" not in mail.subject
    assert TRICK in mail.subject
    assert TRICK in mail.text
    assert "<script" not in mail.html
    assert TRICK in text_of(mail.html)
    assert mail.html.count("<h1") == 1
    assert "https://aurora.example" in mail.html
    assert "@media (prefers-color-scheme:dark)" in mail.html
    assert not {"\ue000", "\ue001"} & set(mail.html)


def test_a_mail_has_the_brands_dark_colours_and_logo_where_its_reader_wants_them() -> None:
    images = {"logo_light": f"{'a' * 64}.png", "logo_dark": f"{'b' * 64}.png"}
    tokens = {"color.accent": {"light": "#4338ca", "dark": "#a5b4fc"}}
    name = "\ue000fg\ue001 \ue000nothing\ue001"
    brand = msgspec.structs.replace(sample_brand(), images=images, tokens=tokens, name=name)
    html = theming.render_mail(LIBRARY, "daylight", "verify", sample_mail("verify", brand=brand)).html
    assert name in html
    assert 'border-top:4px solid #4338ca"' in html or "border-top:4px solid #4338ca;" in html
    sheet = html.partition("<style>")[2].partition("</style>")[0]
    assert ".d-border-top-accent{border-top-color:#a5b4fc!important}" in sheet
    assert ".d-background-accent{background-color:#a5b4fc!important}" in sheet
    assert html.count("<img ") == 2
    assert kept_to(html, "dark").count("@media all") == 1
    assert "@media not all" in kept_to(html, "light")


def test_a_logo_for_light_grounds_alone_stands_on_one_in_a_dark_mail() -> None:
    brand = msgspec.structs.replace(sample_brand(), images={"logo_light": f"{'a' * 64}.png"})
    html = theming.render_mail(LIBRARY, "daylight", "verify", sample_mail("verify", brand=brand)).html
    assert html.count("<img ") == html.count('<img class="logo-only"') == 1
    assert ".logo-only{background:#fff!important;" in html.partition("<style>")[2].partition("</style>")[0]


def home(theme: str, **settings: object) -> str:
    return render(theme, "/", brand=msgspec.structs.replace(sample_brand(), settings=settings))


@pytest.mark.parametrize("theme", [name for name in THEMES if name != "base"])
@pytest.mark.parametrize(
    ("setting", "mark"),
    [
        ("show_prices", 'id="board"'),
        ("show_facts", 'id="facts"'),
        ("show_steps", 'id="steps"'),
        ("show_packages", 'id="packages"'),
        ("show_questions", 'id="questions"'),
        ("show_closing", 'id="closing"'),
        ("hero_code", 'id="hero-curl"|class="rate-card"'),
    ],
)
def test_a_section_is_there_unless_the_brand_leaves_it_out(theme: str, setting: str, mark: str) -> None:
    assert re.search(mark, home(theme))
    assert re.search(mark, home(theme, **{setting: False})) is None


@pytest.mark.parametrize("theme", [name for name in THEMES if name != "base"])
def test_looks_that_a_brand_chooses_reach_the_page(theme: str) -> None:
    html = home(theme, header_style="floating", card_style="raised", header_sticky=False, hero_layout="centred")
    body = re.search(r'<body class="([^"]*)"', html)
    assert body is not None
    assert {"header-floating", "cards-raised"} <= set(body[1].split())
    assert "header-sticky" not in body[1].split()
    assert re.search(r'<section class="hero centred', html)
    assert "hero-coloured" in home(theme, hero_color="#ffd166")
    assert "hero-coloured" not in home(theme, hero_color="red;}")
    assert home(theme, home_models="4").count("data-model=") == 4
    assert home(theme).count("data-model=") == 6
