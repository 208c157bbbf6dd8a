"""What a customer reads of the restrictions of its API access, and the form of an appeal. Knows no reporter."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .forms import FormView


class RestrictionRow(Struct, frozen=True, kw_only=True):
    """A restriction that holds or held. `state`: restricted | appealed | upheld | lifted."""

    id: str
    state: str
    since: dt.datetime
    until: dt.datetime | None = None
    reason: tuple[str, ...] = ()
    appeal: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether calls are refused because of it."""
        return self.state != "lifted"


class RestrictionView(Struct, frozen=True, kw_only=True):
    """All of them, newest first. `sent`: whose form was sent and is shown again."""

    rows: tuple[RestrictionRow, ...] = ()
    form: FormView = FormView()
    sent: str = ""
    done: bool = False

    def form_of(self, report_id: str) -> FormView:
        """The form of one appeal: what was typed into it, or an empty one."""
        return self.form if self.sent == report_id else FormView()
