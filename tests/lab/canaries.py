"""Puts a word that nobody else uses wherever an upstream can say who it is, so that a search finds what leaks.

What the model wrote is left alone: text, reasoning, names and arguments of tools. Everything else of an answer is the
upstream's: ids, names, fingerprints, headers, members that no reference knows, sentences of errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

_WRITTEN: Final = frozenset({"input", "args", "arguments", "parsed", "schema", "parameters", "tools", "text"})
"""Objects under these names are the model's or the caller's own."""
_IDS: Final = frozenset({"id", "responseId", "item_id", "call_id", "tool_use_id"})
_NAMES: Final = {
    "system_fingerprint": "fp_{0}",
    "model": "{0}/secret-70b",
    "modelVersion": "{0}-70b-002",
    "service_tier": "{0}-tier",
    "serviceTier": "{0}-tier",
    "provider": "{0}",
    "owned_by": "{0}",
}
_REASONS: Final = frozenset({"finish_reason", "native_finish_reason", "finishReason", "stop_sequence"})


def seeded(value: Any, canary: str) -> Any:
    """The JSON value with the word in every place that is not the model's; ids stay alike where they were."""
    if isinstance(value, list):
        return [seeded(item, canary) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _member(name, item, canary) for name, item in value.items()}
    return made | {f"x_{canary}": canary, "provider_name": canary, "native": {"host": f"{canary}.example"}}


def _member(name: str, value: Any, canary: str) -> Any:
    if name in _WRITTEN and not isinstance(value, list | str):
        return value
    if isinstance(value, str):
        if name in _IDS:
            return f"id-{canary}-{value[-8:]}"
        return _NAMES[name].format(canary) if name in _NAMES else value
    return seeded(value, canary)


def seed_json(body: bytes, canary: str) -> bytes:
    """See seeded; what is no JSON object stays as it is."""
    return rewrite_json(body, lambda found: seeded(found, canary))


def rewrite_json(body: bytes, change: Callable[[Any], Any]) -> bytes:
    """The JSON text with a change; what is none stays as it is."""
    try:
        found = json.loads(body)
    except ValueError:
        return body
    return json.dumps(change(found), ensure_ascii=False, separators=(",", ":")).encode()


def headers(canary: str) -> list[tuple[str, str]]:
    """Headers as providers, their networks and their gateways send them."""
    return [
        ("server", f"{canary}/1.27"),
        ("via", f"1.1 {canary}"),
        ("x-powered-by", canary),
        ("x-request-id", f"req_{canary}0123456789"),
        ("request-id", f"req_{canary}0123456789"),
        ("openai-organization", f"org-{canary}"),
        ("openai-project", f"proj_{canary}"),
        ("openai-version", canary),
        ("anthropic-organization-id", canary),
        ("x-litellm-model-api-base", f"https://{canary}.example/v1"),
        ("x-ratelimit-limit-requests", "424242"),
        ("set-cookie", f"__cf_bm={canary}; path=/; domain=.{canary}.example"),
        ("link", f"<https://{canary}.example/>; rel=preconnect"),
        ("report-to", f'{{"group":"{canary}"}}'),
        ("cf-ray", f"{canary}-FRA"),
        ("alt-svc", f'h3="{canary}.example:443"'),
        ("warning", f'199 {canary} "degraded"'),
        ("x-" + canary, "1"),
        ("access-control-allow-origin", f"https://{canary}.example"),
        ("etag", f'"{canary}"'),
    ]


def sentence(canary: str) -> str:
    """What a refusal may say of its sender, beside a reason that helps the caller."""
    return (
        f"Invalid value for 'temperature'. The request was sent to https://api.{canary}.example/v1 by org-{canary}01. "
        f"Your request id is req_{canary}0123456789. Contact help@{canary}.example if this persists."
    )
