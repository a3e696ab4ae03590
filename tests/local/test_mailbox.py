"""The mailbox: real SMTP in, a page and JSON out, for this machine only."""

import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from local.mailbox import MOST_MAILS, Mails
from local.ports import Ports
from tests.conftest import ROOT, eventually

USER, PASSWORD = "live_validation", "correct horse"


class Mailbox:
    """A mailbox of the test's own."""

    def __init__(self, folder: Path) -> None:
        ports = Ports()
        self.smtp, self.http = ports.free(), ports.free()
        ports.close()
        self._arguments = [
            str(self.smtp),
            str(self.http),
            str(folder / "mails.json"),
            str(folder / "password"),
        ]
        (folder / "password").write_text(PASSWORD)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "local.mailbox", *self._arguments], cwd=ROOT)
        eventually(self._answers)

    def _answers(self) -> bool:
        for port in (self.smtp, self.http):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        return True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def mails(self) -> list[dict[str, str]]:
        return requests.get(f"{self.url}/messages.json", timeout=5).json()

    def send(self, message: EmailMessage, password: str = PASSWORD) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=5) as session:
            session.login(USER, password)
            session.send_message(message)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    mailbox = Mailbox(tmp_path_factory.mktemp("mailbox"))
    yield mailbox
    mailbox.end()


def written(
    subject: str, text: str = "Hello", html: str | None = None, to: str = "ann@example.com"
) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "no-reply@localhost", to, subject
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def test_newest_first_with_strictly_rising_times(box: Mailbox) -> None:
    for number in range(5):
        box.send(written(f"mail {number} äöü €", text=f"Line one\nYour code: 1234567{number}\n"))
    newest = box.mails()[:5]
    assert [mail["subject"] for mail in newest] == [f"mail {n} äöü €" for n in (4, 3, 2, 1, 0)]
    assert set(newest[0]) == {"to", "subject", "text", "received_at"}
    assert newest[0]["to"] == "ann@example.com"
    assert newest[0]["text"] == "Line one\nYour code: 12345674\n"
    times = [mail["received_at"] for mail in newest]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)
    for time in times:
        assert datetime.fromisoformat(time).utcoffset() == datetime.now(UTC).utcoffset()
        assert len(time.partition(".")[2].partition("+")[0]) == 6


def test_each_recipient_gets_a_mail(box: Mailbox) -> None:
    box.send(written("to two", to="one@example.com, two@example.com"))
    assert {mail["to"] for mail in box.mails() if mail["subject"] == "to two"} == {
        "one@example.com",
        "two@example.com",
    }


def test_senders_need_the_password(box: Mailbox) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError):
        box.send(written("forged"), password="guess")
    with smtplib.SMTP("127.0.0.1", box.smtp, timeout=5) as session, pytest.raises(smtplib.SMTPSenderRefused):
        session.send_message(written("forged"))
    assert "forged" not in {mail["subject"] for mail in box.mails()}


@pytest.mark.parametrize("path", ["/", "/messages.json", "/mail/x"])
def test_it_answers_to_its_own_name_only(box: Mailbox, path: str) -> None:
    for host in ("evil.example", "127.0.0.1", f"evil.example:{box.http}", "localhost:1", ""):
        assert requests.get(f"{box.url}{path}", headers={"Host": host}, timeout=5).status_code == 421, host


def test_no_other_origin_may_read_along(box: Mailbox) -> None:
    for path in ("/", "/messages.json"):
        answer = requests.get(f"{box.url}{path}", headers={"Origin": "http://evil.example"}, timeout=5)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_it_listens_on_the_loopback_only(box: Mailbox) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
        outside.connect(("192.0.2.1", 9))  # sends nothing; tells which address of ours would be used
        address = outside.getsockname()[0]
    for port in (box.smtp, box.http):
        with socket.socket() as probe:
            assert probe.connect_ex((address, port)) != 0


def test_a_mail_s_html_can_do_nothing(box: Mailbox) -> None:
    box.send(
        written(
            "<script>alert(1)</script>", "see https://example.com/?a=1&b=2", "<script>alert(2)</script>\"'>"
        )
    )
    listed = requests.get(box.url, timeout=5).text
    assert "<script" not in listed
    address = listed.partition('href="')[2].partition('"')[0]
    shown = requests.get(f"{box.url}{address}", timeout=5).text
    assert "<script" not in shown
    assert 'sandbox title="HTML" srcdoc="&lt;script&gt;alert(2)&lt;/script&gt;&quot;' in shown
    assert 'href="https://example.com/?a=1&amp;b=2"' in shown


@pytest.mark.parametrize(
    "content",
    [b"", b"no header at all", b"Subject: =?nope?Q?x?=\nContent-Type: text/plain; charset=nope\n\n\xff"],
)
def test_a_strange_mail_is_kept_too(box: Mailbox, content: bytes) -> None:
    before = len(box.mails())
    with smtplib.SMTP("127.0.0.1", box.smtp, timeout=5) as session:
        session.login(USER, PASSWORD)
        session.sendmail("a@example.com", ["b@example.com"], content)
    assert len(box.mails()) == before + 1


def test_what_it_took_survives_its_death(box: Mailbox) -> None:
    box.send(written("kept"))
    before = box.mails()
    box.end()
    box.start()
    assert box.mails() == before
    box.send(written("after"))
    assert box.mails()[0]["received_at"] > before[0]["received_at"]


def test_it_forgets_the_oldest(tmp_path: Path) -> None:
    mails = Mails(tmp_path / "mails.json")
    recipients = [f"{number}@example.com" for number in range(MOST_MAILS + 1)]
    mails.add(recipients, written("many"))
    assert [mail.to for mail in mails.newest_first()] == recipients[:0:-1]
