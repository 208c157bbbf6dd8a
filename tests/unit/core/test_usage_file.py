from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.usage_file import UsedCall, read_usage


def record(**fields: Any) -> dict[str, Any]:
    return {"id": "req_1", "model": "fast", "public_model": "gpt-5-mini", "status": "ok", **fields}


def page(*records: Any) -> str:
    return json.dumps({"records": records, "next_cursor": None}, indent=2)


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidRequest) as caught:
        read_usage(text, "usage.json")
    error = caught.value
    assert error.message == f"usage.json:{error.details[0]['line']}: {error.details[0]['message']}"
    return [(detail["line"], detail["message"]) for detail in error.details]


def test_pages_as_they_are_printed_are_read_one_after_another() -> None:
    quantities = {"input": 10, "output": 5}
    text = page(record(quantities=quantities), record(quantities={"images": 1})) + "\n" + page(record(quantities={}))
    assert read_usage(text, "f") == [
        UsedCall("gpt-5-mini", quantities),
        UsedCall("gpt-5-mini", {"images": 1}),
        UsedCall("gpt-5-mini", {}),
    ]
    assert read_usage(f"[{page(record(quantities=quantities))}]", "f") == [UsedCall("gpt-5-mini", quantities)]
    assert read_usage(page(), "f") == []


def test_records_alone_and_lines_of_them_are_read_too() -> None:
    lines = "\n".join(json.dumps({"model": "m", "input_tokens": number, "output_tokens": 1}) for number in range(3))
    assert [call.quantities["input"] for call in read_usage(lines, "f")] == [0, 1, 2]


def test_a_call_that_was_not_charged_is_passed_over() -> None:
    text = page(record(status="failed"), record(status="refused"), record(status="cut", quantities={"input": 1}))
    assert read_usage(text, "f") == [UsedCall("gpt-5-mini", {"input": 1})]


def test_csv_has_a_call_a_row_under_either_names() -> None:
    text = "\ufeffmodel,input_tokens,output,id\ngpt-5,100,20,req_1\n\n gpt-5 ,,3,\n"
    assert read_usage(text, "f") == [
        UsedCall("gpt-5", {"input": 100, "output": 20}),
        UsedCall("gpt-5", {"input": 0, "output": 3}),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model,inptu\nm,1\n", [(1, "There is no column 'inptu'. Did you mean \"input\"?")]),
        ("input,output\n1,2\n", [(1, "The header names no column model.")]),
        ("", [(1, "The header names no column model.")]),
        ("model,input,input\nm,1,1\n", [(1, "The header names a column twice.")]),
        (
            "model,input\nm,1\nm,-1\nm,1.5\n,1\nm\nm,99999999999999999999999999\nm,NaN\n",
            [
                (3, "input is '-1', not a whole number of 0 or more."),
                (4, "input is '1.5', not a whole number of 0 or more."),
                (5, "The row names no model."),
                (6, "The row has 1 cells, the header has 2."),
                (7, "input is more than any call can use."),
                (8, "input is 'NaN', not a whole number of 0 or more."),
            ],
        ),
        ('model,input\n"m,1\n', [(2, "This is no CSV: unexpected end of data.")]),
    ],
)
def test_bad_csv_is_told_by_line(text: str, expected: list[tuple[int, str]]) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (record(quantities={"input": -1}), "input is -1, not"),
        (record(quantities={"input": True}), "input is True, not"),
        (record(quantities={"input": 1.0}), "input is 1.0, not"),
        (record(quantities={"inptu": 1}), "There is no usage class 'inptu'."),
        (record(quantities=[1]), "quantities is not a table"),
        (record(public_model="", model=""), "names no model"),
        (record(public_model=None, model=7), "names no model"),
        (record(status="done"), "'done' is not a status"),
    ],
)
def test_a_bad_record_is_told_by_its_line(row: Any, said: str) -> None:
    good = json.dumps(record(quantities={"input": 1}))
    ((line, message),) = problems(f'{{"records": [\n{good},\n{json.dumps(row)},\n{good}\n]}}')
    assert said in message
    assert line == 3


def test_what_is_no_json_is_told_by_its_line() -> None:
    assert problems('{"records": [\n  {"model": }\n]}') == [(2, "This is no JSON.")]
    assert problems('{"model": "m", "input": NaN}') == [(1, "This is no JSON.")]
    assert problems("[" * 100_000) == [(1, "This is no JSON.")]
    assert problems('{"records": [7]}') == [(1, "The row is not a record.")]
    assert problems('{"records": 7}') == [(1, "records is not a list.")]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b,c", 'd"']), st.integers(0, 10**9), st.integers(0, 10**9)), max_size=8)
)
def test_csv_and_json_say_the_same(rows: list[tuple[str, int, int]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["model", "input_tokens", "output_tokens"])
    writer.writerows(rows)
    records = [{"model": model, "input_tokens": read, "output_tokens": written} for model, read, written in rows]
    assert read_usage(out.getvalue(), "f") == read_usage(json.dumps({"records": records}), "f")


@given(st.text(max_size=60))
def test_no_text_ends_otherwise_than_in_calls_or_an_error(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert all(call.model for call in read_usage(text, "f"))
