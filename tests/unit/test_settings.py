from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest

from reseller_kit.settings import IN_FILES, PREFIX, SECRET_KEY_FILE, VARIABLES, InvalidSetting, load, unread

KEY = "k" * 32


def environ(folder: Path, **values: str) -> dict[str, str]:
    return {"RESELLER_KIT_DATA_DIR": str(folder), **{f"RESELLER_KIT_{name}": value for name, value in values.items()}}


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    settings = load(environ(tmp_path / "data"))
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/data/reseller_kit.db"
    assert settings.mail_url == f"file://{tmp_path}/data/mail"
    assert settings.config == Path("./tenants.toml")
    assert settings.log == "json"
    assert settings.cache_url is None
    assert settings.otlp_url is None
    assert settings.trusted_proxies == ()
    assert ipaddress.ip_address("127.0.0.9") in settings.internal_peers[0]


def test_the_data_dir_is_relative_to_where_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load({}).data_dir == tmp_path / "data"


def test_a_secret_key_is_generated_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = load(environ(tmp_path / "data"))
    file = tmp_path / "data" / SECRET_KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(first.secret_key) >= 32
    assert first.secret_key_file == file
    assert load(environ(tmp_path / "data")).secret_key == first.secret_key
    assert [path.name for path in file.parent.iterdir()] == [SECRET_KEY_FILE]


def test_a_given_secret_key_leaves_no_file_behind(tmp_path: Path) -> None:
    settings = load(environ(tmp_path, SECRET_KEY=KEY))
    assert settings.secret_key == KEY
    assert settings.secret_key_file is None
    assert list(tmp_path.iterdir()) == []


def test_postgresql_needs_a_given_secret_key(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://app:hunter2@127.0.0.1/app"
    with pytest.raises(InvalidSetting, match="RESELLER_KIT_SECRET_KEY is not set") as caught:
        load(environ(tmp_path, DATABASE_URL=url))
    assert "token_urlsafe" in caught.value.fix
    assert load(environ(tmp_path, DATABASE_URL=url, SECRET_KEY=KEY)).database_url == url


def test_the_switch_of_the_payment_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="TEST_MODE"):
        load({**environ(tmp_path), "TEST_MODE": "1"})


def test_a_variable_that_is_set_to_nothing_counts_as_not_set(tmp_path: Path) -> None:
    settings = load(environ(tmp_path, SECRET_KEY=KEY, LOG="", CACHE_URL=" ", CONFIG=""))
    assert (settings.log, settings.cache_url, settings.config) == ("json", None, Path("./tenants.toml"))
    assert settings.kept_mib == 256


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://app:hunter2@host/db"),
        ("SECRET_KEY", "short"),
        ("CACHE_URL", "http://cache"),
        ("CACHE_URL", "redis://"),
        ("CACHE_URL", "redis://host:hunter2"),
        ("MAIL_URL", "smtp://"),
        ("MAIL_URL", "file://relative/dir"),
        ("MAIL_URL", "smtp://user@mail.example:587"),
        ("MAIL_URL", "gopher://x"),
        ("LOG", "yaml"),
        ("KEPT_MIB", "31"),
        ("KEPT_MIB", "1e3"),
        ("KEPT_MIB", "64.5"),
        ("KEPT_MIB", "99999999"),
        ("TRUSTED_PROXIES", "10.0.0.1, nonsense"),
        ("INTERNAL_PEERS", "10.0.0.1/8"),
        ("OTLP_URL", "collector:4317"),
    ],
)
def test_a_bad_value_is_refused_by_its_name_and_never_repeats_a_secret(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load(environ(tmp_path, **{"SECRET_KEY": KEY, name: value}))
    assert f"RESELLER_KIT_{name}" in caught.value.message
    assert caught.value.fix
    assert "hunter2" not in caught.value.message + caught.value.fix


def test_good_values_are_taken(tmp_path: Path) -> None:
    settings = load(
        environ(
            tmp_path,
            SECRET_KEY=KEY,
            CACHE_URL="redis://127.0.0.1:6379/0",
            MAIL_URL="smtp://user:pass@mail.example:587",
            LOG="console",
            KEPT_MIB="4096",
            TRUSTED_PROXIES="10.0.0.5, 192.168.0.0/24",
            INTERNAL_PEERS="::1",
            OTLP_URL="http://127.0.0.1:4318",
        )
    )
    assert settings.cache_url == "redis://127.0.0.1:6379/0"
    assert settings.mail_url == "smtp://user:pass@mail.example:587"
    assert (settings.log, settings.kept_mib) == ("console", 4096)
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.5/32", "192.168.0.0/24"]
    assert [str(network) for network in settings.internal_peers] == ["::1/128"]


def test_settings_never_show_a_secret(tmp_path: Path) -> None:
    settings = load(environ(tmp_path, SECRET_KEY=KEY, MAIL_URL="smtp://user:hunter2@mail.example:587"))
    assert KEY not in repr(settings)
    assert "hunter2" not in str(settings)


def test_a_key_file_without_a_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_KEY_FILE).write_text("\n")
    with pytest.raises(InvalidSetting, match="0 characters"):
        load(environ(tmp_path))


def test_a_data_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(InvalidSetting, match="can't be made"):
        load(environ(tmp_path / "data"))


def test_every_variable_is_listed() -> None:
    source = (Path(__file__).parents[2] / "reseller_kit" / "settings.py").read_text()
    for name in VARIABLES:
        base = name.removesuffix("_FILE")
        assert f'environ, "{base}"' in source
        assert base == name or base in IN_FILES


@pytest.mark.parametrize("name", IN_FILES)
def test_what_is_secret_may_lie_in_a_file(tmp_path: Path, name: str) -> None:
    values = {
        "DATABASE_URL": "postgresql+asyncpg://app:hunter2@127.0.0.1/app",
        "SECRET_KEY": KEY,
        "SECRET_KEY_NEXT": KEY[::-1],
        "CACHE_URL": "rediss://:hunter2@cache",
        "MAIL_URL": "smtp://user:hunter2@mail.example:587",
    }
    file = tmp_path / "secret"
    file.write_text(values[name] + "\n")
    others = {} if name == "SECRET_KEY" else {"SECRET_KEY": KEY}
    settings = load(environ(tmp_path, **others, **{f"{name}_FILE": str(file)}))
    assert getattr(settings, name.lower()) == values[name]
    with pytest.raises(InvalidSetting, match="both set"):
        load(environ(tmp_path, **others, **{f"{name}_FILE": str(file), name: values[name]}))


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff\xfe", "no text"), (b" \n", "empty")])
def test_a_file_of_a_secret_that_holds_none_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidSetting, match=reason) as caught:
        load(environ(tmp_path, SECRET_KEY_FILE=str(file)))
    assert "RESELLER_KIT_SECRET_KEY_FILE" in caught.value.message


def test_variables_that_nothing_reads_are_found_with_what_may_be_meant() -> None:
    environ = {
        "RESELLER_KIT_DATABASE_URI": "x",
        "RESELLER_KIT_PORT": "8200",
        "RESELLER_KIT_": "x",
        **{PREFIX + name: "x" for name in VARIABLES},
        # What Kubernetes sets for a service of that name.
        "RESELLER_KIT_SERVICE_HOST": "10.0.0.1",
        "RESELLER_KIT_SERVICE_PORT_HTTP": "8000",
        "RESELLER_KIT_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "RESELLER_KIT_PORT_8000_TCP_ADDR": "10.0.0.1",
        "RESELLER_KIT_POSTGRES_SERVICE_HOST": "10.0.0.2",
        "PATH": "/usr/bin",
    }
    assert unread(environ) == [
        ("RESELLER_KIT_", ""),
        ("RESELLER_KIT_DATABASE_URI", "RESELLER_KIT_DATABASE_URL"),
        ("RESELLER_KIT_PORT", ""),
    ]
    assert unread({"RESELLER_KIT_PORT": "tcp://10.0.0.1:8000"}) == []
