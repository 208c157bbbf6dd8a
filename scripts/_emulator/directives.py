"""What a caller can ask for from inside a text, and how many tokens a call counts. Makes no answer."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

DEFAULT_OUTPUT: Final = 16
SLOW_SECONDS: Final = 0.2
MAX_TOKENS: Final = 1_000_000
_COUNTED: Final = frozenset({"tool", "web_search"})  # their bare names mean one

_BLOCK: Final = re.compile(r"\[\[([a-z_].*?)\]\]", re.DOTALL)  # a shell's `[[ -f x ]]` is no directive
_ITEM: Final = re.compile(r"""\s*([a-z_]+)(?:=(?:"([^"]*)"|'([^']*)'|([^\s"'][^\s"]*)))?(?=\s|$)""")


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
    cache_write: int | None = None
    cache_write_hour: int | None = None
    reasoning: int | None = None
    tool_prompt: int = 0
    input_audio: int = 0
    input_image: int = 0
    output_audio: int = 0
    text: str | None = None
    tool: int = 0
    call: str | None = None
    arguments: str | None = None
    refuse: bool = False
    web_search: int = 0
    compaction_input: int = 0
    compaction_output: int = 0
    seconds: float | None = None
    show_reasoning: bool = False
    nothing: bool = False
    no_usage: bool = False
    claim_input: int | None = None
    claim_output: int | None = None
    claim_cached: int | None = None
    status: int | None = None
    message: str = ""
    code: str | None = None
    retry_after: int | None = None
    too_long: bool = False
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
        if self.too_long:
            return "too_long"
        if self.error is not None:
            return "error"
        if self.cut is not None:
            return "cut"
        return "reset" if self.reset else "reset_after" if self.reset_after else ""

    @property
    def pace_seconds(self) -> float:
        """The pause between two events."""
        return SLOW_SECONDS if self.slow and not self.pace else self.pace


class Counts(msgspec.Struct, frozen=True):
    """Tokens of one call. `input` is all that went in but `tool_prompt`; what was cached, written, … is a part of it.

    `output` is one choice's, with `reasoning` and `output_audio`; `limited`: the limit cut it short.
    """

    input: int
    cached: int
    output: int
    reasoning: int
    limited: bool
    cache_write: int = 0
    cache_write_hour: int = 0
    tool_prompt: int = 0
    input_audio: int = 0
    input_image: int = 0
    output_audio: int = 0

    @property
    def visible(self) -> int:
        """Tokens of one choice that the caller gets to see."""
        return self.output - self.reasoning

    @property
    def fresh(self) -> int:
        """Tokens of the input that were neither read from a cache nor written to one."""
        return self.input - self.cached - self.cache_write - self.cache_write_hour


Caching = Literal["implicit", "none", "minutes", "hour"]


def directives_in(text: str, base: Directives) -> Directives:
    """The directives in a text, on top of `base`. Raises BadRequest for one that does not exist."""
    blocks = _BLOCK.findall(text)
    return parse(" ".join(blocks), base) if blocks else base


def parse(text: str, base: Directives) -> Directives:
    """Read `name`, `name=value` and `name="some text"`, separated by blanks; `base` holds for what is not named."""
    values: dict[str, object] = msgspec.structs.asdict(base)
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None or match[1] not in Directives.__struct_fields__:
            raise BadRequest(f"emulator: no such directive: {text[position:].split()[0]}", "messages")
        name, *given = match.groups()
        value = next((text for text in given if text is not None), None)
        values[name] = (1 if name in _COUNTED else True) if value is None else value
        position = match.end()
    try:
        return msgspec.convert(values, Directives, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"emulator: bad directive: {error}", "messages") from error


def tally(by_rule: int, limit: int | None, directives: Directives, caching: Caching = "implicit") -> Counts:
    """Tokens of a call whose input is `by_rule`; 16 tokens, or the words of `text`, come out; directives win.

    Of an input of 64 tokens and more, half is from the cache, rounded down to a multiple of 32. Where a caller marks
    what to cache ("minutes", "hour"), half of the rest is written to it, rounded likewise.
    """
    total = by_rule if directives.input is None else directives.input
    cached = 0 if caching == "none" else total // 64 * 32
    cached = cached if directives.cached is None else min(directives.cached, total)
    written = (total - cached) // 64 * 32 if caching in ("minutes", "hour") else 0
    minutes, hour = (0, written) if caching == "hour" else (written, 0)
    minutes = min(minutes if directives.cache_write is None else directives.cache_write, total - cached)
    hour = min(hour if directives.cache_write_hour is None else directives.cache_write_hour, total - cached - minutes)
    audio = min(directives.input_audio, total - cached - minutes - hour)
    output, reasoning, limited = _output(limit, directives)
    return Counts(
        input=total,
        cached=cached,
        output=output,
        reasoning=reasoning,
        limited=limited,
        cache_write=minutes,
        cache_write_hour=hour,
        tool_prompt=directives.tool_prompt,
        input_audio=audio,
        input_image=min(directives.input_image, total - cached - minutes - hour - audio),
        output_audio=min(directives.output_audio, output - reasoning),
    )


def _output(limit: int | None, directives: Directives) -> tuple[int, int, bool]:
    """Tokens that come out, those of them that are reasoning, and whether the limit cut them."""
    thought = directives.reasoning or 0
    wanted = directives.output
    if wanted is None:
        wanted = DEFAULT_OUTPUT if directives.text is None else len(directives.text.split()) + thought
    wanted = 0 if directives.nothing else min(wanted, MAX_TOKENS)
    output = wanted if limit is None else min(wanted, limit)
    return output, min(thought, output), output < wanted


def classes(counts: Counts, directives: Directives, choices: int = 1) -> dict[str, int | float]:
    """What a call used by price class, each token in exactly one; `output` holds reasoning. None stands at 0."""
    fresh = counts.fresh - counts.input_audio - counts.input_image
    found: dict[str, int | float] = {
        "input": fresh + counts.tool_prompt + directives.compaction_input,
        "cached_input": counts.cached,
        "cache_write": counts.cache_write,
        "cache_write_1h": counts.cache_write_hour,
        "output": (counts.output - counts.output_audio) * choices + directives.compaction_output,
        "input_audio": counts.input_audio,
        "input_image": counts.input_image,
        "output_audio": counts.output_audio * choices,
        "tool_call": directives.web_search,
    }
    return {name: number for name, number in found.items() if number}


def claimed(counts: Counts, directives: Directives) -> Counts:
    """The counts as they are reported, where a directive makes that differ from the true ones."""
    changes = {
        "input": directives.claim_input,
        "output": directives.claim_output,
        "cached": directives.claim_cached,
    }
    return msgspec.structs.replace(counts, **{name: number for name, number in changes.items() if number is not None})
