"""What the mails of each reader may tell, looked at in the samples of all kinds."""

from __future__ import annotations

import pytest

from reseller_kit import theming
from reseller_kit.flows.deliver import KINDS
from reseller_kit.theming import render_mail
from reseller_kit.theming.sample import sample_mail

LIBRARY = theming.load()
OF_OPERATORS = ("reseller-kit", "tenants.toml")


@pytest.mark.parametrize("kind", sorted(kind for kind, reader in KINDS.items() if reader != "operator"))
def test_who_is_no_operator_reads_of_no_command(kind: str) -> None:
    mail = render_mail(LIBRARY, "base", kind, sample_mail(kind))
    told = mail.subject + mail.text + mail.html
    assert [word for word in OF_OPERATORS if word in told] == []


@pytest.mark.parametrize("kind", ["order_to_approve", "chargeback", "chargeback_warning", "payment_review"])
def test_what_waits_for_a_decision_leads_to_its_page(kind: str) -> None:
    mail = render_mail(LIBRARY, "base", kind, sample_mail(kind))
    for body in (mail.text, mail.html):
        assert "https://aurora.example/console/orders/ord_01JD0000000000000000000000" in body
