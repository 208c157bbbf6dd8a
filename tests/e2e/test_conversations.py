"""Conversations that go on by the id of a response, with the official client, whatever API the upstream speaks."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.support.product import Customer, Shop, eventually, open_shop

_TEMPLATE: Final = Path(__file__).parents[1] / "support" / "dialects.toml"
_MORE_TENANTS: Final = """
[[tenants]]
slug = "lunaris"
name = "Lunaris"
theme = "midnight"
owners = ["founder@lunaris.example"]
  [[tenants.domains]]
  host = "127.0.0.3"
  role = "storefront"
  primary = true

[[tenants]]
slug = "forgetful"
name = "Forgetful"
theme = "midnight"
owners = ["founder@forgetful.example"]
  [[tenants.domains]]
  host = "forgetful.localhost"
  role = "storefront"
  primary = true
  [tenants.retention]
  responses_days = 0
"""
_UPSTREAMS: Final = ("via-chat", "via-responses", "via-messages", "via-gemini")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Storefronts of which one keeps nothing."""
    folder = tmp_path_factory.mktemp("state")
    template = folder / "template.toml"
    template.write_text(_TEMPLATE.read_text() + _MORE_TENANTS)
    with open_shop(folder, template=template) as shop:
        yield shop


@pytest.fixture(scope="module")
def customer(state: Shop) -> Customer:
    """A customer with credit."""
    return state.customer(credit="50.00")


def sent(shop: Shop, response: Any) -> dict[str, Any]:
    """What the upstream was asked for a response."""
    (line,) = [line for line in shop.journal("req_" + response.id.partition("_")[2]) if line["status"] == 200]
    body: dict[str, Any] = json.loads(line["body"])
    return body


def stored(response: Any) -> object:
    """Whether a response says that it is kept."""
    return response.store


@pytest.mark.parametrize("model", _UPSTREAMS)
def test_a_conversation_goes_on_by_its_id(state: Shop, customer: Customer, model: str) -> None:
    sdk = state.sdk(customer)
    first = sdk.responses.create(model=model, input='My name is Ada. [[text="Good morning Ada"]]')
    assert stored(first) is True
    second = sdk.responses.create(model=model, input="And my name?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    third = sdk.responses.create(
        model=model, input=[{"role": "user", "content": "Once more?"}], previous_response_id=second.id
    )
    text = json.dumps(sent(state, third))
    places = [text.index(words) for words in ("My name is Ada", "Good morning Ada", "And my name?", "Once more?")]
    assert places == sorted(places)
    assert "previous_response_id" not in text
    assert third.usage is not None
    assert second.usage is not None
    assert third.usage.input_tokens > second.usage.input_tokens


@pytest.mark.parametrize("model", _UPSTREAMS)
def test_a_stream_can_be_gone_on_from_at_once(state: Shop, customer: Customer, model: str) -> None:
    sdk = state.sdk(customer)
    with sdk.responses.stream(model=model, input='Remember 42. [[text="I shall keep it"]]') as stream:
        first = stream.get_final_response()
    with sdk.responses.stream(model=model, input="Which?", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    assert (second.previous_response_id, stored(second)) == (first.id, True)
    text = json.dumps(sent(state, second))
    assert "Remember 42." in text
    assert "I shall keep it" in text
    assert sdk.responses.retrieve(second.id).output_text == second.output_text


@pytest.mark.parametrize("model", ["via-chat", "via-responses"])
def test_tools_are_answered_by_id(state: Shop, customer: Customer, model: str) -> None:
    sdk = state.sdk(customer)
    schema = {"type": "object", "properties": {}}
    tool: Any = {"type": "function", "name": "weather", "parameters": schema, "strict": False}
    first = sdk.responses.create(model=model, input="[[tool arguments='{}']]", tools=[tool])
    (called,) = [item for item in first.output if item.type == "function_call"]
    result: Any = {"type": "function_call_output", "call_id": called.call_id, "output": "Rain in Ulm"}
    second = sdk.responses.create(model=model, input=[result], tools=[tool], previous_response_id=first.id)
    asked = json.dumps(sent(state, second))
    assert asked.index('"weather"') < asked.index("Rain in Ulm")


def test_items_are_named_by_their_ids(state: Shop, customer: Customer) -> None:
    sdk = state.sdk(customer)
    first = sdk.responses.create(model="via-chat", input='Hello there. [[text="General remark"]]')
    named: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Go on"}]
    second = sdk.responses.create(model="via-chat", input=named)
    texts = [message["content"] for message in sent(state, second)["messages"]]
    assert json.dumps(texts).count("General remark") == 1
    unknown: Any = [{"type": "item_reference", "id": f"{first.output[0].id}9"}]
    with pytest.raises(openai.BadRequestError):
        sdk.responses.create(model="via-chat", input=unknown)


def test_a_kept_response_is_read_listed_and_deleted(state: Shop, customer: Customer) -> None:
    sdk = state.sdk(customer)
    first = sdk.responses.create(model="via-responses", input="Number one", metadata={"a": "b"})
    second = sdk.responses.create(model="via-responses", input="Number two", previous_response_id=first.id)
    assert sdk.responses.retrieve(first.id).to_dict() == first.to_dict()
    listed = sdk.responses.input_items.list(second.id, order="asc")
    assert [item.to_dict()["type"] for item in listed.data] == ["message"] * 3
    assert "Number one" in json.dumps(listed.data[0].to_dict())
    newest = sdk.responses.input_items.list(second.id, limit=1)
    assert "Number two" in json.dumps(newest.data[0].to_dict())
    assert newest.has_more
    following = sdk.responses.input_items.list(second.id, limit=1, after=newest.last_id)  # type: ignore[attr-defined]
    assert following.data[0].id == first.output[0].id
    sdk.responses.delete(first.id)
    for gone in (sdk.responses.retrieve, sdk.responses.delete):
        with pytest.raises(openai.NotFoundError):
            gone(first.id)
    with pytest.raises(openai.BadRequestError):
        sdk.responses.create(model="via-responses", input="x", previous_response_id=second.id)
    assert sdk.responses.retrieve(second.id).id == second.id


def test_what_is_not_the_caller_s_does_not_exist(state: Shop, customer: Customer) -> None:
    sdk = state.sdk(customer)
    kept = sdk.responses.create(model="via-chat", input="Mine alone")
    unkept = sdk.responses.create(model="via-chat", input="x", store=False)
    assert stored(unkept) is False
    callers = [state.sdk(state.customer()), state.sdk(state.customer("lunaris"))]
    never = "resp_01JDABCDEFGHJKMNPQRSTVWXYZ"
    asked = [(sdk, unkept.id), (sdk, never), (sdk, "resp_x' OR 1=1"), *((caller, kept.id) for caller in callers)]
    refusals = set()
    for caller, response_id in asked:
        with pytest.raises(openai.BadRequestError) as refused:
            caller.responses.create(model="via-chat", input="x", previous_response_id=response_id)
        fault: Any = refused.value.body
        refusals.add((fault["code"], fault["param"], fault["message"].replace(response_id, "ID")))
        for act in (caller.responses.retrieve, caller.responses.delete, caller.responses.input_items.list):
            if "'" not in response_id:
                with pytest.raises(openai.NotFoundError):
                    act(response_id)
        named: Any = [{"type": "item_reference", "id": kept.output[0].id}]
        if caller is not sdk:
            with pytest.raises(openai.BadRequestError):
                caller.responses.create(model="via-chat", input=named)
    assert len(refusals) == 1, refusals
    assert {code for code, _, _ in refusals} == {"previous_response_not_found"}
    assert sdk.responses.retrieve(kept.id).id == kept.id


def test_what_is_refused_is_not_charged(state: Shop) -> None:
    customer = state.customer(credit="1.00")
    with pytest.raises(openai.BadRequestError):
        state.sdk(customer).responses.create(
            model="via-chat", input="x", previous_response_id="resp_01JDABCDEFGHJKMNPQRSTVWXYZ"
        )
    assert state.records(customer) == []


def test_a_storefront_may_keep_nothing(state: Shop) -> None:
    sdk = state.sdk(state.customer("forgetful"))
    answer = sdk.responses.create(model="via-chat", input="Hello")
    assert stored(answer) is False
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(answer.id)
    named: Any = [{"type": "item_reference", "id": answer.output[0].id}]
    asked: tuple[dict[str, Any], ...] = (
        {"previous_response_id": answer.id},
        {"store": True},
        {"input": named},
    )
    for members in asked:
        with pytest.raises(openai.BadRequestError, match="does not keep responses"):
            sdk.responses.create(**{"model": "via-chat", "input": "x", **members})


def test_a_cut_stream_leaves_nothing(state: Shop, customer: Customer) -> None:
    sdk = state.sdk(customer)
    events = list(sdk.responses.create(model="via-chat", input="[[output=40 cut=9]]", stream=True))
    (failed,) = [event for event in events if event.type == "response.failed"]
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(failed.response.id)


def test_too_large_a_request_is_answered_and_not_kept(state: Shop, customer: Customer) -> None:
    answer = state.sdk(customer).responses.create(
        model="via-chat", input="Short", instructions="a " * (2 * 1024 * 1024 + 10), max_output_tokens=100
    )
    assert stored(answer) is False


@pytest.mark.parametrize("model", ["via-chat", "via-responses"])
def test_counting_counts_what_came_before(state: Shop, customer: Customer, model: str) -> None:
    sdk = state.sdk(customer)
    first = sdk.responses.create(model=model, input="one two three four five six seven eight nine ten " * 20)
    alone = sdk.responses.input_tokens.count(model=model, input="x").input_tokens
    behind = sdk.responses.input_tokens.count(model=model, input="x", previous_response_id=first.id).input_tokens
    assert alone < 20
    assert behind > alone + 150


def test_nothing_readable_is_kept(state: Shop, customer: Customer) -> None:
    secret = "the otter sleeps at noon"
    answer = state.sdk(customer).responses.create(model="via-chat", input=f'{secret} [[text="{secret} indeed"]]')
    file = Path(state.installation.environment["RESELLER_KIT_DATA_DIR"]) / "reseller_kit.db"

    def row() -> bytes | None:
        with sqlite3.connect(file) as connection:
            found = connection.execute("SELECT sealed FROM stored_response WHERE id = ?", (answer.id,)).fetchone()
        connection.close()
        return None if found is None else found[0]

    sealed = eventually(row)
    assert len(sealed) > 500
    for kept in (sealed, *(path.read_bytes() for path in file.parent.glob("reseller_kit.db*"))):
        assert secret.encode() not in kept


def test_another_process_goes_on(state: Shop, customer: Customer) -> None:
    first = state.sdk(customer).responses.create(model="via-chat", input="From the first")
    with state.beside() as beside:
        port = beside.server.port
        moved = beside.with_key(customer.slug, customer.email, customer.id)
        assert str(port) in moved.origin
        second = beside.sdk(moved).responses.create(model="via-chat", input="x", previous_response_id=first.id)
        assert "From the first" in json.dumps(sent(beside, second))
        started = time.monotonic()
        third = state.sdk(customer).responses.create(model="via-chat", input="y", previous_response_id=second.id)
        assert time.monotonic() - started < 20
        assert "From the first" in json.dumps(sent(state, third))


def test_names_of_users_and_caches_are_no_one_s_at_the_upstream(state: Shop, customer: Customer) -> None:
    other = state.customer()
    seen = []
    for caller in (customer, other, customer):
        answer = state.sdk(caller).responses.create(
            model="via-responses", input="x", prompt_cache_key="shared-key", safety_identifier="ada", user="ada"
        )
        assert (answer.prompt_cache_key, answer.safety_identifier, answer.user) == ("shared-key", "ada", "ada")
        body = sent(state, answer)
        seen.append((body["prompt_cache_key"], body["safety_identifier"], body["user"]))
    assert seen[0] == seen[2]
    assert not set(seen[0]) & set(seen[1])
    assert not {"shared-key", "ada"} & {*seen[0], *seen[1]}


def test_the_books_are_right(state: Shop) -> None:
    state.assert_books_are_right()
