"""What the console's pages of announcements and vouchers show. Amounts are nano-USD, moments aware datetimes."""

from __future__ import annotations

import datetime as dt
from typing import Final

from msgspec import Struct

from .forms import FormView

_STATE_TONES: Final = {"current": "ok", "planned": "info", "over": "", "withdrawn": ""}
_VOUCHER_TONES: Final = {"active": "ok", "used": "info", "expired": "", "revoked": "bad"}


class AnnouncementLine(Struct, frozen=True, kw_only=True):
    """An announcement. `state`: planned | current | over | withdrawn; `number` tells its dialog from others'."""

    id: str
    number: int
    kind: str
    title: str
    body: str
    state: str
    starts: dt.datetime
    ends: dt.datetime | None = None

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return _STATE_TONES[self.state]


class AnnouncementsView(Struct, frozen=True, kw_only=True):
    """The page. `preview`: what the form says, as customers will see it; `mails`: how many a new one is mailed to."""

    lines: tuple[AnnouncementLine, ...] = ()
    zone: str = "UTC"
    older_url: str = ""
    newest: bool = True
    may_edit: bool = False
    form: FormView = FormView()
    preview: AnnouncementLine | None = None
    done: str = ""
    mails: int = 0


class BatchLine(Struct, frozen=True, kw_only=True):
    """A batch of vouchers. `query`: its name as an address says it; `open`: how many can still be redeemed."""

    name: str
    query: str
    count: int
    open: int
    redeemed: int
    amount: int
    made: dt.datetime
    expires: dt.datetime | None = None
    valid_days: int | None = None
    max_redemptions: int = 1


class VouchersView(Struct, frozen=True, kw_only=True):
    """The page of batches. `name`: what a new one is called unless the form says otherwise, so that it is made once."""

    lines: tuple[BatchLine, ...] = ()
    older_url: str = ""
    newest: bool = True
    may_edit: bool = False
    most: int = 1
    name: str = ""
    form: FormView = FormView()


class CodesView(Struct, frozen=True, kw_only=True):
    """The codes of a new batch, shown this once."""

    batch: BatchLine
    codes: tuple[str, ...]


class VoucherLine(Struct, frozen=True, kw_only=True):
    """A voucher, without its code. `status`: active | used | expired | revoked."""

    id: str
    prefix: str
    status: str
    redeemed: int
    max_redemptions: int

    @property
    def tone(self) -> str:
        """The colour of its status."""
        return _VOUCHER_TONES[self.status]


class BatchView(Struct, frozen=True, kw_only=True):
    """The page of a batch."""

    batch: BatchLine
    lines: tuple[VoucherLine, ...] = ()
    models: tuple[str, ...] = ()
    older_url: str = ""
    newest: bool = True
    may_edit: bool = False
    done: str = ""
