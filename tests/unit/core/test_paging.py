from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.paging import Window, after, page_of, window


def rows_after(count: int, asked: Window) -> list[int]:
    """What a query answers for rows count…1, newest first."""
    key = after(asked, "rows", (int,))
    newest = count if key is None else int(key[0]) - 1
    return list(range(newest, 0, -1))[: asked.limit + 1]


@given(st.integers(0, 40), st.integers(1, 12))
def test_following_cursors_shows_every_row_once(count: int, limit: int) -> None:
    seen: list[int] = []
    cursor = None
    while True:
        asked = window(limit, cursor)
        page = page_of(rows_after(count, asked), asked, "rows", lambda row: (row,))
        assert len(page.items) <= limit
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == list(range(count, 0, -1))


@pytest.mark.parametrize("limit", [0, -1, 1001, 2**70])
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(InvalidRequest):
        window(limit)


def encoded(parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!!",
        "€",
        "A" * 5000,
        encoded([]),
        encoded(["rows"]),
        encoded(["rows", "1"]),
        encoded(["rows", 1, 2]),
        encoded(["other", 1]),
        encoded(["rows", 2**63]),
        encoded(["rows", 1.5]),
        encoded(["rows", True]),
        encoded({"rows": 1}),
    ],
)
def test_a_cursor_of_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        after(window(10, cursor), "rows", (int,))
    assert caught.value.param == "cursor"


def test_a_text_key_that_no_database_stores_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        after(window(10, encoded(["rows", "a\0b"])), "rows", (str,))


@given(st.text(max_size=60))
def test_no_text_breaks_the_cursor_reader(cursor: str) -> None:
    with suppress(InvalidRequest):
        assert after(window(10, cursor), "rows", (int,)) is not None
