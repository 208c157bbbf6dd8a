from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidManifest, InvalidRequest
from reseller_kit.core.theme import (
    COLOR_TOKENS,
    FONT_TOKENS,
    TOKENS,
    Color,
    ContrastRule,
    Pair,
    ThemeManifest,
    contrast,
    decode_manifest,
    luminance,
    parse_color,
    parse_token,
    resolve_settings,
    resolve_tokens,
    satisfies,
)

HEAD = """
schema = 1
name = "root"
title = "Root"
version = "1.0.0"
license = "MIT"
"""
LIGHT, DARK = "#ffffff", "#101114"
RULES = (
    ContrastRule("color.fg", "color.bg", 7.0),
    ContrastRule("color.on_accent", "color.accent"),
    ContrastRule("color.link", "color.bg"),
)


def make_manifest(name: str = "root", **changes: Any) -> ThemeManifest:
    text = (HEAD.replace('"root"', f'"{name}"')) + changes.pop("toml", "")
    manifest = decode_manifest(text, name)
    return ThemeManifest(**{field: getattr(manifest, field) for field in manifest.__struct_fields__} | changes)


def make_root(**changes: Any) -> ThemeManifest:
    grounds = {"color.bg", "color.surface", "color.sunken", "color.code_bg"}
    tokens: dict[str, Any] = {
        name: Pair(LIGHT, DARK) if name in grounds else Pair("#16181d", "#f1f2f4") for name in COLOR_TOKENS
    }
    tokens |= {"color.accent": Pair("#1d4ed8", "#93b4ff"), "color.on_accent": Pair("#ffffff", "#0b1530")}
    tokens |= dict.fromkeys(FONT_TOKENS, "system") | {"radius": "10px", "density": "cosy"}
    return make_manifest(tokens=tokens, contrast=RULES, toml='[expose]\ntokens = "*"', **changes)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        # Known pairs of WCAG's own tools: black on white, and the lightest grey that passes AA on white.
        ("#000000", "#ffffff", 21.0),
        ("#767676", "#ffffff", 4.54),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
        ("#ff0000", "#ffffff", 4.0),
        ("#abcdef", "#abcdef", 1.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(parse_color(one), parse_color(other)) == pytest.approx(ratio, abs=0.005)
    assert contrast(parse_color(other), parse_color(one)) == contrast(parse_color(one), parse_color(other))


def test_luminance_runs_from_black_to_white() -> None:
    assert luminance(Color(0, 0, 0)) == 0
    assert luminance(Color(255, 255, 255)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "css"),
    [
        ("#4338CA", "#4338ca"),
        ("#fa0", "#ffaa00"),
        ("rgb(67 56 202)", "#4338ca"),
        ("rgb(67, 56, 202)", "#4338ca"),
        ("hsl(0 100% 50%)", "#ff0000"),
        ("hsl(120deg, 100%, 25%)", "#008000"),
    ],
)
def test_colours_have_one_text_form(text: str, css: str) -> None:
    assert parse_color(text).css == css


@pytest.mark.parametrize(
    "text",
    [
        "",
        "red",
        "#12345",
        "#12345g",
        "rgb(256 0 0)",
        "hsl(361 0% 0%)",
        "#fff;}",
        "var(--x)",
        "url(x)",
        "#fff\n",
        3,
        None,
    ],
)
def test_what_is_no_colour_is_refused_with_a_fix(text: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_color(text)
    assert caught.value.fix


@given(name=st.sampled_from(sorted(TOKENS)), value=st.one_of(st.text(max_size=40), st.integers(), st.none()))
def test_no_parsed_value_can_end_a_declaration(name: str, value: object) -> None:
    try:
        parsed = parse_token(name, value)
    except InvalidRequest:
        return
    assert not set(parsed) & set("{};<>\"'\\/()\n\r ")


@given(
    name=st.sampled_from(sorted(TOKENS)),
    value=st.from_regex(r"(#[0-9a-f]{6}|10px|inter|cosy)[ ;}{<>/*\\a-z:()\"\n]{1,12}", fullmatch=True),
)
def test_a_good_value_with_anything_behind_it_is_refused_or_harmless(name: str, value: str) -> None:
    try:
        parsed = parse_token(name, value)
    except InvalidRequest:
        return
    assert not set(parsed) & set("{};<>\"'\\/()\n\r ")


@pytest.mark.parametrize(
    ("text", "length"), [("10px", "10px"), ("0.500rem", "0.5rem"), ("0px", "0px"), ("48px", "48px")]
)
def test_lengths(text: str, length: str) -> None:
    assert parse_token("radius", text) == length


@pytest.mark.parametrize("text", ["10", "49px", "4rem", "-1px", "1e3px", "10px;", "calc(1px)", "10 px", 10])
def test_what_is_no_length_is_refused(text: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_token("radius", text)


def test_an_unknown_token_names_those_there_are() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_token("color.brand", "#fff")
    assert "color.accent" in caught.value.fix


@pytest.mark.parametrize(
    "toml",
    [
        "nonsense = 1",
        "extends = 3",
        '[assets]\ncss = ["../../etc/passwd"]',
        '[assets]\ncss = ["/etc/passwd"]',
        "[expose]\ntokens = 1",
        '[fonts.x]\nfallback = "sans"\nfamily = "A\\";}"',
        "not toml",
    ],
)
def test_a_malformed_manifest_is_refused(toml: str) -> None:
    with pytest.raises(InvalidManifest):
        decode_manifest(HEAD + toml, "root")


@pytest.mark.parametrize(
    ("requirement", "version", "met"),
    [(">=0.1", "0.1.0", True), (">=0.2", "0.1.9", False), (">=0.1, <2", "2.0.0", False), ("==1.2", "1.2.0", True)],
)
def test_requirements(requirement: str, version: str, met: bool) -> None:  # noqa: FBT001 - a table's column
    assert satisfies(requirement, version) is met


def test_a_requirement_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        satisfies("~=1", "1.0.0")


def test_a_child_overrides_and_inherits() -> None:
    child = make_manifest("child", tokens={"radius": "3px"})
    tokens, problems = resolve_tokens((make_root(), child))
    assert (tokens.plain["radius"], tokens.plain["density"]) == ("3px", "cosy")
    assert problems == ()


def test_a_child_may_ask_for_more_contrast_but_not_for_less() -> None:
    lax = make_manifest("child", contrast=(ContrastRule("color.fg", "color.bg", 1.0),), tokens={"color.fg": "#999999"})
    _, problems = resolve_tokens((make_root(), lax))
    assert [problem.path for problem in problems] == [("tokens", "color.fg", "light")]
    assert "7 is needed" in problems[0].message


def test_a_chain_without_all_tokens_says_which() -> None:
    _, problems = resolve_tokens((make_manifest(),))
    assert {problem.path[1] for problem in problems if problem.rule == "missing"} == TOKENS


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ({"color.acent": "#fff"}, "unknown"),
        ({"color.accent": "#fff} body{display:none"}, "value"),
        ({"color.accent": {"light": "#fff"}}, "value"),
        ({"color.accent": 3}, "value"),
        ({"radius": {"light": "1px", "dark": "2px"}}, "value"),
    ],
)
def test_a_wrong_override_is_listed_and_left_out(overrides: dict[str, Any], rule: str) -> None:
    plain, _ = resolve_tokens((make_root(),))
    tokens, problems = resolve_tokens((make_root(),), overrides)
    assert [problem.rule for problem in problems] == [rule]
    assert problems[0].fix
    assert tokens == plain


def test_a_misspelt_token_gets_a_suggestion() -> None:
    _, problems = resolve_tokens((make_root(),), {"color.acent": "#fff"})
    assert problems[0].fix == "Did you mean color.accent?"


def test_a_token_that_is_not_exposed_stays_the_themes() -> None:
    root = make_root()
    closed = ThemeManifest(
        **{name: getattr(root, name) for name in root.__struct_fields__}
        | {"expose": decode_manifest(HEAD + '[expose]\ntokens = ["radius"]', "root").expose}
    )
    tokens, problems = resolve_tokens((closed,), {"color.accent": "#ff0000", "radius": "1px"})
    assert [problem.rule for problem in problems] == ["exposed"]
    assert tokens.plain["radius"] == "1px"
    assert tokens.light["color.accent"].css == "#1d4ed8"


def test_both_values_of_a_brand_are_taken_as_given() -> None:
    tokens, problems = resolve_tokens((make_root(),), {"color.accent": {"light": "#7c2d12", "dark": "#fdba74"}})
    assert (tokens.light["color.accent"].css, tokens.dark["color.accent"].css) == ("#7c2d12", "#fdba74")
    assert problems == ()


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_any_single_accent_passes_every_rule_in_both_schemes(channels: tuple[int, int, int]) -> None:
    accent = Color(*channels)
    tokens, problems = resolve_tokens((make_root(),), {"color.accent": accent.css})
    assert problems == ()
    assert tokens.light["color.accent"] == accent
    assert contrast(tokens.dark["color.accent"], tokens.dark["color.bg"]) >= 3
    for scheme in (tokens.light, tokens.dark):
        assert contrast(scheme["color.on_accent"], scheme["color.accent"]) >= 4.5
        assert contrast(scheme["color.link"], scheme["color.bg"]) >= 4.5


def test_a_dark_accent_is_only_moved_as_far_as_needed() -> None:
    tokens, _ = resolve_tokens((make_root(),), {"color.accent": "#60a5fa"})
    assert tokens.dark["color.accent"].css == parse_color("#60a5fa").css or (
        contrast(tokens.dark["color.accent"], parse_color("#60a5fa")) < 1.05
    )
    deep, _ = resolve_tokens((make_root(),), {"color.accent": "#1e1b4b"})
    assert 3 <= contrast(deep.dark["color.accent"], deep.dark["color.bg"]) < 3.4


def test_a_single_ground_becomes_dark_and_a_single_ink_becomes_light() -> None:
    tokens, problems = resolve_tokens((make_root(),), {"color.bg": "#fff7ed", "color.fg": "#1c1917"})
    assert luminance(tokens.dark["color.bg"]) < 0.05
    assert luminance(tokens.dark["color.fg"]) > 0.4
    assert problems == ()


def test_a_brand_whose_pair_does_not_pass_is_told() -> None:
    overrides = {"color.accent": "#ffff00", "color.on_accent": {"light": "#ffffff", "dark": "#000000"}}
    _, problems = resolve_tokens((make_root(),), overrides)
    assert [(problem.rule, problem.path) for problem in problems] == [
        ("contrast", ("tokens", "color.on_accent", "light"))
    ]
    assert "1.07" in problems[0].message


def test_settings_take_defaults_values_and_old_names() -> None:
    theme = make_manifest(
        toml="""
[settings.hero_layout]
type = "select"
options = ["split", "centred"]
default = "split"
aliases = ["hero"]
[settings.grid]
type = "boolean"
default = true
"""
    )
    assert resolve_settings((theme,)) == ({"hero_layout": "split", "grid": True}, ())
    assert resolve_settings((theme,), {"hero": "centred", "grid": False})[0] == {
        "hero_layout": "centred",
        "grid": False,
    }
    values, problems = resolve_settings((theme,), {"hero_layout": "upside-down", "grid": "yes", "gird": True})
    assert values == {"hero_layout": "split", "grid": True}
    assert [problem.rule for problem in problems] == ["value", "value", "unknown"]
