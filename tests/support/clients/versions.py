"""Which version of a client is installed."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Final

from scripts._lib.clients import MODULES

_PYTHON: Final = {"openai": "openai", "anthropic": "anthropic", "google-genai": "google-genai"}
_NODE: Final = {
    "claude-code": "@anthropic-ai/claude-code",
    "codex": "@openai/codex",
    "gemini-cli": "@google/gemini-cli",
    "openai-node": "openai",
    "anthropic-node": "@anthropic-ai/sdk",
    "google-genai-node": "@google/genai",
    "vercel-ai": "ai",
}


def version_of(client: str) -> str:
    """The version of a client by its name or a longer one that begins with it."""
    for name, package in _NODE.items():
        if client.startswith(name):
            found: str = json.loads((MODULES / package / "package.json").read_text(encoding="utf-8"))["version"]
            return found
    return next(version(package) for name, package in _PYTHON.items() if client.startswith(f"{name}-python"))
