"""All handlers of the operator's pages, as `web.site` lists them. Holds no handler itself."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from ..console.audit import audit_handlers
from ..console.guards import operator
from ..console.links import link_handlers
from ..console.login import login_handlers
from ..console.profile import profile_handlers
from ..console.team import team_handlers
from ..console.two_factor import two_factor_handlers
from ..pages import Pages
from ..storefront.assets import asset_handlers
from .abuse import abuse_handlers
from .new_tenant import new_tenant_handlers
from .overview import overview_handlers
from .tenants import tenant_handlers

BASE = ""
"""The platform's pages begin at the root of its hosts."""


def platform_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Log-in, overview, tenants, reports of abuse, team and audit log."""
    return [
        *asset_handlers(pages),
        *login_handlers(pages, BASE),
        *link_handlers(pages, BASE),
        *profile_handlers(pages, BASE),
        *two_factor_handlers(pages, BASE),
        *overview_handlers(pages),
        *new_tenant_handlers(pages),
        *tenant_handlers(pages),
        *abuse_handlers(pages),
        *team_handlers(pages, "/team", operator, operator),
        *audit_handlers(pages, "/audit", operator, everything=True),
    ]
