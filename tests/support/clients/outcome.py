"""What a client is asked to do and how that ended, the same for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Action = Literal["echo", "stream", "tool"]
TOOL: Final = "look_up"
TOOL_ABOUT: Final = "Looks a word up."
TOOL_SCHEMA: Final = {
    "type": "object",
    "properties": {"word": {"type": "string", "description": "The word"}},
    "required": ["word"],
    "additionalProperties": False,
}
TOOL_ANSWER: Final = "forty-two"


@dataclass(frozen=True)
class Task:
    """One user action. `origin` has no path; `folder` is the client's own home, empty at first.

    `retries`: how often an SDK repeats; None is its default. Programs for people do as they like.
    """

    action: Action
    origin: str
    key: str
    model: str
    prompt: str
    folder: Path
    retries: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What the user sees: the answer, or the refusal with its status (0 where the client does not tell it).

    `input` and `output` are the tokens that the client shows, None where it shows none.
    """

    text: str = ""
    input: int | None = None
    output: int | None = None
    status: int | None = None
    error: str = ""


@dataclass(frozen=True)
class Client:
    """A real client. `tool` and `arguments`: a tool that it runs itself when the model calls it.

    `counts`: whether `Outcome.input` and `output` are of the last answer alone, or of all answers of an action.
    `node`: it comes from the npm registry. `agent`: a program for people, which streams and has tools of its own.
    `sums_classes`: the input that it shows holds cached tokens in every dialect.
    `asks_with_wrong_key`: how often it tries a key that is refused. `own_words`: what it says itself in place of a
    storefront's sentence about missing credit.
    """

    name: str
    dialect: str
    run: Callable[[Task], Outcome]
    tool: str = TOOL
    arguments: str = '{"word": "life"}'
    counts: Literal["last", "sum"] = "last"
    node: bool = False
    agent: bool = False
    sums_classes: bool = False
    asks_with_wrong_key: int = 1
    own_words: str = ""
