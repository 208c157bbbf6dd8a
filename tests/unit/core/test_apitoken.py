from __future__ import annotations

import pytest

from reseller_kit.core import apikey
from reseller_kit.core.apitoken import generate, is_covered, is_well_formed


@pytest.mark.parametrize("prefix", ["sk", "a", "sk-live-2026", "abcdefghijklmnop"])
def test_a_token_is_no_key_of_its_brand(prefix: str) -> None:
    token = generate(prefix)
    assert is_well_formed(token)
    assert token.partition("_")[0].endswith("-admin")
    assert not is_well_formed(apikey.generate(prefix))
    assert not is_well_formed(token + "0")


def test_who_may_write_may_read_and_no_more() -> None:
    assert is_covered("prices:read", ("prices:write",))
    assert not is_covered("prices:write", ("prices:read",))
    assert not is_covered("customers:read", ("prices:write", "keys"))
    assert is_covered("keys", ("keys",))
