from __future__ import annotations

from pathlib import Path

import pytest

from reseller_kit.core.errors import Conflict, InvalidRequest
from reseller_kit.theming.check import RULES, check_theme
from reseller_kit.theming.library import themes_dir
from reseller_kit.theming.scaffold import new_theme

SHIPPED = sorted(file.parent.name for file in themes_dir().glob("*/theme.toml"))


def make_theme(root: Path, *, toml: str = "", template: str = "", css: str = "") -> Path:
    new_theme(root, "trial")
    folder = root / "trial"
    if toml:
        manifest = folder / "theme.toml"
        text = manifest.read_text(encoding="utf-8")
        tokens = toml.startswith('"')
        text = text.replace("[tokens]\n", f"[tokens]\n{toml}") if tokens else text + toml
        manifest.write_text(text, encoding="utf-8")
    if template:
        (folder / "templates" / "extra.html").write_text(template, encoding="utf-8")
    if css:
        (folder / "static" / "trial.css").write_text(css, encoding="utf-8")
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_theme_is_without_findings(name: str) -> None:
    assert check_theme(themes_dir() / name) == []


@pytest.mark.thorough
@pytest.mark.parametrize("parent", SHIPPED)
def test_a_new_theme_is_without_findings(tmp_path: Path, parent: str) -> None:
    files = new_theme(tmp_path, "north-light", extends=parent)
    assert all(file.is_file() for file in files)
    assert check_theme(tmp_path / "north-light") == []


def test_a_new_theme_overwrites_nothing(tmp_path: Path) -> None:
    new_theme(tmp_path, "one")
    with pytest.raises(Conflict):
        new_theme(tmp_path, "one")
    with pytest.raises(InvalidRequest):
        new_theme(tmp_path, "../two")


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("TH102", {"toml": '[[contrast]]\nfg = "color.nothing"\nbg = "color.bg"\n'}),
        ("TH106", {"toml": '[fonts.x]\nfallback = "sans"\nfamily = "X"\nfile = "fonts/x.woff2"\n'}),
        ("TH107", {"toml": '[settings.x]\ntype = "select"\noptions = ["a"]\ndefault = "b"\n'}),
        ("TH108", {"toml": '[expose]\ntokens = ["color.nothing"]\n'}),
        ("TH110", {"css": "a { color: red; }\n" * 9000}),
        ("TH201", {"template": "{% if %}"}),
        ("TH202", {"template": "{% extends 'nothing.html' %}"}),
        ("TH202", {"template": "{% extends 'extra.html' %}"}),
        ("TH203", {"template": '<p style="color:red">x</p>'}),
        ("TH203", {"template": "<script>x()</script>"}),
        ("TH203", {"template": '<p onclick="x()">x</p>'}),
        ("TH204", {"template": "{{ page.path|safe }}"}),
        ("TH204", {"template": "{% autoescape false %}{% endautoescape %}"}),
        ("TH205", {"template": '<script nonce="x" src="https://evil.example/x.js"></script>'}),
        ("TH301", {"css": "@import 'x.css';"}),
        ("TH302", {"css": ".a { margin-left: 1rem; }"}),
        ("TH302", {"css": ".a { position: absolute; right: 0; }"}),
        ("TH302", {"css": ".a { text-align: left; }"}),
        ("TH303", {"css": ".a { color: #c0ffee; }"}),
        ("TH303", {"css": ".a { border: 1px solid #abc }"}),
        (
            "TH111",
            {"toml": '"font.body" = "inter"\n"font.display" = "bricolage-grotesque"\n"font.mono" = "geist-mono"\n'},
        ),
    ],
)
def test_each_fault_is_found_with_place_and_fix(tmp_path: Path, code: str, parts: dict[str, str]) -> None:
    findings = check_theme(make_theme(tmp_path, **parts))
    assert code in {finding.code for finding in findings}
    assert all(finding.fix and finding.line >= 1 and finding.message for finding in findings)
    assert {finding.code for finding in findings} <= RULES.keys()


def test_the_line_is_that_of_the_fault(tmp_path: Path) -> None:
    folder = make_theme(tmp_path, template="<p>one</p>\n<p>two</p>\n{{ page.path|safe }}\n")
    (finding,) = check_theme(folder)
    assert (Path(finding.file).name, finding.line) == ("extra.html", 3)


@pytest.mark.parametrize(
    "css",
    [
        ".a { margin-inline-start: 1rem; inset-inline-end: 0; }",
        "a { box-shadow: 0 1px 2px rgb(0 0 0 / .1); }",
        "#main { color: inherit; }",
        "pre { text-align: left; }",
    ],
)
def test_what_holds_in_both_directions_and_every_brand_is_without_findings(tmp_path: Path, css: str) -> None:
    assert check_theme(make_theme(tmp_path, css=css)) == []


def test_a_theme_without_parent_and_tokens_is_told_which_it_lacks(tmp_path: Path) -> None:
    folder = make_theme(tmp_path)
    manifest = folder / "theme.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('extends  = "base"\n', ""), encoding="utf-8")
    found = [finding for finding in check_theme(folder) if finding.code == "TH104"]
    assert "No theme of the chain sets color.bg." in {finding.message for finding in found}


def test_low_contrast_is_found_in_the_scheme_where_it_is(tmp_path: Path) -> None:
    folder = make_theme(tmp_path)
    manifest = folder / "theme.toml"
    text = manifest.read_text(encoding="utf-8").replace(
        'light = "#0f5f73", dark = "#7fd6ea" }', 'light = "#0f5f73", dark = "#123" }'
    )
    manifest.write_text(text, encoding="utf-8")
    findings = check_theme(folder)
    assert {finding.code for finding in findings} == {"TH105"}
    assert all("in the dark scheme" in finding.message for finding in findings)
    lines = text.splitlines()
    assert all('dark = "#' in lines[finding.line - 1] for finding in findings)


def test_a_page_that_uses_what_is_not_there_is_found(tmp_path: Path) -> None:
    folder = make_theme(tmp_path)
    (folder / "templates/storefront/faq.html").write_text(
        '{% extends "!base/storefront/faq.html" %}{% block main %}<h1>{{ nothing }}</h1>{% endblock %}',
        encoding="utf-8",
    )
    (finding,) = check_theme(folder)
    assert (finding.code, "nothing" in finding.message) == ("TH206", True)


def test_two_headings_are_one_too_many(tmp_path: Path) -> None:
    folder = make_theme(tmp_path)
    (folder / "templates/storefront/faq.html").write_text(
        '{% extends "layout.html" %}{% block main %}<h1>a</h1><h1>b</h1>{% endblock %}', encoding="utf-8"
    )
    assert [finding.code for finding in check_theme(folder)] == ["TH207"]


@pytest.mark.parametrize("toml", ["broken", 'extends = "nowhere"', "unknown = 1"])
def test_a_manifest_that_cannot_be_read_is_one_finding(tmp_path: Path, toml: str) -> None:
    folder = make_theme(tmp_path)
    manifest = folder / "theme.toml"
    text = manifest.read_text(encoding="utf-8").replace('extends  = "base"', toml)
    manifest.write_text(text, encoding="utf-8")
    assert [finding.code for finding in check_theme(folder)] == ["TH101"]
