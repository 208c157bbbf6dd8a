"""What a storefront offers, as its pages and its price list show it: at retail alone. Knows no request."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from ..core.catalog import OfferedModel
from ..core.storefront import Storefront
from ..core.times import SECOND_US
from ..db.engine import now_us
from ..flows.brand import changed_prices, notice_us, shown_prices
from ..theming import LaterRow, ModelRow


def models_of(storefront: Storefront) -> tuple[ModelRow, ...]:
    """What is on offer, by name."""
    until = now_us() + notice_us(storefront.settings)
    return tuple(
        _model(offered, _later(storefront, offered, until)) for _, offered in sorted(storefront.models.items())
    )


def _later(storefront: Storefront, offered: OfferedModel, until: int) -> tuple[LaterRow, ...]:
    """The changes that customers are told of by now: what each changes against the prices before it."""
    rows: list[LaterRow] = []
    before = offered.retail.price_list
    for later in storefront.later.get(offered.model, ()):
        if later.effective_from <= until:
            changed = tuple(new for _, new in changed_prices(before, later.price_list) if new is not None)
            moment = dt.datetime.fromtimestamp(later.effective_from // SECOND_US, ZoneInfo(storefront.timezone))
            rows += [LaterRow(moment, changed)] if changed else []
        before = later.price_list
    return tuple(rows)


def _model(offered: OfferedModel, later: tuple[LaterRow, ...]) -> ModelRow:
    return ModelRow(
        later=later,
        name=offered.name,
        prices=shown_prices(offered.retail.price_list),
        context=offered.context,
        max_output=offered.max_output,
    )
