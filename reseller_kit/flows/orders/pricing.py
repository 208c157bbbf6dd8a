"""What an offer costs and credits, for an amount that the customer chose. Reads nothing."""

from __future__ import annotations

from ...core.errors import InvalidRequest
from ...core.money import format_amount, parse_amount
from ...core.offers import bonus
from ...db.packages import Offer


def priced(offer: Offer, amount: int | None) -> tuple[int, int]:
    """What is paid and credited, in nano-USD. Raises InvalidRequest for an amount that the offer does not have."""
    if offer.terms.get("kind", "package") == "topup":
        low, high = parse_amount(offer.terms["min"]), parse_amount(offer.terms["max"])
        if amount is None or not low <= amount <= high:
            fix = f"Choose between {format_amount(low)} and {format_amount(high)} USD."
            raise InvalidRequest("The amount is not one that can be bought.", param="amount", fix=fix)
        if amount % 10_000_000:
            raise InvalidRequest("The amount has fractions of a cent.", param="amount", fix="Give whole cents.")
        return amount, amount + bonus(offer.terms, amount)
    if amount is not None:
        raise InvalidRequest("This package has its own price.", param="amount", fix="Leave the amount out.")
    return parse_amount(offer.terms["price"]), parse_amount(offer.terms["credits"])
