"""What the ledger writes of a lot or a hold is what it reads of it again, each figure in its own column."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from reseller_kit.core.ledger import Hold, Lot
from reseller_kit.db.ledger import columns
from reseller_kit.db.ledger.rows import hold_of, hold_row, lot_of, lot_row

AMOUNTS = st.integers(0, 2**63 - 1)
NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=9)
LOTS = st.builds(
    Lot,
    id=NAMES,
    wallet_id=AMOUNTS,
    kind=NAMES,
    amount=AMOUNTS,
    remaining=st.just(0) | AMOUNTS,
    reserved=AMOUNTS,
    consumed=AMOUNTS,
    expired=AMOUNTS,
    clawed_back=AMOUNTS,
    priority=st.integers(-9, 9),
    expires_at=st.none() | AMOUNTS,
    models=st.lists(NAMES, max_size=3).map(tuple),
    created_at=AMOUNTS,
    cash=AMOUNTS,
    accrued=AMOUNTS,
    daily=st.none() | AMOUNTS,
)
HOLDS = st.builds(
    Hold,
    request_id=NAMES,
    tenant_id=AMOUNTS,
    customer_id=NAMES,
    wallet_id=AMOUNTS,
    reseller_wallet_id=AMOUNTS,
    key_id=NAMES,
    window_started_at=AMOUNTS,
    model=NAMES,
    retail_version=NAMES,
    wholesale_version=NAMES,
    output_limit=AMOUNTS,
    retail=AMOUNTS,
    wholesale=AMOUNTS,
    allocations=st.lists(st.tuples(NAMES, AMOUNTS), max_size=3),
    created_at=AMOUNTS,
)


def read(columns_read: tuple[str, ...], written: dict[str, Any]) -> list[Any]:
    return [written[name] for name in columns_read]


@given(LOTS, AMOUNTS, NAMES)
def test_a_lot_is_read_as_it_was_written(lot: Lot, tenant_id: int, ref: str) -> None:
    row = dict(zip(columns.LOT_INSERT, lot_row(replace(lot, ref=ref), tenant_id), strict=True))
    assert lot_of(read(columns.LOT_READ, row)) == lot
    assert (row["tenant_id"], row["ref"], row["used_up"]) == (tenant_id, ref, lot.remaining == 0)
    assert {name: row[f"{name}_nano"] for name in ("remaining", "reserved", "cash")} == {
        name: asdict(lot)[name] for name in ("remaining", "reserved", "cash")
    }


@given(HOLDS, NAMES, AMOUNTS, NAMES, st.sampled_from(["call", "refund"]))
def test_a_hold_is_read_as_it_was_written(hold: Hold, owner: str, epoch: int, call: str, kind: str) -> None:
    row = dict(zip(columns.HOLD_INSERT, hold_row(hold, owner, epoch, call, kind), strict=True))
    assert hold_of(read(columns.HOLD_READ, row)) == replace(hold, retail_version="", wholesale_version="")
    beside = ("kind", "retail_version", "wholesale_version", "owner", "epoch", "call", "checkpoint", "resolved_at")
    versions = hold.retail_version, hold.wholesale_version
    assert [row[name] for name in beside] == [kind, *versions, owner, epoch, call, None, None]
    assert (row["retail_nano"], row["wholesale_nano"], row["state"]) == (hold.retail, hold.wholesale, "open")
