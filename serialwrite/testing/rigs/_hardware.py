"""HardwarePair: real serial ports, here or behind a server, that are wired together, or one with a loopback plug."""

from __future__ import annotations

import io
import os
import stat
from typing import TYPE_CHECKING

from serialwrite._posix import termios, tty
from serialwrite.testing.rigs._lease import REMOTE
from serialwrite.testing.rigs._rig import (
    LOOPBACK,
    NO_CHARACTER_FORMAT,
    NO_DESCRIPTOR,
    NO_HANG_UP,
    NO_LINE_ERRORS,
    NO_MODEM_LINES,
    NO_STALL,
    PathRig,
    RigUnavailable,
    open_device,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import ExitStack


class HardwarePair(PathRig):
    """Two devices that a cable joins; without ``peer``, one whose output is wired to its own input.

    Line settings are the user's to make.

    Args:
        port: the device under test; or the URL of a port behind a server, ``rfc2217://`` or ``socket://``, which
            ``SerialPort`` opens.
        peer: the device at the other end of its cable.
        quirks: what this hardware lacks, for example "no-modem-lines" on a three-wire cable.

    Raises:
        RigUnavailable: on opening: a device is missing, may not be opened, or is not a serial port; or a URL is of
            another kind. No server is asked: some have one client at a time.
    """

    name = "hardware"

    def __init__(self, port: str, peer: str | None = None, quirks: Iterable[str] = ()) -> None:
        super().__init__()
        if isinstance(quirks, str):
            raise TypeError(f"quirks={quirks!r}: pass several words, such as {{{quirks!r}}}")
        self._devices = (port, port if peer is None else peer)
        loopback = {LOOPBACK} if peer is None else set[str]()
        self.quirks: frozenset[str] = frozenset(quirks) | {NO_STALL, NO_HANG_UP} | loopback
        for scheme in filter(None, map(_scheme, self._devices)):
            self.quirks |= _LACKING.get(scheme, frozenset())

    def _open(self, resources: ExitStack) -> tuple[str, str]:
        for path in self._devices:
            if (scheme := _scheme(path)) is not None:
                if scheme not in REMOTE:
                    raise RigUnavailable(
                        f"{path} is not a port that a cable joins to another: "
                        "give a device, rfc2217://HOST:PORT or socket://HOST:PORT"
                    )
                continue
            try:
                mode = os.stat(path).st_mode  # noqa: PTH116
            except OSError as error:
                raise RigUnavailable(f"the serial port {path} is not there: {error.strerror}") from error
            if not stat.S_ISCHR(mode):
                raise RigUnavailable(f"{path} is not a serial port (not a character device)")
            if not os.access(path, os.R_OK | os.W_OK):
                raise RigUnavailable(
                    f"{path} may not be opened by this user: join its group (`dialout`?), log in again"
                )
        return self._devices

    def open_port(self) -> io.FileIO:
        return _open_raw(self.port)

    def open_peer(self) -> io.FileIO:
        return _open_raw(self.peer)


# What an end lacks that has a URL.
_LACKING = {
    "rfc2217": frozenset({NO_DESCRIPTOR}),
    "socket": frozenset({NO_DESCRIPTOR, NO_MODEM_LINES, NO_CHARACTER_FORMAT, NO_LINE_ERRORS}),
}


def _scheme(path: str) -> str | None:
    """That of a URL; None of a device."""
    scheme, is_url, _ = os.fspath(path).partition("://")
    return scheme if is_url else None


def _open_raw(path: str) -> io.FileIO:
    if _scheme(path) is not None:
        raise io.UnsupportedOperation(
            f"{path} has no descriptor of its own (quirk {NO_DESCRIPTOR!r}): open it with SerialPort(url)"
        )
    device = open_device(path)
    try:
        tty.setraw(device.fileno(), termios.TCSANOW)  # TCSAFLUSH, the default, would drop what has arrived
    except termios.error as error:
        device.close()
        raise RigUnavailable(f"{path} is not a serial port: {error.args[-1]}") from error
    return device
