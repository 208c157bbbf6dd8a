"""Use cases of a reseller on its own prices: look at them, see what a draft would do, publish it.

Nothing here holds what the operator pays: of the levels a reseller sees what it pays itself and what it charges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct, structs

from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.manifest import Levels, PriceMove, offers
from ..core.manifest.schedule import ScheduledChange
from ..core.manifest.structs import Catalog
from ..core.manifest.texts import GLOB
from ..core.price_draft import Draft, draft_of, fields_of
from ..db import audit_log
from ..db.engine import NO_TENANT, Database
from ..db.standing import PRICES_KEPT
from ..vault import Vault
from .prices import lines_of
from .provision.edit import Current, Edit, Outcome, edit, preview, read_changed, read_current
from .schedule import NewChange
from .tenants import require_tenant

PARTS = ("pricing", "catalog")


class Line(Struct, frozen=True, kw_only=True):
    """One usage class of a model, in pico-USD per unit: what the reseller pays and what it charges.

    `paid` holds what its own provider charges it, where calls go over one. `above_input` as in `PriceLine`.
    """

    usage_class: str
    above_input: int
    paid: int | None
    retail: int

    @property
    def margin(self) -> int | None:
        """What is left."""
        return None if self.paid is None else self.retail - self.paid


class ModelPrices(Struct, frozen=True, kw_only=True):
    """A model with its prices; those of a hidden one are what it would cost. `aliases`: branded names of it."""

    model: str
    hidden: bool
    aliases: tuple[str, ...]
    lines: tuple[Line, ...]


class Sheet(Struct, frozen=True, kw_only=True):
    """All models with their prices, the draft that stands for them, and the mark to publish another one against.

    `floor`: the least markup (ppm) that the operator allows, if it says one.
    """

    models: tuple[ModelPrices, ...]
    draft: Draft
    mark: str
    name: str
    floor: int | None = None


class Move(Struct, frozen=True, kw_only=True):
    """A retail price that a draft changes; None where the model is not offered before, or not after.

    `group`: whose price it is, where it is not everybody's.
    """

    model: str
    usage_class: str
    above_input: int
    paid: int | None
    old: int | None
    new: int | None
    group: str | None = None


class Effect(Struct, frozen=True, kw_only=True):
    """What a draft would do: prices that move, models that come and go, and what to know of it."""

    moves: tuple[Move, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]
    now: Mapping[str, Levels]
    then: Mapping[str, Levels]

    def __repr__(self) -> str:
        return f"Effect({self.moves!r})"


async def price_sheet(db: Database, tenant_slug: str) -> Sheet:
    """Every model that the tenant offers or could offer. Raises NotFound."""
    return _sheet(await read_current(db, tenant_slug))


def _require_offer(current: Current, draft: Draft) -> None:
    """Nobody means to sell nothing by an empty field; a single model is hidden by its own button."""
    wanted = structs.replace(current.tenant.catalog, allow=draft.allow, deny=draft.deny)
    if not all(map(GLOB.fullmatch, (*draft.allow, *draft.deny))):
        return
    if current.levels and not any(offers(wanted, model) for model in (*current.levels, *current.hidden)):
        raise InvalidRequest(
            "This would withdraw every model.",
            param="deny" if "*" in draft.allow else "allow",
            fix="Write * for all models, or the names of those that you offer, and hold back fewer of them.",
        )


async def effect_of(db: Database, tenant_slug: str, draft: Draft) -> Effect:
    """What publishing the draft would do. Changes nothing. Raises as `publish_draft` does."""
    current = await read_current(db, tenant_slug)
    _require_offer(current, draft)
    outcome = await preview(db, tenant_slug=tenant_slug, edits=_edits(current, draft))
    return _effect(current, outcome)


async def effect_of_change(db: Database, tenant_slug: str, new: NewChange) -> Effect:
    """What a change that is to be scheduled would do to the prices of now, whether or not it would lose money."""
    current = await read_current(db, tenant_slug)
    terms = {**msgspec.to_builtins(new), "id": "", "effective_from": 0}
    then = await read_changed(db, tenant_slug, msgspec.convert(terms, ScheduledChange))
    return _effect(current, Outcome(tenant=current.tenant, levels=then))


async def publish_draft(
    db: Database, vault: Vault, tenant_slug: str, draft: Draft, *, expected: str, actor: str
) -> tuple[PriceMove, ...]:
    """Let the draft hold from now on; the prices that moved. That a team kept what it found is noted as well.

    Raises InvalidManifest, InvalidRequest for one that offers nothing, and Conflict when what `expected` marks was
    changed meanwhile.
    """
    current = await read_current(db, tenant_slug)
    _require_offer(current, draft)
    plan = await edit(db, vault, tenant_slug=tenant_slug, edits=_edits(current, draft), actor=actor, expected=expected)
    if not plan.pending:
        async with db.write(NO_TENANT) as connection:
            tenant = await require_tenant(connection, tenant_slug)
            await audit_log.record(connection, tenant.id, actor, PRICES_KEPT, "tenant", tenant_slug)
    return plan.prices


async def show_model(db: Database, vault: Vault, tenant_slug: str, model: str, *, actor: str) -> None:
    """Offer a model that is hidden. Raises NotFound, and Conflict where a pattern hides it."""
    current = await read_current(db, tenant_slug)
    if model not in current.hidden:
        raise NotFound("There is no such hidden model.")
    catalog = current.tenant.catalog
    wanted = structs.replace(catalog, deny=tuple(one for one in catalog.deny if one != model))
    if not offers(wanted, model):
        wanted = structs.replace(wanted, allow=(*catalog.allow, model))
    if not offers(wanted, model):
        raise Conflict("A pattern hides this model.", fix="Change the patterns of hidden models.")
    await _set_catalog(db, vault, current, wanted, actor)


async def hide_model(db: Database, vault: Vault, tenant_slug: str, model: str, *, actor: str) -> None:
    """Offer a model no longer. Raises NotFound, and Conflict for the only one that is left."""
    current = await read_current(db, tenant_slug)
    if model not in current.levels:
        raise NotFound("There is no such model on offer.")
    if len(current.levels) == 1:
        raise Conflict("This is the only model on offer.", fix="Show another one first.")
    catalog = current.tenant.catalog
    allow = tuple(one for one in catalog.allow if one != model) or catalog.allow
    hidden = structs.replace(catalog, allow=allow)
    if offers(hidden, model):
        hidden = structs.replace(hidden, deny=(*catalog.deny, model))
    await _set_catalog(db, vault, current, hidden, actor)


async def _set_catalog(db: Database, vault: Vault, current: Current, catalog: Catalog, actor: str) -> None:
    fields = {"catalog.allow": list(catalog.allow), "catalog.deny": list(catalog.deny)}
    slug, mark = current.tenant.slug, current.mark("catalog")
    await edit(db, vault, tenant_slug=slug, edits=[Edit("tenant", slug, fields)], actor=actor, expected=mark)


def _edits(current: Current, draft: Draft) -> list[Edit]:
    slug = current.tenant.slug
    return [Edit("tenant", slug, fields_of(draft, current.tenant.catalog.aliases))]


def _sheet(current: Current) -> Sheet:
    names: dict[str, list[str]] = {}
    for alias, model in current.tenant.catalog.aliases.items():
        names.setdefault(model, []).append(alias)
    models = [
        ModelPrices(
            model=model,
            hidden=model in current.hidden,
            aliases=tuple(sorted(names.get(model, ()))),
            lines=tuple(paid_lines(model, levels)),
        )
        for model, levels in sorted({**current.hidden, **current.levels}.items())
    ]
    return Sheet(
        models=tuple(models),
        draft=draft_of(current.tenant),
        mark=current.mark(*PARTS),
        name=current.tenant.name,
        floor=current.floor,
    )


def paid_lines(model: str, levels: Levels) -> Iterator[Line]:
    """A model's prices as its reseller sees them."""
    for line in lines_of(model, levels):
        paid = None if line.wholesale is None else line.wholesale + (line.provider or 0)
        yield Line(usage_class=line.usage_class, above_input=line.above_input, paid=paid, retail=line.retail)


def _effect(current: Current, outcome: Outcome) -> Effect:
    now, then = current.levels, outcome.levels
    return Effect(
        moves=tuple(_moves(now, then)),
        added=tuple(sorted(then.keys() - now.keys())),
        removed=tuple(sorted(now.keys() - then.keys())),
        warnings=tuple(finding.message for finding in outcome.warnings),
        now=now,
        then=then,
    )


def _moves(now: Mapping[str, Levels], then: Mapping[str, Levels]) -> Iterator[Move]:
    for model in sorted({*now, *then}):
        before, after = now.get(model), then.get(model)
        groups = {group for levels in (before, after) if levels is not None for group in levels.groups}
        for group in (None, *sorted(groups)):
            yield from _moves_of(model, group, before, after)


def _moves_of(model: str, group: str | None, now: Levels | None, then: Levels | None) -> Iterator[Move]:
    old, new = _lines_for(model, group, now), _lines_for(model, group, then)
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if before is None or after is None or before.retail != after.retail:
            yield Move(
                model=model,
                usage_class=key[0],
                above_input=key[1],
                paid=after.paid if after else before.paid if before else None,
                old=before.retail if before else None,
                new=after.retail if after else None,
                group=group,
            )


def _lines_for(model: str, group: str | None, levels: Levels | None) -> dict[tuple[str, int], Line]:
    if levels is None:
        return {}
    own = structs.replace(levels, retail=levels.retail_for(group))
    return {(line.usage_class, line.above_input): line for line in paid_lines(model, own)}
