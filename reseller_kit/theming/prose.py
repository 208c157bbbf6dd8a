"""Texts to safe HTML: placeholders, Markdown and coloured code. Never lets markup through that a reseller wrote."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from .plurals import Plural

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_MARKDOWN_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+.!|~-])")
_TAGS: Final = {
    "a",
    "blockquote",
    "br",
    "code",
    "em",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "ul",
}
_PARSER: Final = MarkdownIt("commonmark", {"html": False}).disable("image")
_STRING: Final = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_KEYWORDS: Final = {
    "shell": "curl|export|unset|pip|npm|python|node|claude|codex",
    "python": "import|from|for|in|if|print|with|as|def|return",
    "javascript": "import|from|const|for|await|of|new|let|return|if",
    "json": "true|false|null",
    "toml": "true|false",
    "yaml": "true|false",
}
_COMMENTS: Final = {
    **dict.fromkeys(("shell", "python", "toml", "yaml"), r"#[^\n]*"),
    "javascript": r"//[^\n]*",
    "json": r"(?!)",
}


def fill(text: str, values: Mapping[str, object]) -> str:
    """`text` with each `{name}` replaced in one pass, so that a value is never searched for further placeholders.

    Of a text with plural forms it is the one for its number.

    Raises KeyError for a placeholder without a value.
    """
    if isinstance(text, Plural):
        text = text.form(values)
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), text) if "{" in text else text


def fill_markdown(text: str, values: Mapping[str, object]) -> Markup:
    """A Markdown text of the theme with plain values: what they hold stays literal."""
    return markdown(fill_literally(text, values))


def fill_literally(text: str, values: Mapping[str, object]) -> str:
    """A Markdown text of the theme with plain values, as Markdown that shows these as they are."""
    return fill(text, {name: _literal(str(value)) for name, value in values.items()})


@functools.lru_cache(maxsize=256)
def markdown(text: str) -> Markup:
    """CommonMark to HTML without raw HTML and images. Headings move one level down: the page owns its h1."""
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    rendered = _PARSER.renderer.render(tokens, _PARSER.options, {})
    # Sanitised after rendering: the parser's own escaping is the first lock, this is the second.
    return Markup(  # noqa: S704
        nh3.clean(
            rendered,
            tags=_TAGS,
            attributes={"a": {"href"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="nofollow noopener",
        )
    )


def highlight(code: str, language: str) -> Markup:
    """Code with strings, comments and keywords in `span`s of class `s`, `c`, `k`; its text content is `code` itself."""
    pattern = re.compile(rf"(?P<c>{_COMMENTS[language]})|(?P<s>{_STRING})|(?P<k>\b(?:{_KEYWORDS[language]})\b)")
    parts: list[str] = []
    at = 0
    for match in pattern.finditer(code):
        parts += [
            html.escape(code[at : match.start()]),
            f'<span class="{match.lastgroup}">{html.escape(match[0])}</span>',
        ]
        at = match.end()
    parts.append(html.escape(code[at:]))
    return Markup("".join(parts))  # noqa: S704 - every piece is escaped above


def _literal(value: str) -> str:
    """A value as Markdown that renders as itself: one line, its special characters escaped."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(value.split()))
