"""The command line agents, each in a home of its own with telemetry and updates switched off."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tests.support.clients.installed import CLAUDE, CODEX, GEMINI, NODE
from tests.support.clients.outcome import Client, Outcome, Task

PATIENCE_SECONDS: Final = 240
PROVIDER: Final = "aurora"
SHELL_WORDS: Final = "printf forty-%s two"


def agents() -> list[Client]:
    """One client each."""
    with_tool = _client("codex", "responses", codex, "exec_command", cmd=SHELL_WORDS)
    return [
        _client("claude-code", "anthropic", claude_code, "Bash", command=SHELL_WORDS),
        replace(with_tool, asks_with_wrong_key=6, own_words="Quota exceeded. Check your plan and billing details."),
        _client("gemini-cli", "gemini", gemini_cli, "run_shell_command", command=SHELL_WORDS),
    ]


def claude_code(task: Task, *options: str, **environment: str) -> Outcome:
    """Claude Code in print mode."""
    own = {
        "ANTHROPIC_BASE_URL": task.origin,
        "ANTHROPIC_AUTH_TOKEN": task.key,
        "CLAUDE_CONFIG_DIR": str(task.folder / ".claude"),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
        # An agent refuses to run unasked as root unless it is told that nothing is at stake.
        "IS_SANDBOX": "1",
    }
    command: list[str | Path] = [
        CLAUDE,
        "--print",
        "--output-format",
        "json",
        "--model",
        task.model,
        "--dangerously-skip-permissions",
    ]
    done = _run([*command, *options, "--", task.prompt], task, own | environment)
    answer = _last_json(done.stdout)
    if not answer:
        return Outcome(status=0, error=done.stdout + done.stderr)
    usage = answer.get("usage", {})
    if answer.get("is_error"):
        return Outcome(status=answer.get("api_error_status") or 0, error=str(answer.get("result", "")))
    return Outcome(answer["result"], usage.get("input_tokens"), usage.get("output_tokens"))


def codex(task: Task, *options: str, **environment: str) -> Outcome:
    """Codex in exec mode; its settings are a file in its home."""
    home = task.folder / ".codex"
    home.mkdir(exist_ok=True)
    settings = f"""
        model = {json.dumps(task.model)}
        model_provider = "{PROVIDER}"
        check_for_update_on_startup = false
        [analytics]
        enabled = false
        [model_providers.{PROVIDER}]
        name = "Aurora"
        base_url = "{task.origin}/v1"
        env_key = "AURORA_API_KEY"
        wire_api = "responses"
    """
    (home / "config.toml").write_text(settings)
    own = {"CODEX_HOME": str(home), "AURORA_API_KEY": task.key}
    mode = ["--skip-git-repo-check", "--ephemeral", "--json", "--sandbox", "danger-full-access"]
    done = _run([CODEX, "exec", *mode, *options, task.prompt], task, own | environment)
    text, failures = "", []
    usage: dict[str, int] = {}
    for event in _json_lines(done.stdout):
        item = event.get("item", {})
        if item.get("type") == "agent_message" and event["type"] == "item.completed":
            text = item["text"]
        usage = event.get("usage") or usage
        failures += [event["error"]["message"]] if event["type"] == "turn.failed" else []
    if failures or not usage:
        return Outcome(status=0, error="\n".join(failures) or done.stdout + done.stderr)
    return Outcome(text, usage["input_tokens"], usage["output_tokens"])


def gemini_cli(task: Task, *options: str, **environment: str) -> Outcome:
    """Gemini CLI with a prompt on its command line."""
    home = task.folder / ".gemini"
    home.mkdir(exist_ok=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "telemetry": {"enabled": False},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    (home / "settings.json").write_text(json.dumps(settings))
    own = {
        "GEMINI_API_KEY": task.key,
        "GOOGLE_GEMINI_BASE_URL": task.origin,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }
    command: list[str | Path] = [NODE, GEMINI, "--model", task.model, "--output-format", "json", "--yolo"]
    done = _run([*command, *options, "--prompt", task.prompt], task, own | environment)
    answer = _last_json(done.stdout) or _last_json(done.stderr)
    if not answer or "error" in answer:
        return Outcome(status=0, error=str(answer.get("error", {}).get("message", "")) or done.stdout + done.stderr)
    counts = [found["tokens"] for found in answer["stats"]["models"].values()]
    spent = sum(found["candidates"] + found["thoughts"] for found in counts)
    return Outcome(answer["response"], sum(found["prompt"] for found in counts), spent)


def _client(name: str, dialect: str, run: Any, tool: str, **arguments: str) -> Client:
    return Client(name, dialect, run, tool=tool, arguments=json.dumps(arguments), counts="sum", node=True, agent=True)


def _run(command: Sequence[str | Path], task: Task, own: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """In an empty folder below its home, with nothing of this machine's environment but the path."""
    workplace = task.folder / "work"
    workplace.mkdir(exist_ok=True)
    common = {"PATH": os.defpath, "HOME": str(task.folder), "LANG": "C.UTF-8", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=workplace,
        env={**common, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def _last_json(text: str) -> dict[str, Any]:
    """The last JSON object of an output that may begin with words; empty when there is none."""
    start = text.find("{")
    while start >= 0:
        try:
            found = json.loads(text[start:])
        except json.JSONDecodeError:
            start = text.find("\n{", start + 1)
        else:
            return found if isinstance(found, dict) else {}
    return {}


def _json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
