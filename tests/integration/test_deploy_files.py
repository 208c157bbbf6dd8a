"""What is in deploy/ is valid to the tools that will read it, and agrees with the product and with itself."""

from __future__ import annotations

import configparser
import ipaddress
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reseller_kit.cli import serve
from reseller_kit.settings import PREFIX, VARIABLES
from scripts._lib.bootstrap import ROOT, VENV

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
UNITS = sorted((DEPLOY / "systemd").iterdir())
DRAIN_SECONDS = serve._LATE_SECONDS + serve._QUIET_SECONDS + serve._DRAIN_SECONDS + serve._CLOSE_SECONDS


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said}"
    return said


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def manifest(name: str) -> Any:
    return read(DEPLOY / "kubernetes" / f"{name}.yaml")


def pods() -> list[Any]:
    return [manifest(name)["spec"]["template"]["spec"] for name in ("deployment", "migrate")]


def delay_in(command: list[str]) -> float:
    return float(command[command.index("--shutdown-delay") + 1])


def test_the_container_file_passes_its_linter() -> None:
    run(VENV / "bin" / "hadolint", DEPLOY / "Containerfile")


def test_the_image_is_built_from_locks_and_runs_without_rights() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-index" in line, line
    assert "\nUSER 10001:10001\n" in text
    assert text.rindex("USER 10001") > text.rindex("COPY")
    assert re.search(r'^ENTRYPOINT \["reseller-kit"\]$', text, re.MULTILINE)


def test_everything_that_the_image_copies_passes_the_ignore_file() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in (DEPLOY / "Containerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert source.partition("/")[0] in kept


def test_compose_follows_its_schema() -> None:
    run(VENV / "bin" / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_compose_has_the_topology() -> None:
    document = read(DEPLOY / "compose.yaml")
    services = document["services"]
    assert {"app-1", "app-2", "postgres", "valkey", "caddy", "migrate"} <= services.keys()
    upstreams = services["caddy"]["environment"]["RK_UPSTREAM"].split()
    assert {upstream.partition(":")[0] for upstream in upstreams} == {"app-1", "app-2"}
    for name in ("app-1", "app-2", "migrate", "apply"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert set(service["secrets"]) <= document["secrets"].keys()
        for value in service["environment"].values():
            assert "://" not in value or value.startswith("redis://valkey"), "a secret belongs into a file"
    for name, service in services.items():
        assert "ports" not in service or name == "caddy"
        for other, condition in service["depends_on"].items() if isinstance(service.get("depends_on"), dict) else ():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[other]
    address = services["caddy"]["networks"]["inside"]["ipv4_address"]
    assert services["app-1"]["environment"]["RESELLER_KIT_TRUSTED_PROXIES"] == address
    assert address in services["app-1"]["environment"]["RESELLER_KIT_INTERNAL_PEERS"]


def test_no_other_container_is_given_the_address_that_is_believed() -> None:
    """Addresses are handed out in the order of start, and Caddy starts last: they need a range of their own."""
    document = read(DEPLOY / "compose.yaml")
    (pool,) = document["networks"]["inside"]["ipam"]["config"]
    given = ipaddress.IPv4Network(pool["ip_range"])
    fixed = ipaddress.IPv4Address(document["services"]["caddy"]["networks"]["inside"]["ipv4_address"])
    assert given.subnet_of(ipaddress.IPv4Network(pool["subnet"]))
    assert fixed in ipaddress.IPv4Network(pool["subnet"])
    assert fixed not in given
    assert fixed != next(ipaddress.IPv4Network(pool["subnet"]).hosts()), "the gateway's"


def test_what_a_container_writes_to_belongs_to_its_user() -> None:
    """A tmpfs over a folder of the image has that folder's mode, and root as its owner unless it says otherwise."""
    services = read(DEPLOY / "compose.yaml")["services"]
    without_root = [service for service in services.values() if "user" in service]
    assert len(without_root) == 5
    for service in without_root:
        user, _, group = service["user"].partition(":")
        assert "cap_add" not in service
        covered = [mount for mount in service["tmpfs"] if mount != "/tmp"]
        assert covered == [f"/data:mode=0700,uid={user},gid={group}"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_follow_the_schemas_of_kubernetes(path: Path) -> None:
    run(VENV / "bin" / "kubernetes-validate", "--strict", path)


def test_kustomize_lists_every_manifest() -> None:
    assert sorted(read(DEPLOY / "kubernetes" / "kustomization.yaml")["resources"]) == [path.name for path in MANIFESTS]


def test_pods_meet_the_restricted_standard() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_selectors_find_the_pods_and_ports_have_their_names() -> None:
    deployment = manifest("deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert manifest("service")["spec"]["selector"].items() <= labels.items()
    assert manifest("disruption")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert manifest("autoscaler")["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (serving,) = pods()[0]["containers"]
    assert [port["name"] for port in serving["ports"]] == ["http"]


def test_pods_reach_what_their_settings_may_name() -> None:
    """The database, the cache and a collector of traces, each by its usual port."""
    policy = manifest("network")["spec"]
    rules = [(to, port["port"]) for rule in policy["egress"] for to in rule["to"] for port in rule["ports"]]
    inside = {
        (to["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port)
        for to, port in rules
        if "namespaceSelector" in to
    }
    assert inside == {("kube-system", 53), ("data", 5432), ("data", 6379), ("monitoring", 4318)}


def test_the_autoscaler_goes_by_a_metric_that_there_is() -> None:
    names = {
        metric["pods"]["metric"]["name"] for metric in manifest("autoscaler")["spec"]["metrics"] if "pods" in metric
    }
    known = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert names
    assert all(f"`{name}`" in known for name in names)


def test_who_is_told_to_end_has_time_for_it() -> None:
    """Delay, drain and close fit into what compose, systemd and Kubernetes wait before they kill."""
    image = re.search(
        r'^CMD \["serve".*"--shutdown-delay", "(\d+)"\]$', (DEPLOY / "Containerfile").read_text(), re.MULTILINE
    )
    assert image is not None
    compose = read(DEPLOY / "compose.yaml")["services"]["app-1"]["stop_grace_period"]
    assert int(compose.removesuffix("s")) > int(image[1]) + DRAIN_SECONDS
    pod = pods()[0]
    assert pod["terminationGracePeriodSeconds"] > delay_in(pod["containers"][0]["args"]) + DRAIN_SECONDS
    unit = (DEPLOY / "systemd" / "reseller-kit@.service").read_text()
    start, stop = (
        re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE),
        re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE),
    )
    assert start is not None
    assert stop is not None
    assert int(stop[1]) > delay_in(start[1].split()) + DRAIN_SECONDS


def test_a_process_whose_database_is_away_is_started_until_it_is_back() -> None:
    """Without the limit's zero systemd gives up after some tries, and nobody serves when the database comes back."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(DEPLOY / "systemd" / "reseller-kit@.service")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] == "on-failure"
    assert int(unit["Service"]["RestartSec"]) >= 1


@pytest.mark.systemd
def test_units_are_understood_by_systemd(tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(DEPLOY / "systemd", folder)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr" / "lib" / "systemd" / "system", symlinks=True)
    for program in ("opt/reseller-kit/bin/reseller-kit", "usr/bin/find", "bin/sh"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    names = [path.name.replace("@.", "@8001.") for path in UNITS]
    said = run("systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", *names)
    assert "reseller-kit" not in said, said


@pytest.mark.systemd
@pytest.mark.parametrize("path", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda path: path.stem)
def test_units_are_hardened(path: Path) -> None:
    run("systemd-analyze", "security", "--offline=yes", "--threshold=25", path)  # fails above 2.5 of 10


def test_only_settings_that_there_are_are_set() -> None:
    for path in [DEPLOY / "compose.yaml", DEPLOY / "Containerfile", *UNITS, *MANIFESTS]:
        for name in re.findall(rf"{PREFIX}([A-Z_]+)", path.read_text()):
            assert name in VARIABLES or name == "VERSION", (path.name, name)
