"""Usage exports of upstreams: their column names, what their input includes, and what is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.usage_export import ExportLine, line_of, rows_of

OPENAI_API = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1_767_225_600,
            "end_time": 1_767_312_000,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1_000,
                    "input_cached_tokens": 600,
                    "input_cache_write_tokens": 100,
                    "output_tokens": 50,
                    "num_model_requests": 3,
                    "model": "gpt-5-mini",
                    "project_id": None,
                }
            ],
        }
    ],
    "has_more": False,
    "next_page": None,
}
ANTHROPIC_API = {
    "data": [
        {
            "starting_at": "2026-01-01T00:00:00Z",
            "ending_at": "2026-01-02T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 300,
                    "cache_read_input_tokens": 600,
                    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 7},
                    "output_tokens": 50,
                    "model": "claude-sonnet-5",
                    "server_tool_use": {"web_search_requests": 0},
                }
            ],
        }
    ],
    "has_more": False,
}
APART = {"input": 300, "cached_input": 600, "cache_write": 100}


def read(document: Any) -> list[ExportLine]:
    return [line_of(row, number) for number, row in enumerate(rows_of(document), 1)]


def test_openais_usage_api_is_taken_apart() -> None:
    assert read(OPENAI_API) == [
        ExportLine(
            request_id=None, day="2026-01-01", model="gpt-5-mini", quantities={**APART, "output": 50}, requests=3
        )
    ]


def test_anthropics_usage_report_is_taken_as_it_is() -> None:
    quantities = {**APART, "cache_write_1h": 7, "output": 50}
    assert read(ANTHROPIC_API) == [
        ExportLine(request_id=None, day="2026-01-01", model="claude-sonnet-5", quantities=quantities)
    ]


@pytest.mark.parametrize(
    ("row", "quantities"),
    [
        (
            {"snapshot_id": "m", "aggregation_timestamp": "1767225600", "n_context_tokens_total": "1000"}
            | {"n_cached_context_tokens_total": "600", "n_generated_tokens_total": "50"},
            {"input": 400, "cached_input": 600, "cache_write": 0, "output": 50},
        ),
        (
            {"usage_date_utc": "2026-01-01", "model_version": "m", "usage_input_tokens_no_cache": "300"}
            | {"usage_input_tokens_cache_read": "600", "usage_input_tokens_cache_write_5m": "100"}
            | {"usage_input_tokens_cache_write_1h": "7", "usage_output_tokens": "50"},
            {**APART, "cache_write_1h": 7, "output": 50},
        ),
        (
            {"Date": "2026-01-01T05:00:00Z", "Model": "m", "input_tokens": "300", "cached_input_tokens": "600"}
            | {"cache_write_tokens": "100", "cache_write_1h_tokens": "0", "output_tokens": "50"},
            {**APART, "cache_write_1h": 0, "output": 50},
        ),
        (
            {"date": "2026-01-01", "model": "m", "prompt tokens": 9, "completion-tokens": 4},
            {"all_input": 9, "output": 4},
        ),
        ({"date": "2026-01-01", "model": "m", "input_tokens": 9, "output_tokens": ""}, {"all_input": 9}),
    ],
)
def test_each_known_set_of_columns(row: dict[str, Any], quantities: dict[str, int]) -> None:
    (line,) = read([row])
    assert (line.day, line.model, line.quantities) == ("2026-01-01", "m", quantities)


def test_a_row_may_name_a_request_and_a_cost() -> None:
    (line,) = read({"records": [{"x-client-request-id": "req_1", "input_tokens": 1, "cost": "0.0000000015"}]})
    assert (line.request_id, line.day, line.cost) == ("req_1", None, 2)


ROW = {"date": "2026-01-01", "model": "m", "input_tokens": 10, "output_tokens": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"input_tokens": -1},
        {"input_tokens": 1.5},
        {"input_tokens": True},
        {"input_tokens": "1e3"},
        {"input_tokens": 10**15},
        {"input_cached_tokens": 11},
        {"cost": "-1"},
        {"cost": "NaN"},
        {"cost": "much"},
        {"cost": 10**10},
        {"date": "yesterday"},
        {"date": ""},
        {"model": None},
        {"input_tokens": "", "output_tokens": ""},
    ],
)
def test_what_can_not_be_believed_is_refused_with_its_row(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="Row 2: ") as caught:
        read([ROW, ROW | changes])
    assert caught.value.fix


@pytest.mark.parametrize("document", [7, {"rows": []}, [1], {"data": [ROW], "has_more": True}, "text"])
def test_a_document_of_another_shape_is_refused(document: Any) -> None:
    with pytest.raises(InvalidRequest):
        read(document)
