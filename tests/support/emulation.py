"""A running emulator and the real SDKs pointed straight at it, without the product between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anthropic
import openai
from google import genai

from tests.support.server import Emulator, emulator


@dataclass(frozen=True)
class Providers:
    """One emulator as each provider's SDK sees it. Nothing is tried twice; `opened` closes the clients."""

    emulator: Emulator
    opened: ExitStack

    @property
    def root(self) -> str:
        """Its URL without a path."""
        return f"http://127.0.0.1:{self.emulator.port}"

    def openai(self, key: str = "sk-openai") -> openai.OpenAI:
        """OpenAI's own SDK."""
        made = openai.OpenAI(base_url=f"{self.root}/v1", api_key=key, max_retries=0)
        return self.opened.enter_context(made)

    def anthropic(self, key: str = "sk-ant") -> anthropic.Anthropic:
        """Anthropic's own SDK."""
        made = anthropic.Anthropic(base_url=self.root, api_key=key, max_retries=0)
        return self.opened.enter_context(made)

    def gemini(self, key: str = "AIza-google") -> genai.Client:
        """Google's own SDK."""
        made = genai.Client(api_key=key, http_options=genai.types.HttpOptions(base_url=self.root))
        self.opened.callback(made.close)
        return made

    def journal(self) -> list[dict[str, Any]]:
        """What was answered so far, oldest first."""
        with urlopen(f"{self.root}/journal") as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def last(self) -> dict[str, Any]:
        """The latest line of the journal."""
        return self.journal()[-1]


@contextmanager
def providers(folder: Path, *options: str) -> Iterator[Providers]:
    """An emulator with a journal in `folder`."""
    with emulator(folder, *options) as running, ExitStack() as opened:
        yield Providers(running, opened)
