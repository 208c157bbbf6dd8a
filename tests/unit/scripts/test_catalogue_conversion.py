"""From the sources to the catalogue: exact, refusing, and the same each time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.price_catalogue import KnownModel, find_model
from scripts._lib.catalogue import update
from scripts._lib.catalogue.convert import convert, written
from scripts._lib.catalogue.fetch import Fetched, Pin, Second, SourceFault, Sources, Wanted, fetch, read_sources
from scripts._lib.catalogue.prices import Unpriceable, whole_pico
from scripts._lib.catalogue.report import compare, report
from scripts._lib.catalogue.second import prices_of, read_second
from scripts._lib.catalogue.source import checked_price, read_providers

MIT = "Permission is hereby granted"
PIN = Pin(
    name="first",
    version="1",
    wheel="first.whl",
    sha256="0",
    url="https://first.example",
    data="data.py",
    licence="LICENSE",
    retrieved="2026-06-30",
)
SOURCES = Sources(
    prices=PIN,
    limits=PIN,
    providers=(Wanted(id="acme", hosts=("api.acme.example",), second=Second(provider="acme", prefix="acme/")),),
)


def data(prices: str, *, model: str = "rocket", match: str = "ClauseEquals(equals='rocket')", more: str = "") -> str:
    return f"""
import datetime
from decimal import Decimal
from .types import *
providers: list[Provider] = [
    Provider(
        id='acme', name='Acme', api_pattern='https://api\\\\.acme\\\\.example',
        models=[ModelInfo(id={model!r}, match={match}, context_window=1000, prices={prices}, {more})],
    ),
]
"""


def converted(text: str, second: str = "{}") -> KnownModel:
    catalogue = convert(SOURCES, Fetched(pin=PIN, data=text + "\n# 2026-05-05", licence=MIT), fetched(second))
    (model,) = catalogue.providers[0].models
    return model


def fetched(text: str) -> Fetched:
    return Fetched(pin=PIN, data=text, licence=MIT)


PLAIN = "ModelPrice(input_mtok=Decimal('0.25'), cache_read_mtok=Decimal('0.0125'), output_mtok=Decimal('2'))"


def test_prices_become_whole_numbers() -> None:
    (listed,) = converted(data(PLAIN)).prices
    assert listed.prices == {"input": 250_000, "cached_input": 12_500, "output": 2_000_000}


@given(st.integers(0, 10**12))
def test_a_price_per_million_survives_exactly(micro: int) -> None:
    usd = Decimal(micro).scaleb(-6)
    assert whole_pico(usd, 10**6) == micro


@pytest.mark.parametrize(
    ("usd", "units"), [("0.0000001", 10**6), ("0.04", 3600), ("0.0833333333333333", 10**6), ("1e-13", 1)]
)
def test_a_price_that_is_not_whole_is_refused_and_not_rounded(usd: str, units: int) -> None:
    with pytest.raises(Unpriceable, match="no whole number"):
        whole_pico(Decimal(usd), units)


@pytest.mark.parametrize(
    "bad",
    ["Decimal('NaN')", "Decimal('-1')", "Decimal('Infinity')", "Decimal('x')", "Decimal(0.1)", "Decimal(True)"],
)
def test_a_price_that_is_none_stops_the_conversion(bad: str) -> None:
    with pytest.raises(SourceFault):
        converted(data(f"ModelPrice(input_mtok={bad}, output_mtok=Decimal('1'))"))


@pytest.mark.parametrize("bad", ["True", "0.25", "1", "'0.25'"])
def test_a_price_of_another_type_stops_the_conversion(bad: str) -> None:
    with pytest.raises(SourceFault, match="is not a price"):
        converted(data(f"ModelPrice(input_mtok={bad}, output_mtok=Decimal('1'))"))


@pytest.mark.parametrize("value", [True, 1, 0.5, "1", None, Decimal("NaN"), Decimal("-0.1"), Decimal("Infinity")])
def test_only_finite_decimals_are_prices(value: Any) -> None:
    with pytest.raises(SourceFault):
        checked_price(value)


@pytest.mark.parametrize(
    "code", ["__import__('os').getcwd()", "ModelPrice(**x)", "[Decimal('1') for _ in 'a']", "open('x')", "x"]
)
def test_code_in_the_data_is_refused_and_never_run(code: str) -> None:
    with pytest.raises(SourceFault):
        read_providers(f"providers: list = [Provider(id={code})]")


def test_a_file_without_providers_is_refused() -> None:
    with pytest.raises(SourceFault, match="no list of providers"):
        read_providers("providers: list = [ModelPrice()]")


def test_the_last_list_that_applies_counts_from_its_day() -> None:
    prices = f"""[
        ConditionalPrice(prices={PLAIN}),
        ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2026, 3, 1)),
            prices=ModelPrice(input_mtok=Decimal('0.5'), output_mtok=Decimal('4'))),
        ConditionalPrice(constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)),
            prices=ModelPrice(input_mtok=Decimal('0.6'), output_mtok=Decimal('5'))),
    ]"""
    found = converted(data(prices)).prices
    assert [(listed.effective_from, listed.prices["input"]) for listed in found] == [
        ("", 250_000),
        ("2026-03-01", 500_000),
        ("2027-01-01", 600_000),
    ]


def test_of_a_days_hours_the_dearest_counts() -> None:
    prices = """[
        ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('9'))),
        ConditionalPrice(
            constraint=TimeOfDateConstraint(start_time=datetime.time(1, 0), end_time=datetime.time(4, 0)),
            prices=ModelPrice(input_mtok=Decimal('2'), output_mtok=Decimal('8'))),
    ]"""
    (listed,) = converted(data(prices)).prices
    assert listed.prices == {"input": 2_000_000, "output": 9_000_000}


def test_tiers_hold_what_changes_above_their_mark() -> None:
    tiered = "TieredPrices(base=Decimal('1'), tiers=[Tier(start=200000, price=Decimal('2'))])"
    (listed,) = converted(data(f"ModelPrice(input_mtok={tiered}, output_mtok=Decimal('3'))")).prices
    assert [(tier.above_input, tier.prices) for tier in listed.tiers] == [(200_000, {"input": 2_000_000})]


def test_a_kind_of_service_takes_what_it_does_not_name_from_the_standard_list() -> None:
    more = """price_variants=[
        PriceVariant(when={'service_tier': 'default'}, prices=ModelPrice(), constraint=None),
        PriceVariant(when={'processing': 'batch'}, prices=ModelPrice(output_mtok=Decimal('1')),
            constraint=StartDateConstraint(start_date=datetime.date(2026, 4, 1))),
    ]"""
    tiers = converted(data(PLAIN, more=more)).service_tiers
    (listed,) = tiers.pop("batch")
    assert tiers == {}
    assert listed.effective_from == "2026-04-01"
    assert listed.prices == {"input": 250_000, "cached_input": 12_500, "output": 1_000_000}


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ("ModelPrice()", "names no price"),
        ("ModelPrice(input_mtok=Decimal('0'), output_mtok=Decimal('0'))", "free"),
        ("ModelPrice(input_mtok=Decimal('1'), input_document_kpages=Decimal('1'))", "no usage class holds"),
        ("ModelPrice(input_mtok=Decimal('1'), output_reasoning_mtok=Decimal('9'))", "output_reasoning"),
        ("ModelPrice(audio_hours=Decimal('0.04'))", "no whole number"),
        ("ModelPrice(input_mtok=Decimal('2000000'))", "beyond what can be charged"),
    ],
)
def test_what_can_not_be_priced_is_known_with_its_reason(prices: str, reason: str) -> None:
    model = converted(data(prices))
    assert model.prices == ()
    assert reason in model.refused


def test_dearer_tokens_within_a_class_are_noted() -> None:
    prices = f"{PLAIN[:-1]}, cache_audio_read_mtok=Decimal('0.1'))"
    assert converted(data(prices)).merged == ("cache_audio_read",)


def test_a_model_that_hears_needs_a_price_of_audio() -> None:
    match = "ClauseEquals(equals='rocket-audio')"
    assert "audio" in converted(data(PLAIN, model="rocket-audio", match=match)).refused
    heard = f"{PLAIN[:-1]}, input_audio_mtok=Decimal('40'))"
    assert converted(data(heard, model="rocket-audio", match=match)).refused == ""


def second(**fields: str) -> str:
    pairs = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    return f'{{"acme/rocket": {{"litellm_provider": "acme", {pairs}}}}}'


def test_a_class_that_only_the_second_source_prices_dearer_refuses_the_model() -> None:
    model = converted(data(PLAIN), second(output_cost_per_audio_token="8e-5"))
    assert "output_audio" in model.refused
    assert converted(data(PLAIN), second(cache_creation_input_token_cost="1e-9")).refused == ""


def test_a_disagreement_is_marked_and_changes_no_price() -> None:
    same = second(input_cost_per_token="2.5e-07", output_cost_per_token="2e-06")
    other = second(input_cost_per_token="2.6e-07", output_cost_per_token="2e-06")
    assert converted(data(PLAIN), same).disputed == ()
    assert converted(data(PLAIN), other).disputed == ("rocket",)
    assert converted(data(PLAIN), other).prices == converted(data(PLAIN), same).prices


def test_limits_come_from_both_sources_and_the_larger_context_counts() -> None:
    model = converted(data(PLAIN), second(max_input_tokens="2000", max_output_tokens="300"))
    assert (model.context, model.max_output) == (2000, 300)
    model = converted(data(PLAIN), second(max_input_tokens="true", max_output_tokens="-5"))
    assert (model.context, model.max_output) == (1000, None)


def test_a_prefix_gives_its_own_text_and_days_after_it() -> None:
    model = converted(data(PLAIN, match="ClauseOr(or_=[ClauseStartsWith(starts_with='Rocket-1')])"))
    assert (model.names, model.dated_names) == (("rocket-1",), ("rocket-1",))


def test_a_name_that_an_earlier_model_takes_is_not_given() -> None:
    text = data(PLAIN, match="ClauseStartsWith(starts_with='rocket')").replace(
        "models=[", f"models=[ModelInfo(id='rocket-x', match=ClauseContains(contains='et-x'), prices={PLAIN}), "
    )
    catalogue = convert(SOURCES, Fetched(pin=PIN, data=text + "\n# 2026-05-05", licence=MIT), fetched("{}"))
    found = {name: find_model(catalogue.providers[0], name) for name in ("rocket", "rocket-x", "rocket-y")}
    assert {name: model.id if model else None for name, model in found.items()} == {
        "rocket": "rocket",
        "rocket-x": "rocket-x",
        "rocket-y": None,
    }


def test_a_provider_that_is_missing_or_moved_stops_the_conversion() -> None:
    with pytest.raises(SourceFault, match="no provider 'acme'"):
        converted(data(PLAIN).replace("id='acme'", "id='other'"))
    with pytest.raises(SourceFault, match="not among the addresses"):
        converted(data(PLAIN).replace("api\\\\.acme", "api\\\\.moved"))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_the_second_source_holds_only_numbers(word: str) -> None:
    with pytest.raises(SourceFault, match=word):
        read_second(f'{{"m": {{"input_cost_per_token": {word}}}}}')


def test_the_second_sources_prices_are_read_exactly() -> None:
    (entry,) = read_second(
        '{"m": {"input_cost_per_token": 2.5e-06, "input_cost_per_token_above_200k_tokens": 5e-06,'
        ' "output_cost_per_token_batches": 1e-06, "output_cost_per_token": true, "cache_read_input_token_cost": 1e-13,'
        ' "input_cost_per_audio_token": -1, "input_cost_per_image_token": 0}}'
    ).values()
    assert prices_of(entry) == {
        ("", "input", 0): 2_500_000,
        ("", "input", 200_000): 5_000_000,
        ("batch", "output", 0): 1_000_000,
    }


def test_the_report_lists_what_differs_and_what_one_has_alone() -> None:
    other = (
        '{"acme/rocket": {"litellm_provider": "acme", "input_cost_per_token": 2.6e-07, "output_cost_per_token": 2e-06},'
        ' "acme/comet": {"litellm_provider": "acme", "input_cost_per_token": 1e-06}}'
    )
    first = Fetched(pin=PIN, data=data(PLAIN) + "\n# 2026-05-05", licence=MIT)
    catalogue = convert(SOURCES, first, fetched(other))
    (found,) = compare(catalogue, SOURCES, read_second(other))
    assert (found.models, found.agreeing, len(found.differences)) == (1, 1, 1)
    page = report(catalogue, SOURCES, [found])
    assert "| Acme | 1 | 1 | 1 | 0 | 1 |" in page
    assert "| rocket | input | 0.25 | 0.26 |" in page
    assert "Models only there: `comet`." in page


def test_the_same_sources_give_the_same_bytes() -> None:
    first = Fetched(pin=PIN, data=data(PLAIN) + "\n# 2026-05-05", licence=MIT)
    texts = {written(convert(SOURCES, first, fetched("{}"))) for _ in range(2)}
    assert len(texts) == 1
    assert '"version": "2026-05-05"' in texts.pop()


def wheel(folder: Path, content: dict[str, str]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    (folder / "first.whl").write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def test_a_wheel_other_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    digest = wheel(tmp_path, {"data.py": "x", "LICENSE": MIT})
    pin = Pin(**{**{name: getattr(PIN, name) for name in PIN.__struct_fields__}, "sha256": digest})
    assert fetch(pin, tmp_path).data == "x"
    with pytest.raises(SourceFault, match="is not the file"):
        fetch(PIN, tmp_path)
    with pytest.raises(SourceFault, match="can't be read"):
        fetch(PIN, tmp_path / "nowhere")


def test_a_source_that_is_not_there_fails_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert update.run(tmp_path, check=True) == 1
    assert "can't be read" in capsys.readouterr().err


def test_the_pins_are_complete() -> None:
    sources = read_sources()
    assert len(sources.prices.sha256) == len(sources.limits.sha256) == 64
    assert len({wanted.id for wanted in sources.providers}) == len(sources.providers)
