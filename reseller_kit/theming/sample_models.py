"""Sample models of every shape, and the views of their pages. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from .forms import FormProblem, FormView
from .models import Calculation, CalculatorView, ComparisonView, ModelSearch, ModelView, calculator_form
from .page import LaterRow, ModelRow, PriceRow
from .sample_page import SamplePage


def _models() -> tuple[ModelRow, ...]:
    return (
        _model("aurora-fast", "Aurora", (400_000, 128_000), input=350_000, cached_input=35_000, output=2_800_000),
        _model("gpt-5-mini", "GPT", (400_000, 128_000), input=385_000, cached_input=38_500, output=3_080_000),
        _model("claude-sonnet-4-5", "Claude", (1_000_000, 64_000), input=4_125_000, output=20_625_000),
        _model("gemini-2.5-flash-lite-preview-09-2025", "Gemini", (1_048_576, 65_536), input=154_000, output=616_000),
        _model("deepseek-v3.1", "DeepSeek", (128_000, 8_192), input=862_400, output=2_587_200),
        _model("text-embedding-3-small", "GPT", (8_191, 0), input=30_800),
        _model("image-studio-1", "Image", (0, 0), images=61_600_000_000),
    )


def _model(name: str, family: str, limits: tuple[int, int], **prices: int) -> ModelRow:
    rows = tuple(PriceRow(class_name=key, pico=pico) for key, pico in prices.items())
    if limits[0] > 500_000:
        rows += (PriceRow(class_name="input", pico=2 * prices["input"], above_input=200_000),)
    march = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    later = (LaterRow(march, (PriceRow(class_name="input", pico=440_000),)),) if name == "gpt-5-mini" else ()
    return ModelRow(name=name, family=family, context=limits[0], max_output=limits[1], prices=rows, later=later)


MODELS: Final = _models()
VIEWS: Final[Mapping[str, Any]] = {
    "/models": ModelSearch(),
    "/pricing": CalculatorView(form=calculator_form(Calculation())),
}
"""What pages show that need a view even where nothing was asked for."""
_WRONG: Final = FormProblem(field="chats", key="calculator.whole", values={"least": 1, "most": 1_000_000_000})
PAGES: Final = (
    *(
        SamplePage(path=f"/models/{model.name}", template="storefront/model.html", view=ModelView(model=model))
        for model in MODELS
    ),
    SamplePage(path="/models", template="storefront/models.html", view=ModelSearch(words="nothing", sort="price")),
    SamplePage(
        path="/models/compare",
        template="storefront/compare.html",
        view=ComparisonView(models=MODELS[:4], left_out=1),
    ),
    SamplePage(path="/models/compare", template="storefront/compare.html", view=ComparisonView()),
    SamplePage(
        path="/pricing",
        template="storefront/pricing.html",
        view=CalculatorView(form=FormView(values={"chats": "many"}, problems=(_WRONG,)), size=None),
    ),
    SamplePage(
        path="/pricing",
        template="storefront/pricing.html",
        view=CalculatorView(
            form=calculator_form(Calculation(cached=40)), size=Calculation(input=150_000, output=900, cached=40)
        ),
    ),
)
