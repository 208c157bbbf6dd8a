"""An upstream that asks for it hears a pseudonym of each customer, and the operator finds whom it means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.gate import APIS, DIALECTS, Gate, open_gate


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with open_gate(tmp_path_factory.mktemp("end-users"), end_user_ids=True) as opened:
        yield opened


def heard(gate: Gate, dialect: str) -> str | None:
    """What the upstream heard of its caller in its last request."""
    body: dict[str, Any] = gate.upstreams[dialect].journal.attempts()[-1].request
    found = body.get("safety_identifier") or body.get("user") or (body.get("metadata") or {}).get("user_id")
    assert found is None or isinstance(found, str)
    return found


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_call_tells_whose_it_is_and_nothing_else(gate: Gate, dialect: str, api: str) -> None:
    assert gate.ask(api, dialect).status_code == 200
    name = heard(gate, dialect)
    if dialect == "gemini":
        assert name is None
        return
    assert name is not None
    found = gate.house.cli.ask("upstream", "whois", name)
    assert found["email"] == gate.customer.email
    assert (found["tenant"], found["customer"]) == ("lab", gate.customer.id)
    sent = str(gate.upstreams[dialect].journal.lines())
    assert gate.customer.id not in sent
    assert gate.customer.email not in sent


def test_a_user_whom_the_caller_names_leads_to_the_customer(gate: Gate) -> None:
    for api, members in (("chat", {"user": "ada"}), ("messages", {"metadata": {"user_id": "ada"}})):
        for dialect in ("openai", "anthropic"):
            assert gate.ask(api, dialect, **members).status_code == 200
            name = heard(gate, dialect)
            assert name is not None
            assert "ada" not in name
            assert name.count("-") == 1
            assert gate.house.cli.ask("upstream", "whois", name)["email"] == gate.customer.email


def test_two_customers_are_two_names(gate: Gate) -> None:
    assert gate.ask("chat").status_code == 200
    first, own = heard(gate, "openai"), gate.customer
    gate.customer = gate.house.customer()
    assert gate.ask("chat").status_code == 200
    second, gate.customer = heard(gate, "openai"), own
    assert first != second
    assert first is not None
    assert first.startswith("eu_")


def test_tasks_tell_it_where_they_have_a_member_for_it(gate: Gate) -> None:
    gate.upstreams["openai"].will()
    assert gate.post("/v1/embeddings", {"model": "openai", "input": "a word"}).status_code == 200
    assert (heard(gate, "openai") or "").startswith("eu_")
    assert gate.post("/v1/moderations", {"model": "openai", "input": "a word"}).status_code == 200
    assert heard(gate, "openai") is None
