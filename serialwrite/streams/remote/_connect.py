"""Connecting to a server by the URL of a port, within a bound, and with a link that is noticed when it dies."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

import serial

# Seconds in all that an opening takes at most.
LONGEST_OPENING = 5.0
# A link is dead once nothing was heard for about 10 s: seconds of silence, seconds between probes, probes; and
# milliseconds for which what was sent may stay without an answer.
IDLE, INTERVAL, PROBES, UNANSWERED_MS = 4, 2, 3, 10_000


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
        told = f"port {self.url!r} can't be opened: {words}"
        return serial.SerialException(told) if number is None else serial.SerialException(number, told)


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


def connected(place: Place, deadline: float) -> socket.socket:
    """A connection to ``place``; whichever of its addresses answers first, in the order of the resolver.

    Raises:
        serial.SerialException: there is none by ``deadline``; it says why in one sentence.
    """
    why: OSError | None = None
    addresses = _resolved(place, deadline)
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
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
            keep_alive(sock)
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


def keep_alive(sock: socket.socket) -> None:
    """Have a dead link noticed; and send small things at once."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"  # macOS
    for name, value in ((idle, IDLE), ("TCP_KEEPINTVL", INTERVAL), ("TCP_KEEPCNT", PROBES)):
        with suppress(AttributeError, OSError):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    limit_silence(sock, UNANSWERED_MS)


def limit_silence(sock: socket.socket, milliseconds: int) -> None:
    """Have the connection end once what was sent stays without an answer for so long; 0: not before TCP gives up."""
    with suppress(AttributeError, OSError):  # Linux alone has it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
