"""The mailbox as people (HTML) and tests (JSON) read it."""

import json
import re
from collections.abc import Callable, Sequence
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Protocol

REFRESH_SECONDS = 3
LINK = re.compile(r"https?://[^\s<>\"']+")

STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;"
    "margin:2rem auto;max-width:56rem;padding:0 1rem;"
    "color:#1d2733}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.5rem;border-bottom:1px solid #d5dbe2}"
    "pre{white-space:pre-wrap;background:#f4f6f8;padding:1rem;border-radius:.5rem}"
    "iframe{width:100%;height:32rem;border:1px solid #d5dbe2;border-radius:.5rem;background:#fff}"
)

# A mail is made from what strangers typed: no script, no request, no form, not even an image from elsewhere.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Mail(Protocol):
    """What the page needs of a mail."""

    @property
    def to(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def received_at(self) -> str: ...


Newest = Callable[[], Sequence[Mail]]


class Page(BaseHTTPRequestHandler):
    """`/` lists; `/mail/…` shows one, `/messages.json` is for programs; nothing can be changed."""

    server_version = "mailbox"
    sys_version = ""
    timeout = 10  # seconds for a client that says nothing
    newest_first: Newest

    @staticmethod
    def of(newest_first: Newest) -> type["Page"]:
        """A handler class (the library makes an object per request) that shows these mails."""
        return type("PageOfMails", (Page,), {"newest_first": staticmethod(newest_first)})

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            # Another name for this address is a foreign page's (DNS rebinding).
            self._answer(
                HTTPStatus.MISDIRECTED_REQUEST, "text/plain", "This mailbox answers to its own name only.\n"
            )
        elif self.path == "/messages.json":
            self._answer(HTTPStatus.OK, "application/json", self._as_json())
        elif self.path == "/":
            self._answer(HTTPStatus.OK, "text/html", self._list())
        else:
            found = [mail for mail in self.newest_first() if self.path == _address(mail)]
            if found:
                self._answer(HTTPStatus.OK, "text/html", _one(found[0]))
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is no such mail.\n")

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Readers poll this page every few seconds; that is not worth a line."""

    def _as_json(self) -> str:
        return json.dumps(
            [
                {"to": mail.to, "subject": mail.subject, "text": mail.text, "received_at": mail.received_at}
                for mail in self.newest_first()
            ]
        )

    def _list(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(mail.received_at[11:19])}</td><td>{escape(mail.to)}</td>"
            f'<td><a href="{escape(_address(mail))}">{escape(mail.subject) or "(no subject)"}</a></td></tr>'
            for mail in self.newest_first()
        )
        table = f"<table><tr><th>UTC<th>To<th>Subject</tr>{rows}</table>" if rows else "<p>No mail yet.</p>"
        return _document(
            "Mailbox", f"<h1>Mailbox</h1>{table}", f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        )

    def _answer(self, status: HTTPStatus, content_type: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _address(mail: Mail) -> str:
    return f"/mail/{mail.received_at}"


def _one(mail: Mail) -> str:
    """A mail as text with its links alive, and as HTML in a frame that can do nothing."""
    html = (
        f'<h2>HTML</h2><iframe sandbox title="HTML" srcdoc="{escape(mail.html)}"></iframe>'
        if mail.html
        else ""
    )
    return _document(
        mail.subject,
        f'<p><a href="/">Mailbox</a></p><h1>{escape(mail.subject)}</h1>'
        f"<p>To {escape(mail.to)}, {escape(mail.received_at)}</p><pre>{_linked(mail.text)}</pre>{html}",
    )


def _linked(text: str) -> str:
    parts, end = [], 0
    for link in LINK.finditer(text):
        address = escape(link[0])
        parts += [
            escape(text[end : link.start()]),
            f'<a rel="noreferrer noopener" target="_blank" href="{address}">{address}</a>',
        ]
        end = link.end()
    return "".join([*parts, escape(text[end:])])


def _document(title: str, body: str, head: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"{head}<style>{STYLE}</style></head><body>{body}</body></html>"
    )
