"""Traces cost nothing where nobody collects them, and say plainly what is missing where somebody would."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reseller_kit import app
from reseller_kit.settings import InvalidSetting, Settings, load
from reseller_kit.telemetry import traces
from reseller_kit.telemetry.steps import UNTRACED
from tests.support.otlp import collecting


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    return load(
        {f"RESELLER_KIT_{name}": value for name, value in values.items()} | {"RESELLER_KIT_SECRET_KEY": "x" * 40}
    )


def loaded_by(modules: str) -> set[str]:
    """What of traces these bring along. The SDK alone tells nothing: the client of Redis loads it where it finds it."""
    program = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {"reseller_kit.telemetry.traces", "opentelemetry.exporter"} & set(done.stdout.split())


def test_nothing_is_loaded_until_it_is_needed() -> None:
    assert loaded_by("reseller_kit.app, reseller_kit.cli.serve") == set()
    assert loaded_by("reseller_kit.telemetry.traces") != set()


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setitem(sys.modules, "reseller_kit.telemetry.traces", None)
    wanted = settings(monkeypatch, OTLP_URL="http://127.0.0.1:4318", DATA_DIR=str(tmp_path))
    with pytest.raises(InvalidSetting) as found:
        app._open_traces(wanted)
    assert "reseller-kit[otlp]" in found.value.fix
    assert app._open_traces(settings(monkeypatch, DATA_DIR=str(tmp_path))) is None


@pytest.mark.parametrize("ratio", ["-1", "2", "1.5", "x", "1e-3", "0.1234567", "nan", ".5"])
def test_a_ratio_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, ratio: str, tmp_path: object) -> None:
    with pytest.raises(InvalidSetting, match="TRACE_RATIO"):
        settings(monkeypatch, TRACE_RATIO=ratio, DATA_DIR=str(tmp_path))


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://collector.example/otlp/v1/traces", "https://collector.example/otlp/v1/traces"),
        ("https://u:p@collector.example?x=1", "https://u:p@collector.example/v1/traces?x=1"),
    ],
)
def test_a_url_without_a_path_gets_the_usual_one(url: str, used: str) -> None:
    assert traces.traces_url(url) == used


def test_what_is_not_sampled_costs_nothing_below_it() -> None:
    with collecting() as collector:
        none = traces.Traces(collector.url, 0.0, "1")
        step = none.begin("request", None)
        assert step is UNTRACED
        assert step.child("hold", upstream="x") is UNTRACED
        asked = none.begin("request", ("0" * 31 + "1", "0" * 15 + "2", True))
        with asked.child("hold"):
            pass
        asked.tell(name="GET /x", status=200, model=None)
        asked.end("failed")
        none.close()
    assert [(span.name, span.failed) for span in collector.spans] == [("hold", False), ("GET /x", True)]
    assert {span.trace for span in collector.spans} == {"0" * 31 + "1"}


def test_a_failure_inside_a_step_is_its_outcome() -> None:
    with collecting() as collector:
        made = traces.Traces(collector.url, 1.0, "1")
        step = made.begin("request", None)
        with pytest.raises(ValueError, match="secret"), step.child("hold"):
            raise ValueError("a secret text")
        step.end()
        made.close()
    assert {span.name: span.facts["reseller_kit.outcome"] for span in collector.spans} == {
        "hold": "ValueError",
        "request": "ok",
    }
    assert b"secret" not in b"".join(collector.raw)


def test_a_collector_that_is_away_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    made = traces.Traces("http://watcher:hunter2@127.0.0.1:1", 1.0, "1")
    for _ in range(10):
        made.begin("request", None).end()
    made.close()
    assert "hunter2" not in caplog.text
