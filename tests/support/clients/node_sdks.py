"""The SDKs of the npm registry, each action a program of tests/e2e/clients/node."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from typing import Final

from scripts._lib.clients import NODE, copy_programs
from tests.support.clients.outcome import Client, Outcome, Task

PATIENCE_SECONDS: Final = 120


def node_sdks() -> list[Client]:
    """One client per package and dialect."""
    own = [
        _client("openai-node chat", "chat", "openai_chat"),
        _client("openai-node responses", "responses", "openai_responses"),
        _client("anthropic-node", "anthropic", "anthropic"),
        _client("google-genai-node", "gemini", "genai"),
    ]
    dialects = ("chat", "responses", "anthropic", "gemini")
    return own + [_client(f"vercel-ai {dialect}", dialect, "vercel") for dialect in dialects]


def run_program(program: str, dialect: str, task: Task) -> Outcome:
    """One action in a process of its own."""
    wanted = {"action": task.action, "origin": task.origin, "key": task.key, "model": task.model}
    document = json.dumps({**wanted, "prompt": task.prompt, "retries": task.retries, "dialect": dialect})
    done = subprocess.run(
        [str(NODE), "--no-warnings", str(copy_programs() / f"{program}.mjs"), document],
        env={"PATH": os.defpath, "HOME": str(task.folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def _client(name: str, dialect: str, program: str) -> Client:
    run = partial(run_program, program, dialect)
    if program == "vercel":
        return Client(name, dialect, run, counts="sum", node=True, sums_classes=True)
    return Client(name, dialect, run, node=True)
