"""What a provider raises that its interface does not have."""

from __future__ import annotations

import logging

import pytest

from reseller_kit.core.errors import InvalidRequest, ServiceUnavailable
from reseller_kit.payments.faults import asking
from tests.support.payments import Till


@pytest.mark.parametrize("refusal", [InvalidRequest("Too little."), ServiceUnavailable("Away.")])
def test_what_the_interface_has_passes(refusal: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(type(refusal)) as caught, asking(Till()):
        raise refusal
    assert caught.value is refusal
    assert caplog.records == []


@pytest.mark.parametrize("fault", [KeyError("url"), RuntimeError("no licence"), TimeoutError(), RecursionError()])
def test_anything_else_is_logged_whole_and_told_as_if_nobody_answered(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ServiceUnavailable) as caught, asking(Till("paylink")):
        raise fault
    assert caught.value.__cause__ is fault
    assert str(fault) not in caught.value.message or not str(fault)
    (line,) = caplog.records
    assert (line.getMessage(), line.exc_info is not None) == ("the payment provider paylink failed", True)


def test_the_end_of_a_task_is_nobody_s_fault() -> None:
    with pytest.raises(KeyboardInterrupt), asking(Till()):
        raise KeyboardInterrupt
