"""One storefront with a lab upstream of each dialect behind it, called in any API. Judges nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from scripts._lib.processes import Child
from tests.lab.behaviour import Behaviour
from tests.lab.house import HOST, Customer, House, open_house
from tests.lab.load import APIS, Load, Target, request
from tests.lab.scenario import Dialect, LabRoute, Scenario
from tests.lab.upstream import LabUpstream

DIALECTS: Final[tuple[Dialect, ...]] = ("openai", "anthropic", "gemini")
TEXT: Final = "Say something. [[input=40 cached=10 output=12]]"
_TASKS: Final = ["chat", "responses", "embeddings", "images", "speech", "transcriptions", "moderations", "rerank"]
_COST: Final = {
    "input": "1.00",
    "cached_input": "0.10",
    "output": "4.00",
    "images": "0.04",
    "characters": "0.00002",
    "seconds": "0.0001",
    "request": "0.002",
}
_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_TOOLS: Final[dict[str, Any]] = {
    "chat": {"type": "function", "function": {"name": "look", "parameters": _SCHEMA}},
    "responses": {"type": "function", "name": "look", "parameters": _SCHEMA},
    "messages": {"name": "look", "input_schema": _SCHEMA},
    "generate_content": {"functionDeclarations": [{"name": "look", "parametersJsonSchema": _SCHEMA}]},
}


@dataclass
class Gate:
    """A server that answers; models are named like the dialect of the upstream behind them."""

    house: House
    server: Child
    port: int
    customer: Customer
    http: httpx.Client
    upstreams: dict[str, LabUpstream] = field(default_factory=dict)

    def ask(
        self,
        api: str,
        dialect: str = "openai",
        *behaviours: Behaviour,
        text: str = TEXT,
        stream: bool = False,
        max_tokens: int = 64,
        **members: Any,
    ) -> httpx.Response:
        """A call in an API while the upstream does what it is told; `members` are added to its body."""
        self.upstreams[dialect].will(*behaviours)
        target = Target(port=self.port, host=self.host, key=self.customer.key, model=dialect)
        load = Load(text=text, max_tokens=max_tokens)
        head, _, body = request(target, load, api, stream=stream).partition(b"\r\n\r\n")
        return self.post(head.split(b" ", 2)[1].decode(), json.loads(body) | members)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        """Any POST of the customer."""
        headers = {"host": self.host, "authorization": f"Bearer {self.customer.key}"}
        return self.http.post(f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, **options)

    def record(self, answer: httpx.Response) -> dict[str, Any]:
        """The operator's usage record of an answer."""
        identity = answer.headers["x-request-id"]
        latest = self.house.records(self.customer, latest=20)
        return next(record for record in latest if record["id"] == identity)

    @property
    def host(self) -> str:
        """What callers name it."""
        return f"{HOST}:{self.port}"


def with_tool(api: str) -> dict[str, Any]:
    """The member that offers a tool."""
    return {"tools": [_TOOLS[api]]}


def thinking(api: str) -> dict[str, Any]:
    """The members that ask for reasoning to be shown."""
    config = {"maxOutputTokens": 3000, "thinkingConfig": {"includeThoughts": True}}
    asked: dict[str, dict[str, Any]] = {
        "chat": {"reasoning_effort": "low"},
        "responses": {"reasoning": {"effort": "low", "summary": "auto"}},
        "messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 3000},
        "generate_content": {"generationConfig": config},
    }
    return asked[api]


def _route(dialect: Dialect, keys: int, settings: dict[str, Any]) -> LabRoute:
    # None of the faults that it is told to have may keep it from being asked for the next one.
    own = {"breaker": False, **settings, **({"api": _TASKS} if dialect == "openai" else {})}
    return LabRoute(dialect=dialect, keys=keys, cost=_COST, settings=own)


@contextmanager
def open_gate(folder: Path, *, keys: int = 1, **settings: Any) -> Iterator[Gate]:
    """A gate on SQLite in `folder`; every upstream has so many keys, and `settings` are further keys of its table."""
    scenarios = [Scenario(name=each, about="", upstreams={"up": _route(each, keys, settings)}) for each in DIALECTS]
    with (
        open_house(folder, scenarios) as house,
        house.serving() as (port, child),
        httpx.Client(trust_env=False, timeout=60) as http,
    ):
        upstreams = {each.name: house.upstreams_of(each)["up"] for each in scenarios}
        yield Gate(house, child, port, house.customer(), http, upstreams)


__all__ = ["APIS", "DIALECTS", "Gate", "open_gate", "thinking", "with_tool"]
