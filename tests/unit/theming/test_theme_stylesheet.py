from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit import theming
from reseller_kit.theming.sample import sample_brand
from reseller_kit.theming.stylesheet import minify

LIBRARY = theming.load()
THEMES = sorted(LIBRARY.themes)


def make_brand(**changes: object) -> theming.Brand:
    return msgspec.structs.replace(sample_brand(), **changes)


def css_of(theme: str, **changes: object) -> str:
    return theming.stylesheet(LIBRARY, theme, make_brand(**changes)).css.decode()


@pytest.mark.parametrize("theme", THEMES)
def test_the_hash_follows_the_content(theme: str) -> None:
    plain = theming.stylesheet(LIBRARY, theme, make_brand())
    assert theming.stylesheet(theming.load(), theme, make_brand()) == plain
    assert plain.url == f"/theme/{plain.hash}.css"
    red = theming.stylesheet(LIBRARY, theme, make_brand(tokens={"color.accent": "#aa0000"}))
    assert red.hash != plain.hash
    assert b"--color-accent:#aa0000" in red.css


def test_the_order_of_tokens_does_not_change_the_hash() -> None:
    one = make_brand(tokens={"color.accent": "#aa0000", "radius": "2px"})
    other = make_brand(tokens={"radius": "2px", "color.accent": "#aa0000"})
    assert theming.stylesheet(LIBRARY, "daylight", one) == theming.stylesheet(LIBRARY, "daylight", other)


@pytest.mark.parametrize("theme", THEMES)
def test_the_sheet_is_within_its_budget(theme: str) -> None:
    assert len(css_of(theme)) <= 90_000


@pytest.mark.parametrize("theme", THEMES)
def test_the_sheet_loads_only_hashed_fonts_of_its_own(theme: str) -> None:
    urls = re.findall(r"url\(([^)]*)\)", css_of(theme))
    assert all(re.fullmatch(r'"/theme/static/fonts/[a-z-]+\.[0-9a-f]{12}\.woff2"', url) for url in urls)
    assert "@import" not in css_of(theme)


@given(st.dictionaries(st.sampled_from(["color.accent", "radius", "font.body", "density"]), st.text(max_size=60)))
def test_no_brand_value_reaches_the_sheet_unparsed(tokens: dict[str, str]) -> None:
    hostile = {name: f"{value}}}body{{background:url(//evil.example)}}" for name, value in tokens.items()}
    assert css_of("daylight", tokens=hostile) == css_of("daylight")


def test_a_child_comes_after_its_parent_in_a_layer_of_its_own() -> None:
    css = css_of("midnight")
    assert css.startswith("@layer base,midnight;")
    assert css.index("@layer base{") < css.index("@layer midnight{")


def test_each_scheme_can_be_chosen_and_follows_the_system_else() -> None:
    css = css_of("daylight")
    assert ":root[data-scheme=dark]{color-scheme:dark;" in css
    assert "@media (prefers-color-scheme:dark){:root:not([data-scheme=light]){color-scheme:dark;" in css


def test_minify_keeps_strings_and_meaning() -> None:
    source = '/* note */ a::before { content: "/* { ; } */"; color: red;\n}\n@media print { a b { margin: 0 auto } }'
    assert minify(source) == 'a::before{content: "/* { ; } */";color: red}@media print{a b{margin: 0 auto}}'


def test_the_icon_is_the_escaped_initial_on_the_accent() -> None:
    icon = theming.icon(LIBRARY, "daylight", make_brand(name="<script>", tokens={"color.accent": "#aa0000"}))
    assert b'fill="#aa0000"' in icon.body
    assert b">S</text>" in icon.body
    assert re.fullmatch(r"/theme/[0-9a-f]{12}\.svg", icon.url)


def test_the_web_manifest_is_the_brands() -> None:
    found = theming.web_manifest(LIBRARY, "daylight", make_brand(name='<b>"', tokens={"color.accent": "#aa0000"}))
    assert re.fullmatch(r"/theme/[0-9a-f]{12}\.webmanifest", found.url)
    manifest = msgspec.json.decode(found.body)
    assert (manifest["name"], manifest["theme_color"]) == ('<b>"', "#aa0000")
    assert manifest["icons"][0]["src"].endswith(".svg")


def test_a_colour_of_a_setting_comes_with_what_reads_on_it() -> None:
    css = css_of("daylight", settings={"hero_color": "#ffe08a"})
    assert ":root{--setting-hero-color:#ffe08a;--setting-hero-color-on:#000000}" in css
    assert "--setting" not in css_of("daylight", settings={"hero_color": "red;}"}).split("@layer")[1]


def test_a_font_that_is_late_has_stand_ins_of_its_measure_for_its_own_characters() -> None:
    css = css_of("midnight")
    assert '--font-body:"Geist","Geist stand-in 1",' in css
    faces = re.findall(r'@font-face\{font-family:"Geist stand-in 1";([^}]*)\}', css)
    assert len(faces) == len(("plain", "bold"))
    assert all('local("Arial' in face and "unicode-range:" in face for face in faces)
    # Arial's mean letter is 0.449 em wide and Geist's 0.459; what is scaled up must reach no further.
    assert "size-adjust:102.2%;ascent-override:98.3%;descent-override:28.9%" in faces[0]


def test_a_font_without_metrics_has_no_stand_ins() -> None:
    assert "stand-in" not in css_of("base")


def test_arabic_is_never_set_in_letters_of_one_width() -> None:
    rule = ":root:is(:lang(ar),:lang(fa),:lang(ur))"
    found = re.findall(re.escape(rule) + r"\{([^}]*)\}", css_of("midnight"))
    assert [re.findall(r"--[a-z-]+", one) for one in found] == [["--font-display", "--font-mono"]]
    assert "monospace" not in found[0]
    assert rule not in css_of("daylight")
