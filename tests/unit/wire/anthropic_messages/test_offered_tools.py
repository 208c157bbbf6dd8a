"""Lists of tools that cost nothing are known again; what costs is found every time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire.anthropic_messages.offered import FreeTools, searches_of

_LONG = "Looks a word up. " * 400
_SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


def tools_of(*tools: dict[str, Any]) -> Raw:
    return Raw(json.dumps(tools).encode())


def of_length(size: int, fill: bytes = b"x") -> Raw:
    return Raw(fill * size)


def test_a_long_list_is_free_each_time_it_comes() -> None:
    tools = tools_of({"name": "look_up", "description": _LONG, "input_schema": {"type": "object"}})
    assert [searches_of(tools) for _ in range(3)] == [0, 0, 0]


def test_a_list_of_the_same_length_is_looked_at_anew() -> None:
    free = json.dumps([{"type": "custom", "name": "x", "description": _LONG, "max_uses": 3}])
    priced = json.dumps([{"type": "web_search_2", "name": "x", "description": _LONG, "max_uses": 3}])
    free = free.replace('"x"', f'"{"x" * (1 + len(priced) - len(free))}"')
    assert len(free) == len(priced)
    assert searches_of(Raw(free.encode())) == 0
    assert searches_of(Raw(priced.encode())) == 3
    assert searches_of(Raw(priced.encode())) == 3


def test_what_has_no_price_here_is_refused_each_time() -> None:
    tools = tools_of({"name": "look_up", "description": _LONG}, {"type": "code_execution_20260120", "name": "x"})
    for _ in range(2):
        with pytest.raises(InvalidRequest) as caught:
            searches_of(tools)
        assert caught.value.param == "tools[1].type"


def test_no_list_has_no_searches() -> None:
    assert [searches_of(None), searches_of(Raw(b"null")), searches_of(Raw(b"[]"))] == [0, 0, 0]
    assert searches_of(tools_of(_SEARCH, {"type": "web_search_20250305", "name": "again"})) == 13


def test_lists_are_known_byte_for_byte() -> None:
    known = FreeTools(shortest=1)
    known.add(of_length(9))
    assert of_length(9) in known
    assert of_length(9, b"y") not in known
    assert of_length(8) not in known
    known.add(of_length(9, b"y"))
    assert of_length(9) not in known


def test_only_so_many_and_so_long_ones_are_kept() -> None:
    known = FreeTools(most=3, shortest=10, longest=14)
    for size in range(8, 17):
        known.add(of_length(size))
    assert [size for size in range(8, 17) if of_length(size) in known] == [12, 13, 14]
    known.add(of_length(12))
    known.add(of_length(10))
    assert [size for size in range(8, 17) if of_length(size) in known] == [10, 12, 14]
    assert len(known) == 3
