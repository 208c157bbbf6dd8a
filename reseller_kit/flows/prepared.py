"""What the calls of one model have in common until something is configured anew: found out once. Asks nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from ..core.catalog import OfferedModel, Route
from ..core.pricing import Bound, bounds
from ..core.routing import EndpointName, endpoint_of
from ..core.storefront import Storefront, UpstreamConfig

NEEDED: Final = frozenset({"input", "output"})
"""What every generated answer has tokens of; all other classes fall back on one of them."""
_MOST: Final = 20_000
"""Models that are prepared at once. Beyond it all are prepared anew, which takes less than a call."""

Upstreams = Mapping[str, UpstreamConfig]


class Candidate(Struct, frozen=True):
    """A route of the model that was asked for, or of one that it falls back to."""

    offered: OfferedModel
    route: Route
    config: UpstreamConfig
    endpoint: EndpointName
    """Where it leads to."""
    breaks: bool
    """Whether its endpoint has a circuit."""
    only: bool = False
    """Whether the model has no other, nor a fallback."""


class PreparedModel(Struct, frozen=True, kw_only=True, eq=False):
    """What every call of a model needs that hangs on its storefront and the upstreams alone."""

    storefront: Storefront
    offered: OfferedModel
    generates: bool
    """Whether it can answer conversations: it has prices of text, and is not known for upstreams that serve none."""
    choice: bool
    """Whether there is more than one place where a conversation's prompt cache may lie."""
    first: Candidate | None
    """The route that is asked first unless a conversation is elsewhere; None where it is to be chosen."""
    context: int
    """Tokens that the model can read, or one that it falls back to if that can read more."""
    retail: tuple[Bound, ...]
    wholesale: tuple[Bound, ...]
    """The dearest prices that a request can meet."""
    facts: dict[tuple[str, bool], str]
    """What a hold says of its call, as JSON, by dialect and whether it is a stream; filled by those who place holds."""


class PreparedModels:
    """Those of a process. What is prepared is good as long as storefront and upstreams are the same values."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], PreparedModel] = {}
        self._upstreams: Upstreams = {}

    def of(self, offered: OfferedModel, storefront: Storefront, upstreams: Upstreams) -> PreparedModel:
        """The model as this storefront offers it."""
        if upstreams is not self._upstreams:
            self._known.clear()
            self._upstreams = upstreams
        key = id(storefront), offered.name  # what is found holds its storefront, so that no other has its number
        found = self._known.get(key)
        if found is None or found.offered is not offered:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[key] = prepare(offered, storefront, upstreams)
        return found


def candidate_of(offered: OfferedModel, route: Route, config: UpstreamConfig, *, only: bool = False) -> Candidate:
    """A route with what it leads to."""
    return Candidate(offered, route, config, endpoint_of(route), config.breaks, only)


def prepare(offered: OfferedModel, storefront: Storefront, upstreams: Upstreams) -> PreparedModel:
    """Find out what a model's calls have in common."""
    known = [config for route in offered.routes if (config := upstreams.get(route.upstream)) is not None]
    generates = not known or any(config.apis for config in known)
    fallbacks = [model for name in offered.fallbacks if (model := storefront.models.get(name)) is not None]
    single = len(offered.routes) == 1 and not offered.fallbacks
    return PreparedModel(
        storefront=storefront,
        offered=offered,
        generates=generates and offered.retail.price_list.prices.keys() >= NEEDED,
        choice=not single or any(len(config.api_keys) > 1 for config in known),
        first=_first_of(offered, upstreams, only=single),
        context=max(model.context for model in (offered, *fallbacks)),
        retail=bounds(offered.retail.price_list),
        wholesale=bounds(offered.wholesale.price_list),
        facts={},
    )


def _first_of(offered: OfferedModel, upstreams: Upstreams, *, only: bool) -> Candidate | None:
    """The route that is alone with the first priority, where that decides, if its upstream answers conversations."""
    if not offered.routes or (offered.strategy != "priority" and len(offered.routes) > 1):
        return None
    route, *alike = offered.turns[0]
    config = upstreams.get(route.upstream)
    return None if alike or config is None or not config.apis else candidate_of(offered, route, config, only=only)
