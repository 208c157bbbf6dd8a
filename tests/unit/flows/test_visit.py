from __future__ import annotations

import pytest

from reseller_kit.dns import Resolver
from reseller_kit.flows.domains.visit import _look, visit
from scripts._lib.ports import free_port


@pytest.mark.parametrize(
    ("page", "codes"),
    [
        ("<title>R&amp;D &lt;b&gt;</title>", []),
        ("<title>Parked here</title>", ["DR225"]),
        ("<p>R&amp;D &lt;b&gt; runs on Northwind</p>", ["DR226"]),
        ("<p>Northwind</p>", ["DR225", "DR226"]),
    ],
)
def test_a_page_is_its_own_brands_alone(page: str, codes: list[str]) -> None:
    found = _look("shop.example", page, "R&D <b>", ["Northwind", "R&D"])
    assert [wrong.code for wrong in found] == codes


async def test_where_nobody_answers_is_said() -> None:
    origin = f"http://shop.localhost:{free_port()}"
    (wrong,) = await visit(Resolver(), origin, own="Shop", foreign=())
    assert wrong.code == "DR224"
    assert "ConnectionRefusedError" in wrong.message
