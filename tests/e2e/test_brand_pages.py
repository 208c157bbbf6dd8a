"""The brand editor over HTTP: what is refused, what a preview may do, and whose a picture is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.accounts import PASSWORD, Visitor, newest_mail, problems
from tests.support.desk import seat
from tests.support.product import Shop, eventually, open_shop

PATH = "/console/brand"
ODD = "{{7*7}} {% raw %} <script>alert(1)</script> \"'& 🚀"
_PREVIEW = re.compile(r'data-preview-base="([^"]+)/own"')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("brand-pages"), None) as opened:
        yield opened


@pytest.fixture(scope="module")
def kim(shop: Shop) -> Visitor:
    return seat(shop)


@pytest.fixture(autouse=True)
def clean(kim: Visitor) -> None:
    kim.send(PATH, action="discard")


def png(color: str = "#0f766e", size: tuple[int, int] = (90, 90)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def upload(visitor: Visitor, field: str, body: bytes, **fields: str) -> httpx.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', visitor.get(PATH).text)
    assert found is not None
    files: Any = {field: ("logo.png", body, "image/png")}
    return visitor.http.post(PATH, data={"csrf": found[1], "action": "save", **fields}, files=files)


def preview(visitor: Visitor) -> str:
    found = _PREVIEW.search(visitor.get(PATH).text)
    assert found is not None
    return found[1]


def test_a_preview_shows_the_draft_literally_and_to_nobody_for_long(shop: Shop, kim: Visitor) -> None:
    saved = kim.send(PATH, **{"brand.name": ODD, "brand.tagline": ODD, "brand.texts.home.more": ODD})
    assert saved.headers["location"] == f"{PATH}?done=saved", saved.text
    base, stranger = preview(kim), Visitor(shop)
    for scheme in ("light", "dark"):
        for name in (
            "home",
            "pricing",
            "models",
            "docs",
            "faq",
            "status",
            "portal",
            "keys",
            "usage",
            "billing",
            "mail",
        ):
            page = stranger.get(f"{base}/own/{scheme}/{name}")
            assert page.status_code == 200, (name, page.text[-500:])
            assert page.headers["cache-control"] == "no-store"
            assert "noindex" in page.headers["x-robots-tag"]
            assert page.headers["x-frame-options"] == "SAMEORIGIN"
            policy = page.headers["content-security-policy"]
            assert "frame-ancestors 'self'" in policy
            assert "script-src" not in policy
            assert "<script>alert" not in page.text
            assert "49" not in page.text.partition("<title>")[2].partition("</title>")[0]
            if name != "mail":
                assert f'data-scheme="{scheme}"' in page.text
                assert "<script" not in page.text
                outward = re.findall(r'<a\b[^>]*?\bhref="(?!#|/preview/)([^"]*)"', page.text)
                assert outward == []
            for path in set(re.findall(r'(?:href|src)="(/preview/[^"]+/theme/[^"]+)"', page.text)):
                assert stranger.get(path).status_code == 200, path
    home = stranger.get(f"{base}/own/light/home").text
    sheet = re.search(r'rel="stylesheet" href="([^"]+)"', home)
    assert sheet is not None
    for font in set(re.findall(r'url\("([^"]+)"\)', stranger.get(sheet[1]).text)):
        assert font.startswith(base)
        assert stranger.get(font).status_code == 200
    assert stranger.get("/").text.count("{{7*7}}") == 0
    for wrong in (base[:-1] + ("0" if base[-1] != "0" else "1"), "/preview/0-1-" + "0" * 64, "/preview/x"):
        assert stranger.get(f"{wrong}/own/light/home").status_code == 404
    assert Visitor(shop, "lunaris").get(f"{base}/own/light/home").status_code == 404
    for odd in (
        "own/light/nothing",
        "nothing/light/home",
        "own/grey/home",
        "own/theme/nothing.css",
        "own/theme/static/x",
    ):
        assert stranger.get(f"{base}/{odd}").status_code == 404, odd


def test_a_storefront_that_is_not_open_is_previewed_as_if_it_were(shop: Shop) -> None:
    team = seat(shop, "sketch")
    assert team.send(PATH, **{"brand.tagline": "Soon"}).status_code == 303
    shown = team.get(f"{preview(team)}/own/light/home")
    assert shown.status_code == 200
    assert "Soon" in shown.text
    assert team.get("/").status_code == 503


def test_every_theme_shows_the_draft(shop: Shop, kim: Visitor) -> None:
    page = kim.get(PATH).text
    base = preview(kim)
    themes = re.findall(r'name="brand.theme" value="([a-z-]+)"', page)
    assert len(themes) >= 5
    for theme in themes:
        assert kim.get(f"{base}/{theme}/light/home").status_code == 200


def test_a_preview_whose_draft_has_just_changed_still_finds_a_style_sheet(kim: Visitor) -> None:
    found = re.search(r'rel="stylesheet" href="([^"]+)"', kim.get(f"{preview(kim)}/own/light/home").text)
    assert found is not None
    before = kim.get(re.sub(r"[0-9a-f]{12}(?=\.css)", "0123456789ab", found[1]))
    assert (before.status_code, before.text) == (200, kim.get(found[1]).text)


def test_a_picture_is_its_own_storefronts(shop: Shop, kim: Visitor) -> None:
    assert upload(kim, "brand.images.logo_light", png()).status_code == 303
    page = kim.get(PATH).text
    found = re.search(r'src="(/theme/images/[0-9a-f]{64})"', page)
    assert found is not None
    shown = kim.get(found[1])
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert "immutable" in shown.headers["cache-control"]
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert Visitor(shop, "lunaris").get(found[1]).status_code == 404
    assert kim.get("/theme/images/" + "0" * 64).status_code == 404
    assert kim.send(PATH, **{"brand.images.logo_light.remove": "yes"}).status_code == 303
    assert found[1] not in kim.get(PATH).text


@pytest.mark.parametrize(
    "body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"\x89PNG\r\n\x1a\nbroken", png()[:-40]]
)
def test_what_is_no_picture_is_refused_beside_its_field(kim: Visitor, body: bytes) -> None:
    answer = upload(kim, "brand.images.favicon", body, **{"brand.tagline": "Kept"})
    assert answer.status_code == 422
    assert "brand.images.favicon-problem" in answer.text
    assert 'value="Kept"' in answer.text


def test_icons_cards_and_the_manifest_are_drawn_for_everybody(shop: Shop) -> None:
    visitor = Visitor(shop, "lunaris")
    home = visitor.get("/").text
    card = re.search(r'property="og:image" content="http://[^/]+(/theme/[0-9a-f]+\.png)"', home)
    touch = re.search(r'rel="apple-touch-icon" href="([^"]+)"', home)
    manifest = re.search(r'rel="manifest" href="([^"]+)"', home)
    assert card is not None
    assert touch is not None
    assert manifest is not None
    for url, size in ((card[1], (1200, 630)), (touch[1], (180, 180))):
        drawn = visitor.get(url)
        assert drawn.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(drawn.content)).size == size
    for icon in visitor.get(manifest[1]).json()["icons"]:
        assert visitor.get(icon["src"]).status_code == 200


def test_published_words_reach_pages_in_their_language(shop: Shop, kim: Visitor) -> None:
    fields = {
        "brand.locale": "en",
        "brand.translations.de.tagline": "Ganz ruhig",
        "brand.menu.0.to": "/pricing",
        "brand.menu.1.to": "https://blog.example/",
        "brand.menu.1.title": "Blog <b>",
        "brand.social.github": "https://github.com/solaria",
    }
    page = kim.get(PATH)
    guard = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert guard is not None
    sent = kim.http.post(PATH, data={"csrf": guard[1], "action": "publish", **fields, "brand.locales": ["en", "de"]})
    assert sent.headers["location"] == f"{PATH}?done=published", sent.text
    visitor = Visitor(shop)

    def german() -> str | None:
        text = visitor.get("/?lang=de").text
        return text if "Ganz ruhig" in text else None

    found = eventually(german, "the German tagline", 2)
    assert '<a href="https://blog.example/" rel="noopener">Blog &lt;b&gt;</a>' in found
    assert '<a href="https://github.com/solaria" rel="me noopener">GitHub</a>' in found
    assert "Sunlit answers." in visitor.get("/?lang=en").text
    customer = Visitor(shop)
    customer.join("chooses@solaria.example")
    assert 'lang="en"' in customer.get("/account").text
    customer.get("/faq?lang=de")
    assert 'lang="de"' in customer.get("/account").text, "what was chosen in the foot holds on the next page"
    customer.send("/account/security", action="profile", locale="en")
    assert 'lang="en"' in customer.get("/account").text, "what was chosen last holds"
    kim.send("/console/brand/history", restore="1")


def test_an_odd_name_breaks_no_header_and_no_mail(shop: Shop) -> None:
    team, visitor = seat(shop, "lunaris"), Visitor(shop, "lunaris")
    name = "“Ada” \u200fאב\u200e 👨\u200d👩\u200d👧 é"
    sent = team.send(PATH, action="publish", **{"brand.name": name, "brand.support_email": ""})
    assert sent.headers["location"] == f"{PATH}?done=published", sent.text

    def renamed() -> bool | None:
        return name in visitor.get("/").text or None

    eventually(renamed, "the name", 2)
    refused = visitor.get("/v1/models", headers={"authorization": "Bearer nothing"})
    assert refused.status_code == 401
    assert (
        visitor.send("/signup", email="odd@lunaris.example", password=PASSWORD, name="J", terms="yes").status_code
        == 200
    )
    assert eventually(lambda: newest_mail(shop, "odd@lunaris.example", "confirm your address"), "its mail")
    assert team.send(PATH, action="publish", **{"brand.name": name}).headers["location"] == f"{PATH}?done=published"


def test_who_may_not_and_what_is_not_ours(shop: Shop, kim: Visitor) -> None:
    stranger = Visitor(shop)
    assert stranger.get(PATH).headers["location"].startswith("/console/login")
    helper = seat(shop, role="support")
    assert helper.get(PATH).status_code == 403
    assert helper.get(f"{PATH}/history").status_code == 403
    assert kim.http.post(PATH, data={"brand.name": "Forged"}).status_code == 403
    assert kim.http.post(PATH, data={"csrf": "x"}, headers={"origin": "https://evil.example"}).status_code == 403
    assert kim.http.post(PATH, files={"x": ("x", b"\xff")}).status_code == 403
    assert kim.http.post(PATH, content=b"{}", headers={"content-type": "application/json"}).status_code == 400
    assert kim.http.post(PATH, content=b"x", headers={"content-type": "multipart/form-data"}).status_code == 400
    huge = kim.http.post(PATH, content=b"x" * (21 << 20), headers={"content-type": "multipart/form-data; boundary=x"})
    assert huge.status_code == 413
    assert kim.send("/console/brand/history", restore="99").status_code == 404
    assert kim.send("/console/brand/history", restore="x" * 40).status_code == 404
    assert kim.get("/console/brand/history?before=" + "9" * 30).status_code == 200


def test_two_at_once_do_not_overwrite_each_other(kim: Visitor) -> None:
    assert kim.send(PATH, **{"brand.tagline": "First"}).status_code == 303
    second = kim.send(PATH, **{"brand.tagline": "Second", "brand.seen": "0"})
    assert second.status_code == 409
    assert 'value="Second"' in second.text
    assert 'value="First"' in kim.get(PATH).text


def test_what_is_wrong_is_said_and_what_is_right_is_kept(kim: Visitor) -> None:
    answer = kim.send(
        PATH, action="publish", **{"brand.name": "", "color.accent.light": "red;}", "brand.tagline": "Good"}
    )
    assert answer.status_code == 422
    assert {"brand.name", "color.accent.light"} <= set(problems(answer)) or "color.accent.light-problem" in answer.text
    assert 'value="red;}"' in answer.text
    assert 'value="Good"' in kim.get(PATH).text
