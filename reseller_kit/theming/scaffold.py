"""`theme new`: a child theme that passes `theme check` as it is written. Overwrites nothing."""

from __future__ import annotations

import re
from pathlib import Path

from reseller_kit.core.errors import Conflict, InvalidRequest
from reseller_kit.core.theme.manifest import THEME_NAME

_MANIFEST = """# {title}: a child of {parent}. What is not given here comes from the parent.
schema   = 1
name     = "{name}"
title    = "{title}"
version  = "0.1.0"
extends  = "{parent}"
requires = ">=0.1"
license  = "Apache-2.0"

# The closed set of tokens; a colour has a light and a dark value. Names not given keep the parent's values.
[tokens]
"color.accent"    = {{ light = "#0f5f73", dark = "#7fd6ea" }}
"color.on_accent" = {{ light = "#ffffff", dark = "#06262e" }}
"color.link"      = {{ light = "#0f5f73", dark = "#7fd6ea" }}
"radius"          = "8px"

[assets]
css = ["{name}.css"]
budget_kb = {{ css = 90, js = 8, images = 300 }}
"""
_CSS = """/* {title}: comes after the parent's sheet in a cascade layer of its own, so plain selectors win. */
:root {{
  /* Knobs that every component follows, also those of the account; all stand at the head of base.css. */
  --heading-weight: 700; --card-radius: 8px;
}}
"""
_HOME = """{# Replaces blocks of the parent's home page; the others stay. #}
{% extends "!PARENT/storefront/home.html" %}
{% import "partials/macros.html" as m with context %}
{% block closing %}
<section class="closing" aria-labelledby="closing"><div class="wrap">
<h2 id="closing">{{ t("home.closing") }}</h2>
<p class="actions">{{ m.start_button() }}</p>
</div></section>
{% endblock %}
"""
_TEXTS = """# Texts that differ from the parent's. {brand} is known everywhere.
msgid ""
msgstr ""
"Language: en\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "home.start"
msgstr "Start building"
"""


def new_theme(parent_folder: Path, name: str, *, extends: str = "base") -> list[Path]:
    """Writes the theme `name` below `parent_folder` and returns its files.

    Raises InvalidRequest for a name that is none, Conflict when the folder exists.
    """
    if re.fullmatch(THEME_NAME, name) is None:
        raise InvalidRequest(
            f"{name!r} cannot name a theme.", fix="Use 1 to 40 of a-z, 0-9 and hyphen, a letter first."
        )
    folder = parent_folder / name
    if folder.exists():
        raise Conflict(f"{folder} exists already.", fix="Choose another name.")
    title = name.replace("-", " ").capitalize()
    files = {
        "theme.toml": _MANIFEST.format(name=name, title=title, parent=extends),
        f"static/{name}.css": _CSS.format(title=title),
        "templates/storefront/home.html": _HOME.replace("PARENT", extends),
        "locales/en/storefront.po": _TEXTS,
    }
    written = []
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return written
