"""Connecting to a server by the URL of a port, within a bound."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import serial

# Seconds in all that an opening takes at most.
LONGEST_OPENING = 5.0


class Place(NamedTuple):
    """What the URL of a remote port says."""

    url: str
    host: str
    number: int
    options: dict[str, str]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.number}" if ":" in self.host else f"{self.host}:{self.number}"

    def error(self, words: object, number: int | None = None) -> serial.SerialException:
        """What is raised where it can't be opened."""
        error = serial.SerialException(f"port {self.url!r} can't be opened: {words}")
        error.errno = number  # it would stand before the words, given with them
        return error


def place_of(url: str, options: set[str]) -> Place:
    """The parts of ``url``, which may have these ``options``.

    Raises:
        serial.SerialException: it is not such a URL, or has another option.
    """
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415 # a tenth of the import time, for remote ports alone

    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
        host, number = parts.hostname, parts.port
    except ValueError as error:
        raise Place(url, "", 0, {}).error(f"{error}; write it {scheme}://HOST:PORT") from None
    given = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    place = Place(url, host or "", number or 0, given)
    if not host or not number or parts.path.strip("/"):
        raise place.error(f"write it {scheme}://HOST:PORT")
    if unknown := sorted(set(given) - options):
        raise place.error(f"unknown option {unknown[0]!r}; {scheme}:// has {', '.join(sorted(options))}")
    return place


class PortSocket(socket.socket):
    """The socket of a port. A program that closes it closes the port."""

    port_closes: Callable[[], object] | None = None  # called once it is closed

    def close(self) -> None:
        super().close()
        closes, self.port_closes = self.port_closes, None
        if closes is not None:
            closes()


def connected(place: Place, deadline: float) -> PortSocket:
    """A connection to ``place``; whichever of its addresses answers first, in the order of the resolver.

    Raises:
        serial.SerialException: there is none by ``deadline``; it says why in one sentence.
    """
    why: OSError | None = None
    addresses = _resolved(place, deadline)
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = PortSocket(family, kind, protocol)
        try:
            # Each of them gets a fair part of the time that is left.
            sock.settimeout(max(0.01, (deadline - time.monotonic()) / (len(addresses) - index)))
            sock.connect(address)
        except OSError as error:
            why = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            sock.setblocking(False)
            return sock
    number = errno.ETIMEDOUT if why is None or why.errno is None else why.errno
    raise place.error(f"connecting to {place}: {os.strerror(number)}", number)


def _resolved(place: Place, deadline: float) -> list[Any]:
    """The addresses of the host. The resolver can't be given a limit, so it has a thread."""
    found: list[Any] = []
    errors: list[OSError] = []

    def look_up(flags: int = 0) -> None:
        try:
            found.extend(socket.getaddrinfo(place.host, place.number, type=socket.SOCK_STREAM, flags=flags))
        except OSError as error:
            errors.append(error)
        except UnicodeError:  # what is too long, or has two dots
            errors.append(OSError(errno.EINVAL, "not the name of a host"))

    look_up(socket.AI_NUMERICHOST)
    if found:
        return found
    errors.clear()
    thread = threading.Thread(target=look_up, name=f"looking up {place.host}", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if found:
        return found
    why = errors[0].strerror if errors else "the resolver does not answer"
    raise place.error(f"the host {place.host!r} was not found: {why}")
