"""Nothing of an upstream's identity reaches a customer: in any API, in any state, in any byte.

The upstream says a word that nobody else uses wherever it can; every byte of every answer is searched for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest

from tests.lab.behaviour import Behaviour, changed
from tests.lab.gate import APIS, DIALECTS, Gate, open_gate, thinking, with_tool

CANARY: Final = "quillfeather"
SEEDED: Final = Behaviour(canary=CANARY)
SHAPES: Final[dict[str, tuple[str, Callable[[str], dict[str, Any]]]]] = {
    "text": ("Say. [[input=40 cached=10 output=12]]", lambda _: {}),
    "tools": ("Say. [[input=40 tool=2 output=12]]", with_tool),
    "reasoning": ("Say. [[input=40 show_reasoning reasoning=6 output=12]]", thinking),
}
STATES: Final = {
    "401": Behaviour(status=401),
    "402": Behaviour(status=402),
    "404": Behaviour(status=404),
    "413": Behaviour(status=413),
    "422": Behaviour(status=422),
    "400": Behaviour(status=400),
    "400 of the account": Behaviour(status=400, code="insufficient_quota"),
    "429": Behaviour(status=429, limits="openai"),
    "429 of Anthropic": Behaviour(status=429, limits="anthropic"),
    "500": Behaviour(status=500),
    "529": Behaviour(status=529),
    "a page": Behaviour(status=502, page=True),
    "a page that is fine": Behaviour(page=True),
    "an error before content": Behaviour(error_after=1),
    "an error behind content": Behaviour(error_after=8),
    "the end behind content": Behaviour(stop="close", stop_after=8),
    "a reset": Behaviour(stop="reset", stop_after=0),
    "no usage": Behaviour(usage="none"),
    "a redirect": Behaviour(status=307, location=f"http://{CANARY}.example/v1"),
    "broken events": Behaviour(broken_event=2),
    "gzip": Behaviour(coding="gzip"),
}
TASKS: Final[dict[str, dict[str, Any]]] = {
    "/v1/embeddings": {"input": "a word"},
    "/v1/images/generations": {"prompt": "a picture", "n": 1},
    "/v1/audio/speech": {"input": "a word", "voice": "alloy"},
    "/v1/moderations": {"input": "a word"},
    "/v1/rerank": {"query": "a word", "documents": ["a word", "two words"]},
}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with open_gate(tmp_path_factory.mktemp("identity")) as opened:
        yield opened


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """Another one, whose keys are refused: there are more than are parked or cool down."""
    with open_gate(tmp_path_factory.mktemp("troubled"), keys=200) as opened:
        yield opened


def traces(answer: httpx.Response) -> list[str]:
    """Where the word stands, with what is around it."""
    shown = f"{list(answer.headers.multi_items())}\n{answer.text}"
    found, start = [], 0
    while (start := shown.casefold().find(CANARY, start)) >= 0:
        found.append(shown[max(0, start - 50) : start + 30])
        start += 1
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_good_answers_tell_nothing(gate: Gate, dialect: str, shape: str) -> None:
    text, members = SHAPES[shape]
    for api in APIS:
        for stream in (False, True):
            answer = gate.ask(api, dialect, SEEDED, text=text, stream=stream, **members(api))
            assert answer.status_code == 200, (api, answer.text)
            assert traces(answer) == [], (api, stream)


@pytest.mark.parametrize("state", STATES)
def test_bad_answers_tell_nothing(troubled: Gate, state: str) -> None:
    for dialect in DIALECTS:
        for api in APIS:
            for stream in (False, True):
                seeded = changed(STATES[state], canary=CANARY)
                answer = troubled.ask(api, dialect, *[seeded] * 6, stream=stream)
                assert troubled.upstreams[dialect].journal.attempts()
                assert answer.status_code in {200, 400, 404, 413, 422, 503, 529}, (api, answer.text)
                assert traces(answer) == [], (dialect, api, stream)
                assert "location" not in answer.headers


@pytest.mark.parametrize("path", TASKS)
def test_smaller_apis_tell_nothing(gate: Gate, path: str) -> None:
    for behaviour in (SEEDED, changed(STATES["400"], canary=CANARY), changed(STATES["500"], canary=CANARY)):
        gate.upstreams["openai"].will(*[behaviour] * 6)
        answer = gate.post(path, TASKS[path] | {"model": "openai"})
        assert answer.status_code == (
            200 if behaviour == SEEDED else behaviour.status if behaviour.status == 400 else 503
        )
        assert traces(answer) == []


def test_what_helps_the_caller_is_left(gate: Gate) -> None:
    answer = gate.ask("chat", "openai", changed(STATES["400"], canary=CANARY))
    assert answer.json()["error"]["message"] == "Invalid value for 'temperature'."
    tool = gate.ask("chat", "openai", SEEDED, text=SHAPES["tools"][0], **with_tool("chat"))
    (first, second) = tool.json()["choices"][0]["message"]["tool_calls"]
    assert first["function"]["name"] == second["function"]["name"] == "look"
    assert first["id"].startswith("call_")


def test_ids_of_calls_go_back_as_they_were_shown(gate: Gate) -> None:
    """A call and its result have the same id upstream, whatever it was there."""
    answer = gate.ask("chat", "openai", SEEDED, text=SHAPES["tools"][0], **with_tool("chat")).json()
    message = answer["choices"][0]["message"]
    said = [{"role": "user", "content": "Say."}, {key: message[key] for key in ("role", "content", "tool_calls")}]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in message["tool_calls"]]
    for dialect in DIALECTS:
        gate.upstreams[dialect].will()
        body = {"model": dialect, "messages": [*said, *results], "max_completion_tokens": 64, **with_tool("chat")}
        assert gate.post("/v1/chat/completions", body).status_code == 200
        (attempt,) = gate.upstreams[dialect].journal.attempts()
        assert json.dumps(attempt.request).count(message["tool_calls"][0]["id"].removeprefix("call_")) >= 2 or (
            dialect == "gemini"
        )
