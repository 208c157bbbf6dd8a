"""Answers cut at stop sequences: whole and in pieces, at the same place however the pieces are split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire import openai_chat
from reseller_kit.wire.codec import Reply
from reseller_kit.wire.completion import Completion, Event, Finished, PartEnded, PartGrew, PartKind, PartStarted
from reseller_kit.wire.conversation import Reasoning, Text, ToolCall
from reseller_kit.wire.stops import LONGEST, MOST_SEQUENCES, Cut, check_stops, cut_completion
from reseller_kit.wire.translated import TranslatedTap

_USAGE = Usage(input_tokens=3, output_tokens=9)
_CALL = ToolCall(id="c", name="look", arguments='{"at":"END"}')


class Scripted:
    """An event reader that hands out what it was given, a batch for each feed."""

    def __init__(self, *batches: list[Event]) -> None:
        self._batches = list(batches)
        self.usage: Usage | None = None
        self.opening: Usage | None = None
        self.begun = True
        self.done = False
        self.error: UpstreamFailed | None = None

    def feed(self, _data: bytes) -> list[Event]:
        batch = self._batches.pop(0)
        if not self._batches:
            self.done, self.usage = True, _USAGE
        return batch

    def end(self) -> list[Event]:
        return []


def part(kind: PartKind, *pieces: str) -> list[Event]:
    return [PartStarted(kind=kind), *map(PartGrew, pieces), PartEnded()]


def cut(events: list[Event], *stops: str) -> list[Event]:
    """What comes of the events, each of which arrives by itself."""
    ending = Cut(stops)
    return [kept for event in events for kept in ending.kept([event])]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, PartGrew))


def whole(text: str, *stops: str) -> tuple[str, str | None]:
    found = cut_completion(Completion(parts=(Text(text=text),), finish="length"), stops)
    return "".join(part.text for part in found.parts if isinstance(part, Text)), found.stop_sequence


@pytest.mark.parametrize(
    ("stops", "left", "named"),
    [
        (("END",), "one two ", "END"),
        (("two", "END"), "one ", "two"),
        (("two END", "two"), "one ", "two"),
        (("o END", "two END"), "one ", "two END"),
        (("one",), "", "one"),
        (("never",), "one two END three", None),
        (("",), "one two END three", None),
    ],
)
def test_it_ends_at_the_sequence_that_is_complete_first(stops: tuple[str, ...], left: str, named: str | None) -> None:
    assert whole("one two END three", *stops) == (left, named)


def test_what_comes_behind_is_left_away_and_what_came_before_stays() -> None:
    thought, words, more = Reasoning(text="END"), Text(text="I look. END"), Text(text="more")
    found = cut_completion(
        Completion(parts=(thought, _CALL, words, _CALL, more), finish="tool_calls", usage=_USAGE), ["END"]
    )
    assert found.parts == (thought, _CALL, Text(text="I look. "))
    assert (found.finish, found.stop_sequence, found.usage) == ("stop", "END", _USAGE)


def test_thoughts_refusals_and_calls_are_not_looked_at() -> None:
    plain = Completion(parts=(Reasoning(text="END"), Text(text="END", refusal=True), _CALL), finish="tool_calls")
    assert cut_completion(plain, ["END"]) is plain
    events = [*part("reasoning", "END"), *part("refusal", "END"), *part("tool_call", "END"), Finished(finish="stop")]
    assert cut(events, "END") == events


def test_a_stream_ends_where_the_sequence_begins() -> None:
    events = [*part("text", "one E", "N", "D two"), *part("text", "three"), Finished(finish="length")]
    assert cut(events, "END") == [
        PartStarted(kind="text"),
        PartGrew("one "),
        PartEnded(),
        Finished(finish="stop", stop_sequence="END"),
    ]


def test_what_could_have_been_a_beginning_is_handed_out_at_the_latest_with_the_parts_end() -> None:
    events = [*part("text", "one E", "N"), Finished(finish="stop")]
    ending = Cut(["END"])
    assert [ending.kept([event]) for event in events] == [
        [PartStarted(kind="text")],
        [PartGrew("one ")],
        [],
        [PartGrew("EN"), PartEnded()],
        [Finished(finish="stop")],
    ]


def test_usage_is_that_of_the_whole_answer() -> None:
    reader = Scripted(part("text", "END"), [PartStarted(kind="text")], part("text", "more"))
    call = openai_chat.decode(b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}')
    tap = TranslatedTap(
        reader, openai_chat.EventWriter(call, Reply(model="m", request_id="req_1", maker="")), "chat", ["END"]
    )
    assert tap.feed(b"")
    assert (tap.whole, tap.done, tap.usage) == (True, False, None)
    assert [tap.feed(b""), tap.feed(b""), tap.end()] == [b"", b"", b""]
    assert (tap.whole, tap.done, tap.usage) == (True, True, _USAGE)


def test_too_many_and_too_long_sequences_are_refused() -> None:
    check_stops(["a" * LONGEST] * MOST_SEQUENCES)
    for stops in (["a"] * (MOST_SEQUENCES + 1), ["a" * (LONGEST + 1)]):
        with pytest.raises(InvalidRequest) as caught:
            check_stops(stops)
        assert caught.value.param == "stop"


@given(
    text=st.text("ab\n", max_size=30),
    stops=st.lists(st.text("ab\n", max_size=5), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 30)),
)
def test_the_pieces_of_a_text_do_not_matter(text: str, stops: list[str], cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[begin:end] for begin, end in itertools.pairwise(places)]
    left, named = whole(text, *stops)
    found = cut([*part("text", *pieces), Finished(finish="length")], *stops)
    assert text_of(found) == left
    assert found[-1] == Finished(finish="stop" if named else "length", stop_sequence=named)
    ends = [text.find(stop) + len(stop) for stop in stops if stop and stop in text]
    assert left == text if not ends else (left + (named or "")) == text[: min(ends)]
