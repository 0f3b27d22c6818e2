"""ports: lists the serial ports of this machine, and finds those that match a path, a pattern or a USB number."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

LISTING_TRIES = 3
USB_NUMBERS = re.compile(r"([0-9a-f]{1,4}):([0-9a-f]{1,4})", re.IGNORECASE)
HWGREP = "hwgrep://"


class PortInfo(NamedTuple):
    """A serial port of this machine. It is a path, too: ``SerialPort(info, 115200)`` opens it.

    Attributes:
        device: the path, or the name, to open it by.
        description: what the adapter calls itself; empty if that is unknown.
        vid: the USB vendor's number; None if the port is not on USB, or that is unknown.
        pid: the USB product's number; None likewise.
        serial_number: the USB device's serial number; None likewise, and of adapters that have none.
    """

    device: str
    description: str = ""
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None

    def __fspath__(self) -> str:
        return self.device


def ports() -> list[PortInfo]:
    """List the serial ports of this machine, without opening any of them.

    Returns:
        What pyserial's ``list_ports.comports()`` finds, in the order of their names. It does not list ptys, and not the
        links in ``/dev/serial/by-id``.
    """
    return [_info(each) for each in listed()]


def listed() -> list[Any]:
    """The ports as pyserial lists them, in the order of their names."""
    # pyserial.tools costs a program that lists no ports a tenth of its import time.
    from serial.tools import list_ports  # noqa: PLC0415

    for last in range(LISTING_TRIES, 0, -1):
        try:
            return sorted(list_ports.comports(), key=lambda port: _natural(port.device))
        except (OSError, TypeError):  # a device was unplugged while pyserial read what the kernel says of it
            if last == 1:
                raise
    raise AssertionError


class PortMatch:
    """Which ports are meant by ``match``.

    Args:
        match: a path (``"/dev/ttyUSB0"``, a link in ``/dev/serial/by-id``); a pattern of paths (``"/dev/ttyUSB*"``);
            ``"VID:PID"`` in hexadecimal (``"0403:6001"``); a USB serial number; or pyserial's ``"hwgrep://REGEX"``. The
            last is searched in name, description and hardware ID, with ``&n=2`` for the second that is found.

    Raises:
        TypeError, ValueError: it is none of these; the message says what to pass.
    """

    def __init__(self, match: str | os.PathLike[str]) -> None:
        text: Any = os.fspath(match) if isinstance(match, os.PathLike) else match
        if not isinstance(text, str):
            raise TypeError(
                f"match: got {match!r}; pass a path, a pattern of paths, 'VID:PID', a USB serial number, "
                "or 'hwgrep://REGEX' as str"
            )
        if not text or "\0" in text:
            raise ValueError(f"match: {text!r} matches no port; pass a path, a pattern, 'VID:PID' or a serial number")
        self.text = text
        self._find: Callable[[list[Any]], Any] = self._by_name
        self._nth = 0
        if text.lower().startswith(HWGREP):
            self._find = self._by_regex
            self._regex, self._nth = _hwgrep(text)
        elif "://" in text:
            raise ValueError(f"match: {text!r} is not on this machine, whose ports are listed; open it by SerialPort")
        elif numbers := USB_NUMBERS.fullmatch(text):
            self._find = self._by_usb_numbers
            self._numbers = int(numbers[1], 16), int(numbers[2], 16)

    def __repr__(self) -> str:
        return repr(self.text)

    def find(self, listing: Callable[[], list[Any]]) -> PortInfo | None:
        """The first port that matches, now; None if none does.

        Args:
            listing: gives the ports as pyserial lists them.
        """
        if self._find == self._by_name:
            path = _first_device(self.text)
            if path is not None:
                real = os.path.realpath(path)
                known = next((_info(port) for port in listing() if os.path.realpath(port.device) == real), PortInfo(""))
                return known._replace(device=path)
        found = [port for port in listing() if self._find(port)]
        return _info(found[self._nth]) if len(found) > self._nth else None

    def _by_name(self, port: Any) -> bool:
        return self.text in {port.device, port.serial_number}

    def _by_usb_numbers(self, port: Any) -> bool:
        return (port.vid, port.pid) == self._numbers

    def _by_regex(self, port: Any) -> bool:
        return any(map(self._regex.search, (port.device, port.description, port.hwid)))


def _hwgrep(url: str) -> tuple[re.Pattern[str], int]:
    """The pattern of a URL of pyserial's, and how many that match come before the one that is meant."""
    pattern, *options = url[len(HWGREP) :].split("&")
    nth = 0
    for option in options:
        name, _, value = option.partition("=")
        if name != "n" or not value.isdecimal() or int(value) < 1:
            raise ValueError(f"match: {url!r} has the option {option!r}; pass hwgrep://REGEX or hwgrep://REGEX&n=2")
        nth = int(value) - 1
    try:
        return re.compile(pattern, re.IGNORECASE), nth
    except re.error as error:
        raise ValueError(f"match: {pattern!r} in {url!r} is not a regular expression: {error}") from None


def _first_device(text: str) -> str | None:
    """The path that ``text`` is, or the first one that it matches as a pattern, if that is a device now."""
    if _is_device(text):
        return text
    return next(filter(_is_device, sorted(glob.glob(text), key=_natural)), None)  # noqa: PTH207 # absolute or relative, as it comes


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)  # noqa: PTH116 # a link is asked for what it points to
    except OSError:
        return False


def _natural(name: str) -> list[str | int]:
    """A key by which ttyUSB10 comes behind ttyUSB9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _info(port: Any) -> PortInfo:
    description = "" if port.description in {None, "n/a"} else port.description
    return PortInfo(port.device, description, port.vid, port.pid, port.serial_number)
