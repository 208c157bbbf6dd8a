from __future__ import annotations

import pytest

from reseller_kit.core.errors import InvalidForm
from reseller_kit.flows.identity.visit import check_password


@pytest.mark.parametrize("password", ["", "short", "1234567", "aaaaaaaaaaaa", "abababab", "Password1", "x" * 201])
def test_a_password_that_anybody_would_try_is_refused(password: str) -> None:
    with pytest.raises(InvalidForm) as caught:
        check_password(password, "new_password")
    assert list(caught.value.problems) == ["new_password"]


@pytest.mark.parametrize("password", ["correct horse", "hunter22!", "пароль двоих", "\N{SNOWMAN}abcdefg", "xy " * 66])
def test_any_other_is_taken(password: str) -> None:
    check_password(password)
