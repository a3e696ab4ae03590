"""Asking a program of the stack over HTTP how it is."""

import http.client
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class Answer:
    """`status` is 0 where nobody answered; `text` then says why."""

    status: int
    text: str

    @property
    def is_ok(self) -> bool:
        return self.status == HTTPStatus.OK


def ask(port: int, path: str, host: str) -> Answer:
    """What does whoever listens on this port of the loopback answer to a visitor of `host`?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(errors="replace").strip())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error))
    finally:
        connection.close()
