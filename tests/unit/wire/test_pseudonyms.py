"""What callers say about themselves reaches the upstream as a digest of their customer's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.wire import anthropic_messages, openai_chat, openai_responses
from reseller_kit.wire.codec import Call
from reseller_kit.wire.pseudonyms import apart, body_apart, body_named, named, says_who


def chat(**members: Any) -> Call:
    return openai_chat.decode(
        json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]} | members).encode()
    )


def responses(**members: Any) -> Call:
    return openai_responses.decode(json.dumps({"model": "m", "input": "x"} | members).encode())


def messages(**members: Any) -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    return anthropic_messages.decode(json.dumps(body | members).encode(), ())


@pytest.mark.parametrize("make", [chat, responses])
@pytest.mark.parametrize("name", ["prompt_cache_key", "safety_identifier", "user"])
def test_one_customer_s_value_is_never_another_s(make: Any, name: str) -> None:
    call = make(**{name: "value"})
    digests = [json.loads(bytes(apart(call, customer).fields[name])) for customer in ("one", "two", "one")]
    assert digests[0] == digests[2] != digests[1]
    assert all(len(digest) <= 64 and "value" not in digest for digest in digests)
    assert json.loads(bytes(call.fields[name])) == "value"


def test_who_an_anthropic_caller_serves_stays_here() -> None:
    call = messages(metadata={"user_id": "ada@example.com", "other": 1})
    sent = [json.loads(bytes(apart(call, customer).fields["metadata"])) for customer in ("one", "two", "one")]
    assert sent[0] == sent[2]
    assert sent[0]["user_id"] != sent[1]["user_id"]
    assert "ada" not in sent[0]["user_id"]
    assert sent[0]["other"] == 1


@pytest.mark.parametrize(
    "call", [chat(), chat(user=None), chat(metadata={"user_id": "x"}), messages(metadata={"a": "b"})]
)
def test_a_call_that_says_nothing_stays_as_it_is(call: Call) -> None:
    assert apart(call, "one").fields == call.fields


def test_what_is_empty_stays_empty() -> None:
    assert json.loads(bytes(apart(chat(prompt_cache_key=""), "one").fields["prompt_cache_key"])) == ""


@pytest.mark.parametrize(
    ("call", "param"),
    [(chat(user=5), "user"), (chat(prompt_cache_key=["k"]), "prompt_cache_key")],
)
def test_what_is_no_string_is_refused_by_name(call: Call, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        apart(call, "one")
    assert refused.value.param == param


def test_whom_a_task_is_for_stays_here() -> None:
    body = b'{"model":"m","input":"x","user":"ada"}'
    sent = [json.loads(body_apart(body, customer))["user"] for customer in ("one", "two", "one")]
    assert sent[0] == sent[2] != sent[1]
    assert "ada" not in sent
    for same in (b'{"input":"\\"user\\""}', b'{"input":["user"]}', b'{"user":null}', b'{"user":""}'):
        assert body_apart(same, "one") == same
    with pytest.raises(InvalidRequest):
        body_apart(b'{"user":5}', "one")


def sent(call: Call, provider: str = "openai") -> dict[str, Any]:
    call = named(apart(call, "eu_1"), "eu_1", provider)
    return {name: json.loads(bytes(value)) for name, value in call.fields.items()}


def test_who_names_a_user_is_found_by_the_beginning() -> None:
    for call in (chat(user="ada"), chat(safety_identifier="ada"), responses(user="ada")):
        member = "user" if "user" in call.fields else "safety_identifier"
        own = sent(call)[member]
        assert own.startswith("eu_1-")
        assert len(own) == len("eu_1-") + 16
        assert {"user", "safety_identifier"} & sent(call).keys() == {member}
    assert sent(messages(metadata={"user_id": "ada"}))["metadata"]["user_id"].startswith("eu_1-")


def test_who_names_nobody_is_named_in_the_member_that_the_upstream_knows() -> None:
    assert sent(chat())["safety_identifier"] == "eu_1"
    assert sent(chat(user=None), "acme")["user"] == "eu_1"
    assert "safety_identifier" not in sent(responses(), "acme")
    assert sent(messages())["metadata"] == {"user_id": "eu_1"}
    assert sent(messages(metadata={"a": 1}))["metadata"] == {"a": 1, "user_id": "eu_1"}
    assert json.loads(body_named(b'{"model":"m","user":null}', "eu_1"))["user"] == "eu_1"
    assert body_named(b'{"user":"eu_1-0"}', "eu_1") == b'{"user":"eu_1-0"}'


def test_only_calls_that_may_say_who_are_looked_at() -> None:
    assert not says_who(chat())
    assert says_who(chat(prompt_cache_key="k"))
    assert not says_who(messages())
    assert says_who(messages(metadata={"a": 1}))
