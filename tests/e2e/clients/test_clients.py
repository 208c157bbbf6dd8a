"""Real clients through the product: they get their answer, and pay exactly what the upstream counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import rows
from tests.support.clients.outcome import Action, Client, Task
from tests.support.product import Customer, Shop, amounts_of, eventually

SENTENCE = "That is the answer to all of it."
TOOL_SAID = "forty-two"
NANO = 10**9
MILLION = 10**6


def task_for(customer: Customer, client: Client, action: Action, folder: Path, model: str = "") -> Task:
    prompt = f'Say it. [[text="{SENTENCE}"]]'
    if action == "tool":
        prompt = f"""Do it. [[tool call={client.tool} arguments='{client.arguments}' text="{SENTENCE}"]]"""
    return Task(action, customer.origin, customer.key, model or rows.MODELS[client.dialect], prompt, folder)


def exact(record: dict[str, Any], classes: dict[str, int], price: Callable[[str], Fraction]) -> Fraction:
    """A charge: the sum over the classes, rounded up once to a billionth of a dollar."""
    total = sum((count * price(name) for name, count in classes.items()), Fraction(0)) / MILLION
    return Fraction(math.ceil(total * NANO), NANO)


def assert_charged_as_journalled(shop: Shop, record: dict[str, Any]) -> None:
    """The record's tokens and its three charges are those of the upstream's journal and of the file's prices."""
    (line,) = shop.journal(record["id"])
    assert line["usage"] == line["true_usage"]
    classes, oracle, model = line["classes"], shop.oracle, record["public_model"]
    counted = {
        "input": record["input_tokens"],
        "cached_input": record["cached_input_tokens"],
        "cache_write": record["cache_write_tokens"],
        "cache_write_1h": record["cache_write_1h_tokens"],
        "output": record["output_tokens"],
    }
    assert {name: count for name, count in counted.items() if count} == classes
    assert record["reasoning_tokens"] == line["reasoning_tokens"]
    charged = amounts_of(record)
    assert charged.retail == exact(record, classes, lambda name: oracle.retail("solaria", model, name, 0))
    assert charged.wholesale == exact(record, classes, lambda name: oracle.wholesale("solaria", model, name, 0))
    assert charged.cost == exact(record, classes, lambda name: oracle.cost(model, name, 0))
    assert charged.retail > charged.wholesale > charged.cost > 0


def shown(client: Client, records: list[dict[str, Any]]) -> tuple[int, int]:
    """Input and output tokens as this client shows them: Anthropic's input is what no cache had to do with."""
    counted = records if client.counts == "sum" else records[-1:]
    cached = ("cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens")
    # The ai package adds Anthropic's classes up, as it does everywhere.
    names = (
        ("input_tokens",) if client.dialect == "anthropic" and not client.sums_classes else ("input_tokens", *cached)
    )
    spent = sum(record[name] for record in counted for name in names)
    return spent, sum(record["output_tokens"] for record in counted)


@pytest.mark.parametrize(("client", "action"), rows.actions())
def test_an_action_is_answered_shown_and_charged_as_the_upstream_counted_it(
    stall: Shop, client: Client, action: Action, tmp_path: Path
) -> None:
    act(stall, client, action, tmp_path, rows.MODELS[client.dialect])


@pytest.mark.parametrize(("client", "action", "behind"), rows.translations())
def test_an_action_is_the_same_where_the_upstream_speaks_another_dialect(
    stall: Shop, client: Client, action: Action, behind: str, tmp_path: Path
) -> None:
    act(stall, client, action, tmp_path, rows.BEHIND[behind])


@pytest.mark.parametrize(("client", "action", "model"), rows.known_names())
def test_what_an_agent_sends_for_a_model_that_it_knows_is_translated_too(
    stall: Shop, client: Client, action: Action, model: str, tmp_path: Path
) -> None:
    act(stall, client, action, tmp_path, model)


def act(shop: Shop, client: Client, action: Action, folder: Path, model: str) -> None:
    """Let a client act on a model: answer, shown tokens and charges are right, and tools' results arrive upstream."""
    customer = shop.customer()
    outcome = client.run(task_for(customer, client, action, folder, model))
    assert (outcome.error, outcome.text) == ("", SENTENCE)
    answers = 2 if action == "tool" else 1
    records = eventually(lambda: settled(shop, customer, answers), "the settling of every answer")
    for record in records:
        assert_charged_as_journalled(shop, record)
    assert (outcome.input, outcome.output) == shown(client, records)
    spent = sum(Fraction(record["retail"]) for record in records)
    assert Fraction(shop.balance(customer)["balance"]) == Fraction("5.00") - spent
    if action == "tool":
        asked, told = (shop.journal(record["id"])[0]["body"] for record in records)
        assert TOOL_SAID not in asked
        assert TOOL_SAID in told


def settled(shop: Shop, customer: Customer, answers: int) -> list[dict[str, Any]] | None:
    records = shop.records(customer)
    assert len(records) <= answers, records
    return records if len(records) == answers and shop.balance(customer)["held"] == "0.00" else None


@pytest.mark.parametrize("client", rows.clients())
def test_a_wrong_key_is_told_and_asks_no_upstream(stall: Shop, client: Client, tmp_path: Path) -> None:
    customer = stall.customer()
    before = refusals(stall, "invalid_api_key")
    key = customer.key[:-1] + ("0" if customer.key[-1] != "0" else "1")
    outcome = client.run(replace(task_for(customer, client, "stream", tmp_path), key=key))
    assert "API key" in outcome.error, outcome
    assert outcome.status in (401, 0)
    assert refusals(stall, "invalid_api_key") == before + client.asks_with_wrong_key
    assert stall.records(customer) == []


@pytest.mark.parametrize("client", rows.clients())
def test_an_empty_wallet_is_told_once_and_where_to_fill_it(stall: Shop, client: Client, tmp_path: Path) -> None:
    customer = stall.customer(credit=None)
    before = refusals(stall, "insufficient_quota")
    outcome = client.run(task_for(customer, client, "stream", tmp_path))
    for said in [client.own_words] if client.own_words else ["Solaria", "/account/billing"]:
        assert said in outcome.error, outcome
    assert outcome.status in (402, 0)
    assert refusals(stall, "insufficient_quota") == before + 1
    assert stall.records(customer) == []
    assert stall.balance(customer)["balance"] == "0.00"


def refusals(shop: Shop, code: str) -> int:
    """How many requests this storefront refused so, by its metrics."""
    text = shop.get("/metrics", "desk.localhost").text
    name = f'reseller_kit_refusals_total{{code="{code}",tenant="solaria"}} '
    return sum(int(float(line.removeprefix(name))) for line in text.splitlines() if line.startswith(name))
