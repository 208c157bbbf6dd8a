"""Lines of TOML paths: every path that the standard library's parser yields has the line it is written on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.toml_lines import Path, scan


def paths_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every path below the value, with what stands there."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield (*path, key), item
        yield from paths_of(item, (*path, key))


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5),
    st.sampled_from(["a.b", "#", '"', "'", "=", "[x]", "\\", "ü"]),
)
SEPARATORS = st.sampled_from(["", "\n", ' # , ] } "\n', "\n\n\t"])
STRINGS = st.sampled_from(
    ['"x"', "'x'", '""', '"#]},\\""', "'\\'", '"""a\nb"""', '"""q""\\""""', '"""x"""""', "'''a\n'b'''", "'''''a'''''"]
)
OTHERS = st.sampled_from(["true", "1.5e3", "inf", "1979-05-27 07:32:00Z", "07:32:00", "0xff", "-1"])


@st.composite
def rendered_key(draw: st.DrawFn, key: str) -> str:
    """The key bare where it may be, else quoted; sometimes quoted for no reason."""
    bare = key != "" and all(c.isascii() and (c.isalnum() or c in "_-") for c in key)
    if bare and draw(st.booleans()):
        return key
    if "'" not in key and key.isprintable() and draw(st.booleans()):
        return f"'{key}'"
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def inline_value(draw: st.DrawFn, numbers: Iterator[int], depth: int) -> str:
    """A value; a number is unique in the document, so that its line can be looked up in the text."""
    kind = draw(st.sampled_from(["number", "string", "other", *(["array", "table"] if depth else [])]))
    if kind == "number":
        return str(next(numbers))
    if kind == "string":
        return draw(STRINGS)
    if kind == "other":
        return draw(OTHERS)
    count = draw(st.integers(0, 3))
    if kind == "array":
        items = [draw(SEPARATORS) + draw(inline_value(numbers, depth - 1)) + draw(SEPARATORS) for _ in range(count)]
        comma = draw(st.sampled_from(["", ","])) if items else ""
        return "[" + ",".join(items) + comma + draw(SEPARATORS) + "]"
    keys = draw(st.lists(KEYS, min_size=count, max_size=count, unique=True))
    pairs = [f"{draw(rendered_key(key))} = {draw(inline_value(numbers, depth - 1))}" for key in keys]
    return "{ " + ", ".join(pairs) + " }"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A TOML document with tables, arrays of tables, dotted and quoted keys, comments and odd spacing."""
    numbers = iter(range(100_000, 900_000))
    lines = []
    for number in range(draw(st.integers(0, 5))):
        if number:
            # Single letters of one alphabet, so that headers share parents and arrays get several items.
            name = ".".join(draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3)))
            lines.append(draw(st.sampled_from(["[{}]", "[[{}]]", "[[ {} ]] # x", " [ {}\t]"])).format(name))
        for key in draw(st.lists(KEYS, max_size=4, unique=True)):
            dotted = draw(st.lists(KEYS, max_size=2))
            name = " . ".join([draw(rendered_key(part)) for part in [key, *dotted]])
            lines.append(f"{name} = {draw(inline_value(numbers, 3))} # comment")
        lines.append(draw(st.sampled_from(["", "# [x]", "\t"])))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


@given(documents())
def test_every_path_of_the_parser_has_its_line(text: str) -> None:
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = scan(text)
    expected = dict(paths_of(value))
    assert set(lines) == set(expected)
    source = text.replace("\r\n", "\n").split("\n")
    for path, item in expected.items():
        if isinstance(item, int) and item >= 100_000:
            assert str(item) in source[lines[path] - 1]
        for length in range(1, len(path)):
            assert path[:length] in lines


DOCUMENT = """\
title = "x"
[owner]
name.first = "a"
name.last = "b"
[[items]]
id = 1
tags = [
  "a", # one
  { deep = [ 1,
             2 ] },
]
[[items]]
[items.sub]
k = '''
x
'''
after = 1
[a.b.c]
[a]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),
        (("owner",), 2),
        (("owner", "name"), 3),
        (("owner", "name", "last"), 4),
        (("items",), 5),
        (("items", 0), 5),
        (("items", 0, "tags", 0), 8),
        (("items", 0, "tags", 1), 9),
        (("items", 0, "tags", 1, "deep", 1), 10),
        (("items", 1), 12),
        (("items", 1, "sub"), 13),
        (("items", 1, "sub", "k"), 14),
        (("items", 1, "sub", "after"), 17),
        (("a", "b", "c"), 18),
        (("a", "b"), 18),
        (("a",), 19),
    ],
)
def test_lines_of_a_known_document(path: Path, line: int) -> None:
    assert scan(DOCUMENT)[path] == line


def test_an_empty_document_has_no_paths() -> None:
    assert scan("") == {}
    assert scan("# only a comment") == {}


def test_a_long_document_is_scanned_in_linear_time() -> None:
    text = "".join(f'[[t]]\nk = "{number}"\n' for number in range(20_000))
    assert scan(text)["t", 19_999, "k"] == 40_000
