"""All handlers of customers' pages, as `web.site` lists them. Holds no handler itself."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from ..pages import Pages
from .auth_login import login_handlers
from .auth_reset import reset_handlers
from .auth_signup import signup_handlers
from .overview import overview_handlers
from .security import security_handlers


def account_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Sign-up, log-in and the portal."""
    return [
        *signup_handlers(pages),
        *login_handlers(pages),
        *reset_handlers(pages),
        *overview_handlers(pages),
        *security_handlers(pages),
    ]
