"""`catalogue list` and `catalogue show`: what the bundled prices say, without any database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Cli

NOWHERE = "sqlite+aiosqlite:////nowhere/reseller_kit.db"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, NOWHERE)


def test_models_are_listed_page_by_page_each_once(cli: Cli) -> None:
    whole = cli.ask("catalogue", "list", "--provider", "anthropic", "--limit", "1000")
    assert whole["next_cursor"] is None
    seen: list[str] = []
    cursor: list[str] = []
    while True:
        page = cli.ask("catalogue", "list", "--provider", "anthropic", "--limit", "10", *cursor)
        seen += [row["model"] for row in page["models"]]
        if page["next_cursor"] is None:
            break
        cursor = ["--cursor", page["next_cursor"]]
    assert seen == [row["model"] for row in whole["models"]]
    assert len(seen) == len(set(seen)) > 10


def test_a_pattern_fits_any_name_of_a_model(cli: Cli) -> None:
    found = cli.ask("catalogue", "list", "--provider", "xai", "--model", "GROK-4-0709")["models"]
    assert [(row["provider"], row["model"]) for row in found] == [("x-ai", "grok-4-0709")]
    assert found[0]["prices"]["input"] == "3.00"
    assert cli.ask("catalogue", "list", "--model", "no-such-*")["models"] == []
    assert "no such model" in cli.run("catalogue", "list", "--model", "no-such-*").stdout


def test_one_model_is_shown_with_its_history_and_tiers(cli: Cli) -> None:
    document = cli.ask("catalogue", "show", "openai", "o3-2025-04-16")
    assert document["model"] == "o3"
    assert [(row["effective_from"], row["prices"]["output"]) for row in document["history"]] == [
        (None, "40.00"),
        ("2025-06-10", "8.00"),
    ]
    assert document["effective_from"] == "2025-06-10"
    assert document["service_tiers"]["flex"][-1]["prices"]["input"] == "1.00"
    long = cli.ask("catalogue", "show", "google", "gemini-2.5-pro")["history"][-1]["tiers"]
    assert long[0] == {"above_input": 200_000, "prices": {"input": "2.50", "cached_input": "0.25", "output": "15.00"}}
    shown = cli.run("catalogue", "show", "google", "gemini-2.5-pro").stdout
    assert "200000" in shown
    assert "1048576" in shown


def test_a_model_without_a_price_says_why(cli: Cli) -> None:
    document = cli.ask("catalogue", "show", "groq", "whisper-large-v3-turbo")
    assert document["prices"] == {}
    assert "no whole number" in document["refused"]
    assert "no whole number" in cli.run("catalogue", "show", "groq", "whisper-large-v3-turbo").stdout


def test_what_is_not_there_is_refused_with_what_is(cli: Cli) -> None:
    code, error = cli.refused("catalogue", "show", "opnai", "gpt-5")
    assert code == 4
    assert "openai" in error["fix"]
    code, error = cli.refused("catalogue", "show", "openai", "gpt-5-mni")
    assert code == 4
    assert "gpt-5-mini" in error["fix"]
    code, error = cli.refused("catalogue", "show", "openai", "zzzzzz")
    assert code == 4
    assert "catalogue list --provider openai" in error["fix"]
    assert cli.refused("catalogue", "list", "--cursor", "nonsense")[0] == 2
