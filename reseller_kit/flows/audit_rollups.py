"""Proves that rollups are the sums of their usage records, in one pass over each and little memory. Reads nothing.

Both sides are summed under weights that this run draws for each bucket and column. Sides that agree in every bucket
come to the same number, and sides that do not come to the same one with a chance of less than 1 in 2⁶⁰.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from ..db.operator_audit import UsageFacts
from ..db.rollup_sums import QUARTER_US
from ..db.tables import SUMMED

_PRIME: Final = (1 << 61) - 1
_quantities = msgspec.json.Decoder(dict[str, int]).decode

_Where = tuple[int, str]


class RollupProof:
    """Takes every usage record and every rollup, in any order; then `customers` and `storefronts` name what differs.

    `rolled`: only what was settled before is in the rollups. `first_quarter`: buckets before it are partly archived.
    """

    def __init__(self, *, rolled: int, first_quarter: int) -> None:
        self._rolled, self._first_quarter = rolled, first_quarter
        self._weights = {name: secrets.randbelow(_PRIME - 1) + 1 for name in SUMMED}
        # Python's own hash of texts is drawn anew for each process; this also draws the numbers' part.
        self._salt = secrets.token_hex(16)
        self._customers: defaultdict[_Where, int] = defaultdict(int)
        self._storefronts: defaultdict[int, int] = defaultdict(int)

    def add_record(self, record: UsageFacts) -> None:
        """A usage record, whose quantities count as nothing unless all are whole numbers."""
        if record.settled_at >= self._rolled or record.created_at < self._first_quarter:
            return
        quarter = record.created_at // QUARTER_US * QUARTER_US
        weights = self._weights
        value = (
            weights["calls"]
            + weights["retail_nano"] * record.retail_nano
            + weights["wholesale_nano"] * record.wholesale_nano
            + weights["cost_nano"] * record.cost_nano
        )
        for name, quantity in _whole(record.quantities).items():
            value += weights.get(name, 0) * quantity
        weight = self._bucket(record.tenant_id, record.customer_id, quarter, record.model, record.key_id)
        where = (record.tenant_id, record.customer_id)
        self._customers[where] = (self._customers[where] + weight * value) % _PRIME

    def add_rollup(self, row: Mapping[Any, Any]) -> None:
        """One row of the rollups, a customer's or the whole storefront's."""
        tenant, customer, quarter, model = row["tenant_id"], row["customer_id"], row["quarter_at"], row["model"]
        value = sum(weight * row[name] for name, weight in self._weights.items())
        whole = self._bucket(tenant, "", quarter, model, "") * value
        self._storefronts[tenant] = (self._storefronts[tenant] + (whole if customer else -whole)) % _PRIME
        if customer and quarter >= self._first_quarter:
            weight = self._bucket(tenant, customer, quarter, model, row["key_id"])
            where = (tenant, customer)
            self._customers[where] = (self._customers[where] - weight * value) % _PRIME

    def customers(self) -> Iterator[str]:
        """Customers of whom some quarter of an hour was not rolled up as their records say."""
        return (customer for (_, customer), left in sorted(self._customers.items()) if left)

    def storefronts(self) -> Iterator[int]:
        """Tenants whose own rows are not the sums of their customers' rows."""
        return (tenant for tenant, left in sorted(self._storefronts.items()) if left)

    def _bucket(self, *grain: int | str) -> int:
        return hash((self._salt, *grain)) % _PRIME


def _whole(text: str) -> dict[str, int]:
    try:
        return _quantities(text)
    except msgspec.DecodeError:
        return {}
