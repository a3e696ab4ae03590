"""Ports on the loopback: the one that people name, and free ones for what cannot be a unix socket."""

import errno
import socket

from local.trouble import Trouble


class Ports:
    """Reserves ports by binding them without listening, for as long as this object lives.

    Servers that set SO_REUSEADDR (all of ours do) may still bind and listen there, again and again; another
    stack that looks for a free port cannot.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def claim(self, port: int) -> None:
        """Hold the port that people asked for. Raises Trouble where it is taken or not allowed."""
        for family, host in loopback():
            try:
                self._bind(family, host, port, reuse=True)
            except OSError as error:
                raise Trouble(_explained(error, port)) from error

    def free(self, wished: int = 0) -> int:
        """A free port on 127.0.0.1; `wished` if nobody has it."""
        try:
            return self._bind(socket.AF_INET, "127.0.0.1", wished, reuse=False)
        except OSError:
            return self._bind(socket.AF_INET, "127.0.0.1", 0, reuse=False)

    def close(self) -> None:
        for held in self._held:
            held.close()
        self._held.clear()

    def _bind(self, family: socket.AddressFamily, host: str, port: int, *, reuse: bool) -> int:
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
            bound.bind((host, port))
        except OSError:
            bound.close()
            raise
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.append(bound)
        return int(bound.getsockname()[1])


def loopback() -> list[tuple[socket.AddressFamily, str]]:
    """The loopback addresses of this machine; IPv6 only where it exists."""
    found = [(socket.AF_INET, "127.0.0.1")]
    if socket.has_ipv6:
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tried:
                tried.bind(("::1", 0))
            found.append((socket.AF_INET6, "::1"))
        except OSError:
            pass
    return found


def _explained(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken. Name another one: make run PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} is not for this account. Name one above 1023: make run PORT=8080"
    return f"Port {port} cannot be used: {error.strerror}"
