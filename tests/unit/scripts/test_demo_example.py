from __future__ import annotations

from pathlib import Path

import pytest

from scripts._lib.bootstrap import ROOT
from scripts._lib.demo.example import UnfitExample, read

TEXT = """
[upstreams.near]
base_url = "http://127.0.0.1:9101/v1"
api_keys = ["env:NEAR_KEY"]
# api_keys = ["env:NOT_THIS_ONE"]
[models.first]
[models.beta-preview]
[models.last]
[[tenants]]
slug = "shop"
name = "Shop"
domains = [{ host = "shop.localhost", role = "storefront" }, { host = "127.0.0.2", role = "storefront" }]
catalog = { deny = ["*-preview"], aliases = { quick = "first" } }
"""


def write(folder: Path, text: str = TEXT) -> Path:
    path = folder / "tenants.toml"
    path.write_text(text)
    return path


def test_a_storefront_is_reached_by_its_loopback_host(tmp_path: Path) -> None:
    store = read(write(tmp_path)).storefronts[0]
    assert store.address == "127.0.0.2"
    assert (store.plain_model, store.streamed_model) == ("last", "quick")


def test_only_references_in_use_need_a_secret(tmp_path: Path) -> None:
    assert read(write(tmp_path)).secret_names() == ["NEAR_KEY"]


def test_another_upstream_port_can_take_its_place(tmp_path: Path) -> None:
    example = read(write(tmp_path))
    assert (example.upstream_host, example.upstream_port) == ("127.0.0.1", 9101)
    moved = write(tmp_path, example.with_upstream_port(9200))
    assert read(moved).upstream_port == 9200


@pytest.mark.parametrize(
    ("old", "new"),
    [("http://127.0.0.1:9101/v1", "https://api.example.com/v1"), ("127.0.0.2", "shop.example.com")],
)
def test_a_file_that_would_leave_the_machine_is_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(UnfitExample):
        read(write(tmp_path, TEXT.replace(old, new)))


def test_the_shipped_example_is_fit_and_has_two_storefronts() -> None:
    example = read(ROOT / "tenants.example.toml")
    assert len(example.storefronts) == 2
    assert len({store.address for store in example.storefronts}) == 2
