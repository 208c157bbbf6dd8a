"""What a codec offers: one API's requests, answers and streams, for its callers and for upstreams that speak it.

Between a caller and an upstream of the same API bytes pass through (`encode`, `open_tap`, `read_answer`). Between two
APIs a call goes through the intermediate form (`to_conversation` of the caller's, then `from_conversation`,
`read_completion` and `event_reader` of the upstream's, then `write_completion` and `event_writer` of the caller's).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

from msgspec import Raw, Struct

from ..core import apis
from ..core.errors import InvalidRequest
from ..core.usage import Usage
from .completion import Answer, Completion, EventReader, EventWriter, Tap
from .conversation import Conversation
from .errors import Dialect
from .media import Medium

Api = apis.Api
"""The APIs that generate."""


Headers = Sequence[tuple[bytes, bytes]]
"""A request's headers as they came, names in lower case."""


class Call(Struct, frozen=True, kw_only=True):
    """One request to generate as the meter sees it.

    `output_limit`: tokens for each of the `n` choices, None if the caller named none. `include_usage`: whether a
    chat caller wants usage in its stream. `fields`: the top level of the body, raw. `input_bound`: tokens; no
    tokenizer counts more for the text, and media are in it with their bounds. `media_tokens`: the part of it that
    is media. `inputs`: how often the model may read as much as its context, by turns of tools that the provider
    runs and by compaction. `summaries`: outputs beside those of the choices, such as compaction's. `tool_calls`:
    how often tools may be used that the provider charges by the call. `needs`: price classes beyond text that the
    request asks for. `headers`: those of the caller's that an upstream of the same API gets to see. `shown`: members
    of the answer that stand for what `fields` says of them, or no longer says. `signed`: whether a chat's messages
    may hold signatures that an answer in translation bore.
    """

    api: Api
    model: str
    stream: bool
    n: int = 1
    output_limit: int | None = None
    include_usage: bool = False
    fields: dict[str, Raw]
    input_bound: int
    media_tokens: int = 0
    inputs: int = 1
    summaries: int = 0
    tool_calls: int = 0
    needs: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    shown: Mapping[str, Raw] = {}
    signed: bool = True


class Counted(Struct, frozen=True, kw_only=True):
    """What a model reads of a request, as `tokens.estimate_input` and `tokens.bound_input` take it.

    `texts`: in order, with the JSON of tools and schemas. `messages`, `tools`: how many there are.
    """

    texts: list[str]
    media: list[Medium]
    messages: int
    tools: int = 0


class Sending(Struct, frozen=True, kw_only=True):
    """Where a request goes: the model's name there, the catalogue's `provider` id ("" if unknown), and the most output.

    `output_limit`: tokens for each choice that replace a higher limit and stand in for a missing one where they are
    not None. `room`: tokens for each choice that the hold covers, for a dialect that demands a limit. `maker`: whose
    signatures this upstream can read.
    """

    model: str
    provider: str
    maker: str
    output_limit: int | None
    room: int


class Reply(Struct, frozen=True, kw_only=True):
    """What an answer shows of itself: the public model's name, the request's id, and whose signatures it bears.

    `likely_input`: about how many tokens were read, for a stream that names them before its upstream does.
    """

    model: str
    request_id: str
    maker: str
    likely_input: int = 0


def sends_all(_call: Call) -> tuple[str, ...]:
    """Of a codec whose requests pass through whole."""
    return ()


def cuts_nowhere(_conversation: Conversation, _sending: Sending) -> tuple[str, ...]:
    """Of a codec whose upstreams take every stop sequence."""
    return ()


def carries_all(_conversation: Conversation, _sending: Sending) -> tuple[str, ...]:
    """Of a codec that leaves out nothing but what it names in `Conversation.left_out`."""
    return ()


def opens_with_content(_name: bytes, _data: bytes) -> bool:
    """Of a codec whose streams have no event that only says that an answer begins."""
    return False


class Codec(Struct, frozen=True, kw_only=True):
    """One API. What reads a caller's request raises InvalidRequest, what reads an answer UpstreamFailed."""

    api: Api
    dialect: Dialect
    path: Callable[[Call, Sending], str]
    """The upstream's path."""
    encode: Callable[[Call, Sending], bytes]
    left_out: Callable[[Call], tuple[str, ...]] = sends_all
    """What `encode` leaves out, as paths in the request."""
    open_tap: Callable[[Call, Reply], Tap]
    read_answer: Callable[[Call, bytes, Reply], Answer]
    counted: Callable[[Call], Counted]
    """What of a request counts as input."""

    to_conversation: Callable[[Call], Conversation]
    from_conversation: Callable[[Conversation, Sending], bytes]
    not_carried: Callable[[Conversation, Sending], tuple[str, ...]] = carries_all
    """What `from_conversation` leaves out, in the form's words."""
    cut_here: Callable[[Conversation, Sending], tuple[str, ...]] = cuts_nowhere
    """The stop sequences that `from_conversation` leaves out, at which the answer has to be cut (`wire.stops`)."""
    read_completion: Callable[[bytes, Reply], Completion]
    write_completion: Callable[[Completion, Call, Reply, Usage], bytes]
    event_reader: Callable[[Reply], EventReader]
    event_writer: Callable[[Call, Reply], EventWriter]
    opens: Callable[[bytes, bytes], bool] = opens_with_content
    """Whether an event of a caller's stream, by its name and data, only says that an answer begins."""


def check_priced(call: Call, priced: Container[str]) -> None:
    """Raises InvalidRequest if the request asks for a kind of input or output that `priced` has no price for."""
    for name in call.needs:
        if name == "tool_call" and name not in priced:
            raise InvalidRequest(f"The model {call.model!r} has no search of its own here.", param="tools")
        if name not in priced:
            direction, kind = name.split("_")
            raise InvalidRequest(
                f"The model {call.model!r} has no {kind} {direction} here.", param=_member(call.api, name)
            )


def _member(api: Api, name: str) -> str:
    """The member of the request that asked for it."""
    if name.startswith("output"):
        return "generationConfig" if api == "generate_content" else "modalities"
    return {"chat": "messages", "messages": "messages", "responses": "input", "generate_content": "contents"}[api]
