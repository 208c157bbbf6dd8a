"""The recorded requests of real clients: kept whole in structure, free of what was anybody's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "requests").glob("*.json"))
LONGEST = 400


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def test_every_dialect_has_requests() -> None:
    targets = {json.loads(path.read_text())["target"].partition("?")[0] for path in FIXTURES}
    assert {"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"} <= targets
    assert any(target.endswith(":streamGenerateContent") for target in targets)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_request_names_its_client_and_holds_nothing_of_its_recording(path: Path) -> None:
    document = json.loads(path.read_text())
    assert set(document) == {"client", "version", "action", "method", "target", "headers", "body"}
    assert document["version"]
    assert not {"authorization", "x-api-key", "x-goog-api-key"} & set(document["headers"])
    for text in texts(document["body"]):
        assert not re.search(r"(/tmp|/work|/dev/shm)/", text), text
        assert len(text) <= LONGEST or text.startswith(("{", "x-anthropic-billing-header:")), text[:LONGEST]
