"""The pages of docs/reference/, made from the code they describe. Invents no text of its own beyond headings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import click
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from reseller_kit import settings
from reseller_kit.cli.root import root
from reseller_kit.core import errors
from reseller_kit.core.manifest.findings import CODES
from reseller_kit.core.manifest.shop_structs import Table
from reseller_kit.core.manifest.structs import Document
from reseller_kit.core.theme import COLOR_TOKENS, DERIVED, TOKENS
from reseller_kit.flows.doctor import RULES as DOCTOR_RULES
from reseller_kit.telemetry.metrics import Metrics
from reseller_kit.telemetry.series import MOST_HISTOGRAMS, MOST_SERIES, OTHER
from reseller_kit.theming.check import RULES
from reseller_kit.theming.library import read_themes, themes_dir
from reseller_kit.web.gateway import schema as gateway_schema
from reseller_kit.web.management.openapi import openapi as management_schema
from scripts._lib import openapi_page, plugins_page

_MADE: Final = "Made from the code by `scripts/reference`; edit the code, not this page.\n"


def write(folder: Path) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def stale(folder: Path) -> list[str]:
    """The pages whose file is missing or says something else than the code."""
    return [name for name, make in PAGES.items() if _read(folder / name) != make()]


def settings_page() -> str:
    """Environment variables."""
    rows = [(f"`{settings.PREFIX}{name}`", default, meaning) for name, (default, meaning) in settings.VARIABLES.items()]
    return _page(
        "Settings", "Environment variables that a process reads.", _table(("variable", "default", "meaning"), rows)
    )


def commands_page() -> str:
    """Commands with their options."""
    parts = []
    for path, command in _commands(root, ()):
        usage = " ".join(("reseller-kit", *path, *_arguments(command)))
        parts.append(f"## {' '.join(path)}\n\n{inspect.cleandoc(command.help or '')}\n\n`{usage}`\n")
        rows = [
            (f"`{', '.join(option.opts)}`", option.help or "")
            for option in command.params
            if isinstance(option, click.Option) and not option.hidden
        ]
        if rows:
            parts.append(_table(("option", "meaning"), rows))
    return _page("Commands", inspect.cleandoc(root.help or ""), "\n".join(parts))


def errors_page() -> str:
    """Error codes."""
    rows = [
        (
            f"`{kind.code}`",
            str(kind.status),
            inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
        )
        for kind in sorted(_tree(errors.KitError), key=lambda kind: (kind.status, kind.code, kind.__name__))
        if kind.__module__ == errors.__name__ and kind is not errors.KitError
    ]
    return _page("Errors", "What the product refuses on purpose.", _table(("code", "status", "when"), rows))


def configuration_page() -> str:
    """Every key of tenants.toml, and the codes of its errors."""
    keys = _table(("key", "default", "meaning"), list(_keys(Document, "")))
    codes = _table(("code", "meaning"), [(f"`{code}`", meaning) for code, meaning in CODES.items()])
    body = f"{keys}\n## Findings\n\n{codes}"
    return _page("Configuration", "Keys of tenants.toml. Money, prices and percentages are strings.", body)


def themes_page() -> str:
    """Theme tokens, the colours derived from them, the settings of the shipped themes, and the rules of theme check."""
    rows = [
        (f"`{name}`", "a light and a dark colour" if name in COLOR_TOKENS else "one value") for name in sorted(TOKENS)
    ]
    rules = _table(("rule", "meaning"), [(f"`{code}`", meaning) for code, meaning in RULES.items()])
    derived = _table(("colour", "custom property"), [(f"`{name}`", f"`{_property(name)}`") for name in DERIVED])
    body = (
        f"{_table(('token', 'takes'), rows)}\n## Derived colours\n\n"
        f"Made from the tokens, for style sheets; nobody sets them.\n\n{derived}\n## Settings\n\n"
        "What `[tenants.brand] settings` may hold. A theme has those of `base`, with its own defaults, and its own.\n\n"
        f"{_theme_settings()}\n## Rules of theme check\n\n{rules}"
    )
    return _page("Themes", "Tokens that a theme sets and a brand may override where the theme exposes them.", body)


def metrics_page() -> str:
    """Every family of metrics."""
    rows = [
        (f"`{family.name}`", family.kind, ", ".join(f"`{label}`" for label in family.labels) or "none", family.meaning)
        for family in sorted(Metrics().families, key=lambda family: family.name)
    ]
    return _page(
        "Metrics",
        f"What `/metrics` shows on the platform's hosts, beside the client library's `process_*`. Of each family"
        f" {MOST_SERIES:,} combinations of labels are kept apart ({MOST_HISTOGRAMS} of a histogram); what comes later"
        f" has `{OTHER}` in the place of a tenant, model or upstream.",
        _table(("metric", "type", "labels", "meaning"), rows),
    )


def doctor_page() -> str:
    """What doctor may find."""
    rows = [(f"`{code}`", meaning) for code, meaning in DOCTOR_RULES.items()]
    return _page(
        "Doctor",
        "What `reseller-kit doctor` and `reseller-kit tenant doctor SLUG` may find: each finding has its code, where it"
        " is, what is wrong and what to do. Exit code 6 if there are any; `--json` prints them as one document.",
        _table(("code", "meaning"), rows),
    )


def api_page() -> str:
    """Every request of the storefronts' API."""
    document = gateway_schema.document()
    refused = _table(("status", "when"), openapi_page.refusals(document))
    return _page(
        "Requests of the API",
        "What customers' programs may ask on each storefront host. Bodies are those of the provider's API that is"
        " named; [API](../api.md) tells what is read of them and [translation](../translation.md) what becomes of it at"
        " another provider.",
        f"{openapi_page.render(document)}\n## Refusals\n\n{refused}",
    )


def management_page() -> str:
    """Every request of the management API."""
    document = management_schema("The brand's", "/console/api/v1")
    return _page(
        "Requests of the management API",
        "What a reseller's programs may ask below `/console/api/v1` on the storefront's hosts, with a token"
        f" ([how](../management-api.md)). {document['info']['description']}",
        f"{openapi_page.render(document)}\n## What answers hold\n\n{openapi_page.schemas(document)}",
    )


def plugins_reference() -> str:
    """What packages of others may build upon."""
    lead = "What `reseller_kit.plugins` offers to packages of others; [Plugins](../plugins.md) tells how it is used."
    return _page("The plugin interface", lead, plugins_page.render())


def _property(name: str) -> str:
    return f"--color-{name.replace('_', '-')}"


def _theme_settings() -> str:
    """Every setting of every theme that differs from what its parent says of it."""
    rows = []
    for name, theme in read_themes(themes_dir()).items():
        for key, setting in theme.manifest.settings.items():
            takes = ", ".join(f"`{option}`" for option in setting.options) or setting.type
            default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
            rows.append((name, f"`{key}`", takes, f"`{default}`" if default else "none", setting.title))
    rows.sort(key=lambda row: row[0] != "base")
    return _table(("theme", "setting", "takes", "default", "what it does"), rows)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
    "doctor.md": doctor_page,
    "configuration.md": configuration_page,
    "themes.md": themes_page,
    "api.md": api_page,
    "management-api.md": management_page,
    "plugins.md": plugins_reference,
}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _page(title: str, lead: str, body: str) -> str:
    return f"# {title}\n\n{lead}\n\n{_MADE}\n{body.strip()}\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [_row(head), _row(("---",) * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        elif command is not None:
            yield (*path, name), command


def _arguments(command: click.Command) -> list[str]:
    return [
        parameter.make_metavar(click.Context(command))
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    ]


def _tree(kind: type[errors.KitError]) -> set[type[errors.KitError]]:
    return {kind}.union(*(_tree(below) for below in kind.__subclasses__()))


def _keys(table: type[Table], prefix: str) -> Iterator[tuple[str, str, str]]:
    hints = get_type_hints(table, include_extras=True)
    for field in fields(table):
        path = f"{prefix}{field.encode_name}"
        hint = hints[field.name]
        meaning = next((note for note in _notes(hint) if note.endswith(".")), "")
        yield f"`{path}`", _default(field), meaning
        below = _table_within(hint)
        if below is not None:
            yield from _keys(below, f"{path}{_separator(hint)}")


def _notes(hint: Any) -> list[str]:
    return [note for note in get_args(hint)[1:] if isinstance(note, str)] if get_origin(hint) is Annotated else []


def _default(field: Any) -> str:
    if field.required:
        return "must be given"
    value = None if field.default is NODEFAULT else field.default
    if value is None or isinstance(value, Struct) or value in ((), ""):
        return ""
    return f"`{value!r}`"


def _separator(hint: Any) -> str:
    origins = {get_origin(part) for part in _parts(hint)}
    if dict in origins:
        return ".NAME."
    return "[]." if tuple in origins else "."


def _table_within(hint: Any) -> type[Table] | None:
    return next((part for part in _parts(hint) if isinstance(part, type) and issubclass(part, Table)), None)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        if not isinstance(argument, str):
            yield from _parts(argument)
