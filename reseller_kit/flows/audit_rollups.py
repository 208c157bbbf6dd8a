"""Proves that rollups are the sums of their usage records, in one pass over each and little memory. Reads nothing.

Both sides are summed under weights that this run draws for each bucket and column. Sides that agree in every bucket
come to the same number, and sides that do not come to the same one with a chance of less than 1 in 2⁶⁰.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import mul
from typing import Any, Final

from ..core.days import QUARTER_US
from ..db.operator_calls import CallRow
from ..db.tables import SUMMED

_PRIME: Final = (1 << 61) - 1
_CALLS: Final = SUMMED.index("calls")
_AMOUNTS: Final = slice(SUMMED.index("retail_nano"), SUMMED.index("cost_nano") + 1)

_Where = tuple[int, str]


class RollupProof:
    """Takes every usage record and every rollup, in any order, then names what differs at three levels.

    `rolled`: only what was settled before is in the rollups. `first_quarter`: buckets before it are partly archived.
    """

    def __init__(self, *, rolled: int, first_quarter: int) -> None:
        self._rolled, self._first_quarter = rolled, first_quarter
        self._weights = {name: secrets.randbelow(_PRIME - 1) + 1 for name in SUMMED}
        self._calls = self._weights["calls"]
        self._amounts = [self._weights[name] for name in SUMMED[_AMOUNTS]]
        self._totals: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        # Python's own hash of texts is drawn anew for each process; this also draws the numbers' part.
        self._salt = secrets.token_hex(16)
        self._customers: defaultdict[_Where, int] = defaultdict(int)
        self._storefronts: defaultdict[int, int] = defaultdict(int)

    def add_call(self, call: CallRow, quantities: Mapping[str, int] | None) -> None:
        """A usage record, whose quantities count as nothing unless all are whole numbers."""
        if call.settled_at >= self._rolled:
            return
        amounts = (call.retail_nano, call.wholesale_nano, call.cost_nano)
        self._total(call.tenant_id, (1, *amounts), 1)
        if call.created_at < self._first_quarter:
            return
        weights = self._weights
        value = self._calls + sum(map(mul, self._amounts, amounts))
        for name, quantity in (quantities or {}).items():
            value += weights.get(name, 0) * quantity
        quarter = call.created_at // QUARTER_US * QUARTER_US
        where = (call.tenant_id, call.customer_id)
        weight = self._bucket(call.tenant_id, call.customer_id, quarter, call.model, call.key_id)
        self._customers[where] = (self._customers[where] + weight * value) % _PRIME

    def add_rollup(self, row: Sequence[Any]) -> None:
        """One row of the rollups, a customer's or the whole storefront's: its grain, then `SUMMED`."""
        tenant, customer, quarter, model, key = row[:5]
        sums = row[5:]
        value = sum(map(mul, self._weights.values(), sums))
        whole = self._bucket(tenant, "", quarter, model, "") * value
        self._storefronts[tenant] = (self._storefronts[tenant] + (whole if customer else -whole)) % _PRIME
        if customer:
            self._total(tenant, (sums[_CALLS], *sums[_AMOUNTS]), -1)
            if quarter >= self._first_quarter:
                where = (tenant, customer)
                weight = self._bucket(tenant, customer, quarter, model, key)
                self._customers[where] = (self._customers[where] - weight * value) % _PRIME

    def add_archived(self, tenant_id: int, totals: Sequence[int]) -> None:
        """What a tenant's archived usage records sum to: calls, then retail, wholesale and cost."""
        self._total(tenant_id, totals, 1)

    def totals(self) -> Iterator[int]:
        """Tenants whose rollups are not the sum of their records and archives."""
        return (tenant for tenant, left in sorted(self._totals.items()) if any(left))

    def customers(self) -> Iterator[str]:
        """Customers of whom some quarter of an hour was not rolled up as their records say."""
        return (customer for (_, customer), left in sorted(self._customers.items()) if left)

    def storefronts(self) -> Iterator[int]:
        """Tenants whose own rows are not the sums of their customers' rows."""
        return (tenant for tenant, left in sorted(self._storefronts.items()) if left)

    def _total(self, tenant: int, sums: Sequence[int], sign: int) -> None:
        left = self._totals[tenant]
        for number, amount in enumerate(sums):
            left[number] += sign * amount

    def _bucket(self, *grain: int | str) -> int:
        return hash((self._salt, *grain)) % _PRIME
