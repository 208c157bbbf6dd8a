from __future__ import annotations

import pytest

from reseller_kit.core.email import normalise_email
from reseller_kit.core.errors import InvalidRequest


def test_an_address_is_case_folded() -> None:
    assert normalise_email(" Kim.Straße@Example.COM ") == "kim.strasse@example.com"


@pytest.mark.parametrize(
    "text", ["", "kim", "kim@", "@example.com", "a b@example.com", "kim@exa mple.com", "k\0@e.com"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        normalise_email(text)
    assert caught.value.param == "email"
