"""The example of an overlay fits the manifests below it: every patch finds its place, and what comes of it is valid."""

from __future__ import annotations

import copy
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from reseller_kit.settings import PREFIX
from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.commands import run_here
from tests.integration.test_deploy_files import MANIFESTS, read, run
from tests.support.server import make_installation

FOLDER = ROOT / "deploy" / "overlays" / "production"
OVERLAY: dict[str, Any] = read(FOLDER / "kustomization.yaml")


def resources() -> list[dict[str, Any]]:
    """Those of the base and the overlay's own."""
    own = [FOLDER / name for name in OVERLAY["resources"] if name.endswith(".yaml")]
    return [read(path) for path in (*MANIFESTS, *own)]


def targets(patch: dict[str, Any]) -> list[int]:
    """Which of the resources a patch changes: kustomize takes kinds and names for whole patterns."""
    kind, name = patch["target"]["kind"], patch["target"]["name"]
    return [
        number
        for number, each in enumerate(resources())
        if re.fullmatch(kind, each["kind"]) and re.fullmatch(name, each["metadata"]["name"])
    ]


def patched() -> list[dict[str, Any]]:
    """All resources with every patch (RFC 6902: `replace`, and `add` at the end of a list). KeyError for no place."""
    found = copy.deepcopy(resources())
    for patch in OVERLAY["patches"]:
        for number in targets(patch):
            for change in yaml.safe_load(patch["patch"]):
                *way, last = change["path"].strip("/").split("/")
                place: Any = found[number]
                for step in way:
                    place = place[int(step) if isinstance(place, list) else step]
                if change["op"] == "add":
                    assert last == "-"
                    place.append(change["value"])
                else:
                    assert change["op"] == "replace"
                    key = int(last) if isinstance(place, list) else last
                    assert type(place[key]) is type(change["value"])
                    place[key] = change["value"]
    return found


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in patched() if each["kind"] == kind]


def test_it_stands_on_the_manifests() -> None:
    base, *own = OVERLAY["resources"]
    assert (FOLDER / base / "kustomization.yaml").resolve() == ROOT / "deploy" / "kubernetes" / "kustomization.yaml"
    assert all((FOLDER / name).exists() for name in own)
    assert all(targets(patch) for patch in OVERLAY["patches"])


@pytest.mark.parametrize("number", range(len(resources())), ids=lambda number: resources()[number]["metadata"]["name"])
def test_what_comes_of_it_follows_the_schemas_of_kubernetes(number: int, tmp_path: Path) -> None:
    path = tmp_path / "resource.yaml"
    path.write_text(yaml.safe_dump(patched()[number]))
    run(VENV / "bin" / "kubernetes-validate", "--strict", path)


def test_all_pods_have_the_image_and_the_secret() -> None:
    (image,) = OVERLAY["images"]
    below = read(ROOT / "deploy" / "kubernetes" / "kustomization.yaml")["images"][0]
    assert image["name"] == below["newName"]
    workloads = [*of_kind("Deployment"), *of_kind("Job")]
    assert len(workloads) == 3
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] in {below["name"], below["newName"]}
        assert pod["volumes"][0]["secret"]["secretName"] == "shop-secrets"
        assert pod["securityContext"]["runAsNonRoot"] is True


def test_the_job_that_applies_finds_its_file_and_reaches_the_database() -> None:
    (apply,) = [each for each in of_kind("Job") if each["metadata"]["name"] == "reseller-kit-apply"]
    pod = apply["spec"]["template"]["spec"]
    (generated,) = OVERLAY["configMapGenerator"]
    assert {"name": "tenants", "configMap": {"name": generated["name"]}} in pod["volumes"]
    assert pod["containers"][0]["args"] == ["apply", "--yes", "-f", f"/config/{generated['files'][0]}"]
    (policy,) = of_kind("NetworkPolicy")
    chosen = policy["spec"]["podSelector"]["matchExpressions"][0]["values"]
    assert apply["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] in chosen


def test_its_storefronts_can_be_applied(tmp_path: Path) -> None:
    file = Path(shutil.copy(FOLDER / "tenants.toml", tmp_path))
    names = re.findall(r"env:(\w+)", file.read_text())
    environment = make_installation(tmp_path, **dict.fromkeys(names, "a-secret")).environment
    code, out, err = run_here(["apply", "--yes", "-f", str(file), "--json"], environment)
    assert code == 0, out + err
    assert tomllib.loads(file.read_text())["platform"]["hosts"]
    assert not any(name.startswith(PREFIX) for name in names)
