"""The form that makes a tenant: it writes what `apply` would, and `plan` shows it until the file says it too."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.errors import Conflict, InvalidForm, InvalidManifest
from ...core.tenant import is_slug
from ...flows.identity.visit import MAX_EMAIL
from ...flows.provision.edit import Edit, edit, problems_of
from ...theming.forms import FormView
from ...theming.platform import NewTenantView
from ..console.guards import operator
from ..forms import Form, read_form
from ..guards import see_other
from ..members import member_of
from ..pages import Handler, Pages
from ..pages.answer import runtime_of

_PATH: Final = "/tenants/new"
_MAX_SLUG: Final = 40
_MAX_NAME: Final = 100
_MAX_HOST: Final = 253
_MAX_MARKUP: Final = 20
_FIELDS: Final = {
    "slug": "slug",
    "name": "name",
    "theme": "theme",
    "status": "status",
    "pricing.markup": "markup",
    "owners": "owner",
    "domains": "host",
}
"""Path within a tenant → field of the form."""


def new_tenant_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The form."""

    @get(_PATH, guards=[operator])
    async def ask(request: Handler) -> Response[Any]:
        return _page(pages, request, FormView())

    @post(_PATH, guards=[operator])
    async def make(request: Handler) -> Response[Any]:
        form = await read_form(request)
        try:
            slug = await _make(request, form)
        except InvalidForm as error:
            return _page(pages, request, form.view(error), error.status)
        return see_other(f"/tenants/{slug}?done=created")

    return [ask, make]


def _page(pages: Pages, request: Handler, form: FormView, status: int = 200) -> Response[Any]:
    themes = tuple((name, theme.manifest.title) for name, theme in pages.library.themes.items() if name != "base")
    return pages.answer(
        request, "platform/new_tenant.html", view=NewTenantView(form=form, themes=themes), status=status
    )


async def _make(request: Handler, form: Form) -> str:
    """The new tenant's slug. Raises InvalidForm."""
    runtime = runtime_of(request)
    slug = form.line("slug", _MAX_SLUG)
    if not is_slug(slug):
        raise InvalidForm({"slug": ("Use 1 to 40 of a-z, 0-9 and hyphen, beginning with a letter.", {})})
    try:
        await edit(
            runtime.db,
            runtime.vault,
            tenant_slug=slug,
            edits=_edits(slug, form),
            actor=member_of(request).actor,
            new=True,
        )
    except Conflict as error:
        raise InvalidForm({"slug": (error.message, {})}) from None
    except InvalidManifest as error:
        raise InvalidForm(_problems(error)) from None
    return slug


def _edits(slug: str, form: Form) -> list[Edit]:
    fields: dict[str, Any] = {
        "name": form.line("name", _MAX_NAME),
        "theme": form.line("theme", _MAX_NAME),
        "status": "active" if form.raw("status") == "active" else "draft",
    }
    markup = form.line("markup", _MAX_MARKUP, needed=False)
    if markup:
        fields["pricing.markup"] = markup if markup.endswith("%") else f"{markup}%"
    edits = [Edit("tenant", slug, fields)]
    host = form.line("host", _MAX_HOST, needed=False)
    if host:
        edits.append(Edit("domain", host.lower(), {"tenant": slug, "role": "storefront", "primary": True}))
    owner = form.line("owner", MAX_EMAIL)
    return [*edits, Edit("owner", f"{slug}/{owner}", {"role": "owner"})]


def _problems(error: InvalidManifest) -> dict[str, tuple[str, dict[str, Any]]]:
    """Findings as the form's problems, each at its field where there is one."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for path, text in problems_of(error.details).items():
        field = next((name for start, name in _FIELDS.items() if path.startswith(start)), "")
        found.setdefault(field, (text.replace("{", "(").replace("}", ")"), {}))
    return found or {"": (error.message, {})}
