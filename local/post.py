"""The mailbox as a program of the stack: its ports, its password, is it there."""

import sys
from dataclasses import dataclass

from local.asking import ask
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
        return ask(self.http_port, "/messages.json", "127.0.0.1").is_ok
