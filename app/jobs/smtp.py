"""Handing one mail to the mail server, and saying what went wrong without saying to whom."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from urllib.parse import SplitResult, unquote, urlsplit

from app.config import Settings, is_loopback
from app.jobs.registry import JobFailed

SECONDS_PER_STEP = 8
UNSURE = "smtp_unsure"


def send(message: EmailMessage, to: str, settings: Settings, *, repeated: bool = False) -> None:
    """Deliver the message to one recipient.

    repeated: the try before broke off after the content was handed over, so it may have been delivered.
    Raises JobFailed: a refusal for good (5xx) must not be tried again, everything else may. Its reason holds
    codes and class names only, never an address or what the server wrote.
    """
    if any(character in to for character in "\r\n"):
        raise JobFailed("bad_address", may_retry=False)
    try:
        server = _connect(urlsplit(settings.mail_url))
    except smtplib.SMTPResponseException as error:  # of greeting, TLS or login: the operator's to mend
        raise JobFailed(f"smtp_{error.smtp_code}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise JobFailed(f"smtp_{type(error).__name__}") from None
    try:
        _transfer(server, message, to, settings, repeated)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.putcmd("quit")  # without waiting: a slow goodbye must not turn a delivery into a failure
        server.close()


def _connect(url: SplitResult) -> smtplib.SMTP:
    """Connect, encrypt where the server can, log in where we have an account."""
    host, tls = url.hostname or "localhost", ssl.create_default_context()
    server: smtplib.SMTP
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, url.port or 465, timeout=SECONDS_PER_STEP, context=tls)
    else:
        server = smtplib.SMTP(host, url.port or 25, timeout=SECONDS_PER_STEP)
    server.ehlo()
    if url.scheme != "smtps" and server.has_extn("starttls"):
        server.starttls(context=tls)
        server.ehlo()
    elif url.scheme != "smtps" and url.username and not is_loopback(host):
        raise JobFailed("smtp_login_without_tls")
    if url.username:
        server.login(unquote(url.username), unquote(url.password or ""))
    return server


def _transfer(
    server: smtplib.SMTP, message: EmailMessage, to: str, settings: Settings, repeated: bool
) -> None:
    """The three steps of a delivery; a failure of the last one leaves open whether it took place."""
    is_foreign = not to.isascii()
    if is_foreign and not server.has_extn("smtputf8"):
        raise JobFailed("smtp_no_utf8", may_retry=False)
    content = message.as_bytes(policy=SMTPUTF8 if is_foreign else SMTP)
    try:
        _expect(server.mail(_address_of(settings.mail_from), ["SMTPUTF8"] if is_foreign else []), 250)
        _expect(server.rcpt(to), 250, 251)
    except (OSError, smtplib.SMTPException) as error:
        raise JobFailed(f"smtp_{type(error).__name__}") from None
    try:
        code, answer = server.data(content)
    except smtplib.SMTPDataError as error:  # refused before the content went out
        code, answer = error.smtp_code, b""
    except (OSError, smtplib.SMTPException):
        raise JobFailed(UNSURE, may_retry=not repeated) from None
    _expect((code, answer), 250)


def _expect(answer: tuple[int, bytes], *good: int) -> None:
    code, _ = answer
    if code not in good:
        raise JobFailed(f"smtp_{code}", may_retry=code < 500)


def _address_of(sender: str) -> str:
    """`Name <address>` → address."""
    return sender.rpartition("<")[2].rstrip("> ")
