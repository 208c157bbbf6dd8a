"""A tenants.toml that states no cost at all: it applies, and a call is charged at the catalogue's price."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import httpx
import pytest

from tests.support.databases import Databases, url_for_processes
from tests.support.server import emulator, make_installation

TEXT = """\
schema = 1
[platform]
name = "Northwind Platform"
[upstreams.one]
dialect = "openai"
provider = "openai"
base_url = "{base_url}"
api_keys = ["env:CATALOGUE_KEY"]
[wholesale]
markup = "10%"
[models."gpt-4.1"]
routes = [{{ upstream = "one", model = "gpt-4.1-2025-04-14" }}]
[[tenants]]
slug = "aurora"
name = "Aurora"
  [[tenants.domains]]
  host = "127.0.0.1"
  [tenants.pricing]
  markup = "50%"
"""
# Published: USD per million tokens.
INPUT, CACHED, OUTPUT = Fraction(2), Fraction(1, 2), Fraction(8)


def owed(record: dict[str, int], factor: Fraction) -> Fraction:
    prices = (INPUT, CACHED, OUTPUT)
    tokens = (record["input_tokens"], record["cached_input_tokens"], record["output_tokens"])
    pico = sum(count * price * factor for count, price in zip(tokens, prices, strict=True))
    return Fraction(-(-pico * 1000 // 1), 10**9)


def test_a_call_is_charged_at_the_catalogues_price(tmp_path: Path, backend: str, databases: Databases) -> None:
    with url_for_processes(backend, databases) as url, emulator(tmp_path) as upstream:
        product = make_installation(tmp_path, url, CATALOGUE_KEY="secret-of-the-upstream")
        if url is not None:
            product.ask("db", "upgrade")
        file = tmp_path / "tenants.toml"
        file.write_text(TEXT.format(base_url=upstream.base_url))
        plan = product.ask("plan", "-f", str(file))
        assert [(cost["origin"], cost["model"]) for cost in plan["costs"]] == [("catalogue", "gpt-4.1")]
        limits = next(change["fields"] for change in plan["changes"] if change["kind"] == "model")
        assert (limits["context"]["new"], limits["max_output"]["new"]) == (1_047_576, 32_768)
        product.ask("apply", "-f", str(file), "--yes")
        product.ask("wholesale", "deposit", "--tenant", "aurora", "--amount", "10.00", "--reason", "test")
        owner = ("--tenant", "aurora", "--customer", "ada@aurora.example")
        product.ask("customer", "create", "--tenant", "aurora", "--email", "ada@aurora.example")
        product.ask("credit", "grant", *owner, "--amount", "5.00", "--reason", "test")
        key = product.ask("key", "create", *owner)["key"]
        with product.serving("127.0.0.1") as server:
            answer = httpx.post(
                server.url("/v1/chat/completions"),
                headers={"authorization": f"Bearer {key}"},
                json={"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello, what do you cost?"}]},
                trust_env=False,
                timeout=30,
            )
        assert answer.status_code == 200, answer.text
        (record,) = product.ask("usage", "list", "--tenant", "aurora")["records"]
        assert record["output_tokens"] > 0
        assert Fraction(record["cost"]) == owed(record, Fraction(1))
        assert Fraction(record["wholesale"]) == owed(record, Fraction(11, 10))
        assert Fraction(record["retail"]) == owed(record, Fraction(33, 20))
        assert product.ask("ledger", "audit")["ok"]
        origins = {version["origin"] for version in _costs(product.ask("price", "history", "--tenant", "aurora"))}
        assert len(origins) == 1
        assert origins.pop().startswith("catalogue 20")


def _costs(document: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    return [version for version in document["prices"] if version["level"] == "cost"]


@pytest.mark.parametrize("command", [("catalogue", "list"), ("catalogue", "show", "openai", "gpt-4.1")])
def test_the_catalogue_needs_no_installation(tmp_path: Path, command: tuple[str, ...]) -> None:
    product = make_installation(tmp_path)
    assert product.ask(*command)["catalogue"].startswith("20")
    assert not (tmp_path / "data").exists()
