"""A brand's draft becomes what everybody sees, shows as drift, and can be taken back; on both databases."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from PIL import Image

from reseller_kit import theming
from reseller_kit.core.brand import BrandContent
from reseller_kit.core.errors import Conflict, InvalidManifest, NotFound
from reseller_kit.db import audit_log, brand_images, brand_revisions, tenants
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import brand_editor, brand_preview
from reseller_kit.flows import snapshot as snapshots
from reseller_kit.flows.brand_editor import Unreadable
from reseller_kit.flows.brand_files import BrandFiles
from reseller_kit.flows.provision import apply, resolver, with_logos
from reseller_kit.flows.unlock import unlock
from reseller_kit.imaging import ImageRefused
from reseller_kit.vault import Vault
from tests.support import factories as make
from tests.support.provisioning import KEYS, applied, edited, manifest_of, planned

THEMES = theming.load().themes
ACTOR = "member:kim@aurora.example"


class House:
    """An applied example file, and the editor of one of its storefronts."""

    def __init__(self, db: Database, vault: Vault, tenant_id: int) -> None:
        self.db, self.vault, self.tenant_id = db, vault, tenant_id

    async def editor(self) -> brand_editor.Editor:
        return await brand_editor.open_editor(self.db, self.tenant_id, "aurora")

    async def save(self, changes: dict[str, Any] | None = None, **given: Any) -> BrandContent:
        editor = await self.editor()
        fields = {name: value for name, value in {**editor.content.fields, **(changes or {})}.items() if value}
        content = structs.replace(editor.content, fields=fields, **given)
        await brand_editor.save(self.db, self.tenant_id, content, actor=ACTOR, seen=editor.seen)
        return content

    async def publish(self) -> int:
        return await brand_editor.publish(self.db, self.vault, THEMES, self.tenant_id, "aurora", actor=ACTOR)

    async def restore(self, number: int) -> int:
        return await brand_editor.restore(self.db, self.vault, THEMES, self.tenant_id, "aurora", number, actor=ACTOR)

    async def shown(self) -> tuple[str, str, dict[str, Any]]:
        found = await snapshots.load(self.db, self.vault)
        storefront = next(one.storefront for one in found.hosts.values() if one.storefront.tenant_id == self.tenant_id)
        return storefront.name, storefront.theme, dict(storefront.settings["brand"])

    async def drift(self) -> dict[str, Any]:
        found = await planned(self.db)
        return {name: change.action for change in found.changes for name in change.fields}


@pytest.fixture
async def house(db: Database) -> House:
    await applied(db)
    vault = await unlock(db, make.SECRET_KEY)
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, "aurora")
    assert tenant is not None
    return House(db, vault, tenant.id)


def png(color: str = "#aa0000") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 60), color).save(out, "PNG")
    return out.getvalue()


async def test_a_draft_is_published_shows_as_drift_and_is_taken_back(house: House) -> None:
    before = await house.shown()
    assert (await house.editor()).draft is None
    await house.save({"name": "Aurora {{7*7}}", "brand.tokens.color.accent": "#0f766e", "brand.tagline": None})
    assert await house.shown() == before
    assert await house.publish() == 2
    name, theme, brand = await house.shown()
    assert (name, theme, brand["tokens"]) == ("Aurora {{7*7}}", before[1], {"color.accent": "#0f766e"})
    assert brand["key_prefix"] == before[2]["key_prefix"]
    assert "tagline" not in brand
    drift = await house.drift()
    assert drift == dict.fromkeys(("name", "brand.tokens.color.accent", "brand.tagline"), "drift")
    first = await brand_editor.revision(house.db, house.tenant_id, 1)
    assert first is not None
    assert (first.state, first.origin) == ("superseded", "outside")
    assert await house.restore(1) == 3
    assert await house.shown() == before
    assert await house.drift() == {}
    found = await brand_editor.history(house.db, house.tenant_id)
    assert [(one.number, one.state, one.origin) for one in found] == [
        (3, "published", "restored:1"),
        (2, "superseded", "edited"),
        (1, "superseded", "outside"),
    ]


async def test_what_the_file_sets_meanwhile_becomes_a_revision_of_its_own(house: House) -> None:
    await house.save({"brand.tagline": "One"})
    await house.publish()
    await applied(house.db, reset_drift=True)
    await house.save({"brand.tagline": "Two"})
    await house.publish()
    found = await brand_editor.history(house.db, house.tenant_id)
    assert [one.origin for one in found] == ["edited", "outside", "edited", "outside"]


async def test_another_theme_keeps_the_settings_of_the_one_before(house: House) -> None:
    editor = await house.editor()
    theme = editor.content.theme
    await house.save(settings={theme: {"hero_code": False}, "midnight": {"show_grid": False}}, theme="midnight")
    await house.publish()
    shown = await house.shown()
    assert (shown[1], shown[2]["settings"]) == ("midnight", {"show_grid": False})
    await house.save(theme=theme)
    await house.publish()
    shown = await house.shown()
    assert (shown[1], shown[2]["settings"]) == (theme, {"hero_code": False})


async def test_colours_that_cannot_be_read_are_not_published(house: House) -> None:
    before = await house.shown()
    white = {"light": "#ffffff", "dark": "#ffffff"}
    await house.save({"brand.tokens.color.accent": white, "brand.tokens.color.on_accent": white})
    with pytest.raises(Unreadable) as refused:
        await house.publish()
    assert all(one.better is not None for one in refused.value.failures)
    assert await house.shown() == before
    assert (await house.editor()).draft is not None


async def test_values_that_are_not_taken_change_nothing(house: House) -> None:
    await house.save({"brand.tagline": "x" * 300})
    with pytest.raises(InvalidManifest):
        await house.publish()
    assert (await house.editor()).published is None


@pytest.mark.parametrize("step", ["publish", "drop_draft"])
async def test_a_crash_while_publishing_leaves_everything_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await house.save({"brand.tagline": "Half a brand"}, theme="midnight")
    before = await house.shown()

    async def crash(*_: Any, **__: Any) -> None:
        raise ConnectionAbortedError("the process died here")

    with monkeypatch.context() as patched:
        patched.setattr(brand_revisions, step, crash)
        with pytest.raises(ConnectionAbortedError):
            await house.publish()
    assert await house.shown() == before
    assert await brand_editor.history(house.db, house.tenant_id) == []
    assert (await house.editor()).draft is not None
    await house.publish()
    assert (await house.shown())[1] == "midnight"
    assert (await house.editor()).draft is None


async def test_nobodys_draft_is_overwritten_unseen(house: House) -> None:
    editor = await house.editor()
    first = await brand_editor.save(house.db, house.tenant_id, editor.content, actor=ACTOR, seen=0)
    with pytest.raises(Conflict):
        await brand_editor.save(house.db, house.tenant_id, editor.content, actor=ACTOR, seen=0)
    second = await brand_editor.save(house.db, house.tenant_id, editor.content, actor=ACTOR, seen=first.changed_at)
    assert second.changed_at > first.changed_at
    await brand_editor.discard(house.db, house.tenant_id, actor=ACTOR)
    with pytest.raises(NotFound):
        await house.publish()
    with pytest.raises(NotFound):
        await house.restore(7)


async def test_pictures_are_kept_once_and_drawn_from(house: House) -> None:
    sha256 = await brand_editor.add_image(house.db, house.tenant_id, "favicon", png(), actor=ACTOR)
    assert await brand_editor.add_image(house.db, house.tenant_id, "favicon", png(), actor=ACTOR) == sha256
    with pytest.raises(ImageRefused):
        await brand_editor.add_image(house.db, house.tenant_id, "favicon", b"<svg/>", actor=ACTOR)
    await house.save({"brand.images.favicon": sha256})
    await house.publish()
    assert (await house.shown())[2]["images"] == {"favicon": sha256}
    files = BrandFiles(house.db)
    assert await files.image(house.tenant_id + 1, sha256) is None
    found = await files.image(house.tenant_id, sha256)
    assert found is not None
    assert Image.open(io.BytesIO(found.body)).size == (60, 60)
    await house.save({"brand.images.favicon": "0" * 64})
    with pytest.raises(NotFound):
        await house.publish()


async def test_pictures_that_nothing_names_make_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brand_editor, "MAX_IMAGES", 2)
    used = await brand_editor.add_image(house.db, house.tenant_id, "favicon", png("#000001"), actor=ACTOR)
    await house.save({"brand.images.favicon": used})
    loose = await brand_editor.add_image(house.db, house.tenant_id, "favicon", png("#000002"), actor=ACTOR)
    with pytest.raises(Conflict):
        await brand_editor.add_image(house.db, house.tenant_id, "favicon", png("#000003"), actor=ACTOR)
    tomorrow = now_us() + 2 * 86_400 * 10**6
    monkeypatch.setattr(brand_editor, "now_us", lambda: tomorrow)
    new = await brand_editor.add_image(house.db, house.tenant_id, "favicon", png("#000004"), actor=ACTOR)
    async with house.db.read(house.tenant_id) as connection:
        assert await brand_images.known(connection, house.tenant_id, [used, loose, new]) == {used, new}


async def test_a_preview_is_of_one_storefront_one_revision_and_an_hour(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = brand_preview.preview_token(house.vault, house.tenant_id, 0)
    assert brand_preview.opened(house.vault, house.tenant_id, token) == 0
    assert brand_preview.opened(house.vault, house.tenant_id + 1, token) is None
    for broken in ("", token[:-1], "1" + token[1:], token.upper(), "٣" + token[1:], token + "0"):
        assert brand_preview.opened(house.vault, house.tenant_id, broken) is None
    later = now_us() + brand_preview.VALID_US + 1
    monkeypatch.setattr(brand_preview, "now_us", lambda: later)
    assert brand_preview.opened(house.vault, house.tenant_id, token) is None


async def test_each_step_is_on_record(house: House) -> None:
    await house.save({"brand.tagline": "One"})
    await house.publish()
    async with house.db.read(house.tenant_id) as connection:
        rows = await audit_log.page(connection, house.tenant_id, 50, None)
    mine = [row for row in rows if row.actor == ACTOR]
    assert {row.action for row in mine} >= {"brand.save", "brand.publish"}
    saved = next(row for row in mine if row.action == "brand.save")
    assert saved.after is not None
    assert saved.after["brand.tagline"] == "One"


async def test_a_logo_beside_the_file_is_shown_and_yields_to_the_console(db: Database, tmp_path: Path) -> None:
    text = edited(('  tagline = "Every leading', '  logo = "aurora.png"\n  tagline = "Every leading'))
    with pytest.raises(InvalidManifest) as missing:
        with_logos(manifest_of(text), tmp_path)
    assert [(found["code"], found["path"]) for found in missing.value.details] == [("RK508", "tenants[0].brand.logo")]
    (tmp_path / "aurora.png").write_bytes(png())
    manifest, logos = with_logos(manifest_of(text), tmp_path)
    vault = await unlock(db, make.SECRET_KEY)
    options: dict[str, Any] = {"actor": "test", "logos": logos}
    await apply(db, vault, manifest, resolver(KEYS, tmp_path), **options)
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, "aurora")
    assert tenant is not None
    sha256 = logos["aurora"].sha256
    assert await BrandFiles(db).image(tenant.id, sha256) is not None
    house = House(db, vault, tenant.id)
    assert (await house.shown())[2]["images"] == {"logo_light": sha256}
    assert not (await apply(db, vault, manifest, resolver(KEYS, tmp_path), **options)).pending
    own = await brand_editor.add_image(db, tenant.id, "logo_light", png("#00aa00"), actor=ACTOR)
    await house.save({"brand.images.logo_light": own})
    await house.publish()
    assert not (await apply(db, vault, manifest, resolver(KEYS, tmp_path), **options)).pending
    assert (await house.shown())[2]["images"] == {"logo_light": own}
