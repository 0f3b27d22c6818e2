"""Opening a port on another machine by its URL: the driver for it."""

from __future__ import annotations

import io
import logging
import time
from typing import Any

from ..serial._driver import Driver
from ..serial._open import INSTEAD
from ..serial._settings import checked_opening
from ._connect import LONGEST_OPENING, connected, place_of
from ._network_line import NetworkLine
from ._open_rfc2217 import open_rfc2217
from ._rfc2217_driver import Rfc2217Driver
from ._tcp_port import TcpPort

BY_BAUDRATE = 0  # as in_flight: what the baud rate makes of it


def opened_remote(
    url: str,
    baudrate: int,
    *,
    rts: bool | None = None,
    dtr: bool | None = None,
    rs485_mode: Any = None,
    low_latency: bool = False,
    in_flight: int | None = BY_BAUDRATE,
    **settings: Any,
) -> Driver:
    """Open the port at ``url``. See :class:`SerialPort` for the arguments."""
    if rs485_mode is not None:
        raise ValueError(f"rs485_mode: the driver of {url} has none (it is not a port of this machine); {INSTEAD}")
    if low_latency:
        raise ValueError(f"low_latency: the driver of {url} has no such thing (it is not a port of this machine)")
    _check_in_flight(in_flight)
    settings = checked_opening({**settings, "baudrate": baudrate})
    if url.startswith("rfc2217:"):
        return Rfc2217Driver(*open_rfc2217(url, settings, rts=rts, dtr=dtr, in_flight=in_flight))
    if in_flight is not BY_BAUDRATE:
        raise io.UnsupportedOperation(f"in_flight: nothing proves what {url} has served; leave it out")
    return _open_tcp(url, settings)


def _open_tcp(url: str, settings: dict[str, Any]) -> TcpPort:
    place = place_of(url, {"logging"})
    line = NetworkLine(url, settings)
    if "logging" in place.options:  # as pyserial's own
        logging.basicConfig()
        logging.getLogger("pySerial.socket").setLevel(place.options["logging"].upper())
    sock = connected(place, time.monotonic() + LONGEST_OPENING)
    try:
        line.stands_on(sock)
        return TcpPort(sock, line)
    except BaseException:
        sock.close()
        raise


def _check_in_flight(given: object) -> None:
    """Refuse what is not a number of bytes; None means without a limit."""
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 0):
        raise ValueError(f"in_flight={given!r}: pass a number of bytes, 1 or more, or None for no limit")
