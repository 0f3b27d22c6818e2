"""Opening an rfc2217:// port: connect, hear whether the server speaks Telnet, agree on options, set everything."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import time
from typing import Any

import serial

from ._answers import wait_until
from ._connect import LONGEST_OPENING, Place, connected, place_of
from ._connection import Connection
from ._network_line import NetworkLine
from ._rfc2217_line import ANSWER_TIMEOUT_S, Rfc2217Line
from ._telnet import IAC

# Seconds for which the server may speak first.
FIRST_WORD = 0.5
OPTIONS = {"logging", "ign_set_control", "poll_modem", "timeout"}
SHOWN = 40  # bytes of what was said instead


def open_rfc2217(
    url: str,
    settings: dict[str, Any],
    *,
    rts: bool | None,
    dtr: bool | None,
    in_flight: int | None,
) -> tuple[Connection, Rfc2217Line]:
    """Open the port at ``url``, within 5 s.

    Raises:
        serial.SerialException: that can't be done; it says what the server refuses, or has not done in time.
        ValueError: a setting that it does not grant.
    """
    deadline = time.monotonic() + LONGEST_OPENING
    place = place_of(url, OPTIONS)
    _check_options(place)
    NetworkLine(url, settings)  # refuses a setting before anything is opened
    sock = connected(place, deadline)
    try:
        _hear_first_word(place, sock)
        connection = Connection(sock, str(place))
        connection.logger = _logger(place)
        line = Rfc2217Line(url, place.options, settings, connection, in_flight)
        try:
            _agree(place, connection, min(deadline - time.monotonic(), line.patience))
            line.begin(rts, dtr, deadline - time.monotonic())
        except serial.SerialTimeoutException as error:
            raise place.error(error) from None
        except serial.SerialException:
            raise
        except OSError as error:  # the connection has ended
            said = "has closed the connection" if error.errno == errno.ECONNRESET else os.strerror(error.errno or 0)
            raise place.error(f"the server {place} {said}", error.errno) from None
    except BaseException:
        sock.close()
        raise
    return connection, line


def _check_options(place: Place) -> None:
    try:
        if float(place.options.get("timeout", ANSWER_TIMEOUT_S)) <= 0:
            raise ValueError
    except ValueError:
        raise place.error(f"timeout={place.options['timeout']}: pass seconds above 0") from None
    level = place.options.get("logging", "debug")
    if level not in {"debug", "info", "warning", "error"}:
        raise place.error(f"logging={level}: pass debug, info, warning or error")


def _logger(place: Place) -> logging.Logger | None:
    """pyserial's, set up as pyserial does, where the URL says ``logging``."""
    if "logging" not in place.options:
        return None
    logging.basicConfig()
    logger = logging.getLogger("pySerial.rfc2217")
    logger.setLevel(place.options["logging"].upper())
    return logger


def _hear_first_word(place: Place, sock: socket.socket) -> None:
    """Wait whether the server speaks first. Nothing is sent to one that speaks anything but Telnet."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    if not poller.poll(int(FIRST_WORD * 1000)):
        return
    try:
        said = sock.recv(SHOWN, socket.MSG_PEEK)
    except OSError as error:
        raise place.error(f"the server {place}: {os.strerror(error.errno or 0)}", error.errno) from None
    if not said:
        raise place.error(f"the server {place} has closed the connection", errno.ECONNRESET)
    if said[0] != IAC:
        raise place.error(
            f"the server {place} does not speak Telnet, it says {said!r}; for bare bytes use socket://{place}"
        )


def _agree(place: Place, connection: Connection, seconds: float) -> None:
    options = connection.options
    connection.receive()  # what the server asks for is answered before we ask
    connection.send(options.begin())
    wait_until(connection, lambda: options.refused() is not None or options.missing() is None, seconds)
    if (refused := options.refused()) is not None:
        raise place.error(f"the server {place} refuses {refused}", errno.EPROTONOSUPPORT)
    if (missing := options.missing()) is not None:
        raise place.error(f"the server {place} has not agreed to {missing} in time", errno.ETIMEDOUT)
