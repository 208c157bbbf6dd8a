from __future__ import annotations

import stat
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.mail import Folder, MailFailed, MailServer, open_outlet, outlet
from tests.support.letters import letter
from tests.support.mail_server import mail_server, self_signed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///var/mail%20box", Folder(Path("/var/mail box"))),
        ("smtp://mail.example", MailServer(host="mail.example", port=587)),
        (
            "smtp://us%40er:p%3Ass@mail.example:25",
            MailServer(host="mail.example", port=25, user="us@er", password="p:ss"),
        ),
        ("smtps://mail.example", MailServer(host="mail.example", port=465, tls=True)),
    ],
)
def test_a_url_names_an_outlet(url: str, expected: Any) -> None:
    assert open_outlet(url) == expected


@pytest.mark.parametrize(
    "url", ["", "file://host/dir", "smtp://", "smtp://user@host", "smtp://u:secret@host:port", "http://host"]
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        open_outlet(url)
    assert "secret" not in str(caught.value)


def test_a_mail_server_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(open_outlet("smtp://user:hunter2@mail.example"))


async def test_a_folder_gets_one_private_file_a_mail(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mail")
    await folder.send(letter())
    await folder.send(letter(subject="Again"))
    await folder.send(letter(reference="mail_02"))
    assert sorted(file.name for file in folder.path.iterdir()) == ["mail_01.eml", "mail_02.eml"]
    assert stat.S_IMODE((folder.path / "mail_01.eml").stat().st_mode) == 0o600
    message = message_from_bytes((folder.path / "mail_01.eml").read_bytes(), policy=policy.default)
    assert message["Subject"] == "Again"


async def test_a_folder_that_is_none_fails_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    with pytest.raises(MailFailed) as caught:
        await Folder(tmp_path / "mail").send(letter())
    assert not caught.value.permanent


async def test_a_server_gets_the_mail_under_the_brands_name() -> None:
    async with mail_server() as server:
        await MailServer(host="127.0.0.1", port=server.port).send(letter())
    (message,) = server.taken
    assert (message["From"], message["Subject"]) == ("Aurora AI <hi@aurora.example>", "Prices change")
    assert server.recipients == [["jane@example.com"]]
    assert set(server.greetings) == {"aurora.example"}


async def test_a_server_may_want_a_log_in_and_encryption(tmp_path: Path) -> None:
    async with mail_server(user="aurora", password="pass word", tls=self_signed(tmp_path)) as server:
        await MailServer(host="127.0.0.1", port=server.port, user="aurora", password="pass word").send(letter())
        with pytest.raises(MailFailed) as caught:
            await MailServer(host="127.0.0.1", port=server.port, user="aurora", password="wrong one").send(letter())
    assert server.encrypted == [True]
    assert not caught.value.permanent
    assert "535" in caught.value.reason
    assert "wrong one" not in caught.value.reason


async def test_elsewhere_nothing_is_said_without_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "is_loopback_host", lambda _host: False)
    async with mail_server() as server:
        with pytest.raises(MailFailed):
            await MailServer(host="127.0.0.1", port=server.port, user="aurora", password="pass").send(letter())
    assert server.taken == []


async def test_elsewhere_a_certificate_must_be_vouched_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(outlet, "is_loopback_host", lambda _host: False)
    async with mail_server(tls=self_signed(tmp_path)) as server:
        with pytest.raises(MailFailed):
            await MailServer(host="127.0.0.1", port=server.port).send(letter())
    assert server.taken == []


@pytest.mark.parametrize(
    ("stage", "answer", "permanent"),
    [
        ("RCPT", "550 no such user", True),
        ("RCPT", "450 try later", False),
        ("DATA", "451 try later", False),
        ("DATA", "554 looks like spam", False),
    ],
)
async def test_only_an_unknown_recipient_is_final(stage: str, answer: str, permanent: bool) -> None:  # noqa: FBT001  # the parametrised fact
    async with mail_server() as server:
        server.refusals.append((stage, answer))
        with pytest.raises(MailFailed) as caught:
            await MailServer(host="127.0.0.1", port=server.port).send(letter())
    assert caught.value.permanent is permanent
    assert answer[:3] in caught.value.reason


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    async with mail_server() as server:
        port = server.port
    with pytest.raises(MailFailed) as caught:
        await MailServer(host="127.0.0.1", port=port).send(letter())
    assert not caught.value.permanent
