"""Each OpenAPI document is asked in full by schemathesis on a running server: what it says is what there is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from reseller_kit.web.management import BASE
from scripts._lib import scanners
from tests.e2e.test_management_api import Program
from tests.support.product import Shop

HOST = "127.0.0.2"
NOT_ASKED = {
    # Bodies of the gateway are described by the APIs that they follow, not by the document; routes that share a
    # beginning share the list of methods that a refusal names.
    "gateway": "positive_data_acceptance,allow_header_conformance,missing_required_header",
    # Addresses, amounts and ids have forms that a JSON schema does not tell.
    "management": "positive_data_acceptance,missing_required_header",
}


def documents(shop: Shop) -> dict[str, tuple[str, str, str]]:
    """Name → (document, where it is served, a credential)."""
    origin = f"http://{HOST}:{shop.server.port}"
    program = Program(shop)
    gateway = shop.get("/schema", "desk.localhost").text
    management = program.ask("GET", "/openapi.json").text
    key = shop.customer("solaria", "50.00").key
    return {"gateway": (gateway, origin, key), "management": (management, origin + BASE, program.token)}


def ask_all(shop: Shop, folder: Path, name: str, phases: str, examples: int) -> None:
    scanners.ensure()
    document, url, credential = documents(shop)[name]
    file = folder / f"{name}.json"
    file.write_text(document)
    paths = len(json.loads(document)["paths"])
    command = [str(scanners.BIN / "schemathesis"), "run", str(file), f"--url={url}", f"--phases={phases}"]
    bounds = [f"--max-examples={examples}", "--seed=1", "--workers=1", "--request-timeout=30", "--warnings=off"]
    checks = ["--checks=all", f"--exclude-checks={NOT_ASKED[name]}", "--no-color", "--suppress-health-check=all"]
    done = subprocess.run(
        [*command, *bounds, *checks, "--header", f"Authorization: Bearer {credential}"],
        cwd=folder,
        env={**scanners.environment(), "NO_PROXY": HOST},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert paths > 15
    assert credential not in done.stdout


@pytest.mark.thorough
def test_the_gateways_document_says_what_there_is(any_shop: Shop, tmp_path: Path) -> None:
    ask_all(any_shop, tmp_path, "gateway", "fuzzing", 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_ASKED)
def test_a_document_says_what_there_is_whatever_is_asked(any_shop: Shop, tmp_path: Path, name: str) -> None:
    ask_all(any_shop, tmp_path, name, "coverage,fuzzing", 10)
