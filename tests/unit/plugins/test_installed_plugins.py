"""Finding plugins: every way in which a package can be wrong is a sentence, and none ends the process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.storefront import UpstreamConfig, UpstreamKey
from reseller_kit.plugins import PaymentSetup, installed
from reseller_kit.plugins.installed import PAYMENTS, PluginUnusable

GOOD = "from reseller_kit.plugins import PaymentPlugin, UpstreamPlugin\n"
SETUP = PaymentSetup(
    name="pay", api_key="k-secret", webhook_secret="w-secret", reference_key=b"r" * 32, environment="live", options={}
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes an installed package with one entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(name: str, text: str, *, group: str = PAYMENTS, module: str = "") -> None:
        module = module or f"{name}_of_test"
        (tmp_path / f"{module}.py").write_text(text)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:plugin\n")
        made.append(module)

    installed.forget()
    yield make
    for module in made:
        sys.modules.pop(module, None)
    installed.forget()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no licence')", "ValueError: no licence"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("other = 1", "AttributeError"),
        ("plugin = object()", "is a object, not a PaymentPlugin"),
        (f"{GOOD}plugin = UpstreamPlugin(make=print)", "is a UpstreamPlugin, not a PaymentPlugin"),
        (f"{GOOD}plugin = PaymentPlugin(make=print, api=2)", "is for version 2 of the plugin interface; this is 1"),
    ],
)
def test_what_can_not_be_loaded_is_a_sentence(package: Callable[..., None], text: str, said: str) -> None:
    package("pay", text)
    with pytest.raises(PluginUnusable) as caught:
        installed.payment_plugin("pay")
    assert said in caught.value.message
    assert caught.value.fix


def test_what_is_not_installed_names_what_is(package: Callable[..., None]) -> None:
    package("pay", f"{GOOD}plugin = PaymentPlugin(make=print)")
    with pytest.raises(PluginUnusable) as caught:
        installed.payment_plugin("pai")
    assert (caught.value.message, caught.value.fix) == (
        "The plugin 'pai' is not installed.",
        "Install its package. Installed: pay.",
    )


def test_two_packages_with_one_name_are_not_guessed_between(package: Callable[..., None]) -> None:
    package("pay", f"{GOOD}plugin = PaymentPlugin(make=print)")
    package("pay", f"{GOOD}plugin = PaymentPlugin(make=print)", module="other_pay")
    with pytest.raises(PluginUnusable, match="Several packages have a plugin 'pay': other_pay:plugin, pay_of_test"):
        installed.payment_plugin("pay")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("lambda setup: 1 // 0", "ZeroDivisionError"),
        ("lambda setup: None", "made a NoneType, no Provider"),
        ("lambda setup: Manual()", "calls itself 'manual'"),
    ],
)
def test_what_makes_no_provider_is_a_refusal(package: Callable[..., None], make: str, said: str) -> None:
    package("pay", f"{GOOD}from reseller_kit.payments import Manual\nplugin = PaymentPlugin(make={make})")
    with pytest.raises(InvalidRequest) as caught:
        installed.make_provider("pay", SETUP)
    assert said in caught.value.message


def test_a_secret_in_an_error_is_not_repeated(package: Callable[..., None]) -> None:
    package(
        "pay",
        f"{GOOD}def make(setup):\n    raise ValueError('sk-proj-abcdefghijklmnopqrstuvwx')\n"
        "plugin = PaymentPlugin(make=make)",
    )
    with pytest.raises(InvalidRequest) as caught:
        installed.make_provider("pay", SETUP)
    assert "abcdefghijkl" not in caught.value.message
    assert "secret" not in repr(SETUP)


@pytest.mark.parametrize("settings", [{"plugin": "nowhere"}, {}])
async def test_an_upstream_that_can_not_be_made_takes_no_call_and_says_why(settings: dict[str, str]) -> None:
    from reseller_kit.app import make_upstream

    key = UpstreamKey("ключ" if not settings else "sk-good", "f1")
    config = UpstreamConfig(
        name="west",
        dialect="openai",
        base_url="https://west.example/v1",
        provider="",
        api_keys=(key,),
        headers=(),
        settings=settings,
    )
    made = make_upstream(config)
    assert not made.usable()
    fault = (await made.check()).keys[0].fault
    assert ("not installed" if settings else "non-ASCII") in fault
    assert "ключ" not in fault
