"""The guides for Claude Code and Codex, followed by the real programs on a machine that had other settings before."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from scripts._lib.clients import MODULES, NODE
from tests.support.clients.agents import PATIENCE_SECONDS
from tests.support.clients.installed import CLAUDE, CODEX
from tests.support.product import Shop
from tests.support.snippets import snippets

SENTENCE = "That is the answer to all of it."
PROMPT = f'Say it. [[text="{SENTENCE}"]]'
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}
"""No part of the guides: tests ask nobody but the storefront."""


def follow(script: str, folder: Path) -> str:
    """What a shell with a home of its own prints."""
    own = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "dumb", "ANTHROPIC_API_KEY": "old"}
    done = subprocess.run(
        ["sh", "-s"],
        input=script,
        env=own | QUIET,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.node
def test_claude_code_answers_after_its_guide(stall: Shop, tmp_path: Path) -> None:
    customer = stall.customer()
    blocks = snippets(stall, customer, "claude-code")
    start = blocks["start"].replace("claude", shlex.quote(str(CLAUDE)), 1)
    script = "\n".join([blocks["environment"], f"{start} --print {shlex.quote(PROMPT)} </dev/null"])
    assert SENTENCE in follow(script.replace("sol_your_key", customer.key), tmp_path)
    (model,) = {record["public_model"] for record in stall.records(customer)}
    assert model in blocks["environment"]


@pytest.mark.node
def test_codex_answers_after_its_guide(stall: Shop, tmp_path: Path) -> None:
    customer = stall.customer()
    blocks = snippets(stall, customer, "codex")
    config = tmp_path / ".codex" / "config.toml"
    config.parent.mkdir()
    quiet = "check_for_update_on_startup = false\nanalytics.enabled = false\n"
    config.write_text(quiet + blocks["config"])
    start = blocks["start"].replace("codex", shlex.quote(str(CODEX)), 1)
    script = "\n".join([blocks["key"], f"{start} exec --skip-git-repo-check {shlex.quote(PROMPT)} </dev/null"])
    assert SENTENCE in follow(script.replace("sol_your_key", customer.key), tmp_path)
    assert len(stall.records(customer)) == 1


@pytest.mark.node
@pytest.mark.parametrize(("guide", "package"), [("openai-sdk", "openai"), ("anthropic-sdk", "@anthropic-ai/sdk")])
def test_the_sdks_for_node_answer_after_their_guides(stall: Shop, guide: str, package: str, tmp_path: Path) -> None:
    customer = stall.customer()
    blocks = snippets(stall, customer, guide)
    target = tmp_path / "node_modules" / package
    target.parent.mkdir(parents=True)
    target.symlink_to(MODULES / package)
    (tmp_path / "snippet.mjs").write_text(blocks["node"])
    script = "\n".join([blocks["key"], f"{shlex.quote(str(NODE))} snippet.mjs"])
    assert follow(script.replace("sol_your_key", customer.key), tmp_path).startswith("the quick brown fox")
    (record,) = stall.records(customer)
    assert (record["status"], record["stream"]) == ("ok", True)


@pytest.mark.node
@pytest.mark.parametrize(
    ("guide", "packages"),
    [
        ("vercel-ai-sdk", ("ai", "@ai-sdk/openai-compatible")),
        ("langchain", ("@langchain/openai", "@langchain/core")),
    ],
)
def test_frameworks_answer_after_their_guides(
    stall: Shop, guide: str, packages: tuple[str, ...], tmp_path: Path
) -> None:
    customer = stall.customer()
    blocks = snippets(stall, customer, guide)
    for package in packages:
        target = tmp_path / "node_modules" / package
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(MODULES / package)
    (tmp_path / "snippet.mjs").write_text(blocks["node"])
    script = "\n".join([blocks["key"], f"{shlex.quote(str(NODE))} snippet.mjs"])
    assert follow(script.replace("sol_your_key", customer.key), tmp_path).startswith("the quick brown fox")
    (record,) = stall.records(customer)
    assert (record["status"], record["stream"], record["usage_source"]) == ("ok", True, "upstream")
