"""What a form's page shows again of what was typed."""

from __future__ import annotations

from reseller_kit.core.errors import InvalidForm
from reseller_kit.web.forms import Form


def test_nothing_that_was_typed_is_lost_but_secrets() -> None:
    body = "A case told at length. " * 200
    form = Form({"subject": ("",), "body": (body, "twice"), "password": ("secret",), "csrf": ("00",), "code": ("1",)})
    shown = form.view(InvalidForm({"subject": ("form.needed", {})}))
    assert dict(shown.values) == {"subject": "", "body": body}
    assert [problem.field for problem in shown.problems] == ["subject"]
