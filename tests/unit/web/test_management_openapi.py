"""The management API's document as readers of Markdown get it."""

from __future__ import annotations

from reseller_kit.web.management.openapi import openapi


def test_no_description_is_taken_for_code() -> None:
    document = openapi("Solaria", "https://solaria.example/api/v1")
    described = {name: each.get("description", "") for name, each in document["components"]["schemas"].items()}
    assert any("\n" in text for text in described.values())
    assert [name for name, text in described.items() if any(line.startswith(" ") for line in text.splitlines())] == []
