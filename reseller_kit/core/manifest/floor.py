"""The operator's floor under a tenant's retail prices, which no leave that the reseller gives itself can waive."""

from __future__ import annotations

from collections.abc import Iterator

from ..money import format_markup
from ..pricing import Loss, derive_wholesale, losses
from .prices import Levels
from .structs import Document, Tenant


def floor_of(document: Document, tenant: Tenant) -> int | None:
    """The least markup (ppm) of retail on what the reseller pays; None: the operator sets none."""
    own = tenant.wholesale.retail_floor
    return document.wholesale.retail_floor if own is None else own


def below_floor(document: Document, tenant: Tenant, name: str, levels: Levels) -> Iterator[tuple[str, Loss]]:
    """Group ("" for everybody) and price of whatever lies below the floor; a model of `allow_loss` has none."""
    floor = floor_of(document, tenant)
    if floor is None or document.models[name].allow_loss:
        return
    least = derive_wholesale(levels.spent, floor)
    for loss in losses(least, levels.retail):
        yield "", loss
    for group in tenant.groups:
        prices = levels.groups.get(group.id)
        if prices is not None and prices != levels.retail:
            for loss in losses(least, prices):
                yield group.id, loss


def said_floor(floor: int) -> str:
    """What a price lies below, within a sentence."""
    return f"the least markup of {format_markup(floor)} on wholesale"
