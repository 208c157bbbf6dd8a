"""Works out what a transaction comes to: lines, tax, fee, payout. Pure; amounts are integers of minor units."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from scripts._paddle import money
from scripts._paddle.account import Account, Entity


@dataclass(frozen=True)
class Line:
    """So many of a price in one currency; `proration` tells which part of a period is charged."""

    price: Entity
    product: Entity
    quantity: int
    unit: int
    rate: str
    inclusive: bool
    identifier: str | None = None
    proration: Entity | None = None

    @property
    def amounts(self) -> tuple[int, int]:
        """(subtotal, tax) of the line."""
        whole = Fraction(self.unit * self.quantity)
        share = Fraction(self.proration["rate"]) if self.proration else Fraction(1)
        return money.split(money.rounded(whole * share), self.rate, inclusive=self.inclusive)


def unit_amount(price: Entity, currency: str, country: str | None) -> int:
    """What one costs in a currency: the country's own price if there is one in it, else converted."""
    for override in price["unit_price_overrides"]:
        found = override["unit_price"]
        if country in override["country_codes"] and found["currency_code"] == currency:
            return int(found["amount"])
    return money.converted(int(price["unit_price"]["amount"]), price["unit_price"]["currency_code"], currency)


def usual_currency(price: Entity, country: str | None) -> str:
    """The currency of a price in a country."""
    for override in price["unit_price_overrides"]:
        if country in override["country_codes"]:
            return str(override["unit_price"]["currency_code"])
    return str(price["unit_price"]["currency_code"])


def is_inclusive(account: Account, price: Entity) -> bool:
    """Whether a price includes tax."""
    mode = price["tax_mode"] if price["tax_mode"] in {"internal", "external"} else account.tax_mode
    return bool(mode == "internal")


def amounts(subtotal: int, tax: int) -> dict[str, str]:
    """Totals of a line, or of one of it."""
    return {"subtotal": str(subtotal), "discount": "0", "tax": str(tax), "total": str(subtotal + tax)}


def line_item(line: Line) -> dict[str, Any]:
    """A line as `details.line_items` has it."""
    found = {
        "price_id": line.price["id"],
        "quantity": line.quantity,
        "totals": amounts(*line.amounts),
        "product": line.product,
        "tax_rate": line.rate,
        "unit_totals": amounts(*money.split(line.unit, line.rate, inclusive=line.inclusive)),
        "proration": line.proration,
    }
    return found if line.identifier is None else {"id": line.identifier} | found


def details(account: Account, lines: list[Line], currency: str, *, credit: int = 0, completed: bool = False) -> Entity:
    """The `details` of a transaction. Fee, earnings and payout are known once it is completed."""
    subtotal = sum(line.amounts[0] for line in lines)
    tax = sum(line.amounts[1] for line in lines)
    total = subtotal + tax
    used = min(credit, total)
    grand = total - used
    kept = money.fee(grand, currency) if completed else None
    earned = grand - tax - kept if kept is not None else None
    totals = amounts(subtotal, tax) | {
        "grand_total": str(grand),
        "grand_total_tax": str(tax if grand else 0),
        "fee": None if kept is None else str(kept),
        "credit": str(used),
        "credit_to_balance": str(credit - used),
        "balance": "0" if completed else str(grand),
        "earnings": None if earned is None else str(earned),
        "currency_code": currency,
    }
    return {
        "tax_rates_used": _rates(lines),
        "totals": totals,
        "adjusted_totals": adjusted(totals),
        "payout_totals": _payout(totals, account.payout_currency) if completed else None,
        "adjusted_payout_totals": None,
        "line_items": [line_item(line) for line in lines],
    }


def adjusted(totals: Entity, refunded: int = 0, refunded_tax: int = 0) -> Entity:
    """Totals after what was given back, gross and the tax in it."""
    return {
        "subtotal": str(int(totals["subtotal"]) - (refunded - refunded_tax)),
        "tax": str(int(totals["tax"]) - refunded_tax),
        "total": str(int(totals["total"]) - refunded),
        "grand_total": str(int(totals["grand_total"]) - refunded),
        "grand_total_tax": str(int(totals["grand_total_tax"]) - refunded_tax),
        "fee": totals["fee"] or "0",
        "retained_fee": "0",
        "earnings": str(int(totals["earnings"] or 0) - (refunded - refunded_tax)) if totals["earnings"] else "0",
        "currency_code": totals["currency_code"],
    }


def _payout(totals: Entity, currency: str) -> Entity:
    source = totals["currency_code"]
    parts = ("subtotal", "discount", "tax", "total", "credit", "credit_to_balance", "balance", "grand_total", "fee")
    found: dict[str, Any] = {part: str(money.converted(int(totals[part]), source, currency)) for part in parts}
    rate = money.exchange_rate(source, currency)
    return found | {
        "earnings": str(int(found["grand_total"]) - int(found["tax"]) - int(found["fee"])),
        "grand_total_tax": found["tax"],
        "currency_code": currency,
        "exchange_rate": _decimal(rate),
        "fee_rate": "0.05",
    }


def _decimal(rate: Fraction) -> str:
    scaled = money.rounded(rate * 10**8)
    return f"{scaled // 10**8}.{scaled % 10**8:08d}".rstrip("0").rstrip(".")


def _rates(lines: list[Line]) -> list[Entity]:
    by_rate: dict[str, tuple[int, int]] = {}
    for line in lines:
        subtotal, tax = by_rate.get(line.rate, (0, 0))
        by_rate[line.rate] = (subtotal + line.amounts[0], tax + line.amounts[1])
    return [{"tax_rate": rate, "totals": amounts(*found)} for rate, found in by_rate.items()]
