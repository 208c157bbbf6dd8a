"""The page `/console/payments`: how customers pay, set up and tried by the reseller's own team."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ...core.days import local
from ...core.errors import InvalidForm, InvalidManifest, KitError
from ...core.roles import may
from ...core.storefront import Storefront
from ...db import inbox
from ...flows import payment_setup
from ...flows.payment_setup import SECRETS, Setup, Wanted
from ...flows.provision.edit import problems_of
from ...flows.runtime import Runtime
from ...theming import console_payments as views
from ...theming.forms import FormView
from ..forms import Form, read_form
from ..guards import see_other
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import origin_of, runtime_of
from .guards import member_may
from .sessions import member_of

_log = logging.getLogger(__name__)
HOME: Final = "/console/payments"
_TEMPLATE: Final = "console/payments.html"
_SAID: Final = "{text}"
_LONGEST: Final = {"instructions": 5_000, "checkout_url": 300, "client_token": 200}
_DONE: Final = frozenset({"saved", "tried", "syncing"})
_PROVIDERS: Final = frozenset({"manual", "paddle"})
"""A plugin is the operator's to choose."""
_CHOICES: Final[Mapping[str, frozenset[str]]] = {
    "checkout": frozenset({"hosted", "overlay"}),
}


def payment_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """How customers pay."""

    @get(HOME, guards=[member_may("payments")])
    async def show(request: Handler) -> Response[Any]:
        return await _show(pages, request)

    @post(HOME, guards=[member_may("payments", edit=True)])
    async def change(request: Handler) -> Response[Any]:
        form = await read_form(request)
        match form.raw("do"):
            case "try":
                return await _try(request)
            case "sync":
                return _sync(request)
            case _:
                return await _save(pages, request, form)

    return [show, change]


async def _save(pages: Pages, request: Handler, form: Form) -> Response[Any]:
    runtime, slug = runtime_of(request), storefront_of(request).slug
    try:
        await payment_setup.save_setup(
            runtime.db,
            runtime.vault,
            tenant_slug=slug,
            wanted=_wanted(form, _provider(request)),
            actor=member_of(request).actor,
        )
    except InvalidForm as error:
        return await _show(pages, request, form, error)
    except InvalidManifest as error:
        return await _show(pages, request, form, _problem(problems_of(error.details)))
    return see_other(f"{HOME}?done=saved")


def _wanted(form: Form, provider: str) -> Wanted:
    """What was typed, where `provider` is chosen now. Raises InvalidForm, naming the field."""
    choices = {**_CHOICES, "provider": _PROVIDERS | {provider}}
    fields = {}
    for name in payment_setup.FIELDS:
        value = form.raw(name).replace("\r\n", "\n").strip()
        if value not in choices.get(name, (value,)):
            raise InvalidForm({name: (_SAID, {"text": "Choose one of these."})})
        if len(value) > _LONGEST.get(name, 200):
            raise InvalidForm({name: (_SAID, {"text": f"At most {_LONGEST.get(name, 200)} characters."})})
        fields[name] = value
    secrets = {name: form.raw(name).strip() for name in SECRETS if form.raw(name).strip()}
    for name, value in secrets.items():
        if not value.isprintable() or " " in value or len(value) > 500:
            raise InvalidForm({name: (_SAID, {"text": "This is not a key: paste it as one line without spaces."})})
    return Wanted(fields=fields, secrets=secrets)


def _provider(request: Handler) -> str:
    """How the storefront is paid now."""
    return str(storefront_of(request).settings.get("payments", {}).get("provider", "manual"))


def _problem(found: Mapping[str, str]) -> InvalidForm:
    """The findings of an edit at the fields that they are about."""
    known = (*payment_setup.FIELDS, *SECRETS)
    problems = {}
    for path, text in found.items():
        name = path.rpartition(".")[2]
        problems[name if name in known else ""] = (_SAID, {"text": text})
    return InvalidForm(problems)


async def _try(request: Handler) -> Response[Any]:
    runtime = runtime_of(request)
    await payment_setup.try_setup(
        runtime.db, runtime.providers, tenant_slug=storefront_of(request).slug, actor=member_of(request).actor
    )
    return see_other(f"{HOME}?done=tried")


def _sync(request: Handler) -> Response[Any]:
    """Begin to make the packages known; the page shows how far that is."""
    runtime = runtime_of(request)
    runtime.spawn(_synchronise(runtime, storefront_of(request).slug), "package-sync")
    return see_other(f"{HOME}?done=syncing")


async def _synchronise(runtime: Runtime, slug: str) -> None:
    try:
        await payment_setup.sync_packages(runtime.db, runtime.vault, runtime.providers, tenant_slug=slug)
    except KitError as error:
        _log.warning("packages of %s were not all made known to the payment provider: %s", slug, error.message)


async def _show(
    pages: Pages, request: Handler, form: Form | None = None, error: InvalidForm | None = None
) -> Response[Any]:
    runtime, storefront, member = runtime_of(request), storefront_of(request), member_of(request)
    setup = await payment_setup.read_setup(runtime.db, runtime.providers, storefront.slug)
    provider = str(setup.fields.get("provider", "manual"))
    async with runtime.db.read(storefront.tenant_id) as connection:
        delivered = await inbox.last(connection, storefront.tenant_id, provider)
    done = request.query_params.get("done", "")
    origin = origin_of(request, pages.port)
    view = views.PaymentsView(
        provider=provider,
        plugin=provider not in _PROVIDERS,
        tries=setup.tries,
        environment=str(setup.fields.get("environment", "sandbox")),
        checkout=str(setup.fields.get("checkout", "hosted")),
        fields={name: str(setup.fields.get(name) or "") for name in payment_setup.FIELDS},
        fingerprints=dict(setup.fingerprints),
        shared=setup.shared,
        missing=setup.missing,
        tried_at=None if setup.tried is None else local(setup.tried.at, member.zone),
        problem="" if setup.tried is None else setup.tried.problem,
        domains=_domains(setup, _hosts(runtime, storefront)),
        webhook_url=f"{origin}/webhooks/{provider}",
        pay_url=f"{origin}/pay",
        seen_at=None if delivered.received_at is None else local(delivered.received_at, member.zone),
        waiting=delivered.waiting + delivered.parked,
        keeps_catalogue=setup.keeps_catalogue,
        offered=setup.offered,
        known=setup.known,
        syncing=done == "syncing" and setup.known < setup.offered,
        may_edit=may(member.role, "payments", edit=True),
        done=done if done in _DONE and request.method == "GET" else "",
        form=FormView() if form is None else form.view(error),
    )
    return pages.answer(request, _TEMPLATE, view=view, status=422 if error else 200)


def _hosts(runtime: Runtime, storefront: Storefront) -> list[str]:
    """Where the storefront's pages are, the primary host first."""
    found = [
        host
        for host, place in runtime.snapshot.places.items()
        if place.tenant_id == storefront.tenant_id and place.role == "storefront"
    ]
    return sorted(found, key=lambda host: (host != storefront.primary_host, host))


def _domains(setup: Setup, hosts: list[str]) -> tuple[views.Domain, ...] | None:
    told = None if setup.tried is None else setup.tried.domains
    if told is None:
        return None
    return tuple(views.Domain(host, told.get(host, "unknown")) for host in hosts)
