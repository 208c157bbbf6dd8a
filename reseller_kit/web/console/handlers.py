"""All handlers of the console's pages, as `web.site` lists them. Holds no handler itself."""

from __future__ import annotations

from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler

from ..members import CONSOLE
from ..pages import Pages
from .abuse import abuse_handlers
from .announcements import announcement_handlers
from .audit import audit_handlers
from .brand import brand_handlers
from .customers import customer_handlers
from .domains import domain_handlers
from .groups import group_handlers
from .insights import insight_handlers
from .links import link_handlers
from .login import login_handlers
from .orders import order_handlers
from .overview import overview_handlers
from .packages import package_handlers
from .payments import payment_handlers
from .pricing import pricing_handlers
from .pricing_history import history_handlers
from .pricing_schedule import schedule_handlers
from .profile import profile_handlers
from .support import case_handlers
from .team import team_handlers
from .tokens import token_handlers
from .two_factor import two_factor_handlers
from .viewing import viewing_handlers
from .vouchers import voucher_handlers
from .webhooks import webhook_handlers
from .wholesale import wholesale_handlers


def console_handlers(pages: Pages) -> list[HTTPRouteHandler | ASGIRouteHandler]:
    """The console of a reseller."""
    return [
        *login_handlers(pages, CONSOLE),
        *link_handlers(pages, CONSOLE),
        *profile_handlers(pages, CONSOLE),
        *two_factor_handlers(pages, CONSOLE),
        *overview_handlers(pages),
        *brand_handlers(pages),
        *pricing_handlers(pages),
        *schedule_handlers(pages),
        *history_handlers(pages),
        *package_handlers(pages),
        *payment_handlers(pages),
        *insight_handlers(pages),
        *order_handlers(pages),
        *customer_handlers(pages),
        *group_handlers(pages),
        *viewing_handlers(pages),
        *voucher_handlers(pages),
        *case_handlers(pages),
        *abuse_handlers(pages),
        *announcement_handlers(pages),
        *wholesale_handlers(pages),
        *domain_handlers(pages),
        *team_handlers(pages),
        *token_handlers(pages),
        *webhook_handlers(pages),
        *audit_handlers(pages),
    ]
