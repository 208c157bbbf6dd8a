"""Writes tests/fixtures/requests: what each client really sends.

Run `.venv/bin/python -m tests.support.clients.record [CLIENT…]` after a change of versions.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from scripts._lib.bootstrap import ROOT
from tests.support.clients import agents, node_sdks, python_endpoints, python_sdks
from tests.support.clients.anonymous import Anonymiser
from tests.support.clients.canned import Reply
from tests.support.clients.outcome import Client, Outcome, Task
from tests.support.clients.recorder import Recorded, Recorder, recording
from tests.support.clients.versions import version_of

FOLDER: Final = ROOT / "tests" / "fixtures" / "requests"
KEY: Final = "sk_recorded"
PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Scene:
    """One user action of one client, and what the model says meanwhile. `keep`: which requests are worth a file."""

    client: str
    name: str
    run: Callable[[Task], Outcome]
    replies: tuple[Reply, ...] = ()
    model: str = "gpt-5-mini"
    action: Any = "stream"
    prompt: str = "Say hello."
    keep: Callable[[list[Recorded]], list[Recorded]] = field(default=lambda found: found[-1:])


def main(wanted: list[str]) -> int:
    """Exit code 0; each scene prints its line."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with recording() as recorder:
        for scene in _scenes():
            if not wanted or scene.client in wanted:
                _record(recorder, scene)
    return 0


def _record(recorder: Recorder, scene: Scene) -> None:
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        (Path(folder) / "work").mkdir()
        (Path(folder) / "work" / "pixel.png").write_bytes(PIXEL)
        (Path(folder) / "work" / "note.txt").write_text("A note.\n")
        recorder.will(*scene.replies)
        task = Task(scene.action, recorder.origin, KEY, scene.model, scene.prompt, Path(folder))
        outcome = scene.run(task)
        kept = scene.keep(list(recorder.requests))
        anonymiser = Anonymiser(folder)
        for number, request in enumerate(kept):
            suffix = f"-{number + 1}" if len(kept) > 1 else ""
            _write(scene, f"{scene.client}-{scene.name}{suffix}", request, anonymiser)
    print(f"{scene.client} {scene.name}: {len(recorder.requests)} requests, {outcome.error[:200] or outcome.text!r}")


def _write(scene: Scene, name: str, request: Recorded, anonymiser: Anonymiser) -> None:
    is_json = request.body and "json" in request.headers.get("content-type", "")
    document = {
        "client": scene.client,
        "version": version_of(scene.client),
        "action": scene.name,
        "method": request.method,
        "target": request.target,
        "headers": anonymiser.headers(request.headers),
        "body": anonymiser.body(request.json) if is_json else request.body.decode("latin-1"),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    assert KEY not in text, name
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def _scenes() -> Iterator[Scene]:
    yield from _of_claude_code()
    yield from _of_codex()
    yield from _of_gemini_cli()
    yield from _of_sdks([*python_sdks.python_sdks(), *node_sdks.node_sdks()])
    for name, client, run in python_endpoints.calls():
        yield Scene(client, name, run)


def _of_sdks(clients: list[Client]) -> Iterator[Scene]:
    for client in clients:
        call = Reply(calls=((client.tool, json.loads(client.arguments)),))
        name = client.name.replace(" ", "-")
        for action in ("echo", "stream", "tool"):
            yield Scene(name, action, client.run, (call,) if action == "tool" else (), action=action)


def _last_but(found: list[Recorded]) -> list[Recorded]:
    return [request for request in found if request.asks_model][-1:]


def _of_claude_code() -> Iterator[Scene]:
    run = agents.claude_code

    def scene(name: str, *calls: tuple[str, dict[str, Any]], run: Any = run, thought: str = "", **more: Any) -> Scene:
        replies = (Reply(calls=calls, thought=thought),) if calls else ()
        return Scene("claude-code", name, run, replies, more.pop("model", "claude-sonnet-4-6"), **more)

    shell = ("Bash", {"command": agents.SHELL_WORDS})
    yield scene("echo", keep=_last_but)
    yield scene("echo-haiku", model="claude-haiku-4-5")
    yield scene("echo-opus", model="claude-opus-4-8")
    yield scene("tool", shell, thought="I should run it.", keep=_last_but)
    yield scene("tool-parallel", shell, ("Read", {"file_path": "note.txt"}), keep=_last_but)
    yield scene("tool-error", ("Bash", {"command": "printf oops >&2; exit 3"}), keep=_last_but)
    yield scene("tool-reference", ("ToolSearch", {"query": "select:WebFetch", "max_results": 1}), keep=_last_but)
    yield scene("tool-image", ("Read", {"file_path": "pixel.png"}), keep=_last_but)
    yield scene("count-tokens", prompt="/context", keep=lambda found: found[:1])
    discovery = partial(
        run, CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=""
    )
    yield scene("models", run=discovery, keep=lambda found: [one for one in found if one.method != "POST"])
    schema = '{"type":"object","properties":{"word":{"type":"string"}},"required":["word"]}'
    yield scene("structured", run=lambda task: run(task, "--json-schema", schema), keep=_last_but)


def _of_codex() -> Iterator[Scene]:
    run = agents.codex

    def scene(name: str, *calls: tuple[str, dict[str, Any]], run: Any = run, thought: str = "", **more: Any) -> Scene:
        replies = (Reply(calls=calls, thought=thought),) if calls else ()
        return Scene("codex", name, run, replies, more.pop("model", "gpt-5-mini"), **more)

    shell = ("exec_command", {"cmd": agents.SHELL_WORDS})
    yield scene("echo")
    yield scene("echo-known-model", model="gpt-6.1-sol")
    yield scene("tool", shell, thought="I should run it.")
    yield scene("tool-parallel", shell, ("exec_command", {"cmd": "exit 3"}))
    yield scene("image", run=lambda task: run(task, "--image=pixel.png"))
    socket = f"model_providers.{agents.PROVIDER}.supports_websockets=true"
    yield scene("websocket", run=lambda task: run(task, "-c", socket), keep=lambda found: found[:1])


def _of_gemini_cli() -> Iterator[Scene]:
    run = agents.gemini_cli

    def scene(name: str, *calls: tuple[str, dict[str, Any]], thought: str = "", **more: Any) -> Scene:
        replies = (Reply(calls=calls, thought=thought),) if calls else ()
        return Scene("gemini-cli", name, run, replies, more.pop("model", "gemini-2.5-flash"), **more)

    shell = ("run_shell_command", {"command": agents.SHELL_WORDS})
    yield scene("echo")
    yield scene("echo-3", model="gemini-3-pro-preview")
    yield scene("tool", shell, thought="I should run it.")
    yield scene("tool-parallel", shell, ("list_directory", {"dir_path": "."}))
    yield scene("image", prompt="Say hello. @pixel.png")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
