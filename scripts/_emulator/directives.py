"""What a caller can ask for from inside a message, and how many tokens a request counts. Makes no answer."""

from __future__ import annotations

import re
from typing import Final

import msgspec

DEFAULT_OUTPUT: Final = 16
SLOW_SECONDS: Final = 0.2
MAX_TOKENS: Final = 1_000_000

_BLOCK: Final = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_ITEM: Final = re.compile(r'\s*([a-z_]+)(?:=(?:"([^"]*)"|([^\s"]+)))?(?=\s|$)')


class BadRequest(ValueError):
    """A request that the real service would refuse with 400 as well; `param` names the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class Directives(msgspec.Struct, frozen=True):
    """One field per directive; the defaults are what an ordinary request gets."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int = 0
    text: str | None = None
    tool: int = 0
    show_reasoning: bool = False
    nothing: bool = False
    no_usage: bool = False
    claim_input: int | None = None
    claim_output: int | None = None
    claim_cached: int | None = None
    status: int | None = None
    retry_after: int | None = None
    error: int | None = None
    reset: bool = False
    reset_after: bool = False
    cut: int | None = None
    delay: float = 0.0
    pace: float = 0.0
    slow: bool = False
    drip: float = 0.0
    silence: float = 0.0

    @property
    def fault(self) -> str:
        """The name of the fault that was asked for, empty for none."""
        if self.status is not None:
            return "status"
        if self.error is not None:
            return "error"
        if self.cut is not None:
            return "cut"
        return "reset" if self.reset else "reset_after" if self.reset_after else ""

    @property
    def pace_seconds(self) -> float:
        """The pause between two events."""
        return SLOW_SECONDS if self.slow and not self.pace else self.pace


class Part(msgspec.Struct):
    """A piece of a message's content."""

    type: str = ""
    text: str = ""


class Message(msgspec.Struct):
    """A message as far as it is counted."""

    role: str
    content: str | list[Part] | None = None

    @property
    def words(self) -> str:
        """All its text."""
        if isinstance(self.content, list):
            return " ".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The fields of a chat request that change the answer; others are ignored, as an older server would."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None

    @property
    def limit(self) -> int | None:
        """The output limit of one choice."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class Counts(msgspec.Struct, frozen=True):
    """Tokens of one call. `output` is one choice's, with `reasoning`; `limited`: the limit cut it short."""

    input: int
    cached: int
    output: int
    reasoning: int
    limited: bool

    @property
    def visible(self) -> int:
        """Tokens of one choice that the caller gets to see."""
        return self.output - self.reasoning


_DECODER: Final = msgspec.json.Decoder(ChatRequest)


def decode(body: bytes) -> ChatRequest:
    """Read a request. Raises BadRequest."""
    try:
        request = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid request: {error}", str(error).rpartition("$.")[2].strip("`") or None) from error
    except msgspec.DecodeError as error:
        raise BadRequest("We could not parse the JSON body of your request.") from error
    if not request.messages:
        raise BadRequest("Invalid 'messages': empty array.", "messages")
    if request.stream_options is not None and not request.stream:
        raise BadRequest("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if request.limit is not None and request.limit < 1:
        raise BadRequest("Invalid output limit: expected a value >= 1.", "max_completion_tokens")
    if request.n is not None and not 1 <= request.n <= 128:
        raise BadRequest("Invalid 'n': expected a value between 1 and 128.", "n")
    return request


def directives_of(request: ChatRequest, base: Directives) -> Directives:
    """The directives in the last user message, on top of `base`. Raises BadRequest for one that does not exist."""
    for message in reversed(request.messages):
        if message.role == "user":
            blocks = _BLOCK.findall(message.words)
            return parse(" ".join(blocks), base) if blocks else base
    return base


def parse(text: str, base: Directives) -> Directives:
    """Read `name`, `name=value` and `name="some text"`, separated by blanks; `base` holds for what is not named."""
    values: dict[str, object] = msgspec.structs.asdict(base)
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None or match[1] not in Directives.__struct_fields__:
            raise BadRequest(f"emulator: no such directive: {text[position:].split()[0]}", "messages")
        name, quoted, plain = match.groups()
        values[name] = True if quoted is None and plain is None else quoted if plain is None else plain
        position = match.end()
    try:
        return msgspec.convert(values, Directives, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"emulator: bad directive: {error}", "messages") from error


def count(request: ChatRequest, directives: Directives) -> Counts:
    """The rule: 3 + 4 a message + its words go in; 16 tokens, or the words of `text`, come out; directives win.

    Of an input of 64 tokens and more, half is from the cache, rounded down to a multiple of 32.
    """
    by_rule = 3 + sum(4 + len(message.words.split()) for message in request.messages)
    total_in = by_rule if directives.input is None else directives.input
    cached = total_in // 64 * 32
    wanted = directives.output
    if wanted is None:
        wanted = DEFAULT_OUTPUT if directives.text is None else len(directives.text.split())
        wanted += directives.reasoning if directives.text is not None else 0
    wanted = 0 if directives.nothing else min(wanted, MAX_TOKENS)
    output = wanted if request.limit is None else min(wanted, request.limit)
    return Counts(
        input=total_in,
        cached=cached if directives.cached is None else min(directives.cached, total_in),
        output=output,
        reasoning=min(directives.reasoning, output),
        limited=output < wanted,
    )
