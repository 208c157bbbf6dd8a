"""What the pages of models and prices show beside the offer itself: a search, a comparison, a calculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from .forms import FormView
from .page import MODALITIES, ModelRow, Page

MOST_COMPARED: Final = 4
CONTEXTS: Final = (32_000, 128_000, 200_000, 1_000_000)
"""What may be asked for as the shortest context, in tokens."""
PRICES: Final[Mapping[str, int]] = {"0.50": 500_000, "1.00": 1_000_000, "3.00": 3_000_000, "10.00": 10_000_000}
"""What may be asked for as the highest price of a million input tokens, in USD and as pico-USD per token."""
SORTS: Final = ("name", "price", "context")
_DEAREST: Final = 10**30


class ModelSearch(Struct, frozen=True, kw_only=True):
    """Which models to show, as it was asked for; what is empty or 0 asks for nothing."""

    words: str = ""
    family: str = ""
    modality: str = ""
    context: int = 0
    price: str = ""
    sort: str = "name"

    @property
    def narrows(self) -> bool:
        """Whether anything but the order was asked for."""
        return bool(self.words or self.family or self.modality or self.context or self.price)

    def found(self, models: tuple[ModelRow, ...]) -> tuple[ModelRow, ...]:
        """The models that fit, in the order that was asked for."""
        rows = [model for model in models if self._fits(model)]
        if self.sort == "price":
            rows.sort(key=_input_pico)
        elif self.sort == "context":
            rows.sort(key=lambda model: -model.context)
        return tuple(rows)

    def _fits(self, model: ModelRow) -> bool:
        text = f"{model.name} {model.title} {model.group}".lower()
        return (
            all(word in text for word in self.words.lower().split())
            and self.family in {"", model.group}
            and (not self.modality or self.modality in model.modalities)
            and model.context >= self.context
            and (not self.price or _input_pico(model) <= PRICES[self.price])
        )


class ModelView(Struct, frozen=True, kw_only=True):
    """One model's own page."""

    model: ModelRow


class ComparisonView(Struct, frozen=True, kw_only=True):
    """Models side by side. `left_out`: how many that were asked for are not shown, unknown or one too many."""

    models: tuple[ModelRow, ...] = ()
    left_out: int = 0

    @property
    def classes(self) -> tuple[tuple[str, int], ...]:
        """Every usage class and tier that any of the models has a price for."""
        keys = {(row.class_name, row.above_input): None for model in self.models for row in model.prices}
        return tuple(sorted(keys, key=lambda key: key[1]))


class Calculation(Struct, frozen=True, kw_only=True):
    """How many chats of which size: tokens of each chat, `cached` the percentage of its input that is cached."""

    chats: int = 10_000
    input: int = 1_000
    output: int = 500
    cached: int = 0

    @property
    def cached_tokens(self) -> int:
        """The cached tokens of one chat, cut to a whole token."""
        return self.input * self.cached // 100


class CostRow(Struct, frozen=True, kw_only=True):
    """What the chats cost with a model, in nano-USD: one, and all. `fits`: whether one is within its limits."""

    model: ModelRow
    each: int
    total: int
    fits: bool


class CalculatorView(Struct, frozen=True, kw_only=True):
    """The calculator as it was filled in; `size` is None where that can't be worked out."""

    form: FormView
    size: Calculation | None = Calculation()

    def rows(self, models: tuple[ModelRow, ...]) -> tuple[CostRow, ...]:
        """The cheapest first, after those the models that such a chat is too long for."""
        if self.size is None:
            return ()
        found = [row for model in models if (row := _cost(model, self.size)) is not None]
        return tuple(sorted(found, key=lambda row: (not row.fits, row.total, row.model.name)))


def families(page: Page) -> tuple[str, ...]:
    """The families of the models on offer."""
    return tuple(sorted({model.group for model in page.models} - {""}))


def modalities(page: Page) -> tuple[str, ...]:
    """What the models on offer work with."""
    return tuple(name for name in MODALITIES if any(name in model.modalities for model in page.models))


def calculator_form(size: Calculation) -> FormView:
    """The form that asks for that size."""
    values: dict[str, Any] = {"chats": size.chats, "input": size.input, "output": size.output, "cached": size.cached}
    return FormView(values={name: str(value) for name, value in values.items()})


def _cost(model: ModelRow, size: Calculation) -> CostRow | None:
    each = model.chat_nano(size.input, size.output, size.cached_tokens)
    if each is None:
        return None
    fits = size.input + size.output <= (model.context or _DEAREST) and size.output <= (model.max_output or _DEAREST)
    # Each call is rounded up by itself, as it is charged.
    return CostRow(model=model, each=each, total=size.chats * each, fits=fits)


def _input_pico(model: ModelRow) -> int:
    row = model.price_of("input")
    return _DEAREST if row is None else row.pico
