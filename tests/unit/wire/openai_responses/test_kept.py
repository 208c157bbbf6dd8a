"""What is kept of a response, and how its items are found again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Finished, PartEnded, PartGrew, PartStarted
from reseller_kit.wire.openai_responses import CODEC, decode
from reseller_kit.wire.openai_responses.kept import (
    KeptResponse,
    dump,
    history_of,
    kept_of,
    load,
    named_input,
    named_items,
    page,
    response_in,
    response_of_item,
)
from reseller_kit.wire.openai_responses.state import names_store, not_stored, size_of, with_history

_PART = "01JDABCDEFGHJKMNPQRSTVWXYZ"
_REPLY = Reply(model="m", request_id=f"req_{_PART}", maker="openai")


def kept(*given: dict[str, Any], number: int = 1) -> KeptResponse:
    call = decode(json.dumps({"model": "m", "input": list(given) or "Hello"}).encode())
    output = [{"id": f"msg_{_PART}{number:03d}", "type": "message", "role": "assistant", "content": []}]
    return kept_of(call, json.dumps({"id": f"resp_{_PART}", "output": output}).encode())


def plain(items: list[Raw]) -> list[Any]:
    return [json.loads(bytes(item)) for item in items]


def test_a_conversation_is_read_in_its_order() -> None:
    chain = [load(dump(kept())), load(dump(kept({"role": "user", "content": "Again"}, number=2)))]
    texts = [item.get("content") or item["id"] for item in plain(history_of(chain))]
    assert texts == ["Hello", f"msg_{_PART}001", "Again", f"msg_{_PART}002"]


def test_every_item_has_an_id_that_leads_to_its_response() -> None:
    found = kept({"role": "user", "content": "One"}, {"type": "message", "role": "user", "content": "Two", "id": "own"})
    shown = plain(named_input(found))
    content = [{"type": "input_text", "text": "One"}]
    assert shown[0] == {"type": "message", "role": "user", "content": content, "id": f"msg_{_PART}i001"}
    assert shown[1]["id"] == "own"
    items = named_items(found)
    assert set(items) == {f"msg_{_PART}i001", "own", f"msg_{_PART}001"}
    assert plain([items[f"msg_{_PART}i001"]]) == [{"role": "user", "content": "One"}]
    for item_id in (f"msg_{_PART}i001", f"msg_{_PART}001", f"rs_{_PART}1024"):
        assert response_of_item(item_id) == f"resp_{_PART}"
    for other in ("own", "", f"msg_{_PART}", f"resp_{_PART}x001", f"msg_{_PART.lower()}001"):
        assert response_of_item(other) is None


def test_lists_of_items_come_in_pages() -> None:
    items = [Raw(json.dumps({"id": name}).encode()) for name in "abc"]
    first = json.loads(page(items, after=None, limit=2))
    assert ([item["id"] for item in first["data"]], first["has_more"], first["last_id"]) == (["a", "b"], True, "b")
    second = json.loads(page(items, after="b", limit=2))
    assert ([item["id"] for item in second["data"]], second["has_more"], second["first_id"]) == (["c"], False, "c")
    assert json.loads(page(items, after="c", limit=2))["data"] == []
    with pytest.raises(InvalidRequest):
        page(items, after="d", limit=2)


def test_a_stream_s_end_holds_the_response_if_it_went_well() -> None:
    call = decode(b'{"model":"m","input":"x","stream":true}')
    writer = CODEC.event_writer(call, _REPLY)
    for event in (PartStarted(kind="text"), PartGrew("Hi"), PartEnded(), Finished(finish="stop")):
        writer.write(event)
    found = response_in(writer.finish(Usage(input_tokens=1)))
    assert found is not None
    assert json.loads(bytes(found))["id"] == f"resp_{_PART}"
    assert json.loads(bytes(found))["output"][0]["content"][0]["text"] == "Hi"
    empty = response_in(CODEC.event_writer(call, _REPLY).finish(Usage()))
    assert empty is not None
    assert json.loads(bytes(empty))["status"] == "completed"


def test_a_stream_that_went_wrong_leaves_nothing() -> None:
    call = decode(b'{"model":"m","input":"x","stream":true}')
    assert response_in(CODEC.event_writer(call, _REPLY).fail(UpstreamFailed("cut"))) is None
    for end in (b"", b"data: [DONE]\n\n", b": ping\n\n"):
        assert response_in(end) is None


def test_an_answer_shows_what_its_request_named() -> None:
    call = decode(b'{"model":"m","input":"x","previous_response_id":"resp_1","store":true}')
    whole = not_stored(with_history(call, [Raw(b'{"role":"user","content":"Before"}')]))
    shown = json.loads(CODEC.event_writer(whole, _REPLY).finish(Usage()).rpartition(b"data: ")[2])["response"]
    assert (shown["previous_response_id"], shown["store"]) == ("resp_1", False)
    assert size_of(whole) > size_of(decode(b'{"model":"m","input":"x"}'))


def test_only_a_plain_yes_asks_for_keeping_outright() -> None:
    answers = {True: True, False: False, None: False}
    for store, named in answers.items():
        call = decode(json.dumps({"model": "m", "input": "x", "store": store}).encode())
        assert names_store(call) is named
    assert not names_store(decode(b'{"model":"m","input":"x"}'))
