"""What tells a conversation from others stays the same from turn to turn, and costs little whatever is sent."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.flows.call.conversations import conversation_of
from reseller_kit.flows.call.job import Caller
from reseller_kit.wire import anthropic_messages, gemini, openai_chat, openai_responses
from reseller_kit.wire.codec import Call
from reseller_kit.wire.conversation_name import conversation_name as named_conversation
from reseller_kit.wire.conversation_name import session_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "requests"
SYSTEM = {"role": "system", "content": "You are kind."}
HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello"}


def conversation_name(call: Call, session: str) -> str:
    name = named_conversation(call, session)
    assert name.named is not name.text.startswith("head:")
    return name.text


def chat(*messages: Any, **fields: Any) -> Call:
    return openai_chat.decode(json.dumps({"model": "m", "messages": messages, **fields}).encode())


def responses(given: Any, **fields: Any) -> Call:
    return openai_responses.decode(json.dumps({"model": "m", "input": given, **fields}).encode())


def test_each_turn_has_the_name_of_the_first() -> None:
    first = conversation_name(chat(SYSTEM, HI), "")
    assert first == conversation_name(chat(SYSTEM, HI, HELLO, {"role": "user", "content": "More"}), "")
    assert first != conversation_name(chat(SYSTEM, {"role": "user", "content": "Ho"}), "")
    assert first != conversation_name(chat(HI), "")


def test_a_first_turn_that_no_provider_caches_is_told_from_what_goes_on() -> None:
    def cached(call: Call, session: str = "") -> bool:
        who: Any = SimpleNamespace(
            storefront=SimpleNamespace(tenant_id=1), account=SimpleNamespace(customer_id="a"), session=session
        )
        return conversation_of(who, call).shared is not None

    assert not cached(chat(SYSTEM, HI))
    assert not cached(responses("Hi"))
    assert cached(chat(SYSTEM, HI, HELLO, HI))
    assert cached(chat({"role": "system", "content": "x" * 5_000}, HI))
    assert cached(chat(HI), "session")
    assert cached(chat(HI, prompt_cache_key="k"))


def test_a_text_and_its_parts_are_one_conversation() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    assert conversation_name(responses("Hi"), "") == conversation_name(responses([item, answer, item]), "")
    assert conversation_name(responses("Hi", instructions="Be kind."), "") != conversation_name(responses("Hi"), "")
    parts = [{"type": "text", "text": "Hi"}]
    assert conversation_name(chat({"role": "user", "content": parts}), "") == conversation_name(chat(HI), "")


def test_other_apis_are_named_by_their_own_members() -> None:
    body = {"model": "m", "max_tokens": 9, "system": "Be kind.", "messages": [HI, HELLO, HI]}
    messages = anthropic_messages.decode(json.dumps(body).encode(), [])
    assert conversation_name(messages, "") == 'head:"Be kind."Hi'
    user = anthropic_messages.decode(json.dumps({**body, "metadata": {"user_id": "u1"}}).encode(), [])
    assert conversation_name(user, "") == "user:u1"
    contents = [{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Hello"}]}]
    generate = gemini.decode(json.dumps({"contents": contents}).encode(), model="m", stream=False)
    assert conversation_name(generate, "") == "head:Hi"


def test_what_the_client_says_goes_before_what_it_asks() -> None:
    assert conversation_name(chat(HI, prompt_cache_key="k"), "s") == "key:k"
    assert conversation_name(chat(HI), "s") == "session:s"
    assert conversation_name(chat(HI, metadata={"user_id": "u"}), "s") == "session:s"


@pytest.mark.parametrize("name", ["claude-code-tool", "codex-echo"])
def test_real_agents_name_their_session(name: str) -> None:
    recorded = json.loads((FIXTURES / f"{name}.json").read_text())
    headers = {key.encode(): str(value).encode() for key, value in recorded["headers"].items()}
    assert session_of(headers) == "00000001-0000-7000-8000-000000000001"


WORDS = st.text(st.one_of(st.sampled_from('"\\\n,]} aé😀'), st.characters(codec="utf-8")), max_size=1_200)


@given(
    asked=WORDS,
    rules=st.none() | WORDS,
    role=st.sampled_from(["system", "developer", "assistant"]),
    goes_on=st.booleans(),
)
def test_a_short_beginning_is_read_in_one_step_as_it_is_read_in_several(
    *, asked: str, rules: str | None, role: str, goes_on: bool
) -> None:
    """What is wrapped into parts is never read in one step."""
    first = [] if rules is None else [{"role": role, "content": rules}]
    more = [HELLO, HI] if goes_on else []
    short = named_conversation(chat(*first, {"role": "user", "content": asked}, *more), "")
    parts = [{"type": "text", "text": asked}]
    assert short == named_conversation(chat(*first, {"role": "user", "content": parts}, *more), "")
    assert (short.text, short.goes_on) == ("head:" + (rules or "") + asked, goes_on)


@given(st.text(max_size=9_000), st.sampled_from(["system", "user", "assistant"]))
def test_any_prompt_has_a_short_name(text: str, role: str) -> None:
    name = conversation_name(chat({"role": role, "content": text}, HI), "")
    assert name == conversation_name(chat({"role": role, "content": text}, HI), "")
    assert len(name) <= 5_200


@pytest.mark.parametrize(
    "fields", [{"prompt_cache_key": 7}, {"metadata": [1]}, {"metadata": {"user_id": {}}}, {"metadata": None}]
)
def test_members_of_another_kind_name_nothing(fields: dict[str, Any]) -> None:
    call = SimpleNamespace(api="chat", fields={**chat(HI).fields, **chat_raw(fields)})
    assert conversation_name(cast("Call", call), "") == "head:Hi"


def chat_raw(fields: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}


def test_no_two_customers_share_a_conversation() -> None:
    def caller(tenant: int, customer: str) -> Caller:
        made = SimpleNamespace(
            storefront=SimpleNamespace(tenant_id=tenant), account=SimpleNamespace(customer_id=customer), session="s"
        )
        return cast("Caller", made)

    seen = {conversation_of(caller(*who), chat(HI)) for who in [(1, "a"), (1, "b"), (2, "a")]}
    seen.add(
        conversation_of(
            caller(1, "a"), openai_chat.decode(b'{"model":"n","messages":[{"role":"user","content":"Hi"}]}')
        )
    )
    assert len(seen) == 4
    assert all(each.shared is not None and 0 <= each.shared < 2**64 and each.named for each in seen)
    assert len({each.own for each in seen}) == 4
    assert conversation_of(caller(1, "a"), chat(HI)) in seen
