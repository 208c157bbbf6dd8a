"""What the console's page of the wholesale account shows. Amounts are nano-USD, moments aware datetimes."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from .billing import ORDER_TONES
from .forms import FormView

_PAYOUT_TONES: Final = {"requested": "info", "approved": "info", "paid": "ok", "rejected": "bad"}


class TopUpLine(Struct, frozen=True, kw_only=True):
    """A payment to the operator. `pay_url`: where it is paid, while it waits."""

    id: str
    state: str
    amount: int
    at: dt.datetime
    by: str
    pay_url: str = ""
    waits: bool = False

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return ORDER_TONES[self.state]


class PayoutLine(Struct, frozen=True, kw_only=True):
    """A payout of the revenue share."""

    id: str
    state: str
    amount: int
    at: dt.datetime
    reference: str = ""
    reason: str = ""

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return _PAYOUT_TONES.get(self.state, "")


class ModelLine(Struct, frozen=True, kw_only=True):
    """What calls of a model came to in the month."""

    model: str
    calls: int
    retail: int
    wholesale: int
    margin: int


class MonthView(Struct, frozen=True, kw_only=True):
    """A month's statement. `moves`: what moved the account, by code."""

    name: str
    first: dt.date
    opening: int
    closing: int
    retail: int
    wholesale: int
    margin: int
    models: tuple[ModelLine, ...] = ()
    moves: tuple[tuple[str, int], ...] = ()


class WholesaleView(Struct, frozen=True, kw_only=True):
    """The page. `settlement`: prepaid | revenue_share; `least` and `most`: what can be paid at once."""

    settlement: str
    balance: int
    reserved: int
    available: int
    overdraft: int
    least: int
    most: int
    month: MonthView
    months: tuple[tuple[str, dt.date], ...] = ()
    matured: int = 0
    payable: int = 0
    requested: int = 0
    topups: tuple[TopUpLine, ...] = ()
    payouts: tuple[PayoutLine, ...] = ()
    thresholds: str = ""
    instructions: str = ""
    may_edit: bool = False
    may_ask: bool = False
    request_key: str = ""
    action: str = ""
    form: FormView = FormView()
    done: str = ""

    @property
    def empty_form(self) -> FormView:
        """For the forms that were not sent."""
        return FormView()
