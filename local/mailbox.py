"""A mailbox on the loopback: takes what the product sends by real SMTP, keeps the newest, shows them.

`python -m local.mailbox <smtp port> <http port> <file of mails> <file with password>`. Senders need the
password: another account of this machine could otherwise put mails with links of its own before our people's
eyes. Reading needs no password (it is for people and tests on this machine), but a page from elsewhere cannot
read along: it answers to its own host names only, and gives no other origin leave.
"""

import asyncio
import contextlib
import hmac
import json
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from local.mailbox_page import Page

MOST_MAILS = 500
LARGEST_MAIL = 5 * 1024 * 1024  # bytes
USER = "live_validation"


@dataclass(frozen=True)
class Mail:
    """One mail as one recipient got it. `received_at`: ISO 8601, UTC, six decimals, strictly rising."""

    to: str
    subject: str
    text: str
    html: str
    received_at: str


class Mails:
    """The newest mails, oldest first; on disk before their sender hears that they are taken."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._mails: list[Mail] = []
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            self._mails = [Mail(**kept) for kept in json.loads(file.read_text())]

    def newest_first(self) -> list[Mail]:
        with self._lock:
            return self._mails[::-1]

    def add(self, recipients: list[str], message: EmailMessage) -> None:
        with self._lock:
            for recipient in recipients:
                self._mails.append(
                    Mail(
                        recipient,
                        str(message["subject"] or ""),
                        _body(message, "plain"),
                        _body(message, "html"),
                        self._now(),
                    )
                )
            del self._mails[:-MOST_MAILS]
            whole = self._file.with_suffix(".new")
            whole.write_text(json.dumps([asdict(mail) for mail in self._mails]))
            whole.rename(self._file)

    def _now(self) -> str:
        now = datetime.now(UTC)
        if self._mails:
            now = max(now, datetime.fromisoformat(self._mails[-1].received_at) + timedelta(microseconds=1))
        return now.isoformat(timespec="microseconds")


class Letterbox:
    """What aiosmtpd asks, by its names: who may send, and where a mail goes."""

    def __init__(self, mails: Mails, password: str) -> None:
        self._mails = mails
        self._password = password.encode()

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        is_ours = (
            isinstance(data, LoginPassword)
            and hmac.compare_digest(data.login, USER.encode())
            and hmac.compare_digest(data.password, self._password)
        )
        return AuthResult(success=is_ours, handled=False)  # aiosmtpd words the refusal

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        message = message_from_bytes(content if isinstance(content, bytes) else b"", policy=policy.default)
        self._mails.add(list(envelope.rcpt_tos), message)
        return "250 Kept"


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except LookupError:  # a charset that Python does not know
        return str(part.get_payload())


async def receive(letterbox: Letterbox, port: int) -> None:
    """Take mails until SIGTERM."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)

    def session() -> SMTP:
        # No TLS on the loopback of one machine; the password keeps other accounts out.
        return SMTP(
            letterbox, loop=loop, hostname="localhost", ident="mailbox",
            data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True,
            authenticator=letterbox.authenticate, auth_required=True, auth_require_tls=False,
        )  # fmt: skip

    async with await loop.create_server(session, "127.0.0.1", port):
        await ended.wait()


def main(smtp_port: int, http_port: int, kept: Path, password: Path) -> None:
    mails = Mails(kept)
    page = ThreadingHTTPServer(("127.0.0.1", http_port), Page.of(mails.newest_first))
    page.daemon_threads = True
    threading.Thread(target=page.serve_forever, daemon=True).start()
    asyncio.run(receive(Letterbox(mails, password.read_text()), smtp_port))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
