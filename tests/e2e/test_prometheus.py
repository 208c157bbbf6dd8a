"""A real Prometheus with the rules of deploy/observability scrapes a real server and tells when it is gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts._lib.bootstrap import ROOT, install_debian
from scripts._lib.ports import free_port
from scripts._lib.processes import running
from scripts._lib.promtool import DEBIAN_PACKAGE
from tests.support.product import Shop, eventually, open_shop

FOLDER = ROOT / "deploy" / "observability"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("scraped"), workers=2) as made:
        yield made


@pytest.fixture(scope="module")
def prometheus(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("prometheus") is None:
        install_debian(DEBIAN_PACKAGE)
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    text = (FOLDER / "prometheus.yml").read_text().replace("15s", "1s")
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{shop.server.port}").replace("127.0.0.1:9093", "")
    text = text.partition("alerting:")[0] + "scrape_configs:" + text.partition("scrape_configs:")[2]
    (folder / "prometheus.yml").write_text(text)
    for name in ("recording.yml", "alerts.yml"):
        # What waits for minutes is not waited for here; promtool's own tests do that.
        rules = (FOLDER / name).read_text().replace("for: 1m", "for: 1s").replace("5m]", "15s]")
        (folder / name).write_text(rules)
    command: list[str | Path] = ["prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with running("Prometheus", command, log=folder / "prometheus.log", answers_on=[("127.0.0.1", port)]):
        # It listens before it has read its own log, and answers 503 until then.
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/-/ready", trust_env=False).is_success, "Prometheus")
        yield f"http://127.0.0.1:{port}/api/v1"


def result(prometheus: str, query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{prometheus}/query", params={"query": query}, trust_env=False).json()
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def value(prometheus: str, query: str) -> float:
    found = result(prometheus, query)
    return float(found[0]["value"][1]) if found else 0.0


def test_it_scrapes_computes_and_warns(shop: Shop, prometheus: str) -> None:
    eventually(lambda: value(prometheus, 'up{job="reseller-kit"}') == 1, "a scrape")
    customer = shop.customer()

    def counted() -> bool:
        assert shop.call(customer, headers={"connection": "close"}).status_code == 200
        return value(prometheus, 'job:reseller_kit_calls:rate5m{outcome="ok"}') > 0

    eventually(counted, "a rate")
    assert value(prometheus, "sum(reseller_kit_database_up)") == 1
    groups = httpx.get(f"{prometheus}/rules", trust_env=False).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 30
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}, [r for r in rules if r["health"] == "err"]
    firing = {each["metric"]["alertname"] for each in result(prometheus, 'ALERTS{alertstate="firing"}')}
    assert "ResellerKitServerDown" not in firing
    shop.server.child.process.terminate()
    eventually(
        lambda: value(prometheus, 'ALERTS{alertname="ResellerKitServerDown",alertstate="firing"}') == 1, "an alert"
    )
