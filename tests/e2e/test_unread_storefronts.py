"""A server with more storefronts than it reads at its start: each is there for its first request, or says why not."""

from __future__ import annotations

from typing import Any

import pytest

from reseller_kit.flows import snapshot as snapshots
from tests.support.inside import inside
from tests.support.product import LITERALS, Shop


@pytest.fixture(autouse=True)
def nothing_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "EAGER", 0)


async def test_the_first_request_of_a_storefront_reads_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    read, load = [], snapshots.load_storefront

    async def counted(db: Any, shared: Any, tenant_id: int) -> Any:
        read.append(tenant_id)
        return await load(db, shared, tenant_id)

    monkeypatch.setattr(snapshots, "load_storefront", counted)
    async with inside(shop, LITERALS["solaria"]) as server:
        assert read == []
        page, _ = await server.get("/pricing")
        api, _ = await server.get("/v1/models")
    assert page.status_code == 200
    assert api.status_code == 401
    assert len(read) == 1


async def test_a_storefront_that_cannot_be_read_is_not_available(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    load = snapshots.load_storefront

    async def refused(*_given: Any) -> Any:
        raise OSError("the database is away")

    monkeypatch.setattr(snapshots, "load_storefront", refused)
    async with inside(shop, LITERALS["solaria"]) as server:
        page, _ = await server.get("/pricing")
        api, _ = await server.get("/v1/models")
        monkeypatch.setattr(snapshots, "load_storefront", load)
        later, _ = await server.get("/pricing")
    assert (page.status_code, api.status_code, later.status_code) == (503, 503, 200)
    assert api.json()["error"]["code"] == "service_unavailable"
    assert "database" not in page.text + api.text
