"""What makes an operation happen once: the caller's key and what was asked."""

from __future__ import annotations

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.flows.credits import idempotency


@pytest.mark.parametrize("key", ["", " ", "\t\n"])
def test_an_empty_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        idempotency("credit.grant", key, [])


def test_what_is_asked_makes_the_hash() -> None:
    first, again, other = (idempotency("credit.grant", "k", arguments) for arguments in ([1, "a"], [1, "a"], [1, "b"]))
    assert first == again
    assert first is not None
    assert other is not None
    assert first.request_hash != other.request_hash
    assert idempotency("credit.grant", None, [1]) is None
