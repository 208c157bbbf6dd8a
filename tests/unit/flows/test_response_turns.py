"""What a request of Responses goes on from and leaves, and what of a caller's words an upstream gets."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import Raw

from reseller_kit.core.errors import InvalidRequest, NotFound, PreviousNotFound
from reseller_kit.flows import responses
from reseller_kit.flows.call.attempt import Attempts
from reseller_kit.flows.kept_responses import Owner
from reseller_kit.web.gateway.stream import StreamSink
from reseller_kit.wire import openai_chat, openai_responses
from reseller_kit.wire.openai_responses.kept import KeptResponse
from tests.support.routing import make_job, make_runtime, offer, route

_PART = "01JDABCDEFGHJKMNPQRSTVWXY"
_OWNER = Owner(1, "cus_1")


def kept(number: int, text: str) -> KeptResponse:
    part = f"{_PART}{number}"
    output = [{"id": f"msg_{part}001", "type": "message", "role": "assistant", "content": text}]
    body = {"id": f"resp_{part}", "output": output}
    return KeptResponse([Raw(b'{"role":"user","content":"asked"}')], Raw(json.dumps(body).encode()))


class Shelf:
    """A store that holds two responses of one customer, the second going on from the first."""

    def __init__(self) -> None:
        self.chain = [kept(1, "first"), kept(2, "second")]
        self.put_here: list[tuple[Any, ...]] = []

    async def conversation(self, owner: Owner, response_id: str) -> list[KeptResponse] | None:
        ids = [f"resp_{_PART}{number}" for number in (1, 2)]
        return self.chain[: ids.index(response_id) + 1] if owner == _OWNER and response_id in ids else None

    async def find(self, owner: Owner, *response_ids: str) -> dict[str, KeptResponse]:
        chains = {each: await self.conversation(owner, each) for each in response_ids}
        return {each: chain[-1] for each, chain in chains.items() if chain}

    async def remove(self, owner: Owner, response_id: str) -> bool:
        return bool(await self.find(owner, response_id))

    def put(self, *arguments: Any) -> None:
        self.put_here.append(arguments)


@pytest.fixture
def runtime() -> Any:
    return SimpleNamespace(responses=Shelf())


def account(customer: str = "cus_1") -> Any:
    return SimpleNamespace(tenant_id=1, customer_id=customer)


async def begin(runtime: Any, *, days: int = 30, customer: str = "cus_1", **members: Any) -> responses.Turn:
    call = openai_responses.decode(json.dumps({"model": "m", "input": "now", **members}).encode())
    storefront = SimpleNamespace(responses_days=days, name="Aurora")
    return await responses.begin(
        runtime, cast("Any", SimpleNamespace(storefront=storefront, account=account(customer))), call
    )


def input_of(turn: responses.Turn) -> str:
    return bytes(turn.call.fields["input"]).decode()


async def test_a_request_goes_on_from_what_was_said(runtime: Any) -> None:
    turn = await begin(runtime, previous_response_id=f"resp_{_PART}2")
    assert [word in input_of(turn) for word in ("first", "second", "now")] == [True] * 3
    assert "first" not in bytes(turn.own.fields["input"]).decode()
    turn.end(runtime, b'{"id":"resp_3","output":[]}')
    ((owner, response_id, previous_id, found, days),) = runtime.responses.put_here
    assert (owner, response_id, previous_id, days) == (_OWNER, "resp_3", f"resp_{_PART}2", 30)
    assert [json.loads(bytes(item))["content"] for item in found.input] == ["now"]


async def test_named_items_come_from_the_conversation_and_from_elsewhere(runtime: Any) -> None:
    named = [{"type": "item_reference", "id": f"msg_{_PART}{number}001"} for number in (1, 2)]
    for previous in (None, f"resp_{_PART}1"):
        turn = await begin(runtime, input=named, previous_response_id=previous)
        assert "second" in bytes(turn.own.fields["input"]).decode()
        assert input_of(turn).count("first") == (2 if previous else 1)


@pytest.mark.parametrize("response_id", ["resp_1", f"resp_{_PART}9", f"req_{_PART}1", "x" * 10_000])
async def test_what_is_not_there_can_t_be_gone_on_from(runtime: Any, response_id: str) -> None:
    with pytest.raises(PreviousNotFound) as refused:
        await begin(runtime, previous_response_id=response_id)
    assert (refused.value.param, len(refused.value.message) < 200) == ("previous_response_id", True)


async def test_what_is_another_s_is_not_there(runtime: Any) -> None:
    response_id = f"resp_{_PART}1"
    with pytest.raises(PreviousNotFound):
        await begin(runtime, customer="cus_2", previous_response_id=response_id)
    with pytest.raises(InvalidRequest):
        await begin(runtime, customer="cus_2", input=[{"type": "item_reference", "id": f"msg_{_PART}1001"}])
    for act in (responses.find, responses.input_of, responses.remove):
        await act(runtime, account(), response_id)
        for who, what in ((account("cus_2"), response_id), (account(), f"resp_{_PART}9"), (account(), "")):
            with pytest.raises(NotFound):
                await act(runtime, who, what)


async def test_too_many_names_are_refused(runtime: Any) -> None:
    named = [{"type": "item_reference", "id": f"msg_{number}"} for number in range(101)]
    with pytest.raises(InvalidRequest, match="At most 100"):
        await begin(runtime, input=named)


@pytest.mark.parametrize(
    ("members", "days", "response", "keeps"),
    [
        ({}, 30, b'{"id":"resp_3","output":[]}', True),
        ({"store": True}, 1, b'{"id":"resp_3","output":[]}', True),
        ({"store": False}, 30, b'{"id":"resp_3","output":[]}', False),
        ({}, 0, b'{"id":"resp_3","output":[]}', False),
        ({}, 30, None, False),
        ({"instructions": "x" * responses.MOST_KEPT_BYTES}, 30, b'{"id":"resp_3","output":[]}', False),
    ],
)
async def test_only_what_may_be_kept_is(
    runtime: Any, members: dict[str, Any], days: int, response: bytes | None, *, keeps: bool
) -> None:
    turn = await begin(runtime, days=days, **members)
    turn.end(runtime, response)
    assert len(runtime.responses.put_here) == keeps
    assert ("store" in turn.call.shown) == (response is not None and not keeps)


async def test_a_storefront_that_keeps_nothing_says_so(runtime: Any) -> None:
    named = [{"type": "item_reference", "id": f"msg_{_PART}1001"}]
    for members, param in (
        ({"previous_response_id": f"resp_{_PART}1"}, "previous_response_id"),
        ({"input": named}, "input"),
        ({"store": True}, "store"),
    ):
        with pytest.raises(InvalidRequest, match="Aurora does not keep responses") as refused:
            await begin(runtime, days=0, **members)
        assert refused.value.param == param


async def test_a_stream_is_kept_before_its_last_byte_is_out() -> None:
    told: list[str] = []

    async def send(message: Any) -> None:
        told.append("sent" if message.get("more_body") else "last")

    async def receive() -> Any:
        await asyncio.Event().wait()

    sink = StreamSink(receive, send, lambda _job: [])
    sink.on_end = lambda end: told.append(end.decode())
    await sink.send(b"a")
    await sink.send(b"end", last=True)
    sink.close()
    assert told == ["sent", "end", "last"]


async def test_an_upstream_hears_nothing_of_a_caller_s_own_words() -> None:
    bodies: list[dict[str, Any]] = []

    async def open_(_path: str, body: bytes, **_options: Any) -> Any:
        bodies.append(json.loads(body))
        return SimpleNamespace(status=200, refusal=None, ticket=None)

    runtime = make_runtime({"up": SimpleNamespace(open=open_, usable=lambda: True)})
    said = b'"user":"ada","prompt_cache_key":"k"'
    call = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"x"}],%b}' % said)
    for asked in (call, openai_responses.decode(b'{"model":"m","input":"x",%b}' % said)):
        reached = await Attempts(runtime, make_job(offer("m", route("up"))), asked).next()
        assert reached is not None
        assert bytes(reached.call.fields["user"]) == b'"ada"'
    assert bodies[0]["user"] == bodies[1]["user"] != "ada"
    assert bodies[0]["prompt_cache_key"] not in ("k", bodies[0]["user"])
