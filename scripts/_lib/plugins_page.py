"""The reference page of `reseller_kit.plugins`, made from its names, fields and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec

from reseller_kit import plugins


def render() -> str:
    """Every public name: what it is, what it holds or takes, and what its docstring says."""
    return "\n".join(_section(name, getattr(plugins, name)) for name in sorted(plugins.__all__, key=str.lower))


def _section(name: str, value: Any) -> str:
    parts = [f"## {name}\n"]
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return f"{parts[0]}\n`{_short(value)}`\n"
    if inspect.isfunction(value):
        parts.append(f"`{name}{_signature(value)}`\n")
    parts.append(f"{inspect.cleandoc(value.__doc__ or '')}\n")
    if inspect.isclass(value):
        parts += _fields(value) if issubclass(value, msgspec.Struct) else _methods(value)
    return "\n".join(parts)


def _fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        yield f"- `{field.name}: {_type(kind, field.name)}`{'' if field.required else ', may be left out'}"
    yield ""


def _methods(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        told = inspect.getdoc(member) or ""
        if (name.startswith("_") and name != "__init__") or not told:
            continue
        if isinstance(member, property):
            yield f"- `{name}`: {_line(told)}"
        elif inspect.isfunction(member):
            shown = kind.__name__ if name == "__init__" else name
            yield f"- `{shown}{_signature(member)}`: {_line(told)}"
    yield ""


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [_shown(one) for one in signature.parameters.values() if one.name != "self"]
    return str(signature.replace(parameters=parameters)).replace("'", "").replace("Ellipsis", "…")


def _shown(parameter: inspect.Parameter) -> inspect.Parameter:
    """With a default that reads the same wherever it is written: a function has an address."""
    plain = isinstance(parameter.default, str | int | tuple | None)
    return parameter if plain or parameter.default is parameter.empty else parameter.replace(default=...)


def _type(kind: type, name: str) -> str:
    return str(
        next(base.__annotations__[name] for base in kind.__mro__ if name in vars(base).get("__annotations__", {}))
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def _short(value: object) -> str:
    return str(value).replace("reseller_kit.core.payment.", "")
