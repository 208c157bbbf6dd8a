from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.theming import locale, prose
from reseller_kit.theming.snippets import Snippet


def test_a_value_is_not_searched_for_placeholders() -> None:
    assert prose.fill("{a} {b}", {"a": "{b}", "b": "x"}) == "{b} x"


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        prose.fill("{missing}", {})


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](https://evil.example/x.png)",
        "<img src=x onerror=alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        '<a href="x" onclick="y">z</a>',
    ],
)
def test_markdown_lets_no_code_through(text: str) -> None:
    rendered = prose.markdown(text)
    assert re.search(r"<(script|img)|<[^>]*(onerror|onclick|javascript:|data:)", rendered) is None


def test_markdown_keeps_the_h1_for_the_page() -> None:
    assert prose.markdown("# One\n\n## Two") == "<h2>One</h2>\n<h3>Two</h3>\n"


def test_links_that_lead_out_are_marked() -> None:
    assert prose.markdown("[x](https://a.example)") == (
        '<p><a href="https://a.example" rel="nofollow noopener">x</a></p>\n'
    )


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1, max_size=40))
def test_a_value_in_markdown_reads_as_itself(value: str) -> None:
    rendered = prose.fill_markdown("before {value} after", {"value": value})
    assert html.unescape(re.sub(r"</?p>|\n", "", rendered)) == f"before {value} after"


@given(st.text(max_size=200), st.sampled_from(["shell", "python", "javascript", "json"]))
def test_highlighting_changes_no_character(code: str, language: str) -> None:
    coloured = prose.highlight(code, language)
    assert html.unescape(re.sub(r'<span class="[csk]">|</span>', "", coloured)) == html.unescape(html.escape(code))


def test_highlighting_marks_strings_comments_and_keywords() -> None:
    snippet = Snippet("x", "x", "python", 'import os  # why\nprint("a")')
    assert prose.highlight(snippet.code, snippet.language) == (
        '<span class="k">import</span> os  <span class="c"># why</span>\n'
        '<span class="k">print</span>(<span class="s">&quot;a&quot;</span>)'
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (8_191, "8K"), (400_000, "400K"), (1_048_576, "1.04M"), (2_000_000, "2M")],
)
def test_token_counts_are_cut_not_rounded_up(number: int, text: str) -> None:
    assert locale.tokens("en", number) == text
