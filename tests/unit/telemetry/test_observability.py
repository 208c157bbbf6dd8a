"""deploy/observability is taken by Prometheus's own checks and names only what the code has; the runbook knows each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from reseller_kit.cli.root import root
from reseller_kit.telemetry.metrics import Metrics
from scripts._lib.bootstrap import ROOT
from scripts._lib.promtool import promtool

FOLDER = ROOT / "deploy" / "observability"
RULES = ("recording.yml", "alerts.yml")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
ALERTS = re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text(encoding="utf-8"))
RECORDED = set(re.findall(r"- record: (\S+)", (FOLDER / "recording.yml").read_text(encoding="utf-8")))


def exposed() -> set[str]:
    """Every name that a scrape may hold."""
    names = set()
    for family in Metrics().families:
        names.add(family.name)
        if family.kind == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def named_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w:])reseller_kit_\w+(?![\w:])", text)) - {
        "reseller_kit_recording",
        "reseller_kit_alerts",
    }


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


@pytest.mark.parametrize(
    "command",
    [("check", "rules", *RULES), ("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_takes_it(command: tuple[str, ...]) -> None:
    code, printed = promtool(*command, folder=FOLDER)
    assert code == 0, printed


def test_promtool_takes_what_is_exposed() -> None:
    assert promtool("check", "metrics", stdin=Metrics().render()) == (0, "")


@pytest.mark.parametrize("file", [*RULES, "alerts_test.yml", *(f"dashboards/{path.name}" for path in DASHBOARDS)])
def test_every_metric_that_is_named_exists(file: str) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert named_in(text) <= exposed()
    used = set(re.findall(r"\b\w+:reseller_kit_\w+:\w+", text))
    assert used <= RECORDED


def test_every_metric_that_the_pages_name_exists() -> None:
    for page in ("runbook.md", "observability.md", "routing.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert named_in(text) <= exposed()
        assert set(re.findall(r"\b\w+:reseller_kit_\w+:\w+", text)) <= RECORDED


def test_every_labelled_family_is_asked_by_labels_that_it_has() -> None:
    labels = {family.name: set(family.labels) for family in Metrics().families}
    text = "".join(path.read_text(encoding="utf-8") for path in (*DASHBOARDS, FOLDER / "alerts.yml"))
    for name, matched in re.findall(r"(reseller_kit_\w+?)(?:_bucket|_sum|_count)?\{([^}]*)\}", text):
        if name in labels:
            assert set(re.findall(r"(\w+)\s*[=!]", matched)) <= labels[name]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_can_be_imported(path: Path, tmp_path: Path) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    assert dashboard["uid"] == f"reseller-kit-{path.stem}"
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    rules = [{"record": f"a{number}", "expr": text} for number, text in enumerate(expressions(dashboard))]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, printed = promtool("check", "rules", str(file))
    assert code == 0, printed


def test_each_alert_has_its_section_and_nothing_else_has() -> None:
    assert sorted(re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)) == sorted(ALERTS)
    linked = re.findall(r"runbook: docs/runbook\.md#(\w+)", (FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    assert linked == [alert.lower() for alert in ALERTS]
    for section in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]:
        assert "\n- **Look at:** " in section
        assert "\n- **Do:** " in section
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOK)) <= {alert.lower() for alert in ALERTS}


def test_the_runbook_names_commands_that_exist() -> None:
    for line in re.findall(r"`reseller-kit ([^`]+)`", RUNBOOK):
        words = [word for word in line.split() if re.fullmatch(r"[a-z]+", word)]
        assert known(words), line


def known(words: list[str]) -> bool:
    command: click.Command = root
    with click.Context(root) as context:
        for word in words:
            if not isinstance(command, click.Group):
                return False
            found = command.get_command(context, word)
            if found is None:
                return False
            command = found
    return not isinstance(command, click.Group)
