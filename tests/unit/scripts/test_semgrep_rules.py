"""Each of our own rules finds what it is for, and leaves alone what is beside it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts._lib import scanners
from scripts._lib.bootstrap import ROOT

SAMPLES: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "tests" / "fixtures" / "semgrep.toml").read_text())

pytestmark = pytest.mark.thorough


@cache
def rules() -> list[str]:
    return [rule["id"] for rule in yaml.safe_load(scanners.RULES.read_text())["rules"]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """(rule, file) of what was found in all samples, in one run."""
    folder = tmp_path_factory.mktemp("samples")
    for rule, samples in SAMPLES.items():
        for kind in ("bad", "good"):
            for number, code in enumerate(samples[kind]):
                path = folder / f"sample.{rule}.{kind}.{number}{samples.get('suffix', '.py')}"
                path.write_text(code + "\n")
    scanners.ensure()
    done = subprocess.run(
        scanners.semgrep(str(folder), form="--json"),
        cwd=ROOT,
        env=scanners.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["errors"] == []
    return {(one["check_id"].rpartition(".")[2], Path(one["path"]).name) for one in report["results"]}


def test_every_rule_has_samples() -> None:
    assert sorted(rules()) == sorted(SAMPLES)
    assert all(samples["bad"] and samples["good"] for samples in SAMPLES.values())


@pytest.mark.parametrize("rule", SAMPLES)
def test_a_rule_finds_what_it_refuses_and_nothing_beside_it(rule: str, found: set[tuple[str, str]]) -> None:
    samples, suffix = SAMPLES[rule], SAMPLES[rule].get("suffix", ".py")
    wanted = {f"sample.{rule}.bad.{number}{suffix}" for number in range(len(samples["bad"]))}
    by_rule = {name for found_by, name in found if found_by == rule and name.startswith(f"sample.{rule}.")}
    assert by_rule == wanted
