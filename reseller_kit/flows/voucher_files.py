"""Vouchers as a file. Codes are in none: nobody can show them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..core.csv_text import csv_rows
from ..core.money import format_amount
from ..core.times import format_time
from .vouchers import VoucherState, status_of

_COLUMNS: Final = (
    "id",
    "prefix",
    "amount",
    "status",
    "redeemed",
    "max_redemptions",
    "expires_at",
    "created_at",
    "redeemed_by",
)


def voucher_csv(states: Sequence[VoucherState], now: int) -> bytes:
    """The state of every voucher at `now` (µs), with the addresses of those who redeemed it."""
    return csv_rows([_COLUMNS, *(_cells(state, now) for state in states)])


def _cells(state: VoucherState, now: int) -> tuple[str | int, ...]:
    row = state.row
    return (
        row.id,
        row.prefix,
        format_amount(row.amount_nano),
        status_of(row, now),
        row.redeemed,
        row.max_redemptions,
        "" if row.expires_at is None else format_time(row.expires_at),
        format_time(row.created_at),
        " ".join(one.email for one in state.redemptions),
    )
