"""The mailbox as a program of the stack: its ports, its password, is it there."""

import http.client
import sys
from dataclasses import dataclass

from local.places import Places
from local.ports import Ports
from local.program import Program

USER = "live_validation"


@dataclass(frozen=True)
class Post:
    """Where the product sends its mails, and where people read them."""

    places: Places
    smtp_port: int
    http_port: int

    @classmethod
    def prepare(cls, places: Places, ports: Ports) -> "Post":
        (places.var / "mailbox").mkdir(mode=0o700, exist_ok=True)
        places.secret("mailbox")
        return cls(places, ports.free(), ports.free())

    @property
    def mail_url(self) -> str:
        return f"smtp://{USER}:{self.places.secret('mailbox')}@127.0.0.1:{self.smtp_port}"

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def program(self) -> Program:
        kept = self.places.var / "mailbox" / "messages.json"
        password = self.places.secrets / "mailbox"
        return Program(
            name="mailbox",
            role="mailbox",
            argv=[
                sys.executable, "-m", "local.mailbox",
                str(self.smtp_port), str(self.http_port), str(kept), str(password),
            ],
        )  # fmt: skip

    def answers(self) -> bool:
        return says_ok(self.http_port, "/messages.json", "127.0.0.1")


def says_ok(port: int, path: str, host: str) -> bool:
    """Does whoever listens on this port of the loopback answer 200?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
