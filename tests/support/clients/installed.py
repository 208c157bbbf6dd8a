"""Where the clients of package-lock.json are, once scripts/test has installed them."""

from __future__ import annotations

from typing import Final

from scripts._lib.clients import MODULES, NODE

__all__ = ["CLAUDE", "CODEX", "GEMINI", "NODE"]

CLAUDE: Final = MODULES / "@anthropic-ai" / "claude-code-linux-x64" / "claude"
CODEX: Final = MODULES / "@openai" / "codex-linux-x64" / "vendor" / "x86_64-unknown-linux-musl" / "bin" / "codex"
GEMINI: Final = MODULES / "@google" / "gemini-cli" / "bundle" / "gemini.js"
